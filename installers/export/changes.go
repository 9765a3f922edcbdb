package export

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/solve"
	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Whole is the plan that "deployctl plan" prints, for a script that does all of
// it: what "doctor --fix" leaves to a person, such as a build with Visual Studio,
// is written as the commands a person would type.
type Whole struct {
	Solution *solve.Solution
	Findings []judge.Finding
	Facts    *facts.Facts
	Recipe   *recipes.Recipe
	Tables   *recipes.Tables
}

// world is what a machine has after the changes, as far as commands need it.
type world struct {
	*Whole
	// build are the arguments that the plan asks every later CMake build to have.
	build []string
}

// onWindows reports whether the plan is one for Windows.
func (w *Whole) onWindows() bool { return w != nil && w.Facts.OS.Family == "windows" }

// order lays the plan out as the solution has it: for each change the steps that
// carry it out, or its own commands, and before them the steps that belong to no
// change. What has no command is left, in words.
func (w *Whole) order(tasks []task) (all []task, left []installers.Manual) {
	used := make([]bool, len(tasks))
	at := world{Whole: w}
	at.build = at.buildArguments()
	var late []task
	done := map[string]bool{}
	for _, c := range w.Solution.Changes {
		found := false
		// The step of Visual Studio brings in that of 2022.
		other := c.Component == "visual-studio" && c.Action == solve.Install && majorOf(c.To) != 17
		for i := range tasks {
			if !slices.ContainsFunc(tasks[i].requirements, func(id string) bool { return slices.Contains(c.Covers, id) }) {
				continue
			}
			if other {
				used[i] = true
				continue
			}
			if found = true; !used[i] {
				used[i] = true
				late = append(late, tasks[i])
			}
		}
		if found || done[c.How+c.Component] {
			continue
		}
		done[c.How+c.Component] = true
		lines := at.commands(c)
		if len(lines) == 0 {
			left = append(left, installers.Manual{Requirement: c.Title(), Reason: lang.T("no command does this"), Do: c.How})
			continue
		}
		t := task{title: step.Clean(c.Title(), 200), windows: lines, change: true}
		if len(c.Covers) > 0 {
			t.purpose = step.Clean("For "+strings.Join(c.Covers, ", "), 500) + "."
		}
		late = append(late, t)
	}
	if !w.Solution.Feasible {
		for _, text := range w.Solution.Conflict {
			left = append(left, installers.Manual{Requirement: w.Recipe.Name, Reason: lang.T("it cannot be satisfied here"), Do: text})
		}
	}
	for i := range tasks {
		if !used[i] {
			all = append(all, tasks[i])
		}
	}
	return append(all, late...), left
}

// finding is what doctor says that a change covers, "" for one that only the
// others make necessary.
func (w world) finding(c solve.Change) *judge.Finding {
	for i := range w.Findings {
		if slices.Contains(c.Covers, w.Findings[i].ID) && w.Findings[i].Action != nil {
			return &w.Findings[i]
		}
	}
	return nil
}

// buildArguments gathers what findings say a build is configured with.
func (w world) buildArguments() (words []string) {
	for _, c := range w.Solution.Changes {
		if f := w.finding(c); f != nil {
			words = append(words, f.Action.Build...)
		}
	}
	return words
}

// commands are the lines of a change in PowerShell; nil where a person does it.
func (w world) commands(c solve.Change) []string {
	if f := w.finding(c); f != nil && c.Action != solve.Install && c.Action != solve.Upgrade && c.Action != solve.Downgrade {
		if lines := actionLines(f.Action, w.Facts); len(lines) > 0 {
			return lines
		}
		if f.Action.Install != "" {
			return w.install(solve.Change{Component: f.Action.Install, Action: solve.Install, To: w.again(f.Action.Install)})
		}
	}
	if c.Action == solve.Repair || c.Action == solve.Remove {
		return w.restart(c)
	}
	if c.Action == solve.Configure && c.Component == "cuda" {
		return w.integrate()
	}
	if c.Action == solve.Switch {
		return w.use(c)
	}
	return w.install(c)
}

// again is the version in which a component is installed anew: the one that is
// here, where it is known, else the newest that the tables know.
func (w world) again(component string) string {
	if component == "visual-studio" {
		return "17.14"
	}
	i, _ := w.Facts.Active(component)
	v, err := recipes.Version(i.Version)
	if component == "opencv" && (err != nil || v.Segments()[0] != 4) {
		table, err := w.Tables.Table("gocv-opencv")
		if err != nil {
			return ""
		}
		for _, known := range table.Known("opencv") {
			if majorOf(known) == 4 {
				return known
			}
		}
	}
	return i.Version
}

