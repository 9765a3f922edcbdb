package judge

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// gocvRelease compares the gocv in go.mod with the OpenCV that its build finds: by
// pkg-config what its C++ files compile against, on Windows the one release whose
// libraries its cgo.go names.
func gocvRelease(e *evaluation, s subject) (map[string]string, bool) {
	d := item[facts.Demand](s)
	opencv, ok := e.facts.Active("opencv")
	if !ok || opencv.Version == "" || d.Version == "" {
		return nil, false
	}
	given := map[string]string{"gocv": d.Version}
	accepts, _, err := e.tables.Choose("gocv-release", given, "opencv")
	if err != nil {
		return nil, false // a release that the table does not have
	}
	vars := map[string]string{"opencv": opencv.Version, "accepts": accepts}
	if e.isWindows() {
		named, _, err := e.tables.Choose("gocv-release", given, "windows")
		if err != nil || named == opencv.Version || d.OwnFlags {
			return nil, false
		}
		vars["accepts"], vars["release"] = named, e.gocvNaming(opencv.Version)
		vars["problem"] = lang.F("links OpenCV %s by its libraries' names (opencv_core%s)", named, strings.ReplaceAll(named, ".", ""))
		return vars, true
	}
	vars["problem"] = lang.F("does not compile without OpenCV %s", accepts)
	if holds, err := check(accepts, opencv.Version); err != nil || holds {
		return nil, false
	}
	if golang, ok := e.facts.Active("go"); ok {
		if release, _, err := e.tables.Choose("gocv-opencv", map[string]string{"opencv": opencv.Version, "go": golang.Version}, "gocv"); err == nil {
			vars["release"] = release
		}
	}
	return vars, true
}

// gocvPackage finds a package of gocv that the project imports and whose C++ files
// include headers of modules that the OpenCV here was built without.
func gocvPackage(e *evaluation, s subject) (map[string]string, bool) {
	d := item[facts.Demand](s)
	opencv, ok := e.facts.Active("opencv")
	if known, err := check(">= 0.31, < 0.44", d.Version); !ok || err != nil || !known {
		return nil, false
	}
	lacks := missingModules(opencv, d.Parts)
	if len(lacks) == 0 {
		return nil, false
	}
	vars := map[string]string{"package": d.Name, "lacks": strings.Join(lacks, ", "), "opencv": opencv.Version, "path": opencv.Path}
	if strings.HasPrefix(lacks[0], "cuda") {
		vars["cuda"] = "yes"
	}
	return vars, true
}

// gocvVendored compares the gocv in go.mod with the one in the folder vendor, which
// go build takes (Go Modules Reference, "Vendoring").
func gocvVendored(_ *evaluation, s subject) (map[string]string, bool) {
	d := item[facts.Demand](s)
	return nil, d.Vendored != "" && d.Version != "" && d.Vendored != d.Version
}

// goDirective finds a go line of three numbers, which Go before 1.21 refuses (Go
// Toolchains, "Go versions"). A line that is only newer is no reason for it to stop,
// and a newer Go fetches the one that is asked for.
func goDirective(e *evaluation, s subject) (map[string]string, bool) {
	d := item[facts.Demand](s)
	have, ok := e.facts.Active("go")
	if !ok || strings.Count(d.Version, ".") < 2 {
		return nil, false
	}
	old, err := check("< 1.21", have.Version)
	return map[string]string{"have": have.Version, "series": recipes.Series(have.Version)}, err == nil && old
}

// gocvNaming is the newest gocv that names the libraries of an OpenCV on Windows.
func (e *evaluation) gocvNaming(opencv string) string {
	table, err := e.tables.Table("gocv-release")
	if err != nil {
		return ""
	}
	for i := range table.Rows {
		if then := table.Rows[i].Then; then["windows"] == opencv {
			return then["release"]
		}
	}
	return ""
}

