package judge

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// vendorName is a vendor of GPUs as it writes itself.
func vendorName(vendor string) string {
	return cmp.Or(map[string]string{
		"amd": "AMD", "apple": "Apple", "arm": "Arm", "intel": "Intel", "moorethreads": "Moore Threads", "nvidia": "NVIDIA", "qualcomm": "Qualcomm",
	}[vendor], vendor)
}

// usesCUDA reports whether what the recipe requires here touches CUDA.
func (e *evaluation) usesCUDA() bool {
	touched := e.touched()
	return slices.Contains(touched, "cuda") || slices.Contains(touched, "nvidia-driver")
}

// nvidiaGPUs are the NVIDIA GPUs; false when the capability of one is unknown,
// so that nothing can be said of all of them.
func (e *evaluation) nvidiaGPUs() (list []facts.GPU, known bool) {
	known = true
	for _, g := range e.facts.GPUs {
		if g.Vendor == "nvidia" {
			list = append(list, g)
			known = known && g.ComputeCapability != ""
		}
	}
	return list, known && len(list) > 0
}

// cudaGone finds a machine whose GPUs are all too old for every CUDA toolkit
// that the recipe accepts (Fermi, and Kepler where 12 is required).
func cudaGone(e *evaluation, _ subject) (map[string]string, bool) {
	gpus, known := e.nvidiaGPUs()
	table, err := e.tables.Table("cuda-sm")
	if !e.usesCUDA() || !known || err != nil {
		return nil, false
	}
	sm := BestGPU(e.facts)
	last := "8.0" // NVIDIA's toolkits for cards before Fermi ended with 6.5
	generation := lang.T("older than Fermi")
	if major(sm) >= 2 {
		generation = ""
	}
	for i := range table.Rows {
		row := &table.Rows[i]
		if !row.Meets("sm", sm) {
			continue
		}
		generation = row.Then["generation"]
		for _, toolkit := range cudaReleases {
			if row.Meets("cuda", toolkit) {
				last = toolkit
				if e.acceptsCUDA(toolkit) && !e.outlived(toolkit) {
					return nil, false
				}
			}
		}
	}
	if generation == "" {
		return nil, false // a card newer than the table
	}
	return map[string]string{"gpu": cmp.Or(gpus[0].Name, lang.T("the NVIDIA GPU")), "sm": sm, "generation": generation, "last": last}, true
}

// cudaReleases are the minor releases of the CUDA toolkit since 8.0 (NVIDIA,
// CUDA Toolkit Archive). A later one has dropped no fewer cards.
var cudaReleases = []string{"8.0", "9.0", "9.1", "9.2", "10.0", "10.1", "10.2", "11.0", "11.1", "11.2", "11.3", "11.4", "11.5", "11.6", "11.7", "11.8",
	"12.0", "12.1", "12.2", "12.3", "12.4", "12.5", "12.6", "12.8", "12.9", "13.0", "13.1", "13.2"}

// outlived reports whether this Linux is too new for a toolkit: CUDA 8 takes no GCC
// after 5 (table cuda-gcc), which distributions with glibc 2.31 no longer have.
func (e *evaluation) outlived(toolkit string) bool {
	newEnough, err := check(">= 2.31", e.facts.OS.Libc.Version)
	return major(toolkit) < 9 && e.facts.OS.Libc.Kind == "glibc" && err == nil && newEnough
}

// acceptsCUDA reports whether the recipe's own requirements accept a toolkit.
func (e *evaluation) acceptsCUDA(toolkit string) bool {
	// The builds of ONNX Runtime for the GPU that its recipe accepts are for CUDA 11.8 and newer.
	if slices.Contains(e.touched(), "onnxruntime") && e.facts.OS.Board == "" && major(toolkit) < 11 {
		return false
	}
	for i := range e.recipe.Requirements {
		q := &e.recipe.Requirements[i]
		if q.Component == nil || !slices.Contains(names(q.Component), "cuda") {
			continue
		}
		if _, applies := e.applies(q.When); !applies {
			continue
		}
		if ok, err := check(q.Component.Version, toolkit); err == nil && !ok {
			return false
		}
		// A recipe that takes every toolkit takes those that no present compiler goes with
		// where they are here already.
		if q.Component.Version == "" && major(toolkit) < 9 && !slices.ContainsFunc(e.facts.Components["cuda"], func(i facts.Instance) bool { return major(i.Version) < 9 }) {
			return false
		}
	}
	return true
}

