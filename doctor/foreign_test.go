package doctor_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
)

// foreign are words of advice that cannot be followed on a system: package
// managers, products and package names of another one.
var foreign = map[string]*regexp.Regexp{
	"windows":  regexp.MustCompile(`\bapt(-get)?\b|\bdnf\b|\bzypper\b|\bapk add\b|\bbrew\b|\bsudo\b|\blib[a-z0-9]+-dev\b|xcode-select|ldconfig|\b[Dd]istributions?\b|XDG_|/etc/|/usr/|/proc/|/dev/|ld\.so|LD_LIBRARY_PATH|\bchmod\b|\b[Aa]s root\b|~/|\$HOME|\bexport [A-Z]|\.so\b`),
	"darwin":   regexp.MustCompile(`\bapt(-get)?\b|\bdnf\b|\bzypper\b|\bapk add\b|\bwinget\b|\bchoco\b|\bscoop\b|Visual Studio|vcvars|\blib[a-z0-9]+-dev\b|ldconfig|Media Feature`),
	"linux":    regexp.MustCompile(`\bwinget\b|\bchoco\b|\bscoop\b|Visual Studio|vcvars|xcode-select|MinGW|Media Feature|Install-WindowsFeature|\.bat\b`),
	"debian":   regexp.MustCompile(`\bdnf\b|\bzypper\b|\bapk add\b|\bpacman\b|\b[a-z0-9]+-devel\b`),
	"fedora":   regexp.MustCompile(`\bapt(-get)?\b|\bzypper\b|\bapk add\b|\bpacman\b|\blib[a-z0-9]+-dev\b`),
	"arch":     regexp.MustCompile(`\bapt(-get)?\b|\bdnf\b|\bzypper\b|\bapk add\b|\blib[a-z0-9]+-dev\b`),
	"alpine":   regexp.MustCompile(`\bapt(-get)?\b|\bdnf\b|\bzypper\b|\bpacman\b|\b[a-z0-9]+-devel\b`),
	"opensuse": regexp.MustCompile(`\bapt(-get)?\b|\bdnf\b|\bapk add\b|\bpacman\b|\blib[a-z0-9]+-dev\b`),
}

// image is the name of a container image, whose -devel is no package.
var image = regexp.MustCompile(`nvidia/cuda:\S+`)

// foreignWord is what a text says that belongs to another system than o.
func foreignWord(text string, o facts.OS) string {
	text = image.ReplaceAllString(text, "")
	for _, system := range slices.Concat([]string{o.Family, o.ID}, o.Like) {
		if r := foreign[system]; r != nil {
			if word := r.FindString(text); word != "" {
				return word
			}
		}
	}
	return ""
}

func TestForeignWord(t *testing.T) {
	debian := facts.OS{Family: "linux", ID: "ubuntu", Like: []string{"debian"}}
	windows := facts.OS{Family: "windows"}
	for _, c := range []struct {
		text string
		o    facts.OS
		word string
	}{
		{"apt-get install libopencv-dev", debian, ""},
		{"Install opencv-devel.", debian, "opencv-devel"},
		{"Install libopencv-dev.", facts.OS{Family: "linux", ID: "fedora"}, "libopencv-dev"},
		{"Install the cuDNN for this Visual Studio", debian, "Visual Studio"},
		{"apt-get install git", windows, "apt-get"},
		{"in an MSYS2 shell: pacman -S --needed mingw-w64-ucrt-x86_64-gcc", windows, ""},
	} {
		if word := foreignWord(c.text, c.o); word != c.word {
			t.Errorf("%q on %s: %q, not %q", c.text, c.o.ID+c.o.Family, word, c.word)
		}
	}
}

