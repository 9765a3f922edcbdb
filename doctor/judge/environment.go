package judge

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// builds reports whether the recipe compiles something here.
func (e *evaluation) builds() bool {
	return slices.ContainsFunc(e.touched(), func(name string) bool {
		return slices.Contains([]string{"gcc", "g++", "clang", "clang++", "go", "cmake", "cuda"}, name)
	})
}

func (e *evaluation) tmpFolder() (facts.Folder, bool) {
	i := slices.IndexFunc(e.facts.Environment.Folders, func(f facts.Folder) bool { return f.Purpose == "tmp" })
	if i < 0 || !e.builds() {
		return facts.Folder{}, false
	}
	return e.facts.Environment.Folders[i], true
}

// tmpUnusable finds a folder for temporary files that nothing can be written to.
// Where the recipe asks for space there, that requirement says so.
func tmpUnusable(e *evaluation, _ subject) (map[string]string, bool) {
	f, ok := e.tmpFolder()
	what := map[facts.FolderProblem]string{
		facts.FolderMissing: "does not exist", facts.NotAFolder: "is not a folder", facts.ReadOnlyFolder: "is on a read-only file system", facts.FolderFull: "is on a full file system",
	}[f.Problem]
	asked := slices.ContainsFunc(e.recipe.Requirements, func(q recipes.Requirement) bool { return q.Disk != nil && q.Disk.For == "tmp" })
	if asked && (f.Problem == facts.ReadOnlyFolder || f.Problem == facts.FolderFull) {
		return nil, false
	}
	return map[string]string{"folder": f.Path, "what": what, "variable": f.Variable}, ok && what != ""
}

// tmpNoexec finds a folder for temporary files from which nothing can be run: go
// run, go test and CMake's try_run start programs there.
func tmpNoexec(e *evaluation, _ subject) (map[string]string, bool) {
	f, ok := e.tmpFolder()
	return map[string]string{"folder": f.Path}, ok && f.Problem == facts.NoExec
}

// goCache finds a go command without a folder for what it compiles.
func goCache(e *evaluation, _ subject) (map[string]string, bool) {
	i := slices.IndexFunc(e.facts.Environment.Folders, func(f facts.Folder) bool { return f.Purpose == "go-cache" })
	if i < 0 || !slices.Contains(e.touched(), "go") {
		return nil, false
	}
	f := e.facts.Environment.Folders[i]
	what := lang.F("%s is not set", f.Variable)
	switch f.Problem {
	case facts.ReadOnlyFolder:
		what = lang.F("%s=%s is on a read-only file system", f.Variable, f.Path)
	case facts.RelativeFolder:
		what = lang.F("%s=%s is not an absolute path", f.Variable, f.Path)
	case facts.NotAFolder:
		what = lang.F("%s=%s is a file, not a folder", f.Variable, f.Path)
	case facts.FolderDenied:
		return map[string]string{"what": lang.F("%s may not be opened by this user", f.Path), "variable": f.Variable, "denied": f.Path, "sudo": e.sudo()}, true
	case facts.FolderOfRoot:
		what = lang.T("HOME is /, to which only root can write")
	case facts.FolderUnset:
		if f.Path != "" {
			what = lang.F("%s=%s, which Go no longer supports", f.Variable, f.Path)
		}
	}
	return map[string]string{"what": what, "variable": f.Variable}, true
}

// variables finds a variable with one of the problems.
func variables(problems ...facts.VariableProblem) relation {
	return func(e *evaluation, _ subject) (map[string]string, bool) {
		for _, v := range e.facts.Environment.Variables {
			if slices.Contains(problems, v.Problem) {
				return map[string]string{"variable": v.Name, "value": v.Value, "detail": v.Detail}, true
			}
		}
		return nil, false
	}
}

// inGo is variables for a recipe that uses Go.
func inGo(problems ...facts.VariableProblem) relation {
	return touching("go", variables(problems...))
}

// touching is a relation for recipes that touch a component.
func touching(component string, find relation) relation {
	return func(e *evaluation, s subject) (map[string]string, bool) {
		if !slices.Contains(e.touched(), component) {
			return nil, false
		}
		return find(e, s)
	}
}

// goRootOther finds a GOROOT of another release than the go command: that command then
// starts the compiler and reads the library of the other.
func goRootOther(e *evaluation, s subject) (map[string]string, bool) {
	vars, ok := goSetting(facts.OfGoRoot)(e, s)
	golang, found := e.facts.Active("go")
	if !ok || !found || golang.Version == "" || vars["detail"] == golang.Version {
		return nil, false
	}
	vars["version"] = golang.Version
	return vars, true
}

