package judge

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// integration says in the words of the vendors that CUDA's build customizations
// are missing in Visual Studio, and where they are copied to.
func (e *evaluation) integration(c *recipes.ComponentCheck, v *verdict) {
	vs, ok := e.facts.Active("visual-studio")
	cuda, okCUDA := e.facts.Active("cuda")
	if !okCUDA && c.Name == "visual-studio" && c.Attr["cuda_customizations"] != "" {
		*v = verdict{state: Skipped, wanted: v.wanted, after: "cuda", found: lang.T("not checked: waiting for a CUDA Toolkit that programs find")}
		return
	}
	if c.Name != "visual-studio" || c.Attr["cuda_customizations"] == "" || v.cause != Lacking || !ok || !okCUDA {
		return
	}
	if vs.Unusable != nil {
		*v = verdict{state: Skipped, wanted: v.wanted, after: "visual-studio.unusable", found: lang.T("not checked: waiting for a working Visual Studio (visual-studio.unusable)")}
		return
	}
	if len(e.facts.Components["msvc"]) == 0 && slices.Contains(e.touched(), "msvc") {
		*v = verdict{state: Skipped, wanted: v.wanted, found: lang.T("not checked: waiting for the C++ compiler of Visual Studio (msvc.present)")}
		return
	}
	series, line := recipes.Series(cuda.Version), major(vs.Version)
	v.found = lang.F("CUDA %s is not integrated into Visual Studio %s (its build customizations are missing)", series, cmp.Or(vs.Attrs["year"], vs.Version))
	to := vs.Attrs["build_customizations"]
	if folder := map[int]string{16: "v160", 17: "v170", 18: "v180"}[line]; to == "" && folder != "" && vs.Path != "" {
		to = strings.TrimRight(vs.Path, `\`) + `\MSBuild\Microsoft\VC\` + folder + `\BuildCustomizations`
	}
	for _, other := range e.facts.Components["visual-studio"] {
		a, err := recipes.ParseAttr("has " + series)
		if has, bad := a.Check(other.Attrs["cuda_customizations"], series); err == nil && bad == nil && has && !other.Active && other.Unusable == nil && other.Attrs["generator"] != "" {
			v.fix = lang.F("Use Visual Studio %s, where CUDA %s is integrated: cmake -G \"%s\" -A x64. ", cmp.Or(other.Attrs["year"], other.Version), series, other.Attrs["generator"])
			break
		}
	}
	again := lang.F("run the CUDA %s installer again and choose Custom > CUDA > Visual Studio Integration", series)
	if v.fix == "" && e.otherLine(cuda) {
		v.fix = lang.F("First add a toolset that CUDA %s supports (cuda.msvc). Then %s. The folder of the toolset that is here does not count.", series, again)
		return
	}
	if cuda.Path == "" || to == "" {
		v.fix += lang.Sentence(again)
		return
	}
	if v.fix != "" {
		v.fix += lang.T("Or: ")
	} else {
		v.do = &Action{Copy: []FileCopy{{Names: []string{"*"}, From: []string{strings.TrimRight(cuda.Path, `\`) + `\extras\visual_studio_integration\MSBuildExtensions`}, To: to}}}
	}
	v.fix += lang.F(`As administrator, copy every file of %s\extras\visual_studio_integration\MSBuildExtensions to %s. Or %s.`, strings.TrimRight(cuda.Path, `\`), to, again)
}

// componentOf is the one component that brings all of the DLLs, "" for none.
func componentOf(names []string) (component string) {
	for i, name := range names {
		d, ok, err := recipes.ProviderOf(name)
		if err != nil || !ok || i > 0 && d.Component != component {
			return ""
		}
		component = d.Component
	}
	return component
}

// openposeFromSource is what OpenPose needs on a GPU for which no release of it
// documents a CUDA: compute capability 8.9 and higher. Its CMake then downloads a
// Caffe for CUDA 11 all the same, so that Caffe has to be built, too. "" for
// other GPUs. Sources: OpenPose master at 5c5d9652, CMakeLists.txt (caffe_16_2020_11_14.zip
// below 3rdparty/windows), doc/installation/1_prerequisites.md and
// doc/08_release_notes.md (1.7.0: CUDA 11.X and cuDNN 8.X, and nothing newer since);
// OpenPose issue 1845 (that caffe.dll imports cudart64_110.dll and no cuDNN) and the
// comments on issue 1864; gineshidalgo99/caffeCompilerForWindowsAndCUDA at b3bb3d34,
// README.md (Visual Studio 2019, CUDA 11) and caffe/cmake/Cuda.cmake (architectures). The
// branch windows of BVLC/caffe at 509dae05 names CUDA 7.5 and 8.0 and cuDNN 5.
func (e *evaluation) openposeFromSource(component string) string {
	sm := BestGPU(e.facts)
	if e.recipe.Name != "openpose-windows" || e.recipe.Setting("portable") == "yes" {
		return ""
	}
	if ok, err := check(">= 8.9", sm); err != nil || !ok {
		return ""
	}
	for _, cuda := range []string{"11.8.0", "12.8.1", "13.0.0"} { // the first toolkit of each generation
		if _, _, err := e.tables.Choose("cuda-sm", map[string]string{"sm": sm, "cuda": cuda}, "generation"); err != nil {
			continue
		}
		if component == "cudnn" {
			if major(cuda) != 11 {
				return "" // the cuDNN that supports the GPU counts
			}
			e.advise("cudnn", "8.9.7")
			return lang.T("Install cuDNN 8.9.7 for CUDA 11 from https://developer.nvidia.com/cudnn-archive. cuDNN 8 is the newest that OpenPose's release notes name.")
		}
		e.advise("cuda", cuda)
		untried := lang.T(" Build it with cuDNN 8.9.7 for CUDA 11 (https://developer.nvidia.com/cudnn-archive): without cuDNN the default model takes more than 12 GB of GPU memory.")
		if major(cuda) != 11 {
			untried = lang.F(" Nobody documents this build with CUDA %s.", strconv.Itoa(major(cuda)))
		}
		return lang.F("OpenPose documents no CUDA for this GPU (compute capability %s), and the Caffe that it downloads is built for CUDA 11.1. Install CUDA Toolkit %s from https://developer.nvidia.com/cuda-toolkit-archive, build Caffe from source with it for this GPU, and put its include, include2, lib and bin folders into 3rdparty\\windows\\caffe before you build OpenPose. The sources and steps of OpenPose's own Caffe are at https://github.com/gineshidalgo99/caffeCompilerForWindowsAndCUDA. They are for Visual Studio 2019 and CUDA 11, and need this GPU's number (%s) added to Caffe_known_gpu_archs in caffe\\cmake\\Cuda.cmake.%s Without a Caffe of your own, use the processor: --set gpu=cpu.", sm, cuda, strings.ReplaceAll(sm, ".", ""), untried)
	}
	return ""
}

// openposeAdvice names the CUDA or cuDNN that this OpenPose documents for the
// Visual Studio here, 2019 where there is none that it documents; "" where it
// documents nothing that this GPU runs.
func (e *evaluation) openposeAdvice(component string) string {
	release, sm := e.recipe.Setting("release"), BestGPU(e.facts)
	if e.recipe.Name != "openpose-windows" || release == "" {
		return ""
	}
	if text := e.openposeFromSource(component); text != "" {
		return text
	}
	year, version := "2019", "16.11"
	vs, ok := e.facts.Active("visual-studio")
	if line := major(vs.Version); ok && vs.Unusable == nil && line >= 14 && line < 17 {
		year, version = map[int]string{14: "2015", 15: "2017", 16: "2019"}[line], vs.Version
	}
	pair := func(release, version string) (cuda, cudnn string, runs bool) {
		given := map[string]string{"openpose": release, "os": "windows", "visual-studio": version}
		cuda, _, errCUDA := e.tables.Choose("openpose", given, "cuda")
		cudnn, _, errCuDNN := e.tables.Choose("openpose", given, "cudnn")
		if errCUDA != nil || errCuDNN != nil {
			return "", "", false
		}
		_, _, err := e.tables.Choose("cuda-sm", map[string]string{"sm": sm, "cuda": cuda}, "generation")
		return cuda, cudnn, sm == "" || err == nil
	}
	cuda, cudnn, runs := pair(release, version)
	if !runs {
		old := cuda
		if cuda, _, runs = pair("master", "16.11"); !runs || old == "" {
			return ""
		}
		return lang.F("OpenPose %s documents CUDA %s for Visual Studio %s, which has no code for this GPU (compute capability %s). Use OpenPose's master branch (--set release=master) with Visual Studio 2019 and CUDA Toolkit %s.", release, old, year, sm, cuda)
	}
	documented := lang.F("what OpenPose %s documents for Visual Studio %s", release, year)
	if component == "cudnn" {
		e.advise("cudnn", cudnn)
		return lang.F("Install cuDNN %s for CUDA %s from NVIDIA's cuDNN archive: it is %s.", cudnn, recipes.Series(cuda), documented)
	}
	e.advise("cuda", cuda)
	first := ""
	if !ok {
		first = lang.F("First install Visual Studio %s. ", year)
	}
	return lang.F("%sInstall CUDA Toolkit %s from NVIDIA's CUDA archive: it is %s.", first, cuda, documented)
}

// dllNotOnPath finds a cuDNN whose DLLs lie where Windows does not look.
func dllNotOnPath(e *evaluation, s subject) (map[string]string, bool) {
	if !e.isWindows() || !e.usesCUDA() {
		return nil, false
	}
	cuda, ok := e.facts.Active("cuda")
	if !ok {
		return nil, false // CUDA comes first, whose folder may well be the same
	}
	var best string
	for _, i := range e.facts.Components[s.name] {
		if slices.Contains(i.Via, "dll") {
			return nil, false
		}
		at := strings.LastIndexByte(i.Path, '\\')
		if at < 0 || !strings.HasSuffix(strings.ToLower(i.Path), ".dll") {
			continue
		}
		dir := i.Path[:at]
		folder := strings.TrimSuffix(dir, `\x64`)
		folder = folder[strings.LastIndexByte(folder, '\\')+1:]
		if best == "" || cuda.Version != "" && major(folder) == major(cuda.Version) {
			best = dir
		}
	}
	if best == "" {
		return nil, false
	}
	vars := map[string]string{"dir": best}
	if slices.ContainsFunc(e.facts.OS.StalePath, func(d string) bool { return strings.EqualFold(strings.TrimRight(d, `\`), best) }) {
		vars["pending"] = "yes"
	}
	return vars, true
}

// cudnnOffPath reports whether the check on cuDNN's folder names the cause.
func (e *evaluation) cudnnOffPath() bool {
	_, ok := dllNotOnPath(e, subject{e: e, name: "cudnn"})
	return ok && slices.Contains(e.touched(), "cudnn")
}

// cudnnLayout makes the relation for a cuDNN that an OpenCV is still to be built with and
// whose import library lies where FindCUDNN does not look: in folders by CUDA version
// (include\12.6, lib\12.6\x64), or, own, in a folder of its own. CMake's default search,
// which goes by PATH too, knows no lib\x64.
func cudnnLayout(own bool) relation {
	return func(e *evaluation, s subject) (map[string]string, bool) {
		lib, include := s.instance.Places.Lib, s.instance.Places.Include
		parts := strings.Split(strings.ToLower(lib), `\lib\`)
		if len(parts) != 2 || !e.isWindows() || !slices.Contains(e.touched(), "opencv") {
			return nil, false
		}
		if cuda, ok := e.facts.Active("cuda"); ok && major(parts[1]) > 0 && major(parts[1]) != major(cuda.Version) {
			return nil, false // it is for another CUDA
		}
		if own != (parts[1] == "x64") || own && (include == "" || e.ofToolkit(parts[0])) || !own && !strings.HasSuffix(parts[1], `\x64`) {
			return nil, false
		}
		if opencv, ok := e.facts.Active("opencv"); ok && (opencv.Built.CuDNN != "" || opencv.Built.CUDA != "") {
			return nil, false
		}
		if strings.EqualFold(slashed(e.facts.Project.CuDNN), slashed(lib+`\cudnn.lib`)) {
			return nil, false // the build folder has it already
		}
		return map[string]string{"lib": lib, "include": include}, true
	}
}

// ofToolkit reports whether a folder is the one of a CUDA toolkit, or a toolkit has a
// cuDNN of its own; true where no folder of a toolkit is known.
func (e *evaluation) ofToolkit(root string) bool {
	known := false
	for _, cuda := range e.facts.Components["cuda"] {
		toolkit := strings.ToLower(strings.TrimRight(cuda.Path, `\`))
		if toolkit == "" {
			continue
		}
		known = true
		if toolkit == root || slices.ContainsFunc(e.facts.Components["cudnn"], func(i facts.Instance) bool {
			return strings.HasPrefix(strings.ToLower(i.Places.Lib), toolkit+`\`)
		}) {
			return true
		}
	}
	return !known
}

// systemCopy makes the relation for Windows' own copy of a library (onnxruntime.dll
// of Windows ML) that is found before the one that was installed. No order on PATH
// helps: System32 is searched first. own: deployctl installed the other one, and loads
// it by its path.
func systemCopy(which string) relation {
	return func(e *evaluation, s subject) (map[string]string, bool) {
		vars, ok := behindSystem(e, s)
		kind := ""
		switch {
		case s.name == "onnxruntime" && ok && s.instance.HasPart("cuda"): // Windows' own has no provider for CUDA
			kind = "copied"
		case strings.Contains(strings.ToLower(vars["dir"]), `\deployctl\`):
			kind = "own"
		}
		return vars, ok && which == kind
	}
}

func behindSystem(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	if !e.isWindows() || !i.Active || !inSystem32(binOf(s.name, *i)) {
		return nil, false
	}
	for _, other := range e.facts.Components[s.name] {
		dir := cmp.Or(other.Places.Bin, other.Places.Lib, other.Attrs["libdir"])
		if other.Active || other.Version == "" || other.Attrs["kind"] != "" || other.Version == i.Version || dir == "" || i.Version != "" && !newer(other.Version, i.Version) {
			continue
		}
		return map[string]string{"other": other.Version, "dir": dir, "have": cmp.Or(i.Version, lang.T("another version"))}, true
	}
	return nil, false
}

func inSystem32(dir string) bool {
	return strings.HasSuffix(strings.ToLower(strings.TrimRight(dir, `\`)), `\windows\system32`)
}

// ortCUDA finds an ONNX Runtime that is built for another CUDA than every one that
// Windows finds here.
func ortCUDA(e *evaluation, s subject) (map[string]string, bool) {
	built := major(s.instance.Built.CUDA)
	cuda, ok := e.facts.Active("cuda")
	if !ok || built <= 0 || !e.usesCUDA() || major(cuda.Version) == built {
		return nil, false
	}
	for _, i := range e.facts.Components["cuda-runtime"] {
		if (slices.Contains(i.Via, "dll") || !e.isWindows()) && major(i.Version) == built {
			return nil, false
		}
	}
	// On Windows PATH decides, which the one that is active tells.
	if !e.isWindows() && slices.ContainsFunc(e.facts.Components["cuda"], func(i facts.Instance) bool { return major(i.Version) == built }) {
		return nil, false
	}
	vars := map[string]string{"built": strconv.Itoa(built), "cuda": cuda.Version, "here": strconv.Itoa(major(cuda.Version))}
	for _, other := range e.facts.Components["cuda"] {
		if major(other.Version) == built && e.isWindows() {
			vars["other"] = other.Path + `\bin`
		}
	}
	if cudnn, ok := e.facts.Active("cudnn"); ok && major(cudnn.Version) > 0 {
		vars["cudnn"] = strconv.Itoa(major(cudnn.Version))
	}
	return vars, true
}

// noVideoFiles finds an OpenCV whose build information has none of the libraries that
// open video files. The rest (DirectShow, V4L) is for cameras.
func noVideoFiles(_ *evaluation, s subject) (map[string]string, bool) {
	attrs := s.instance.Attrs
	for _, with := range []string{"build.gstreamer", "build.mediafoundation"} {
		if attrs[with] != "" && !strings.HasPrefix(attrs[with], "NO") {
			return nil, false
		}
	}
	return nil, strings.HasPrefix(attrs["build.ffmpeg"], "NO")
}

// otherLine reports a CUDA that takes an older line of compilers only. What counts is
// the folder of that line then (v160 for v142), which comes with it.
func (e *evaluation) otherLine(cuda facts.Instance) bool {
	first := map[string]string{"v141": "14.10", "v142": "14.20", "v143": "14.30", "v145": "14.50"}
	msvc, ok := e.facts.Active("msvc")
	line := first[toolsetOf(msvc.Version)]
	return ok && line != "" && !e.accepts(cuda, msvc.Version) && !e.accepts(cuda, line)
}

// ortSeries finds an ONNX Runtime for the GPU from before the releases that the recipe
// accepts whose packages were built for another CUDA than the one here: that is what
// stops it, whatever is to be done.
func ortSeries(e *evaluation, s subject) (map[string]string, bool) {
	cuda, ok := e.facts.Active("cuda")
	if old, err := check("< 1.17", s.instance.Version); !ok || err != nil || !old || !e.usesCUDA() || s.instance.Built.CUDA != "" || len(s.instance.Needs) > 0 {
		return nil, false
	}
	var none *recipes.NoRowError
	_, _, err := e.tables.Choose("onnxruntime-cuda", map[string]string{"onnxruntime": s.instance.Version, "cuda": cuda.Version}, "cudnn")
	if !errors.As(err, &none) {
		return nil, false
	}
	for _, m := range none.Misses {
		if m.Column == "cuda" && len(none.Misses) == 1 {
			return map[string]string{"needs": m.Wanted, "cudnn": none.Nearest.Then["cudnn"], "cuda": cuda.Version}, true
		}
	}
	return nil, false
}

// wheelCuDNN finds an onnxruntime-gpu of pip whose release was built with another major
// version of cuDNN than all that are here. Where its imports could be read, they say it.
func wheelCuDNN(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	if i.Attrs["kind"] != "wheel" || i.Attrs["package"] != "onnxruntime-gpu" || i.Built.CUDA != "" || len(i.Needs) > 0 || !e.usesCUDA() {
		return nil, false
	}
	cuda, ok := e.facts.Active("cuda")
	if !ok || len(e.facts.Components["cudnn"]) == 0 {
		return nil, false
	}
	needs, _, err := e.tables.Choose("onnxruntime-cuda", map[string]string{"onnxruntime": i.Version, "cuda": cuda.Version}, "cudnn")
	if err != nil {
		return nil, false
	}
	for _, have := range e.facts.Components["cudnn"] {
		if m := major(have.Version); m <= 0 || m == major(needs) {
			return nil, false
		}
	}
	return map[string]string{"needs": strconv.Itoa(major(needs)), "cudnn": e.facts.Components["cudnn"][0].Version, "here": strconv.Itoa(major(cuda.Version))}, true
}

// offPath finds a copy that only CMake finds: what is built with it does not start.
func offPath(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	if !e.isWindows() || !i.Active || !slices.Equal(i.Via, []string{"cmake"}) || !i.HasPart("shared") || i.Places.Bin == "" {
		return nil, false
	}
	vars := map[string]string{"dir": i.Places.Bin}
	if slices.ContainsFunc(e.facts.OS.StalePath, func(d string) bool { return strings.EqualFold(strings.TrimRight(d, `\`), i.Places.Bin) }) {
		vars["pending"] = "yes"
	}
	return vars, true
}

// linkable makes the OpenCV that MinGW can link the active one where Windows finds
// its DLLs, too. MSVC's have other names (opencv_world481.dll, libopencv_core481.dll),
// so that neither hides the other.
func linkable(r *recipes.Recipe, f *facts.Facts) *facts.Facts {
	list := f.Components["opencv"]
	at := slices.IndexFunc(list, func(i facts.Instance) bool {
		return i.Built.Compiler == "mingw" && i.Unusable == nil && slices.Contains(i.Via, "dll")
	})
	if at <= 0 || f.OS.Family != "windows" || !list[0].Active || list[0].Built.Compiler != "msvc" || r.Verify == nil || r.Verify.Engine != "gocv" {
		return f
	}
	out := *f
	out.Components = maps.Clone(f.Components)
	list = slices.Clone(list)
	list[0].Active, list[0].Conflict, list[at].Active = false, "", true
	list[0], list[at] = list[at], list[0]
	out.Components["opencv"] = list
	return &out
}

// gocvWorld finds an OpenCV that was built as one library for MinGW: gocv's
// cgo.go names each module to the linker.
func gocvWorld(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	if !e.isWindows() || i.Built.Compiler != "mingw" || !i.HasPart("world") || e.recipe.Verify == nil || e.recipe.Verify.Engine != "gocv" {
		return nil, false
	}
	parts := strings.Split(i.Version, ".")
	return map[string]string{"digits": strings.Join(parts, "")}, len(parts) == 3
}

// mingwThreads finds GCC's win32 thread model, which has no std::thread,
// std::mutex and std::recursive_mutex before GCC 13. OpenCV's headers name them.
func mingwThreads(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	if i.Makes.Threads != "win32" || !strings.HasPrefix(i.Attrs["compiler"], "gcc") {
		return nil, false
	}
	if _, ok := e.facts.Active("opencv"); ok && major(i.Version) >= 13 {
		return nil, false // it links what is there
	}
	what := "std::mutex"
	if major(i.Version) >= 13 {
		what = lang.T("the pthread functions that OpenCV calls")
	}
	return map[string]string{"what": what}, i.Version != ""
}

// olderMinGWFirst finds a MinGW before a newer one on PATH, beside an OpenCV that
// MinGW built: programs then find the older C++ runtime.
func olderMinGWFirst(e *evaluation, s subject) (map[string]string, bool) {
	first := s.instance
	opencv, ok := e.facts.Active("opencv")
	if !ok || opencv.Built.Compiler != "mingw" || !first.Active || !slices.Contains(first.Via, "PATH") || first.Attrs["compiler"] != "gcc" {
		return nil, false
	}
	for _, other := range e.facts.Components["mingw"] {
		if other.Path == first.Path || !slices.Contains(other.Via, "PATH") || other.Attrs["compiler"] != "gcc" || other.Makes.Target != first.Makes.Target || major(other.Version) <= major(first.Version) {
			continue
		}
		return map[string]string{"other": other.Version, "dir": folderOf(other.Path), "folder": folderOf(first.Path)}, true
	}
	return nil, false
}

// mingwWithoutCxx finds a MinGW that was installed for C alone.
func mingwWithoutCxx(_ *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	return map[string]string{"folder": folderOf(i.Path)}, i.Active && i.HasPart("gcc") && i.HasPart("make") && !i.HasPart("c++") && strings.HasSuffix(strings.ToLower(folderOf(i.Path)), `\bin`)
}

// mingwWithoutMake finds a MinGW that cannot build gocv's OpenCV, where that is
// yet to be built.
func mingwWithoutMake(e *evaluation, s subject) (map[string]string, bool) {
	if e.recipe.Verify == nil || e.recipe.Verify.Engine != "gocv" || slices.ContainsFunc(e.facts.Components["opencv"], func(i facts.Instance) bool { return i.Built.Compiler == "mingw" }) {
		return nil, false
	}
	for _, i := range e.facts.Components["mingw"] {
		if i.HasPart("make") && (i.Active || slices.Contains(i.Via, "PATH")) {
			return nil, false
		}
	}
	folder := folderOf(s.instance.Path)
	vars := map[string]string{"folder": folder}
	for sub, environment := range map[string]string{`\ucrt64\bin`: "ucrt-x86_64", `\mingw64\bin`: "x86_64", `\clang64\bin`: "clang-x86_64"} {
		if strings.HasSuffix(strings.ToLower(folder), sub) && len(e.facts.Components["msys2"]) > 0 {
			vars["environment"] = environment
		}
	}
	return vars, s.instance.Active && s.instance.HasPart("c++")
}

// libtorchCompiler finds a machine whose compilers are all older than LibTorch's
// headers take: those of 1.7 stopped in Visual Studio 2017 in places (pytorch/pytorch
// issue 51209), those of 2.0 are C++17.
func libtorchCompiler(e *evaluation, s subject) (map[string]string, bool) {
	newest := ""
	for _, c := range e.facts.Components["msvc"] {
		if minor := minor14(c.Version); minor >= 20 || minor == 0 && !strings.HasPrefix(c.Version, "14.0") {
			return nil, false
		}
		if newest == "" || newer(c.Version, newest) {
			newest = c.Version
		}
	}
	since, err := check(">= 2.0", s.instance.Version)
	return map[string]string{"msvc": newest}, err == nil && since && newest != ""
}

// otherFoundFirst finds a copy that CMake builds programs with and that is not
// the one whose DLLs they find: a torch\lib of pip before LibTorch's.
func otherFoundFirst(e *evaluation, s subject) (map[string]string, bool) {
	first := s.instance
	if !e.isWindows() || !first.Active || !slices.Contains(first.Via, "dll") || slices.Contains(first.Via, "cmake") || inSystem32(binOf(s.name, *first)) {
		return nil, false
	}
	for _, other := range e.facts.Components[s.name] {
		dir, folder := binOf(s.name, other), binOf(s.name, *first)
		if !slices.Contains(other.Via, "cmake") || other.Version == "" || first.Version == "" || other.Version == first.Version || dir == "" || folder == "" {
			continue
		}
		return map[string]string{"other": other.Version, "dir": dir, "have": first.Version, "folder": folder}, true
	}
	return nil, false
}

// goArch finds a Go and a MinGW that make programs of different widths.
func goArch(e *evaluation, s subject) (map[string]string, bool) {
	mingw, ok := e.facts.Active("mingw")
	ours, theirs := s.instance.Makes.Target, mingw.Makes.Target
	if !ok || ours == "" || theirs == "" || ours == theirs || theirs != e.facts.OS.Arch {
		return nil, false // a MinGW for another machine is mingw.cgo's
	}
	bits := map[string]string{"386": "32-bit", "amd64": "64-bit"}
	return map[string]string{"go": cmp.Or(bits[ours], ours), "theirs": cmp.Or(bits[theirs], theirs), "mingw": folderOf(mingw.Path)}, true
}

// cmakeWithoutStudio finds MSYS's or Cygwin's CMake where Visual Studio is used.
// They lie in usr\bin (MSYS2) and in Cygwin's bin; MinGW's CMake has the generators.
func cmakeWithoutStudio(e *evaluation, s subject) (map[string]string, bool) {
	low := strings.ToLower(s.instance.Path)
	if !s.instance.Active || !strings.HasSuffix(low, `\usr\bin\cmake.exe`) && !strings.Contains(low, `\cygwin`) || !slices.Contains(e.touched(), "visual-studio") {
		return nil, false
	}
	vars := map[string]string{"folder": folderOf(s.instance.Path)}
	for _, other := range e.facts.Components["cmake"] {
		if dir := folderOf(other.Path); !other.Active && other.Unusable == nil && !strings.HasSuffix(strings.ToLower(dir), `\usr\bin`) && strings.HasSuffix(strings.ToLower(other.Path), ".exe") {
			vars["dir"] = dir
			break
		}
	}
	return vars, true
}

// pythonOfModule compares the Python that a module was built for with those here.
func pythonOfModule(e *evaluation, s subject) (map[string]string, bool) {
	built := s.instance.Built.Python
	python, ok := e.facts.Active("python")
	if built == "" || !ok || python.Version == "" || recipes.Series(python.Version) == built {
		return nil, false
	}
	if slices.ContainsFunc(e.facts.Components["python"], func(i facts.Instance) bool { return recipes.Series(i.Version) == built }) {
		return nil, false // py -V:3.7 starts it
	}
	return map[string]string{"built": built, "python": python.Version, "exe": python.Path}, true
}

// mingwRuntime finds an OpenCV whose C runtime is another than that of the MinGW
// that links it.
func mingwRuntime(e *evaluation, s subject) (map[string]string, bool) {
	mingw, ok := e.facts.Active("mingw")
	built := s.instance.Built
	if !ok || built.Compiler != "mingw" || built.Runtime == "" || mingw.Makes.Runtime == "" || built.Runtime == mingw.Makes.Runtime {
		return nil, false
	}
	name := map[string]string{"ucrt": "UCRT", "msvcrt": "MSVCRT"}
	return map[string]string{"theirs": name[built.Runtime], "ours": name[mingw.Makes.Runtime], "compiler": mingw.Path}, true
}

// noMSBuild finds a Visual Studio that has a compiler and no MSBuild, which
// CMake's generators call.
func noMSBuild(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	return nil, e.isWindows() && i.Active && major(i.Version) >= 15 && i.HasPart("vctools") && !i.HasPart("msbuild")
}

// promptTarget finds a developer prompt that builds for another architecture.
func promptTarget(e *evaluation, s subject) (map[string]string, bool) {
	target := s.instance.Makes.Target
	if target == "" || target == e.facts.OS.Arch || e.facts.OS.Arch != "amd64" {
		return nil, false // Windows for ARM runs x64 programs, too
	}
	name := map[string]string{"386": "x86", "amd64": "x64"}
	return map[string]string{"target": cmp.Or(name[target], target), "own": cmp.Or(name[e.facts.OS.Arch], e.facts.OS.Arch)}, true
}

// vs2015Update finds a Visual Studio 2015 older than Update 3: the setup's build
// is 25420 or newer there, the compiler's 24210 or newer. The first release was
// 23107 (23026), Update 1 24720 (23506), Update 2 25123 (23918).
func vs2015Update(e *evaluation, s subject) (map[string]string, bool) {
	build := func(version string) int {
		parts := strings.Split(version, ".")
		if len(parts) < 3 || parts[0] != "14" || parts[1] != "0" {
			return 0
		}
		n, err := strconv.Atoi(parts[2])
		if err != nil {
			return 0
		}
		return n
	}
	if !s.instance.Active {
		return nil, false
	}
	// In the registry the first release's number may stand for an updated one.
	n, least := build(s.instance.Version), 25420
	if n == 23107 {
		n = 0
	}
	for _, c := range e.facts.Components["msvc"] {
		if b := build(c.Version); b >= 23000 && s.instance.Path != "" && strings.HasPrefix(strings.ToLower(c.Path), strings.ToLower(strings.TrimRight(s.instance.Path, `\`))) {
			n, least = b, 24210
		}
	}
	// Small numbers are no builds: 14.0 is what the registry says of every one.
	return map[string]string{"build": strconv.Itoa(n)}, n >= 23000 && n < least
}

// staleCUDAPath finds variables that name a CUDA that is no longer there.
func staleCUDAPath(e *evaluation, s subject) (map[string]string, bool) {
	if !e.isWindows() {
		return nil, false
	}
	for _, v := range s.instance.Stale {
		if v.Variable == "CUDA_PATH" || v.Variable == "CUDAToolkit_ROOT" || v.Variable == "CUDA_TOOLKIT_ROOT_DIR" {
			return map[string]string{"variable": v.Variable, "folder": v.Folder}, true
		}
	}
	return nil, false
}

// cudaPathOther finds that CUDA_PATH is a toolkit that the recipe does not take, while
// the one that PATH finds does.
func cudaPathOther(e *evaluation, s subject) (map[string]string, bool) {
	active, ok := e.facts.Active("cuda")
	if !ok || !s.instance.Active || !e.usesCUDA() || !slices.Contains(e.touched(), "visual-studio") || !e.acceptsCUDA(active.Version) {
		return nil, false
	}
	for _, i := range e.facts.Components["cuda"] {
		if i.Path == active.Path || !slices.Contains(i.Via, "CUDA_PATH") || i.Version == "" {
			continue
		}
		// OpenPose's table names one series for its Visual Studio.
		series := recipes.Series(e.chosen["cuda"])
		if !e.acceptsCUDA(i.Version) || series != "" && recipes.Series(active.Version) == series && recipes.Series(i.Version) != series {
			return map[string]string{"other": i.Path, "release": i.Version, "taken": active.Path}, true
		}
	}
	return nil, false
}

// temp is the folder for temporary files; false where it is not known or not
// Windows.
func (e *evaluation) temp() (facts.Disk, bool) {
	i := slices.IndexFunc(e.facts.Disks, func(d facts.Disk) bool { return d.Purpose == "tmp" })
	if i < 0 || !e.isWindows() {
		return facts.Disk{}, false
	}
	return e.facts.Disks[i], true
}

// leastTemp is what the compilers of a build of OpenCV write at a time, rounded up.
const leastTemp = 512 << 20

func tempFull(e *evaluation, _ subject) (map[string]string, bool) {
	d, ok := e.temp()
	return map[string]string{"folder": d.Path, "free": recipes.Bytes(d.Free).Human()}, ok && d.Total > 0 && d.Free < leastTemp
}

// tempOdd finds a folder for temporary files whose name nvcc does not take.
func tempOdd(e *evaluation, _ subject) (map[string]string, bool) {
	d, ok := e.temp()
	if _, cuda := e.facts.Active("cuda"); !ok || !cuda || !e.usesCUDA() || !slices.Contains(e.touched(), "visual-studio") {
		return nil, false
	}
	vars := map[string]string{"folder": d.Path}
	switch {
	case strings.ContainsFunc(d.Path, func(r rune) bool { return r > 127 }):
		vars["what"] = lang.T("characters other than ASCII")
	case strings.Contains(d.Path, " "):
		vars["what"] = lang.T("a space")
	default:
		return nil, false
	}
	return vars, true
}

// dllNeeds makes the relation for one cause of a missing DLL; elsewhere tells those
// that are on the machine, where Windows does not look, from those that are not.
func dllNeeds(cause facts.Cause, elsewhere bool) relation {
	return func(e *evaluation, s subject) (map[string]string, bool) {
		var list []facts.Need
		for _, n := range s.instance.Needs {
			by := strings.ToLower(n.By)
			switch {
			case n.Cause != cause, (n.Elsewhere != "") != elsewhere:
			case s.name == "openpose" && strings.HasSuffix(by, ".pyd"): // pythonModule's
			case s.name == "opencv" && !s.instance.Active && s.instance.Built.Compiler == "msvc" && slices.Contains(e.touched(), "mingw"): // linkable's
			case elsewhere && strings.HasPrefix(strings.ToLower(n.Name), "cudnn") && e.cudnnOffPath(): // cudnn.dll-path's
			case strings.HasPrefix(strings.ToLower(n.Name), "cudnn") && e.failed("onnxruntime.cudnn"): // another cuDNN is there
			case strings.HasPrefix(strings.ToLower(n.Name), "libgcc_s_") && e.failed("mingw.cgo"): // another MinGW is first
			case ofMediaFoundation(n.Name) && e.failed("media-foundation.present"):
			case (strings.HasPrefix(strings.ToLower(n.Name), "vcruntime140") || strings.HasPrefix(strings.ToLower(n.Name), "msvcp140")) && e.failed("vcredist.present"):
			case cause == facts.FromDriver && e.driverFailed(n.Name):
			case strings.HasSuffix(by, "onnxruntime_providers_cuda.dll") && !e.usesCUDA():
			default:
				list = append(list, n)
			}
		}
		if len(list) == 0 {
			return nil, false
		}
		n := list[0]
		vars := map[string]string{"library": n.Name, "by": n.By, "by-folder": folderOf(n.By), "copy": n.Found}
		var names, from []string
		for _, n := range list {
			if !slices.Contains(names, n.Name) {
				names = append(names, n.Name)
			}
			if dir := folderOf(n.Elsewhere); n.Elsewhere != "" && !slices.Contains(from, dir) {
				from = append(from, dir)
			}
		}
		steps := e.getDLLs(names)
		vars["component"] = componentOf(names)
		if strings.HasSuffix(n.By, ".dll.a") {
			vars["half"] = "yes"
		}
		vars["are"], vars["no-card"] = "are", e.noCardFor(cause, names)
		if len(names) == 1 {
			vars["are"] = "is"
		}
		if len(names) > 6 {
			names = append(names[:5], lang.F("%d more", len(names)-5))
		}
		vars["libraries"], vars["from"], vars["get"] = strings.Join(names, ", "), strings.Join(from, lang.T(" and ")), strings.Join(steps, " ")
		vars["folders"], vars["wheel"] = strings.Join(from, ";"), wheelDLLs(names, from)
		if slices.ContainsFunc(names, ofMediaFoundation) {
			vars["media"] = "media-foundation.present"
		}
		if top, _, ok := strings.Cut(vars["from"], `\deployment_tools\`); ok { // OpenVINO up to 2021
			vars["setupvars"] = top + `\bin\setupvars.bat`
		}
		if strings.HasSuffix(strings.ToLower(n.By), ".pyd") {
			vars["python"] = "yes"
		}
		if s.name == "opencv-python" && s.instance.Attrs["package"] == "" && strings.HasSuffix(strings.ToLower(s.instance.Path), `\cv2`) {
			vars["loader"] = s.instance.Path + `\config.py` // of OpenCV's own build: PATH has no say there
		}
		if !slices.ContainsFunc(from, func(dir string) bool {
			return !slices.ContainsFunc(e.facts.OS.StalePath, func(d string) bool { return strings.EqualFold(strings.TrimRight(d, `\`), dir) })
		}) && elsewhere {
			vars["pending"] = "yes"
		}
		return vars, true
	}
}

// driverFailed reports whether the requirement on the driver that brings a DLL
// says already that it is missing.
func (e *evaluation) driverFailed(dll string) bool {
	return e.failed(map[string]string{"vulkan-1.dll": "vulkan.driver", "opencl.dll": "opencl.driver", "nvcuda.dll": "nvidia-driver.version"}[strings.ToLower(dll)])
}

// ofMediaFoundation: Media Foundation brings that DLL.
func ofMediaFoundation(name string) bool {
	return slices.Contains([]string{"mf.dll", "mfplat.dll", "mfreadwrite.dll", "mfcore.dll"}, strings.ToLower(name))
}

// cudaOfDLLs is the release of CUDA that DLLs are of: 9.0 for cudart64_90.dll, 11.x
// for cudart64_110.dll, which serves all of 11; "" where no name tells it. Up to 10.0
// cuBLAS has the same number; cublas64_10.dll is of 10.1 and 10.2.
func cudaOfDLLs(names []string) string {
	for _, stem := range []string{"cudart64_", "cublas64_"} {
		for _, name := range names {
			number, ok := strings.CutPrefix(strings.TrimSuffix(strings.ToLower(name), ".dll"), stem)
			n, err := strconv.Atoi(number)
			switch {
			case !ok || err != nil:
			case n == 110 || n == 11:
				return "11.x"
			case n > 11 && n < 20:
				return number + ".x"
			case n >= 65 && n <= 102:
				return toolkitOf(number)
			}
		}
	}
	return ""
}

// hasCodeFor reports whether a release of CUDA makes code for a compute capability;
// true where the table does not say.
func (e *evaluation) hasCodeFor(sm, release string) bool {
	cuda := strings.Replace(release, ".x", ".0", 1)
	if release == "11.x" || release == "12.x" {
		cuda = strings.Replace(release, ".x", ".8", 1) // the last of these releases know more cards
	}
	var none *recipes.NoRowError
	_, _, err := e.tables.Choose("cuda-sm", map[string]string{"sm": sm, "cuda": cuda}, "generation")
	_, _, known := e.tables.Choose("cuda-sm", map[string]string{"sm": sm, "cuda": ""}, "generation")
	return !errors.As(err, &none) || known != nil
}

// getDLLs is where missing DLLs come from, a sentence for each provider; those of
// unknown origin are left out.
func (e *evaluation) getDLLs(names []string) (out []string) {
	var order []string
	of, text := map[string][]string{}, map[string]string{}
	release := cudaOfDLLs(names)
	sm := BestGPU(e.facts)
	for _, name := range names {
		d, ok, err := recipes.ProviderOf(name)
		if err != nil || !ok {
			continue // a mistake in the table is refused by its test
		}
		if !slices.Contains(order, d.Provider) {
			order = append(order, d.Provider)
		}
		of[d.Provider] = append(of[d.Provider], name)
		text[d.Provider] = d.Get
		if d.Numbered != "" && release != "" {
			text[d.Provider] = d.Numbered
			if sm != "" && !e.hasCodeFor(sm, release) {
				text[d.Provider] = d.Old
			}
		}
		if d.Server != "" && onOS([]string{"windows-server"}, e.facts.OS) {
			text[d.Provider] = d.Server
		}
	}
	for _, provider := range order {
		sentence, _ := recipes.Fill(text[provider], func(name string) string {
			return map[string]string{"library": strings.Join(of[provider], ", "), "release": release, "sm": sm}[name]
		})
		if !slices.Contains(out, sentence) { // two providers may come with one installer
			out = append(out, sentence)
		}
	}
	return out[:min(len(out), 3)]
}

// cudnnNeeds is dllNeeds for the cuDNN of a recipe, or of a program that its build linked
// with cuDNN, of which the recipe asks nothing.
func cudnnNeeds(e *evaluation, _ subject) (map[string]string, bool) {
	cudnn, ok := e.facts.Active("cudnn")
	uses := slices.ContainsFunc(e.touched(), func(name string) bool {
		i, ok := e.facts.Active(name)
		return name == "cudnn" || ok && name == "darknet" && i.Built.CuDNN != "" && strings.HasPrefix(cudnn.Version, i.Built.CuDNN+".")
	})
	if !ok || !uses {
		return nil, false
	}
	vars, found := dllNeeds(facts.OnCall, false)(e, subject{e: e, name: "cudnn", instance: &cudnn})
	if found {
		vars["version"] = cudnn.Version
	}
	return vars, found
}

// smartAppControl: what is compiled here is not signed, and nobody has run it before.
func smartAppControl(e *evaluation, _ subject) (map[string]string, bool) {
	builds := slices.ContainsFunc(e.touched(), func(name string) bool {
		return slices.Contains([]string{"mingw", "msvc", "go"}, name)
	})
	return nil, e.facts.Environment.SmartAppControl && builds
}

// noPagingFile finds a build of PyTorch for CUDA where little memory is free and Windows
// may not page: it sets aside several GB when the libraries of CUDA are loaded.
func noPagingFile(e *evaluation, _ subject) (map[string]string, bool) {
	const needs = 4 << 30
	m := e.facts.Memory
	if !e.facts.Environment.NoPagingFile || m.Available == 0 || m.Available >= needs {
		return nil, false
	}
	for _, i := range e.imported("libtorch", "") {
		if slices.Contains(e.touched(), "libtorch") && slices.Contains(i.Built.Backends, "cuda") {
			return map[string]string{"version": i.Version, "free": recipes.FormatBytes(int64(m.Available))}, true
		}
	}
	return nil, false
}

// cutPath tells which folder of a library the last entry of a PATH that was cut off
// began to name.
func cutPath(e *evaluation, _ subject) (map[string]string, bool) {
	cut := e.facts.OS.CutPath
	vars := map[string]string{"cut": cut}
	for _, name := range e.touched() {
		for _, i := range e.facts.Components[name] {
			for _, dir := range []string{i.Places.Bin, i.Attrs["libdir"]} {
				if len(dir) > len(cut) && strings.EqualFold(dir[:len(cut)], cut) {
					vars["whole"] = dir
				}
			}
		}
	}
	return vars, cut != ""
}
