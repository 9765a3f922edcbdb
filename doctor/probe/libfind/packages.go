package libfind

import (
	"cmp"
	"context"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/doctor/probe/loader"
	"github.com/deployctl/deployctl/doctor/probe/opencv"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

const (
	// maxPackageDirs bounds the folders of Python and Node packages looked at.
	maxPackageDirs = 96
	// maxPackages bounds the packages read.
	maxPackages = 128
)

// site is a folder of Python packages.
type site struct {
	dir string
	// env is the environment's root: wheels of MKL and TBB put their libraries
	// into its lib. "" for the distribution's own Python, whose lib is the system's.
	env string
	// imported: the Python that PATH finds first looks here.
	imported bool
}

var pythonFolder = lazyregexp.New(`(?i)^(?:python|pypy)[-_]?[0-9][0-9.]*t?(?:-(?:32|64|arm64))?$`)

// condas are the names of the folders that conda's installers unpack into.
var condas = []string{"miniconda3", "anaconda3", "miniforge3", "mambaforge", "micromamba"}

// sites are the folders of Python packages: of the environment that is active,
// of every Python on PATH, the user's, the system's, and those of the usual
// managers.
func (w *world) sites(ctx context.Context) []site {
	roots, first := w.pythonRoots(ctx)
	// Its real name says which of several folders it looks into: python3.10.
	series := strings.TrimPrefix(path.Base(w.real(ctx, first+"/bin/python3")), "python3")
	var out []site
	add := func(dir, env string, imported bool) {
		same := func(s site) bool { return s.dir == dir || w.h.Windows() && strings.EqualFold(s.dir, dir) }
		if len(out) < maxPackageDirs && !slices.ContainsFunc(out, same) {
			out = append(out, site{dir, env, imported})
		}
	}
	for _, root := range roots {
		root = w.real(ctx, root)
		if w.h.Windows() {
			add(w.h.Join(root, `Lib\site-packages`), root, strings.EqualFold(root, first))
			continue
		}
		// The distribution's Python looks into /usr/local and the user's folder, too.
		looks := root == first || strings.HasPrefix(first, "/usr") && root == w.envPath("HOME")+"/.local" || first == "/usr" && root == "/usr/local"
		lib := path.Join(root, "lib")
		for _, e := range w.list(ctx, lib) {
			if pythonFolder.MatchString(e.Name) || e.Name == "python3" {
				env := root
				if root == "/usr" {
					env = ""
				}
				imported := looks && (series == "" || e.Name == "python3" || e.Name == "python3"+series)
				add(path.Join(lib, e.Name, "site-packages"), env, imported)
				add(path.Join(lib, e.Name, "dist-packages"), env, imported)
			}
		}
	}
	if w.h.Windows() {
		w.storeSites(ctx, first, add)
	}
	if place := w.envPath("APPDATA"); w.h.Windows() && place != "" {
		for _, e := range w.list(ctx, w.h.Join(place, "Python")) {
			if pythonFolder.MatchString(e.Name) {
				add(w.h.Join(place, "Python", e.Name, "site-packages"), "", false)
			}
		}
	}
	return out
}

// storeSites are the folders into which the pip of a Python of the Microsoft Store
// installs: its own folder is not to be written to. Where more than one is here, which of
// them the alias on PATH starts is not known.
func (w *world) storeSites(ctx context.Context, first string, add func(dir, env string, imported bool)) {
	local := w.envPath("LOCALAPPDATA")
	if local == "" {
		return
	}
	var dirs []string
	for _, e := range w.list(ctx, w.h.Join(local, "Packages")) {
		if series, ok := strings.CutPrefix(e.Name, "PythonSoftwareFoundation.Python."); ok {
			series, _, _ = strings.Cut(series, "_")
			dirs = append(dirs, w.h.Join(local, "Packages", e.Name, `LocalCache\local-packages\Python`+strings.ReplaceAll(series, ".", ""), "site-packages"))
		}
	}
	alias := w.h.Join(local, `Microsoft\WindowsApps`)
	for _, dir := range dirs {
		add(dir, "", len(dirs) == 1 && strings.EqualFold(strings.TrimRight(first, `\`), alias))
	}
}

// pythonRoots are the folders that hold a Python: /usr, a virtual environment,
// a conda environment, C:\Python312. First is that of the Python which PATH finds
// first, "" for one behind a version manager's program.
func (w *world) pythonRoots(ctx context.Context) (roots []string, first string) {
	h, found := w.h, false
	roots = []string{w.envPath("VIRTUAL_ENV"), w.envPath("CONDA_PREFIX")}
	each := func(base string, below ...string) { // every folder in base
		if base == "" {
			return
		}
		for _, e := range w.list(ctx, base) {
			roots = append(roots, h.Join(append([]string{base, e.Name}, below...)...))
		}
	}
	conda := func(base string) {
		for _, name := range condas {
			if base != "" && w.entry(ctx, base, name) != "" {
				roots = append(roots, h.Join(base, name))
				each(h.Join(base, name, "envs"))
			}
		}
	}
	program, scripts := "python3", "bin"
	if h.Windows() {
		program, scripts = "python.exe", "Scripts"
	}
	for _, d := range h.PathDirs() {
		if !look.IsPath(d) || w.entry(ctx, strings.TrimRight(d, `\/`), program) == "" {
			continue
		}
		d = w.real(ctx, strings.TrimRight(d, `\/`)) // /bin is /usr/bin on every merged system
		if strings.EqualFold(h.Base(d), scripts) {
			d = h.DirOf(d)
		} else if !h.Windows() {
			d = ""
		}
		if !found {
			first, found = d, true
		}
		roots = append(roots, d)
	}
	home := w.envPath("HOME")
	if h.Windows() {
		home = w.envPath("USERPROFILE")
		for _, place := range []string{h.Join(h.Env("LOCALAPPDATA"), `Programs\Python`), h.Env("ProgramFiles"), `C:\`} {
			if !look.IsPath(place) || len(place) < 3 || place[1] != ':' {
				continue
			}
			for _, e := range w.list(ctx, place) {
				if pythonFolder.MatchString(e.Name) {
					roots = append(roots, h.Join(place, e.Name))
				}
			}
		}
		conda(w.envPath("ProgramData"))
	} else {
		if home != "" {
			roots = append(roots, home+"/.local")
		}
		roots = append(roots, "/usr/local", "/usr")
	}
	conda(home)
	pyenv := w.envPath("PYENV_ROOT")
	if home != "" {
		if pyenv == "" && w.entry(ctx, home, ".pyenv") != "" {
			pyenv = h.Join(home, ".pyenv")
			if h.Windows() {
				pyenv = h.Join(pyenv, "pyenv-win")
			}
		}
		for _, venv := range []string{".venv", "venv", "env"} {
			if w.entry(ctx, home, venv) != "" {
				roots = append(roots, h.Join(home, venv))
			}
		}
	}
	if pyenv != "" {
		each(h.Join(pyenv, "versions"))
	}
	if !h.Windows() {
		roots = append(roots, "/opt/venv", "/opt/conda", "/opt/homebrew")
	}
	if h.OS == "darwin" {
		each("/Library/Frameworks/Python.framework/Versions")
	}
	return slices.DeleteFunc(roots, func(root string) bool { return root == "" }), first
}

// wheels notes the copies inside Python packages. They serve Python (LibTorch's
// serves C++ too, where CMAKE_PREFIX_PATH leads to it).
func (w *world) wheels(ctx context.Context) {
	if !slices.ContainsFunc(w.specs, func(s spec) bool { return len(s.wheels) > 0 }) {
		return
	}
	read := 0
	for _, at := range w.sites(ctx) {
		lone := ""
		for _, e := range w.list(ctx, at.dir) {
			if ctx.Err() != nil || read >= maxPackages {
				return
			}
			switch low := strings.ToLower(e.Name); {
			case !at.imported:
			case low == "cv2" && w.entry(ctx, w.h.Join(at.dir, e.Name), "config.py") != "": // what OpenCV's own build installs
				lone = w.h.Join(at.dir, e.Name)
			case lone == "" && w.h.Windows() && strings.HasPrefix(low, "cv2.") && strings.HasSuffix(low, ".pyd"):
				lone = w.h.Join(at.dir, e.Name)
			}
			name, version, ok := parseInfoFolder(e.Name)
			if !ok {
				continue
			}
			for _, s := range w.searches {
				if !slices.Contains(s.spec.wheels, name) {
					continue
				}
				read++
				s.wheel(ctx, at, e.Name, name, version)
			}
		}
		for _, s := range w.searches {
			if lone != "" && s.spec.component == "opencv-python" && !slices.ContainsFunc(s.copies, func(c *copyOf) bool { return len(c.imports) > 0 && strings.HasPrefix(c.prefix, at.dir) }) {
				s.loneModule(ctx, at, lone)
			}
		}
	}
}

// loneModule notes OpenCV's module for Python where its own build put it, or a person:
// into the folder of the packages, without a package's metadata.
func (s *search) loneModule(ctx context.Context, at site, file string) {
	c := &copyOf{prefix: at.dir, kind: kindWheel, lib: file, imports: []string{"cv2 "}}
	c.note("file", file, "")
	if !strings.HasSuffix(strings.ToLower(file), ".pyd") {
		c.prefix, c.lib = file, "" // its config.py says where the DLLs are
		if s.h.OS == "linux" {
			c.lib = s.ownModule(ctx, file)
		}
	} else if m := moduleTag.FindStringSubmatch(strings.ToLower(s.h.Base(file))); m != nil && at.env != "" && s.entry(ctx, at.env, "python"+m[1]+m[2]+".dll") == "" && s.entry(ctx, at.env, "python.exe") != "" {
		built := m[1] + "." + m[2]
		c.unusable = &facts.Unusable{
			Reason: facts.Mismatch, Detail: lang.F("%s is built for Python %s, and the Python in %s is another: it does not see the module", file, built, at.env),
			Remedy: lang.F("Start the program with Python %s, or build OpenCV again with -DPYTHON3_EXECUTABLE=%s in an empty build folder.", built, s.h.Join(at.env, "python.exe")),
		}
	}
	if !slices.ContainsFunc(s.copies, func(o *copyOf) bool { return o.prefix == c.prefix }) {
		s.add(c)
	}
}

// ownModule is the module that OpenCV's own build installed: cv2/python-3.12/cv2.….so,
// which needs OpenCV's libraries ("" where it is not one alone).
func (s *search) ownModule(ctx context.Context, dir string) string {
	module := ""
	for _, folder := range s.list(ctx, dir) {
		if !strings.HasPrefix(folder.Name, "python-") {
			continue
		}
		for _, e := range s.list(ctx, s.h.Join(dir, folder.Name)) {
			if strings.HasPrefix(e.Name, "cv2.") && strings.HasSuffix(e.Name, ".so") {
				if module != "" {
					return ""
				}
				module = s.h.Join(dir, folder.Name, e.Name)
			}
		}
	}
	return module
}

// moduleTag is the Python that an extension module says in its name that it is for
// (PEP 3149): cv2.cp310-win_amd64.pyd. One of the stable ABI says none.
var moduleTag = lazyregexp.New(`\.cp(3)([0-9]+)-`)

func (s *search) wheel(ctx context.Context, at site, folder, name, version string) {
	file, detail := s.h.Join(at.dir, folder), version
	for _, meta := range []string{"METADATA", "PKG-INFO"} {
		f := s.h.Join(at.dir, folder, meta)
		text, _, err := s.h.ReadFile(ctx, f, 8<<10)
		if err != nil {
			s.unreadable(err)
			continue
		}
		if n, v := metadata(string(text)); n == name && bare(v) != "" {
			file, version, detail = f, v, "Version: "+v
		}
		break
	}
	if bare(version) == "" {
		return
	}
	prefix := s.h.Join(at.dir, moduleFolder(name))
	switch s.spec.component {
	case "mkl", "tbb", "onednn":
		if at.env == "" {
			return // Debian's python3-tbb binds the system's library and has none
		}
		prefix = at.env
		if s.h.Windows() {
			prefix = s.h.Join(at.env, "Library")
		}
	}
	var imports []string
	// What conda installed was built for what it installed beside it.
	if tool, _ := s.text(ctx, s.h.Join(at.dir, folder, "INSTALLER")); at.imported && strings.TrimSpace(tool) != "conda" {
		imports = []string{name + " " + look.Clean(version)}
	}
	defer func() {
		if name == "torch" && at.imported && s.h.OS == "linux" {
			s.mixedCUDA(ctx, at.dir, prefix)
		}
	}()
	for _, c := range s.copies {
		if c.prefix == prefix { // mkl and mkl-devel are one copy
			c.imports = append(c.imports, imports...)
			// conda-forge describes its one OpenCV as two packages of one version (4.10.0).
			gpu := strings.HasSuffix(name, "-gpu") != strings.HasSuffix(c.attrs["package"], "-gpu")
			if s.spec.oneWheel && name != c.attrs["package"] && (gpu || look.Clean(version) != c.attrs["package_version"] || strings.Count(version, ".") == 3) {
				c.conflict = lang.F("the packages %s %s and %s %s are both installed into %s, one over the other", c.attrs["package"], c.attrs["package_version"], name, look.Clean(version), prefix)
			}
			return
		}
	}
	c := &copyOf{prefix: prefix, version: bare(version), kind: kindWheel, imports: imports}
	c.set("package", name)
	c.set("package_version", look.Clean(version))
	if _, build, ok := strings.Cut(version, "+"); ok {
		c.set("build", look.Clean(build))
	}
	if s.spec.component == "ncnn" { // 1.0.20240820
		c.version = ncnnVersion(c.version)
	}
	for _, gpu := range []string{"-gpu", "-rocm", "-directml", "-openvino", "-qnn"} {
		if part, ok := strings.CutSuffix(name, gpu); ok && part != "" {
			c.add(map[string]string{"-gpu": "cuda"}[gpu])
			if gpu != "-gpu" {
				c.add(gpu[1:])
			}
		}
	}
	c.note("file", file, detail)
	switch s.spec.component {
	case "opencv-python":
		s.openCVWheel(ctx, c)
	case "libtorch":
		c.torchBuild(version)
		s.torchModule(ctx, c)
	case "onnxruntime":
		if name == "onnxruntime-gpu" {
			c.built.Build = "release"
		}
		s.onnxWheel(ctx, c)
	}
	s.add(c)
}

// onnxWheel says what ONNX Runtime's Python module can compute with: the providers
// that lie beside it. CPU and GPU packages differ in nothing else.
func (s *search) onnxWheel(ctx context.Context, c *copyOf) {
	module := false
	for _, e := range s.list(ctx, s.h.Join(c.prefix, "capi")) {
		name := strings.ToLower(e.Name)
		module = module || strings.HasPrefix(name, "onnxruntime_pybind11_state.")
		stem, _, _ := strings.Cut(strings.TrimPrefix(name, "lib"), ".")
		c.add(s.spec.parts[stem])
	}
	if module {
		c.built.Backends = c.computes()
	}
}

var ciBuild = lazyregexp.New(`(?m)^ci_build *= *(True|False)`)

// openCVWheel says what OpenCV's Python module was built for. The project's own
// wheels are built without CUDA and with OpenCL, OpenCV's default (opencv-python,
// README and setup.py); their version.py says that they are (find_version.py).
// Others carry OpenCV's build information.
func (s *search) openCVWheel(ctx context.Context, c *copyOf) {
	// 4.9.0.80 is OpenCV 4.9.0 in the wheel's 80th build.
	if parts := strings.Split(c.version, "."); len(parts) > 3 {
		c.version = strings.Join(parts[:3], ".")
	}
	if text, ok := s.text(ctx, s.h.Join(c.prefix, "version.py")); ok {
		if m := ciBuild.FindStringSubmatch(text); m != nil && m[1] == "True" {
			c.built.Backends = []string{"cpu", "opencl"}
		}
	}
	for _, e := range s.list(ctx, c.prefix) {
		if !strings.HasPrefix(e.Name, "cv2") || !strings.HasSuffix(e.Name, ".so") && !strings.HasSuffix(e.Name, ".pyd") {
			continue
		}
		file := s.h.Join(c.prefix, e.Name)
		if c.built.Backends != nil {
			c.lib = file
			return
		}
		info, ok, err := opencv.ReadBuildInfo(ctx, s.h, file)
		s.unreadable(err)
		if ok {
			c.lib, c.built.Backends = file, []string{"cpu"}
			info.Built(s.h.Arch, &c.built)
			for _, part := range []string{"cuda", "opencl"} {
				if opencv.Yes(info.Attrs()["build."+part]) {
					c.built.Backends = append(c.built.Backends, part)
				}
			}
			c.note("file", file, "build information of OpenCV "+info.Version)
			return
		}
	}
}

// moduleFolder is the folder that a Python package unpacks its module into.
func moduleFolder(name string) string {
	switch {
	case strings.HasPrefix(name, "onnxruntime"):
		return "onnxruntime"
	case strings.HasPrefix(name, "tensorflow"):
		return "tensorflow"
	case strings.HasPrefix(name, "opencv-"):
		return "cv2"
	case name == "mnn":
		return "MNN"
	}
	return strings.ReplaceAll(name, "-", "_")
}

// npm notes the copies inside Node packages that are installed for all projects.
func (w *world) npm(ctx context.Context) {
	h := w.h
	var dirs []string
	add := func(d string) { look.AddNew(&dirs, maxPackageDirs, d) }
	sep := ":"
	if h.Windows() {
		sep = ";"
	}
	for i, d := range strings.Split(h.Env("NODE_PATH"), sep) {
		if i < 16 && look.IsPath(d) && (path.IsAbs(d) || h.Windows() && len(d) > 2 && d[1] == ':') {
			add(d)
		}
	}
	if h.Windows() {
		if v := w.envPath("APPDATA"); v != "" {
			add(h.Join(v, `npm\node_modules`))
		}
		if v := w.envPath("USERPROFILE"); v != "" {
			add(h.Join(v, "node_modules"))
		}
	} else {
		for _, d := range []string{"/usr/lib", "/usr/local/lib", "/opt/homebrew/lib"} {
			add(d + "/node_modules")
		}
		if home := w.envPath("HOME"); home != "" {
			add(home + "/node_modules")
			add(home + "/.npm-global/lib/node_modules")
			if w.entry(ctx, home, ".nvm") != "" {
				for _, e := range w.list(ctx, home+"/.nvm/versions/node") {
					add(path.Join(home, ".nvm/versions/node", e.Name, "lib/node_modules"))
				}
			}
		}
	}
	for _, dir := range dirs {
		if len(w.list(ctx, dir)) == 0 {
			continue
		}
		for _, s := range w.searches {
			for _, name := range s.spec.npm {
				if first, _, _ := strings.Cut(name, "/"); w.entry(ctx, dir, first) != "" {
					s.node(ctx, h.Join(dir, name), name)
				}
			}
		}
	}
}

func (s *search) node(ctx context.Context, dir, name string) {
	file := s.h.Join(dir, "package.json")
	text, ok := s.text(ctx, file)
	if !ok {
		return
	}
	var p struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil || p.Name != name || bare(p.Version) == "" {
		return
	}
	c := &copyOf{prefix: dir, kind: kindNPM}
	c.set("package", name)
	c.set("package_version", look.Clean(p.Version))
	c.note("file", file, name+" "+p.Version)
	if s.spec.component == "onnxruntime" { // the others number themselves
		c.version = bare(p.Version)
		s.nodeBinary(ctx, dir, c)
	}
	s.add(c)
}

// nodeBinary finds the library in onnxruntime-node: bin/napi-v6/linux/x64/libonnxruntime.so.1.
func (s *search) nodeBinary(ctx context.Context, dir string, c *copyOf) {
	platform := cmp.Or(map[string]string{"windows": "win32"}[s.h.OS], s.h.OS)
	arch := map[string]string{"amd64": "x64"}[s.h.Arch]
	arch = cmp.Or(arch, s.h.Arch)
	for _, napi := range s.list(ctx, s.h.Join(dir, "bin")) {
		if !strings.HasPrefix(napi.Name, "napi-v") {
			continue
		}
		bin := s.h.Join(dir, "bin", napi.Name, platform, arch)
		for _, e := range s.list(ctx, bin) {
			n, ok := parseLibName(e.Name)
			if strings.EqualFold(e.Name, "onnxruntime.dll") || ok && n.stem == "onnxruntime" {
				if c.lib == "" || len(e.Name) < len(s.h.Base(c.lib)) {
					c.lib, c.soname = s.real(ctx, s.h.Join(bin, e.Name)), e.Name
					c.libDir = s.h.DirOf(c.lib)
				}
			}
			if ok && s.spec.parts[n.stem] != "" {
				c.add(s.spec.parts[n.stem])
			}
		}
	}
	if c.lib == "" {
		c.set("missing", "no library for "+platform+" "+arch)
	}
}

// ofNVIDIA are packages of PyTorch's CUDA whose library of that name LD_LIBRARY_PATH may
// take from elsewhere: the second half of cuBLAS, and cuDNN (pytorch/pytorch issue 91067
// and pull request 174320; "cuDNN version incompatibility").
var ofNVIDIA = []struct{ name, own, library string }{
	{"nvidia-cublas-cu", "nvidia/cublas/lib/libcublas.so.", "libcublasLt.so."},
	{"nvidia-cudnn-cu", "nvidia/cudnn/lib/libcudnn.so.", "libcudnn.so."},
}

// mixedCUDA notes a PyTorch in a folder of packages that gets a library of CUDA which is
// older than the package that it asks for, as LD_LIBRARY_PATH comes before its packages.
func (s *search) mixedCUDA(ctx context.Context, dir, prefix string) {
	for _, e := range s.list(ctx, dir) {
		name, version, ok := parseInfoFolder(e.Name)
		for _, p := range ofNVIDIA {
			cuda, is := strings.CutPrefix(name, p.name)
			series, _, _ := strings.Cut(version, ".")
			if !ok || !is || cuda == "" || !s.h.Exists(ctx, path.Join(dir, p.own+series)) {
				continue
			}
			for _, other := range loader.SplitPath(s.h.Env("LD_LIBRARY_PATH")) {
				real := path.Base(s.h.Real(ctx, path.Join(other, p.library+series)))
				have, found := strings.CutPrefix(real, p.library)
				if !found || strings.HasPrefix(other, dir) || !look.Newer(version, have) || strings.Count(have, ".") < 2 {
					continue
				}
				for _, c := range s.copies {
					if c.prefix == prefix && c.unusable == nil {
						c.unusable = &facts.Unusable{
							Reason: facts.Mismatch,
							Detail: lang.F("LD_LIBRARY_PATH names %s, whose %s%s (%s) comes before what the package %s %s brings, which PyTorch asks for", other, p.library, series, have, name, version),
							Remedy: lang.F("Remove %s from LD_LIBRARY_PATH where PyTorch is started: its packages bring CUDA's libraries.", other),
						}
					}
				}
				break
			}
		}
	}
}
