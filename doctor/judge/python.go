package judge

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// builtForNumPy2 are the first releases of Python packages that were built for NumPy 2;
// earlier ones do not load with it (opencv-python, release 4.10.0.84 and issue 997;
// microsoft/onnxruntime issue 21063; PyTorch 2.3 and TensorFlow 2.18, release notes).
var builtForNumPy2 = []struct{ component, of, release string }{
	{"opencv-python", "opencv", "4.10.0.84"}, {"onnxruntime", "onnxruntime", "1.19.0"}, {"libtorch", "libtorch", "2.3.0"}, {"tensorflow", "tensorflow", "2.18.0"},
}

// imported are the copies of a component that the Python on PATH imports, where the
// recipe is about it.
func (e *evaluation) imported(component, of string) (list []facts.Instance) {
	if of != "" && !slices.Contains(e.touched(), of) && !slices.Contains(e.touched(), component) {
		return nil
	}
	for _, i := range e.facts.Components[component] {
		if len(i.Imports) > 0 {
			list = append(list, i)
		}
	}
	return list
}

// PythonImports are the copies of a component that the Python on PATH imports. pip says
// what it installed; what conda or a distribution did lies below that Python.
func PythonImports(f *facts.Facts, name string) (list []facts.Instance) {
	root := ""
	if python, ok := f.Active("python"); ok && python.Path != "" {
		root = folderOf(python.Path)
		if folder := strings.ToLower(path.Base(slashed(root))); folder == "bin" || folder == "scripts" {
			root = folderOf(root)
		}
	}
	for _, i := range f.Components[name] {
		rest, below := strings.CutPrefix(i.Path, root)
		below = below && root != "" && strings.HasPrefix(slashed(rest), "/")
		if i.Attrs["kind"] == "wheel" && (len(i.Imports) > 0 || below) {
			list = append(list, i)
		}
	}
	return list
}