// goSetting is variables for a recipe that builds a Go program with C++.
func goSetting(problems ...facts.VariableProblem) relation {
	return touching("opencv", inGo(problems...))
}

// cgoLibraryGone finds a library in cgo's flags that is not here. That there is no OpenCV
// at all is a finding of its own.
func cgoLibraryGone(e *evaluation, s subject) (map[string]string, bool) {
	vars, ok := goSetting(facts.LibraryGone)(e, s)
	_, opencv := e.facts.Active("opencv")
	return vars, ok && (opencv || !strings.HasPrefix(vars["value"], "-lopencv_"))
}

// goAway finds a setting that names a Go which has to be fetched when go starts: it may
// not fetch anything, or there may be no such release.
func goAway(e *evaluation, s subject) (map[string]string, bool) {
	vars, ok := inGo(facts.ToolchainAway)(e, s)
	if !ok {
		return nil, false
	}
	if _, off := variables(facts.DownloadsOff, facts.NotInCache)(e, s); off {
		vars["what"] = lang.T("GOPROXY=off keeps go from fetching it")
		return vars, true
	}
	through, asOf, newer := e.newerGo(strings.TrimPrefix(vars["value"], "go"))
	vars["unknown"], vars["what"] = "yes", lang.F("go fetches it if there is such a release; the newest known one (%s) is Go %s", asOf, through)
	return vars, newer
}

// goUnreleased finds a go line for a Go that is newer than those that are known, which go
// tries to fetch.
func goUnreleased(e *evaluation, s subject) (map[string]string, bool) {
	d := item[facts.Demand](s)
	have, ok := e.facts.Active("go")
	_, local := variables(facts.LocalToolchain)(e, s)
	if fetches, err := check(">= 1.21", have.Version); !ok || local || err != nil || !fetches || !newer(d.Version, have.Version) {
		return nil, false
	}
	through, asOf, unknown := e.newerGo(d.Version)
	return map[string]string{"unknown": "yes", "have": have.Version, "through": through, "as-of": asOf}, unknown
}

// newerGo reports whether a Go is newer than the releases that are known, and which is
// the newest of those, as of when.
func (e *evaluation) newerGo(version string) (through, asOf string, newer bool) {
	var beyond *recipes.NewerError
	_, _, err := e.tables.Choose("go-release", map[string]string{"go": version}, "released")
	if !errors.As(err, &beyond) {
		return "", "", false
	}
	return beyond.Through, beyond.AsOf, true
}

// cgoNoGCC finds a machine with clang alone, or with a gcc that does not compile: go build
// starts gcc unless CC names another (cmd/go/internal/cfg, DefaultCC on Linux). Of a g++
// without gcc nothing is said: packages bring both, and a recording may name one.
func cgoNoGCC(e *evaluation, _ subject) (map[string]string, bool) {
	if !slices.Contains(e.touched(), "go") || !slices.Contains(e.touched(), "opencv") {
		return nil, false
	}
	found, what, remedy := map[string]bool{}, lang.T("go build starts gcc, which is not on PATH"), ""
	for _, kind := range []string{"gcc", "clang", "g++", "clang++"} {
		for _, i := range e.facts.Components[kind] {
			found[kind] = found[kind] || i.Active && i.Unusable == nil
			found["CC"] = found["CC"] || slices.Contains(i.Via, "CC")
			if kind == "g++" && i.Active && i.Unusable != nil {
				return nil, false // both lack the same part, and g++ is a finding of its own
			}
			if kind == "gcc" && i.Active && i.Unusable != nil {
				what, remedy = lang.F("go build starts gcc, and %s", i.Unusable.Detail), i.Unusable.Remedy
			}
		}
	}
	if found["gcc"] || found["CC"] || remedy == "" && (found["g++"] || !found["clang++"]) || slices.ContainsFunc(e.facts.Environment.Variables, func(v facts.Variable) bool { return v.Name == "CC" }) {
		return nil, false
	}
	vars := map[string]string{"what": what, "remedy": remedy, "packages": "gcc"}
	if found["clang"] && found["clang++"] {
		vars["clang"] = "yes"
	}
	return vars, true
}

