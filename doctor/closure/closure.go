// Package closure walks what the shared libraries and programs of the found
// components need, as the loaders of Linux and Windows would in the user's
// environment, and notes what it would not give them as it should be.
//
// It reads the headers and the dynamic sections of files. It must never load a
// library, and what it cannot read it leaves unsaid.
package closure

import (
	"cmp"
	"context"
	"debug/elf"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/internal/parallel"
	"github.com/deployctl/deployctl/doctor/probe/loader"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// maxObjects bounds how many files are read; Debian's OpenCV with everything
// that it needs is about 250.
const maxObjects = 2000

// Fill adds the unsatisfied needs to the instances that programs find.
func Fill(ctx context.Context, h *host.Host, f *facts.Facts) error {
	if h.Windows() {
		return fillWindows(ctx, h, f)
	}
	switch h.OS {
	case "linux":
	case "darwin":
		return fillMac(ctx, h, f)
	default:
		return nil
	}
	w := &world{ctx: ctx, h: h, arch: cmp.Or(f.OS.Arch, h.Arch), objects: map[string]*object{}, damaged: map[string]facts.FileProblem{}, stats: map[string]presence{}, noExecStack: noExecStack(f.OS.Libc)}
	for _, name := range slices.Sorted(maps.Keys(f.Components)) {
		list := f.Components[name]
		for i := range list {
			module := name == "opencv-python" && len(list[i].Imports) > 0
			if list[i].Unusable != nil {
				continue
			}
			var roots []string
			switch program := list[i].Attrs["program"]; {
			case list[i].Active || module:
				roots = w.roots(&list[i])
			case hasActive(list):
				if name == "cudnn" && list[i].HasPart("shared") { // one in a toolkit stops the linker
					list[i].Unusable = w.foreign(list[i].Path)
				}
				continue
			default:
				list[i].Needs = append(list[i].Needs, damagedRoot(ctx, h, list[i].Attrs["lib"])...)
				// A program that is only not on PATH has to start when it is.
				if path.IsAbs(program) && w.object(program) != nil {
					roots = []string{program}
				}
				if name == "openpose" && len(roots) == 0 { // it is used in the folder that it was built in
					roots = w.roots(&list[i])
				}
			}
			if list[i].Unusable = w.shut(list[i].Attrs["lib"]); list[i].Unusable != nil {
				continue
			}
			if len(roots) == 0 {
				list[i].Needs = append(list[i].Needs, w.unfound(&list[i])...)
				continue
			}
			if list[i].Unusable = w.foreign(roots[0]); list[i].Unusable != nil {
				continue
			}
			w.openLibs()
			if name == "onnxruntime" {
				list[i].Built.CuDNN = cmp.Or(w.cuDNNOf(roots), list[i].Built.CuDNN)
			}
			if needs := w.needs(&list[i], roots); ctx.Err() == nil {
				for _, n := range needs {
					same := func(o facts.Need) bool { return o.Name == n.Name && o.Cause == n.Cause && o.Installed == n.Installed }
					if !slices.ContainsFunc(list[i].Needs, same) {
						list[i].Needs = append(list[i].Needs, n)
					}
				}
			}
		}
	}
	if w.crashed != nil {
		return w.crashed
	}
	return ctx.Err()
}

// openLibs reads once where this machine's loader looks.
func (w *world) openLibs() {
	if w.libs != nil {
		return
	}
	w.libs, w.first = loader.Open(w.ctx, w.h), map[string]string{}
	for _, e := range slices.Backward(w.libs.Cache) {
		w.first[e.Soname] = e.Path
	}
}

// unfound is the need of a program that is linked with a copy whose files cannot be read:
// also then the loader has to find the SONAME that the copy has.
func (w *world) unfound(in *facts.Instance) []facts.Need {
	file := path.Join(in.Attrs["libdir"], in.Attrs["soname"])
	if !in.Active || in.Unusable != nil || len(in.Needs) > 0 || in.Attrs["kind"] != "" || in.Attrs["soname"] == "" || !path.IsAbs(file) || !linked(in) || w.there(file) != present {
		return nil
	}
	w.openLibs()
	if found, _ := w.libs.Find(w.ctx, in.Attrs["soname"]); found != "" || w.libs.CacheErr != nil {
		return nil
	}
	// ldconfig was in this folder: the file has another SONAME than its name says.
	if slices.ContainsFunc(w.libs.Cache, func(e loader.CacheEntry) bool {
		return path.Dir(e.Path) == path.Dir(file) && stem(e.Soname) == stem(path.Base(file))
	}) {
		return nil
	}
	return []facts.Need{{Name: in.Attrs["soname"], By: facts.ByProgram, Cause: facts.NotFound, Elsewhere: file}}
}

// linked reports whether pkg-config or the linker leads to a copy: CMake writes the
// folder of a library into the program itself.
func linked(in *facts.Instance) bool {
	return slices.ContainsFunc(in.Via, func(v string) bool { return v == "pkg-config" || v == "link" })
}

// cuDNNOf is the major version of the cuDNN that ONNX Runtime's CUDA provider was linked
// with: who builds it may take another than the published builds have.
func (w *world) cuDNNOf(files []string) string {
	for _, file := range files {
		o := w.object(file)
		if o == nil || path.Base(file) != "libonnxruntime_providers_cuda.so" {
			continue
		}
		for _, name := range o.needed {
			if major, ok := strings.CutPrefix(name, "libcudnn.so."); ok {
				return major
			}
		}
	}
	return ""
}

type presence int

const (
	absent presence = iota
	present
	unknown
)

type world struct {
	ctx     context.Context
	h       *host.Host
	arch    string // GOARCH of the programs here, which may not be the kernel's
	libs    *loader.Libraries
	objects map[string]*object // nil for what could not be read
	// damaged are those of them that are no libraries, or only parts of one.
	damaged map[string]facts.FileProblem
	stats   map[string]presence
	// first is the cache's first file for each name.
	first map[string]string
	// preloads are the libraries that every program loads; nil until asked for.
	preloads []*node
	// noExecStack: the loader gives no executable stack to a program that runs.
	noExecStack bool
	// crashed is a panic while files were read side by side.
	crashed error
	// seen, where it is not nil, is told of every library that is asked for.
	seen func(Library)
}

func (w *world) tell(name, by string, found result, state string) {
	if w.seen != nil {
		w.seen(Library{Name: name, File: cmp.Or(found.file, found.other), By: by, Through: found.through, State: state})
	}
}

func (w *world) object(file string) *object {
	if o, ok := w.objects[file]; ok {
		return o
	}
	if len(w.objects) >= maxObjects {
		return nil
	}
	o, err := readObject(w.ctx, w.h, file)
	return w.keep(file, o, err)
}

func (w *world) keep(file string, o *object, err error) *object {
	if what := problem(err); what != "" {
		w.damaged[file] = what
	}
	if err != nil {
		o = nil
	}
	w.objects[file] = o
	return o
}

// hasActive reports whether programs find one of the copies.
func hasActive(list []facts.Instance) bool {
	return slices.ContainsFunc(list, func(i facts.Instance) bool { return i.Active })
}

func (w *world) there(file string) presence {
	if p, ok := w.stats[file]; ok {
		return p
	}
	p := present
	if info, err := w.h.Stat(w.ctx, file); host.IsNotExist(err) || err == nil && info.Dir {
		p = absent
	} else if err != nil {
		p = unknown
	}
	w.stats[file] = p
	return p
}

// preload reads files side by side: one after the other, opening them takes
// longer than everything else here.
func (w *world) preload(files []string) {
	var fresh []string
	for _, file := range files {
		if _, known := w.objects[file]; !known && path.IsAbs(file) && len(w.objects)+len(fresh) < maxObjects && !slices.Contains(fresh, file) {
			fresh = append(fresh, file)
		}
	}
	read, failed := make([]*object, len(fresh)), make([]error, len(fresh))
	var next atomic.Int64
	var group parallel.Group
	for range min(8, len(fresh)) {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(fresh); i = int(next.Add(1)) - 1 {
				read[i], failed[i] = readObject(w.ctx, w.h, fresh[i])
			}
		})
	}
	w.crashed = errors.Join(w.crashed, group.Wait())
	for i, file := range fresh {
		w.keep(file, read[i], failed[i])
	}
}

