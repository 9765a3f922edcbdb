package judge

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// carriedCUDA compares the CUDA that a copy brings along with the card: the
// toolkit installed on the machine has no say in what such a program runs.
func carriedCUDA(e *evaluation, s subject) (map[string]string, bool) {
	cuda, sm := s.instance.Built.CUDA, BestGPU(e.facts)
	if cuda == "" || sm == "" || e.recipe.Setting("gpu") == "cpu" || e.recipe.Setting("gpu") == "opencl" {
		return nil, false
	}
	whole := cuda
	if !strings.Contains(cuda, ".") {
		whole += ".99" // one DLL serves a major version: the newest is assumed
	}
	var none *recipes.NoRowError
	if _, _, err := e.tables.Choose("cuda-sm", map[string]string{"sm": sm, "cuda": whole}, "generation"); !errors.As(err, &none) {
		return nil, false
	}
	for _, step := range []string{"8.0", "9.0", "10.0", "11.0", "11.1", "11.8", "12.8", "13.0"} {
		if _, _, err := e.tables.Choose("cuda-sm", map[string]string{"sm": sm, "cuda": step}, "generation"); err == nil {
			file := ""
			for _, ev := range s.instance.Evidence {
				if ev.Detail == "CUDA "+cuda {
					file = ev.Source
				}
			}
			if newer, err := check("> "+whole, step); err != nil || !newer {
				step = "" // the card is too old for it
			}
			vars := map[string]string{"sm": sm, "cuda": cuda, "least": step, "file": file}
			if s.name == "openpose" {
				vars["release"] = e.openposeFor(sm)
			}
			return vars, true
		}
	}
	return nil, false // a card that the table does not have
}

// openposeFor is the newest release of OpenPose for Windows whose CUDA has code for a card;
// "" where none has, and where it is the one that is asked for.
func (e *evaluation) openposeFor(sm string) string {
	for _, release := range e.recipe.Parameters["release"].Choices {
		for _, studio := range e.series("openpose", "visual-studio") {
			cuda, _, err := e.tables.Choose("openpose", map[string]string{"openpose": release, "os": "windows", "visual-studio": studio}, "cuda")
			if err != nil || release == "master" {
				continue
			}
			if _, _, err := e.tables.Choose("cuda-sm", map[string]string{"sm": sm, "cuda": cuda}, "generation"); err == nil {
				if release == e.recipe.Setting("release") {
					return ""
				}
				return release
			}
		}
	}
	return ""
}

// pythonModule finds what a Python module needs and Python does not search for.
func pythonModule(_ *evaluation, s subject) (map[string]string, bool) {
	var names, from []string
	by := ""
	if s.name == "opencv-python" && s.instance.Attrs["package"] != "" {
		return nil, false // its packages bring what they need beside Windows' own
	}
	for _, n := range s.instance.Needs {
		if n.Cause != facts.NotFound || !strings.HasSuffix(strings.ToLower(n.By), ".pyd") {
			continue
		}
		by, names = n.By, append(names, n.Name)
		if i := strings.LastIndexByte(n.Elsewhere, '\\'); i > 0 && !slices.Contains(from, n.Elsewhere[:i]) {
			from = append(from, n.Elsewhere[:i])
		}
	}
	if by == "" {
		return nil, false
	}
	var add []string
	for _, dir := range from {
		add = append(add, `os.add_dll_directory(r"`+dir+`")`)
	}
	name := "pyopenpose"
	if s.name == "opencv-python" {
		name = "cv2"
	}
	return map[string]string{
		"import": name, "module": by, "missing": strings.Join(names, ", "), "dir": by[:strings.LastIndexByte(by, '\\')], "from": strings.Join(from, lang.T(" and ")), "folders": strings.Join(from, ";"), "add": strings.Join(add, lang.T(" and ")),
	}, true
}