func major(version string) int {
	first, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(first)
	if err != nil {
		return -1
	}
	return n
}

// gpuCode compares the machine code and PTX in a library with the GPUs: code for
// X.y runs on X.z with z >= y, PTX on every card as new or newer (NVIDIA, CUDA
// C++ Programming Guide, "Binary Compatibility" and "PTX Compatibility").
func gpuCode(e *evaluation, s subject) (map[string]string, bool) {
	b := e.codeOf(s)
	gpus, known := e.nvidiaGPUs()
	if !e.usesCUDA() || !known || len(b.CUDAArchs)+len(b.PTX) == 0 {
		return nil, false
	}
	for _, g := range gpus {
		if runsOn(e.bundled(b, s.instance.Built.Build, g.ComputeCapability), g.ComputeCapability) {
			return nil, false
		}
	}
	ptx := lang.T("no PTX")
	if len(b.PTX) > 0 {
		ptx = lang.F("PTX for %s", strings.Join(b.PTX, ", "))
	}
	sm := BestGPU(e.facts)
	vars := map[string]string{
		"gpu": cmp.Or(gpus[0].Name, lang.T("the NVIDIA GPU")), "sm": sm, "archs": cmp.Or(strings.Join(b.CUDAArchs, ", "), "none"), "ptx": ptx,
		"arch": strings.ReplaceAll(sm, ".", ""),
	}
	cuda, _ := e.facts.Active("cuda")
	if _, _, err := e.tables.Choose("cuda-sm", map[string]string{"sm": sm, "cuda": cuda.Version}, "generation"); err != nil && s.name == "opencv" && cuda.Version != "" {
		// The toolkit here makes no code for the card either: another one comes first. Of a
		// card newer than the table it is not known, and nvcc tells.
		if later := new(recipes.NewerError); errors.As(err, &later) && later.Column == "sm" {
			vars["later"] = "yes"
			return vars, true
		}
		toolkit := e.toolkitToInstall()
		if toolkit == "" || !newer(toolkit, cuda.Version) {
			return nil, false // for an old card it is the older toolkit that matters
		}
		vars["with"] = recipes.Series(toolkit)
		if least := e.leastOpenCV("", toolkit, e.series("opencv-cuda", "cudnn")...); newer(least, s.instance.Version) {
			vars["release"] = least
		}
	}
	if s.name == "libtorch" {
		vars["release"] = e.libtorchFor(sm)
		vars["toolkit"], vars["runs"] = "cuda.version", "cuda.driver" // another build asks for another
	}
	if s.name == "onnxruntime" && s.instance.Built.Build == released {
		vars["release"] = e.onnxruntimeFor(sm)
		vars["by"] = "Microsoft"
		vars["toolkit"] = "onnxruntime.gpu-build" // no newer one has it either
	}
	return vars, true
}

// codeOf is the machine code and PTX that a copy carries: what its files say, else
// what its maker published of that build.
func (e *evaluation) codeOf(s subject) facts.Built {
	b := s.instance.Built
	if len(b.CUDAArchs) == 0 && s.name == "libtorch" && b.Build != "" && b.Build != ownBuild {
		return e.libtorchCode(s.instance.Version, b.Build)
	}
	if len(b.CUDAArchs) == 0 && s.name == "onnxruntime" && b.Build == released && s.instance.HasPart("cuda") {
		return e.publishedCode("onnxruntime-code", map[string]string{"onnxruntime": s.instance.Version})
	}
	return b
}

// released is the build of an archive of ONNX Runtime's release page.
const released = "release"

