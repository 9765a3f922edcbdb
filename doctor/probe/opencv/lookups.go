package opencv

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/loader"
)

// pcNames are the package names a cgo or CMake build asks pkg-config for, in
// gocv's order of preference.
var pcNames = []string{"opencv4", "opencv5", "opencv"}

// build is what one way of compiling and linking arrives at.
type build struct {
	pkg                     loader.Package
	byPkg, byHeader, byLink *copyOf
	// header is the folder and version of the headers, linked the library.
	headerDir, headerVersion, linked string
}

// settle says which copy wins in each lookup, which one a build with gocv
// would use, and where lookups contradict each other.
func (s *search) settle(ctx context.Context, libs *loader.Libraries, pcDirs []string) {
	linkDirs := libs.LinkDirs()
	if s.h.OS == "darwin" {
		linkDirs = append(loader.SplitPath(s.h.Env("LIBRARY_PATH")), "/usr/local/lib")
	}
	var systemInclude []string
	for _, v := range []string{"CPATH", "CPLUS_INCLUDE_PATH"} {
		systemInclude = append(systemInclude, loader.SplitPath(s.h.Env(v))...)
	}
	systemInclude = append(systemInclude, "/usr/local/include", "/usr/include")

	// Without pkg-config: plain #include and -lopencv_core.
	if _, _, c := s.firstHeaders(ctx, systemInclude); c != nil {
		c.wins(viaInclude)
	}
	if c := s.holding(ctx, libs, s.link(ctx, libs, linkDirs)); c != nil {
		c.wins(viaLink)
	}

	var b build
	for _, name := range pcNames {
		if p, ok := loader.PkgConfig(ctx, s.h, pcDirs, name); ok {
			b.pkg, b.byPkg = p, s.byPackage(p)
			break
		}
	}
	unseen := s.unseen(ctx, b.pkg)
	// pkg-config leaves the system's own folders out of -I and -L, so they come
	// last, in the compiler's order.
	include := slices.DeleteFunc(slices.Clone(b.pkg.Include), func(d string) bool { return d == "/usr/include" || !path.IsAbs(d) })
	b.headerVersion, b.headerDir, b.byHeader = s.firstHeaders(ctx, append(include, systemInclude...))
	lib := slices.DeleteFunc(slices.Clone(b.pkg.Lib), func(d string) bool {
		return !path.IsAbs(d) || strings.HasPrefix(d, "/lib") || d == "/usr/lib" || d == "/usr/lib64" || d == "/usr/lib/"+loader.Triplet(s.h.Arch)
	})
	b.linked = s.link(ctx, libs, append(lib, linkDirs...))
	b.byLink = s.holding(ctx, libs, b.linked)
	if b.byPkg != nil {
		b.byPkg.wins(viaPkgConfig)
	}
	byCMake := s.cmakeWinner(ctx)
	if byCMake != nil {
		byCMake.wins(viaCMake)
	}
	for _, c := range s.copies {
		if c.soname == "" {
			continue
		}
		if file, via := libs.Find(ctx, c.soname); file != "" {
			if winner := s.holding(ctx, libs, file); winner != nil {
				winner.wins(via)
			}
		}
	}
	active, why := s.choose(b, byCMake)
	if active == nil {
		return
	}
	active.active = true
	if active == b.byPkg {
		active.unseen = unseen
	}
	active.set("why", why)
	active.conflict = strings.Join(s.conflicts(ctx, libs, b, byCMake), "; ")
}

// unseen asks the pkg-config that PATH finds whether it sees the package too: one
// of another prefix (conda's) does not know the system's folders.
func (s *search) unseen(ctx context.Context, p loader.Package) *facts.Unseen {
	found := s.h.LookPath(ctx, "pkg-config")
	if p.File == "" || len(found) == 0 {
		return nil
	}
	name := strings.TrimSuffix(path.Base(p.File), ".pc")
	out, err := s.h.Run(ctx, host.Command{Argv: []string{found[0], "--modversion", name}})
	// 1 is its answer for a package that it does not find.
	if err != nil || out.Exit != 1 {
		return nil
	}
	return &facts.Unseen{By: found[0], Folder: path.Dir(p.File)}
}