// cached are the files that the cache names for what a file needs: most likely
// what will be found.
func (w *world) cached(nodes []*node) (files []string) {
	if len(w.libs.Env) > 0 {
		return nil
	}
	for _, n := range nodes {
		for _, name := range n.o.needed {
			if at, ok := w.first[name]; ok {
				files = append(files, at)
			}
		}
	}
	return files
}

// roots are the files that programs begin with: every module of OpenCV, or the
// component's library or program. Python's and npm's copies are left out: they
// load what they need by themselves. OpenCV's module for Python is a library like
// any other.
func (w *world) roots(in *facts.Instance) []string {
	a := in.Attrs
	if a["kind"] != "" && (len(in.Imports) == 0 || !strings.HasPrefix(path.Base(a["lib"]), "cv2")) {
		return nil
	}
	var files []string
	if path.IsAbs(a["lib"]) && !strings.HasSuffix(a["lib"], ".a") {
		files = append(files, a["lib"]) // the core stands for all
	}
	if dir, suffix, ok := strings.Cut(a["soname"], ".so."); ok && strings.HasPrefix(dir, "libopencv_") && a["libdir"] != "" {
		for _, part := range in.Has {
			if file := path.Join(a["libdir"], "libopencv_"+part+".so."+suffix); !strings.HasPrefix(path.Base(a["lib"]), "libopencv_"+part+".") {
				files = append(files, file)
			}
		}
		w.preload(files)
	}
	candidates := []string{a["program"]}
	// This part is loaded when CUDA is asked for; where it cannot be, the CPU computes.
	if in.HasPart("cuda") && strings.HasPrefix(a["soname"], "libonnxruntime.") && a["libdir"] != "" {
		candidates = append(candidates, path.Join(a["libdir"], "libonnxruntime_providers_cuda.so"))
	}
	if path.IsAbs(in.Path) && strings.Contains(path.Base(in.Path), ".so") {
		candidates = append(candidates, in.Path)
	}
	for _, file := range candidates {
		if path.IsAbs(file) && !strings.HasSuffix(file, ".a") && !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	return slices.DeleteFunc(files, func(file string) bool {
		if w.object(file) != nil {
			return false
		}
		if what := w.damaged[file]; what != "" {
			by := facts.ByProgram
			if strings.HasPrefix(path.Base(file), "libonnxruntime_providers_") {
				by = file // it is only loaded where its provider is asked for
			}
			// A package's list names the link, which is called as the library is.
			name := path.Base(file)
			if soname := a["soname"]; soname != "" && stem(name) == stem(soname) {
				name = soname
			}
			in.Needs = append(in.Needs, w.spoilt(name, by, file))
		}
		return true
	})
}

// node is a file that the loader has loaded, and what asked for it.
type node struct {
	o       *object
	file    string
	through string
	by      *node
}

func (w *world) needs(in *facts.Instance, roots []string) []facts.Need {
	var out []facts.Need
	add := func(n facts.Need) {
		if !slices.ContainsFunc(out, func(o facts.Need) bool { return o.Name == n.Name && o.Cause == n.Cause }) {
			out = append(out, n)
		}
	}
	loaded := map[string]*node{}
	var queue []*node
	for _, file := range roots {
		n := &node{o: w.object(file), file: file, by: w.interpreter(in, file)}
		queue = append(queue, n)
		for _, name := range []string{n.o.soname, path.Base(file)} {
			if name != "" && loaded[name] == nil {
				loaded[name] = n
			}
		}
	}
	w.addPreloads(loaded)
	first := queue[0].o
	// A program that was linked with the copy asks for it by its SONAME.
	if soname := first.soname; soname != "" && first.class == w.class() && linked(in) {
		found := w.find(soname, &node{o: &object{class: first.class, machine: first.machine, data: first.data}})
		if found.file == "" && !found.unknown && (w.libs.CacheErr == nil || w.libs.Musl) {
			add(facts.Need{Name: soname, By: facts.ByProgram, Cause: facts.NotFound, Elsewhere: first.file})
		}
	}
	for i, wave := 0, 0; i < len(queue) && i < maxObjects; i++ {
		if i == wave {
			w.preload(w.cached(queue[i:]))
			wave = len(queue)
		}
		n := queue[i]
		for _, name := range n.o.needed {
			if by := loaded[name]; by != nil && isStub(by.file) && slices.Contains([]string{"LD_PRELOAD", loader.PreloadFile}, by.through) {
				add(facts.Need{Name: name, By: n.file, Cause: facts.Stub, Found: by.file, Through: by.through})
			}
			if loaded[name] != nil {
				continue
			}
			if w.builtIn(name) {
				w.tell(name, n.file, result{}, System)
				continue
			}
			found := w.find(name, n)
			switch {
			case found.file != "":
				w.tell(name, n.file, found, Found)
				next := &node{o: w.object(found.file), file: found.file, through: found.through, by: n}
				loaded[name] = next
				if conda := w.condaOf(found.file); found.through == "LD_LIBRARY_PATH" && conda != "" && conda != w.condaOf(roots[0]) {
					if own := w.systems(name); own != "" {
						add(facts.Need{Name: name, By: n.file, Cause: facts.Foreign, Found: found.file, Through: found.through, Elsewhere: own})
					}
				}
				if name == "libcudnn.so.8" {
					w.cudnnInWSL(found.file, n, add)
				}
				if isStub(found.file) {
					add(facts.Need{Name: name, By: n.file, Cause: facts.Stub, Found: found.file, Through: found.through})
				}
				if next.o != nil {
					queue = append(queue, next)
				} else if w.damaged[found.file] != "" {
					add(w.spoilt(name, n.file, found.file))
				}
			case found.unknown:
				w.tell(name, n.file, found, Unknown)
			case found.other != "":
				w.tell(name, n.file, found, WrongArch)
				add(facts.Need{Name: name, By: n.file, Cause: facts.OtherArch, Found: found.other, Through: found.through})
			case fromDriver(name):
				w.tell(name, n.file, found, Missing)
				add(facts.Need{Name: name, By: n.file, Cause: facts.FromDriver})
			case slices.Contains(ofLibc, stem(name)) && w.find("libc.so.6", n).file != "":
				// One package has them all; what was recorded is not complete.
			default:
				w.tell(name, n.file, found, Missing)
				need := facts.Need{Name: name, By: n.file, Cause: facts.NotFound, Elsewhere: w.elsewhere(name, n, nil)}
				need.Package, need.Installed = w.pkg(name, n.o.needed)
				if need.Elsewhere == "" {
					need.Other = w.otherNumber(name)
				}
				add(need)
			}
		}
	}
	w.tooOld(queue, loaded, add)
	w.execStacks(queue, add)
	// Where the whole folder is unknown to the loader, that is the one cause.
	if len(out) > 1 && out[0].By == facts.ByProgram {
		dir := path.Dir(out[0].Elsewhere)
		out = slices.DeleteFunc(out, func(n facts.Need) bool {
			return n.Name != out[0].Name && n.Cause == facts.NotFound && path.Dir(n.Elsewhere) == dir
		})
	}
	return out
}

// execStacks adds the libraries that ask for an executable stack, where the loader gives
// a program that runs already none.
func (w *world) execStacks(queue []*node, add func(facts.Need)) {
	for _, n := range queue {
		// The providers of ONNX Runtime are loaded while the program runs; others can be.
		if by := facts.ByProgram; w.noExecStack && n.o.execStack && n.o.soname != "" {
			if strings.HasPrefix(path.Base(n.file), "libonnxruntime_providers_") {
				by = n.file
			}
			add(facts.Need{Name: path.Base(n.file), By: by, Cause: facts.ExecStack, Found: n.file})
		}
	}
}

// cudnnInWSL adds what cuDNN 8 opens by name when it first computes: libcuda.so, which in
// WSL is a file beside libcuda.so.1, so that the loader's cache does not have that name
// (pytorch/pytorch issue 85773; ldconfig(8) lists files by their SONAME).
func (w *world) cudnnInWSL(cudnn string, by *node, add func(facts.Need)) {
	const lib = "/usr/lib/wsl/lib/libcuda.so"
	if w.there(lib) != present {
		return
	}
	if found := w.find("libcuda.so", by); found.file == "" && !found.unknown && found.other == "" {
		add(facts.Need{Name: "libcuda.so", By: path.Join(path.Dir(cudnn), "libcudnn_cnn_infer.so.8"), Cause: facts.NotFound, Elsewhere: lib})
	}
}

// interpreter is the Python that loads a module of Python's: its DT_RPATH is searched for
// all that the module needs (ld.so(8)), as conda's, which leads to conda's own libstdc++.
// nil for other files, and where the interpreter is not where its site-packages say.
func (w *world) interpreter(in *facts.Instance, file string) *node {
	prefix, rest, ok := strings.Cut(file, "/lib/python")
	version, _, _ := strings.Cut(rest, "/")
	if !ok || len(in.Imports) == 0 {
		return nil
	}
	program := prefix + "/bin/python" + version
	if o := w.object(program); o != nil {
		return &node{o: o, file: program}
	}
	return nil
}

// noExecStack reports whether the C library refuses to load libraries with an
// executable stack into a program that runs: glibc from 2.41 on (its release notes).
func noExecStack(c facts.Libc) bool {
	v, err := recipes.Version(c.Version)
	return c.Kind == "glibc" && err == nil && (v.Segments()[0] > 2 || v.Segments()[1] >= 41)
}

// tooOld adds the needs for versions of symbols that what was loaded does not define.
func (w *world) tooOld(queue []*node, loaded map[string]*node, add func(facts.Need)) {
	for _, n := range queue {
		for _, want := range n.o.wants {
			given := loaded[want.library]
			if given == nil || given.o == nil || len(given.o.defines) == 0 {
				continue // without any versions the loader only warns
			}
			var lacks []string
			for _, v := range want.versions {
				if !slices.Contains(given.o.defines, v) {
					lacks = append(lacks, v)
				}
			}
			if len(lacks) > 0 {
				slices.SortFunc(lacks, byVersion)
				add(facts.Need{
					Name: want.library, By: n.file, Cause: facts.TooOld, Found: given.file, Through: given.through,
					Lacks: lacks[len(lacks)-1], Elsewhere: w.elsewhere(want.library, n, lacks),
				})
			}
		}
	}
}

// spoilt is the need for a file that the loader finds and cannot use, with the
// package whose file it is.
func (w *world) spoilt(name, by, file string) facts.Need {
	need := damaged(w.ctx, w.h, name, by, file, w.damaged[file])
	if strings.HasPrefix(file, "/usr/lib") || strings.HasPrefix(file, "/lib") {
		if p, installed := w.pkg(name, nil); installed {
			need.Package, need.Installed = p, true
		}
	}
	return need
}

// isStub reports whether a library is CUDA's stub, which is for linking only.
func isStub(file string) bool { return strings.Contains(file, "/stubs/") }

// addPreloads adds the libraries that every program loads before its own: they
// answer for what has their name.
func (w *world) addPreloads(loaded map[string]*node) {
	if w.preloads == nil {
		w.preloads = []*node{}
		for _, p := range loader.Preloads(w.ctx, w.h) {
			file, _ := w.libs.File(w.ctx, p)
			if file == "" {
				continue
			}
			if o := w.object(file); o != nil && o.class == w.class() {
				w.preloads = append(w.preloads, &node{o: o, file: file, through: p.From})
			}
		}
	}
	for _, n := range w.preloads {
		if name := n.o.soname; name != "" && loaded[name] == nil {
			loaded[name] = n
		}
	}
}

// class is that of programs of this machine's architecture.
func (w *world) class() elf.Class {
	switch w.arch {
	case "386", "arm", "mips", "mipsle":
		return elf.ELFCLASS32
	}
	return elf.ELFCLASS64
}

// machines are the ELF machines of the architectures that people mix up, and
// their names.
var machines = map[string]struct {
	code elf.Machine
	name string
}{
	"386": {elf.EM_386, "32-bit x86"}, "amd64": {elf.EM_X86_64, "x86-64"},
	"arm": {elf.EM_ARM, "32-bit ARM"}, "arm64": {elf.EM_AARCH64, "64-bit ARM (aarch64)"},
}

// foreign is why no program here can use a file: it is made for another
// architecture. nil where that cannot be said.
func (w *world) foreign(file string) *facts.Unusable {
	o, here := w.object(file), machines[w.arch]
	if o == nil || here.name == "" || o.machine == here.code {
		return nil
	}
	for _, of := range machines {
		if of.code != o.machine {
			continue
		}
		return &facts.Unusable{
			Reason: facts.WrongArch,
			Detail: lang.F("%s is made for %s, and the programs of this system are for %s", file, lang.T(of.name), lang.T(here.name)),
			Remedy: lang.F("Install the build for %s in place of it.", lang.T(here.name)),
		}
	}
	return nil
}

// shut is why no program of this user can use a library: it may not be read. nil for
// one that may, and where that is not known.
func (w *world) shut(file string) *facts.Unusable {
	if !path.IsAbs(file) || w.object(file) != nil {
		return nil
	}
	if _, err := w.h.ReadAt(w.ctx, file, 0, 1); !errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return &facts.Unusable{
		Reason: facts.NotReadable,
		Detail: lang.F("this user may not read %s", file),
		Remedy: lang.F("As root: chmod a+r %s", file),
	}
}

var muslOwn = lazyregexp.New(`^(ld-|linux-(vdso|gate))|^libc\.musl-`)

// builtIn: the loader itself provides these.
func (w *world) builtIn(name string) bool {
	if w.libs.Musl && strings.HasPrefix(name, "ld-linux") {
		return false // glibc's loader, which gcompat plays on Alpine
	}
	if muslOwn.MatchString(name) {
		return true
	}
	return w.libs.Musl && strings.HasPrefix(name, "lib") && slices.Contains(ofLibc, stem(name))
}

// stem is what -l calls a library: m of libm.so.6.
func stem(name string) string {
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "lib"), ".so")
	return name
}

