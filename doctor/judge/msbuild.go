package judge

import (
	"cmp"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// toolsetOf is the name of the MSVC toolset of a compiler's version (14.38 is of v143).
func toolsetOf(version string) string {
	for name, releases := range map[string][2]int{"v140": {0, 9}, "v141": {10, 19}, "v142": {20, 29}, "v143": {30, 49}, "v145": {50, 59}} {
		if n := minor14(version); strings.HasPrefix(version, "14.") && n >= releases[0] && n <= releases[1] {
			return name
		}
	}
	return ""
}

// msbuildToolset finds a project that asks for an MSVC toolset which no Visual Studio
// here has (MSB8020).
func msbuildToolset(e *evaluation, s subject) (map[string]string, bool) {
	set := item[facts.MSBuildSetting](s)
	list := e.facts.Components["msvc"]
	if _, failed := e.facts.Problem("msvc"); set.Kind != facts.Toolset || len(list) == 0 || failed || !strings.HasPrefix(set.Value, "v1") {
		return nil, false
	}
	own := ""
	for _, i := range list {
		switch name := cmp.Or(i.Attrs["toolset"], toolsetOf(i.Version)); {
		case strings.HasPrefix(set.Value, cmp.Or(name, "?")): // v141_xp is a part of v141
			return nil, false
		case i.Active || own == "":
			own = name
		}
	}
	vars := map[string]string{"own": own}
	if slices.Contains([]string{"v140", "v141", "v142", "v143"}, set.Value) {
		vars["installable"] = "yes" // Visual Studio's installer has older toolsets back to v140
	}
	return vars, own != ""
}

// msbuildSDK finds a project that asks for a Windows SDK that is not here (MSB8036).
// 10.0 stands for the newest.
func msbuildSDK(e *evaluation, s subject) (map[string]string, bool) {
	set := item[facts.MSBuildSetting](s)
	list := e.facts.Components["windows-sdk"]
	if _, failed := e.facts.Problem("windows-sdk"); set.Kind != facts.WindowsSDK || set.Value == "10.0" || len(list) == 0 || failed {
		return nil, false
	}
	var here []string
	for _, i := range list {
		if i.Version == set.Value {
			return nil, false
		}
		here = append(here, i.Version)
	}
	return map[string]string{"here": strings.Join(here, ", ")}, true
}

// msbuildCUDA finds a project that imports the build customization of a CUDA which is
// not that of Visual Studio here (MSB4019).
func msbuildCUDA(e *evaluation, s subject) (map[string]string, bool) {
	set := item[facts.MSBuildSetting](s)
	if set.Kind != facts.Customization {
		return nil, false
	}
	integrated := func(series string) bool {
		return slices.ContainsFunc(e.facts.Components["visual-studio"], func(i facts.Instance) bool { return slices.Contains(i.Has, "cuda-"+series) })
	}
	if len(e.facts.Components["visual-studio"]) == 0 || integrated(set.Value) {
		return nil, false
	}
	cuda, ok := e.facts.Active("cuda")
	vars := map[string]string{"cuda": recipes.Series(cuda.Version)}
	if !ok {
		vars["cuda"] = ""
	}
	if ok && integrated(vars["cuda"]) {
		vars["instead"] = vars["cuda"]
	}
	return vars, true
}

var (
	openCVLibrary = lazyregexp.New(`^(opencv_[a-z0-9]+?)([0-9]{3,5})(d?)\.lib$`)
	torchLibrary  = lazyregexp.New(`^(torch|torch_cpu|torch_cuda|c10)\.lib$`)
)

// digits are what OpenCV's libraries have in their names.
func digits(version string) string {
	parts := strings.Split(version, ".")
	return strings.Join(parts[:min(len(parts), 3)], "")
}

// msbuildOpenCV finds a project that links the libraries of another OpenCV than those
// that are here (LNK1104).
func msbuildOpenCV(e *evaluation, s subject) (map[string]string, bool) {
	set := item[facts.MSBuildSetting](s)
	opencv, ok := e.facts.Active("opencv")
	if at := slices.IndexFunc(e.facts.Project.MSBuild, func(o facts.MSBuildSetting) bool { return o.File == set.File && o.Kind == facts.Libraries }); at >= 0 && e.facts.Project.MSBuild[at].Line != set.Line {
		return nil, false // the other configurations of a project follow it
	}
	if set.Kind != facts.Libraries || !ok || strings.Count(opencv.Version, ".") < 2 {
		return nil, false
	}
	for _, name := range set.Libraries {
		m := openCVLibrary.FindStringSubmatch(name)
		if m == nil || slices.ContainsFunc(e.facts.Components["opencv"], func(i facts.Instance) bool { return digits(i.Version) == m[2] }) {
			continue
		}
		vars := map[string]string{"library": name, "version": opencv.Version, "path": opencv.Path}
		if opencv.HasPart("world") == (m[1] == "opencv_world") {
			vars["instead"] = m[1] + digits(opencv.Version) + m[3] + ".lib"
		}
		return vars, true
	}
	return nil, false
}

// msbuildRuntime finds a configuration that links an OpenCV whose static libraries have the
// other C runtime (LNK2038): OpenCV's own choice for them is /MT, Visual Studio's for a
// project /MD.
func msbuildRuntime(e *evaluation, s subject) (map[string]string, bool) {
	set := item[facts.MSBuildSetting](s)
	list := e.facts.Components["opencv"]
	at := slices.IndexFunc(set.Libraries, func(name string) bool { return openCVLibrary.MatchString(name) })
	if set.Kind != facts.Libraries || set.Runtime == "" || len(list) == 0 || at < 0 {
		return nil, false
	}
	for _, i := range list {
		if i.Built.Runtime != "mt" && i.Built.Runtime != "md" || i.Built.Runtime == set.Runtime || i.HasPart("shared") || !i.HasPart("static") {
			return nil, false
		}
	}
	theirs := list[0].Built.Runtime
	value := map[string]string{"mt": "Multi-threaded (/MT)", "md": "Multi-threaded DLL (/MD)"}[theirs]
	if set.Debug {
		value = map[string]string{"mt": "Multi-threaded Debug (/MTd)", "md": "Multi-threaded Debug DLL (/MDd)"}[theirs]
	}
	return map[string]string{"library": set.Libraries[at], "path": list[0].Path, "theirs": strings.ToUpper(theirs), "ours": strings.ToUpper(set.Runtime), "option": value}, true
}

// msbuildHeaders finds a project that looks for OpenCV's headers where they are not
// (C1083).
func msbuildHeaders(e *evaluation, s subject) (map[string]string, bool) {
	set := item[facts.MSBuildSetting](s)
	vars := map[string]string{"variable": set.Value, "folders": strings.Join(set.Folders, ", ")}
	if set.Value != "" {
		vars["folders"] = strings.Join(append([]string{"$(" + set.Value + ")"}, set.Folders...), ", ")
	}
	for _, i := range e.facts.Components["opencv"] {
		if include := cmp.Or(i.Places.Include, strings.TrimRight(i.Path, `\`)+`\include`); i.HasPart("headers") && i.Built.Compiler != "mingw" && vars["include"] == "" {
			vars["include"], vars["parent"] = include, strings.TrimSuffix(include, `\include`)
		}
	}
	return vars, set.Kind == facts.Headers
}

// msbuildPlatform finds a project for 32 bits alone that links what is here for 64 bits:
// OpenCV's packages from 3.1 on and LibTorch are made for x64 only.
func msbuildPlatform(e *evaluation, s subject) (map[string]string, bool) {
	set := item[facts.MSBuildSetting](s)
	if set.Kind != facts.Only32Bit {
		return nil, false
	}
	for _, library := range set.Libraries {
		if torchLibrary.MatchString(library) {
			return map[string]string{"library": library, "path": "LibTorch"}, true
		}
		if !openCVLibrary.MatchString(library) {
			continue
		}
		for _, i := range e.facts.Components["opencv"] {
			for _, folder := range []string{i.Places.Bin, i.Places.Lib, i.Attrs["libdir"]} {
				if low := strings.ToLower(folder); strings.Contains(low, `\x86\`) || strings.Contains(low, "x86-windows") {
					return nil, false
				}
			}
		}
		if opencv, ok := e.facts.Active("opencv"); ok && opencv.Built.Arch != "386" {
			return map[string]string{"library": library, "path": opencv.Path}, true
		}
	}
	return nil, false
}

// msbuildPackage finds a C# project that is to compute with CUDA and takes OpenCvSharp's
// own build of OpenCV, which has none.
func msbuildPackage(e *evaluation, s subject) (map[string]string, bool) {
	return nil, item[facts.MSBuildSetting](s).Kind == facts.Package && e.usesCUDA()
}

// pythonMixed names the two folders of a property sheet that mixes Pythons.
func pythonMixed(_ *evaluation, s subject) (map[string]string, bool) {
	m := item[facts.MSBuildSetting](s)
	if len(m.Folders) != 2 || len(m.Libraries) != 1 {
		return nil, false // of another kind
	}
	return map[string]string{"headers": m.Folders[0], "place": m.Folders[1], "have": m.Libraries[0]}, true
}

// msbuildMixed finds a configuration that links OpenCV's libraries, or LibTorch's, of the
// other C++ runtime: a std::string of one is none of the other.
func msbuildMixed(e *evaluation, s subject) (map[string]string, bool) {
	set := item[facts.MSBuildSetting](s)
	if set.Kind != facts.Libraries || set.Configuration == "" {
		return nil, false
	}
	vars := map[string]string{"what": lang.T("release"), "other": "Release"}
	if !set.Debug {
		vars["what"], vars["other"] = lang.T("debug"), "Debug"
	}
	both := func(name string) bool { return slices.Contains(set.Libraries, name) }
	for _, name := range set.Libraries {
		m := openCVLibrary.FindStringSubmatch(name)
		if m == nil || (m[3] == "d") == set.Debug {
			continue
		}
		instead := m[1] + m[2] + map[bool]string{true: "d", false: ""}[set.Debug] + ".lib"
		vars["library"], vars["instead"] = name, instead
		if both(instead) {
			vars["twice"] = "yes"
		}
		return vars, true
	}
	torch, ok := e.facts.Active("libtorch")
	// The debug archive's libraries have the same names, in another folder.
	elsewhere := slices.ContainsFunc(set.Folders, func(dir string) bool {
		return strings.Contains(strings.ToLower(dir), "debug") || strings.Contains(dir, "$(")
	})
	if at := slices.IndexFunc(set.Libraries, torchLibrary.MatchString); at >= 0 && set.Debug && ok && !elsewhere && torch.Built.Runtime != "mdd" {
		vars["library"], vars["torch"] = set.Libraries[at], torch.Path
		return vars, true
	}
	return nil, false
}

// msbuildTorch finds a project that links LibTorch's CUDA library by name alone: nothing
// of the program refers to it, so that the linker leaves it out and CUDA is not there.
func msbuildTorch(e *evaluation, s subject) (map[string]string, bool) {
	set := item[facts.MSBuildSetting](s)
	return nil, set.Kind == facts.Libraries && e.usesCUDA() && slices.Contains(set.Libraries, "torch_cuda.lib") && !strings.Contains(set.Options, "warp_size") && !strings.Contains(set.Options, "torch_cuda")
}