// install are the lines that bring a version of a component.
func (w world) install(c solve.Change) []string {
	switch c.Component {
	case "media-foundation":
		return w.media()
	case "visual-studio":
		return w.studio(c)
	case "msvc", "windows-sdk":
		return w.toolset(c)
	case "cuda":
		return w.cuda(c)
	case "cudnn":
		return w.cudnn(c)
	case "opencv":
		return w.opencv(c)
	case "libtorch":
		return w.libtorch(c)
	case "onnxruntime":
		return w.onnxruntime(c)
	}
	return w.packaged(c)
}

// restart are the lines of a finding that only waits for a new session.
func (w world) restart(c solve.Change) []string {
	for _, f := range w.Findings {
		if slices.Contains(c.Covers, f.ID) && f.State == judge.Pending && f.Action == nil && !strings.HasPrefix(f.ID, "visual-studio.") {
			return []string{"Update-Session"}
		}
	}
	return nil
}

// actionLines carry out an action of doctor's.
func actionLines(a *judge.Action, f *facts.Facts) (lines []string) {
	for _, e := range a.Env {
		switch {
		case e.Remove:
			lines = append(lines, powerShellCall("", "Remove-Entry", e.Name, e.Value))
		default:
			lines = append(lines, powerShellCall("", "Move-Entry", e.Name, e.Value, e.Before))
		}
	}
	for _, v := range a.Set {
		lines = append(lines, powerShellCall("", "Set-Everywhere", v.Name, v.Value))
	}
	for _, file := range a.Copy {
		lines = append(lines, powerShellCall("", "Copy-Named", file.Names, file.From, file.To))
	}
	if len(a.Packages) > 0 {
		p := recipes.Packages{Manager: a.Manager, Packages: a.Packages, Versions: a.Versions}
		lines = append(lines, managerLines(p, f)...)
	}
	if len(a.Build) > 0 {
		for _, name := range []string{"-G", "-A", "-T"} {
			if i := slices.Index(a.Build, name); i >= 0 && i+1 < len(a.Build) {
				variable := map[string]string{"-G": "CMAKE_GENERATOR", "-A": "CMAKE_GENERATOR_PLATFORM", "-T": "CMAKE_GENERATOR_TOOLSET"}[name]
				lines = append(lines, "$env:"+variable+" = "+powerShellWord(a.Build[i+1]))
			}
		}
		lines = append(lines, powerShellCall("", "Write-Host", "CMake builds in this session are configured with: "+strings.Join(a.Build, " ")))
	}
	return lines
}

// managerLines install packages by winget or Chocolatey, each in its version.
func managerLines(p recipes.Packages, f *facts.Facts) (lines []string) {
	m := installers.ManagerOf(p.Manager)
	if m == nil || len(f.Components[p.Manager]) == 0 {
		return nil
	}
	verb := "Invoke-Argv"
	if m.Admin {
		verb = "Invoke-AsRoot"
	}
	for _, name := range p.Packages {
		args := m.Install([]string{name})
		if v := p.Versions[name]; v != "" && m.At != nil {
			args = m.At(args, v)
		}
		lines = append(lines, powerShellCall("", verb, append([]string{m.Tool}, args...))+powerShellExits(m))
	}
	return append(lines, "Update-Session")
}

// media adds Media Foundation to an edition of Windows without it.
func (w world) media() []string {
	m := installers.ManagerOf("feature")
	name := "Media.MediaFeaturePack~~~~0.0.1.0"
	if w.Facts.OS.ID == "windows-server" || slices.Contains(w.Facts.OS.Like, "windows-server") {
		name = "ServerMediaFoundation"
	}
	return []string{powerShellCall("", "Invoke-AsRoot", append([]string{m.Path}, m.Install([]string{name})...)) + powerShellExits(m)}
}

