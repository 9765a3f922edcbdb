// Package libfind is the one library finder: a table says what is known of each
// library's files (specs.go), and one engine looks for every copy: in the
// loader's folders and the DLL search order, by pkg-config and CMake files, in
// include folders, Python wheels, npm packages, conda, Homebrew, vcpkg and
// hand-made trees. It says which copy each lookup finds, and where lookups
// disagree.
//
// It reads files, and asks pkg-config. It must never load a library: one that
// lacks a dependency or an instruction set would take the process with it.
package libfind

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/doctor/probe/loader"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Lookups, as they stand in Instance.Via.
const (
	viaPkgConfig = "pkg-config"
	viaCMake     = "cmake"
	viaInclude   = "include"
	viaLink      = "link"
	viaLoader    = "ldconfig"
	viaLibPath   = "LD_LIBRARY_PATH"
	viaDLL       = "dll"
	viaPath      = "PATH"
	viaHere      = "current folder" // Darknet is started as ./darknet
	viaGiven     = "given"          // CMake is told the folder: LibTorch's own instructions
)

// Kinds of copies, as they stand in Attrs["kind"]; "" is one that C and C++
// programs are built against.
const (
	kindWheel = "wheel" // inside a Python package
	kindNPM   = "npm"   // inside an npm package
)

const (
	// maxCopies bounds the copies of one component, maxDirs the folders that
	// are listed.
	maxCopies = 32
	maxDirs   = 400
	// maxHeader is how much of a header is read: the macros stand near the top.
	maxHeader = 64 << 10
	// maxBinary bounds how much of a library or program is searched for a text.
	maxBinary = 48 << 20
)

// Provides lists the components that Probe is the source of.
func Provides() []string {
	var out []string
	for _, s := range specs() {
		if s.component != "opencv" && !s.file {
			out = append(out, s.component)
		}
	}
	return out
}

// ProbeOpenCV finds OpenCV: the one row of the table whose libraries are read,
// beside the others.
func ProbeOpenCV(ctx context.Context, h *host.Host) (facts.Facts, error) {
	return find(ctx, h, nil, "opencv")
}

// Probe finds the copies of all but OpenCV and the rows of Files. A copy's Path is its prefix (/usr, /opt/libtorch, what
// holds bin and include on Windows; the folder itself where there is no prefix),
// or the folder of its Python or npm package.
//
// Attrs, each where known: lib, libdir, soname, include, pc, cmake (files and
// folders); why (why this copy is the active one), env (variables
// that name this copy), kind (wheel, npm), package and package_version, build
// (cu121), cxx11_abi, cpu_runtime, gpu_runtime, flavour, header_version, threading,
// shadowed.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	return find(ctx, h, nil, Provides()...)
}

func find(ctx context.Context, h *host.Host, extra *Extra, components ...string) (facts.Facts, error) {
	vars := &variables{World: h.World, values: map[string]string{}}
	h = h.With(vars)
	w := &world{
		h: h, vars: vars, specs: slices.DeleteFunc(specs(), func(s spec) bool {
			return !slices.Contains(components, s.component) || s.notOnWindows && h.Windows()
		}), lists: map[string][]host.Entry{}, reals: map[string]string{}, configs: map[string]map[string][]string{}, headers: map[string]header{},
		texts: map[string]config{},
	}
	for i := range w.specs {
		w.searches = append(w.searches, &search{world: w, spec: &w.specs[i]})
	}
	switch {
	case extra != nil:
		w.files(ctx, *extra)
	case h.Windows():
		w.wheels(ctx)
		w.npm(ctx)
		w.windows(ctx)
	default:
		w.wheels(ctx)
		w.npm(ctx)
		w.unix(ctx)
	}
	var f facts.Facts
	for _, s := range w.searches {
		s.imported()
		for _, c := range s.copies {
			f.Add(s.spec.component, c.instance(ctx, s))
		}
	}
	f.Problems = w.problems
	return f, errors.Join(w.errs...)
}

// imported makes the copy that the Python on PATH imports the active one, of what
// is for Python alone.
func (s *search) imported() {
	if len(s.spec.libs) > 0 || slices.ContainsFunc(s.copies, func(c *copyOf) bool { return c.active }) {
		return
	}
	if i := slices.IndexFunc(s.copies, func(c *copyOf) bool { return len(c.imports) > 0 }); i >= 0 {
		s.copies[i].active = true
		s.copies[i].set("why", "the Python on PATH imports it")
	}
}