// ofLibc are the libraries that come in one package with the C library; musl's
// are one file.
var ofLibc = []string{"c", "pthread", "rt", "m", "dl", "util", "xnet"}

// condaOf is the conda environment that a library lies in; "" for none.
func (w *world) condaOf(file string) string {
	if prefix := path.Dir(path.Dir(file)); w.there(prefix+"/conda-meta/history") == present {
		return prefix
	}
	return ""
}

// systems is the system's own copy of a library; "" for none.
func (w *world) systems(name string) string {
	if file := w.first[name]; file != "" {
		return file
	}
	for _, dir := range w.libs.Default {
		if w.there(path.Join(dir, name)) == present {
			return path.Join(dir, name)
		}
	}
	return ""
}

type result struct {
	file, through string
	// other is a file of that name for another architecture.
	other string
	// unknown: a place could not be looked at.
	unknown bool
}

// find is ld.so(8)'s search: the RPATH of who asks and of those who brought it,
// LD_LIBRARY_PATH, its own RUNPATH, the cache, the default folders. What is of
// another class or machine is passed by.
func (w *world) find(name string, by *node) (r result) {
	try := func(file, through string) bool {
		o := w.object(file)
		if o == nil {
			switch w.there(file) {
			case absent:
				return false
			case unknown:
				r.unknown = true
				return false
			}
		}
		if o != nil && (o.class != by.o.class || o.machine != by.o.machine || o.data != by.o.data) {
			if r.other == "" {
				r.other, r.through = file, through
			}
			return false
		}
		r.file, r.through = file, through
		return true
	}
	folders := func(dirs []string, n *node, through string) bool {
		for _, dir := range dirs {
			if dir = w.expand(dir, n.file); path.IsAbs(dir) && try(path.Join(dir, name), through) {
				return true
			}
		}
		return false
	}
	if strings.Contains(name, "/") {
		try(w.expand(name, by.file), "its own path")
		return r
	}
	rpaths := func() bool {
		if len(by.o.runpath) > 0 && !w.libs.Musl {
			return false
		}
		for n := by; n != nil; n = n.by {
			if folders(n.o.rpath, n, "RPATH") || w.libs.Musl && folders(n.o.runpath, n, "RUNPATH") {
				return true
			}
		}
		return false
	}
	env := func() bool { return folders(w.libs.Env, by, "LD_LIBRARY_PATH") }
	if w.libs.Musl {
		if env() || rpaths() || folders(w.libs.Default, by, "default") {
			return r
		}
		return r
	}
	if rpaths() || env() || folders(by.o.runpath, by, "RUNPATH") {
		return r
	}
	for _, e := range w.libs.Cache {
		if e.Soname == name && !(by.o.noDefaults && slices.Contains(w.libs.Default, path.Dir(e.Path))) && try(e.Path, "ldconfig") {
			return r
		}
	}
	if !by.o.noDefaults && folders(w.libs.Default, by, "default") {
		return r
	}
	// Without a readable cache its folders are all that is known.
	if w.libs.CacheErr != nil && folders(w.libs.Conf, by, "ldconfig") {
		return r
	}
	return r
}

