package environment

import (
	"cmp"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/doctor/probe/loader"
)

// goReads are the settings that every go command reads before it does anything: it stops
// there at a value that it does not know (cmd/go, main and toolchain.Select).
var goReads = []string{"GOFLAGS", "GOTOOLCHAIN", "GOEXPERIMENT", "GOFIPS140"}

// goStarts asks go whether it starts with the user's settings, where there are any.
func (p *prober) goStarts() {
	var set []string
	for _, name := range goReads {
		if v := p.goVariable(name); v != "" && !slices.Contains([]string{"local", "auto", "path", "off"}, v) {
			set = append(set, name)
		}
	}
	found := p.h.LookPath(p.ctx, "go")
	if len(set) == 0 || len(found) == 0 {
		return
	}
	env := []string{
		"GOPROXY=off", "GOWORK=off", // no download, and no file of the current folder
		"HOME=", "XDG_CONFIG_HOME=", "AppData=", // go counts its calls in a file of the user's
	}
	if file := p.settings.File(); look.IsPath(file) {
		env = append(env, "GOENV="+file)
	}
	if modules := p.goModules(); look.IsPath(modules) { // with the Gos that were fetched
		env = append(env, "GOMODCACHE="+modules)
	}
	out, err := p.h.Run(p.ctx, host.Command{Argv: []string{found[0], "version", found[0]}, Env: env, Dir: p.h.DirOf(found[0])})
	if err != nil || out.Exit <= 0 {
		return
	}
	said := goSays(string(out.Stderr))
	for _, name := range set {
		value, _, _ := strings.Cut(p.goVariable(name), "+")
		switch {
		case name == "GOTOOLCHAIN" && strings.HasPrefix(value, "go1") && strings.Contains(said, "download "+value):
			p.note(name, value, facts.ToolchainAway, "")
		case strings.Contains(said, name) || name == "GOTOOLCHAIN" && strings.Contains(said, value):
			p.note(name, "", facts.GoRefuses, said)
		default:
			continue
		}
		return // it stops at the first
	}
}

// goSays is what go says at its end, without its name.
func goSays(text string) string {
	said := ""
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "go: "); ok {
			said = look.Clean(strings.TrimSpace(rest))
		}
	}
	return said
}

// cgoFlags tries the flags that the user hands to cgo's compilers (cmd/cgo, CGO_CFLAGS and
// the like), where there are any.
func (p *prober) cgoFlags() {
	shared, null := p.flags("CGO_CPPFLAGS"), "/dev/null"
	if p.h.Windows() {
		null = "NUL"
	}
	for _, c := range []struct {
		variable, compiler, language string
		first                        []string
	}{
		{"CGO_CPPFLAGS", "CXX", "c++", nil}, {"CGO_CFLAGS", "CC", "c", shared}, {"CGO_CXXFLAGS", "CXX", "c++", shared},
	} {
		flags, driver := p.flags(c.variable), []string(nil)
		if len(flags) > 0 {
			driver = p.driver(c.compiler)
		}
		if driver == nil {
			continue
		}
		if said := p.refuses(driver, slices.Concat(c.first, flags), []string{"-fsyntax-only", "-x", c.language, null}); said != "" {
			p.note(c.variable, "", facts.FlagRefused, said)
			return
		}
	}
	flags := p.flags("CGO_LDFLAGS")
	if len(flags) == 0 || p.h.OS != "linux" {
		return
	}
	driver := p.driver("CXX") // cgo links with it where there is C++
	if driver == nil {
		return
	}
	// The linker reads all of its options before it says its version and ends.
	if said := p.refuses(driver, flags, []string{"-fno-use-linker-plugin", "-Wl,--version"}); said != "" {
		p.note("CGO_LDFLAGS", "", facts.FlagRefused, said)
	} else if gone := p.notLinked(driver, flags); gone != "" {
		p.note("CGO_LDFLAGS", gone, facts.LibraryGone, "")
	}
}