// world is what the searches for all components share: nothing is read twice.
type world struct {
	h        *host.Host
	specs    []spec
	searches []*search
	libs     *loader.Libraries
	lists    map[string][]host.Entry
	reals    map[string]string
	// configs are the CMake packages below a prefix, by folded name.
	configs map[string]map[string][]string
	headers map[string]header
	texts   map[string]config
	vars    *variables
	// problems are of single components, errs of them all.
	problems []facts.Problem
	errs     []error
}

// search is the search for one component.
type search struct {
	*world
	spec   *spec
	copies []*copyOf
	// stale are variables that name a folder without a copy.
	stale []facts.Stale
}

// copyOf is one copy.
type copyOf struct {
	prefix  string
	version string
	lib     string // the file that stands for it, links followed
	libDir  string
	soname  string // what programs linked against it ask the loader for
	static  bool
	dev     bool // the linker finds its library here
	include string
	// headerVersion is what the header says: at times only the API's number.
	headerVersion string
	pc, cmake     string
	program       string
	parts         []string
	kind          string
	via           []string
	active        bool
	attrs         map[string]string
	unusable      *facts.Unusable
	built         facts.Built
	// whole: the one file says all that the copy can compute with.
	whole    bool
	needs    []facts.Need
	unseen   *facts.Unseen
	dangling *facts.Dangling
	lost     *facts.Lost
	evidence []facts.Evidence
	conflict string
	imports  []string
}

func (c *copyOf) note(kind, source, detail string) {
	const most = 16
	if len(c.evidence) < most {
		c.evidence = append(c.evidence, facts.Evidence{Kind: kind, Source: look.Clean(source), Detail: look.Clean(detail)})
	}
}

func (c *copyOf) set(key, value string) {
	if value == "" {
		return
	}
	if c.attrs == nil {
		c.attrs = map[string]string{}
	}
	c.attrs[key] = value
}

func (c *copyOf) wins(via string) { look.AddNew(&c.via, 0, via) }

func (c *copyOf) add(part string) { look.AddNew(&c.parts, 0, part) }

// linkable: there is a library or a program, not headers or text files alone.
func (c *copyOf) linkable() bool { return c.lib != "" || c.static || c.program != "" }

func (c *copyOf) instance(ctx context.Context, s *search) facts.Instance {
	has := append([]string(nil), c.parts...)
	for part, there := range map[string]bool{
		"headers": c.include != "", "shared": c.lib != "", "static": c.static, "dev": c.dev, "pkg-config": c.pc != "", "cmake": c.cmake != "", "program": c.program != "",
	} {
		if there {
			has = append(has, part)
		}
	}
	sort.Strings(has)
	for key, value := range map[string]string{
		"lib": c.lib, "libdir": c.libDir, "soname": c.soname, "include": c.include, "pc": c.pc, "cmake": c.cmake, "program": c.program, "kind": c.kind,
	} {
		c.set(key, value)
	}
	if c.headerVersion != "" && c.headerVersion != c.version {
		c.set("header_version", c.headerVersion)
	}
	for key, value := range c.attrs {
		c.attrs[key] = clip(value)
	}
	if backends := c.backends(s.spec.component); backends != nil && c.built.Backends == nil {
		c.built.Backends = backends
	}
	if abi := map[string]string{"0": "pre-cxx11", "1": "cxx11"}[c.attrs["cxx11_abi"]]; abi != "" {
		c.built.CXXABI = abi
	}
	i := facts.Instance{
		Version: c.version, Path: c.prefix, Active: c.active, Via: c.via, Has: slices.Compact(has), Attrs: c.attrs, Evidence: c.evidence,
		Places: facts.Places{Lib: c.libDir, Include: c.include}, Unusable: c.unusable, Built: c.built, Needs: c.needs, Unseen: c.unseen, Dangling: c.dangling, Lost: c.lost, Conflict: clip(c.conflict), Imports: c.imports,
	}
	if s.spec.file {
		i.Path = cmp.Or(c.lib, c.include)
	}
	if c.active {
		i.Stale = s.stale
	}
	if c.pc != "" {
		i.Places.PkgConfig = s.stable(ctx, s.h.DirOf(c.pc))
	}
	if c.cmake != "" {
		i.Places.CMake = s.h.DirOf(c.cmake)
	}
	if c.program != "" {
		i.Places.Bin = s.h.DirOf(c.program)
	}
	if s.h.Windows() {
		i.Places.Lib = ""
		if c.lib != "" {
			i.Places.Bin = c.libDir
		}
	}
	return i
}

