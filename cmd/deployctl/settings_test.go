package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/judge"
)

// said runs main and returns what it writes.
func said(c *console.Console, args ...string) (exit int, out, errs string) {
	var o, e bytes.Buffer
	c.Out, c.Err, c.Now = &o, &e, console.System().Now
	exit = run(args, c)
	return exit, o.String(), e.String()
}

// visible are the commands that help shows.
func visible(t *testing.T) []*cobra.Command {
	t.Helper()
	var out []*cobra.Command
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.HasParent() && cmd.Hidden || cmd.Name() == "help" {
			return
		}
		out = append(out, cmd)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(&console.Console{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}))
	if len(out) < 40 {
		t.Fatalf("only %d commands", len(out))
	}
	return out
}

// TestExamples: every command has examples, and each one parses: its command, flags and
// number of arguments.
func TestExamples(t *testing.T) {
	n := 0
	for _, cmd := range visible(t) {
		if cmd.Example == "" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			words := exampleWords(t, line)
			if len(words) == 0 {
				continue
			}
			n++
			root := newRoot(&console.Console{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}})
			found, rest, err := root.Find(negativeLast(words))
			if err != nil {
				t.Errorf("%q: %v", line, err)
				continue
			}
			found.InitDefaultHelpFlag()
			if err := found.ParseFlags(rest); err != nil {
				t.Errorf("%q: %v", line, err)
				continue
			}
			if err := found.ValidateArgs(found.Flags().Args()); err != nil {
				t.Errorf("%q: %v", line, err)
			}
			if found != cmd && cmd.Runnable() && !cmd.HasSubCommands() && cmd.Name() != "recipe" && !strings.Contains(cmd.Example, cmd.CommandPath()) {
				t.Errorf("%s: no example is of this command", cmd.CommandPath())
			}
		}
	}
	if n < 70 {
		t.Errorf("only %d examples", n)
	}
}

// exampleWords are the arguments of deployctl in a line of shell; what stands after a gap
// of two blanks says what it does.
func exampleWords(t *testing.T, line string) []string {
	t.Helper()
	line = strings.TrimSpace(line)
	if _, after, ok := strings.Cut(line, "| deployctl "); ok {
		line = "deployctl " + after
	}
	line, _, _ = strings.Cut(line, " | ")
	line, _, _ = strings.Cut(line, " > ")
	line, _, _ = strings.Cut(line, "  ")
	line, ok := strings.CutPrefix(line, "deployctl ")
	if !ok {
		if line != "deployctl" && line != "" {
			t.Errorf("example %q does not begin with deployctl", line)
		}
		return nil
	}
	if before, quoted, ok := strings.Cut(line, ` "`); ok {
		return append(strings.Fields(before), strings.TrimSuffix(quoted, `"`))
	}
	return strings.Fields(line)
}

// TestHelpFits: the help of every command at several widths, and in ASCII.
func TestHelpFits(t *testing.T) {
	for _, cmd := range visible(t) {
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		for _, width := range []int{60, 80, 120} {
			exit, out, errs := said(&console.Console{Width: width, ASCII: true}, args...)
			if exit != 0 || errs != "" {
				t.Errorf("%q: exit code %d, %s", args, exit, errs)
			}
			for line := range strings.Lines(out) {
				// An example is one line: it is for copying.
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width && !strings.Contains(cmd.Example, strings.TrimSpace(line)) && !strings.Contains(line, "deployctl completion") {
					t.Errorf("%q at %d: %d columns: %s", args, width, n, line)
				}
			}
			if i := strings.IndexFunc(out, func(r rune) bool { return r >= 0x80 }); i >= 0 {
				t.Errorf("%q: not ASCII: %q", args, out[i:min(len(out), i+20)])
			}
		}
	}
}

// TestNearest: what was mistyped gets the nearest word, commands and flags alike.
func TestNearest(t *testing.T) {
	for args, want := range map[string]string{
		"docter":                       "did you mean doctor?",
		"recipe lst":                   "did you mean list?",
		"bundle crate":                 "did you mean create?",
		"doctor --recipee x":           "did you mean --recipe",
		"doctor --formt json":          "did you mean --format?",
		"verify --engin gocv":          "did you mean --engine?",
		"plan --colour never":          "did you mean --color?",
		"cache list --quite":           "did you mean --quiet?",
		"doctor --color blue":          "use auto, always or never",
		"bench --format csv --json":    "cannot be used together with --format csv",
		"undo --all --run x --dry-run": "all run",
	} {
		exit, out, errs := said(&console.Console{}, strings.Fields(args)...)
		if exit != judge.ExitUsage || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%q: exit code %d, %q, %q", args, exit, out, errs)
		}
	}
}