// projectCMake compares cmake_minimum_required with the CMake here. CMake 4 refuses
// projects that know the policies of no CMake from 3.5 on (CMake 4.0, Release
// Notes, "Deprecated and Removed Features").
func projectCMake(e *evaluation, s subject) (map[string]string, bool) {
	d := item[facts.Demand](s)
	list := e.facts.Components["cmake"]
	if _, failed := e.facts.Problem("cmake"); d.Component != "cmake" || failed || d.Version == "" {
		return nil, false
	}
	vars := map[string]string{"todo": lang.F("Install CMake %s or newer.", d.Version)}
	if len(list) == 0 {
		if len(e.facts.Components["visual-studio"]) > 0 {
			return nil, false // it may bring one of its own
		}
		vars["problem"] = lang.T("no CMake was found on this machine")
		return vars, true
	}
	have := list[0].Version
	vars["problem"] = lang.F("the CMake here is %s", have)
	if enough, err := check(">= "+d.Version, have); err != nil || !enough {
		return vars, err == nil
	}
	knows := cmp.Or(d.Policies, d.Version)
	if old, err := check("< 3.5", knows); err != nil || !old || major(have) < 4 {
		return nil, false
	}
	vars["problem"] += lang.T(", which refuses projects for CMake older than 3.5")
	vars["todo"] = lang.F("cmake -DCMAKE_POLICY_VERSION_MINIMUM=3.5 and your other options, or change line %d to cmake_minimum_required(VERSION %s...3.10)", d.Line, d.Version)
	return vars, true
}

// sameMajor are the components whose CMake packages serve only those who ask for
// their own major version (OpenCVConfig-version.cmake; ONNX Runtime's CMakeLists,
// COMPATIBILITY SameMajorVersion).
var sameMajor = []string{"opencv", "onnxruntime"}

// projectRecipes are the recipes that say how to install what a project asks for.
var projectRecipes = map[string]string{
	"opencv": "opencv-yolov3", "cuda": "opencv-cuda", "cudnn": "opencv-cuda", "libtorch": "libtorch", "onnxruntime": "onnxruntime", "ncnn": "ncnn", "darknet": "darknet",
}

// projectComponent finds a component that a build file asks for and that is not
// here, or of no version, without a module or under another name than it asks for.
func projectComponent(e *evaluation, s subject) (map[string]string, bool) {
	d := item[facts.Demand](s)
	_, failed := e.facts.Problem(d.Component)
	if d.By == "go.mod" || d.By == "go" || d.Component == "go" || d.Component == "cmake" || failed {
		return nil, false
	}
	vars := map[string]string{"display": recipes.Display(d.Component), "recipe": projectRecipes[d.Component]}
	list := e.facts.Components[d.Component]
	if len(list) == 0 {
		if f := e.done[d.Component]; d.Unsure || f != nil && f.State == Fail {
			return nil, false // nothing that is known, or said already
		}
		vars["problem"] = lang.T("was not found on this machine")
		return vars, true
	}
	constraint := ""
	if d.Version != "" {
		constraint = ">= " + d.Version
		if slices.Contains(sameMajor, d.Component) {
			constraint += fmt.Sprintf(", < %d", major(d.Version)+1)
		}
	}
	var lacks []string
	for _, i := range list {
		fits, err := check(constraint, i.Version)
		if err != nil {
			return nil, false // an unknown version may be the right one
		}
		if !fits {
			continue
		}
		if lacks = missingModules(i, d.Parts); len(lacks) == 0 {
			vars["problem"] = lang.T("pkg-config knows only as opencv4 here")
			return vars, d.PkgConfig == "opencv" && major(i.Version) >= 4
		}
	}
	vars["accepts"] = constraint
	vars["problem"] = lang.F("has version %s here", list[0].Version)
	if len(lacks) > 0 {
		vars["accepts"], vars["problem"] = lang.F("with %s", strings.Join(lacks, ", ")), lang.F("has no %s here", strings.Join(lacks, ", "))
	}
	return vars, true
}

// toolsetNames are the names of MSVC's toolsets by the first three digits of MSVC_VERSION,
// and what OpenCV's packages call them (CMake, MSVC_TOOLSET_VERSION).
var toolsetNames = map[string]struct{ toolset, runtime string }{
	"190": {"v140", "vc14"}, "191": {"v141", "vc15"}, "192": {"v142", "vc16"}, "193": {"v143", "vc17"}, "194": {"v143", "vc17"}, "195": {"v145", "vc18"},
}