// goFlagSplit is goSetting for paths that a blank cuts in two, in every variable of cgo's
// flags.
func goFlagSplit(e *evaluation, s subject) (map[string]string, bool) {
	vars, ok := goSetting(facts.SplitByBlank)(e, s)
	if !ok {
		return nil, false
	}
	var names []string
	for _, v := range e.facts.Environment.Variables {
		if v.Problem == facts.SplitByBlank {
			names = append(names, v.Name)
		}
	}
	vars["variables"] = strings.Join(names, lang.T(" and "))
	return vars, true
}

// compilerGone finds a variable that names a compiler which is not here, where
// something is compiled with it.
func compilerGone(e *evaluation, _ subject) (map[string]string, bool) {
	for _, v := range e.facts.Environment.Variables {
		forCUDA := v.Name == "CUDAHOSTCXX" || v.Name == "CUDACXX" || strings.HasPrefix(v.Name, "NVCC_")
		// Visual Studio's generators and MSBuild do not read CC and CXX; Go does.
		reads := e.builds() && (!e.isWindows() || slices.Contains(e.touched(), "go"))
		if forCUDA {
			reads = slices.Contains(e.touched(), "cuda")
		}
		if v.Problem == facts.NoProgram && reads {
			return map[string]string{"variable": v.Name, "value": v.Value}, true
		}
	}
	return nil, false
}

// fromSnap finds the variables by which programs with windows load modules of a snap.
func fromSnap(e *evaluation, _ subject) (map[string]string, bool) {
	var names []string
	value := ""
	for _, v := range e.facts.Environment.Variables {
		if v.Problem == facts.FromSnap {
			names, value = append(names, v.Name), cmp.Or(value, v.Name+"="+v.Value)
		}
	}
	return map[string]string{"variables": strings.Join(names, " "), "value": value}, len(names) > 0
}

// localProxy finds, in a container or in WSL with a network of its own, a proxy on
// localhost: that is the container itself, not what it runs on.
func localProxy(e *evaluation, s subject) (map[string]string, bool) {
	if !slices.Contains([]string{"docker", "podman", "kubernetes", "wsl2"}, e.facts.OS.Container) {
		return nil, false
	}
	vars, ok := variables(facts.LocalProxy)(e, s)
	if ok {
		vars["where"] = lang.T("a container")
		if onWSL(e.facts) && e.facts.OS.Container == "wsl2" {
			vars["where"] = "WSL"
		}
	}
	return vars, ok
}

// hostCompiler finds a host compiler that nvcc refuses.
func hostCompiler(e *evaluation, s subject) (map[string]string, bool) {
	if !slices.Contains(e.touched(), "cuda") {
		return nil, false
	}
	return variables(facts.NotForNVCC)(e, s)
}

// preload finds a library that the loader is told to load into every program and
// cannot.
func preload(e *evaluation, _ subject) (map[string]string, bool) {
	list := e.facts.Environment.Preloads
	if len(list) == 0 {
		return nil, false
	}
	what := map[facts.Cause]string{facts.NotFound: "is not here", facts.OtherArch: "is for another architecture"}[list[0].Cause]
	return map[string]string{"library": list[0].Library, "from": list[0].From, "what": what}, what != ""
}

// preloadInGo is preload for a recipe that builds Go with pkg-config, whose output go
// reads together with the loader's message (cmd/go, getPkgConfigFlags).
func preloadInGo(e *evaluation, s subject) (map[string]string, bool) {
	if !slices.Contains(e.touched(), "go") || !slices.Contains(e.touched(), "pkg-config") {
		return nil, false
	}
	return preload(e, s)
}

// noCertificates finds a Linux without the certificates that https needs.
func noCertificates(e *evaluation, _ subject) (map[string]string, bool) {
	for _, v := range e.facts.Environment.Variables {
		if v.Name == "SSL_CERT_FILE" {
			return nil, false
		}
	}
	return map[string]string{"sudo": e.sudo()}, e.facts.Environment.NoCertificates
}

// dpkgInterrupted finds a dpkg that was ended while it worked.
func dpkgInterrupted(e *evaluation, _ subject) (map[string]string, bool) {
	return map[string]string{"sudo": e.sudo()}, e.facts.Environment.Interrupted
}

// localCertificates finds certificates, such as an intercepting proxy's, that were
// copied to their folder and never added to what tools trust.
func localCertificates(e *evaluation, _ subject) (map[string]string, bool) {
	list := e.facts.Environment.NotTrusted
	if len(list) == 0 {
		return nil, false
	}
	return map[string]string{"file": list[0], "sudo": e.sudo()}, true
}

