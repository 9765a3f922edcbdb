package libfind

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/internal/content"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// openposeModels are the networks that an OpenPose tree has below models, the
// default one first (models/getModels.sh of OpenPose 1.7.0).
var openposeModels = []string{
	"pose/body_25/pose_iter_584000.caffemodel", "pose/coco/pose_iter_440000.caffemodel", "pose/mpi/pose_iter_160000.caffemodel",
	"face/pose_iter_116000.caffemodel", "hand/pose_iter_102000.caffemodel",
}

// openposeTrees adds the trees that OpenPose is built in or unpacked to, where
// no library led to them, and says what each one brings and lacks.
func (s *search) openposeTrees(ctx context.Context, trees []string) {
	h := s.h
	s.openposeInArchive(ctx)
	for _, tree := range trees {
		if h.Windows() && s.openposeTree(ctx, tree) && !slices.ContainsFunc(s.copies, func(c *copyOf) bool { return ownedBy(tree, c) }) {
			c := s.add(&copyOf{prefix: tree})
			c.note("file", tree, "OpenPose's tree")
		}
	}
	for _, c := range s.copies {
		tree := c.prefix
		for _, t := range trees {
			if ownedBy(t, c) && s.openposeTree(ctx, t) {
				tree = t
			}
		}
		s.openposeWeights(ctx, c, tree)
		s.openposeArchives(ctx, c, h.Join(tree, `3rdparty\windows`))
		if h.Windows() {
			s.carried(ctx, c, []string{"bin", "", `build\bin`, `build\x64\Release`, `3rdparty\windows\caffe\bin`, `3rdparty\windows\caffe3rdparty\bin`}, tree)
			s.openposePython(ctx, c, tree)
		}
	}
}

// openposeHere are the trees of OpenPose in the current folder: one that a project brings
// along, and the DLLs of OpenPose's plugin for Unity (openpose_unity_plugin,
// getPlugins.bat).
func (w *world) openposeHere(ctx context.Context) (out []string) {
	if !look.IsPath(w.h.Dir) || len(w.h.Dir) < 4 {
		return nil
	}
	for _, e := range w.list(ctx, w.h.Dir) {
		if strings.HasPrefix(strings.ToLower(e.Name), "openpose") {
			out = append(out, w.h.Join(w.h.Dir, e.Name))
		}
	}
	for _, sub := range []string{"", "OpenPosePlugin"} {
		if dir := w.h.Join(w.h.Dir, sub, unityPlugins); w.entry(ctx, dir, "openpose.dll") != "" {
			out = append(out, dir)
		}
	}
	return out
}

// unityPlugins is the folder of that plugin's DLLs in a project of Unity.
const unityPlugins = `Assets\OpenPose\Plugins`

// fromArchive tells the folders into which Explorer, 7-Zip and WinRAR put the one file of
// an archive that was opened in them.
var fromArchive = lazyregexp.New(`(?i)\\temp\\(?:temp\d+_[^\\]*\.zip|7zO[0-9a-f]+|Rar\$[^\\]+)(?:\\|$)`)

// openposeInArchive finds a program of OpenPose that was started inside its archive: what
// opens it unpacks that file alone, without its DLLs (OpenPose issue 1993).
func (s *search) openposeInArchive(ctx context.Context) {
	dir := s.h.Dir
	if !s.h.Windows() || !look.IsPath(dir) || !fromArchive.MatchString(dir) || s.entry(ctx, dir, "OpenPoseDemo.exe") == "" || s.entry(ctx, dir, "openpose.dll") != "" {
		return
	}
	c := s.add(&copyOf{prefix: dir})
	c.note("file", s.h.Join(dir, "OpenPoseDemo.exe"), "OpenPose's program")
	c.unusable = &facts.Unusable{Reason: facts.Incomplete, Detail: lang.F("OpenPoseDemo.exe lies alone in %s: it was started inside its zip, which unpacks that file alone, without openpose.dll and the others", dir),
		Remedy: lang.T(`Unpack the whole archive (right-click it > Extract All), for example to C:\openpose, and start OpenPoseDemo.exe there.`)}
}

