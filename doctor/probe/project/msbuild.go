package project

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

var (
	// inSolution is the path of a C++ project in a solution of Visual Studio.
	inSolution = lazyregexp.New(`(?m)^Project\("[^"]*"\) = "[^"]*", "([^"]+\.vcxproj)"`)
	// codeOf is a line that says which GPUs to make code for: in a project with NVIDIA's
	// build customization (CodeGeneration), and in Caffe's solution (CudaArchitecture).
	codeOf = lazyregexp.New(`<(?:CodeGeneration|CudaArchitecture)>([^<]+)</`)
	// settingOf is a setting on a line of its own, conditionOf the configuration and
	// platform that the group around it is for, cudaImport the build customization of a
	// CUDA that the project imports.
	settingOf     = lazyregexp.New(`<(PlatformToolset|WindowsTargetPlatformVersion|UseDebugLibraries|RuntimeLibrary|AdditionalDependencies|AdditionalLibraryDirectories|AdditionalIncludeDirectories|PreprocessorDefinitions|AdditionalOptions)>([^<]+)</`)
	conditionOf   = lazyregexp.New(`<(?:PropertyGroup|ItemDefinitionGroup)\b[^>]*Condition="'\$\(Configuration\)\|\$\(Platform\)'=='([^|']+)\|([^']+)'"`)
	otherPlatform = lazyregexp.New(`<ProjectConfiguration Include="[^"|]*\|(?:x64|ARM64|ARM64EC)"`)
	cudaImport    = lazyregexp.New(`<Import Project="[^"]*\\CUDA ([0-9]+\.[0-9]+)\.props"`)
)

// msbuild reads for which GPUs the projects of Visual Studio here make code: those of the
// folder, those of a solution in it, and the common settings of Caffe's.
func (p *prober) msbuild() {
	if !p.h.Windows() {
		return
	}
	const most = 16
	files := p.h.Glob(p.ctx, p.h.Dir, "*.vcxproj")
	for _, solution := range p.h.Glob(p.ctx, p.h.Dir, "*.sln") {
		for _, m := range inSolution.FindAllStringSubmatch(p.text(solution), -1) {
			if file := p.h.Join(p.h.Dir, m[1]); !strings.Contains(m[1], ":") && len(files) < most {
				files = append(files, file)
			}
		}
	}
	// The projects that come with AlexeyAB's Darknet.
	files = append(files, p.h.Join(p.h.Dir, "build", "darknet", "darknet.vcxproj"))
	if _, err := p.h.Stat(p.ctx, p.h.Join(p.h.Dir, "CMakeCache.txt")); err != nil { // CMake writes its projects anew
		p.settings(files)
	}
	p.nuget()
	files = append(files, p.h.Join(p.h.Dir, "windows", "CommonSettings.props"), p.h.Join(p.h.Dir, "CommonSettings.props"))
	seen := map[string]bool{}
	for _, file := range files[:min(len(files), most+2)] {
		if low := strings.ToLower(file); !seen[low] {
			seen[low] = true
			p.codeGeneration(file)
			p.pythonOf(file)
		}
	}
}

func (p *prober) codeGeneration(file string) {
	text := p.text(file)
	if strings.Contains(text, "<CpuOnlyBuild>true<") {
		return
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		m := codeOf.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		g := facts.GPUCode{By: "msbuild", File: file, Line: n, Text: strings.TrimSpace(line)}
		for pair := range strings.SplitSeq(m[1], ";") {
			_, code, _ := strings.Cut(strings.TrimSpace(pair), ",")
			kind, digits, _ := strings.Cut(strings.TrimSpace(code), "_")
			switch sm := capability(digits); {
			case sm == "":
			case kind == "sm":
				g.Archs = append(g.Archs, sm)
			case kind == "compute":
				g.PTX = append(g.PTX, sm)
			}
		}
		if len(g.Archs)+len(g.PTX) > 0 {
			p.isMSBuild()
			p.p.GPUCode = append(p.p.GPUCode, g)
		}
	}
}