// onnxruntimeFor names the newest release of ONNX Runtime whose builds have code for a
// card; "" for none, and where the sources of the table differ on it.
func (e *evaluation) onnxruntimeFor(sm string) string {
	for _, version := range e.series("onnxruntime-code", "onnxruntime") {
		if !newer("5.2", sm) && runsOnCode(e.publishedCode("onnxruntime-code", map[string]string{"onnxruntime": version}), sm) {
			return version
		}
	}
	return ""
}

// libtorchCode is what one of PyTorch's own builds carries; those for other
// processors than x86-64 are not in the table.
func (e *evaluation) libtorchCode(version, build string) facts.Built {
	return e.publishedCode("libtorch-code", map[string]string{"libtorch": version, "build": build})
}

// publishedCode is what a table says that a maker's own build carries.
func (e *evaluation) publishedCode(table string, given map[string]string) (b facts.Built) {
	if e.facts.OS.Arch != "amd64" {
		return b
	}
	given["os"] = e.facts.OS.Family
	code, _, err := e.tables.Choose(table, given, "code")
	if err != nil {
		return b // not published, or not found
	}
	for arch := range strings.SplitSeq(code, ";") {
		arch, ptx := strings.CutSuffix(arch, "+PTX")
		b.CUDAArchs = append(b.CUDAArchs, arch)
		if ptx {
			b.PTX = append(b.PTX, arch)
		}
	}
	return b
}

// bundled is what of a copy's code counts on a card: PyTorch's own build brings cuBLAS
// and cuDNN of its CUDA along, and where that CUDA is older than the card's generation
// these have no code for it, whatever PTX the build itself has (VinAIResearch/CPM issue
// 9: the CUDA 10 build with PTX for 3.7 on an RTX 3070 stops in cuDNN).
func (e *evaluation) bundled(b facts.Built, build, sm string) facts.Built {
	number, ok := strings.CutPrefix(build, "cu")
	if _, err := strconv.Atoi(number); ok && err == nil && len(number) > 1 && !e.hasCodeFor(strconv.Itoa(major(sm))+".0", toolkitOf(number)) {
		b.PTX = nil
	}
	return b
}

// toolkitOf is the CUDA of a build's number: 10.2 of 102.
func toolkitOf(number string) string {
	return number[:len(number)-1] + "." + number[len(number)-1:]
}

// libtorchFor names the newest of PyTorch's own builds that has code for a card and
// runs on the driver here, one for the installed toolkit's series first; "" for
// none.
func (e *evaluation) libtorchFor(sm string) string {
	table, err := e.tables.Table("libtorch-code")
	if err != nil {
		return ""
	}
	cuda, _ := e.facts.Active("cuda")
	driver, hasDriver := e.facts.Active("nvidia-driver")
	other := ""
	for _, version := range e.series("libtorch-code", "libtorch") {
		for i := range table.Rows {
			build, ok := strings.CutPrefix(table.Rows[i].When["build"], "is cu")
			if !ok || len(build) < 2 || !runsOnCode(e.bundled(e.libtorchCode(version, "cu"+build), "cu"+build, sm), sm) {
				continue
			}
			toolkit := toolkitOf(build)
			least, _, err := e.tables.Choose("cuda-driver", map[string]string{"os": e.driverOS(), "cuda": toolkit}, "driver_minor")
			if hasDriver && driver.Version != "" && (err != nil || newer(least, driver.Version)) {
				continue
			}
			text := lang.F("LibTorch %s.0 in its cu%s build", recipes.Series(version), build)
			if recipes.Series(cuda.Version) == toolkit {
				return text
			}
			other = cmp.Or(other, text)
		}
	}
	return other
}

