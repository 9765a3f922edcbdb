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

// toolsetForCUDA finds that the toolset Visual Studio builds with by default is
// none that the CUDA toolkit supports, while another one that it supports is
// installed: the smallest change is to name that one.
func toolsetForCUDA(e *evaluation, s subject) (map[string]string, bool) {
	cuda, okCUDA := e.facts.Active("cuda")
	msvc, okMSVC := e.facts.Active("msvc")
	if !okCUDA || !okMSVC || e.accepts(cuda, msvc.Version) || e.newerThan("cuda-msvc", cuda, msvc.Version) {
		return nil, false
	}
	var other *facts.Instance
	for i := range e.facts.Components["msvc"] {
		c := &e.facts.Components["msvc"][i]
		if !c.Active && c.HasPart("cl") && e.accepts(cuda, c.Version) && (other == nil || newer(c.Version, other.Version)) {
			other = c
		}
	}
	if other == nil {
		return nil, false
	}
	vars := map[string]string{
		"cuda": cuda.Version, "default": msvc.Version, "other": other.Version, "family": other.Attrs["toolset"],
		"toolset": other.Attrs["toolset"],
	}
	if other.Attrs["toolset"] == msvc.Attrs["toolset"] {
		vars["toolset"] += ",version=" + recipes.Series(other.Version)
	}
	if limit, ok := HostLimit(cuda, "msvc"); ok {
		vars["limit"] = limit.Text
	}
	// The build customizations that count are those of the toolset's own Visual
	// Studio.
	for _, vs := range e.facts.Components["visual-studio"] {
		if vs.Path == other.Attrs["visual_studio"] && slices.Contains(vs.Has, "cuda-"+recipes.Series(cuda.Version)) {
			vars["integration"] = "cuda.vs-integration"
		}
	}
	e.documented(vars, other.Attrs["toolset"], cuda)
	return vars, true
}

// documented says whether OpenPose names this CUDA and cuDNN for the Visual
// Studio whose toolset is used.
func (e *evaluation) documented(vars map[string]string, toolset string, cuda facts.Instance) {
	vs := map[string]string{"v140": "14.0", "v141": "15.9", "v142": "16.11"}[toolset]
	release := e.recipe.Setting("release")
	if vs == "" || release == "" || !strings.HasPrefix(e.recipe.Name, "openpose") {
		return
	}
	given := map[string]string{"openpose": release, "os": e.facts.OS.Family, "visual-studio": vs}
	if v, _, err := e.tables.Choose("openpose", given, "cuda"); err == nil && recipes.Series(v) == recipes.Series(cuda.Version) {
		vars["openpose"] = "openpose.cuda"
	}
	cudnn, ok := e.facts.Active("cudnn")
	if v, _, err := e.tables.Choose("openpose", given, "cudnn"); err == nil && ok && major(v) == major(cudnn.Version) {
		vars["openpose-cudnn"] = "openpose.cudnn"
	}
}

func newer(a, b string) bool {
	x, errX := recipes.Version(a)
	y, errY := recipes.Version(b)
	return errX == nil && (errY != nil || x.GreaterThan(y))
}

// accepts reports whether a CUDA toolkit compiles with an MSVC: by what the
// toolkit's own header says, else by the table.
func (e *evaluation) accepts(cuda facts.Instance, msvc string) bool {
	if limit, ok := HostLimit(cuda, "msvc"); ok {
		holds, err := limit.Accepts.Check(msvc)
		return err == nil && holds
	}
	_, _, err := e.tables.Choose("cuda-msvc", map[string]string{"cuda": cuda.Version, "msvc": msvc}, "vs")
	return err == nil
}