// gocvModules names the contrib modules that gocv links on Windows and that an
// OpenCV built with MinGW does not have. gocv names every library there
// (-lopencv_face481 …; cgo.go of gocv 0.31 to 0.43), so it does not link without.
func gocvModules(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	if !e.isWindows() || i.Built.Compiler != "mingw" || e.recipe.Verify == nil || e.recipe.Verify.Engine != "gocv" {
		return nil, false
	}
	if i.HasPart("world") {
		return nil, false // gocvWorld's
	}
	var missing []string
	for _, module := range []string{"face", "tracking", "xfeatures2d", "img_hash"} {
		if !i.HasPart(module) {
			missing = append(missing, module)
		}
	}
	return map[string]string{"missing": strings.Join(missing, ", ")}, len(missing) > 0
}

// runtime compares the Visual C++ runtime with what needs it: a toolset that
// programs are compiled with, or a library that was.
func runtime(e *evaluation, s subject) (vars map[string]string, have, needs int, ok bool) {
	redist, found := e.facts.Active("vcredist")
	if !found || !e.isWindows() {
		return nil, 0, 0, false
	}
	have = minor14(redist.Version)
	switch {
	case s.name == "msvc":
		needs = minor14(s.instance.Version)
	case s.instance.Runtime != nil:
		// The files' imports were read: what is missing of them are Needs.
	case s.name == "libtorch", s.name == "onnxruntime": // both are built with Visual Studio 2019 or newer from these releases on
		least := map[string]string{"libtorch": ">= 1.5", "onnxruntime": ">= 1.4"}[s.name]
		if newer, err := check(least, s.instance.Version); err == nil && newer {
			needs = 20
		}
	}
	if s.name == "opencv" && s.instance.Built.Compiler == "msvc" && s.instance.Runtime == nil {
		needs = map[string]int{"v142": 20, "v143": 30, "v145": 50}[s.instance.Built.Toolset]
	}
	vars = map[string]string{"runtime": redist.Version}
	return vars, have, needs, have > 0 && needs > have
}

// runtimeTooOld: x64 programs compiled with 14.20 or newer do not start without
// vcruntime140_1.dll, which came with that runtime.
func runtimeTooOld(e *evaluation, s subject) (map[string]string, bool) {
	vars, have, needs, ok := runtime(e, s)
	missed := slices.ContainsFunc(s.instance.Needs, func(n facts.Need) bool {
		return n.Cause == facts.NotFound && strings.EqualFold(n.Name, "vcruntime140_1.dll")
	})
	return vars, ok && have < 20 && needs >= 20 && !missed // library-missing says so
}

// runtimeCrash: the files use std::mutex as MSVC 14.40 and newer compile it, and
// crash with the runtime that came with Visual Studio 2022 before 17.8. Where their
// imports could not be read: ONNX Runtime 1.18.1, and 1.21 and newer; releases between
// were compiled to do without (microsoft/onnxruntime pull request 21005). PyTorch does so
// since 2.9 (pytorch/pytorch issue 169429).
func runtimeCrash(e *evaluation, s subject) (map[string]string, bool) {
	vars, have, _, _ := runtime(e, s)
	needs := 0
	switch r := s.instance.Runtime; {
	case r != nil:
		needs = minor14(r.Version)
	case s.name == "onnxruntime" && ortNeeds38(s.instance.Version):
		needs = 38
	case s.name == "libtorch" && torchNeeds38(s.instance.Version):
		needs = 38
	}
	return vars, s.instance.OwnRuntime == nil && have >= 20 && needs > have && e.usesSystemRuntime(*s.instance)
}