// codeIgnored finds a variable by which CUDA ignores the only code in a library that a
// card here runs.
func codeIgnored(e *evaluation, s subject) (map[string]string, bool) {
	gpus, known := e.nvidiaGPUs()
	whole := e.codeOf(s)
	if !e.usesCUDA() || !known || len(whole.CUDAArchs) == 0 {
		return nil, false
	}
	runs := func(b facts.Built) bool {
		return slices.ContainsFunc(gpus, func(g facts.GPU) bool { return runsOn(b, g.ComputeCapability) })
	}
	for _, v := range e.facts.Environment.Variables {
		left, what := whole, ""
		switch v.Problem {
		case facts.ForcesJIT:
			left.CUDAArchs, what = nil, lang.T("the machine code in it, and it has no PTX for this GPU")
		case facts.NoJIT:
			left.PTX, what = nil, lang.T("the PTX in it, and it has no machine code for this GPU")
		}
		if what != "" && runs(whole) && !runs(left) {
			return map[string]string{"variable": v.Name, "value": v.Value, "what": what}, true
		}
	}
	return nil, false
}

// amdHidden finds a variable that hides every GPU from ROCm's OpenCL.
func amdHidden(e *evaluation, s subject) (map[string]string, bool) {
	if !slices.Contains(e.touched(), "opencl") || !e.usesKFD() {
		return nil, false
	}
	return variables(facts.HidesAMD)(e, s)
}

// runsOnCode is runsOn for a build whose code is known.
func runsOnCode(b facts.Built, sm string) bool { return len(b.CUDAArchs) > 0 && runsOn(b, sm) }

// ofTegra are the compute capabilities of Jetsons and their like, which run machine
// code for no other and whose own no other runs (CUDA C++ Programming Guide, "Binary
// Compatibility").
var ofTegra = map[string]bool{"3.2": true, "5.3": true, "6.2": true, "7.2": true, "8.7": true}

// runsOn reports whether code was built in that a card of that capability runs;
// true where a capability is not understood.
func runsOn(b facts.Built, sm string) bool {
	card, err := recipes.Version(sm)
	if err != nil {
		return true
	}
	for _, arch := range b.CUDAArchs {
		v, err := recipes.Version(arch)
		if err == nil && arch != sm && (ofTegra[arch] || ofTegra[sm]) {
			continue
		}
		if err != nil || v.Segments()[0] == card.Segments()[0] && !v.GreaterThan(card) {
			return true
		}
	}
	for _, arch := range b.PTX {
		if v, err := recipes.Version(arch); err != nil || !v.GreaterThan(card) {
			return true
		}
	}
	return false
}

// driverTooOld reports whether the driver here runs no program of a CUDA.
func (e *evaluation) driverTooOld(cuda string) bool {
	driver, ok := e.facts.Active("nvidia-driver")
	least, _, err := e.tables.Choose("cuda-driver", map[string]string{"os": e.driverOS(), "cuda": cuda}, "driver_minor")
	if !ok || err != nil {
		return false
	}
	enough, err := check(">= "+least, driver.Version)
	return err == nil && !enough
}

// driverForBuild compares the CUDA that a library was built with, and brings
// along or asks for, with the driver. The toolkit on the machine has no say in it.
// Of 11 and newer, only the major version may be known: then the least that any of
// its releases asks for counts.
func driverForBuild(e *evaluation, s subject) (map[string]string, bool) {
	cuda := s.instance.Built.CUDA
	built := cuda
	if cuda == "11" {
		cuda = "11.1" // 11.0 asks for an older driver still
	}
	if gpu := e.recipe.Setting("gpu"); gpu == "cpu" || gpu == "opencl" {
		return nil, false
	}
	driver, ok := e.facts.Active("nvidia-driver")
	if cuda == "" || !ok || driver.Unusable != nil || driver.Version == "" || !e.usesCUDA() || e.facts.OS.Board != "" {
		return nil, false
	}
	least, _, err := e.tables.Choose("cuda-driver", map[string]string{"os": e.driverOS(), "cuda": cuda}, "driver_minor")
	vars := map[string]string{"cuda": built, "least": least, "driver": driver.Version}
	if last := e.branchFor(BestGPU(e.facts)); last != "" && last != "current" && newer(least, last+".999") {
		vars["last"] = last
	}
	return vars, err == nil && e.driverTooOld(cuda)
}