// newerThan reports whether a toolkit is newer than a table of host compilers, and
// says nothing of them itself.
func (e *evaluation) newerThan(table string, cuda facts.Instance, compiler string) bool {
	column := strings.TrimPrefix(table, "cuda-")
	if _, ok := HostLimit(cuda, column); ok {
		return false
	}
	var newer *recipes.NewerError
	_, _, err := e.tables.Choose(table, map[string]string{"cuda": cuda.Version, column: compiler}, map[string]string{"msvc": "vs", "gcc": "gcc_max", "clang": "clang_max"}[column])
	return errors.As(err, &newer)
}

// cudnnImport finds cuDNN's import library where the usual finders do not look:
// OpenCV's FindCUDNN and Caffe's look in lib\x64.
func cudnnImport(e *evaluation, s subject) (map[string]string, bool) {
	if !slices.Contains(e.touched(), "visual-studio") {
		return nil, false // nothing is linked here: programs need the DLLs only
	}
	lib := s.instance.Places.Lib
	if !s.instance.HasPart("headers") || strings.HasSuffix(strings.ToLower(lib), `\x64`) {
		return nil, false
	}
	root := strings.TrimSuffix(s.instance.Attrs["include"], `\include`)
	if root == s.instance.Attrs["include"] || root == "" {
		return nil, false
	}
	vars := map[string]string{"wanted": root + `\lib\x64`}
	if lib != "" {
		vars["lib"] = lib + `\cudnn.lib`
	}
	return vars, true
}

// selectCopy says how to have programs find a copy that is installed already
// instead of the active one; "" where there is none.
func (e *evaluation) selectCopy(name string, accepts func(version string) bool) string {
	for _, other := range e.facts.Components[name] {
		if other.Active || other.Unusable != nil || !accepts(other.Version) || name == "cuda" && !e.compilesHere(other) {
			continue
		}
		e.selected = append(e.selected, name)
		switch {
		case name == "cuda" && e.facts.OS.Family == "windows":
			return lang.F(`CUDA %s is installed, too. Put %s\bin first on PATH, set CUDA_PATH to %s, and open a new terminal.`, other.Version, other.Path, other.Path)
		case name == "cuda":
			return lang.F("CUDA %s is installed, too. Put %s/bin first on PATH.", other.Version, other.Path)
		case (name == "gcc" || name == "clang") && other.Path != "":
			return lang.F("%s is installed, too: configure with -DCMAKE_CUDA_HOST_COMPILER=%s, or pass -ccbin %s to nvcc.", other.Path, other.Path, other.Path)
		}
	}
	return ""
}

// compilesHere reports whether a CUDA toolkit generates code for this machine's GPU
// and compiles with its MSVC; true where that is not known.
func (e *evaluation) compilesHere(cuda facts.Instance) bool {
	if msvc, ok := e.facts.Active("msvc"); ok && e.isWindows() && !e.accepts(cuda, msvc.Version) {
		return false
	}
	sm := BestGPU(e.facts)
	if sm == "" {
		return true
	}
	_, _, err := e.tables.Choose("cuda-sm", map[string]string{"sm": sm, "cuda": cuda.Version}, "generation")
	var none *recipes.NoRowError
	return !errors.As(err, &none)
}

// series lists the versions that a table's conditions on a column begin at,
// newest first.
func (e *evaluation) series(table, column string) []string {
	t, err := e.tables.Table(table)
	if err != nil {
		return nil
	}
	return t.Begins(column)
}

// advise notes the version of a component that a fix says to install.
func (e *evaluation) advise(component, version string) {
	if e.advised == nil {
		e.advised = map[string]string{}
	}
	e.advised[component] = version
}

// cudaNear is the oldest CUDA toolkit that a requirement takes, with code for the GPU
// here, whatever driver it needs: what is nearest to a machine whose driver is too old
// for all of them. Of two that need other changes beside them, the one with fewer.
func (e *evaluation) cudaNear(requirement recipes.Constraint) string {
	sm, best, least := BestGPU(e.facts), "", 0
	for _, v := range slices.Backward(e.series("cuda-driver", "cuda")) {
		if sm == "" || !holds(requirement, v) || !e.runsCUDA(v, sm, false) {
			continue
		}
		if points, ok := e.beside(v, nil); ok && (best == "" || points < least) {
			best, least = v, points
		}
		if best != "" && least == 0 {
			break
		}
	}
	return best
}