// usesSystemRuntime reports whether a copy gets the msvcp140.dll of System32. In a wheel
// it does where pip put it into the Python of python.org, which brings vcruntime140.dll
// alone; conda's environments have a runtime of their own.
func (e *evaluation) usesSystemRuntime(i facts.Instance) bool {
	if i.Attrs["kind"] != "wheel" {
		return i.Attrs["kind"] == ""
	}
	low := strings.ToLower(i.Path)
	return i.Attrs["package"] != "" && !strings.Contains(low, "conda") && !strings.Contains(low, `\envs\`)
}

// entryPoint: a DLL of the Visual C++ runtime does not export what a file imports.
func entryPoint(e *evaluation, s subject) (map[string]string, bool) {
	vars, ok := needVars(e, s, func(n facts.Need) bool { return n.Cause == facts.TooOld })
	if redist, found := e.facts.Active("vcredist"); ok && found && vars["copy-in-system"] == "" && inSystem32(folderOf(redist.Path)) {
		vars["system"] = redist.Version
	}
	return vars, ok
}

func ortNeeds38(version string) bool {
	newer, err := check(">= 1.21", version)
	return err == nil && (newer || version == "1.18.1")
}

func torchNeeds38(version string) bool {
	newer, err := check(">= 2.9", version)
	return err == nil && newer
}

// ownRuntime makes the relation for a Visual C++ runtime beside a copy's files
// that is older than they need; crash tells those with which they are known to
// crash (std::mutex before 14.40, ONNX Runtime before 14.38) from the others.
func ownRuntime(crash bool) relation {
	return func(e *evaluation, s subject) (map[string]string, bool) {
		own := s.instance.OwnRuntime
		if own == nil {
			return nil, false
		}
		have, needs, crashes := minor14(own.Version), minor14(own.Linker), false
		switch r := s.instance.Runtime; {
		case r != nil:
			crashes = minor14(r.Version) > have
		case s.name == "onnxruntime" && ortNeeds38(s.instance.Version) && have < 38:
			needs, crashes = max(needs, 38), true
		default:
			crashes = needs >= 40 && have < 40
		}
		vars := map[string]string{"copy": own.File, "have": own.Version, "by": own.By, "needs": "14." + strconv.Itoa(needs), "folder": folderOf(own.File)}
		if redist, ok := e.facts.Active("vcredist"); ok && minor14(redist.Version) >= needs {
			vars["system"] = redist.Version
		}
		if dir, _, ok := strings.Cut(strings.ToLower(own.By), `\lib\site-packages\`); ok && strings.EqualFold(folderOf(own.File), dir) {
			vars["python"], vars["pip"] = "yes", e.pip()
		}
		// Python's packages are built to do with older runtimes; what crashes is known.
		return vars, have > 0 && needs > have && crash == crashes && (crash || s.instance.Attrs["kind"] == "")
	}
}

// runtimeMutex: std::mutex of 14.40 (Visual Studio 2022 17.10) has a constexpr
// constructor, which older runtimes crash on.
func runtimeMutex(e *evaluation, s subject) (map[string]string, bool) {
	vars, have, needs, ok := runtime(e, s)
	return vars, ok && have >= 20 && have < 40 && needs >= 40
}

func minor14(version string) int {
	parts := strings.Split(version, ".")
	if len(parts) < 2 || parts[0] != "14" {
		return 0
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		return 0
	}
	return n
}

// dllOfAnother finds a DLL of another program that Windows takes for one of the same
// name, and that lacks a function which a file here imports of it.
func dllOfAnother(e *evaluation, s subject) (map[string]string, bool) {
	vars, ok := needVars(e, s, func(n facts.Need) bool { return n.Cause == facts.OtherDLL })
	if !ok {
		return nil, false
	}
	vars["own-folder"] = folderOf(vars["elsewhere"])
	return vars, true
}

// mingwTarget finds an OpenCV for 64-bit programs that MinGW built, and a MinGW on PATH
// that builds for another machine. Recipes that ask for MinGW say so themselves.
func mingwTarget(e *evaluation, s subject) (map[string]string, bool) {
	mingw, ok := e.facts.Active("mingw")
	i := s.instance
	// A copy for another machine than this one is unusable, which is said already.
	if !ok || !i.Active || i.Unusable != nil || i.Built.Compiler != "mingw" || e.facts.OS.Arch != "amd64" || e.requires("mingw") {
		return nil, false
	}
	theirs := map[string]string{"386": lang.T("32-bit (i686)"), "arm64": "ARM64"}[mingw.Makes.Target]
	return map[string]string{"theirs": theirs, "compiler": mingw.Path, "folder": folderOf(mingw.Path)}, theirs != ""
}