// TestNoForeignAdvice: no way by hand of any recipe names what another system has,
// on any system that the recipe is for; and no recipe for one system lists
// packages of a manager of another.
func TestNoForeignAdvice(t *testing.T) {
	all, err := recipes.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	managers := map[string][]string{
		"windows": {"winget", "choco", "scoop", "msys2", "visual-studio", "feature", "vcpkg", "npm", "pip"},
		"darwin":  {"brew", "vcpkg", "npm", "pip"},
		"linux":   {"apt", "dnf", "pacman", "apk", "zypper", "brew", "vcpkg", "npm", "pip"},
	}
	systems := []facts.OS{
		{Family: "windows", ID: "windows"}, {Family: "darwin", ID: "macos"}, {Family: "linux", ID: "debian"}, {Family: "linux", ID: "ubuntu", Like: []string{"debian"}},
		{Family: "linux", ID: "fedora"}, {Family: "linux", ID: "arch"}, {Family: "linux", ID: "alpine"}, {Family: "linux", ID: "opensuse-tumbleweed", Like: []string{"opensuse", "suse"}},
	}
	for _, r := range all {
		for i := range r.Requirements {
			q := &r.Requirements[i]
			if q.OS != nil {
				continue // it says to use another system
			}
			asked := func(o facts.OS) bool {
				return judge.ForSystem(r, o.Family) && (q.When == nil || len(q.When.OS) == 0 || slices.Contains(q.When.OS, o.Family) || slices.Contains(q.When.OS, o.ID))
			}
			for _, o := range systems {
				if text := judge.Manual(q, &facts.Facts{OS: o}); asked(o) && foreignWord(text, o) != "" {
					t.Errorf("%s: %s tells %s of %s: %s", r.Name, q.ID, o.ID, foreignWord(text, o), text)
				}
			}
			for k := range q.Fix {
				m := q.Fix[k].Installs().Manager
				// What a recipe extends may be for more systems.
				if m != "" && r.Extends == "" && !slices.ContainsFunc(systems, func(o facts.OS) bool { return judge.ForSystem(r, o.Family) && slices.Contains(managers[o.Family], m) }) {
					t.Errorf("%s: %s lists packages of %s, which no system of the recipe has", r.Name, q.ID, m)
				}
			}
		}
	}
}

// TestNoForeignFindings judges every recorded machine against every recipe for its
// system: no finding says what only another system can do.
func TestNoForeignFindings(t *testing.T) {
	if testing.Short() {
		t.Skip("every recorded machine: not with -short, which CI uses under the race detector")
	}
	all, err := recipes.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	tables := embedded(t)
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		if _, err := os.Stat(sharedCases); err != nil && file == filepath.Join("testdata", "cases.yaml") {
			t.Logf("without the recorded machines beside this checkout: %v", err)
			continue
		}
		for _, a := range readAnswers(t, file) {
			machine := a.Case
			if len(a.Parts) > 0 {
				machine = strings.Join(a.Parts, "+")
			}
			if seen[machine] {
				continue
			}
			seen[machine] = true
			f := doctor.Probe(context.Background(), a.host(t), doctor.Probes(false))
			for _, r := range all {
				if !judge.ForSystem(r, f.OS.Family) {
					continue
				}
				for _, x := range judge.Evaluate(r, tables, f).Findings {
					if f.OS.Family == "windows" && x.State != judge.Skipped && x.Cause != judge.OtherSystem {
						for _, text := range []string{x.Title, x.Wanted, x.Found, x.Why} {
							if word := foreignWord(text, f.OS); word != "" {
								t.Errorf("%s, %s: %s (%s) tells %s of %s: %s", a.Case, r.Name, x.ID, x.State, f.OS.ID, word, text)
							}
						}
					}
					if word := foreignWord(x.Fix, f.OS); word != "" && x.Cause != judge.OtherSystem && !(word == "brew" && len(f.Components["brew"]) > 0) {
						t.Errorf("%s, %s: %s tells %s of %s: %s", a.Case, r.Name, x.ID, f.OS.ID, word, x.Fix)
					}
				}
			}
		}
	}
}

// TestNoForeignChecks: no text of a check that can be reached on Windows has a word of
// another system, whatever machines were recorded. Advice whose condition names
// something that Windows does not have is left out.
func TestNoForeignChecks(t *testing.T) {
	checks, err := embedded(t).Checks()
	if err != nil {
		t.Fatal(err)
	}
	windows := facts.OS{Family: "windows", ID: "windows"}
	reached := func(systems []string, conditions map[string]string) bool {
		if len(systems) > 0 && !slices.ContainsFunc(systems, func(s string) bool { return strings.HasPrefix(s, "windows") }) {
			return false
		}
		return !slices.ContainsFunc(elsewhere, func(fact string) bool { return conditions[fact] != "" })
	}
	seen := 0
	for _, c := range checks {
		if c.When != nil && !reached(c.When.OS, nil) || !reached(nil, c.If) {
			continue
		}
		seen++
		texts := []string{c.Title, c.Found, c.Why}
		for _, a := range c.Fix {
			if !reached(a.OS, a.If) {
				continue
			}
			texts = append(texts, a.Text)
			if len(a.OS) > 0 && len(a.If) == 0 { // nothing after it is given on Windows
				break
			}
		}
		for _, text := range texts {
			if word := foreignWord(text, windows); word != "" {
				t.Errorf("%s (%s) tells of %s: %s", c.ID, c.Relation, word, text)
			}
		}
	}
	if seen < 50 {
		t.Errorf("only %d checks were read", seen)
	}
}

// elsewhere are facts that no Windows has.
var elsewhere = []string{"brew", "sudo", "jetson", "facts.os.container", "facts.os.libc.kind"}