// choose picks the copy a build would use, in the order builds ask.
func (s *search) choose(b build, byCMake *copyOf) (*copyOf, string) {
	switch {
	case b.byPkg != nil && b.byPkg.core == "" && len(b.byPkg.static) == 0 && b.byLink != nil:
		return b.byLink, fmt.Sprintf("pkg-config finds %s, which holds no library of its own; the linker then takes %s", b.pkg.File, b.linked)
	case b.byPkg != nil:
		return b.byPkg, "gocv asks pkg-config, which finds " + b.pkg.File
	case b.byLink != nil:
		return b.byLink, "no pkg-config file is found; the linker takes " + b.linked
	case byCMake != nil:
		return byCMake, "only CMake finds it, through " + byCMake.cmake
	}
	for _, via := range []string{viaLibPath, viaLoader} {
		for _, c := range s.copies {
			if slices.Contains(c.via, via) {
				return c, "nothing can be built against any copy; programs already built load this one"
			}
		}
	}
	if b.byHeader != nil {
		return b.byHeader, "its headers are found, but no library"
	}
	return nil, ""
}

// conflicts are sentences, each naming both sides.
func (s *search) conflicts(ctx context.Context, libs *loader.Libraries, b build, byCMake *copyOf) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if b.byPkg != nil {
		switch {
		case b.byHeader == nil:
			say("%s says %s, but no headers are where it points", b.pkg.File, b.pkg.Version)
		case !agree(b.headerVersion, b.pkg.Version):
			say("%s says %s, but the headers it leads to in %s are %s", b.pkg.File, b.pkg.Version, b.headerDir, b.headerVersion)
		}
		if b.linked == "" {
			say("%s says %s, but no libopencv_core or libopencv_world can be linked", b.pkg.File, b.pkg.Version)
		}
	}
	if b.byHeader != nil && b.byLink != nil && !agree(b.headerVersion, b.byLink.version) {
		say("a build compiles with the headers of %s in %s but links the libraries of %s, %s", b.headerVersion, b.headerDir, b.byLink.version, b.linked)
	}
	if b.byLink != nil && b.byLink.soname != "" && s.h.OS == "linux" {
		file, via := libs.Find(ctx, b.byLink.soname)
		switch runs := s.holding(ctx, libs, file); {
		case file == "":
			say("programs link %s but do not start, as the loader finds no %s: run ldconfig, after adding %s to /etc/ld.so.conf.d if it is not there", b.linked, b.byLink.soname, b.byLink.libDir)
		case runs != nil && runs != b.byLink:
			say("programs link %s in %s but the loader takes %s (%s) through %s", b.byLink.version, b.byLink.libDir, file, runs.version, via)
		}
	}
	if b.byPkg != nil && byCMake != nil && b.byPkg != byCMake {
		say("pkg-config finds %s in %s, CMake finds %s in %s", b.byPkg.version, b.byPkg.prefix, byCMake.version, byCMake.prefix)
	}
	return out
}

func (s *search) firstHeaders(ctx context.Context, dirs []string) (version, dir string, c *copyOf) {
	for _, d := range dirs {
		if v, c := s.headers(ctx, d); c != nil {
			return v, d, c
		}
	}
	return "", "", nil
}

func (s *search) byPackage(p loader.Package) *copyOf {
	for _, c := range s.copies {
		if c.pc == p.File {
			return c
		}
	}
	for _, c := range s.copies {
		for _, e := range c.evidence {
			if e.Source == p.File {
				return c
			}
		}
	}
	return nil
}

// link returns the library that -lopencv_core (or world) takes.
func (s *search) link(ctx context.Context, libs *loader.Libraries, dirs []string) string {
	for _, name := range []string{"opencv_core", "opencv_world"} {
		if file := libs.Link(ctx, name, dirs); file != "" {
			return file
		}
	}
	return ""
}

// holding returns the copy that a library file belongs to.
func (s *search) holding(ctx context.Context, libs *loader.Libraries, file string) *copyOf {
	if file == "" {
		return nil
	}
	real, err := s.h.Resolve(ctx, file)
	if err != nil {
		real = file
	}
	n, _ := parseLibName(path.Base(real))
	for _, f := range []string{real, file} {
		if c := s.byLibrary(libs.Real(ctx, path.Dir(f)), n.Version); c != nil {
			return c
		}
	}
	return nil
}

// kegs are the folders of Homebrew's copies, linked and keg-only, of both
// prefixes, and of MacPorts.
func (s *search) kegs(ctx context.Context) []string {
	var out []string
	for _, prefix := range []string{"/opt/homebrew", "/usr/local"} {
		for _, dir := range s.h.Glob(ctx, prefix+"/opt", "opencv*") {
			out = append(out, dir+"/lib")
		}
		for _, keg := range s.h.Glob(ctx, prefix+"/Cellar", "opencv*") {
			for _, version := range s.h.Glob(ctx, keg, "*") {
				out = append(out, version+"/lib")
			}
		}
		out = append(out, prefix+"/lib")
	}
	return append(out, "/opt/local/lib", "/opt/local/lib/opencv4", "/opt/local/libexec/opencv4/lib")
}
