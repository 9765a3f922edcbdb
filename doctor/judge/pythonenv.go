package judge

import (
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// usesPython reports whether the recipe is about programs in Python.
func (e *evaluation) usesPython() bool {
	touched := e.touched()
	return slices.Contains(touched, "python") || slices.Contains(touched, "opencv-python") || slices.Contains(touched, "numpy")
}

// pythonHome finds a PYTHONHOME that is not the Python's that PATH finds first: that one
// then starts without its library, and every other does.
func pythonHome(e *evaluation, s subject) (map[string]string, bool) {
	vars, ok := variables(facts.PythonHome)(e, s)
	python, found := e.facts.Active("python")
	if !ok || !found || python.Version == "" {
		return nil, false
	}
	home := strings.TrimRight(vars["value"], `\/`)
	series := recipes.Series(python.Version)
	if strings.EqualFold(slashed(home), slashed(rootOf(python.Path))) || slices.Contains(strings.Fields(vars["detail"]), series) {
		return nil, false
	}
	vars["python"], vars["path"] = python.Version, python.Path
	return vars, e.usesPython()
}

// rootOf is the folder of a Python, less the one that its program is in.
func rootOf(program string) string {
	root := folderOf(program)
	if at := strings.LastIndexAny(root, `/\`); at > 0 && slices.Contains([]string{"bin", "scripts"}, strings.ToLower(root[at+1:])) {
		return root[:at]
	}
	return root
}

// pythonPath finds a folder in PYTHONPATH whose modules are for another Python than the
// one that PATH finds first.
func pythonPath(e *evaluation, s subject) (map[string]string, bool) {
	vars, ok := variables(facts.PythonPath)(e, s)
	python, found := e.facts.Active("python")
	if !ok || !found || python.Version == "" || recipes.Series(python.Version) == vars["detail"] {
		return nil, false
	}
	vars["python"] = recipes.Series(python.Version)
	return vars, e.usesPython()
}

// pipOld finds a pip that does not know the packages of opencv-python for Linux, where
// one is to be installed: they are manylinux2014 since 4.3, which pip 19.3 and newer
// know. Older ones take the sources, and stop (opencv/opencv-python issue 371).
func pipOld(e *evaluation, _ subject) (map[string]string, bool) {
	pip, ok := e.facts.Active("pip")
	if !ok || pip.Version == "" || !newer("19.3", pip.Version) || !e.usesPython() {
		return nil, false
	}
	installed := len(e.imported("opencv-python", "opencv")) > 0
	return map[string]string{"version": pip.Version, "path": pip.Path, "pip": e.pip()}, !installed
}

// pythonShadowed finds a module of OpenCV's own build with CUDA, for the Python that
// PATH finds first, behind a package of pip in a folder which that Python looks through
// before: the user's, or that of a virtual environment which sees the system's.
func pythonShadowed(e *evaluation, _ subject) (map[string]string, bool) {
	opencv, ok := e.facts.Active("opencv")
	if !ok || !e.usesCUDA() || !slices.Contains(opencv.Built.Backends, "cuda") && opencv.Attrs["build.cuda"] == "" {
		return nil, false
	}
	var own, package_ facts.Instance
	for _, i := range e.facts.Components["opencv-python"] {
		switch {
		case len(i.Imports) == 0:
		case i.Imports[0] == "cv2 ":
			own = i
		case strings.HasPrefix(i.Imports[0], "opencv-"):
			package_ = i
		}
	}
	if own.Path == "" || package_.Path == "" || !strings.HasPrefix(own.Path, "/usr/") || strings.HasPrefix(package_.Path, "/usr/") {
		return nil, false
	}
	name, _, _ := strings.Cut(package_.Imports[0], " ")
	return map[string]string{"package": package_.Imports[0], "folder": folderOf(package_.Path), "own": own.Path, "name": name, "pip": e.pip()}, true
}

// toolchainFile makes the relation for a CMAKE_TOOLCHAIN_FILE of the environment, where
// the recipe builds with a CMake that reads it and does not build for that system.
func toolchainFile(problem facts.VariableProblem) relation {
	return func(e *evaluation, s subject) (map[string]string, bool) {
		vars, ok := variables(problem)(e, s)
		cmake, found := e.facts.Active("cmake")
		touched := e.touched()
		cross := slices.Contains(touched, "android-ndk") || slices.Contains(touched, "ios-sdk")
		return vars, ok && found && cmake.Version != "" && !newer("3.21", cmake.Version) && slices.Contains(touched, "cmake") && !cross
	}
}

// goToolchain finds a go.mod that asks for a newer Go than the one here, which was told
// not to fetch it.
func goToolchain(e *evaluation, s subject) (map[string]string, bool) {
	d := item[facts.Demand](s)
	have, ok := e.facts.Active("go")
	vars, local := variables(facts.LocalToolchain)(e, s)
	if known, err := check(">= 1.21", have.Version); !ok || !local || err != nil || !known || d.Version == "" || !newer(d.Version, have.Version) {
		return nil, false
	}
	vars["have"], vars["series"] = have.Version, recipes.Series(d.Version)
	return vars, true
}