// TestJSONAlias: --json is --format json, wherever that exists.
func TestJSONAlias(t *testing.T) {
	n := 0
	for _, cmd := range visible(t) {
		format := cmd.Flags().Lookup("format")
		if format == nil || !strings.Contains(format.Usage, "json") {
			continue
		}
		n++
		if err := cmd.Flags().Parse([]string{"--json"}); err != nil || format.Value.String() != "json" {
			t.Errorf("%s --json: format %s, %v", cmd.CommandPath(), format.Value, err)
		}
	}
	if n < 9 {
		t.Errorf("only %d commands have --json", n)
	}
}

// TestVersion: the command and the flag say the same, and JSON has it all.
func TestVersion(t *testing.T) {
	_, command, _ := said(&console.Console{}, "version")
	_, flag, _ := said(&console.Console{}, "--version")
	if command != flag || !strings.HasPrefix(command, "deployctl version ") || !strings.Contains(command, "\ngo     go1.") {
		t.Errorf("version: %q, --version: %q", command, flag)
	}
	_, out, _ := said(&console.Console{}, "version", "--json")
	var b build
	if err := json.Unmarshal([]byte(out), &b); err != nil || b != thisBuild() || b.Schema != 1 {
		t.Errorf("%q: %+v, %v", out, b, err)
	}
	if exit, _, _ := said(&console.Console{}, "version", "--format", "xml"); exit != judge.ExitUsage {
		t.Errorf("--format xml: exit code %d", exit)
	}
}

// TestColor: --color decides against the terminal.
func TestColor(t *testing.T) {
	for _, c := range []struct {
		args []string
		was  bool
		want bool
	}{
		{[]string{"--color", "always", "version"}, false, true},
		{[]string{"version", "--color=never"}, true, false},
		{[]string{"version", "--color", "auto"}, true, true},
		{[]string{"version"}, false, false},
	} {
		con := &console.Console{Color: c.was}
		if exit, _, errs := said(con, c.args...); exit != 0 || con.Color != c.want {
			t.Errorf("%q: exit code %d, color %v, %s", c.args, exit, con.Color, errs)
		}
	}
}

// TestQuietAndVerbose: one leaves the notes out, the other tells what is run.
func TestQuietAndVerbose(t *testing.T) {
	place(t)
	_, _, errs := said(&console.Console{}, "history")
	if !strings.Contains(errs, "changed nothing") {
		t.Fatalf("history of nothing: %q", errs)
	}
	if _, _, errs := said(&console.Console{}, "history", "--quiet"); errs != "" {
		t.Errorf("--quiet: %q", errs)
	}
	if exit, _, errs := said(&console.Console{}, "-q", "recipe", "show", "nothing"); exit != judge.ExitUsage || !strings.Contains(errs, "no recipe") {
		t.Errorf("--quiet hides an error: %d, %q", exit, errs)
	}
}

// TestMan: a page for each command, which says what its help says.
func TestMan(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man1")
	if exit, _, errs := said(&console.Console{}, "man", dir); exit != 0 {
		t.Fatalf("exit code %d: %s", exit, errs)
	}
	for _, cmd := range visible(t) {
		data, err := os.ReadFile(filepath.Join(dir, manName(cmd)+".1"))
		if err != nil {
			t.Error(err)
			continue
		}
		page := string(data)
		for _, want := range []string{".TH ", ".SH NAME\n", ".SH SYNOPSIS\n", ".SH EXAMPLES\n"} {
			if !strings.Contains(page, want) {
				t.Errorf("%s has no %q", manName(cmd), want)
			}
		}
		cmd.NonInheritedFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && !strings.Contains(page, roff("--"+f.Name)) {
				t.Errorf("%s does not have --%s", manName(cmd), f.Name)
			}
		})
	}
}
