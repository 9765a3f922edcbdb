package libfind

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/loader"
	"github.com/deployctl/deployctl/doctor/probe/opencv"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// opencvRelease reads opencv2/core/version.hpp. 2.4 numbers from an EPOCH on,
// later releases from MAJOR: 2.4.9 is EPOCH 2, MAJOR 4, MINOR 9, REVISION 0 and
// calls itself 2.4.9.
func opencvRelease(d map[string]string) string {
	if d["CV_VERSION_EPOCH"] != "" {
		v := joined(d, "CV_VERSION_EPOCH", "CV_VERSION_MAJOR", "CV_VERSION_MINOR", "CV_VERSION_REVISION")
		if strings.Count(v, ".") == 3 {
			v = strings.TrimSuffix(v, ".0")
		}
		return v
	}
	return joined(d, "CV_VERSION_MAJOR", "CV_VERSION_MINOR", "CV_VERSION_REVISION")
}

// opencvDetails tells a release from what comes before it (4.5.1-dev).
func opencvDetails(d map[string]string) (map[string]string, []string) {
	return map[string]string{"status": strings.TrimPrefix(d["CV_VERSION_STATUS"], "-")}, nil
}

// mainModules are those of OpenCV 4's modules folder. A world that cannot be
// read has them all unless its builder left some out; dnn is one since 3.3.
var mainModules = []string{"calib3d", "core", "dnn", "features2d", "flann", "highgui", "imgcodecs", "imgproc", "ml", "objdetect", "photo", "stitching", "video", "videoio"}

// openCVBuild reads what the libraries were built with and for.
func (s *search) openCVBuild(ctx context.Context) {
	for i, c := range s.copies {
		s.openCVModules(ctx, c)
		if s.h.Windows() {
			s.openCVCompilers(ctx, c)
		}
		const most = 8 // libraries of up to a gigabyte
		if c.static && c.lib == "" {
			c.worldModules(c.built.Modules)
		}
		if c.lib == "" || i >= most {
			continue
		}
		info, ok, err := opencv.ReadBuildInfo(ctx, s.h, c.lib)
		s.unreadable(err)
		attrs := info.Attrs()
		if ok {
			for k, v := range attrs {
				c.set(k, v)
			}
			info.Built(s.h.Arch, &c.built)
			// A library named by its SONAME alone tells its patch release here.
			if v := bare(info.Version); agree(c.version, v) {
				c.version = better(c.version, v)
			}
			c.note("file", c.lib, "build information of OpenCV "+info.Version)
		}
		for _, part := range []string{"cuda", "cudnn", "opencl", "openvino", "ffmpeg", "gstreamer", "nonfree"} {
			if opencv.Yes(attrs["build."+part]) {
				c.add(part)
			}
		}
		c.worldModules(strings.Fields(attrs["build.modules"]))
	}
}

// worldModules adds what one library that holds every module has: its build information
// says it, or for a static one the headers beside it.
func (c *copyOf) worldModules(modules []string) {
	if !slices.Contains(c.parts, "world") {
		return
	}
	if len(modules) == 0 && strings.HasPrefix(c.version, "4.") {
		modules = mainModules
	}
	for _, m := range modules {
		c.add(m)
	}
}

var haveModule = lazyregexp.New(`(?m)^#define HAVE_OPENCV_([A-Z0-9_]+)\s*$`)

// openCVModules reads which modules a copy's headers were installed with.
func (s *search) openCVModules(ctx context.Context, c *copyOf) {
	text, _ := s.text(ctx, s.h.Join(cmp.Or(c.include, c.prefix), "opencv2", "opencv_modules.hpp"))
	for _, m := range haveModule.FindAllStringSubmatch(text, -1) {
		c.built.Modules = append(c.built.Modules, strings.ToLower(m[1]))
	}
}

var (
	msvcVersion = lazyregexp.New(`MSVC_VERSION (?:EQUAL|MATCHES) "?\^?([0-9]{3}|[0-9]{2}\[[0-9,]+\])(?:[0-9]|\[0-9\])`)
	vcFolder    = lazyregexp.New(`^vc[0-9]{2}$`)
)