// openCVCompiler finds an OpenCV of which CMake takes no library for the compiler here:
// its package file was written before that compiler, or has libraries for newer ones only.
// All of them since 2015 use one another's libraries (Microsoft, "C++ binary
// compatibility 2015-2026"), older ones not those that newer ones made.
func openCVCompiler(e *evaluation, s subject) (map[string]string, bool) {
	d := item[facts.Demand](s)
	msvc, ok := e.facts.Active("msvc")
	opencv, found := e.facts.Active("opencv")
	minor := minor14(msvc.Version)
	if d.Component != "opencv" || d.By != "cmake" || !ok || !found || !e.isWindows() || len(opencv.Built.ForMSVC) == 0 || len(opencv.Built.Runtimes) == 0 || msvc.Unusable != nil {
		return nil, false
	}
	own := fmt.Sprintf("19%d", minor/10)
	name := toolsetNames[own]
	if name.runtime == "" {
		return nil, false
	}
	// The newest of its folders that this compiler links.
	links := ""
	for _, runtime := range opencv.Built.Runtimes {
		if runtime <= name.runtime && runtime > links {
			links = runtime
		}
	}
	vars := map[string]string{"version": opencv.Version, "msvc": msvc.Version, "links": links, "toolset": name.toolset, "runtimes": strings.Join(opencv.Built.Runtimes, ", "), "arch": "x64"}
	for _, vs := range e.facts.Components["visual-studio"] {
		if vs.Active {
			vars["studio"] = cmp.Or(vs.Attrs["year"], vs.Version)
		}
	}
	if e.facts.OS.Arch == "arm64" {
		vars["arch"] = "ARM64"
	}
	vars["since"] = map[string]string{"195": "4.13", "194": "4.11", "193": "4.6"}[own]
	return vars, links == "" || !slices.Contains(opencv.Built.ForMSVC, own)
}

// demandNewer finds a library that is too new for the sources that ask for it.
func demandNewer(e *evaluation, s subject) (map[string]string, bool) {
	d := item[facts.Demand](s)
	have, ok := e.facts.Active(d.Component)
	if !ok || d.Below == "" {
		return nil, false
	}
	old, err := check("< "+d.Below, have.Version)
	return map[string]string{"display": recipes.Display(d.Component), "have": have.Version}, err == nil && !old
}

// nvccOffPath finds a Makefile that starts nvcc by its bare name where PATH has none and
// a toolkit with one is here.
func nvccOffPath(e *evaluation, s subject) (map[string]string, bool) {
	d := item[facts.Demand](s)
	if d.By != "makefile" || !slices.Contains(d.Parts, "nvcc") {
		return nil, false
	}
	folder := ""
	for _, i := range e.facts.Components["nvcc"] {
		if slices.Contains(i.Via, "PATH") {
			return nil, false
		}
		if at := strings.LastIndexByte(i.Path, '/'); at > 0 && folder == "" {
			folder = i.Path[:at]
		}
	}
	return map[string]string{"folder": folder}, folder != ""
}

// dnnSwitchedOff finds a build folder of OpenCV in which dnn goes without CUDA because
// cuDNN was not here when CMake ran first: OPENCV_DNN_CUDA is on by default where CUDA
// and cuDNN are found, and the answer is cached (OpenCV, modules/dnn/CMakeLists.txt
// and OCV_OPTION).
func dnnSwitchedOff(e *evaluation, s subject) (map[string]string, bool) {
	l := item[facts.Leftover](s)
	cudnn, ok := e.facts.Active("cudnn")
	_, found := e.facts.Active("cuda")
	return map[string]string{"cudnn": cudnn.Version}, l.Problem == facts.SwitchedOff && ok && found && cudnn.Unusable == nil && cudnn.HasPart("headers") && e.usesCUDA()
}

// projectRuntime finds a static library of another C runtime than the project here,
// where no other copy could be linked.
func projectRuntime(e *evaluation, s subject) (map[string]string, bool) {
	d, own := item[facts.Demand](s), e.facts.Project.Runtime
	list := e.facts.Components[d.Component]
	if own == "" || len(list) == 0 {
		return nil, false
	}
	for _, i := range list {
		if i.Built.Runtime != "mt" && i.Built.Runtime != "md" || i.Built.Runtime == own || i.HasPart("shared") || !i.HasPart("static") {
			return nil, false
		}
	}
	value := map[string]string{"mt": "MultiThreaded$<$<CONFIG:Debug>:Debug>", "md": "MultiThreaded$<$<CONFIG:Debug>:Debug>DLL"}
	theirs := list[0].Built.Runtime
	return map[string]string{"display": recipes.Display(d.Component), "path": list[0].Path, "theirs": strings.ToUpper(theirs), "ours": strings.ToUpper(own), "value": value[theirs]}, true
}

// missingModules are the modules that an OpenCV lacks whose modules are known.
func missingModules(i facts.Instance, asked []string) (out []string) {
	if !i.HasPart("core") || i.HasPart("world") {
		return nil
	}
	for _, module := range asked {
		if !i.HasPart(module) {
			out = append(out, module)
		}
	}
	return out
}