// cudaAdvice names the exact CUDA toolkit to install; "" leaves it to the recipe.
func (e *evaluation) cudaAdvice(c *recipes.ComponentCheck) string {
	requirement, err := recipes.ParseConstraint(c.Version)
	if err != nil || e.facts.OS.Board != "" {
		return ""
	}
	v, first := e.cudaFor(requirement, true), ""
	if family := e.facts.OS.Family; v == "" && (family == "windows" || family == "linux" && DriverHost(e.facts) == "") {
		if v = e.cudaFor(requirement, false); family == "linux" {
			v = e.cudaNear(requirement)
		}
		if least, _, err := e.tables.Choose("cuda-driver", map[string]string{"os": family, "cuda": v}, "driver_minor"); err == nil && v != "" {
			first = lang.F("Update the NVIDIA driver to %s or newer from https://www.nvidia.com/drivers. ", least)
			if family == "linux" {
				first = lang.F("Update the NVIDIA driver to %s or newer. ", least)
			}
		}
	}
	if v == "" {
		return ""
	}
	e.advise("cuda", v)
	text := lang.F("%sInstall CUDA Toolkit %s, which has code for this GPU (compute capability %s)", first, v, BestGPU(e.facts))
	if torch, ok := e.facts.Active("libtorch"); ok && slices.Contains(e.touched(), "libtorch") && strings.Contains(torch.Built.CUDA, ".") && holds(requirement, torch.Built.CUDA) && !e.replaced("libtorch") {
		v = torch.Built.CUDA
		text = lang.F("Install CUDA Toolkit %s, which the LibTorch in %s is built for", v, torch.Path)
	}
	if onWSL(e.facts) {
		return lang.F("%s, from NVIDIA's CUDA archive: choose WSL-Ubuntu there. The packages of the other distributions bring a Linux driver, which must not be installed inside WSL.", text)
	}
	if e.facts.OS.Family != "windows" {
		return lang.F("%s, from NVIDIA's CUDA archive.", text)
	}
	if p, ok := CUDAPackage(v, e.facts); ok {
		text += ": " + installCommand(p, e.facts.OS.User)
		if first == "" { // else the driver comes first, which is a person's to install
			e.do = &Action{Manager: p.Manager, Packages: p.Packages, Versions: p.Versions}
		}
	} else {
		text += lang.T(", from NVIDIA's CUDA archive")
	}
	if vs, ok := e.facts.Active("visual-studio"); (!ok || vs.Unusable != nil) && slices.Contains(e.touched(), "visual-studio") {
		return lang.F("First install Visual Studio. %s", text)
	}
	return text
}

// replaced reports whether the copy of a component that is here is to be replaced,
// for what it was built for does not serve.
func (e *evaluation) replaced(name string) bool {
	for i := range e.recipe.Requirements {
		c := e.recipe.Requirements[i].Component
		if _, applies := e.applies(e.recipe.Requirements[i].When); c == nil || c.Absent || !applies || !slices.Contains(names(c), name) {
			continue
		}
		if constraint, err := recipes.ParseConstraint(c.Version); err == nil {
			if i, ok := e.facts.Active(name); ok && i.Version != "" && !holds(constraint, i.Version) {
				return true
			}
		}
	}
	return false
}

// dnn42 is the least compute capability for CUDA in the dnn of OpenCV 4.2; 4.3 and newer
// ask for 3.0 (opencv/opencv pull request 16218).
const dnn42 = "5.3"