// packages are those that bring a component on Windows.
func packages(component string) []recipes.Packages {
	names := map[string][2]string{
		"cmake": {"Kitware.CMake", "cmake"}, "git": {"Git.Git", "git"}, "go": {"GoLang.Go", "golang"}, "ninja": {"Ninja-build.Ninja", "ninja"},
		"vcredist": {"Microsoft.VCRedist.2015+.x64", "vcredist140"}, "mingw": {"BrechtSanders.WinLibs.POSIX.UCRT", "mingw"},
	}
	n, ok := names[component]
	if !ok {
		return nil
	}
	return []recipes.Packages{{Manager: "winget", Packages: []string{n[0]}}, {Manager: "choco", Packages: []string{n[1]}}}
}

// packaged installs a component that winget or Chocolatey has. What is there in a
// newer version is removed first: an installer does not go back by itself.
func (w world) packaged(c solve.Change) []string {
	want := ""
	if c.To != "" && c.Component == "cmake" {
		want = "~> " + recipes.Series(c.To) + ".0"
	}
	for _, p := range packages(c.Component) {
		if p = p.Pin(want); len(w.Facts.Components[p.Manager]) == 0 || want != "" && len(p.Versions) == 0 {
			continue
		}
		var lines []string
		if c.Action == solve.Downgrade {
			m := installers.ManagerOf(p.Manager)
			lines = append(lines, "try { "+powerShellCall("", "Invoke-Argv", append([]string{m.Tool}, m.Remove(p.Packages, false)...))+
				" } catch { Write-Warning ('it was not installed by "+p.Manager+"; remove it in Settings > Apps: ' + $_) }")
		}
		return append(lines, managerLines(p, w.Facts)...)
	}
	return vendorLines(c.Component, want)
}

// vendorLines run the maker's own installer, where there is neither winget nor
// Chocolatey (a Windows Server has none).
func vendorLines(component, want string) []string {
	pinned := func(id string) string { return recipes.Pinned("winget", id, want) }
	setup := func(address string, args ...string) []string {
		return []string{powerShellCall("", "Invoke-Setup", address, address[strings.LastIndexByte(address, '/')+1:], args), "Update-Session"}
	}
	switch component {
	case "cmake":
		if v := pinned("Kitware.CMake"); v != "" {
			return setup("https://github.com/Kitware/CMake/releases/download/v"+v+"/cmake-"+v+"-windows-x86_64.msi", "ADD_CMAKE_TO_PATH=System", "/quiet", "/norestart")
		}
	case "git":
		v := pinned("Git.Git")
		return setup("https://github.com/git-for-windows/git/releases/download/v"+v+".windows.1/Git-"+v+"-64-bit.exe", "/VERYSILENT", "/NORESTART")
	case "go":
		return setup("https://go.dev/dl/go"+pinned("GoLang.Go")+".windows-amd64.msi", "/quiet", "/norestart")
	case "python":
		v := pinned("Python.Python.3.12")
		return setup("https://www.python.org/ftp/python/"+v+"/python-"+v+"-amd64.exe", "/quiet", "InstallAllUsers=1", "PrependPath=1")
	case "vcredist":
		return setup("https://aka.ms/vs/17/release/vc_redist.x64.exe", "/install", "/quiet", "/norestart")
	case "mingw":
		// WinLibs' release 15.2.0posix-14.0.0-ucrt-r7, the one that winget has.
		gcc, rest, _ := strings.Cut(pinned("BrechtSanders.WinLibs.POSIX.UCRT"), "-")
		crt, revision, _ := strings.Cut(rest, "-")
		into := `C:\winlibs-` + gcc
		return []string{
			powerShellCall("", "Expand-Release", fmt.Sprintf("https://github.com/brechtsanders/winlibs_mingw/releases/download/%sposix-%s-ucrt-%s/winlibs-x86_64-posix-seh-gcc-%[1]s-mingw-w64ucrt-%[2]s-%[3]s.zip", gcc, crt, revision), into),
			powerShellCall("", "Move-Entry", "PATH", into+`\mingw64\bin`, ""),
		}
	}
	return nil
}

// after is the version of a component once the plan is done, "" for none.
func (w world) after(component string) string {
	for _, c := range w.Solution.Changes {
		if c.Component == component && c.To != "" && c.Action != solve.Repair {
			return c.To
		}
	}
	i, _ := w.Facts.Active(component)
	return i.Version
}

// cudaFolder is where the CUDA Toolkit will be.
func (w world) cudaFolder() string { return judge.CUDAHome(w.after("cuda"), w.Facts) }

// three gives a version all of its three numbers: 4.14 is 4.14.0.
func three(version string) string {
	for strings.Count(version, ".") < 2 {
		version += ".0"
	}
	return version
}

