package libfind

import (
	"cmp"
	"context"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/doctor/probe/loader"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// unix finds the copies of Linux and macOS and settles their lookups.
func (w *world) unix(ctx context.Context) {
	w.libs = loader.Open(ctx, w.h)
	dirs := w.libDirs(ctx)
	pcDirs := loader.PkgConfigDirs(ctx, w.h)
	pcs := w.packageFiles(ctx, pcDirs, dirs)
	for _, s := range w.searches {
		if ctx.Err() != nil {
			return
		}
		own := s.ownDirs(ctx, dirs, pcs)
		for i := 0; i < len(own); i++ {
			s.libraries(ctx, own[i])
			// Links may lead into a folder of its own (Debian's alternatives of
			// OpenBLAS), which has the SONAME's link.
			for _, c := range s.copies {
				look.AddNew(&own, maxDirs+2*maxCopies, c.libDir)
			}
		}
		s.findPrograms(ctx)
		s.packages(ctx, pcs)
		s.allHeaders(ctx)
		s.allConfigs(ctx)
		s.releaseFiles(ctx)
		s.readBinaries(ctx)
		s.settle(ctx, pcDirs, pcs)
	}
}

// known reports whether a folder's name is one that some framework is unpacked
// or built in.
func (w *world) known(name string) bool {
	low := strings.ToLower(name)
	for _, s := range w.specs {
		for _, pattern := range s.folders {
			if ok, err := path.Match(pattern, low); ok && err == nil {
				return true
			}
		}
	}
	return false
}

// trees are the tops of hand-made installations: what variables name, folders
// of known names where people put them, Intel's and conda's.
func (w *world) trees(ctx context.Context) []string {
	var out []string
	add := func(dirs ...string) { look.AddNew(&out, maxDirs/2, dirs...) }
	add(w.namedTrees()...)
	add(w.envPath("CONDA_PREFIX"), w.envPath("VIRTUAL_ENV"))
	add(loader.SplitPath(w.h.Env("CMAKE_PREFIX_PATH"))...)
	home := w.envPath("HOME")
	// deployctl's own folder is among them: what it unpacks and builds for root; and
	// those in which Colab's and other images keep what a person makes.
	places := []string{"/opt", "/opt/deployctl", "/usr/local", "/usr/local/share", "/usr/local/src", "/content", "/workspace"}
	if home != "" {
		places = append(places, home, home+"/.local", home+"/src", home+"/opt")
		// What it unpacks for this user, and runtimes that were pulled.
		for _, own := range []struct{ variable, usual, sub string }{{"XDG_DATA_HOME", ".local/share", ""}, {"XDG_CACHE_HOME", ".cache", "runtimes"}} {
			base := cmp.Or(w.envPath(own.variable), path.Join(home, own.usual))
			places = append(places, path.Join(base, "deployctl", own.sub))
		}
		add(home + "/.local")
	}
	for _, place := range places {
		for _, e := range w.list(ctx, place) {
			if w.known(e.Name) {
				add(path.Join(place, e.Name))
			}
		}
	}
	// Intel: oneapi/<component>/<version>, openvino_<version>, and the older
	// compilers_and_libraries with mkl and tbb beside it.
	for _, intel := range []string{"/opt/intel", home + "/intel"} {
		for _, e := range w.list(ctx, intel) {
			if e.Name == "oneapi" {
				for _, c := range []string{"mkl", "dnnl", "tbb"} {
					dir := path.Join(intel, "oneapi", c)
					for _, v := range w.list(ctx, dir) {
						add(path.Join(dir, v.Name))
					}
				}
			} else if w.known(e.Name) {
				add(path.Join(intel, e.Name))
			}
		}
	}
	add("/home/linuxbrew/.linuxbrew")
	if v := w.envPath("VCPKG_ROOT"); v != "" {
		for _, e := range w.list(ctx, v+"/installed") {
			add(path.Join(v, "installed", e.Name))
		}
	}
	if w.h.OS == "darwin" {
		add(w.kegs(ctx)...)
	}
	return out
}

// namedTrees are those that variables name.
func (w *world) namedTrees() (out []string) {
	for _, s := range w.specs {
		for _, v := range s.env {
			if d := w.envPath(v); d != "" {
				out = append(out, d, prefixOf(d))
			}
		}
	}
	return out
}

// kegs are Homebrew's copies, linked or not, of both prefixes. Formulas have the
// names of the libraries, but for PyTorch and TensorFlow.
func (w *world) kegs(ctx context.Context) []string {
	wanted := func(name string) bool {
		base, _, _ := strings.Cut(name, "@")
		return w.known(base) || slices.Contains([]string{"onnxruntime", "pytorch", "onednn", "tbb", "openvino", "openblas", "ncnn"}, base)
	}
	var out []string
	for _, prefix := range []string{"/opt/homebrew", "/usr/local"} {
		for _, keg := range w.list(ctx, prefix+"/Cellar") {
			if !wanted(keg.Name) {
				continue
			}
			for _, v := range w.list(ctx, path.Join(prefix, "Cellar", keg.Name)) {
				out = append(out, path.Join(prefix, "Cellar", keg.Name, v.Name))
			}
		}
		for _, keg := range w.list(ctx, prefix+"/opt") {
			if wanted(keg.Name) {
				out = append(out, path.Join(prefix, "opt", keg.Name))
			}
		}
		out = append(out, prefix)
	}
	return append(out, "/opt/local")
}

// below are the folders of a tree that hold libraries: an installation's, those
// of Intel's packages, a build's. MacPorts has OpenCV's in lib/opencv4.
func below(tree, arch string) []string {
	out := []string{
		tree, tree + "/lib", tree + "/lib64", tree + "/lib/opencv4", tree + "/lib/intel64", tree + "/lib/intel64/gcc4.8", tree + "/runtime/lib/intel64", tree + "/runtime/lib/aarch64", tree + "/runtime/lib",
		tree + "/runtime/3rdparty/tbb/lib", tree + "/build", tree + "/build/lib", tree + "/build/install/lib", tree + "/install/lib", tree + "/build/src", tree + "/cpu_dpcpp_gpu_dpcpp/lib", tree + "/cpu_gomp/lib",
		tree + "/deployment_tools/inference_engine/lib/intel64", tree + "/.build_release/lib", tree + "/build/src/openpose", tree + "/build/caffe/lib", tree + "/cmake-out", tree + "/cmake-out/lib",
	}
	if t := loader.Triplet(arch); t != "" {
		out = append(out, tree+"/lib/"+t)
	}
	return out
}

// libDirs are the folders to look for libraries in, links followed.
func (w *world) libDirs(ctx context.Context) []string {
	seen := map[string]bool{}
	var out []string
	add := func(dir string) {
		if dir = w.libs.Real(ctx, dir); !seen[dir] && len(out) < maxDirs {
			seen[dir] = true
			out = append(out, dir)
		}
	}
	for _, d := range w.libs.Dirs(ctx) {
		add(d)
	}
	for _, tree := range w.trees(ctx) {
		// Asking a tree's folders for their content is cheap only when the tree is there.
		if ctx.Err() != nil {
			break
		}
		if len(w.list(ctx, tree)) == 0 {
			continue
		}
		for _, d := range below(tree, w.h.Arch) {
			first, _, _ := strings.Cut(strings.TrimPrefix(d, tree+"/"), "/")
			if d == tree || w.entry(ctx, tree, first) != "" {
				add(d)
			}
		}
	}
	return out
}

// ownDirs adds to the folders those of this component alone.
func (s *search) ownDirs(ctx context.Context, dirs []string, pcs []packageFile) []string {
	out := slices.Clone(dirs)
	add := func(d string) { look.AddNew(&out, maxDirs+64, s.libs.Real(ctx, d)) }
	for _, lib := range s.spec.libs {
		// Folders known only through the cache (ld.so.conf was changed since).
		for _, e := range s.libs.Cached("lib" + lib + ".so") {
			add(path.Dir(e.Path))
		}
	}
	for _, p := range pcs {
		for _, d := range p.Lib {
			if slices.Contains(s.spec.pc, p.name) && path.IsAbs(d) && look.IsPath(d) {
				add(d)
			}
		}
	}
	if s.spec.component == "darknet" {
		add("/usr/lib/darknet") // Debian's
	}
	for _, c := range s.copies { // of Python and npm packages
		for _, d := range []string{c.prefix + "/lib", c.prefix + "/libs", c.prefix + "/capi", c.prefix, c.prefix + "/deps/lib"} {
			add(d)
		}
	}
	return out
}

// libraries adds the copies whose libraries lie in one folder.
func (s *search) libraries(ctx context.Context, dir string) {
	for _, stem := range s.spec.libs {
		type file struct {
			path string
			name libName
		}
		byReal := map[string][]file{}
		var order []string
		for _, f := range s.libs.InDir(ctx, dir, "lib"+stem) {
			n, ok := parseLibName(path.Base(f))
			if !ok || n.stem != stem {
				continue
			}
			real, err := s.h.Resolve(ctx, f)
			if err != nil || !look.IsPath(real) {
				continue // a dangling link serves nobody
			}
			if byReal[real] == nil {
				if len(order) >= maxCopies {
					continue
				}
				order = append(order, real)
			}
			byReal[real] = append(byReal[real], file{f, n})
		}
		if len(order) == 0 {
			continue
		}
		sort.Strings(order)
		static := ""
		var fresh []*copyOf
		for _, real := range order {
			files := byReal[real]
			n, _ := parseLibName(path.Base(real))
			if n.static || files[0].name.static {
				static = real
				continue
			}
			version := s.spec.suffix(n.suffix)
			soname := ""
			for _, f := range files {
				version = better(version, s.spec.suffix(f.name.suffix))
				base := path.Base(f.path)
				if f.name.suffix != "" && (soname == "" || len(base) < len(soname)) {
					soname = base
				}
			}
			soname = cmp.Or(soname, path.Base(files[0].path))
			c := s.holding(real)
			if c == nil {
				c = s.place(real, version)
				c.note("file", real, strings.TrimSpace("library "+version)+", SONAME by its links "+soname)
				s.partsBeside(ctx, path.Dir(real), stem, c)
			}
			c.version = better(c.version, version)
			if has, had := parseSuffix(soname) != "", parseSuffix(c.soname) != ""; c.soname == "" || has && (!had || len(soname) < len(c.soname)) {
				c.soname = soname
			}
			for _, f := range files {
				if f.name.suffix == "" && path.Base(f.path) == "lib"+stem+path.Ext(f.path) {
					c.dev = true
				}
			}
			fresh = append(fresh, c)
		}
		if static != "" {
			c := s.holding(static)
			if c == nil && len(fresh) > 0 {
				c = fresh[0]
			}
			if c == nil {
				n, _ := parseLibName(path.Base(static))
				c = s.at(prefixOf(path.Dir(static)), s.spec.suffix(n.suffix), static)
				c.libDir = path.Dir(static)
				c.note("file", static, "static library")
				s.partsBeside(ctx, path.Dir(static), stem, c)
			}
			c.static, c.dev = true, true
		}
		return
	}
}

func parseSuffix(name string) string {
	n, _ := parseLibName(name)
	return n.suffix
}

// place returns a new copy for a library, or the one of the package that the
// library lies in.
func (s *search) place(real, version string) *copyOf {
	dir := path.Dir(real)
	prefix := prefixOf(dir)
	for _, c := range s.copies {
		if c.kind != "" && c.lib == "" && (within(dir, c.prefix) || dir == c.prefix) {
			c.lib, c.libDir = real, dir
			return c
		}
	}
	return s.add(&copyOf{prefix: prefix, version: version, lib: real, libDir: dir})
}

// holding returns the copy whose library a file is.
func (s *search) holding(real string) *copyOf {
	for _, c := range s.copies {
		if c.lib != "" && c.lib == real {
			return c
		}
	}
	return nil
}

// Debian's folders of the builds of OpenBLAS.
var openblasBuild = lazyregexp.New(`^openblas(?:64)?-(pthread|openmp|serial)$`)

var pluginFolder = lazyregexp.New(`^openvino-[0-9.]+$`)

// partsBeside lists the further libraries of a copy, whose own is named stem.
func (s *search) partsBeside(ctx context.Context, dir, stem string, c *copyOf) {
	if m := openblasBuild.FindStringSubmatch(path.Base(dir)); m != nil {
		c.set("threading", m[1])
		return // every build's file is libopenblasp there
	}
	if s.spec.module != "" {
		linked := parseSuffix(path.Base(c.lib)) != ""
		for _, f := range s.libs.InDir(ctx, dir, "lib"+s.spec.module) {
			n, ok := parseLibName(path.Base(f))
			if ok && n.static == (c.lib == "") && (n.suffix != "") == linked && agree(s.spec.suffix(n.suffix), c.version) {
				part := strings.TrimPrefix(n.stem, s.spec.module)
				if strings.HasSuffix(stem, "4") {
					part = strings.TrimSuffix(part, "4") // vcpkg's opencv_core4 (its port sets OPENCV_DLLVERSION=4)
				}
				c.add(part)
			}
		}
		return
	}
	if len(s.spec.parts) == 0 {
		return
	}
	dirs := []string{dir}
	if s.spec.component == "openvino" {
		for _, e := range s.list(ctx, dir) {
			if pluginFolder.MatchString(e.Name) {
				dirs = append(dirs, path.Join(dir, e.Name))
			}
		}
	}
	for _, d := range dirs {
		for stem, part := range s.spec.parts {
			for _, f := range s.libs.InDir(ctx, d, "lib"+stem) {
				if n, ok := parseLibName(path.Base(f)); ok && n.stem == stem {
					c.add(part)
					break
				}
			}
		}
	}
}

// findPrograms adds programs in PATH and beside the copies: Darknet is one.
func (s *search) findPrograms(ctx context.Context) {
	for _, name := range s.spec.programs {
		found := s.h.LookPath(ctx, name)
		onPath := len(found)
		for _, tree := range s.spec.env {
			if d := s.envPath(tree); d != "" {
				found = append(found, path.Join(d, name), path.Join(d, "build", name))
			}
		}
		for _, c := range s.copies {
			found = append(found, path.Join(c.prefix, name), path.Join(c.prefix, "bin", name))
		}
		for _, home := range []string{s.envPath("HOME"), "/opt"} {
			for _, e := range s.list(ctx, home) {
				if low := strings.ToLower(e.Name); low == name || strings.HasPrefix(low, name+"-") {
					found = append(found, path.Join(home, e.Name, name))
				}
			}
		}
		for i, file := range found {
			if i > maxCopies {
				break
			}
			info, err := s.h.Stat(ctx, file)
			if err != nil || info.Dir || !info.Exec || !look.IsPath(file) {
				continue
			}
			real := s.real(ctx, file)
			var c *copyOf
			for _, o := range s.copies {
				if o.program == real {
					c = o
				}
			}
			if c == nil {
				dir := path.Dir(real)
				prefix := prefixOf(dir)
				for _, o := range s.copies {
					if o.program == "" && o.prefix == prefix && o.kind == "" {
						c = o
					}
				}
				if c == nil {
					c = s.add(&copyOf{prefix: prefix})
				}
				c.program = real
				c.note("file", real, "program")
			}
			if i == 0 && onPath > 0 {
				c.wins(viaPath)
			}
			if onPath == 0 && path.Dir(file) == s.h.Dir {
				c.wins(viaHere)
			}
		}
	}
}

// packageFile is a .pc file of one of the components.
type packageFile struct {
	loader.Package
	name string
}

// packageFiles reads every .pc file of the components, where pkg-config looks
// and beside libraries where it may not look.
func (w *world) packageFiles(ctx context.Context, pcDirs, libDirs []string) []packageFile {
	wanted := map[string]bool{}
	for _, s := range w.specs {
		for _, n := range s.pc {
			wanted[n+".pc"] = true
		}
	}
	dirs := slices.Clone(pcDirs)
	for _, d := range libDirs {
		if w.entry(ctx, d, "pkgconfig") != "" && !slices.Contains(dirs, d+"/pkgconfig") {
			dirs = append(dirs, d+"/pkgconfig")
		}
	}
	for _, tree := range w.trees(ctx) {
		for _, d := range []string{tree + "/lib/pkgconfig", tree + "/lib64/pkgconfig", tree + "/pkgconfig", tree + "/runtime/lib/intel64/pkgconfig"} {
			first, _, _ := strings.Cut(strings.TrimPrefix(d, tree+"/"), "/")
			if !slices.Contains(dirs, d) && len(dirs) < maxDirs && w.entry(ctx, tree, first) != "" {
				dirs = append(dirs, d)
			}
		}
	}
	var out []packageFile
	seen := map[string]bool{}
	for _, dir := range dirs {
		for _, e := range w.list(ctx, dir) {
			file := path.Join(dir, e.Name)
			if !wanted[e.Name] || len(out) > 4*maxCopies {
				continue
			}
			real := w.real(ctx, file)
			if seen[real] {
				continue
			}
			text, ok := w.text(ctx, file)
			if !ok {
				continue
			}
			seen[real] = true
			p := loader.ParsePackage(file, text)
			p.Version = bare(p.Version)
			out = append(out, packageFile{p, strings.TrimSuffix(e.Name, ".pc")})
		}
	}
	return out
}

// packages gives the .pc files to the copies they speak of.
func (s *search) packages(ctx context.Context, all []packageFile) {
	for _, p := range all {
		if !slices.Contains(s.spec.pc, p.name) {
			continue
		}
		c := s.ofPackage(ctx, p)
		c.pc = cmp.Or(c.pc, p.File)
		c.note("file", p.File, "Version: "+p.Version)
	}
}

// ofPackage returns the copy that a .pc file speaks of: the one its -L leads
// to, the one below the prefix it names or lies in, or a new one.
func (s *search) ofPackage(ctx context.Context, p packageFile) *copyOf {
	for _, d := range p.Lib {
		if !path.IsAbs(d) || !look.IsPath(d) {
			continue
		}
		d = s.libs.Real(ctx, d)
		for _, c := range s.copies {
			if c.libDir == d && agree(c.version, p.Version) {
				c.version = better(c.version, p.Version)
				return c
			}
		}
	}
	var prefixes []string
	if v := p.Vars["prefix"]; path.IsAbs(v) && look.IsPath(v) {
		prefixes = append(prefixes, s.real(ctx, path.Clean(v)))
	}
	real := s.real(ctx, p.File)
	prefixes = append(prefixes, prefixOf(path.Dir(real)))
	for _, prefix := range prefixes {
		for _, c := range s.copies {
			if c.prefix == prefix && agree(c.version, p.Version) {
				return s.at(prefix, p.Version, real)
			}
		}
	}
	return s.at(prefixes[0], p.Version, real)
}

// includeDirs are the compiler's own folders, in its order.
func (w *world) includeDirs() []string {
	var out []string
	for _, v := range []string{"CPATH", "CPLUS_INCLUDE_PATH"} {
		out = append(out, loader.SplitPath(w.h.Env(v))...)
	}
	out = append(out, "/usr/local/include")
	if t := loader.Triplet(w.h.Arch); t != "" && w.h.OS == "linux" {
		out = append(out, "/usr/include/"+t)
	}
	return append(out, "/usr/include")
}

func (s *search) allHeaders(ctx context.Context) {
	bases := s.includeDirs()
	add := func(dirs ...string) { look.AddNew(&bases, 256, dirs...) }
	for _, c := range s.copies {
		// openpose and Caffe are used from their source trees.
		add(c.prefix+"/include", path.Dir(c.libDir)+"/include", path.Dir(path.Dir(c.libDir))+"/include")
		if c.libDir != "" && within(c.libDir, "/usr/lib/"+loader.Triplet(s.h.Arch)) {
			add("/usr/include/" + loader.Triplet(s.h.Arch) + "/" + path.Base(c.libDir)) // Debian's builds of OpenBLAS
		}
		if s.spec.component == "darknet" && c.libDir != "" {
			add(c.libDir + "/include")
		}
		if s.spec.component == "libtorch" {
			add(c.prefix + "/include/torch/csrc/api/include")
		}
	}
	for _, v := range s.spec.env {
		if d := s.envPath(v); d != "" {
			add(d+"/include", prefixOf(d)+"/include")
		}
	}
	for _, b := range bases {
		if !path.IsAbs(b) || len(s.list(ctx, b)) == 0 {
			continue
		}
		for _, d := range s.includeFolders(ctx, b) {
			s.includes(ctx, d)
		}
	}
}

// includeFolders are the folders of the component in an include folder.
func (s *search) includeFolders(ctx context.Context, base string) []string {
	if s.spec.includes == nil {
		return []string{base}
	}
	var out []string
	for _, sub := range s.spec.includes {
		switch {
		case sub == "":
			out = append(out, base)
		case s.entry(ctx, base, sub) != "":
			out = append(out, s.h.Join(base, sub))
		}
	}
	return out
}

func (s *search) allConfigs(ctx context.Context) {
	seen := map[string]bool{}
	for _, c := range slices.Clone(s.copies) {
		if seen[c.prefix] || ctx.Err() != nil {
			continue
		}
		seen[c.prefix] = true
		for _, d := range s.configDirs(ctx, c.prefix) {
			s.cmakePackage(ctx, d)
		}
	}
}

// releaseFiles reads the files beside bin and lib that say the release: LibTorch's
// build-version (2.1.0+cu121), ONNX Runtime's VERSION_NUMBER, OpenVINO's
// runtime/version.txt (2024.6.0-17404-…). A folder's own name is the last resort.
func (s *search) releaseFiles(ctx context.Context) {
	name := map[string]string{"libtorch": "build-version", "onnxruntime": "VERSION_NUMBER", "openvino": "version.txt"}[s.spec.component]
	for _, c := range s.copies {
		if s.spec.component == "libtorch" && s.entry(ctx, c.prefix, "share") != "" {
			s.torchCMake(ctx, c)
		}
		if name != "" && s.entry(ctx, c.prefix, name) != "" {
			s.releaseFile(ctx, c, s.h.Join(c.prefix, name))
		}
		if c.version == "" && c.kind == "" {
			for _, dir := range []string{c.prefix, s.h.DirOf(c.prefix)} {
				if v := folderVersion(s.h.Base(s.h.DirOf(dir)), s.h.Base(dir), s.spec); v != "" && c.version == "" {
					c.version = v
					c.note("file", dir, "the folder's name")
				}
			}
		}
	}
}

func (s *search) releaseFile(ctx context.Context, c *copyOf, file string) {
	text, _ := s.text(ctx, file)
	first := look.FirstLine(text)
	v := bare(first)
	if !strings.Contains(v, ".") {
		return
	}
	c.note("file", file, first)
	if _, build, ok := strings.Cut(first, "+"); ok {
		c.set("build", build)
		c.built.CUDA = cudaOfBuild(build)
	}
	switch s.spec.component {
	case "libtorch":
		c.torchBuild(first)
	case "onnxruntime":
		c.built.Build = "release" // only the archives of its release page have this file
		c.built.CUDA = cmp.Or(c.built.CUDA, cudaOfArchive(s.h.Base(c.prefix), first))
	}
	if agree(c.version, v) {
		c.version = better(c.version, v)
	} else {
		c.conflict = lang.F("%s says %s but its other files say %s", file, v, c.version)
	}
}

var archiveCUDA = lazyregexp.New(`-(?:gpu[-_])?cuda(1[0-9])[-.]|-gpu[-_]cuda(1[0-9])$`)

// cudaOfArchive is the major version of CUDA that ONNX Runtime's archive for the GPU is
// built for, by the folder it is unpacked to: its name has the version where two were
// offered. Without it, the archives up to 1.18 are for CUDA 11 and those from 1.19 on for
// 12 (release notes of 1.19.0), but that those of 1.19.0 for Windows load CUDA 11 and
// cuDNN 8 (microsoft/onnxruntime issue 21965; 1.19.2 put it right). From 1.24 on there are
// archives for 13; "" for what is not known.
func cudaOfArchive(folder, version string) string {
	if m := archiveCUDA.FindStringSubmatch(folder); m != nil {
		return cmp.Or(m[1], m[2])
	}
	minor, err := strconv.Atoi(strings.Split(version+".", ".")[1])
	switch {
	case version == "1.19.0" && (strings.Contains(folder, "-win-x64-gpu-") || strings.Contains(folder, "-win-x64-cuda-")):
		return "11"
	case err != nil || !strings.HasPrefix(version, "1.") || !strings.Contains(folder, "-gpu-"+version):
		return ""
	case minor >= 7 && minor < 19:
		return "11"
	case minor >= 19 && minor < 24:
		return "12"
	}
	return ""
}

// cudaOfBuild is the CUDA of a LibTorch build: cu118 is 11.8, cu92 is 9.2; ""
// for others.
func cudaOfBuild(build string) string {
	digits, ok := strings.CutPrefix(build, "cu")
	if !ok || len(digits) < 2 || strings.Trim(digits, "0123456789") != "" {
		return ""
	}
	return digits[:len(digits)-1] + "." + digits[len(digits)-1:]
}

// folderVersion reads a release out of a folder's name: onnxruntime-linux-x64-1.20.1,
// openvino_2024.6.0; or 2024.0 in a folder mkl (oneAPI), 2.5.1_4 in pytorch
// (Homebrew).
func folderVersion(parent, name string, s *spec) string {
	matches := func(name string) bool {
		low := strings.ToLower(name)
		return slices.ContainsFunc(s.folders, func(pattern string) bool {
			ok, err := path.Match(pattern, low)
			return ok && err == nil
		}) || low == s.component || s.component == "libtorch" && low == "pytorch"
	}
	if number, _, _ := strings.Cut(name, "_"); wholeVersion.MatchString(number) && strings.Contains(number, ".") && matches(parent) {
		return number
	}
	if !matches(name) {
		return ""
	}
	if s.component == "ncnn" {
		for _, part := range strings.Split(name, "-") {
			if v := ncnnVersion(part); v != "" {
				return v
			}
		}
		return ""
	}
	return inText.FindString(name)
}

// readBinaries looks into libraries and programs for what no file beside tells.
func (s *search) readBinaries(ctx context.Context) {
	switch s.spec.component {
	case "opencv":
		s.openCVBuild(ctx)
	case "onnxruntime":
		for _, c := range s.copies {
			if c.lib == "" || strings.Count(c.version, ".") >= 2 || ctx.Err() != nil {
				continue
			}
			// The library's symbols carry its release: VERS_1.30.0.
			const marker = "VERS_"
			data, err := s.h.Search(ctx, c.lib, marker, maxBinary, len(marker)+16)
			s.unreadable(err)
			v := bare(strings.TrimPrefix(string(data), marker))
			if strings.Count(v, ".") == 2 && agree(c.version, v) {
				c.version = v
				c.note("file", c.lib, marker+v)
			}
		}
	case "darknet":
		for _, c := range s.copies {
			s.darknetFlavour(ctx, c)
		}
		s.darknetPackage(ctx)
	}
}