// openCVCompilers reads which compilers the package file at the top of an OpenCV for
// Visual Studio knows: it chooses the folder of libraries by MSVC_VERSION, and finds
// nothing for a compiler that came after it (OpenCV, cmake/templates/
// OpenCVConfig.root-WIN32.cmake.in; opencv/opencv issues 25995 and 28013).
func (s *search) openCVCompilers(ctx context.Context, c *copyOf) {
	h := s.h
	top := openCVPrefix(c.lib)
	if dir := h.DirOf(c.lib); dir != "" {
		top = openCVPrefix(dir)
	}
	text, _ := s.text(ctx, h.Join(top, "OpenCVConfig.cmake"))
	for _, m := range msvcVersion.FindAllStringSubmatch(text, -1) {
		first, class, many := strings.Cut(m[1], "[")
		if !many {
			c.built.ForMSVC = append(c.built.ForMSVC, first)
			continue
		}
		for _, digit := range strings.TrimSuffix(class, "]") {
			if digit != ',' {
				c.built.ForMSVC = append(c.built.ForMSVC, first+string(digit))
			}
		}
	}
	arch := cmp.Or(map[string]string{"386": "x86", "arm64": "ARM64"}[h.Arch], "x64")
	for _, e := range s.list(ctx, h.Join(top, arch)) {
		if low := strings.ToLower(e.Name); vcFolder.MatchString(low) {
			c.built.Runtimes = append(c.built.Runtimes, low)
		}
	}
	slices.Sort(c.built.ForMSVC)
	c.built.ForMSVC = slices.Compact(c.built.ForMSVC)
}

// unseen asks the pkg-config that PATH finds whether it sees the package too: one
// of another prefix (conda's) does not know the system's folders.
func (s *search) unseen(ctx context.Context, p loader.Package) *facts.Unseen {
	found := s.h.LookPath(ctx, "pkg-config")
	if p.File == "" || len(found) == 0 {
		return nil
	}
	name := strings.TrimSuffix(path.Base(p.File), ".pc")
	out, err := s.h.Run(ctx, host.Command{Argv: []string{found[0], "--modversion", name}})
	// 1 is its answer for a package that it does not find. Where it cannot be
	// asked, conda's is known to look below its own prefix only.
	if err == nil && out.Exit != 1 || err != nil && !s.condaMisses(ctx, found[0], name) {
		return nil
	}
	return &facts.Unseen{By: found[0], Folder: path.Dir(p.File)}
}

// redirected is the variable that leads pkg-config away from the copy that builds would
// use: folders in place of its own, or a system for another machine whose name it
// puts before every folder (pkg-config(1)).
func (s *search) redirected(ctx context.Context, active *copyOf, b build) *facts.Unseen {
	const folders, system = "PKG_CONFIG_LIBDIR", "PKG_CONFIG_SYSROOT_DIR"
	variable, value := "", ""
	if list, set := s.h.Getenv(folders); set && b.byPkg == nil {
		variable, value = folders, list
	} else if root := s.h.Env(system); root != "" && root != "/" && active == b.byPkg && len(b.pkg.Include) > 0 {
		there := slices.ContainsFunc(b.pkg.Include, func(dir string) bool {
			file, _, _, _ := s.findHeaders(ctx, path.Join(root, dir))
			return file != ""
		})
		if !there {
			variable, value = system, root
		}
	}
	found := []string(nil)
	if variable != "" && active.pc != "" {
		found = s.h.LookPath(ctx, "pkg-config")
	}
	if len(found) == 0 {
		return nil
	}
	return &facts.Unseen{By: found[0], Folder: path.Dir(active.pc), Variable: variable, Value: value}
}

// condaMisses reports whether a pkg-config of a conda environment has no such
// package in the folders that it looks into (conda-forge, pkg-config-feedstock:
// --with-pc-path is the prefix's lib and share).
func (s *search) condaMisses(ctx context.Context, program, name string) bool {
	prefix := path.Dir(path.Dir(program))
	if !s.h.Exists(ctx, prefix+"/conda-meta") {
		return false
	}
	dirs := append(loader.SplitPath(s.h.Env("PKG_CONFIG_PATH")), loader.SplitPath(s.h.Env("PKG_CONFIG_LIBDIR"))...)
	dirs = append(dirs, prefix+"/lib/pkgconfig", prefix+"/share/pkgconfig")
	return !slices.ContainsFunc(dirs, func(dir string) bool { return s.h.Exists(ctx, path.Join(dir, name+".pc")) })
}