func majorOf(version string) int {
	n, err := strconv.Atoi(strings.SplitN(version, ".", 2)[0])
	if err != nil {
		return 0
	}
	return n
}

// meets reports whether a version is known to meet a constraint.
func meets(version, constraint string) bool {
	c, err := recipes.ParseConstraint(constraint)
	if err != nil {
		return false
	}
	ok, err := c.Check(version)
	return err == nil && ok
}

// studioOf are a Visual Studio's year, the address of its Build Tools, and the
// Windows SDK that its installer offers. Source: Microsoft's pages "Visual Studio
// Build Tools component directory" and "Use command-line parameters to install".
type studioOf struct{ year, address, sdk, generator, opencv string }

func studios(version string) (studioOf, bool) {
	s, ok := map[int]studioOf{
		18: {"2026", "https://aka.ms/vs/18/stable/vs_BuildTools.exe", "Windows11SDK.26100", "Visual Studio 18 2026", "vc18"},
		17: {"2022", "https://aka.ms/vs/17/release/vs_BuildTools.exe", "Windows11SDK.22621", "Visual Studio 17 2022", "vc17"},
		16: {"2019", "https://aka.ms/vs/16/release/vs_buildtools.exe", "Windows10SDK.19041", "Visual Studio 16 2019", "vc16"},
		15: {"2017", "https://aka.ms/vs/15/release/vs_buildtools.exe", "Windows10SDK.17763", "Visual Studio 15 2017", "vc15"},
	}[majorOf(version)]
	return s, ok
}

const components = "Microsoft.VisualStudio.Component."

// studio installs Visual Studio's Build Tools with the compiler and an SDK.
func (w world) studio(c solve.Change) []string {
	s, ok := studios(c.To)
	if !ok {
		return nil
	}
	add := []string{"--quiet", "--wait", "--norestart", "--add", components + "VC.Tools.x86.x64", "--add", components + s.sdk}
	id := "Microsoft.VisualStudio." + s.year + ".BuildTools"
	if v := recipes.Pinned("winget", id, ""); v != "" && len(w.Facts.Components["winget"]) > 0 {
		m := installers.ManagerOf("winget")
		args := append(m.At(m.Install([]string{id}), v), "--override", strings.Join(add, " "))
		return []string{powerShellCall("", "Invoke-Argv", append([]string{m.Tool}, args...)) + powerShellExits(m), "Update-Session"}
	}
	return []string{powerShellCall("", "Invoke-Setup", s.address, "vs_buildtools_"+s.year+".exe", add), "Update-Session"}
}