// runtimeSuffices finds a library for CUDA that has the DLLs of its CUDA on a machine
// without a toolkit: with those of cuDNN, too, or with nothing else that lacks.
func runtimeSuffices(withCuDNN bool) relation {
	return func(e *evaluation, s subject) (map[string]string, bool) {
		i := s.instance
		ofCuDNN := func(n facts.Need) bool { return strings.HasPrefix(strings.ToLower(n.Name), "cudnn") }
		lacks := func(n facts.Need) bool { // of CUDA: the Visual C++ runtime is for other lines
			low := strings.ToLower(n.Name)
			return !strings.HasPrefix(low, "vcruntime140") && !strings.HasPrefix(low, "msvcp140") && (withCuDNN || !ofCuDNN(n))
		}
		if len(e.facts.Components["cuda"]) > 0 || !e.usesCUDA() || i.Built.CUDA == "" || slices.ContainsFunc(i.Needs, lacks) || i.Unusable != nil {
			return nil, false
		}
		runtime, ok := e.facts.Active("cuda-runtime")
		cudnn, found := e.facts.Active("cudnn")
		usable := found && cudnn.Unusable == nil
		if !ok || usable != withCuDNN || !withCuDNN && !slices.ContainsFunc(i.Needs, ofCuDNN) || major(runtime.Version) != major(i.Built.CUDA) {
			return nil, false
		}
		return map[string]string{"cuda": i.Built.CUDA}, true
	}
}

// cudaParts names the libraries that OpenCV's build looks for and that a custom
// installation of CUDA left out.
func cudaParts(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	// A recording may name a few files only: the other libraries must be there.
	if !slices.Contains(e.touched(), "opencv") || !i.HasPart("cudart") || !i.HasPart("curand") || !i.HasPart("cusolver") {
		return nil, false
	}
	if opencv, ok := e.facts.Active("opencv"); ok && opencv.Built.CUDA != "" {
		return nil, false // it is built already
	}
	var missing []string
	for _, part := range []struct{ name, display string }{{"cublas", "cuBLAS"}, {"cufft", "cuFFT"}, {"npp", "NPP"}} {
		if !i.HasPart(part.name) {
			missing = append(missing, part.display)
		}
	}
	return map[string]string{"missing": strings.Join(missing, lang.T(" and ")), "series": recipes.Series(i.Version)}, len(missing) > 0
}

// torchNVTX finds a LibTorch for CUDA whose CMake package asks for a library that
// the CUDA here does not have.
func torchNVTX(e *evaluation, s subject) (map[string]string, bool) {
	cuda, ok := e.facts.Active("cuda")
	// A recording may name a few files only: the other libraries must be there.
	if !ok || !e.usesCUDA() || !slices.Contains(s.instance.Built.CMakeNeeds, "CUDA::nvToolsExt") || cuda.HasPart("nvtx") || !cuda.HasPart("cudart") || !cuda.HasPart("curand") {
		return nil, false
	}
	return map[string]string{"cuda": cuda.Version}, true
}

// lacksBackend reports whether a copy is known to be built without the backend that
// the recipe was set to.
func (e *evaluation) lacksBackend(name string, i facts.Instance) bool {
	want, have := e.recipe.Setting("gpu"), i.Built.Backends
	return slices.Contains([]string{"libtorch", "onnxruntime", "darknet", "ncnn", "openpose", "caffe"}, name) && want != "" && want != "cpu" && len(have) > 0 && !slices.Contains(have, want)
}

// backendMissing finds a library that was built without the backend that the
// recipe was set to.
func backendMissing(e *evaluation, s subject) (map[string]string, bool) {
	want := e.recipe.Setting("gpu")
	have := s.instance.Built.Backends
	if !e.lacksBackend(s.name, *s.instance) {
		return nil, false
	}
	return map[string]string{"want": want, "have": strings.Join(have, ", "), "backend": cmp.Or(map[string]string{"cuda": "CUDA", "vulkan": "Vulkan", "opencl": "OpenCL"}[want], want)}, true
}