// projectGPUCode compares the GPUs that a build file names with what the CUDA here
// makes code for, and with the card.
func projectGPUCode(e *evaluation, s subject) (map[string]string, bool) {
	g := item[facts.GPUCode](s)
	cuda, ok := e.facts.Active("cuda")
	if !ok || cuda.Version == "" || len(g.Archs)+len(g.PTX) == 0 || g.By == "cmake-cache" && !slices.Contains(e.touched(), "cuda") {
		return nil, false
	}
	var refused []string
	sm, needs := BestGPU(e.facts), ""
	exists := func(sm string) bool {
		t, err := e.tables.Table("cuda-sm")
		return err != nil || newer(sm, t.Complete.Through["sm"]) || newer("2.0", sm) ||
			slices.ContainsFunc(t.Rows, func(r recipes.Row) bool { return r.When["sm"] == "= "+sm })
	}
	for _, arch := range slices.Concat(g.Archs, g.PTX) {
		var none *recipes.NoRowError
		_, _, err := e.tables.Choose("cuda-sm", map[string]string{"sm": arch, "cuda": cuda.Version}, "generation")
		_, _, known := e.tables.Choose("cuda-sm", map[string]string{"sm": arch, "cuda": ""}, "generation")
		if errors.As(err, &none) && (known == nil || !exists(arch)) && !slices.Contains(refused, arch) {
			refused = append(refused, arch)
			if arch == sm && len(none.Misses) == 1 && none.Misses[0].Column == "cuda" { // what the card here is
				needs, _, _ = strings.Cut(strings.TrimPrefix(none.Misses[0].Wanted, ">= "), ",")
			}
		}
	}
	vars := map[string]string{"gpu": "", "sm": sm, "arch": strings.ReplaceAll(sm, ".", "")}
	if len(refused) > 0 {
		vars["problem"] = lang.F("CUDA %s makes no code for compute capability %s", cuda.Version, strings.Join(refused, ", "))
		vars["refused"] = strings.Join(refused, ", ")
		if newer(needs, cuda.Version) {
			vars["needs"] = needs
		}
		return vars, true
	}
	gpus, known := e.nvidiaGPUs()
	if !known || slices.ContainsFunc(gpus, func(c facts.GPU) bool {
		return runsOn(facts.Built{CUDAArchs: g.Archs, PTX: g.PTX}, c.ComputeCapability)
	}) {
		return nil, false
	}
	if _, _, err := e.tables.Choose("cuda-sm", map[string]string{"sm": sm, "cuda": cuda.Version}, "generation"); err != nil {
		return nil, false // this CUDA makes none for the card: that is for other checks
	}
	vars["problem"] = lang.F("the %s here (compute capability %s) runs none of that", cmp.Or(gpus[0].Name, "GPU"), sm)
	return vars, true
}

// projectCXX finds a project that is compiled by an older C++ standard than the headers of
// the LibTorch here ask for.
func projectCXX(e *evaluation, _ subject) (map[string]string, bool) {
	p := e.facts.Project
	torch, ok := e.facts.Active("libtorch")
	if !ok || p.CXX == nil || !slices.Contains(e.touched(), "libtorch") || !slices.ContainsFunc(p.Demands, func(d facts.Demand) bool { return d.By == "cmake" && d.Component == "libtorch" }) {
		return nil, false
	}
	wanted, _, err := e.tables.Choose("libtorch", map[string]string{"libtorch": torch.Version}, "cxx")
	if err != nil || p.CXX.Standard != "98" && !newer(wanted, p.CXX.Standard) {
		return nil, false
	}
	return map[string]string{"file": p.CXX.File, "line": strconv.Itoa(p.CXX.Line), "text": p.CXX.Text, "version": torch.Version, "standard": p.CXX.Standard, "wanted": wanted}, true
}

// downloadRefused says what a file is in place of the one that was downloaded.
func downloadRefused(_ *evaluation, s subject) (map[string]string, bool) {
	what := map[facts.FileProblem]string{facts.EmptyFile: "empty", facts.WebPage: "a web page", facts.LFSPointer: "the text by which git LFS stands for a file"}[item[facts.Download](s).Problem]
	return map[string]string{"what": what}, what != ""
}