func slashed(name string) string { return strings.ReplaceAll(name, `\`, "/") }

// pythonPackage judges the copy of a component that the Python on PATH imports.
func (e *evaluation) pythonPackage(name string, c *recipes.ComponentCheck, constraint recipes.Constraint) verdict {
	for _, i := range PythonImports(e.facts, name) {
		v := e.fits(i, c, constraint)
		v.found = join(label(name, i), v.found)
		v.where, v.version, v.path = i.Path, i.Version, i.Path
		return v
	}
	if p, failed := e.facts.Problem(name); failed {
		return unchecked(p, "")
	}
	v := verdict{state: Fail, found: lang.T("not installed"), cause: NotInstalled}
	for _, i := range e.facts.Components[name] {
		if i.Attrs["kind"] == "wheel" && v.where == "" {
			v.found, v.where = lang.F("%s is in %s, where the Python on PATH does not look", label(name, i), i.Path), i.Path
		}
	}
	return v
}

// pip is how a person starts pip for the Python on PATH.
func (e *evaluation) pip() string {
	if e.isWindows() {
		return "python -m pip"
	}
	return "python3 -m pip"
}

// pythonNumPy finds a Python package that was built for NumPy 1 in the folder of a
// NumPy 2.
func pythonNumPy(e *evaluation, _ subject) (map[string]string, bool) {
	list := e.imported("numpy", "")
	if slices.ContainsFunc(list, func(i facts.Instance) bool { return major(i.Version) != 2 }) {
		return nil, false // that one may come first
	}
	for _, numpy := range list {
		for _, p := range builtForNumPy2 {
			for _, i := range e.imported(p.component, p.of) {
				for _, text := range i.Imports {
					name, version, _ := strings.Cut(text, " ")
					if folderOf(i.Path) == folderOf(numpy.Path) && version != "" && newer(p.release, version) {
						return map[string]string{"package": name, "version": version, "numpy": numpy.Version, "folder": folderOf(i.Path), "release": p.release, "pip": e.pip(), "module": moduleName(name)}, true
					}
				}
			}
		}
	}
	return nil, false
}

// leastNumPy are the oldest releases of NumPy that opencv-python's packages accept, by
// Python's minor version: what they are built with (opencv-python, setup.py since 4.5.4,
// install_requires). On 64-bit ARM it is 1.19.3 at least.
var leastNumPy = []struct {
	python int
	numpy  string
}{{12, "1.26.0"}, {11, "1.23.5"}, {10, "1.21.2"}, {9, "1.19.3"}, {8, "1.17.3"}, {7, "1.17.0"}, {6, "1.13.3"}, {0, "1.11.1"}}

// pythonNumPyOld finds an opencv-python whose NumPy is older than that which it was built
// with.
func pythonNumPyOld(e *evaluation, _ subject) (map[string]string, bool) {
	python, ok := e.facts.Active("python")
	parts := strings.Split(python.Version, ".")
	if !ok || len(parts) < 2 {
		return nil, false
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return nil, false
	}
	if parts[0] == "2" {
		minor = 0
	}
	least := ""
	for _, l := range leastNumPy {
		if minor >= l.python {
			least = l.numpy
			break
		}
	}
	if e.facts.OS.Family == "linux" && e.facts.OS.Arch == "arm64" && minor >= 6 && newer("1.19.3", least) {
		least = "1.19.3"
	}
	list := e.imported("numpy", "")
	if slices.ContainsFunc(list, func(i facts.Instance) bool { return !newer(least, i.Version) }) {
		return nil, false // that one may come first
	}
	for _, numpy := range list {
		for _, i := range e.imported("opencv-python", "opencv") {
			if len(i.Imports) == 0 || newer("3.4", i.Version) || folderOf(i.Path) != folderOf(numpy.Path) {
				continue
			}
			name, version, _ := strings.Cut(i.Imports[0], " ")
			wanted := "numpy>=" + least
			switch {
			case e.facts.OS.Board == "jetson" && minor == 6:
				wanted = "numpy==1.19.4" // the next one stops there: numPyOnJetson
			case newer("4.10.0.84", version):
				wanted += ",<2"
			}
			return map[string]string{"package": name, "version": version, "numpy": numpy.Version, "least": least, "wanted": wanted, "python": python.Version, "folder": folderOf(i.Path), "pip": e.pip()}, true
		}
	}
	return nil, false
}

// moduleName is what a program imports of a package.
func moduleName(name string) string {
	if strings.HasPrefix(name, "opencv-") {
		return "cv2"
	}
	first, _, _ := strings.Cut(name, "-")
	return first
}

// pythonTwice finds packages that unpack over one another.
func pythonTwice(component, of string) relation {
	return func(e *evaluation, _ subject) (map[string]string, bool) {
		for _, i := range e.imported(component, of) {
			if i.Conflict == "" {
				continue
			}
			var names []string
			keep := ""
			for _, text := range i.Imports {
				name, _, _ := strings.Cut(text, " ")
				names = append(names, name)
				if keep == "" || strings.Contains(name, "contrib") || strings.HasSuffix(name, "-gpu") {
					keep = name
				}
			}
			if without := strings.TrimSuffix(keep, "-headless"); slices.Contains(names, without) {
				keep = without
			}
			vars := map[string]string{"packages": strings.Join(i.Imports, ", "), "folder": folderOf(i.Path), "names": strings.Join(names, " "), "keep": keep, "pip": e.pip()}
			return vars, len(names) > 1
		}
		return nil, false
	}
}

// windowLibraries are what OpenCV's windows need of a Linux system, by Debian's and
// Ubuntu's packages; the headless packages of opencv-python do without (its README and
// issue 370).
var windowLibraries = map[string]string{
	"libGL.so.1": "libgl1", "libgthread-2.0.so.0": "libglib2.0-0", "libglib-2.0.so.0": "libglib2.0-0", "libSM.so.6": "libsm6", "libICE.so.6": "libice6", "libX11.so.6": "libx11-6", "libXext.so.6": "libxext6", "libXrender.so.1": "libxrender1",
}

// pythonLibraries finds libraries that OpenCV's module for Python needs and that are
// not here.
func pythonLibraries(e *evaluation, _ subject) (map[string]string, bool) {
	for _, i := range e.imported("opencv-python", "opencv") {
		var names, packages []string
		headless := true
		for _, n := range i.Needs {
			if n.Cause != facts.NotFound || n.Elsewhere != "" {
				continue
			}
			names = append(names, n.Name)
			provider := windowLibraries[n.Name]
			headless = headless && provider != ""
			if provider == "" {
				provider = n.Package
			}
			if provider != "" && !slices.Contains(packages, provider) {
				packages = append(packages, provider)
			}
		}
		if len(names) == 0 {
			continue
		}
		name, _, _ := strings.Cut(i.Imports[0], " ")
		vars := map[string]string{"package": i.Imports[0], "module": path.Base(i.Attrs["lib"]), "libraries": strings.Join(names, ", "), "are": "is", "packages": strings.Join(packages, " "), "sudo": e.sudo(), "pip": e.pip(), "name": name}
		if len(names) > 1 {
			vars["are"] = "are"
		}
		if headless && !strings.HasSuffix(name, "-headless") {
			vars["headless"] = name + "-headless"
		}
		return vars, true
	}
	return nil, false
}

// numPyOnJetson finds the one NumPy whose OpenBLAS takes a Jetson's CPU for another
// (numpy/numpy issues 18131 and 18175).
func numPyOnJetson(e *evaluation, _ subject) (map[string]string, bool) {
	for _, i := range e.imported("numpy", "") {
		if i.Version == "1.19.5" && e.facts.OS.Board == "jetson" {
			return map[string]string{"folder": folderOf(i.Path)}, true
		}
	}
	return nil, false
}

// pythonArch finds a Python on Windows of another architecture than the module of OpenCV
// that it imports, and one for which opencv-python has no packages: those for Windows are
// win32 and win_amd64 (looked up on 2026-11-29; opencv/opencv-python issue 806).
func pythonArch(e *evaluation, _ subject) (map[string]string, bool) {
	python, ok := e.facts.Active("python")
	arch := python.Built.Arch
	names := map[string]string{"386": "32-bit x86", "amd64": "64-bit x86 (x64)", "arm64": "ARM64"}
	if !ok || names[arch] == "" || !slices.Contains(e.touched(), "opencv-python") {
		return nil, false
	}
	vars := map[string]string{"version": python.Version, "path": python.Path, "arch": names[arch], "pip": e.pip()}
	for _, i := range e.imported("opencv-python", "opencv") {
		if theirs := i.Built.Arch; theirs != "" {
			name, _, _ := strings.Cut(i.Imports[0], " ")
			vars["package"], vars["problem"] = name, lang.F("the %s in %s is for %s", i.Imports[0], folderOf(i.Path), names[theirs])
			return vars, theirs != arch
		}
	}
	if arch == "arm64" && len(e.facts.Components["opencv-python"]) == 0 {
		vars["arm"], vars["problem"] = "yes", lang.T("there are no packages of opencv-python for that")
		return vars, true
	}
	return nil, false
}