// toolset adds a compiler or an SDK to the Visual Studio that is there.
func (w world) toolset(c solve.Change) []string {
	vs, ok := w.Facts.Active("visual-studio")
	version := w.after("visual-studio")
	s, known := studios(version)
	if !known {
		return nil
	}
	path := `C:\Program Files (x86)\Microsoft Visual Studio\` + s.year + `\BuildTools`
	if ok && vs.Path != "" && majorOf(vs.Version) == majorOf(version) {
		path = strings.TrimRight(vs.Path, `\`)
	}
	id := s.sdk
	if c.Component == "msvc" {
		id = map[string]string{"14.39": "VC.14.39.17.9.x86.x64", "14.29": "VC.14.29.16.11.x86.x64", "14.16": "VC.v141.x86.x64"}[recipes.Series(c.To)]
		id = cmp.Or(id, "VC.Tools.x86.x64")
	}
	return []string{powerShellCall("", "Invoke-AsRoot", []string{`C:\Program Files (x86)\Microsoft Visual Studio\Installer\setup.exe`,
		"modify", "--installPath", path, "--add", components + id, "--quiet", "--norestart"})}
}

// cuda installs the toolkit in its version, by winget or Chocolatey where they
// have it, else by NVIDIA's own network installer.
func (w world) cuda(c solve.Change) []string {
	if p, ok := judge.CUDAPackage(c.To, w.Facts); ok {
		return managerLines(p, w.Facts)
	}
	// NVIDIA named its installers win10 up to 11.4, windows since.
	v, system := three(c.To), "windows"
	switch {
	case !meets(v, ">= 11.0"):
		return nil // their addresses follow no rule
	case meets(v, "< 11.5"):
		system = "win10"
	}
	name := "cuda_" + v + "_" + system + "_network.exe"
	return []string{powerShellCall("", "Invoke-Setup", "https://developer.download.nvidia.com/compute/cuda/"+v+"/network_installers/"+name, name, []string{"-s", "-n"}), "Update-Session"}
}

// integrate copies CUDA's build customizations into Visual Studio.
func (w world) integrate() []string {
	from, version := w.cudaFolder(), w.after("visual-studio")
	folder := map[int]string{16: "v160", 17: "v170", 18: "v180"}[majorOf(version)]
	for _, vs := range w.Facts.Components["visual-studio"] {
		if vs.Version != version || vs.Path == "" || from == "" {
			continue
		}
		to := vs.Attrs["build_customizations"]
		if to == "" && folder != "" {
			to = strings.TrimRight(vs.Path, `\`) + `\MSBuild\Microsoft\VC\` + folder + `\BuildCustomizations`
		}
		if to != "" {
			return []string{powerShellCall("", "Copy-Named", []string{"*"}, []string{from + `\extras\visual_studio_integration\MSBuildExtensions`}, to)}
		}
	}
	return nil
}

// use makes programs find another copy of CUDA that is installed.
func (w world) use(c solve.Change) []string {
	switch {
	case c.Component == "cuda" && c.Path != "":
		root := strings.TrimRight(c.Path, `\`)
		return []string{powerShellCall("", "Set-Everywhere", "CUDA_PATH", root), powerShellCall("", "Move-Entry", "PATH", root+`\bin`, "")}
	case c.Component == "visual-studio":
		for _, vs := range w.Facts.Components["visual-studio"] {
			if vs.Path == c.Path && vs.Attrs["generator"] != "" {
				return []string{"$env:CMAKE_GENERATOR = " + powerShellWord(vs.Attrs["generator"]), "$env:CMAKE_GENERATOR_PLATFORM = 'x64'"}
			}
		}
	case c.Component == "vcredist":
		c.Action = solve.Install
		return w.packaged(c)
	}
	return nil
}

// cudnn unpacks NVIDIA's cuDNN from its Python wheel, which has the headers, the
// import library and the DLLs, into CUDA's folder, where builds look for it.
func (w world) cudnn(c solve.Change) []string {
	into := w.cudaFolder()
	wheel, ok := cudnnWheel(c.To, majorOf(w.after("cuda")))
	if !ok || into == "" {
		return nil
	}
	lines := []string{}
	if len(w.Facts.Components["python"]) == 0 {
		p := recipes.Packages{Manager: "winget", Packages: []string{"Python.Python.3.12"}}.Pin("")
		if lines = managerLines(p, w.Facts); len(lines) == 0 {
			lines = vendorLines("python", "")
		}
	}
	return append(lines, powerShellCall("", "Install-CuDNN", wheel.requirement(), wheel.sum, into))
}

// libtorch unpacks the build of a release that is made for the CUDA here.
func (w world) libtorch(c solve.Change) []string {
	build := "cpu"
	if w.Recipe.Setting("gpu") == "cuda" {
		tag, _, err := w.Tables.Choose("libtorch-cuda", map[string]string{"libtorch": c.To, "cuda": w.after("cuda")}, "build")
		if err != nil || tag == "" {
			return nil
		}
		build = tag
	}
	v := three(c.To)
	into := `C:\libtorch-` + v + "-" + build
	address := fmt.Sprintf("https://download.pytorch.org/libtorch/%s/libtorch-win-shared-with-deps-%s%%2B%s.zip", build, v, build)
	return []string{powerShellCall("", "Expand-Release", address, into), powerShellCall("", "Set-Everywhere", "LIBTORCH", into+`\libtorch`), powerShellCall("", "Move-Entry", "PATH", into+`\libtorch\lib`, "")}
}

// onnxruntime unpacks a release; those for CUDA have had one name since 1.19.
func (w world) onnxruntime(c solve.Change) []string {
	v, kind := three(c.To), ""
	if w.Recipe.Setting("gpu") == "cuda" {
		if !meets(v, ">= 1.19") || majorOf(w.after("cuda")) != 12 {
			return nil
		}
		kind = "gpu-"
	}
	name := "onnxruntime-win-x64-" + kind + v
	into := `C:\` + name
	return []string{powerShellCall("", "Expand-Release", "https://github.com/microsoft/onnxruntime/releases/download/v"+v+"/"+name+".zip", into),
		powerShellCall("", "Move-Entry", "PATH", into+`\`+name+`\lib`, "")}
}