// withoutCuDNN finds a build of OpenPose whose Caffe goes without cuDNN, for a card that
// has not the memory which the default model then takes (OpenPose, doc/05_faq.md, Out of
// Memory Error).
func withoutCuDNN(e *evaluation, s subject) (map[string]string, bool) {
	const needed = 12 << 30
	if item[facts.Leftover](s).Problem != facts.WithoutCuDNN || !e.usesCUDA() {
		return nil, false
	}
	most := uint64(0)
	for _, g := range e.facts.GPUs {
		if g.Vendor == "nvidia" {
			most = max(most, g.Memory)
		}
	}
	return map[string]string{"memory": recipes.Bytes(most).Human()}, most > 0 && most <= needed
}

// unityPlugin: unless an OpenPose here was built for Unity, whose library the loader may
// find.
func unityPlugin(e *evaluation, _ subject) (map[string]string, bool) {
	return nil, !slices.ContainsFunc(e.facts.Components["openpose"], func(i facts.Instance) bool { return i.HasPart("unity") })
}

// openCVSources finds sources of OpenCV that do not build on this machine, whatever their
// build is given: what a release fixed is named with it.
func openCVSources(e *evaluation, _ subject) (map[string]string, bool) {
	version := e.facts.Project.Version
	if version == "" {
		return nil, false
	}
	// 3.4.11 and 4.4.0, 3.4.12 and 4.5.0, 3.4.13 and 4.5.1 came out together.
	before := func(of3, of4 string) bool {
		return newer(of4, version) && (!newer("4.0", version) || newer(of3, version))
	}
	option := lang.T("-DCUDA_ARCH_BIN with your GPU's compute capability")
	if sm := BestGPU(e.facts); sm != "" {
		option = "-DCUDA_ARCH_BIN=" + sm
	}
	clang, _ := e.facts.Active("clang")
	cuda, has := e.facts.Active("cuda")
	// OpenCV before 4.0 builds with the CUDA that it finds (WITH_CUDA is ON there).
	built := e.facts.Project.CUDA
	has = has && (slices.Contains(e.touched(), "cuda") || built == "on" || built == "" && newer("4.0", version))
	say := func(problem, release, option string) (map[string]string, bool) {
		return map[string]string{"version": version, "problem": problem, "release": release, "option": option}, true
	}
	switch {
	case e.facts.OS.Family == "darwin" && e.facts.OS.Arch == "arm64" && before("3.4.13", "4.5.1"):
		option := lang.T("-DBUILD_PNG=OFF with Homebrew's libpng (brew install libpng)")
		if before("3.4.12", "4.5.0") { // and the libjasper in them, as below
			option = lang.T("-DWITH_JASPER=OFF -DBUILD_PNG=OFF with Homebrew's libpng (brew install libpng)")
		}
		return say(lang.T("the libpng in them has no NEON code for Apple silicon, and png_init_filter_functions_neon is undefined"), "4.5.1", option)
	case e.facts.OS.Family == "darwin" && major(clang.Version) >= 12 && before("3.4.12", "4.5.0"):
		return say(lang.T("the libjasper in them declares functions implicitly, which Clang 12 and newer refuse"), "4.5.0", "-DWITH_JASPER=OFF")
	case has && major(cuda.Version) >= 11 && before("3.4.11", "4.4.0"):
		return say(lang.T("without CUDA_ARCH_BIN they make code for Kepler (compute_30), which CUDA 11 and newer refuse"), "4.4.0", option)
	case has && major(cuda.Version) >= 9 && newer("3.3.1", version):
		return say(lang.T("they look for libnppi, which CUDA 9 and newer have in parts, and CMake stops with CUDA_nppi_LIBRARY set to NOTFOUND"), "3.4", "")
	case has && recipes.Series(version) == "4.2" && BestGPU(e.facts) != "" && newer(dnn42, BestGPU(e.facts)):
		return say(lang.F("dnn with CUDA in them needs compute capability %s, and the GPU here has %s", dnn42, BestGPU(e.facts)), "4.3.0", "-DOPENCV_DNN_CUDA=OFF")
	case has && e.oldForCUDA(version) != "":
		cudnn, _ := e.facts.Active("cudnn")
		return say(lang.F("they do not compile with CUDA %s and cuDNN %d", recipes.Series(cuda.Version), major(cudnn.Version)), e.oldForCUDA(version), "")
	case has && major(cuda.Version) >= 9 && newer("3.4", version):
		return say(lang.T("without CUDA_ARCH_BIN they make code for Fermi (compute_20), which CUDA 9 and newer refuse"), "3.4", option)
	}
	return nil, false
}

