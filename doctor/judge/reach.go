package judge

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// fitsHere is fits for what the recipe compiles with: MinGW cannot link C++
// libraries that MSVC compiled, whatever their version (cgo on Windows knows
// MinGW alone; the two name and lay out C++ differently).
func (e *evaluation) fitsHere(i facts.Instance, c *recipes.ComponentCheck, constraint recipes.Constraint) verdict {
	v := e.fits(i, c, constraint)
	if i.Built.Compiler == "msvc" && slices.Contains(e.touched(), "mingw") {
		v.state, v.cause, v.found = Fail, Lacking, lang.T("built with MSVC, which MinGW cannot link")
		if i.Built.Toolset != "" {
			v.found = lang.F("built with MSVC (%s), which MinGW cannot link", i.Built.Toolset)
		}
	}
	return v
}

// reach says how to make programs here find a copy that would do: other. active
// is the copy that they find now, nil when they find none. What works depends on
// the operating system and on the lookup by which the component is found.
func (e *evaluation) reach(name string, other facts.Instance, active *facts.Instance) (string, *Action) {
	if name == "onnxruntime" && other.Attrs["kind"] == "wheel" {
		return lang.T("Python programs can use it. For programs in other languages, unpack the archive of ONNX Runtime's release page for this system (for NVIDIA GPUs, the one with -gpu in its name), or run deployctl runtimes pull onnxruntime."), nil
	}
	var text string
	var do *Action
	switch e.facts.OS.Family {
	case "windows":
		text, do = e.reachOnWindows(name, other, active)
	case "darwin":
		text, do = e.reachOnMac(name, other, active)
	default:
		text, do = e.reachOnLinux(name, other, active)
	}
	if text != "" {
		return text, do
	}
	return lang.F("%s is in %s, but programs do not find it there. To see every copy and what finds it, run deployctl shadow %s.",
		label(name, other), cmp.Or(other.Path, lang.T("an unknown place")), name), nil
}

// Reach says how to make programs find a copy of a component that is on the
// machine: the fix that doctor gives for it.
func Reach(r *recipes.Recipe, f *facts.Facts, name string, other facts.Instance) string {
	e := &evaluation{recipe: r, facts: f}
	if e.inNewSession(name, other) {
		return newSession
	}
	var active *facts.Instance
	if i, ok := f.Active(name); ok {
		active = &i
	}
	text, _ := e.reach(name, other, active)
	return text
}

// InstallCommand is how a person installs packages.
func InstallCommand(p recipes.Packages, f *facts.Facts) string { return installCommand(p, f.OS.User) }

// notFound says that a copy is there and what does not lead to it.
func (e *evaluation) notFound(name string, i facts.Instance) string {
	if name == "onnxruntime" && i.Attrs["kind"] == "wheel" {
		return lang.F("%s is a Python package (in %s), which programs in other languages do not find", label(name, i), i.Path)
	}
	if dir := binOf(name, i); e.isWindows() && dir != "" && !ownLookup(name) {
		return lang.F("%s is installed, but %s is not on PATH", label(name, i), dir)
	}
	if name == "vcredist" && i.Attrs["arch"] != "" {
		return lang.F("%s for %s only", label(name, i), i.Attrs["arch"])
	}
	if i.Path == "" {
		return lang.F("%s is where programs do not look", label(name, i))
	}
	return lang.F("%s is in %s, where programs do not look", label(name, i), i.Path)
}

// ownLookup are the components that Windows programs find through the registry
// or Visual Studio, never through PATH.
func ownLookup(name string) bool {
	return slices.Contains([]string{"visual-studio", "msvc", "msbuild", "windows-sdk", "vcredist", "ucrt", "media-foundation", "nvidia-driver"}, name)
}

// inNewSession reports whether a session that is started now finds a copy that
// this one does not.
func (e *evaluation) inNewSession(name string, i facts.Instance) bool {
	dir := binOf(name, i)
	return dir != "" && slices.ContainsFunc(e.facts.OS.StalePath, func(d string) bool {
		return strings.EqualFold(strings.TrimRight(d, `\/`), strings.TrimRight(dir, `\/`))
	})
}

