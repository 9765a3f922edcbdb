package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/closure"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// DepsOptions is what Deps depends on.
type DepsOptions struct {
	Console *console.Console
	File    string
	Format  string // text or json
	All     bool   // also the libraries that are found
	Version string // deployctl's own
}

// depsAnswer is the JSON of deps.
type depsAnswer struct {
	heading
	*closure.Tree
	// Problems are the tree's needs, each with what to do.
	Problems []depsProblem `json:"problems"`
	// First is the first problem, nil for none.
	First *depsProblem `json:"first"`
	Exit  int          `json:"exit"`
}

type depsProblem struct {
	facts.Need
	Supply string `json:"supply,omitempty"` // who provides it: a package or product
	Recipe string `json:"recipe,omitempty"` // of deployctl that installs it
	Fix    string `json:"fix,omitempty"`
}

// Deps prints what an executable or library loads and what of it the loader would
// not find. A *Verdict of exit code 3 says that something is missing, too old,
// damaged or for another architecture, of 5 that a place could not be looked at.
func Deps(ctx context.Context, o DepsOptions) error {
	if err := textOrJSON(o.Format); err != nil {
		return err
	}
	h := host.Live()
	file, err := filepath.Abs(o.File)
	if err != nil {
		return lang.Errorf("find %s: %w", o.File, err)
	}
	info, err := h.Stat(ctx, file)
	switch {
	case host.IsNotExist(err):
		return usagef("there is no file %s", o.File)
	case err == nil && info.Dir:
		return usagef("%s is a folder: give an executable or a shared library", o.File)
	}
	tree, err := closure.Of(ctx, h, file)
	if err != nil {
		return lang.Errorf("read %s: %w", o.File, err)
	}
	answer := depsAnswer{heading: heading{1, Made(o.Console, o.Version)}, Tree: tree, Problems: []depsProblem{}}
	for i := range tree.Libraries {
		l := &tree.Libraries[i]
		if l.State != closure.Missing && l.State != closure.Unknown {
			continue
		}
		from, _, err := recipes.ProviderOf(filepath.Base(l.Name)) // "" for none
		if err != nil {
			return err
		}
		l.Supply = from.Provider
	}
	for _, n := range tree.Needs {
		p, err := supplied(ctx, h, tree, n)
		if err != nil {
			return err
		}
		answer.Problems = append(answer.Problems, p)
	}
	if len(answer.Problems) > 0 {
		answer.First, answer.Exit = &answer.Problems[0], judge.ExitFail
	} else if tree.Here && count(tree, closure.Unknown) > 0 {
		answer.Exit = judge.ExitUnknown
	}
	if o.Format == "json" {
		err = writeJSON(o.Console, answer)
	} else {
		_, err = io.WriteString(o.Console.Text(), depsText(answer, o))
	}
	if err != nil {
		return err
	}
	return verdict(answer.Exit)
}

func count(t *closure.Tree, state string) (n int) {
	for _, l := range t.Libraries {
		if l.State == state {
			n++
		}
	}
	return n
}

// supplied adds what provides a library, and what to do.
func supplied(ctx context.Context, h *host.Host, t *closure.Tree, n facts.Need) (depsProblem, error) {
	p := depsProblem{Need: n}
	from, known, err := recipes.ProviderOf(filepath.Base(n.Name))
	if err != nil {
		return p, err
	}
	if known {
		p.Supply, p.Recipe = from.Provider, from.Recipe
		p.Fix = strings.ReplaceAll(from.Get, "{library}", n.Name)
	}
	if n.Package != "" {
		p.Supply = cmp.Or(p.Supply, lang.F("the package %s", n.Package))
		if command := packageCommand(ctx, h); command != "" {
			p.Fix = command + " " + n.Package
			if n.Installed && command == "apt-get install" {
				p.Fix = "apt-get install --reinstall " + n.Package
			}
		}
	}
	switch n.Cause {
	case facts.TooOld:
		p.Fix = lang.F("Use a newer %s, or a build of the file for this system: it asks for %s, which %s does not have.", n.Name, n.Lacks, n.Found)
		if n.Elsewhere != "" {
			p.Fix = lang.F("%s has %s: make the loader find it first.", n.Elsewhere, n.Lacks)
		}
	case facts.OtherArch:
		p.Fix = lang.F("Get %s for %s: %s is for another architecture.", filepath.Base(n.Name), t.Arch, n.Found)
	case facts.Stub:
		p.Fix = lang.F("Take the folder of %s out of the search path: CUDA's stubs are for linking only.", n.Found)
	case facts.NewerSystem:
		p.Fix = lang.F("It is built for macOS %s. Use a newer macOS or a build for this one.", n.Lacks)
	case facts.Damaged:
		p.Fix = lang.F("Install or copy %s again: it is damaged (%s).", n.Found, string(n.Problem))
	default:
		if n.Elsewhere != "" {
			p.Fix = lang.F("%s is on this machine, where the loader does not look. Add its folder to the search path.", n.Elsewhere)
			if h.OS == "linux" {
				p.Fix = lang.F("Add %s to a file in /etc/ld.so.conf.d and run ldconfig: %s is there.", filepath.Dir(n.Elsewhere), filepath.Base(n.Elsewhere))
			}
		}
	}
	return p, nil
}