// cpuCode finds instructions that a project is compiled for and this CPU does not have.
func cpuCode(e *evaluation, s subject) (map[string]string, bool) {
	code := item[facts.CPUCode](s)
	if len(e.facts.CPU.Features) == 0 {
		return nil, false
	}
	var lacks []string
	for _, feature := range code.Features {
		if !hasFeature(e.facts.CPU.Features, feature) && !slices.Contains(lacks, feature) {
			lacks = append(lacks, feature)
		}
	}
	return map[string]string{"lacks": strings.Join(lacks, ", "), "cpu": cmp.Or(e.facts.CPU.Model, lang.T("this CPU"))}, len(lacks) > 0
}

// failedFetch finds the first of the downloads that failed for one reason.
func failedFetch(e *evaluation, s subject) (map[string]string, bool) {
	f := item[facts.Download](s)
	list := slices.DeleteFunc(slices.Clone(e.facts.Project.Downloads), func(other facts.Download) bool { return other.Problem != f.Problem })
	cmake, _ := e.facts.Active("cmake")
	vars := map[string]string{"more": "", "cmake": cmp.Or(cmake.Path, "cmake"), "host": "", "sudo": e.sudo()}
	if n := len(list) - 1; n > 0 {
		vars["more"] = lang.F(" and %d more", n)
	}
	if u, err := url.Parse(f.URL); err == nil {
		vars["host"] = u.Hostname()
	}
	return vars, list[0] == f
}

// otherModules finds an opencv_contrib of another release than OpenCV's sources here:
// the two compile together when they have the same tag (opencv/opencv_contrib issues 966,
// 1608 and 2945).
func otherModules(e *evaluation, s subject) (map[string]string, bool) {
	l, own := item[facts.Leftover](s), e.facts.Project.Version
	return map[string]string{"own": own}, l.Problem == facts.OtherModules && own != "" && l.Detail != own
}

// pybindFor are the first releases of pybind11 that compile for a Python (pybind11's
// changelog). For older ones than 3.11 OpenPose's own does.
var pybindFor = []struct {
	python int
	pybind string
}{{13, "2.13"}, {12, "2.11"}, {11, "2.10"}}

// oldPybind finds a Python that is newer than the pybind11 in OpenPose's sources knows.
func oldPybind(e *evaluation, s subject) (map[string]string, bool) {
	l := item[facts.Leftover](s)
	if l.Problem != facts.OldPybind {
		return nil, false
	}
	series := ""
	for _, python := range e.facts.Components["python"] {
		if strings.EqualFold(slashed(python.Path), slashed(l.Value)) {
			series = recipes.Series(python.Version)
		}
	}
	// Python's installer names its folder for it, and so do distributions the program.
	if m := namedPython.FindStringSubmatch(slashed(l.Value)); series == "" && m != nil {
		series = "3." + m[1]
	}
	minor, found := strings.CutPrefix(series, "3.")
	n, err := strconv.Atoi(minor)
	if !found || err != nil {
		return nil, false
	}
	for _, p := range pybindFor {
		if n >= p.python {
			return map[string]string{"python": series, "least": p.pybind}, newer(p.pybind, l.Detail)
		}
	}
	return nil, false
}

var namedPython = lazyregexp.New(`(?i)/python3\.?([0-9]{1,2})(?:/python\.exe)?$`)

// openCVForCUDA finds, where a project looks for OpenCV with CMake, another CUDA than
// OpenCV was built with: its package file asks for exactly that one (OpenCV, cmake/
// templates/OpenCVConfig-CUDA.cmake.in).
func openCVForCUDA(e *evaluation, s subject) (map[string]string, bool) {
	d := item[facts.Demand](s)
	opencv, ok := e.facts.Active("opencv")
	cuda, found := e.facts.Active("cuda")
	if d.Component != "opencv" || d.By != "cmake" || !ok || !found || opencv.Built.CUDA == "" || cuda.Version == "" {
		return nil, false
	}
	want := recipes.Series(opencv.Built.CUDA)
	vars := map[string]string{"built": want, "have": recipes.Series(cuda.Version), "opencv": opencv.Version}
	for _, other := range e.facts.Components["cuda"] {
		if recipes.Series(other.Version) == want && other.HasPart("nvcc") {
			vars["other"] = rootOf(other.Path)
		}
	}
	return vars, want != "" && want != vars["have"]
}