// opencvCUDAAdvice adds to the manual way the oldest OpenCV that compiles with the
// CUDA and cuDNN here; "" where the requirement is on no build with CUDA, or the
// two are not known.
func (e *evaluation) opencvCUDAAdvice(q *recipes.Requirement) string {
	const build = "Build OpenCV 4 with "
	cuda, ok := e.facts.Active("cuda")
	cudnn, okCuDNN := e.facts.Active("cudnn")
	manual := byHand(q, e.facts)
	if _, _, err := e.tables.Choose("cuda-sm", map[string]string{"sm": BestGPU(e.facts), "cuda": cuda.Version}, "generation"); err != nil || !e.acceptsCUDA(cuda.Version) {
		return "" // another CUDA comes first
	}
	if !ok || !okCuDNN || !strings.HasPrefix(manual, build) || !strings.Contains(manual, "OPENCV_DNN_CUDA") {
		return ""
	}
	least, reason := "", "do not compile with CUDA "+recipes.Series(cuda.Version)+" and cuDNN "+strconv.Itoa(major(cudnn.Version))
	for _, v := range e.series("opencv-cuda", "opencv") {
		if sm := BestGPU(e.facts); recipes.Series(v) == "4.2" && sm != "" && newer(dnn42, sm) {
			least, reason = "4.3", "have no code in dnn for compute capability "+sm
			continue
		}
		if major(v) == 4 && e.compiles(v, cuda.Version, cudnn.Version) == nil {
			least = v
		}
	}
	if least == "" {
		return ""
	}
	if lang.Current() != lang.English { // whose sentences begin otherwise
		return lang.Join(lang.F("OpenCV %s or newer is required.", least), Manual(q, e.facts))
	}
	return "Build OpenCV " + least + " or newer (older releases " + reason + ") with " + strings.TrimPrefix(Manual(q, e.facts), build)
}

// toolkitToInstall is the CUDA toolkit that a fix here names, or would.
func (e *evaluation) toolkitToInstall() string {
	least, err := recipes.ParseConstraint(">= 9.2")
	if err != nil {
		return ""
	}
	return cmp.Or(e.advised["cuda"], e.cudaFor(least, true), e.cudaFor(least, false))
}

// leastOpenCV is the oldest OpenCV 4 above a version ("" for any) that compiles with a
// CUDA toolkit and one of the releases of cuDNN; "" for none.
func (e *evaluation) leastOpenCV(above, cuda string, cudnn ...string) string {
	least := ""
	for _, v := range e.series("opencv-cuda", "opencv") {
		if major(v) == 4 && newer(v, above) && slices.ContainsFunc(cudnn, func(cudnn string) bool { return e.compiles(v, cuda, cudnn) == nil }) {
			least = v
		}
	}
	return least
}

// compiles is nil where an OpenCV compiles with a CUDA toolkit and a cuDNN, by the table.
func (e *evaluation) compiles(opencv, cuda, cudnn string) error {
	_, _, err := e.tables.Choose("opencv-cuda", map[string]string{"opencv": opencv, "cuda": cuda, "cudnn": cudnn}, "cxx")
	return err
}

// oldForCUDA is the oldest OpenCV 4 that compiles with the CUDA and the cuDNN here, for
// sources of a release that the table has and that does not; "" where they do, and where
// one of the two is not known.
func (e *evaluation) oldForCUDA(version string) string {
	cuda, ok := e.facts.Active("cuda")
	cudnn, found := e.facts.Active("cudnn")
	if !ok || !found || cuda.Version == "" || cudnn.Version == "" || !e.acceptsCUDA(cuda.Version) || newer("4.2", version) {
		return ""
	}
	var none *recipes.NoRowError
	if err := e.compiles(version, cuda.Version, cudnn.Version); !errors.As(err, &none) {
		return ""
	}
	return e.leastOpenCV(version, cuda.Version, cudnn.Version)
}