// stable is a folder of Homebrew's by the link that stays when the formula is
// updated: opt/opencv@4 instead of Cellar/opencv@4/4.12.0.
func (s *search) stable(ctx context.Context, dir string) string {
	prefix, rest, ok := strings.Cut(dir, "/Cellar/")
	if !ok || s.h.OS != "darwin" {
		return dir
	}
	formula, rest, _ := strings.Cut(rest, "/")
	_, below, ok := strings.Cut(rest, "/")
	link := prefix + "/opt/" + formula
	if !ok || !s.h.Exists(ctx, link) {
		return dir
	}
	return link + "/" + below
}

// clip bounds a text; conflicts may be several sentences.
func clip(s string) string {
	const most = 1500
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// add appends a copy, unless there are too many already.
func (s *search) add(c *copyOf) *copyOf {
	if len(s.copies) < maxCopies {
		s.copies = append(s.copies, c)
	}
	return c
}

// at returns the copy below a prefix that can be of that version, or a new one.
// Where several can, the one whose libraries lie nearest to the hint is taken
// (Debian keeps the builds of OpenBLAS in folders below one prefix), and one of
// known version before one of unknown.
func (s *search) at(prefix, version, hint string) *copyOf {
	var best *copyOf
	bestScore := -1
	for _, c := range s.copies {
		if c.prefix != prefix || !agree(c.version, version) {
			continue
		}
		score := 0
		if c.version != "" {
			score++
		}
		if c.libDir != "" && c.libDir != prefix && (within(hint, c.libDir) || path.Base(path.Dir(hint)) == path.Base(c.libDir)) {
			score += 2
		}
		if score > bestScore {
			best, bestScore = c, score
		}
	}
	if best != nil {
		best.version = better(best.version, version)
		return best
	}
	return s.add(&copyOf{prefix: prefix, version: version})
}

// within reports whether a path lies in a folder.
func within(name, dir string) bool {
	return len(name) > len(dir) && strings.HasPrefix(name, dir) && (name[len(dir)] == '/' || name[len(dir)] == '\\')
}

// list lists a folder once.
func (w *world) list(ctx context.Context, dir string) []host.Entry {
	if l, ok := w.lists[dir]; ok {
		return l
	}
	var l []host.Entry
	if len(w.lists) < 4*maxDirs && ctx.Err() == nil {
		var err error
		if l, err = w.h.ReadDir(ctx, dir); err != nil {
			w.unreadable(dir, err)
			l = nil
		}
	}
	w.lists[dir] = l
	return l
}

// entry returns the spelling of a name in a folder, "" when it is not there.
func (w *world) entry(ctx context.Context, dir, name string) string {
	list := w.list(ctx, dir)
	if w.h.Windows() {
		for _, e := range list {
			if strings.EqualFold(e.Name, name) {
				return e.Name
			}
		}
		return ""
	}
	i := sort.Search(len(list), func(i int) bool { return list[i].Name >= name })
	if i < len(list) && list[i].Name == name {
		return name
	}
	return ""
}

// real follows links; a path that cannot be followed is itself.
func (w *world) real(ctx context.Context, name string) string {
	if r, ok := w.reals[name]; ok {
		return r
	}
	r, err := w.h.Resolve(ctx, name)
	if err != nil || !look.IsPath(r) {
		r = name
	}
	w.reals[name] = r
	return r
}

// text reads the beginning of a file; ok is false when there is none.
func (w *world) text(ctx context.Context, name string) (string, bool) {
	data, _, err := w.h.ReadFile(ctx, name, maxHeader)
	if err != nil {
		w.unreadable(name, err)
		return "", false
	}
	return string(data), true
}

// unreadable keeps an error over a place where copies of any component may lie.
// A folder that a variable names and that may not be entered serves none of this
// user's programs: only the component that the variable is for is uncertain.
func (w *world) unreadable(name string, err error) {
	if !look.Hides(err) {
		return
	}
	vars := w.vars.naming(name)
	if !errors.Is(err, fs.ErrPermission) || len(vars) == 0 {
		if len(w.errs) < 8 {
			w.errs = append(w.errs, lang.Errorf("look for libraries: %w", err))
		}
		return
	}
	for _, s := range w.searches {
		if i := slices.IndexFunc(vars, func(v string) bool { return slices.Contains(s.spec.env, v) }); i >= 0 {
			s.unreadable(lang.Errorf("look into what %s names: %w", vars[i], err))
		}
	}
}

// unreadable keeps an error over a file of one component.
func (s *search) unreadable(err error) {
	again := slices.ContainsFunc(s.problems, func(p facts.Problem) bool { return slices.Equal(p.Covers, []string{s.spec.component}) })
	if look.Hides(err) && !again { // the first says enough
		s.problems = append(s.problems, facts.Problem{Covers: []string{s.spec.component}, Error: err.Error()})
	}
}

// variables remembers which variables were read and what they hold.
type variables struct {
	host.World
	values map[string]string
}

func (v *variables) Getenv(name string) (string, bool) {
	value, ok := v.World.Getenv(name)
	if ok && value != "" {
		v.values[name] = value
	}
	return value, ok
}

// naming lists the variables that hold the place or a folder above it. Those of
// programs (PATH) name their prefix, too: what lies beside a bin folder is
// searched, as CMake does.
func (v *variables) naming(place string) []string {
	same := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, `\`, "/")) }
	var out []string
	for name, value := range v.values {
		// On Windows ";" parts a list and ":" is a drive's.
		sep := ":"
		if strings.Contains(value, ";") || len(value) > 2 && value[1] == ':' && (value[2] == '\\' || value[2] == '/') {
			sep = ";"
		}
		for dir := range strings.SplitSeq(value, sep) {
			dir = strings.TrimRight(same(dir), "/")
			if prefix, ok := strings.CutSuffix(dir, "/bin"); ok && prefix != "" && prefix != "/usr" && prefix != "/usr/local" {
				dir = prefix
			}
			if dir != "" && !strings.HasSuffix(dir, ":") && (same(place) == dir || within(same(place), dir)) {
				out = append(out, name)
				break
			}
		}
	}
	slices.Sort(out)
	return out
}

// envPath is the folder in a variable, in the host's form, without a slash at
// its end; "" when it holds none.
func (w *world) envPath(name string) string {
	v := look.EnvPath(w.h, name)
	if v == "" {
		return ""
	}
	if w.h.Windows() {
		if len(v) < 3 || v[1] != ':' {
			return ""
		}
		return strings.TrimRight(strings.ReplaceAll(v, "/", `\`), `\`)
	}
	if !path.IsAbs(v) {
		return ""
	}
	return path.Clean(v)
}

// prefixOf is the installation prefix of a lib, include, share or CMake folder:
// what stands before the last such element.
func prefixOf(dir string) string {
	if strings.Contains(dir, `\`) {
		return strings.ReplaceAll(prefixOf(strings.ReplaceAll(dir, `\`, "/")), "/", `\`)
	}
	parts := strings.Split(path.Clean(dir), "/")
	for i := len(parts) - 1; i > 0; i-- {
		switch parts[i] {
		case "lib", "lib64", "lib32", "libs", "include", "share", "bin", "cmake", "capi":
			if parts[i] == "cmake" && parts[i-1] != "runtime" && slices.ContainsFunc(parts[:i], func(p string) bool { return p == "lib" || p == "lib64" || p == "share" }) {
				continue // lib/x86_64-linux-gnu/cmake; but OpenVINO's runtime/cmake is below the prefix
			}
			if prefix := strings.Join(parts[:i], "/"); prefix != "" {
				return prefix
			}
			return "/usr" // /lib is /usr/lib on every merged system
		}
	}
	return path.Clean(dir)
}

// prefixOf is the prefix that a copy of the component has in a folder.
func (s *search) prefixOf(dir string) string {
	if s.spec.component == "opencv" && s.h.Windows() {
		prefix := openCVPrefix(dir)
		for _, c := range s.copies {
			if strings.EqualFold(c.prefix, prefix) {
				return c.prefix
			}
		}
		if prefix != dir {
			return prefix
		}
	}
	return prefixOf(dir)
}

// header is what one header file said.
type header struct {
	ok    bool
	macro map[string]string
}

func (w *world) header(ctx context.Context, name string) header {
	if h, ok := w.headers[name]; ok {
		return h
	}
	var h header
	if text, ok := w.text(ctx, name); ok {
		h = header{ok: true, macro: defines(text)}
	}
	w.headers[name] = h
	return h
}

// findHeaders returns the header of a spec in an include folder, its path below, its
// version and
// its macros. The folder's listing is asked first, so that a dozen names in a
// dozen folders cost no dozen dozens of questions.
func (s *search) findHeaders(ctx context.Context, base string) (file, rel, version string, macros map[string]string) {
	for _, r := range s.spec.headers {
		first, _, _ := strings.Cut(r, "/")
		if s.entry(ctx, base, first) == "" {
			continue
		}
		name := s.h.Join(base, r)
		h := s.header(ctx, name)
		if !h.ok {
			continue
		}
		v := s.spec.version(h.macro)
		if file == "" || version == "" && v != "" {
			file, rel, version, macros = name, r, v, h.macro
		}
		if version != "" {
			break
		}
	}
	if file != "" && s.spec.component == "onednn" {
		// What it was built for stands in a header beside.
		macros = s.header(ctx, s.h.Join(s.h.DirOf(file), strings.Replace(s.h.Base(file), "_version", "_config", 1))).macro
	}
	return file, rel, version, macros
}

// includes adds the headers of one include folder, if they are there.
func (s *search) includes(ctx context.Context, base string) *copyOf {
	file, rel, version, macros := s.findHeaders(ctx, base)
	if file == "" {
		return nil
	}
	where := s.real(ctx, file)
	prefix := prefixOf(strings.TrimSuffix(strings.TrimSuffix(where, "/"+rel), "/torch/csrc/api/include"))
	for _, c := range s.copies {
		if c.libDir != "" && c.libDir == path.Dir(base) && agree(c.version, version) {
			prefix = c.prefix // /usr/lib/darknet/include beside its library
		}
		if tree := path.Dir(base); c.include == "" && within(c.prefix, tree) && agree(c.version, version) && slices.Contains([]string{"/build", "/install", "/.build_release", "/cmake-out"}, strings.TrimPrefix(c.prefix, tree)) {
			prefix = c.prefix // Caffe and OpenPose are used from the trees they were built in
		}
	}
	for _, c := range s.copies {
		if c.include != "" && c.prefix == prefix && c.headerVersion == version {
			return c
		}
	}
	c := s.at(prefix, version, where)
	c.include, c.headerVersion = base, version
	detail := "headers"
	if version != "" {
		detail += " of " + version
	}
	c.note("header", where, detail)
	s.detail(c, macros)
	if s.spec.component == "darknet" {
		s.darknetHeader(ctx, base, c)
	}
	return c
}

// detail reads further attributes and parts out of a header's macros.
func (s *search) detail(c *copyOf, macros map[string]string) {
	if s.spec.details == nil {
		return
	}
	attrs, has := s.spec.details(macros)
	for k, v := range attrs {
		c.set(k, look.Clean(v))
	}
	for _, part := range has {
		c.add(part)
	}
}

// config is a CMake package that was read.
type config struct {
	file, version, source, text string
}

// readConfig reads the CMake package of one folder.
func (s *search) readConfig(ctx context.Context, dir string) (config, bool) {
	key := s.spec.component + " " + dir
	if c, ok := s.texts[key]; ok {
		return c, c.file != ""
	}
	var c config
	versionFile := ""
	for _, e := range s.list(ctx, dir) {
		low := strings.ToLower(e.Name)
		for _, p := range s.spec.cmake {
			switch p = strings.ToLower(p); low {
			case p + "config.cmake", p + "-config.cmake":
				c.file = s.h.Join(dir, e.Name)
			case p + "configversion.cmake", p + "config-version.cmake", p + "-config-version.cmake":
				versionFile = s.h.Join(dir, e.Name)
			}
		}
	}
	if c.file != "" {
		if versionFile != "" {
			if text, ok := s.text(ctx, versionFile); ok {
				c.version, c.source = cmakeVersion(text, s.spec.cmake), versionFile
			}
		}
		if c.version == "" || s.spec.config != nil {
			if text, ok := s.text(ctx, c.file); ok {
				c.text = text
				if c.version == "" {
					c.version, c.source = cmakeVersion(text, s.spec.cmake), c.file
				}
			} else if c.source == "" {
				c = config{} // a dangling link: CMake does not find it either
			}
		}
	}
	if s.spec.component == "ncnn" {
		c.version = ncnnVersion(c.version)
	}
	s.texts[key] = c
	return c, c.file != ""
}

// cmakePackage adds the CMake package of one folder, if it is there.
func (s *search) cmakePackage(ctx context.Context, dir string) *copyOf {
	conf, ok := s.readConfig(ctx, dir)
	if !ok {
		return nil
	}
	for _, c := range s.copies {
		if c.cmake == conf.file {
			return c
		}
	}
	where := s.real(ctx, conf.file)
	c := s.at(s.prefixOf(s.h.DirOf(where)), conf.version, where)
	c.cmake = cmp.Or(c.cmake, conf.file)
	detail := "CMake package"
	if conf.version != "" {
		detail += " of " + conf.version
	}
	c.note("file", conf.source, detail)
	if s.spec.config != nil {
		for k, v := range s.spec.config(conf.text) {
			c.set(k, v)
		}
	}
	return c
}

// configDirs returns the folders below a prefix that hold a CMake package with
// one of the spec's names, in the order find_package visits them
// (cmake-packages(7): <prefix>/, (cmake|CMake)/, (lib/<arch>|lib*|share)/cmake/
// <name>*/, (lib/<arch>|lib*|share)/<name>*/).
func (s *search) configDirs(ctx context.Context, prefix string) []string {
	index, ok := s.configs[prefix]
	if !ok {
		index = s.indexConfigs(ctx, prefix)
		s.configs[prefix] = index
	}
	var out []string
	for _, p := range s.spec.cmake {
		look.AddNew(&out, 0, index[strings.ToLower(p)]...)
	}
	if s.spec.component == "openpose" {
		out = append(out, s.h.Join(prefix, "lib/OpenPose"))
	}
	return out
}

// indexConfigs finds the folders below a prefix that could be CMake packages of
// any component.
func (w *world) indexConfigs(ctx context.Context, prefix string) map[string][]string {
	var wanted []string
	for _, s := range w.specs {
		for _, p := range s.cmake {
			wanted = append(wanted, strings.ToLower(p))
		}
	}
	h := w.h
	var bases []string
	if t := loader.Triplet(h.Arch); t != "" && h.OS == "linux" {
		bases = append(bases, h.Join(prefix, "lib", t, "cmake"))
	}
	bases = append(bases, h.Join(prefix, "lib64/cmake"), h.Join(prefix, "lib/cmake"), h.Join(prefix, "share/cmake"), h.Join(prefix, "share"), prefix)
	out := map[string][]string{}
	add := func(name, dir string) {
		if len(out[name]) < 8 {
			out[name] = append(out[name], dir)
		}
	}
	for _, dir := range []string{prefix, h.Join(prefix, "cmake"), h.Join(prefix, "CMake"), h.Join(prefix, "runtime/cmake"), h.Join(prefix, "deployment_tools/inference_engine/share"), h.Join(prefix, "lib")} {
		if h.OS != "windows" && h.Base(dir) == "lib" {
			continue // of vcpkg and Chocolatey on Windows only
		}
		for _, e := range w.list(ctx, dir) {
			low := strings.ToLower(e.Name)
			base, ok := strings.CutSuffix(low, "config.cmake")
			if ok && slices.Contains(wanted, strings.TrimSuffix(base, "-")) {
				add(strings.TrimSuffix(base, "-"), dir)
			}
		}
	}
	for _, dir := range bases {
		for _, e := range w.list(ctx, dir) {
			low := strings.ToLower(e.Name)
			if i := strings.IndexAny(low, "-0123456789"); i > 0 {
				low = low[:i] // dnnl-3.7
			}
			if slices.Contains(wanted, low) {
				add(low, h.Join(dir, e.Name))
			}
		}
	}
	return out
}