// onlySoftware finds a Vulkan or OpenCL whose usable drivers all compute on the
// CPU.
func onlySoftware(e *evaluation, s subject) (map[string]string, bool) {
	var found []string
	variable := ""
	for _, i := range e.facts.Components[s.name] {
		if slices.Contains(i.Via, "VK_DRIVER_FILES") || slices.Contains(i.Via, "VK_ICD_FILENAMES") {
			variable = i.Via[0]
		}
		if i.Unusable != nil || i.Path == "" {
			continue
		}
		for _, d := range i.Devices {
			if !d.Software {
				return nil, false
			}
			found = append(found, d.Name)
		}
		if len(i.Devices) == 0 {
			return nil, false // not known
		}
	}
	return map[string]string{"devices": strings.Join(found, ", "), "variable": variable}, len(found) > 0
}

// CUDAGone is the check that fails where no CUDA toolkit helps: the card is too
// old for all of them.
const CUDAGone = "gpu.cuda-gone"

// driverElsewhere finds a machine without a CUDA driver where the driver is that
// of another system: under WSL it is Windows', in a container the host's.
func driverElsewhere(where string) relation {
	return func(e *evaluation, _ subject) (map[string]string, bool) {
		host := DriverHost(e.facts)
		inWSL := host == "container" && onWSL(e.facts)
		if inWSL {
			host = "container-in-wsl"
		}
		if host != where || !e.usesCUDA() || len(e.facts.Components["nvidia-driver"]) > 0 {
			return nil, false
		}
		if _, failed := e.facts.Problem("nvidia-driver"); failed {
			return nil, false
		}
		// A container sees the host's PCI devices; WSL sees none, and a container in it
		// neither.
		gpus, _ := e.nvidiaGPUs()
		others := len(gpus) == 0 && len(e.facts.GPUs) > 0 // Windows has drivers of other makers' cards alone
		var vars map[string]string
		if off := e.facts.Environment.NoWSLGPU; off != "" {
			vars = map[string]string{"off": off, "because": lang.F(": %s turns the GPU off", off)}
		}
		return vars, where == "wsl" && !others || len(gpus) > 0 || inWSL
	}
}

// DevelImage says where to compile with CUDA in a container whose image has CUDA's
// libraries and no nvcc: NVIDIA's images come for running and, as devel, for building
// (NVIDIA, CUDA container images, "Overview of Images"). "" elsewhere.
func DevelImage(f *facts.Facts) string {
	series := ""
	for _, name := range []string{"cuda", "cuda-runtime"} {
		for _, i := range f.Components[name] {
			if i.HasPart("nvcc") {
				return ""
			}
			series = cmp.Or(series, recipes.Series(i.Version))
		}
	}
	if series == "" || !slices.Contains([]string{"docker", "podman", "kubernetes", "apptainer"}, f.OS.Container) || f.OS.Board != "" {
		return ""
	}
	return lang.F("Build in the devel image of CUDA %s (nvidia/cuda:%s.x-cudnn-devel-…), which has nvcc and the headers. This image is made for running: what is built there runs here.", series, series)
}

// DriverHost says whose driver programs here use: wsl, container, jetson, or ""
// for this system's own.
func DriverHost(f *facts.Facts) string {
	switch {
	case f.OS.Board != "":
		return f.OS.Board
	case strings.HasPrefix(f.OS.Container, "wsl"):
		return "wsl"
	case f.OS.Container != "" && f.OS.Container != "chroot":
		return "container"
	}
	return ""
}

// onWSL reports whether the kernel is that of Windows Subsystem for Linux.
func onWSL(f *facts.Facts) bool {
	return strings.HasPrefix(f.OS.Container, "wsl") || strings.Contains(strings.ToLower(f.OS.Kernel), "microsoft")
}

// driverOS is the system whose NVIDIA driver programs here use: under WSL, and in a
// container there, it is Windows', which counts its versions otherwise.
func (e *evaluation) driverOS() string {
	if onWSL(e.facts) {
		return "windows"
	}
	return e.facts.OS.Family
}