func ownedBy(tree string, c *copyOf) bool {
	return strings.EqualFold(c.prefix, tree) || within(strings.ToLower(c.prefix), strings.ToLower(tree))
}

// openposeTree tells a tree of OpenPose from a folder that is only named so.
func (s *search) openposeTree(ctx context.Context, tree string) bool {
	marks := [][2]string{{"models", "getModels.bat"}, {"models", "getModels.sh"}, {"include", "openpose"}, {"bin", "OpenPoseDemo.exe"}, {"python", "openpose"}, {`build\python`, "openpose"}}
	if strings.HasSuffix(strings.ToLower(tree), strings.ToLower(unityPlugins)) {
		return true
	}
	return slices.ContainsFunc(marks, func(at [2]string) bool { return s.entry(ctx, s.h.Join(tree, at[0]), at[1]) != "" })
}

// openposeWeights looks at the model files of a tree. getModels asks
// posefs1.perception.cs.cmu.edu, which no longer answers (OpenPose issues 1661
// and 2229): it leaves no file, an empty one, or the page of a proxy.
func (s *search) openposeWeights(ctx context.Context, c *copyOf, tree string) {
	h := s.h
	models := h.Join(tree, "models")
	if s.entry(ctx, models, "pose") == "" && s.entry(ctx, models, "getModels.bat") == "" && s.entry(ctx, models, "getModels.sh") == "" {
		return
	}
	var wrong []string
	first, firstName := "", ""
	for i, name := range openposeModels {
		file := h.Join(models, name)
		if h.Windows() {
			file = h.Join(models, strings.ReplaceAll(name, "/", `\`))
		}
		why := ""
		switch data, _, err := h.ReadFile(ctx, file, 512); {
		case err != nil:
			s.unreadable(err)
			if i > 0 || h.Exists(ctx, file) {
				continue // only the default model is always needed
			}
			why = lang.F("the model file %s is missing", file)
		case len(data) == 0:
			why = lang.F("the model file %s is empty", file)
		case content.WebPage(data):
			why = lang.F("the model file %s is an HTML page, not a model", file)
		default:
			continue
		}
		if first == "" {
			first, firstName = file, name
		}
		wrong = append(wrong, why)
	}
	if len(wrong) == 0 {
		return
	}
	c.unusable = &facts.Unusable{Reason: facts.MissingFile, Detail: strings.Join(wrong, lang.T("; ")),
		Remedy: lang.F("Download http://vcl.snu.ac.kr/OpenPose/models/%s, the address that OpenPose's master branch uses, to %s. The server that getModels asks (posefs1.perception.cs.cmu.edu) is gone, so running it again does not help.",
			firstName, first)}
}

// openposeArchives looks at the archives of libraries that OpenPose's CMakeLists.txt
// downloads and unpacks on Windows: a proxy may have answered with a page.
func (s *search) openposeArchives(ctx context.Context, c *copyOf, dir string) {
	var wrong []string
	for _, e := range s.list(ctx, dir) {
		if !strings.HasSuffix(strings.ToLower(e.Name), ".zip") {
			continue
		}
		if data, _, err := s.h.ReadFile(ctx, s.h.Join(dir, e.Name), 512); err == nil && content.WebPage(data) {
			wrong = append(wrong, e.Name)
		}
	}
	if len(wrong) > 0 {
		c.unusable = &facts.Unusable{Reason: facts.MissingFile, Detail: lang.F("HTML pages in place of archives in %s: %s", dir, strings.Join(wrong, ", ")),
			Remedy: lang.F("Delete these files, download the archives of the same names with a browser from a mirror of OpenPose's 3rdparty files, and unpack them in %s. Behind a proxy, running CMake again brings the same page.", dir)}
	}
}

var (
	cudaDLL  = lazyregexp.New(`^cudart64_(\d+)\.dll$`)
	cudnnDLL = lazyregexp.New(`^cudnn64_(\d+)\.dll$`)
)

// carried reads the CUDA and cuDNN that a tree brings beside its programs, out
// of the names of their DLLs: cudart64_80 is 8.0, cudart64_101 10.1; from 11 on
// one name serves a major version. What the program loads is in the first of the
// folders that has one.
func (s *search) carried(ctx context.Context, c *copyOf, folders []string, tree string) {
	for _, folder := range folders {
		for _, e := range s.list(ctx, s.h.Join(tree, folder)) {
			low := strings.ToLower(e.Name)
			file := s.h.Join(tree, folder, e.Name)
			if m := cudaDLL.FindStringSubmatch(low); m != nil && c.built.CUDA == "" {
				if c.built.CUDA = runtimeRelease(m[1]); c.built.CUDA != "" {
					c.note("file", file, "CUDA "+c.built.CUDA)
				}
			}
			if m := cudnnDLL.FindStringSubmatch(low); m != nil && c.built.CuDNN == "" {
				c.built.CuDNN = m[1]
				c.note("file", file, "cuDNN "+m[1])
			}
		}
	}
}

// runtimeRelease is the CUDA that a program needs for cudart64_NUMBER.dll: from 11 on
// any of the major version.
func runtimeRelease(number string) string {
	v := cudartRelease(number)
	if major, _, _ := strings.Cut(v, "."); len(major) == 2 {
		return major
	}
	return v
}

var pydName = lazyregexp.New(`^pyopenpose\.cp(\d)(\d+)-.*\.pyd$`)

// openposePython looks at the Python module. Python 3.8 and newer load the DLLs
// that a module needs from its own folder, Python's, System32 and the folders
// given to os.add_dll_directory; PATH, which OpenPose's own scripts extend, is
// not searched (What's New in Python 3.8, "ctypes" and "os").
func (s *search) openposePython(ctx context.Context, c *copyOf, tree string) {
	h := s.h
	for _, folder := range []string{`build\python\openpose\Release`, `build\python\openpose`, `python\openpose\Release`, `python\openpose`, `bin\python\openpose\Release`, `bin\python\openpose`, "Release", "bin", ""} {
		dir := h.Join(tree, folder)
		for _, e := range s.list(ctx, dir) {
			m := pydName.FindStringSubmatch(strings.ToLower(e.Name))
			if m == nil {
				continue
			}
			c.built.Python = m[1] + "." + m[2]
			if minor, err := strconv.Atoi(m[2]); err != nil || m[1] != "3" || minor < 8 {
				continue
			}
			c.add("python")
			searched := []string{dir, h.Join(s.envPath("SystemRoot"), "System32"), `C:\Python` + m[1] + m[2]}
			for _, d := range h.PathDirs() {
				if look.IsPath(d) && s.entry(ctx, strings.TrimRight(d, `\`), "python.exe") != "" {
					searched = append(searched, strings.TrimRight(d, `\`))
				}
			}
			for _, needed := range []string{"openpose.dll", "caffe.dll", "opencv_world*.dll"} {
				from := ""
				if slices.ContainsFunc(searched, func(d string) bool { return s.matching(ctx, d, needed) != "" }) {
					continue
				}
				for _, d := range []string{`build\x64\Release`, `build\bin`, "bin", `x64\Release`, "Release"} {
					if name := s.matching(ctx, h.Join(tree, d), needed); name != "" && from == "" {
						from = h.Join(tree, d, name)
					}
				}
				if from == "" && needed != "openpose.dll" {
					continue // linked into openpose.dll, or built another way
				}
				name := needed
				if from != "" {
					name = h.Base(from)
				}
				c.needs = append(c.needs, facts.Need{Name: name, By: h.Join(dir, e.Name), Cause: facts.NotFound, Elsewhere: from})
			}
			return
		}
	}
}

// matching is the first file of a folder that a pattern matches.
func (s *search) matching(ctx context.Context, dir, pattern string) string {
	for _, e := range s.list(ctx, dir) {
		if ok, err := path.Match(pattern, strings.ToLower(e.Name)); ok && err == nil {
			return e.Name
		}
	}
	return ""
}