var (
	sheetSetting  = lazyregexp.New(`<([A-Za-z]+)>([^<]*)</`)
	sheetMacro    = lazyregexp.New(`\$\(([A-Za-z]+)\)`)
	pythonAsked   = lazyregexp.New(`"(python[0-9]{2,3}\.lib)"`)
	pythonLibrary = lazyregexp.New(`(?i)^python[0-9]{2,3}\.lib$`)
)

// pythonOf finds a property sheet, as Caffe's, whose folders lead to the headers of one
// Python and the libraries of another: pyconfig.h names the library that the linker is to
// take (Python, PC/pyconfig.h).
func (p *prober) pythonOf(file string) {
	text := p.text(file)
	macros, line, n := map[string]string{}, 0, 0
	for row := range strings.Lines(text) {
		n++
		if m := sheetSetting.FindStringSubmatch(row); m != nil {
			macros[m[1]] = sheetMacro.Get().ReplaceAllStringFunc(m[2], func(use string) string { return macros[use[2:len(use)-1]] })
			if m[1] == "IncludePath" {
				line = n
			}
		}
	}
	if line == 0 || macros["PythonSupport"] == "false" {
		return
	}
	s := facts.MSBuildSetting{Kind: facts.PythonMixed, File: file, Line: line}
	folders := func(name string) []string { // $(PythonDir) may end with a backslash
		return strings.Split(strings.ReplaceAll(macros[name], `\\`, `\`), ";")
	}
	for _, dir := range folders("IncludePath") {
		if m := pythonAsked.FindStringSubmatch(p.text(dir, "pyconfig.h")); m != nil && dir != "" {
			s.Value, s.Folders = m[1], []string{dir}
			break
		}
	}
	for _, dir := range folders("LibraryPath") {
		list, err := p.h.ReadDir(p.ctx, dir)
		for _, e := range list {
			if strings.EqualFold(e.Name, s.Value) {
				return
			}
			if err == nil && pythonLibrary.MatchString(e.Name) && len(s.Folders) == 1 {
				s.Folders, s.Libraries = append(s.Folders, dir), []string{e.Name}
			}
		}
	}
	if len(s.Folders) == 2 {
		p.isMSBuild()
		p.p.MSBuild = append(p.p.MSBuild, s)
	}
}

func (p *prober) isMSBuild() {
	if !slices.Contains(p.p.Kinds, "msbuild") {
		p.p.Kinds = append(p.p.Kinds, "msbuild")
	}
}

// settings reads what the projects name that has to be on this machine, of each kind
// and value the first. Configurations for 32 bits are left out, as Visual Studio makes
// them by itself.
func (p *prober) settings(files []string) {
	seen := map[string]bool{}
	for _, file := range files {
		text := p.text(file)
		for _, s := range vcxproj(text) {
			s.File = file
			if s.Kind == facts.Headers && (seen[string(s.Kind)+file] || !p.noHeaders(&s, file, text)) {
				continue
			}
			seen[string(facts.Headers)+file] = seen[string(facts.Headers)+file] || s.Kind == facts.Headers
			key := string(s.Kind) + s.Value + s.Configuration
			if seen[key] || s.Kind == facts.WindowsSDK && p.kits(s.Value) {
				continue
			}
			seen[key] = true
			p.isMSBuild()
			p.p.MSBuild = append(p.p.MSBuild, s)
		}
	}
}

// kits reports whether the Windows SDK 8.1 or 8.0 is here, which is no component of
// Visual Studio.
func (p *prober) kits(version string) bool {
	if !strings.HasPrefix(version, "8.") {
		return false
	}
	info, err := p.h.Stat(p.ctx, p.h.Join(p.h.Env("ProgramFiles(x86)"), "Windows Kits", version, "Include"))
	return err == nil && info.Dir
}

// vcxproj reads a Visual Studio project, which has a setting a line.
func vcxproj(text string) (out []facts.MSBuildSetting) {
	if at := strings.Index(text, "|Win32\">"); at >= 0 && !otherPlatform.MatchString(text) {
		own := facts.MSBuildSetting{Kind: facts.Only32Bit, Value: "Win32", Line: strings.Count(text[:at], "\n") + 1}
		for _, m := range settingOf.FindAllStringSubmatch(text, -1) {
			if m[1] == "AdditionalDependencies" {
				own.Libraries = append(own.Libraries, importLibraries(m[2])...)
			}
		}
		return []facts.MSBuildSetting{own}
	}
	configuration, platform := "", ""
	debug, runtime := map[string]bool{}, map[string]string{}
	of, headers, opencv := map[string]*facts.MSBuildSetting{}, map[string]facts.MSBuildSetting{}, map[string]bool{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		if m := conditionOf.FindStringSubmatch(line); m != nil {
			configuration, platform = m[1], m[2]
		} else if strings.Contains(line, "</PropertyGroup>") || strings.Contains(line, "</ItemDefinitionGroup>") {
			configuration, platform = "", ""
		}
		if platform == "Win32" {
			continue
		}
		if m := cudaImport.FindStringSubmatch(line); m != nil {
			out = append(out, facts.MSBuildSetting{Kind: facts.Customization, Value: m[1], Line: n})
			continue
		}
		m := settingOf.FindStringSubmatch(line)
		if m == nil || strings.Contains(m[2], "$(") && !strings.HasSuffix(m[1], "Directories") {
			continue
		}
		if of[configuration] == nil {
			of[configuration] = &facts.MSBuildSetting{Kind: facts.Libraries, Configuration: configuration}
		}
		s := of[configuration]
		switch value := strings.TrimSpace(m[2]); m[1] {
		case "PlatformToolset":
			out = append(out, facts.MSBuildSetting{Kind: facts.Toolset, Value: value, Line: n})
		case "WindowsTargetPlatformVersion":
			out = append(out, facts.MSBuildSetting{Kind: facts.WindowsSDK, Value: value, Line: n})
		case "UseDebugLibraries":
			debug[configuration] = value == "true"
		case "RuntimeLibrary":
			debug[configuration] = strings.HasPrefix(value, "MultiThreadedDebug")
			if !strings.HasSuffix(value, "DLL") {
				runtime[configuration] = "mt"
			}
		case "AdditionalDependencies":
			s.Line, s.Value = n, value
			s.Libraries = append(s.Libraries, importLibraries(value)...)
		case "AdditionalIncludeDirectories":
			headers[configuration] = facts.MSBuildSetting{Kind: facts.Headers, Configuration: configuration, Line: n, Folders: strings.Split(value, ";")}
		case "PreprocessorDefinitions":
			opencv[configuration] = slices.Contains(strings.Split(value, ";"), "OPENCV") // Darknet's
		case "AdditionalLibraryDirectories":
			s.Folders = strings.Split(strings.ReplaceAll(value, ";%(AdditionalLibraryDirectories)", ""), ";")
		case "AdditionalOptions":
			s.Options = value
		}
	}
	for _, configuration := range slices.Sorted(maps.Keys(of)) {
		if h := headers[configuration]; len(h.Folders) > 0 && (opencv[configuration] || strings.Contains(of[configuration].Value, "opencv_")) {
			out = append(out, h)
		}
		if s := of[configuration]; len(s.Libraries) > 0 {
			s.Debug, s.Runtime = debug[configuration], cmp.Or(runtime[configuration], "md") // /MD is MSBuild's own
			out = append(out, *s)
		}
	}
	return out
}

// importLibraries are the names of the libraries in a list of what the linker takes.
func importLibraries(list string) (out []string) {
	for name := range strings.SplitSeq(list, ";") {
		if low := strings.ToLower(strings.TrimSpace(name)); strings.HasSuffix(low, ".lib") {
			out = append(out, low[strings.LastIndexAny(low, `\/`)+1:])
		}
	}
	return out
}
