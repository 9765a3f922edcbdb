package libfind

import (
	"cmp"
	"context"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/doctor/probe/loader"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// build is what the ways of compiling and linking arrive at.
type build struct {
	pkg                              packageFile
	byPkg, byHeader, byLink, byCMake *copyOf
	headerDir, headerVersion, linked string
}

// settle says which copy wins in each lookup, which one a build would use, and
// where the lookups contradict each other.
func (s *search) settle(ctx context.Context, pcDirs []string, pcs []packageFile) {
	var b build
	for _, name := range s.spec.pc {
		if b.byPkg == nil {
			b.pkg, b.byPkg = s.pkgConfig(pcDirs, pcs, name)
		}
	}
	if b.byPkg != nil {
		b.byPkg.wins(viaPkgConfig)
	}
	var include []string
	for _, d := range b.pkg.Include {
		// pkg-config leaves the system's own folder out.
		if path.IsAbs(d) && d != "/usr/include" {
			include = append(include, d)
		}
	}
	for i, d := range append(include, s.includeDirs()...) {
		file, _, version, _ := s.findHeaders(ctx, d)
		if file == "" {
			continue
		}
		c := s.includes(ctx, d)
		if b.byHeader == nil {
			b.byHeader, b.headerDir, b.headerVersion = c, d, version
		}
		if i >= len(include) {
			c.wins(viaInclude)
			break
		}
	}
	linkDirs := s.libs.LinkDirs()
	if s.h.OS == "darwin" {
		linkDirs = append(loader.SplitPath(s.h.Env("LIBRARY_PATH")), "/usr/local/lib")
	}
	b.linked, b.byLink = s.link(ctx, linkDirs)
	if b.byLink != nil {
		b.byLink.wins(viaLink)
	}
	if b.byCMake = s.cmakeWinner(ctx); b.byCMake != nil {
		b.byCMake.wins(viaCMake)
	}
	s.loaded(ctx)
	s.named(func(value string) func(*copyOf) bool { return s.unixNamed(ctx, value) })
	active, why := s.choose(b)
	if active == nil {
		return
	}
	active.active = true
	active.set("why", why)
	if s.spec.gocv {
		active.unseen = s.redirected(ctx, active, b)
		active.lost = s.lost(ctx, active)
	}
	if s.spec.gocv && active == b.byPkg {
		if active.unseen == nil {
			active.unseen = s.unseen(ctx, b.pkg.Package)
		}
		active.dangling = s.dangling(ctx, b, linkDirs)
	}
	all := s.conflicts(ctx, b, active)
	if own := active.conflict; own != "" {
		all = append([]string{own}, all...)
	}
	active.conflict = strings.Join(all, lang.T("; "))
}

// ofBuilds are OpenCV's libraries, and those of others that it was built with and
// that it names to the linker.
var ofBuilds = lazyregexp.New(`^(opencv_|ippicv|ippiw|ittnotify|cudart|npp|cublas|cufft|cudnn)`)

// usesOthers are the modules that link libraries of other projects into programs, where
// they are static: zlib and TBB, the formats of pictures, Protocol Buffers.
var usesOthers = []string{"opencv_core", "opencv_imgcodecs", "opencv_dnn"}

// dangling is what the package file that pkg-config finds names and is not here:
// the folders of the headers, which lie elsewhere, and single libraries. Where
// hardly any of the libraries are known, nothing is said of them.
func (s *search) dangling(ctx context.Context, b build, linkDirs []string) *facts.Dangling {
	d := facts.Dangling{File: b.pkg.File}
	if b.byHeader == nil && b.byPkg.include != "" && len(b.pkg.Include) > 0 && !slices.ContainsFunc(b.pkg.Include, func(dir string) bool { return len(s.list(ctx, dir)) > 0 }) {
		d.Folders = b.pkg.Include
	}
	found := 0
	dirs := slices.Concat(b.pkg.Lib, linkDirs)
	for _, name := range b.pkg.Names {
		if !ofBuilds.MatchString(name) {
			continue // the compiler's own folders have the others
		}
		there := slices.ContainsFunc(dirs, func(dir string) bool {
			files := s.libs.InDir(ctx, s.libs.Real(ctx, dir), "lib"+name+".")
			shared, static, running := false, false, false
			for _, f := range files {
				base := path.Base(f)
				shared = shared || base == "lib"+name+".so"
				static = static || base == "lib"+name+".a"
				running = running || strings.HasPrefix(base, "lib"+name+".so.")
			}
			// Beside shared libraries, the static one of such a module lacks the other
			// libraries that it uses.
			return shared || static && !(running && slices.Contains(usesOthers, name))
		})
		if there {
			found++
		} else {
			look.AddNew(&d.Libraries, 0, name)
		}
	}
	const enough = 3 // of those found for each that is not
	if s.h.OS != "linux" || found < enough*len(d.Libraries) {
		d.Libraries = nil
	}
	if len(d.Folders)+len(d.Libraries) == 0 {
		return nil
	}
	var files []string
	for _, name := range d.Libraries {
		for _, dir := range dirs {
			files = append(files, path.Join(dir, "lib"+name+".so"))
		}
	}
	d.Packages = distinct(loader.Owners(ctx, s.h, "*", files...))
	return &d
}

// distinct are the packages that own files.
func distinct(owners map[string]string) []string {
	return slices.Compact(slices.Sorted(maps.Values(owners)))
}

// lost are the files of Debian's OpenCV that its packages brought and that are not here:
// headers of its modules, package files, and the libraries by the names that programs ask
// for. Installing the packages once more brings nothing back (apt-get(8), --reinstall).
func (s *search) lost(ctx context.Context, c *copyOf) *facts.Lost {
	if s.h.OS != "linux" || c.prefix != "/usr" || c.kind != "" {
		return nil
	}
	var files []string
	parts := map[string]string{}
	miss := func(part, file string) {
		if _, err := s.h.Stat(ctx, file); host.IsNotExist(err) && parts[file] == "" {
			files, parts[file] = append(files, file), part
		}
	}
	lib := "/usr/lib/" + loader.Triplet(s.h.Arch)
	include := path.Join(cmp.Or(c.include, "/usr/include/opencv4"), "opencv2")
	there := s.list(ctx, include)
	gone := func(module string) bool {
		return !slices.ContainsFunc(there, func(e host.Entry) bool { return e.Name == module+".hpp" })
	}
	if c.include == "" {
		miss("headers", path.Join(path.Dir(include), s.spec.headers[0]))
	}
	if c.include == "" || slices.ContainsFunc(c.built.Modules, func(m string) bool { return slices.Contains(mainModules, m) && gone(m) }) {
		for _, module := range slices.Concat(c.built.Modules, c.parts) { // others, too, have headers of their name
			if gone(module) {
				miss("headers", path.Join(include, module+".hpp"))
			}
		}
	}
	if c.pc == "" {
		miss("pkg-config", lib+"/pkgconfig/opencv4.pc")
	}
	if c.cmake == "" {
		miss("cmake", lib+"/cmake/opencv4/OpenCVConfig.cmake")
	}
	if _, number, ok := strings.Cut(c.soname, ".so."); ok && !slices.Contains(c.parts, "world") {
		for _, module := range mainModules {
			if !slices.Contains(c.parts, module) {
				miss(module, path.Join(c.libDir, "libopencv_"+module+".so."+number))
			}
		}
	}
	if len(files) == 0 {
		return nil
	}
	// Most that lack something have no package with it.
	if installed, err := look.Dpkg(ctx, s.h, "libopencv-core-dev", "libopencv-dev"); err != nil || len(installed) == 0 {
		return nil
	}
	l := &facts.Lost{}
	owners := loader.Owners(ctx, s.h, "*opencv*", files...)
	for _, file := range files {
		if owners[file] == "" {
			continue
		}
		l.Files = append(l.Files, file)
		look.AddNew(&l.Parts, 0, parts[file])
	}
	if l.Packages = distinct(owners); len(l.Files) == 0 {
		return nil
	}
	return l
}

// loaded notes which copies the loader finds.
func (s *search) loaded(ctx context.Context) {
	for _, c := range s.copies {
		if c.soname == "" || s.h.OS != "linux" {
			continue
		}
		if file, via := s.libs.Find(ctx, c.soname); file != "" {
			if winner := s.holding(s.real(ctx, file)); winner != nil {
				winner.wins(via)
			}
		}
	}
}

// pkgConfig returns the package of that name that pkg-config finds.
func (s *search) pkgConfig(dirs []string, all []packageFile, name string) (packageFile, *copyOf) {
	for _, dir := range dirs {
		for _, p := range all {
			if p.name != name || path.Dir(p.File) != dir {
				continue
			}
			for _, c := range s.copies {
				if c.pc == p.File {
					return p, c
				}
			}
			for _, c := range s.copies {
				for _, e := range c.evidence {
					if e.Source == p.File {
						return p, c
					}
				}
			}
		}
	}
	return packageFile{}, nil
}

// link returns the library that -l finds: in each folder a shared one before an
// archive.
func (s *search) link(ctx context.Context, dirs []string) (string, *copyOf) {
	for _, stem := range s.spec.libs {
		for _, dir := range dirs {
			real := s.libs.Real(ctx, dir)
			files := s.libs.InDir(ctx, real, "lib"+stem+".")
			for _, ext := range []string{".so", ".dylib", ".a"} {
				if !slices.Contains(files, real+"/lib"+stem+ext) {
					continue
				}
				file := dir + "/lib" + stem + ext
				target := s.real(ctx, file)
				if c := s.holding(target); c != nil {
					return file, c
				}
				for _, c := range s.copies {
					if c.static && c.libDir == path.Dir(target) {
						return file, c
					}
				}
			}
		}
	}
	return "", nil
}

// cmakeWinner returns the copy that find_package finds: <Name>_DIR, then
// CMAKE_PREFIX_PATH, the parents of PATH's bin folders, the system's prefixes
// (find_package(), "Config Mode Search Procedure").
func (s *search) cmakeWinner(ctx context.Context) *copyOf {
	for _, p := range s.spec.cmake {
		if d := s.envPath(p + "_DIR"); d != "" {
			if c := s.cmakePackage(ctx, d); c != nil {
				return c
			}
		}
	}
	var prefixes []string
	add := func(d string) {
		if path.IsAbs(d) && !slices.Contains(prefixes, d) && len(prefixes) < 64 {
			prefixes = append(prefixes, d)
		}
	}
	for _, p := range s.spec.cmake {
		add(s.envPath(p + "_ROOT"))
	}
	for _, d := range loader.SplitPath(s.h.Env("CMAKE_PREFIX_PATH")) {
		add(d)
	}
	for _, d := range s.h.PathDirs() {
		d = path.Clean(d)
		if b := path.Base(d); b == "bin" || b == "sbin" {
			d = path.Dir(d)
		}
		if d != "/" {
			add(d)
		}
	}
	if s.h.OS == "darwin" {
		add("/opt/homebrew")
	}
	add("/usr/local")
	add("/usr")
	for _, prefix := range prefixes {
		if ctx.Err() != nil {
			return nil
		}
		for _, d := range s.configDirs(ctx, prefix) {
			if c := s.cmakePackage(ctx, d); c != nil {
				return c
			}
		}
	}
	return nil
}

// unixNamed finds the copies that a variable's value names.
func (s *search) unixNamed(ctx context.Context, value string) func(*copyOf) bool {
	dir := s.real(ctx, value)
	return func(c *copyOf) bool {
		return dir == c.prefix || prefixOf(dir) == c.prefix || within(c.prefix, dir) || within(c.libDir, dir) || dir == c.libDir || c.cmake != "" && s.h.DirOf(c.cmake) == value
	}
}

// named notes which copies the variables name, and which variables name none.
func (s *search) named(names func(value string) func(*copyOf) bool) {
	for _, v := range s.spec.env {
		value := s.envPath(v)
		if value == "" {
			continue
		}
		hit, named := false, names(value)
		for _, c := range s.copies {
			if named(c) {
				if c.attrs["env"] == "" {
					c.set("env", v)
				}
				hit = true
				break
			}
		}
		if !hit && len(s.stale) < 8 {
			s.stale = append(s.stale, facts.Stale{Variable: v, Folder: value})
		}
	}
}

// choose picks the copy a build would use, in the order builds of this
// component ask.
func (s *search) choose(b build) (*copyOf, string) {
	for _, c := range s.copies {
		if len(s.spec.programs) > 0 && s.spec.component == "darknet" && slices.Contains(c.via, viaPath) {
			return c, "the first program " + s.spec.programs[0] + " in PATH"
		}
	}
	for _, c := range s.copies {
		if slices.Contains(c.via, viaHere) {
			return c, "the program " + s.spec.programs[0] + " in the current folder"
		}
	}
	type choice struct {
		c   *copyOf
		why string
	}
	var pkg, cmake choice
	if b.byPkg != nil {
		pkg = choice{b.byPkg, "pkg-config finds " + b.pkg.File}
	}
	if b.byCMake != nil {
		cmake = choice{b.byCMake, "CMake finds " + b.byCMake.cmake}
	}
	order := []choice{pkg, {b.byLink, "the linker finds " + b.linked}, cmake}
	if s.spec.cmakeFirst {
		order = []choice{cmake, pkg, {b.byLink, "the linker finds " + b.linked}}
	}
	for _, o := range order {
		if o.c != nil && o.c.linkable() {
			return o.c, o.why
		}
	}
	for _, via := range []string{viaLibPath, viaLoader, viaPath} {
		for _, c := range s.copies {
			if slices.Contains(c.via, via) {
				return c, "nothing can be built against any copy; programs already built load this one"
			}
		}
	}
	for _, c := range s.copies {
		if c.attrs["env"] != "" && c.linkable() {
			return c, c.attrs["env"] + " names it"
		}
	}
	if c := s.given(); c != nil {
		return c, whyGiven
	}
	for _, o := range append(order, choice{b.byHeader, "its headers are found"}) {
		if o.c != nil {
			return o.c, o.why + ", but there is no library"
		}
	}
	return nil, ""
}

// conflicts are sentences, each naming both sides.
func (s *search) conflicts(ctx context.Context, b build, active *copyOf) []string {
	var out []string
	say := func(sentence string) { out = append(out, sentence) }
	name := func(c *copyOf) string {
		where := c.prefix
		for _, o := range s.copies {
			if o != c && o.prefix == c.prefix && c.libDir != "" {
				where = c.libDir // Debian's builds of OpenBLAS share a prefix
			}
		}
		if c.version == "" {
			return lang.F("the copy in %s", where)
		}
		return lang.F("%s in %s", c.version, where)
	}
	if b.byPkg != nil && s.spec.gocv {
		switch {
		case b.byHeader == nil:
			say(lang.F("%s says %s, but no headers are where it points", b.pkg.File, b.pkg.Version))
		case !agree(b.headerVersion, b.pkg.Version):
			say(lang.F("%s says %s, but the headers it leads to in %s are %s", b.pkg.File, b.pkg.Version, b.headerDir, b.headerVersion))
		}
		if b.byLink == nil && !b.byPkg.linkable() {
			say(lang.F("%s says %s, but no lib%s can be linked", b.pkg.File, b.pkg.Version, strings.Join(s.spec.libs, lang.T(" or lib"))))
		}
	}
	if b.byPkg != nil && b.byCMake != nil && b.byPkg != b.byCMake {
		say(lang.F("pkg-config finds %s, CMake finds %s", name(b.byPkg), name(b.byCMake)))
	}
	linked := b.byLink
	if b.byPkg != nil && b.byPkg.linkable() && !s.spec.cmakeFirst {
		linked = b.byPkg // by its -L
	}
	if b.byHeader != nil && linked != nil && b.headerVersion != "" && !agree(b.headerVersion, linked.version) {
		say(lang.F("a build compiles with the headers of %s in %s but links the libraries of %s", b.headerVersion, b.headerDir, name(linked)))
	}
	if b.byLink != nil && b.byCMake != nil && b.byPkg == nil && b.byLink != b.byCMake && b.byCMake.linkable() {
		say(lang.F("the linker finds %s (%s), CMake finds %s", b.linked, name(b.byLink), name(b.byCMake)))
	}
	built := slices.ContainsFunc(active.via, func(v string) bool { return v == viaLink || v == viaPkgConfig || v == viaCMake })
	if s.h.OS == "linux" && active.soname != "" && active.kind == "" && built {
		file, via := s.libs.Find(ctx, active.soname)
		runs := s.holding(s.real(ctx, file))
		switch {
		case strings.Contains(active.libDir, "/store/"): // Nix's and Guix' linkers write the path into programs
		case file == "" && (managedDir(active.libDir) || s.spec.gocv && (active == b.byPkg || active == b.byLink)):
			say(lang.F("programs built against %s do not start, as the loader finds no %s: run ldconfig, after adding %s to /etc/ld.so.conf.d if it is not there", name(active), active.soname, active.libDir))
		case runs != nil && runs != active:
			say(lang.F("programs are built against %s but the loader finds %s (%s) through %s", name(active), file, name(runs), via))
		}
	}
	if s.spec.component == "darknet" && active.program != "" {
		for _, c := range s.copies {
			if c != active && (c.dev || slices.Contains(c.via, viaLoader)) && c.attrs["flavour"] != "" && c.attrs["flavour"] != active.attrs["flavour"] {
				say(lang.F("the program %s is %s's Darknet, the library %s is %s's", active.program, active.attrs["flavour"], c.lib, c.attrs["flavour"]))
			}
		}
	}
	return out
}

// managedDir: a folder the loader is meant to search. CMake writes the path of a
// library elsewhere into the program itself (RPATH).
func managedDir(dir string) bool {
	return strings.HasPrefix(dir, "/usr/lib") || strings.HasPrefix(dir, "/usr/local/lib") || strings.HasPrefix(dir, "/lib")
}