// update says how to get another version of a component.
func (e *evaluation) update(name string, c recipes.Constraint) string {
	if text := OnJetson(name, e.facts); text != "" {
		return text
	}
	if name == "nvidia-driver" {
		last := e.branchFor(BestGPU(e.facts))
		if enough, err := check(c.String(), last+".999"); last != "" && last != "current" && err == nil && !enough {
			return lang.F("Keep the driver: branch %s is the last that supports this GPU. Use builds for an older CUDA, or the CPU.", last)
		}
		switch DriverHost(e.facts) {
		case "wsl":
			return lang.F("Install NVIDIA driver %s on Windows, then run: wsl --shutdown. Do not install a Linux driver inside WSL.", c)
		case "container":
			return lang.F("Install NVIDIA driver %s on the host, or use an image with an older CUDA.", c)
		}
	}
	if text := e.openposeAdvice(name); text != "" && (name == "cuda" || name == "cudnn") {
		return text
	}
	switch cuda, ok := e.facts.Active("cuda"); name {
	case "cudnn":
		if text := e.cudnnAdvice(&recipes.ComponentCheck{Version: c.String()}); text != "" || !ok {
			return cmp.Or(text, lang.F("Install cuDNN %s from NVIDIA's cuDNN archive.", c))
		}
		return lang.F("Install cuDNN %s for CUDA %d from NVIDIA's cuDNN archive.", c, major(cuda.Version))
	case "cuda":
		return lang.F("Install CUDA Toolkit %s from NVIDIA's CUDA archive; several toolkits can be installed side by side.", c)
	}
	return lang.F("Install %s %s.", recipes.Display(name), c)
}

// cudaGlibc finds a toolkit of NVIDIA's whose headers and glibc's both declare cospi and
// sinpi, with different exception specifications: those of glibc 2.41 and of CUDA
// before 13.0 (opencv/opencv issue 27111, NVIDIA/cuda-samples issue 378).
// Distributions correct the toolkits in their packages.
func cudaGlibc(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	for _, name := range []string{"opencv", "darknet", "openpose"} {
		if built, ok := e.facts.Active(name); ok && (built.Built.CUDA != "" || slices.Contains(built.Built.Backends, "cuda")) && slices.Contains(e.touched(), name) {
			return nil, false // it is built already
		}
	}
	compiles := slices.ContainsFunc(e.recipe.Requirements, func(q recipes.Requirement) bool {
		return q.Component != nil && q.Component.Name == "cuda" && slices.Contains(q.Component.Has, "nvcc") && e.asks(&q)
	})
	newer, err := check(">= 2.41", e.facts.OS.Libc.Version)
	if !compiles || !i.Active || !i.HasPart("nvcc") || e.facts.OS.Libc.Kind != "glibc" || err != nil || !newer || major(i.Version) >= 13 || major(i.Version) < 0 || !strings.HasPrefix(i.Path, "/usr/local/cuda") {
		return nil, false
	}
	vars := map[string]string{"glibc": e.facts.OS.Libc.Version, "series": recipes.Series(i.Version)}
	if runs, err := check(">= 7.5", BestGPU(e.facts)); err == nil && runs {
		vars["newer"] = "yes" // CUDA 13 has code for it
	}
	return vars, true
}

// gpuBusy finds GPUs of which other programs hold nearly all memory.
func gpuBusy(e *evaluation, s subject) (map[string]string, bool) {
	list := s.instance.Busy
	if len(list) == 0 || s.instance.Unusable != nil || !e.usesCUDA() {
		return nil, false
	}
	b := list[0]
	return map[string]string{"gpu": cmp.Or(b.Name, lang.T("the NVIDIA GPU")), "used": recipes.Bytes(b.Used).Human(), "memory": recipes.Bytes(b.Memory).Human(), "free": recipes.Bytes(b.Memory - min(b.Used, b.Memory)).Human()}, true
}
