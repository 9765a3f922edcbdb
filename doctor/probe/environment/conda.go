package environment

import (
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
)

// ofOpenCV are the packages that OpenCV's build asks for by their CMake files, as
// the names of their folders begin in lower case (OpenCV 4.11, cmake/OpenCVFindLibs*
// and OpenCVFindFrameworks; viz and sfm of opencv_contrib).
var ofOpenCV = []string{"ceres", "libavif", "openexr", "openjpeg", "qt5", "qt6", "tbb", "vtk"}

// conda finds the environment of conda that CMake searches before the system's
// folders. CMAKE_PREFIX_PATH, which conda's compilers set, comes first of all. Of
// PATH, find_package uses the folder above a bin folder, and only for packages with
// CMake files: find_library and find_path do so on Windows alone (CMake,
// find_package, search procedure; cmFindBase::FillSystemEnvironmentPath).
func (p *prober) conda() {
	if p.h.Windows() {
		p.condaOnWindows()
		return
	}
	for _, dir := range strings.Split(p.h.Env("CMAKE_PREFIX_PATH"), ":") {
		if p.isConda(dir) {
			p.e.CondaFirst = &facts.CondaFirst{Folder: dir, Through: "CMAKE_PREFIX_PATH", Packages: p.cmakePackages(dir), Activated: dir == p.h.Env("CONDA_PREFIX")}
			return
		}
	}
	for _, dir := range p.h.PathDirs() {
		prefix, ok := strings.CutSuffix(strings.TrimRight(dir, "/"), "/bin")
		if prefix == "" || prefix == "/usr" {
			return // the system's own packages are found first
		}
		if !ok || !p.isConda(prefix) {
			continue
		}
		if packages := p.cmakePackages(prefix); len(packages) > 0 {
			p.e.CondaFirst = &facts.CondaFirst{Folder: prefix, Through: "PATH", Packages: packages, Activated: prefix == p.h.Env("CONDA_PREFIX")}
			return
		}
	}
}

// condaOnWindows looks for the Library folder of an environment. On Windows CMake's
// find_path and find_library, too, look beside each bin folder of PATH
// (cmFindBase::FillSystemEnvironmentPath), so that a library with headers counts.
func (p *prober) condaOnWindows() {
	for _, dir := range p.h.PathDirs() {
		dir = strings.TrimRight(dir, `\`)
		root, ok := cutSuffixFold(dir, `\Library\bin`)
		if !ok || !p.h.Exists(p.ctx, p.h.Join(root, "conda-meta")) {
			continue
		}
		library := p.h.Join(root, "Library")
		packages := p.cmakePackages(library)
		if p.h.Exists(p.ctx, p.h.Join(library, "include", "google", "protobuf")) {
			packages = append(packages, "protobuf")
		}
		if len(packages) > 0 {
			p.e.CondaFirst = &facts.CondaFirst{Folder: library, Through: "PATH", Packages: packages, Activated: strings.EqualFold(root, strings.TrimRight(p.h.Env("CONDA_PREFIX"), `\`))}
			return
		}
	}
}

// cutSuffixFold is strings.CutSuffix for names of Windows.
func cutSuffixFold(s, suffix string) (string, bool) {
	at := len(s) - len(suffix)
	if at <= 0 || !strings.EqualFold(s[at:], suffix) {
		return s, false
	}
	return s[:at], true
}

// isConda reports whether a folder is an environment of conda.
func (p *prober) isConda(dir string) bool {
	return strings.HasPrefix(dir, "/") && p.h.Exists(p.ctx, p.h.Join(dir, "conda-meta"))
}

// cmakePackages are the folders of CMake files below a prefix that OpenCV's build
// asks for.
func (p *prober) cmakePackages(prefix string) (out []string) {
	if p.ctx.Err() != nil {
		return nil
	}
	for _, dir := range []string{p.h.Join(prefix, "lib", "cmake"), p.h.Join(prefix, "lib")} {
		list, err := p.h.ReadDir(p.ctx, dir)
		if err != nil {
			continue
		}
		for _, e := range list {
			low := strings.ToLower(e.Name)
			if e.Dir && slices.ContainsFunc(ofOpenCV, func(name string) bool { return strings.HasPrefix(low, name) }) && !slices.Contains(out, e.Name) {
				out = append(out, e.Name)
			}
		}
	}
	return out
}