// goTarget finds, on a Mac, a Go that builds for another architecture than that
// of the OpenCV here: one for Intel runs on an Apple chip under Rosetta and links
// nothing of Homebrew's (hybridgroup/gocv issue 914).
func goTarget(e *evaluation, s subject) (map[string]string, bool) {
	target, own := s.instance.Makes.Target, cmp.Or(e.facts.OS.Arch, e.facts.CPU.Arch)
	opencv, ok := e.facts.Active("opencv")
	foreign := slices.ContainsFunc(opencv.Needs, func(n facts.Need) bool { return n.Cause == facts.OtherArch })
	if target == "" || target == own || !ok || foreign || !slices.Contains(e.touched(), "opencv") {
		return nil, false
	}
	return map[string]string{"target": target, "own": own}, true
}

// gpuNotHere finds a variable that names, by number, a GPU that is not here: CUDA then
// sees none (CUDA C++ Programming Guide, "CUDA Environment Variables").
func gpuNotHere(e *evaluation, s subject) (map[string]string, bool) {
	vars, ok := variables(facts.ChoosesGPU)(e, s)
	count := 0
	for _, g := range e.facts.GPUs {
		if g.Vendor == "nvidia" {
			count++
		}
	}
	number, err := strconv.Atoi(vars["detail"])
	if !ok || !e.usesCUDA() || count == 0 || err != nil || number < count {
		return nil, false
	}
	vars["count"], vars["last"] = lang.F("%d NVIDIA GPUs", count), fmt.Sprint(count-1)
	if count == 1 {
		vars["count"] = lang.T("1 NVIDIA GPU")
	}
	return vars, true
}

// condaCompiler finds a compiler of conda that links against the old glibc of its
// sysroot, which the system's OpenCV is too new for: since 2.34, symbols that every
// program uses have another version (glibc 2.34 release notes; conda-forge,
// "Compilers and sysroot").
func condaCompiler(e *evaluation, s subject) (map[string]string, bool) {
	vars, ok := variables(facts.OfConda)(e, s)
	opencv, found := e.facts.Active("opencv")
	newEnough, err := check(">= 2.34", e.facts.OS.Libc.Version)
	if !ok || !found || err != nil || !newEnough || e.facts.OS.Libc.Kind != "glibc" || !slices.Contains(e.touched(), "go") || vars["detail"] != "" && strings.HasPrefix(opencv.Path, vars["detail"]) {
		return nil, false
	}
	vars["opencv"], vars["path"] = opencv.Version, opencv.Path
	return vars, true
}

// shellOnPath finds the sh.exe by which CMake before 3.17 refuses to make MinGW Makefiles
// (CMake 3.17 release notes).
func shellOnPath(e *evaluation, s subject) (map[string]string, bool) {
	vars, ok := variables(facts.ShellOnPath)(e, s)
	cmake, found := e.facts.Active("cmake")
	opencv, built := e.facts.Active("opencv")
	if !ok || !found || !newer("3.17", cmake.Version) || !slices.Contains(e.touched(), "mingw") || built && opencv.Built.Compiler == "mingw" {
		return nil, false
	}
	vars["version"], vars["folder"] = cmake.Version, folderOf(vars["value"])
	return vars, true
}

// noOpenGL finds a Jetson whose libGL.so leads nowhere, where OpenCV is to be built.
func noOpenGL(e *evaluation, _ subject) (map[string]string, bool) {
	file := e.facts.Environment.NoOpenGL
	return map[string]string{"file": file, "sudo": e.sudo()}, file != "" && e.buildsOpenCV()
}

// condaClang finds, on a Mac, a compiler of conda with an OpenCV that is not conda's.
// What conda's linker reads of Apple's SDK depends on its age.
func condaClang(e *evaluation, s subject) (map[string]string, bool) {
	vars, ok := variables(facts.OfConda)(e, s)
	opencv, found := e.facts.Active("opencv")
	if !ok || !found || !slices.Contains(e.touched(), "go") || vars["detail"] != "" && strings.HasPrefix(opencv.Path, vars["detail"]) {
		return nil, false
	}
	vars["opencv"], vars["path"] = opencv.Version, opencv.Path
	return vars, true
}