// openCVBins are the folders of a tree on Windows where OpenCV's build puts
// DLLs: build\x64\vc16\bin, install\x64\mingw\bin.
func (w *world) openCVBins(ctx context.Context, tree string) []string {
	arch := cmp.Or(map[string]string{"386": "x86", "arm64": "ARM64"}[w.h.Arch], "x64")
	var out []string
	for _, sub := range []string{"", "build", "install", `build\install`, `opencv\build`} {
		base := w.h.Join(tree, sub)
		if first, _, _ := strings.Cut(sub, `\`); first != "" && w.entry(ctx, tree, first) == "" {
			continue
		}
		out = append(out, w.h.Join(base, "bin"), w.h.Join(base, `bin\Release`))
		for _, e := range w.list(ctx, w.h.Join(base, arch)) {
			if low := strings.ToLower(e.Name); strings.HasPrefix(low, "vc") || low == "mingw" || low == "bin" {
				out = append(out, w.h.Join(base, arch, e.Name, "bin"), w.h.Join(base, arch, e.Name, staticFolder))
			}
		}
	}
	return out
}

// staticFolder is where OpenCV's build installs static libraries for Visual Studio:
// build\x64\vc17\staticlib (OpenCVInstallLayout.cmake).
const staticFolder = "staticlib"

// staticModules are OpenCV's own static libraries of one folder, core or world first, by
// the names of its DLLs: opencv_core4110.lib. Debug builds are left out.
func (s *search) staticModules(ctx context.Context, dir string) (first string, of dllOf, parts []string) {
	if !strings.EqualFold(s.h.Base(dir), staticFolder) || s.spec.component != "opencv" {
		return "", dllOf{}, nil
	}
	for _, e := range s.list(ctx, dir) {
		stem, ok := strings.CutSuffix(strings.ToLower(e.Name), ".lib")
		if !ok {
			continue
		}
		d, ok := openCVDLL(stem + ".dll")
		if !ok || d.debug {
			continue
		}
		parts = append(parts, d.part)
		if d.part == "core" || d.part == "world" {
			first, of = e.Name, d
		}
	}
	return first, of, parts
}

// openCVPrefix is the folder that holds include beside OpenCV's DLLs or CMake
// package on Windows: …\build\x64\vc16\bin and …\build\x64\vc16\lib lead to
// …\build, …\install\x64\mingw\bin to …\install.
func openCVPrefix(dir string) string {
	parts := strings.Split(strings.TrimRight(dir, `\`), `\`)
	n := len(parts)
	if n > 1 && (strings.EqualFold(parts[n-1], "bin") || strings.EqualFold(parts[n-1], "lib") || strings.EqualFold(parts[n-1], staticFolder)) {
		n--
		if low := strings.ToLower(parts[n-1]); n > 2 && (strings.HasPrefix(low, "vc") || low == "mingw") {
			n -= 2 // and the architecture above it
		}
	}
	return strings.Join(parts[:n], `\`)
}

// openCVDLL says which copy a DLL of OpenCV belongs to. MinGW's and MSVC's, and
// each version, are copies of their own.
func openCVDLL(name string) (dllOf, bool) {
	n, ok := opencv.ParseDLL(name)
	if !ok || strings.HasPrefix(n.Module, "videoio_ffmpeg") {
		return dllOf{}, false
	}
	d := dllOf{compiler: "msvc", version: n.Version, part: n.Module, debug: n.Debug}
	if n.MinGW {
		d.compiler = "mingw"
	}
	return d, true
}

// toolset is the MSVC toolset by the folder that OpenCV's build names after it
// (OpenCVDetectCXXCompiler.cmake: vc14 to vc17 for v140 to v143).
func toolset(dir string) string {
	for _, part := range strings.Split(strings.ToLower(dir), `\`) {
		if t := map[string]string{"vc14": "v140", "vc15": "v141", "vc16": "v142", "vc17": "v143"}[part]; t != "" {
			return t
		}
	}
	return ""
}