// expand replaces ld.so's variables.
func (w *world) expand(dir, file string) string {
	if !strings.Contains(dir, "$") {
		return dir
	}
	lib := "lib64"
	if w.class() == elf.ELFCLASS32 {
		lib = "lib"
	}
	if t := loader.Triplet(w.h.Arch); t != "" && loader.Debian(w.ctx, w.h) {
		lib = "lib/" + t
	}
	origin := path.Dir(file)
	if real, err := w.h.Resolve(w.ctx, origin); err == nil {
		origin = real
	}
	return strings.NewReplacer("${ORIGIN}", origin, "$ORIGIN", origin, "${LIB}", lib, "$LIB", lib).Replace(dir)
}

// fromDriver: only a GPU's driver brings these, never a toolkit.
func fromDriver(name string) bool {
	for _, stem := range []string{"libcuda.so", "libnvidia-", "libnvcuvid.so", "libnvoptix.so", "libnvrm", "libnvos.so", "libnvbuf", "libdxcore.so"} {
		if strings.HasPrefix(name, stem) {
			return true
		}
	}
	return false
}

// elsewhere is a copy where the loader does not look (or looks later) that has
// the versions.
func (w *world) elsewhere(name string, by *node, versions []string) string {
	dirs := append([]string{path.Dir(by.file)}, w.libs.Dirs(w.ctx)...)
	// OpenVINO's archive has TBB in a folder of its own: runtime/lib/intel64 and
	// runtime/3rdparty/tbb/lib.
	if strings.HasPrefix(path.Base(by.file), "libopenvino") {
		for _, up := range []string{"..", "../.."} {
			dirs = append(dirs, path.Join(path.Dir(by.file), up, "3rdparty/tbb/lib"))
		}
	}
	for _, e := range w.libs.Cache {
		if e.Soname == name {
			dirs = append(dirs, path.Dir(e.Path))
		}
	}
	// NVIDIA's runfile and an archive leave it to the user to tell the loader of a
	// toolkit (CUDA Installation Guide for Linux, "Environment Setup").
	for _, toolkit := range append(w.h.Glob(w.ctx, "/usr/local", "cuda-*"), "/usr/local/cuda") {
		dirs = append(dirs, toolkit+"/lib64")
	}
	for _, dir := range dirs {
		file := path.Join(dir, name)
		if w.there(file) != present {
			continue
		}
		o := w.object(file)
		if o == nil || o.class != by.o.class || o.machine != by.o.machine {
			continue
		}
		if !slices.ContainsFunc(versions, func(v string) bool { return !slices.Contains(o.defines, v) }) {
			return file
		}
	}
	return ""
}