// flags are those of a variable; nil where quotes may hold several words together, and
// where one makes a compiler write files or run what it names.
func (p *prober) flags(variable string) []string {
	const most = 256
	flags := strings.Fields(p.goVariable(variable))
	writes := func(f string) bool {
		return strings.ContainsAny(f, "\"'`$@") || slices.ContainsFunc([]string{
			"-o", "-M", "-d", "-B", "-save-temps", "-wrapper", "-specs", "--specs", "-fplugin", "-fdump", "-fprofile", "-ftest-coverage", "-fcallgraph", "-fopt-info", "-fdiagnostics", "-gsplit",
			"-plugin", "-fpass-plugin", "-Xclang", "-mllvm", "-fuse-ld=/", "--ld-path", "-Wp,", "-Wa,", "-Wl,-Map", "-Wl,-plugin", "-Wl,--plugin", "-Wl,-o", "-Wl,--output", "-Xlinker", "-Xassembler", "-Xpreprocessor", "-aux-info", "-imultilib", "-###",
		}, func(start string) bool { return strings.HasPrefix(f, start) })
	}
	if len(flags) > most || slices.ContainsFunc(flags, writes) {
		return nil
	}
	return flags
}

// driver is the compiler that cgo starts; nil where it is not found or is not known.
func (p *prober) driver(variable string) []string {
	words := strings.Fields(p.goVariable(variable))
	if len(words) == 0 {
		words = []string{map[string]string{"CC": "gcc", "CXX": "g++"}[variable]} // cmd/go/internal/cfg, DefaultCC
		if p.h.OS == "darwin" {
			words = []string{map[string]string{"CC": "clang", "CXX": "clang++"}[variable]}
		}
	}
	if strings.ContainsAny(words[0], "\"'") {
		return nil
	}
	found := words[:1]
	if !strings.Contains(words[0], "/") {
		found = p.h.LookPath(p.ctx, words[0])
	}
	if len(found) == 0 || strings.HasPrefix(found[0], ".") {
		return nil
	}
	words[0] = found[0]
	if p.h.OS == "darwin" && strings.HasPrefix(found[0], "/usr/bin/") {
		tool, ok := look.AppleTool(p.ctx, p.h, p.h.Base(found[0]))
		if !ok {
			return nil
		}
		words[0] = tool
	}
	return words
}

// refuses is what a compiler says against flags; "" where it takes them, cannot be asked,
// or does not work without them either.
func (p *prober) refuses(driver, flags, end []string) string {
	run := func(flags []string) (host.Output, error) {
		return p.h.Run(p.ctx, host.Command{Argv: slices.Concat(driver, flags, end), Env: []string{"LC_ALL=C"}})
	}
	out, err := run(flags)
	if err != nil || out.Exit <= 0 {
		return ""
	}
	if without, err := run(nil); err != nil || without.Exit != 0 {
		return ""
	}
	said := ""
	for line := range strings.Lines(string(out.Stderr)) {
		line = strings.TrimSpace(line)
		told := strings.Contains(line, "error: ") && !strings.Contains(line, "ld returned") || strings.Contains(line, "ld: ")
		if told {
			return look.Clean(line)
		}
		said = cmp.Or(said, line)
	}
	return look.Clean(said)
}

// notLinked is the first library among the flags that the linker does not find: in no
// folder that they name, in none of its own, and not where the compiler knows one.
func (p *prober) notLinked(driver, flags []string) string {
	var dirs, names []string
	for i, f := range flags {
		for start, list := range map[string]*[]string{"-L": &dirs, "-l": &names} {
			if rest, ok := strings.CutPrefix(f, start); ok && rest != "" {
				*list = append(*list, rest)
			} else if ok && i+1 < len(flags) {
				*list = append(*list, flags[i+1])
			}
		}
	}
	dirs = append(dirs, loader.Without(p.h).LinkDirs()...)
	asked := 0
	for _, name := range names {
		files := []string{"lib" + name + ".so", "lib" + name + ".a"}
		const most = 4
		if strings.HasPrefix(name, ":") || asked >= most || slices.ContainsFunc(files, func(file string) bool {
			return slices.ContainsFunc(dirs, func(dir string) bool {
				_, err := p.h.Stat(p.ctx, p.h.Join(dir, file))
				return !host.IsNotExist(err) // what is not known may be there
			})
		}) {
			continue
		}
		asked++
		known := slices.ContainsFunc(files, func(file string) bool {
			out, err := p.h.Run(p.ctx, host.Command{Argv: append(slices.Clone(driver), "-print-file-name="+file)})
			return err != nil || out.Exit != 0 || strings.TrimSpace(string(out.Stdout)) != file
		})
		if !known {
			return "-l" + name
		}
	}
	return ""
}