// isProgram reports whether a copy is a program or has some, on Unix, in a folder
// that is for PATH. Debian's folder of one LLVM is not: its programs are in
// /usr/bin under names of their own (clang++-15).
func isProgram(i facts.Instance) bool {
	return i.Places.Bin != "" || path.Base(path.Dir(i.Path)) == "bin" && !strings.HasPrefix(i.Path, "/usr/lib/llvm-")
}

// programs is the folder of a copy's programs on Unix.
func programs(name string, i facts.Instance) string {
	if name == "homebrew" { // its path is the prefix
		return cmp.Or(i.Places.Bin, path.Join(i.Path, "bin"))
	}
	return cmp.Or(i.Places.Bin, path.Dir(i.Path))
}

// binOf is the folder that has to be on PATH for a copy; "" when unknown.
func binOf(name string, i facts.Instance) string {
	switch {
	case i.Places.Bin != "":
		return i.Places.Bin
	case strings.Contains(i.Path, `\`):
		low := strings.ToLower(i.Path)
		if strings.HasSuffix(low, ".exe") || strings.HasSuffix(low, ".dll") || strings.HasSuffix(low, ".cmd") || strings.HasSuffix(low, ".bat") {
			return i.Path[:strings.LastIndexByte(i.Path, '\\')]
		}
		if name == "cuda" {
			return strings.TrimRight(i.Path, `\`) + `\bin`
		}
	case strings.HasPrefix(i.Path, "/") && slices.ContainsFunc(i.Via, func(via string) bool { return via == "PATH" }):
		return path.Dir(i.Path)
	}
	return ""
}

func (e *evaluation) reachOnWindows(name string, other facts.Instance, active *facts.Instance) (string, *Action) {
	switch name {
	case "vcredist":
		return lang.T("Install the current Visual C++ redistributable for x64: https://aka.ms/vs/17/release/vc_redist.x64.exe"), nil
	case "visual-studio":
		if series, _, _ := strings.Cut(other.Version, "."); generator(series) != "" {
			return lang.F("Use the one in %s: cmake -G %q.", other.Path, generator(series)), nil
		}
		return "", nil
	case "msvc":
		if v := strings.Split(other.Version, "."); len(v) > 1 {
			return lang.F("Use the toolset in %s: cmake -T version=%s.%s, or vcvarsall.bat x64 -vcvars_ver=%s.%s.", other.Path, v[0], v[1], v[0], v[1]), nil
		}
		return "", nil
	}
	if ownLookup(name) {
		return "", nil
	}
	if active != nil && slices.Equal(active.Via, []string{"cmake"}) && other.Places.CMake != "" {
		return lang.F("Set %s_DIR to %s.", cmakeName(name), other.Places.CMake), nil
	}
	dir := binOf(name, other)
	if dir == "" {
		return "", nil
	}
	do := &Action{Env: []EnvEdit{{Name: "PATH", Value: dir}}}
	text := ""
	if active != nil {
		before := binOf(name, *active)
		if inSystem32(before) && slices.Contains(active.Via, "dll") {
			return lang.F("Copy the DLLs of %s to the folder of your program: Windows searches System32 before PATH.", dir), nil
		}
		if before != "" && !strings.EqualFold(before, dir) {
			do.Env[0].Before = before
		} else {
			text, do = lang.F("Put %s first on PATH and open a new terminal.", dir), nil
		}
	}
	if do != nil {
		text = e.command(do)
	}
	if name == "cuda" {
		text, do = lang.F("%s, and set CUDA_PATH to %s.", strings.TrimRight(text, ".。"), strings.TrimRight(other.Path, `\`)), nil
	}
	return text, do
}

// generator is CMake's name of a Visual Studio (cmake-generators(7)).
func generator(major string) string {
	return map[string]string{
		"14": "Visual Studio 14 2015", "15": "Visual Studio 15 2017", "16": "Visual Studio 16 2019", "17": "Visual Studio 17 2022", "18": "Visual Studio 18 2026",
	}[major]
}

// cmakeName is the NAME of find_package(NAME), whose NAME_DIR CMake asks first.
func cmakeName(name string) string {
	return cmp.Or(map[string]string{
		"opencv": "OpenCV", "libtorch": "Torch", "openpose": "OpenPose", "caffe": "Caffe", "openvino": "OpenVINO", "darknet": "Darknet", "tbb": "TBB",
		"mkl": "MKL", "onednn": "dnnl", "openblas": "OpenBLAS",
	}[name], name)
}

func (e *evaluation) reachOnLinux(name string, other facts.Instance, active *facts.Instance) (string, *Action) {
	if strings.HasPrefix(other.Path, "/proc/") || strings.HasPrefix(other.Path, "/sys/") {
		return "", nil
	}
	by := func(via string) bool {
		return active == nil || len(active.Via) == 0 || slices.Contains(active.Via, via)
	}
	pc := cmp.Or(other.Places.PkgConfig, other.Attrs["pc"])
	if strings.HasSuffix(pc, ".pc") {
		pc = path.Dir(pc)
	}
	found := func(via ...string) bool {
		return slices.ContainsFunc(via, func(v string) bool { return slices.Contains(other.Via, v) })
	}
	do, cmake := &Action{}, ""
	lib := other.Places.Lib
	switch {
	case pc != "" && by("pkg-config") && !found("pkg-config"):
		do.Env = []EnvEdit{{Name: "PKG_CONFIG_PATH", Value: pc}}
	case other.Places.CMake != "" && by("cmake") && !found("cmake"):
		cmake = lang.F("Give CMake -D%s_DIR=%s", cmakeName(name), other.Places.CMake)
	case name == "cuda" && active == nil && lib == "" && strings.HasPrefix(other.Path, "/usr/local/cuda-"):
		do.Env = []EnvEdit{{Name: "PATH", Value: path.Join(other.Path, "bin")}}
		return e.command(do), do
	case lib == "" && !isProgram(other) && (active == nil || !slices.Contains(active.Via, "PATH")):
		return "", nil
	case lib == "" || active != nil && slices.Contains(active.Via, "PATH"):
		do.Env = []EnvEdit{{Name: "PATH", Value: programs(name, other)}}
		return e.command(do), do
	}
	if lib != "" && !found("ldconfig", "LD_LIBRARY_PATH") {
		switch {
		case active != nil && slices.Contains(active.Via, "LD_LIBRARY_PATH"):
			do.Env = append(do.Env, EnvEdit{Name: "LD_LIBRARY_PATH", Value: lib})
		case active != nil && !slices.Contains(active.Via, "ldconfig"):
		case active != nil:
			// The files of ld.so.conf.d are read in the order of their names.
			do.add(e.toLoader(lib, "00-"+name))
		default:
			do.add(e.toLoader(lib, name))
		}
	}
	text := e.command(do)
	switch { // a build's own setting is nothing that could be made lasting
	case cmake != "" && text != "":
		return cmake + lang.T("; then ") + text, nil
	case text == "":
		return cmake, nil
	}
	return text, do
}

func (e *evaluation) reachOnMac(name string, other facts.Instance, active *facts.Instance) (string, *Action) {
	pc := cmp.Or(other.Places.PkgConfig, other.Attrs["pc"])
	if strings.HasSuffix(pc, ".pc") {
		pc = path.Dir(pc)
	}
	do := &Action{}
	switch {
	case pc != "" && (active == nil || slices.Contains(active.Via, "pkg-config")):
		do.Env = []EnvEdit{{Name: "PKG_CONFIG_PATH", Value: pc}}
	case active != nil && slices.Contains(active.Via, "PATH"), active == nil && isProgram(other) && other.Places.Lib == "" && !strings.HasPrefix(other.Path, "/opt/homebrew/bin/"):
		do.Env = []EnvEdit{{Name: "PATH", Value: programs(name, other)}}
	case active == nil && strings.HasPrefix(other.Path, "/opt/homebrew/bin/"):
		return lang.T(`Put Homebrew's programs on PATH: eval "$(/opt/homebrew/bin/brew shellenv)"`), nil
	case other.Places.CMake != "":
		return lang.F("Give CMake -D%s_DIR=%s.", cmakeName(name), other.Places.CMake), nil
	case other.Places.Lib != "":
		return lang.F("Link with -L%s -Wl,-rpath,%s.", other.Places.Lib, other.Places.Lib), nil
	default:
		return "", nil
	}
	return e.command(do), do
}