// otherNumber is the name of a library that the loader finds under another number than
// the one asked for: what asks for it was built for another release of the system.
func (w *world) otherNumber(name string) (other string) {
	base, number, ok := strings.Cut(name, ".so.")
	if !ok || number == "" {
		return ""
	}
	take := func(soname string) {
		if have, n, ok := strings.Cut(soname, ".so."); ok && have == base && n != number && (other == "" || len(soname) < len(other)) {
			other = soname
		}
	}
	for _, e := range w.libs.Cache {
		take(e.Soname)
	}
	for _, dir := range w.libs.Dirs(w.ctx) {
		for _, file := range w.h.Glob(w.ctx, dir, base+".so.*") {
			take(path.Base(file))
		}
	}
	return other
}

var soname = lazyregexp.New(`^(.+?)(?:-([0-9][0-9.]*))?\.so(?:\.([0-9].*))?$`)

// debian names the package of a SONAME as Debian's policy does (8.1): libtbb.so.12
// is in libtbb12, libfoo2.so.3 in libfoo2-3, libfoo-1.2.so in libfoo-1.2.
func debian(name string) []string {
	m := soname.FindStringSubmatch(strings.ToLower(strings.ReplaceAll(name, "_", "-")))
	if m == nil || m[2] == "" && m[3] == "" {
		return nil
	}
	stem, version := m[1], m[3]
	if m[2] != "" {
		stem += "-" + m[2]
	}
	if version != "" {
		if last := stem[len(stem)-1]; last >= '0' && last <= '9' {
			stem += "-"
		}
		stem += version
	}
	// 64-bit time_t renamed packages on Debian 13 and Ubuntu 24.04.
	return []string{stem, stem + "t64"}
}