// condaPackages finds, where OpenCV is to be built, an environment of conda whose
// libraries CMake finds before the system's.
func condaPackages(e *evaluation, _ subject) (map[string]string, bool) {
	c := e.facts.Environment.CondaFirst
	if c == nil || !e.buildsOpenCV() {
		return nil, false
	}
	vars := map[string]string{"folder": c.Folder, "through": c.Through, "packages": strings.Join(c.Packages, ", "), "what": lang.T("and CMake finds its packages before the system's")}
	if c.Through == "PATH" {
		vars["what"] = lang.F("and CMake finds its %s before the system's", vars["packages"])
	}
	if c.Activated {
		vars["active"] = "yes"
	}
	return vars, true
}

// buildsOpenCV reports whether the recipe is to compile OpenCV here: it always does,
// or none of the copies here will do.
func (e *evaluation) buildsOpenCV() bool {
	_, found := e.facts.Active("opencv")
	return e.recipe.Name == "opencv-source" || slices.Contains([]string{"opencv-cuda", "opencv-tuned"}, e.recipe.Name) && !found
}

// clangVariable finds a variable that leads clang to the wrong headers or SDK.
func clangVariable(e *evaluation, s subject) (map[string]string, bool) {
	vars, ok := variables(facts.NoSDK, facts.SDKHeaders)(e, s)
	if !ok || !e.builds() {
		return nil, false
	}
	vars["what"] = lang.T("names an SDK that is not here")
	if vars["variable"] != "SDKROOT" {
		vars["what"] = lang.T("puts the SDK's C headers before those of C++")
	}
	return vars, true
}

// openCLOff finds a variable that turns OpenCL off in the OpenCV that is to use it.
func openCLOff(e *evaluation, s subject) (map[string]string, bool) {
	if !slices.Contains(e.touched(), "opencl") || !slices.Contains(e.touched(), "opencv") {
		return nil, false
	}
	return variables(facts.OpenCLOff)(e, s)
}

// gpusHidden finds a variable that hides every GPU from CUDA.
func gpusHidden(e *evaluation, s subject) (map[string]string, bool) {
	if !e.usesCUDA() {
		return nil, false
	}
	return variables(facts.HidesGPUs)(e, s)
}

// hostBlocked finds hosts that the recipe's builds and downloads need and that the
// hosts file sends nowhere.
func hostBlocked(e *evaluation, _ subject) (map[string]string, bool) {
	list := e.facts.Environment.Blocked
	if len(list) == 0 {
		return nil, false
	}
	var hosts []string
	for _, b := range list {
		if !slices.Contains(hosts, b.Host) {
			hosts = append(hosts, b.Host)
		}
	}
	lines := "line"
	if len(list) > 1 {
		lines = "lines"
	}
	return map[string]string{"file": list[0].File, "hosts": strings.Join(hosts, ", "), "address": list[0].Address, "lines": lines}, true
}

// tmpSmall finds, where OpenCV or OpenPose is compiled with CUDA, a folder for
// temporary files that a few jobs of nvcc fill: each keeps the intermediate files of
// every architecture there (temporal-segment-networks issue 50 has several GB). A build
// has as many jobs as the machine has cores.
func tmpSmall(e *evaluation, _ subject) (map[string]string, bool) {
	const ofJob = 256 << 20
	least := uint64(min(8, max(2, cmp.Or(e.facts.CPU.Cores, 8)))) * ofJob
	_, cuda := e.facts.Active("cuda")
	if _, bad := e.tmpFolder(); bad || !cuda || !e.buildsOpenCV() && !e.buildsOpenPose() {
		return nil, false
	}
	for _, d := range e.facts.Disks {
		if d.Purpose == "tmp" && d.Free < least {
			return map[string]string{"folder": d.Path, "free": recipes.Bytes(d.Free).Human(), "what": lang.F("compiling with CUDA can take %s there", recipes.Bytes(least).Human())}, true
		}
	}
	return nil, false
}

// buildKilled finds a program of a build that the kernel ended for want of memory, where
// something is to be built.
func buildKilled(e *evaluation, _ subject) (map[string]string, bool) {
	k := e.facts.Memory.Killed
	if k == nil || !e.buildsOpenCV() && !e.buildsOpenPose() && e.facts.Project.Folder == "" {
		return nil, false
	}
	return map[string]string{"program": k.Program, "file": k.File, "sudo": e.sudo(), "container": e.facts.OS.Container}, true
}

// buildsOpenPose reports whether the recipe is to compile OpenPose here.
func (e *evaluation) buildsOpenPose() bool {
	_, found := e.facts.Active("openpose")
	return slices.Contains(e.touched(), "openpose") && !found && e.recipe.Setting("portable") != "yes" && e.recipe.Setting("gpu") == "cuda"
}
