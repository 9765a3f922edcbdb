package recipes

import (
	_ "embed" // of checks.json
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

//go:embed library/checks.json
var checksJSON []byte

// Check is a component's own health rule. It is stated once and judged for every
// recipe that touches the component.
type Check struct {
	// ID is stable, lower case, dotted: opencv.cpu-baseline. Where {name} is in
	// it, the component's name takes its place.
	ID    string `yaml:"id" json:"id"`
	Title string `yaml:"title" json:"title"`
	// Component names those it applies to; none means every component. Machine
	// makes it a rule on the machine as a whole, judged once.
	Component []string `yaml:"component,omitempty" json:"component,omitempty"`
	Machine   bool     `yaml:"machine,omitempty" json:"machine,omitempty"`
	// Of makes it a rule on each entry of a list in the facts (project.demands),
	// whose fields the conditions and texts then name. An entry that is optional
	// gives a warning at most.
	Of string `yaml:"of,omitempty" json:"of,omitempty"`
	// Each judges every copy, not just the one that programs find.
	Each bool  `yaml:"each,omitempty" json:"each,omitempty"`
	When *When `yaml:"when,omitempty" json:"when,omitempty"`
	// If maps facts to conditions; the problem is there when all hold. A fact is
	// a path of JSON names in the instance (built.runtime, attrs.arch), or in
	// the facts as a whole after "facts." (facts.os.container). Conditions are
	// those of ParseAttr.
	If map[string]string `yaml:"if,omitempty" json:"if,omitempty"`
	// Relation names a comparison made in code (the list is in doctor/judge);
	// its variables are there for the texts. The problem is there when If holds
	// and the relation matches.
	Relation string   `yaml:"relation,omitempty" json:"relation,omitempty"`
	Severity Severity `yaml:"severity,omitempty" json:"severity,omitempty"` // default required
	// RequiredBy are components: for a recipe with a requirement on one of them the
	// finding is a failure, whatever Severity says.
	RequiredBy []string `yaml:"required_by,omitempty" json:"required_by,omitempty"`
	// RestsOn are components, and topics of the facts, that the comparison looks at
	// beside its own component, those that When names and the project where it is of
	// one: while a probe of theirs was stopped early, nothing is said to be wrong.
	RestsOn []string `yaml:"rests_on,omitempty" json:"rests_on,omitempty"`
	// Found and the fixes are sentences; {word} stands for a fact's path, a
	// relation's variable, or the name, version and path of the instance.
	Found string   `yaml:"found" json:"found"`
	Why   string   `yaml:"why" json:"why"`
	Fix   []Advice `yaml:"fix" json:"fix"`
	// Silences lists findings that are only symptoms of this one: ids, or with
	// a dot at the end every id that begins so. {name} is the component.
	Silences []string `yaml:"silences,omitempty" json:"silences,omitempty"`
	Source   string   `yaml:"source" json:"source"`
}

// Advice is one fix. The first whose limits fit the host and whose words are all
// known is given.
type Advice struct {
	OS []string `yaml:"os,omitempty" json:"os,omitempty"` // as in When
	// If limits it as a check's If does.
	If map[string]string `yaml:"if,omitempty" json:"if,omitempty"`
	// Text says it; {do} stands for Do as a command.
	Text string `yaml:"text" json:"text"`
	// Do is what a program can do about it, where it can.
	Do *Do `yaml:"do,omitempty" json:"do,omitempty"`
}

// Do is a fix that a program can carry out: packages to install, a folder that
// the dynamic loader is told of, or one entry of a Variable that holds a list of
// folders. The words of its fields are filled like those of texts.
type Do struct {
	// Packages are separated by blanks. They are installed again, because a file
	// of theirs is gone, where Reinstall is not empty.
	Packages  string `yaml:"packages,omitempty" json:"packages,omitempty"`
	Reinstall string `yaml:"reinstall,omitempty" json:"reinstall,omitempty"`
	Loader    string `yaml:"loader,omitempty" json:"loader,omitempty"`
	// Variable gets the entry Add, before the entry Before if that is set, or
	// loses the entry Remove.
	Variable string `yaml:"variable,omitempty" json:"variable,omitempty"`
	Add      string `yaml:"add,omitempty" json:"add,omitempty"`
	Before   string `yaml:"before,omitempty" json:"before,omitempty"`
	Remove   string `yaml:"remove,omitempty" json:"remove,omitempty"`
	// Set is the whole value that Variable gets.
	Set string `yaml:"set,omitempty" json:"set,omitempty"`
	// Copy are names of files, with commas between them, that are copied to the
	// folder To from the folders From ("and" between them), or one whole path.
	Copy string `yaml:"copy,omitempty" json:"copy,omitempty"`
	From string `yaml:"from,omitempty" json:"from,omitempty"`
	To   string `yaml:"to,omitempty" json:"to,omitempty"`
	// Build are arguments that a build is configured with by CMake.
	Build []string `yaml:"build,omitempty" json:"build,omitempty"`
	// Install is a component that is installed anew, built again where it is built.
	Install string `yaml:"install,omitempty" json:"install,omitempty"`
}

// wrong says what is wrong with it, "" for nothing.
func (d *Do) wrong() string {
	kinds := 0
	for _, set := range []bool{d.Packages != "", d.Loader != "", d.Variable != "", d.Copy != "", len(d.Build) > 0, d.Install != ""} {
		if set {
			kinds++
		}
	}
	switch {
	case kinds != 1:
		return "do needs one of packages, loader, variable, copy, build and install"
	case d.Copy != "" && d.To == "":
		return "do needs to with copy"
	case d.Variable != "" && d.Set == "" && (d.Add == "") == (d.Remove == "") || d.Set != "" && (d.Variable == "" || d.Add+d.Remove != ""):
		return "do needs one of add, remove and set with its variable"
	case d.Variable == "" && d.Add+d.Remove+d.Before != "":
		return "do needs a variable with add, remove and before"
	}
	return ""
}

var (
	checkForm = lazyregexp.New(`^[a-z0-9{][a-z0-9{}.+-]*$`)
	wordForm  = lazyregexp.New(`\{([a-z][a-zA-Z0-9_.-]*)\}`)
)

// Fill replaces each {word} of a text by what lookup says; false when a word is
// unknown or empty.
func Fill(text string, lookup func(word string) string) (string, bool) {
	whole := true
	out := wordForm.Get().ReplaceAllStringFunc(text, func(m string) string {
		value := lookup(m[1 : len(m)-1])
		whole = whole && value != ""
		return value
	})
	return out, whole
}

// LoadChecks reads one file of health checks. The error names every mistake.
func LoadChecks(data []byte, name string) ([]Check, error) {
	var list []Check
	if err := yaml.UnmarshalWithOptions(data, &list, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var mistakes []error
	for i := range list {
		mistakes = append(mistakes, list[i].lint(name)...)
		if list[i].Severity == "" {
			list[i].Severity = Required
		}
	}
	return list, errors.Join(mistakes...)
}

func (c *Check) lint(file string) (mistakes []error) {
	wrong := func(format string, a ...any) {
		mistakes = append(mistakes, fmt.Errorf("%s: check %q: %w", file, c.ID, fmt.Errorf(format, a...)))
	}
	if !checkForm.MatchString(c.ID) {
		wrong("an id is lower-case words joined by dots")
	}
	for _, field := range [][2]string{{"title", c.Title}, {"found", c.Found}, {"why", c.Why}, {"source", c.Source}} {
		if strings.TrimSpace(field[1]) == "" {
			wrong("%s is missing", field[0])
		}
	}
	if len(c.If) == 0 && c.Relation == "" {
		wrong("it needs a condition: if or relation")
	}
	if len(c.Fix) == 0 {
		wrong("it needs a fix")
	}
	for _, n := range slices.Concat(c.Component, c.RequiredBy) {
		if !slices.Contains(Components(), n) {
			wrong("unknown component %q%s", n, suggest(n, Components()))
		}
	}
	if c.Severity != "" && !slices.Contains(Severities(), string(c.Severity)) {
		wrong("unknown severity %q%s", c.Severity, suggest(string(c.Severity), Severities()))
	}
	conditions := []map[string]string{c.If}
	for _, a := range c.Fix {
		if strings.TrimSpace(a.Text) == "" {
			wrong("a fix has no text")
		}
		if a.Do != nil && a.Do.wrong() != "" {
			wrong("%s", a.Do.wrong())
		}
		conditions = append(conditions, a.If)
	}
	for _, m := range conditions {
		for _, fact := range slices.Sorted(maps.Keys(m)) {
			if _, err := ParseAttr(m[fact]); err != nil {
				wrong("if %s: %w", fact, err)
			}
		}
	}
	return mistakes
}

// embeddedChecks reads the health checks of the library, in the order of their
// files' names. They are embedded as JSON, because doctor reads them in every run and
// YAML takes ten times as long; TestChecksAsJSON makes the file from the YAML.
func embeddedChecks() ([]Check, error) {
	var all []Check
	if err := json.Unmarshal(checksJSON, &all); err != nil {
		return nil, fmt.Errorf("read the embedded checks: %w", err)
	}
	return all, nil
}