// ofCuDNN names NVIDIA's package of a library of cuDNN: one has all the parts, and from 9
// on its name says for which CUDA it is ("Installing cuDNN on Linux"), which is that of
// the libraries that are asked for beside it.
func ofCuDNN(name string, beside []string) []string {
	_, number, _ := strings.Cut(name, ".so.")
	number, _, _ = strings.Cut(number, ".")
	if major, err := strconv.Atoi(number); err != nil || major < 9 {
		return debian("libcudnn.so." + number)
	}
	for _, b := range beside {
		if m := ofCUDA.FindStringSubmatch(b); m != nil {
			return []string{"libcudnn" + number + "-cuda-" + m[1]}
		}
	}
	return nil
}

var ofCUDA = lazyregexp.New(`^lib(?:cublas|cublasLt|cudart)\.so\.(\d+)`)

// pkg is what provides a library here, and whether it is installed already; beside are
// the libraries that are asked for with it.
func (w *world) pkg(name string, beside []string) (string, bool) {
	const status, lists = "/var/lib/dpkg/status", "/var/lib/apt/lists"
	wide := ""
	if w.class() == elf.ELFCLASS64 {
		wide = "()(64bit)"
	}
	switch {
	case w.there(status) == present:
		candidates := debian(name)
		if strings.HasPrefix(name, "libcudnn") {
			candidates = ofCuDNN(name, beside)
		}
		for _, p := range candidates {
			for _, list := range []string{p + ":" + debArch(w.h.Arch), p} {
				at, err := w.h.Search(w.ctx, "/var/lib/dpkg/info/"+list+".list", "/"+name+"\n", 1<<20, 1)
				if err == nil && len(at) > 0 {
					return p, true
				}
			}
		}
		// Some are called otherwise: libz.so.1 is in zlib1g.
		if owner := loader.Owners(w.ctx, w.h, "*", "/"+name)["/"+name]; owner != "" {
			return owner, true
		}
		looked := false
		for _, file := range w.h.Glob(w.ctx, lists, "*_Packages") {
			for _, p := range candidates {
				at, err := w.h.Search(w.ctx, file, "\nPackage: "+p+"\n", 256<<20, 1)
				if err == nil && len(at) > 0 {
					return p, false
				}
				looked = looked || err == nil
			}
		}
		if !looked && len(candidates) > 0 {
			return candidates[0], false
		}
	case w.there("/lib/apk/db/installed") == present:
		return "so:" + name, false
	case w.there("/usr/bin/dnf") == present || w.there("/usr/bin/zypper") == present:
		return "'" + name + wide + "'", false
	}
	return "", false
}

func debArch(goarch string) string {
	switch goarch {
	case "386":
		return "i386"
	case "arm":
		return "armhf"
	case "ppc64le":
		return "ppc64el"
	}
	return goarch
}

// byVersion orders symbol versions: by name, so that GLIBCXX, which people know,
// comes after CXXABI, and then by number (3.4.9 before 3.4.29).
func byVersion(a, b string) int {
	nameA, numberA, _ := strings.Cut(a, "_")
	nameB, numberB, _ := strings.Cut(b, "_")
	if nameA != nameB {
		return strings.Compare(nameA, nameB)
	}
	listA, listB := strings.Split(numberA, "."), strings.Split(numberB, ".")
	for i := range min(len(listA), len(listB)) {
		na, errA := strconv.Atoi(listA[i])
		nb, errB := strconv.Atoi(listB[i])
		if order := cmp.Compare(na, nb); errA == nil && errB == nil && order != 0 {
			return order
		}
	}
	return cmp.Or(cmp.Compare(len(listA), len(listB)), strings.Compare(a, b))
}