// packageCommand installs packages of this system, "" where no manager is known.
func packageCommand(ctx context.Context, h *host.Host) string {
	for _, m := range []struct{ file, name string }{{"/var/lib/dpkg/status", "apt"}, {"/lib/apk/db/installed", "apk"}, {"/usr/bin/dnf", "dnf"}, {"/usr/bin/zypper", "zypper"}, {"/usr/bin/pacman", "pacman"}} {
		if h.OS == "linux" && h.Exists(ctx, m.file) {
			manager, _ := recipes.FindManager(m.name)
			return manager.Command
		}
	}
	if h.OS == "darwin" {
		return "brew install"
	}
	return ""
}

var causeWords = map[facts.Cause]string{
	facts.NotFound: "missing", facts.TooOld: "too old", facts.OtherArch: "wrong architecture", facts.Stub: "only a stub", facts.Foreign: "another copy first",
	facts.FromDriver: "missing (part of the GPU driver)", facts.OnCall: "missing (loaded when it is first called)", facts.NewerSystem: "for a newer macOS", facts.Damaged: "damaged", facts.PartMissing: "missing",
}

func depsText(a depsAnswer, o DepsOptions) string {
	var out strings.Builder
	width := cmp.Or(o.Console.Width, 80)
	names := map[string]string{"elf": "ELF", "pe": "PE", "mach-o": "Mach-O"}
	fmt.Fprint(&out, lang.F("%s  %s for %s/%s\n", a.File, names[a.Format], a.System, a.Arch))
	if len(a.Requires) > 0 {
		var parts []string
		for _, family := range slices.Sorted(maps.Keys(a.Requires)) {
			parts = append(parts, family+" "+a.Requires[family])
		}
		fmt.Fprint(&out, lang.F("  requires  %s\n", report.Wrap(strings.Join(parts, ", "), 12, width)))
	}
	if len(a.CPU) > 0 {
		fmt.Fprint(&out, lang.F("  built for %s\n", report.Wrap(strings.Join(a.CPU, " "), 12, width)))
	}
	for _, p := range a.Problems {
		fmt.Fprintf(&out, "\n  %s: %s\n", causeWords[p.Cause], p.Name)
		fmt.Fprint(&out, lang.F("    needed by %s\n", p.By))
		if p.Supply != "" {
			fmt.Fprint(&out, lang.F("    comes with %s\n", p.Supply))
		}
		if p.Recipe != "" {
			fmt.Fprint(&out, lang.F("    recipe %s: deployctl doctor --recipe %s\n", p.Recipe, p.Recipe))
		}
		if p.Fix != "" {
			fmt.Fprint(&out, lang.F("    fix: %s\n", report.Wrap(p.Fix, 9, width)))
		}
	}
	if o.All || !a.Here {
		out.WriteString("\n")
		for _, l := range a.Libraries {
			if !o.All && l.State == closure.System {
				continue
			}
			note := l.State
			if l.Delay {
				note += lang.T(", delay-loaded")
			}
			if l.Through != "" {
				note += ", " + l.Through
			}
			if l.Supply != "" {
				note += lang.F(", comes with %s", l.Supply)
			}
			fmt.Fprintf(&out, "  %-32s %s (%s)\n", l.Name, cmp.Or(l.File, "–"), note)
		}
	}
	out.WriteString("\n" + depsSummary(a) + "\n")
	return out.String()
}

func depsSummary(a depsAnswer) string {
	n := len(a.Libraries)
	switch {
	case !a.Here:
		text := lang.F("This machine does not run such files: of %s, %d are beside it, %d come with %s.", plural(n, "library", "libraries"), count(a.Tree, closure.Found), count(a.Tree, closure.System), map[string]string{"linux": "Linux", "windows": "Windows", "darwin": "macOS"}[a.System])
		if unknown := count(a.Tree, closure.Unknown); unknown > 0 {
			text += lang.F(" The machine it runs on must have the other %d.", unknown)
		}
		return text
	case len(a.Problems) > 0:
		return lang.F("%s of %s.", plural(len(a.Problems), "problem", "problems"), plural(n, "library", "libraries"))
	case count(a.Tree, closure.Unknown) > 0:
		return lang.F("Whether %d of %s are found is unknown: a folder could not be read, or the program that loads the file decides.", count(a.Tree, closure.Unknown), plural(n, "library", "libraries"))
	case n == 0:
		return lang.T("It loads no library.")
	}
	return lang.F("The loader finds all %s.", plural(n, "library", "libraries"))
}

func plural(n int, one, many string) string {
	if lang.Current() != lang.English {
		return lang.Count(n, one)
	}
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