// cudnnAdvice names the exact cuDNN for the CUDA that is installed or advised.
func (e *evaluation) cudnnAdvice(c *recipes.ComponentCheck) string {
	requirement, err := recipes.ParseConstraint(c.Version)
	sm := BestGPU(e.facts)
	if err != nil || sm == "" || e.facts.OS.Board != "" {
		return ""
	}
	cuda, ok := e.facts.Active("cuda")
	switch {
	case !ok:
		any, _ := recipes.ParseConstraint(">= 9.2")
		cuda.Version = e.cudaFor(any, true)
	case e.replaced("cuda"): // by the one that its own fix names
		cuda.Version = cmp.Or(e.cudaBeside(), cuda.Version)
	}
	if cuda.Version == "" {
		return ""
	}
	// The cuDNN that leaves most beside it as it is; of those, what was published
	// comes before what is only expected to work, and then the newest.
	best, least := "", 0
	asked := e.askedCuDNN()
	for _, expected := range []bool{false, true} {
		for _, v := range e.series("cudnn-cuda", "cudnn") {
			if len(asked) > 0 && !slices.Contains(asked, major(v)) {
				continue
			}
			_, row, err := e.tables.Choose("cudnn-cuda", map[string]string{"cudnn": v, "cuda": cuda.Version, "sm": sm}, "gpus")
			if err != nil || (row.Basis == recipes.Expected) != expected || !holds(requirement, v) {
				continue
			}
			points, fits := e.beside(cuda.Version, map[string]string{"cudnn": v})
			if !fits {
				points = 1000 // what does not fit this CUDA has to be replaced anyway
			}
			if best == "" || points < least {
				best, least = v, points
			}
		}
	}
	if best == "" {
		return ""
	}
	e.advise("cudnn", best)
	text := lang.F("Install cuDNN %s for CUDA %d from NVIDIA's cuDNN archive. It supports this GPU (compute capability %s). ", best, major(cuda.Version), sm)
	return strings.TrimSpace(text + cudnnFile(best, cuda.Version, e.facts))
}

// askedCuDNN are the major versions of cuDNN that what the recipe is about asks for
// by name and does not find. No other serves it.
func (e *evaluation) askedCuDNN() (out []int) {
	for _, name := range e.touched() {
		for _, i := range e.facts.Components[name] {
			for _, n := range i.Needs {
				if v := cudnnMajor(n.Name); v > 0 && i.Active && !slices.Contains(out, v) {
					out = append(out, v)
				}
			}
		}
	}
	return out
}

// cudnnMajor is the major version in the name of a library of cuDNN
// (cudnn64_8.dll, libcudnn_ops.so.9); 0 for others.
func cudnnMajor(library string) int {
	low := strings.ToLower(library)
	digits := ""
	switch {
	case strings.HasPrefix(low, "cudnn"):
		_, digits, _ = strings.Cut(strings.TrimSuffix(low, ".dll"), "64_")
	case strings.HasPrefix(low, "libcudnn"):
		_, digits, _ = strings.Cut(low, ".so.")
	}
	v, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return v
}

// msvcName is a toolset as Visual Studio's installer names it: 14.39 of the v143
// family came with Visual Studio 2022 17.9 (toolset 14.3x and 17.x count alike).
func msvcName(series string) string {
	_, minor, _ := strings.Cut(series, ".")
	n, err := strconv.Atoi(minor)
	if err != nil {
		return "MSVC " + series
	}
	switch {
	case n >= 50:
		return lang.T("the MSVC v145 toolset (Visual Studio 2026)")
	case n >= 30 && n < 50:
		return lang.F("the MSVC v143 toolset %s (Visual Studio 2022 17.%d)", series, n-30)
	case n >= 20 && n < 30:
		return lang.F("the MSVC v142 toolset %s (Visual Studio 2019)", series)
	case n >= 10 && n < 20:
		return lang.F("the MSVC v141 toolset %s (Visual Studio 2017)", series)
	case n == 0:
		return lang.T("the MSVC v140 toolset (Visual Studio 2015)")
	}
	return "MSVC " + series
}
