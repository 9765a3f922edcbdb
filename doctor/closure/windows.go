package closure

import (
	"cmp"
	"context"
	"debug/pe"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// desk is what Windows' loader sees: the folders it searches, and what was read
// of the files in them.
type desk struct {
	ctx          context.Context
	h            *host.Host
	system, root string
	path         []string
	others       []string                     // folders of the copies found, where nothing searches
	images       map[string]*image            // by lower-case path; nil for what could not be read
	damaged      map[string]facts.FileProblem // as of world
	exports      map[string]map[string]bool   // by lower-case path of a runtime's DLL; nil for what could not be read
	dirs         map[string]map[string]string
	stats        map[string]string // files of Windows' own folders
	unread       map[string]bool   // folders that could not be looked into
	whole        bool              // System32 is listed as a whole
	lacks        []string          // API sets that this Windows does not have, by their beginnings
	read         int
	known        []string      // names of KnownDLLs, which only System32 is searched for
	stored       []string      // folders of WinSxS; nil where it was not listed yet
	delays       bool          // delay-loaded DLLs are looked up, too
	seen         func(Library) // as of world
}

func (w *desk) tell(name, by, file, state string, delay bool) {
	if w.seen != nil {
		w.seen(Library{Name: name, File: file, By: by, State: state, Delay: delay})
	}
}

// fillWindows adds the DLLs that the components' programs and libraries need and
// that Windows would not give them.
func fillWindows(ctx context.Context, h *host.Host, f *facts.Facts) error {
	w := newDesk(ctx, h, f.OS.Version)
	w.elsewhere(f)
	python := w.pythonFolder()
	for _, name := range slices.Sorted(maps.Keys(f.Components)) {
		list := f.Components[name]
		for i := range list {
			if list[i].Unusable != nil {
				continue
			}
			if name == "python" && list[i].Active || len(list[i].Imports) > 0 {
				w.pythonFiles(name, &list[i], python)
			}
			module := name == "onnxruntime" && w.pythonProvider(&list[i]) != ""
			if !list[i].Active && list[i].Attrs["program"] == "" && name != "openpose" && !module {
				if !hasActive(list) {
					list[i].Needs = append(list[i].Needs, damagedRoot(ctx, h, list[i].Attrs["lib"])...)
				}
				continue
			}
			if list[i].Unusable = w.foreign(list[i].Attrs["lib"]); list[i].Unusable != nil {
				continue
			}
			if roots := w.roots(name, &list[i]); len(roots) > 0 {
				if needs, loaded := w.needs(roots); ctx.Err() == nil {
					list[i].Needs = append(list[i].Needs, needs...)
					list[i].OwnRuntime = w.ownRuntime(loaded)
					list[i].Runtime = runtimeNeed(loaded)
				}
				if name == "opencv" && list[i].Built.Runtime == "" {
					list[i].Built.Runtime = w.runtime(roots)
				}
			}
			switch {
			case name == "cudnn":
				w.zlib(&list[i])
				w.cudnnParts(&list[i], w.h.DirOf(list[i].Path))
			case name == "libtorch", name == "caffe":
				w.cudnnParts(&list[i], list[i].Attrs["libdir"])
			case name == "openpose":
				w.ffmpeg(&list[i])
				if list[i].Built.Backends == nil {
					list[i].Built.Backends = w.openPoseBackends(openPoseTree(list[i].Path))
				}
				if cuda, file := w.caffeCUDA(openPoseTree(list[i].Path)); cuda != "" && cuda != list[i].Built.CUDA {
					list[i].Built.CUDA = cuda
					list[i].Evidence = append(list[i].Evidence, facts.Evidence{Kind: "file", Source: file, Detail: "CUDA " + cuda})
				}
			case name == "opencv":
				w.openCVFFmpeg(&list[i], &list[i])
			case name == "darknet": // the OpenCV beside it is its own
				list[i].Built.CuDNN = w.cudnnSeries(list[i].Attrs["program"])
				for j, cv := range f.Components["opencv"] {
					if cv.Places.Bin != "" && strings.EqualFold(cv.Places.Bin, list[i].Places.Bin) {
						w.openCVFFmpeg(&list[i], &f.Components["opencv"][j])
					}
				}
			case name == "onnxruntime" && list[i].HasPart("cuda"): // what it imports says more than its archive's name
				list[i].Built.CUDA = cmp.Or(w.cudaOf(&list[i]), list[i].Built.CUDA)
			}
		}
	}
	return ctx.Err()
}

// newDesk is what the loader of a Windows of that version (10.0.22631) sees.
func newDesk(ctx context.Context, h *host.Host, version string) *desk {
	root := h.Env("SystemRoot")
	if root == "" {
		root = `C:\Windows`
	}
	w := &desk{ctx: ctx, h: h, root: root, system: h.Join(root, "System32"), images: map[string]*image{}, damaged: map[string]facts.FileProblem{}, exports: map[string]map[string]bool{}, dirs: map[string]map[string]string{}, stats: map[string]string{}, unread: map[string]bool{}}
	for _, d := range h.PathDirs() {
		if len(d) > 2 && d[1] == ':' {
			w.path = append(w.path, strings.TrimRight(strings.ReplaceAll(d, "/", `\`), `\`))
		}
	}
	w.whole = w.at(w.system, "user32.dll") != "" && w.at(w.system, "advapi32.dll") != ""
	if w.whole && strings.HasPrefix(version, "6.") && w.at(w.system, "ucrtbase.dll") == "" {
		w.lacks = append(w.lacks, "api-ms-win-crt-")
	}
	if w.whole && strings.HasPrefix(version, "6.") { // microsoft/onnxruntime issue 15025
		w.lacks = append(w.lacks, "api-ms-win-core-heap-l2-")
	}
	if w.whole && strings.HasPrefix(version, "6.1") { // files of their own there
		w.lacks = append(w.lacks, "api-ms-win-downlevel-", "api-ms-win-core-path-") // the second since Windows 8
	}
	return w
}

// foreign is why programs here cannot load a library: it is made for another
// architecture. Windows for ARM runs x64 and x86 programs with their libraries.
func (w *desk) foreign(file string) *facts.Unusable {
	names := map[uint16]string{pe.IMAGE_FILE_MACHINE_AMD64: "x64", pe.IMAGE_FILE_MACHINE_I386: "x86", pe.IMAGE_FILE_MACHINE_ARM64: "arm64"}
	if !strings.HasSuffix(strings.ToLower(file), ".dll") || w.h.Arch != "amd64" {
		return nil
	}
	o := w.image(file)
	if o == nil || names[o.machine] == "" || names[o.machine] == "x64" {
		return nil
	}
	return &facts.Unusable{
		Reason: facts.WrongArch,
		Detail: lang.F("%s is made for %s, and the programs of this system are for x64", file, names[o.machine]),
		Remedy: lang.T("Install the build for x64 (win-x64, x86_64 or amd64 in its name) in place of it."),
	}
}

// runtime is the C runtime that MinGW's files were built for; "" where they cannot
// be read, or are not MinGW's.
func (w *desk) runtime(files []string) string {
	for _, file := range files {
		o := w.image(file)
		if o == nil || !strings.HasPrefix(strings.ToLower(w.h.Base(file)), "lib") {
			continue
		}
		for _, name := range o.imports {
			switch low := strings.ToLower(name); {
			case low == "msvcrt.dll":
				return "msvcrt"
			case strings.HasPrefix(low, "api-ms-win-crt-"), low == "ucrtbase.dll":
				return "ucrt"
			}
		}
	}
	return ""
}

var (
	cublasName = lazyregexp.New(`^cublas64_([0-9]+)\.dll$`)
	ortArchive = lazyregexp.New(`onnxruntime-win-x64-(?:gpu-)?(?:cuda([0-9]+)|gpu)-([0-9]+\.[0-9]+)`)
)

// cudaOf is the major version of CUDA that an ONNX Runtime is built for: what its
// CUDA provider imports, else what the name of its archive says. Archives of 1.17
// and 1.18 without cuda12 in the name are for CUDA 11.8 (ONNX Runtime, release
// notes of 1.17 and 1.18).
func (w *desk) cudaOf(in *facts.Instance) string {
	if o := w.image(w.h.Join(in.Attrs["libdir"], "onnxruntime_providers_cuda.dll")); o != nil {
		for _, name := range o.imports {
			if m := cublasName.FindStringSubmatch(strings.ToLower(name)); m != nil {
				return m[1]
			}
		}
	}
	m := ortArchive.FindStringSubmatch(strings.ToLower(in.Path))
	switch {
	case m == nil:
		return ""
	case m[1] != "":
		return m[1]
	case m[2] == "1.17" || m[2] == "1.18":
		return "11"
	}
	return ""
}

// cudnnSeries is the series of the cuDNN (8) that a program is linked with, "" for none.
func (w *desk) cudnnSeries(program string) string {
	o := w.image(program)
	if o == nil {
		return ""
	}
	for _, name := range w.imports(o) {
		if m := cudnnName.FindStringSubmatch(strings.ToLower(name)); m != nil {
			return m[1]
		}
	}
	return ""
}

var cudnnName = lazyregexp.New(`^cudnn64_([0-9]+)\.dll$`)

// zlib: cuDNN 8.3 to 8.8 loads zlibwapi.dll by name when it computes, and ends the
// program where it is missing ("Could not locate zlibwapi.dll"). Whether 8.9 does
// is not known. Source: NVIDIA, cuDNN 8 installation guide, Installing zlib.
func (w *desk) zlib(in *facts.Instance) {
	const name = "zlibwapi.dll"
	parts := strings.Split(in.Version, ".")
	if len(parts) < 2 || parts[0] != "8" || !slices.Contains([]string{"3", "4", "5", "6", "7", "8"}, parts[1]) || !strings.HasSuffix(strings.ToLower(in.Path), ".dll") {
		return
	}
	s := seat{file: in.Path, app: w.h.DirOf(in.Path)}
	if w.find(name, s) == "" && !w.unsure(s) {
		in.Needs = append(in.Needs, facts.Need{Name: name, By: in.Path, Cause: facts.OnCall, Elsewhere: w.beside(name)})
	}
}

// CuDNNParts are the libraries that cudnn64_8.dll and cudnn64_9.dll load by name
// for inference when they are first called (NVIDIA, cuDNN API reference of 8 and
// 9, "sub-libraries").
func CuDNNParts(major string) []string {
	switch major {
	case "8":
		return []string{"cudnn_ops_infer64_8.dll", "cudnn_cnn_infer64_8.dll", "cudnn_adv_infer64_8.dll"}
	case "9":
		return []string{"cudnn_graph64_9.dll", "cudnn_ops64_9.dll", "cudnn_cnn64_9.dll", "cudnn_adv64_9.dll", "cudnn_heuristic64_9.dll", "cudnn_engines_precompiled64_9.dll", "cudnn_engines_runtime_compiled64_9.dll"}
	}
	return nil
}

// cudnnParts notes the parts of the cuDNN in a folder that are missing while
// others are there: a virus scanner took one, or a copy was cut short. Of cuDNN
// itself, a 9 without any is noted, too. adv is for recurrent networks.
func (w *desk) cudnnParts(in *facts.Instance, dir string) {
	for _, major := range []string{"8", "9"} {
		main := "cudnn64_" + major + ".dll"
		if dir == "" || w.at(dir, main) == "" {
			continue
		}
		var missing []facts.Need
		there := 0
		s := seat{file: w.h.Join(dir, main), app: dir}
		for _, part := range CuDNNParts(major) {
			switch {
			case strings.HasPrefix(part, "cudnn_adv"):
			case w.at(dir, part) != "":
				there++
				in.Needs = append(in.Needs, w.spoilt(part, s.file, w.at(dir, part))...)
			case w.find(part, s) == "" && !w.unsure(s):
				missing = append(missing, facts.Need{Name: part, By: s.file, Cause: facts.PartMissing, Elsewhere: w.beside(part)})
			}
		}
		// A recording may name a few of them only.
		few := there > 0 && len(missing) <= 2
		alone := there == 0 && major == "9" && strings.EqualFold(in.Path, s.file) && w.at(dir, "torch_cpu.dll") == ""
		if few || alone && len(missing) == len(CuDNNParts(major))-1 {
			in.Needs = append(in.Needs, missing...)
		}
	}
}

// openPoseBackends is what an OpenPose computes with, by what its Caffe and its
// own library import; nil where that cannot be seen. Where the two cannot be read, the
// names of the binaries for the CPU tell (openpose-1.7.0-binaries-win64-cpu-…), and
// whether a whole set of DLLs has none of CUDA's.
func (w *desk) openPoseBackends(tree string) []string {
	for _, sub := range []string{"bin", `build\x64\Release`, `x64\Release`} {
		dir := w.h.Join(tree, sub)
		if w.at(dir, "OpenPoseDemo.exe") == "" {
			continue
		}
		dirs := []string{dir, w.h.Join(tree, `build\bin`)}
		caffe, own := w.image(w.in(dirs, "caffe.dll")), w.image(w.in(dirs, "openpose.dll"))
		if caffe == nil || own == nil {
			whole := !slices.ContainsFunc([]string{"openpose.dll", "caffe.dll", "gflags.dll", "glog.dll", "opencv_world*.dll"}, func(name string) bool { return w.in(dirs, name) == "" })
			gpu := slices.ContainsFunc([]string{"cudart64_*.dll", "cublas64_*.dll", "cudnn64_*.dll", "opencl.dll"}, func(name string) bool { return w.in(dirs, name) != "" })
			if !gpu && (whole || sub == "bin" && cpuBinaries.MatchString(tree)) {
				return []string{"cpu"}
			}
			return nil
		}
		uses := func(prefixes ...string) bool {
			return slices.ContainsFunc(slices.Concat(caffe.imports, own.imports), func(name string) bool {
				return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(strings.ToLower(name), p) })
			})
		}
		switch {
		case uses("cudart", "cublas", "cudnn", "curand", "nvcuda"):
			return []string{"cuda"}
		case uses("opencl"):
			return []string{"opencl"}
		case uses("libopenblas", "openblas", "mkl") && w.in(dirs, "cudart64_*.dll") == "":
			return []string{"cpu"}
		}
		return nil
	}
	return nil
}

// cpuBinaries tells OpenPose's binaries for the CPU by the name of their folder.
var cpuBinaries = lazyregexp.New(`(?i)openpose-[^\\]*-(?:only_)?cpu(?:[-_][^\\]*)?(?:\\|$)`)

var cudartName = lazyregexp.New(`^cudart64_([0-9]+)\.dll$`)

// caffeCUDA is the CUDA that an OpenPose's Caffe imports: more than one may lie beside
// it, as people copy an older caffe.dll into a newer build (OpenPose issue 996).
// cudart64_80 is of 8.0, cudart64_101 of 10.1; from 11 on one name serves a major version.
func (w *desk) caffeCUDA(tree string) (cuda, file string) {
	for _, sub := range []string{"bin", `build\x64\Release`, `x64\Release`} {
		dir := w.h.Join(tree, sub)
		if w.at(dir, "OpenPoseDemo.exe") == "" {
			continue
		}
		file = w.in([]string{dir, w.h.Join(tree, `build\bin`)}, "caffe.dll")
		caffe := w.image(file)
		if caffe == nil {
			return "", ""
		}
		for _, name := range caffe.imports {
			m := cudartName.FindStringSubmatch(strings.ToLower(name))
			if m == nil {
				continue
			}
			switch number := m[1]; {
			case len(number) == 2 && number >= "60": // cudart64_12 is of CUDA 12
				return number[:1] + "." + number[1:], file
			case len(number) == 3 && number < "110":
				return number[:2] + "." + number[2:], file
			default:
				return number[:2], file
			}
		}
		return "", ""
	}
	return "", ""
}

var worldName = lazyregexp.New(`^opencv_world([0-9]+)\.dll$`)

// ffmpeg: OpenCV opens most video files through a plugin that it loads by name
// from its own folder (opencv_videoio_ffmpeg450_64.dll; before 4.1 opencv_ffmpeg).
// Nothing is said of folders of which few files are known.
func (w *desk) ffmpeg(in *facts.Instance) {
	const whole = 18
	for _, sub := range []string{"bin", `build\x64\Release`} {
		dir := w.h.Join(openPoseTree(in.Path), sub)
		names := slices.Sorted(maps.Keys(w.list(dir)))
		if len(names) < whole || w.at(dir, "OpenPoseDemo.exe") == "" || slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, "ffmpeg") }) {
			continue
		}
		for _, n := range names {
			if m := worldName.FindStringSubmatch(n); m != nil {
				in.Needs = append(in.Needs, facts.Need{Name: "opencv_videoio_ffmpeg" + m[1] + "_64.dll", By: w.h.Join(dir, n), Cause: facts.OnCall})
				return
			}
		}
	}
}

var firstLibrary = lazyregexp.New(`^(?:lib)?opencv_(?:world|core)([0-9]+)\.dll$`)

// openCVFFmpeg: an OpenCV that was built with FFmpeg's ready-made plugin says so, and
// the plugin is not beside its DLLs. In is who needs it.
func (w *desk) openCVFFmpeg(in, opencv *facts.Instance) {
	dir, has := opencv.Places.Bin, opencv.Attrs["build.ffmpeg"]
	if !strings.HasPrefix(has, "YES") || !strings.Contains(has, "prebuilt") || dir == "" {
		return
	}
	names := slices.Sorted(maps.Keys(w.list(dir)))
	if w.unread[strings.ToLower(dir)] || slices.ContainsFunc(names, func(n string) bool { return strings.Contains(n, "ffmpeg") }) {
		return
	}
	for _, n := range names {
		if m := firstLibrary.FindStringSubmatch(n); m != nil {
			in.Needs = append(in.Needs, facts.Need{Name: "opencv_videoio_ffmpeg" + m[1] + "_64.dll", By: w.h.Join(dir, n), Cause: facts.OnCall})
			return
		}
	}
}

// list names what lies in a folder, by lower-case name.
func (w *desk) list(dir string) map[string]string {
	key := strings.ToLower(dir)
	if names, ok := w.dirs[key]; ok {
		return names
	}
	entries, err := w.h.ReadDir(w.ctx, dir)
	if err != nil && !host.IsNotExist(err) {
		w.unread[key] = true
	}
	names := map[string]string{}
	for _, e := range entries {
		if !e.Dir {
			names[strings.ToLower(e.Name)] = e.Name
		}
	}
	w.dirs[key] = names
	return names
}

// at is the file of that name in a folder; "" where there is none. Windows' own
// folders are too large to be listed for a few names.
func (w *desk) at(dir, name string) string {
	if strings.EqualFold(dir, w.system) || strings.EqualFold(dir, w.root) {
		file := w.h.Join(dir, name)
		if there, ok := w.stats[strings.ToLower(file)]; ok {
			return there
		}
		there := ""
		if info, err := w.h.Stat(w.ctx, file); err == nil && !info.Dir {
			there = file
		} else if err != nil && !host.IsNotExist(err) {
			w.unread[strings.ToLower(dir)] = true
		}
		w.stats[strings.ToLower(file)] = there
		return there
	}
	if spelled := w.list(dir)[strings.ToLower(name)]; spelled != "" {
		return w.h.Join(dir, spelled)
	}
	return ""
}

func (w *desk) image(file string) *image {
	key := strings.ToLower(file)
	if i, ok := w.images[key]; ok {
		return i
	}
	if w.read >= maxObjects {
		return nil
	}
	w.read++
	i, err := readImage(w.ctx, w.h, file, w.delays)
	if what := problem(err); what != "" {
		w.damaged[key] = what
	}
	if err != nil {
		i = nil // a recording has names without contents; nothing is said of such files
	}
	w.images[key] = i
	return i
}

// spoilt is the need for a file that Windows finds and that is no DLL, or only a
// part of one.
func (w *desk) spoilt(name, by, file string) []facts.Need {
	if w.image(file) != nil || w.damaged[strings.ToLower(file)] == "" {
		return nil
	}
	return []facts.Need{damaged(w.ctx, w.h, name, by, file, w.damaged[strings.ToLower(file)])}
}

// elsewhere are folders that hold DLLs of this machine, most likely ones first.
func (w *desk) elsewhere(f *facts.Facts) {
	add := func(dir string) {
		if dir = strings.TrimRight(dir, `\`); len(dir) > 3 && dir[1] == ':' && !slices.Contains(w.others, dir) && len(w.others) < 64 {
			w.others = append(w.others, dir)
		}
	}
	for _, dir := range f.OS.StalePath {
		add(dir)
	}
	defer func() { // the least likely ones
		for _, root := range []string{w.h.Env("VCPKG_ROOT"), `C:\vcpkg`} {
			if root != "" && len(w.list(w.h.Join(root, `installed\x64-windows\bin`))) > 0 {
				add(w.h.Join(root, `installed\x64-windows\bin`))
			}
		}
	}()
	for _, name := range slices.Sorted(maps.Keys(f.Components)) {
		for _, i := range f.Components[name] {
			add(i.Places.Bin)
			add(i.Attrs["libdir"])
			switch name {
			case "darknet": // AlexeyAB's tree brings pthreads along
				for _, dir := range []string{w.h.DirOf(i.Attrs["program"]), i.Path} {
					add(w.h.Join(dir, `3rdparty\pthreads\bin`))
				}
			case "opencv":
				w.openVINO(i.Attrs["libdir"], add)
			case "cuda":
				add(i.Path + `\bin`)
				add(i.Path + `\bin\x64`)
			case "openpose":
				for _, sub := range []string{`build\bin`, `build\x64\Release`, "bin", `3rdparty\windows\caffe\bin`, `3rdparty\windows\caffe3rdparty\bin`, `3rdparty\windows\opencv\x64\vc15\bin`} {
					add(w.h.Join(openPoseTree(i.Path), sub))
				}
			case "python": // NVIDIA's wheels
				for _, part := range []string{"cudnn", "cublas", "cuda_runtime", "cufft", "curand"} {
					add(w.h.Join(w.h.DirOf(i.Path), `Lib\site-packages\nvidia`, part, "bin"))
				}
			case "cudnn", "cuda-runtime", "mingw", "tensorrt":
				if at := strings.LastIndexByte(i.Path, '\\'); at > 0 {
					add(i.Path[:at])
				}
			}
		}
	}
}

// openVINO adds the folders of the OpenVINO that an OpenCV came with: up to 2022
// it lay in its folder opencv, and setupvars.bat put the others on PATH.
func (w *desk) openVINO(bin string, add func(string)) {
	top, ok := strings.CutSuffix(strings.ToLower(bin), `\opencv\bin`)
	if !ok {
		return
	}
	for _, sub := range []string{`deployment_tools\inference_engine\bin\intel64\Release`, `deployment_tools\ngraph\lib`, `deployment_tools\inference_engine\external\tbb\bin`, `runtime\bin\intel64\Release`, `runtime\3rdparty\tbb\bin`} {
		add(w.h.Join(bin[:len(top)], sub))
	}
}

// roots are the files that programs begin with. Python's and npm's copies are left
// out, as they load what they need by themselves, but for OpenCV's one module.
func (w *desk) roots(name string, in *facts.Instance) []string {
	var out []string
	add := func(file string) {
		low := strings.ToLower(file)
		if len(file) > 3 && file[1] == ':' && (strings.HasSuffix(low, ".dll") || strings.HasSuffix(low, ".exe") || strings.HasSuffix(low, ".pyd")) && !slices.Contains(out, file) {
			out = append(out, file)
		}
	}
	if in.Attrs["kind"] != "" {
		if name == "onnxruntime" {
			add(w.pythonProvider(in))
		}
		if name == "opencv-python" {
			for _, low := range slices.Sorted(maps.Keys(w.list(in.Path))) {
				if strings.HasPrefix(low, "cv2.") {
					add(w.at(in.Path, low))
				}
			}
			add(w.ownModule(in.Path))
		}
		return out
	}
	add(in.Attrs["program"])
	switch name {
	case "opencv":
		add(in.Attrs["lib"])
		w.modules(in, add)
	case "openpose":
		if strings.EqualFold(w.h.Base(in.Path), "Plugins") { // Unity's, which loads them from there
			add(w.at(in.Path, "openpose.dll"))
		}
		for _, sub := range []string{"bin", `build\x64\Release`, `x64\Release`} {
			dir := w.h.Join(openPoseTree(in.Path), sub)
			for _, low := range slices.Sorted(maps.Keys(w.list(dir))) {
				if strings.HasSuffix(low, ".exe") {
					add(w.at(dir, low))
				}
			}
		}
	case "onnxruntime", "libtorch", "caffe", "darknet", "ncnn", "tensorflow", "openvino", "tensorrt", "cudnn":
		add(in.Attrs["lib"])
		add(in.Path)
		if dir := in.Attrs["libdir"]; dir != "" {
			for _, part := range []string{"onnxruntime_providers_cuda.dll", "torch_cuda.dll", "torch_cpu.dll"} {
				add(w.at(dir, part))
			}
		}
	}
	return out
}

// pythonProvider is the DLL by which ONNX Runtime's Python package computes with CUDA,
// of the package that the Python on PATH imports. "" where another package in that folder
// may bring CUDA's and cuDNN's DLLs along: PyTorch, and those of NVIDIA.
func (w *desk) pythonProvider(in *facts.Instance) string {
	site := w.list(w.h.DirOf(in.Path))
	if in.Attrs["kind"] == "" || len(in.Imports) == 0 || !in.HasPart("cuda") || site["torch"] != "" || site["nvidia"] != "" {
		return ""
	}
	return w.at(w.h.Join(in.Path, "capi"), "onnxruntime_providers_cuda.dll")
}

// openPoseTree is the top of a tree that a folder of built libraries belongs to.
func openPoseTree(dir string) string {
	for _, sub := range []string{`\build\x64\release`, `\x64\release`, `\build`} {
		if cut := len(dir) - len(sub); cut > 2 && strings.ToLower(dir[cut:]) == sub {
			return dir[:cut]
		}
	}
	return dir
}

// pythonFolder is where the python.exe lies that PATH finds first; "" for none, and for
// the alias of one of the Microsoft Store.
func (w *desk) pythonFolder() string {
	for _, dir := range w.path {
		if file := w.at(dir, "python.exe"); file != "" {
			if w.image(file) == nil {
				return ""
			}
			return dir
		}
	}
	return ""
}

// pythonFiles reads for which architecture a Python, or the module of a package that it
// imports, is made, and which Visual C++ runtime the module gets: the one beside
// python.exe comes before the system's, as python.exe has loaded it already.
func (w *desk) pythonFiles(name string, in *facts.Instance, python string) {
	arch := map[uint16]string{pe.IMAGE_FILE_MACHINE_AMD64: "amd64", pe.IMAGE_FILE_MACHINE_I386: "386", pe.IMAGE_FILE_MACHINE_ARM64: "arm64"}
	if name == "python" {
		if o := w.image(w.at(python, "python.exe")); python != "" && o != nil {
			in.Built.Arch = arch[o.machine]
		}
		return
	}
	var loaded []seat
	for _, dir := range []string{in.Path, w.h.Join(in.Path, "capi")} {
		for _, low := range slices.Sorted(maps.Keys(w.list(dir))) {
			if !strings.HasPrefix(low, "cv2.") && !strings.HasPrefix(low, "onnxruntime") {
				continue
			}
			if file := w.at(dir, low); strings.HasSuffix(low, ".pyd") || strings.HasSuffix(low, ".dll") {
				if o := w.image(file); o != nil {
					loaded = append(loaded, seat{file: file, o: o, app: python})
				}
			}
		}
	}
	if len(loaded) > 0 {
		in.Built.Arch = arch[loaded[0].o.machine]
	}
	if python != "" {
		in.OwnRuntime = w.ownRuntime(loaded)
	}
}

// openCVName are the names of its modules: 480 at their end, or 4, as vcpkg builds them.
var openCVName = lazyregexp.New(`^((?:lib)?opencv_)[a-z0-9_]*?([0-9]{3,5}|[0-9])\.dll$`)

// modules are the other DLLs of the copy's build. Plugins (videoio_ffmpeg and the
// like) are loaded if they can be, and left out.
func (w *desk) modules(in *facts.Instance, add func(string)) {
	own := openCVName.FindStringSubmatch(strings.ToLower(in.Attrs["soname"]))
	dir := in.Attrs["libdir"]
	if own == nil || dir == "" {
		return
	}
	// With MinGW, a module whose import library is here had a DLL.
	if lib := w.h.Join(w.h.DirOf(dir), "lib"); strings.EqualFold(w.h.Base(dir), "bin") {
		for _, low := range slices.Sorted(maps.Keys(w.list(lib))) {
			dll, ok := strings.CutSuffix(low, ".a")
			if m := openCVName.FindStringSubmatch(dll); ok && m != nil && m[1] == own[1] && m[2] == own[2] && w.list(dir)[dll] == "" {
				in.Needs = append(in.Needs, facts.Need{Name: dll, By: w.at(lib, low), Cause: facts.NotFound})
			}
		}
	}
	for _, low := range slices.Sorted(maps.Keys(w.list(dir))) {
		if m := openCVName.FindStringSubmatch(low); m != nil && m[1] == own[1] && m[2] == own[2] && !strings.Contains(low, "videoio_") {
			add(w.at(dir, low))
		}
	}
}

// seat is a file that the loader has loaded.
type seat struct {
	file string
	o    *image
	// app is the folder of the program; python: the rules of Python 3.8 and newer
	// for modules, which leave PATH out.
	app    string
	python bool
	sides  []string // folders of the side-by-side assemblies of the file and the program
	given  []string // to os.add_dll_directory
}

// needs are the DLLs that are missing or wrong, and the files that were loaded.
func (w *desk) needs(roots []string) (out []facts.Need, queue []seat) {
	add := func(n facts.Need) {
		if !slices.ContainsFunc(out, func(o facts.Need) bool { return strings.EqualFold(o.Name, n.Name) && o.Cause == n.Cause }) {
			out = append(out, n)
		}
	}
	loaded, files := map[string]bool{}, map[string]string{}
	for _, file := range roots {
		// A library's own folder counts as the program's: there it is copied, or
		// the folder is on PATH.
		s := seat{file: file, o: w.image(file), app: w.h.DirOf(file), python: strings.HasSuffix(strings.ToLower(file), ".pyd")}
		s.sides = w.sides(s.o, s.app)
		if s.python {
			s.given, _ = w.loaderFolders(w.h.DirOf(w.h.DirOf(file)))
		}
		queue = append(queue, s)
		loaded[strings.ToLower(w.h.Base(file))] = true
	}
	for i := 0; i < len(queue) && i < maxObjects; i++ {
		s := queue[i]
		if s.o == nil {
			more, needs := w.unreadRoot(s, loaded)
			for _, n := range needs {
				add(n)
			}
			queue = append(queue, more...)
			continue
		}
		for i, name := range w.imports(s.o) {
			delay := i >= len(s.o.imports)
			key := strings.ToLower(name)
			if loaded[key] {
				if n, lacks := w.entryPoint(name, s, files[key]); lacks {
					add(n)
				}
				continue
			}
			if s.python && strings.HasPrefix(key, "python3") { // Python itself has it
				if w.seen != nil {
					loaded[key] = true
					w.tell(name, s.file, "", System, delay)
				}
				continue
			}
			if w.ofWindows(key) {
				if w.seen != nil {
					loaded[key] = true
					w.tell(name, s.file, "", System, delay)
				}
				continue
			}
			loaded[key] = true
			file := w.find(name, s)
			if file == "" && w.unsure(s) {
				w.tell(name, s.file, "", Unknown, delay)
				continue
			}
			if file == "" {
				w.tell(name, s.file, "", Missing, delay)
				need := facts.Need{Name: name, By: s.file, Cause: facts.NotFound, Elsewhere: w.beside(name)}
				if ofDriver(key) {
					need.Cause, need.Elsewhere = facts.FromDriver, ""
				} else if delay {
					need.Cause = facts.OnCall
				}
				add(need)
				continue
			}
			files[key] = file
			if n, lacks := w.entryPoint(name, s, file); lacks {
				add(n)
			}
			if strings.EqualFold(w.h.DirOf(file), w.system) {
				w.tell(name, s.file, file, Found, delay)
				continue // Windows' own, or of its architecture by WOW64's rules
			}
			o := w.image(file)
			if o != nil && o.machine != s.o.machine && !(o.machine == pe.IMAGE_FILE_MACHINE_ARM64 && w.h.Arch == "arm64") {
				w.tell(name, s.file, file, WrongArch, delay)
				add(facts.Need{Name: name, By: s.file, Cause: facts.OtherArch, Found: file, Through: "PATH"})
				continue
			}
			spoilt := w.spoilt(name, s.file, file)
			w.tell(name, s.file, file, map[bool]string{true: Damaged, false: Found}[len(spoilt) > 0], delay)
			if o != nil {
				queue = append(queue, seat{file: file, o: o, app: s.app, python: s.python, given: s.given, sides: slices.Concat(w.sides(o, s.app), s.sides)})
			}
			for _, n := range spoilt {
				add(n)
			}
		}
	}
	return out, queue
}

// unreadRoot is what is known of a program that cannot be read: the DLLs that it needs, of
// which those that are here are walked, and what is wrong with them.
func (w *desk) unreadRoot(s seat, loaded map[string]bool) (more []seat, needs []facts.Need) {
	needs = w.spoilt(w.h.Base(s.file), s.file, s.file)
	for _, name := range w.knownImports(s.file) {
		if found := w.find(name, s); found != "" {
			key, o := strings.ToLower(w.h.Base(found)), w.image(found)
			needs = append(needs, w.spoilt(w.h.Base(found), s.file, found)...)
			if o != nil && !loaded[key] {
				loaded[key] = true
				more = append(more, seat{file: found, o: o, app: s.app, sides: w.sides(o, s.app)})
			}
			continue
		}
		if from := w.beside(name); from != "" || name == "openpose.dll" {
			if from != "" {
				name = w.h.Base(from)
			}
			needs = append(needs, facts.Need{Name: name, By: s.file, Cause: facts.NotFound, Elsewhere: from})
		}
	}
	return more, needs
}

// imports are the DLLs of the import table and, where they count, those that are
// loaded when they are first called.
func (w *desk) imports(o *image) []string {
	if !w.delays {
		return o.imports
	}
	return slices.Concat(o.imports, o.delayed)
}

// knownDLLs reads the names that Windows only ever loads from System32.
func (w *desk) knownDLLs() {
	key, err := w.h.RegistryKey(w.ctx, `HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\KnownDLLs`, "64")
	if err != nil {
		return // the usual order then
	}
	for _, v := range key.Values {
		w.known = append(w.known, strings.ToLower(v.String))
	}
}

// find follows Microsoft's "Dynamic-link library search order": KnownDLLs, side-by-side
// assemblies, the program's folder, System32, Windows, PATH. Names may have a star.
func (w *desk) find(name string, s seat) string {
	if slices.Contains(w.known, strings.ToLower(name)) {
		return w.at(w.system, name)
	}
	dirs := slices.Concat(s.sides, []string{s.app, w.h.DirOf(s.file), w.system, w.root})
	if s.python {
		dirs = append(dirs, s.given...)
		for _, dir := range w.path {
			if w.at(dir, "python.exe") != "" {
				dirs = append(dirs, dir)
			}
		}
	} else {
		dirs = append(dirs, w.path...)
	}
	return w.in(dirs, name)
}

func (w *desk) in(dirs []string, name string) string {
	for _, dir := range dirs {
		if !strings.Contains(name, "*") {
			if file := w.at(dir, name); file != "" {
				return file
			}
			continue
		}
		if strings.EqualFold(dir, w.system) || strings.EqualFold(dir, w.root) {
			continue
		}
		for _, low := range slices.Sorted(maps.Keys(w.list(dir))) {
			if ok, err := path.Match(name, low); ok && err == nil && !strings.HasSuffix(low, "d.dll") {
				return w.at(dir, low)
			}
		}
	}
	return ""
}

func (w *desk) beside(name string) string { return w.in(w.others, name) }

// unsure: a folder that is searched could not be listed.
func (w *desk) unsure(s seat) bool {
	return slices.ContainsFunc(append([]string{s.app, w.system, w.root}, w.path...), func(dir string) bool { return w.unread[strings.ToLower(dir)] })
}

// knownImports are DLLs that programs need whose files cannot be read here.
// Source: OpenPose 1.7.0, src/openpose/CMakeLists.txt and doc/installation (the
// DLLs of build\bin are copied beside the programs).
func (w *desk) knownImports(file string) []string {
	if strings.EqualFold(w.h.Base(file), "OpenPoseDemo.exe") {
		return []string{"openpose.dll", "caffe.dll", "opencv_world*.dll", "gflags.dll", "glog.dll"}
	}
	return nil
}

// ofWindows: API sets are names that every Windows resolves by itself, but for
// those of the C runtime before Windows 10 (Microsoft, KB2999226) and the downlevel
// ones of Windows 7 (KB2670838), and where
// a recording does not list all of System32, its usual libraries are taken for
// granted.
func (w *desk) ofWindows(name string) bool {
	if slices.ContainsFunc(w.lacks, func(set string) bool { return strings.HasPrefix(name, set) }) {
		return false
	}
	if strings.HasPrefix(name, "api-ms-") || strings.HasPrefix(name, "ext-ms-") {
		return true
	}
	return !w.whole && slices.Contains(usual(), strings.TrimSuffix(name, ".dll"))
}

var usual = sync.OnceValue(func() []string {
	return strings.Fields(`advapi32 avicap32 avifil32 avrt bcrypt cabinet cfgmgr32 combase comctl32 comdlg32 credui crypt32 cryptbase
		d2d1 d3d10 d3d11 d3d12 d3d9 d3dcompiler_47 dbghelp ddraw dhcpcsvc dinput8 dnsapi dsound dwmapi dwrite dxcore dxgi dxva2 evr
		gdi32 gdiplus glu32 hid imagehlp imm32 iphlpapi kernel32 kernelbase ksuser mpr msacm32 msdmo msimg32 msvcp_win msvcrt msvfw32
		mswsock ncrypt netapi32 normaliz ntdll ole32 oleacc oleaut32 opengl32 pdh powrprof propsys psapi quartz rpcrt4 secur32
		setupapi shcore shell32 shlwapi sspicli ucrtbase urlmon user32 userenv usp10 uxtheme version wevtapi windowscodecs winhttp
		wininet winmm winspool.drv wintrust wldap32 ws2_32 wsock32 wtsapi32 xinput1_4 xinput9_1_0`)
})

// ofDriver: only a GPU's driver brings these.
func ofDriver(name string) bool {
	return slices.Contains([]string{"nvcuda.dll", "nvcuvid.dll", "nvencodeapi64.dll", "nvml.dll", "nvopencl64.dll", "opencl.dll", "vulkan-1.dll"}, name)
}
