package judge

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// fitsHere is fits for what the recipe compiles with: MinGW cannot link C++
// libraries that MSVC compiled, whatever their version (cgo on Windows knows
// MinGW alone; the two name and lay out C++ differently).
func (e *evaluation) fitsHere(i facts.Instance, c *recipes.ComponentCheck, constraint recipes.Constraint) verdict {
	v := e.fits(i, c, constraint)
	if i.Built.Compiler == "msvc" && slices.Contains(e.touched(), "mingw") {
		v.state, v.cause, v.found = Fail, Lacking, "built with MSVC, which MinGW cannot link"
		if i.Built.Toolset != "" {
			v.found = "built with MSVC (" + i.Built.Toolset + "), which MinGW cannot link"
		}
	}
	return v
}

// reach says how to make programs here find a copy that would do: other. active
// is the copy that they find now, nil when they find none. What works depends on
// the operating system and on the lookup by which the component is found.
func (e *evaluation) reach(name string, other facts.Instance, active *facts.Instance) string {
	text := ""
	switch e.facts.OS.Family {
	case "windows":
		text = reachOnWindows(name, other, active)
	case "darwin":
		text = reachOnMac(name, other, active)
	default:
		text = e.reachOnLinux(name, other, active)
	}
	if text != "" {
		return text
	}
	return fmt.Sprintf("%s is in %s, but programs do not find it there. To see every copy and what finds it, run deployctl shadow %s.",
		label(name, other), cmp.Or(other.Path, "an unknown place"), name)
}

// notFound says that a copy is there and what does not lead to it.
func (e *evaluation) notFound(name string, i facts.Instance) string {
	if dir := binOf(name, i); e.isWindows() && dir != "" && !ownLookup(name) {
		return fmt.Sprintf("%s is installed, but %s is not on PATH", label(name, i), dir)
	}
	return label(name, i) + ", but no lookup finds it"
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

func reachOnWindows(name string, other facts.Instance, active *facts.Instance) string {
	switch name {
	case "visual-studio":
		if series, _, _ := strings.Cut(other.Version, "."); generator(series) != "" {
			return fmt.Sprintf("Use the one in %s: cmake -G %q.", other.Path, generator(series))
		}
		return ""
	case "msvc":
		if v := strings.Split(other.Version, "."); len(v) > 1 {
			return fmt.Sprintf("Use the toolset in %s: cmake -T version=%s.%s, or vcvarsall.bat x64 -vcvars_ver=%s.%s.", other.Path, v[0], v[1], v[0], v[1])
		}
		return ""
	}
	if ownLookup(name) {
		return ""
	}
	if active != nil && slices.Equal(active.Via, []string{"cmake"}) && other.Places.CMake != "" {
		return fmt.Sprintf("Set %s_DIR to %s.", cmakeName(name), other.Places.CMake)
	}
	dir := binOf(name, other)
	if dir == "" {
		return ""
	}
	text := "Add " + dir + " to PATH and open a new terminal."
	if active != nil {
		before := binOf(name, *active)
		if inSystem32(before) && slices.Contains(active.Via, "dll") {
			return fmt.Sprintf("Copy the DLLs of %s to the folder of your program: Windows searches System32 before PATH.", dir)
		}
		if before != "" && !strings.EqualFold(before, dir) {
			text = fmt.Sprintf("Put %s before %s on PATH and open a new terminal.", dir, before)
		} else {
			text = "Put " + dir + " first on PATH and open a new terminal."
		}
	}
	if name == "cuda" {
		text = strings.TrimSuffix(text, ".") + ", and set CUDA_PATH to " + strings.TrimRight(other.Path, `\`) + "."
	}
	return text
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

func (e *evaluation) reachOnLinux(name string, other facts.Instance, active *facts.Instance) string {
	if strings.HasPrefix(other.Path, "/proc/") || strings.HasPrefix(other.Path, "/sys/") {
		return ""
	}
	by := func(via string) bool {
		return active == nil || len(active.Via) == 0 || slices.Contains(active.Via, via)
	}
	var steps []string
	pc := cmp.Or(other.Places.PkgConfig, other.Attrs["pc"])
	if strings.HasSuffix(pc, ".pc") {
		pc = path.Dir(pc)
	}
	found := func(via ...string) bool {
		return slices.ContainsFunc(via, func(v string) bool { return slices.Contains(other.Via, v) })
	}
	lib := other.Places.Lib
	switch {
	case pc != "" && by("pkg-config") && !found("pkg-config"):
		steps = append(steps, "export PKG_CONFIG_PATH="+pc+"${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}")
	case other.Places.CMake != "" && by("cmake") && !found("cmake"):
		steps = append(steps, fmt.Sprintf("give CMake -D%s_DIR=%s", cmakeName(name), other.Places.CMake))
	case lib == "" && other.Places.Bin == "" && (active == nil || !slices.Contains(active.Via, "PATH")):
		return ""
	case lib == "" || active != nil && slices.Contains(active.Via, "PATH"):
		dir := cmp.Or(other.Places.Bin, path.Dir(other.Path))
		return "export PATH=" + dir + ":$PATH"
	}
	if lib != "" && !found("ldconfig", "LD_LIBRARY_PATH") {
		switch {
		case active != nil && slices.Contains(active.Via, "LD_LIBRARY_PATH"):
			steps = append(steps, "export LD_LIBRARY_PATH="+lib+":$LD_LIBRARY_PATH")
		case active != nil && !slices.Contains(active.Via, "ldconfig"):
		case e.facts.OS.Libc.Kind == "musl": // it has no ldconfig
			steps = append(steps, "export LD_LIBRARY_PATH="+lib+"${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}")
		case active != nil:
			// The files of ld.so.conf.d are read in the order of their names.
			steps = append(steps, register(lib, "00-"+name, e.sudo()))
		default:
			steps = append(steps, register(lib, name, e.sudo()))
		}
	}
	text := strings.Join(steps, "; then ")
	if strings.HasPrefix(text, "give ") {
		return "G" + text[1:]
	}
	return text
}

func reachOnMac(name string, other facts.Instance, active *facts.Instance) string {
	pc := cmp.Or(other.Places.PkgConfig, other.Attrs["pc"])
	if strings.HasSuffix(pc, ".pc") {
		pc = path.Dir(pc)
	}
	switch {
	case pc != "" && (active == nil || slices.Contains(active.Via, "pkg-config")):
		return "export PKG_CONFIG_PATH=" + pc + "${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
	case active != nil && slices.Contains(active.Via, "PATH"), active == nil && other.Places.Bin != "" && other.Places.Lib == "":
		return "export PATH=" + cmp.Or(other.Places.Bin, path.Dir(other.Path)) + ":$PATH"
	case other.Places.CMake != "":
		return fmt.Sprintf("Give CMake -D%s_DIR=%s.", cmakeName(name), other.Places.CMake)
	case other.Places.Lib != "":
		return fmt.Sprintf("Link with -L%s -Wl,-rpath,%s.", other.Places.Lib, other.Places.Lib)
	}
	return ""
}
