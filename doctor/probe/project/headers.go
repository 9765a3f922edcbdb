package project

import (
	"path"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

var (
	// inProject is a property of MSBuild in a folder's name.
	inProject = lazyregexp.New(`\$\(([A-Za-z_][A-Za-z0-9_]*)\)`)
	// otherSheets are lines by which a project takes folders from elsewhere: its own
	// property sheets, NuGet's packages, and the folders that Visual Studio keeps apart.
	otherSheets = lazyregexp.New(`(?i)<Import Project="[^"]*(?:packages\\|\.props")|<IncludePath>`)
	ownSheets   = lazyregexp.New(`(?i)<Import Project="\$\((?:VCTargetsPath|UserRootDir)\)[^"]*\.props"`)
	// nugetPackage is a NuGet package that a project of C# takes.
	nugetPackage = lazyregexp.New(`<PackageReference\s+Include="(OpenCvSharp4\.runtime\.win)"(?:\s+Version="([^"]*)")?`)
)

// noHeaders reports whether a project that takes OpenCV (its definitions or libraries say
// so) looks for headers in folders of which none has them. The settings that other files
// add are not known.
func (p *prober) noHeaders(s *facts.MSBuildSetting, file, text string) bool {
	sheets := len(otherSheets.FindAllStringSubmatch(text, -1)) > len(ownSheets.FindAllStringSubmatch(text, -1))
	if s.Kind != facts.Headers || sheets || p.h.Env("INCLUDE") != "" || p.h.Exists(p.ctx, p.h.Join(p.h.Env("LOCALAPPDATA"), "vcpkg", "vcpkg.user.targets")) {
		return false
	}
	var looked []string
	named := ""
	for _, folder := range s.Folders {
		unset := ""
		for _, m := range inProject.FindAllStringSubmatch(folder, -1) {
			value := p.h.Env(m[1])
			switch strings.ToLower(m[1]) {
			case "projectdir", "msbuildprojectdirectory":
				value = p.h.DirOf(file)
			case "solutiondir":
				value = p.h.Dir
			}
			if value == "" && unset == "" {
				unset = m[1]
			}
			if named == "" && strings.Contains(strings.ToLower(m[1]), "opencv") {
				named = m[1]
			}
			folder = strings.ReplaceAll(folder, m[0], value)
		}
		folder = strings.TrimRight(strings.TrimSpace(folder), `\`)
		switch {
		case folder == "" || strings.HasPrefix(folder, "%("):
			continue
		case unset != "":
			continue
		case !strings.Contains(folder, ":"):
			folder = strings.ReplaceAll(path.Clean(strings.ReplaceAll(p.h.DirOf(file)+`\`+folder, `\`, "/")), "/", `\`)
		}
		if p.h.Exists(p.ctx, p.h.Join(folder, "opencv2", "core", "version.hpp")) || p.h.Exists(p.ctx, p.h.Join(folder, "opencv2", "opencv.hpp")) {
			return false
		}
		if strings.Contains(strings.ToLower(folder), "opencv") {
			looked = append(looked, folder)
		}
	}
	s.Folders, s.Value = looked, named
	return len(looked) > 0 || named != ""
}

// nuget reads which NuGet packages with OpenCV's libraries a project of C# here takes.
func (p *prober) nuget() {
	for _, file := range p.h.Glob(p.ctx, p.h.Dir, "*.csproj") {
		n := 0
		for line := range strings.Lines(p.text(file)) {
			n++
			if m := nugetPackage.FindStringSubmatch(line); m != nil {
				p.isMSBuild()
				p.p.MSBuild = append(p.p.MSBuild, facts.MSBuildSetting{Kind: facts.Package, Value: strings.TrimSpace(m[1] + " " + m[2]), File: file, Line: n})
			}
		}
	}
}
