package explain

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// Ranks say what a line proves, the most telling first.
const (
	// Cause is a first cause.
	Cause = "cause"
	// FollowOn is an error that another one, further up, has caused.
	FollowOn = "follow-on"
	// Hint is a warning that also successful runs print. It counts only in a text
	// that holds an error, or in a short one without a good end, which somebody chose
	// to paste.
	Hint = "hint"
)

func ranks() []string { return []string{Cause, FollowOn, Hint} }

// Rule is one way to recognize a failure by a line of text.
type Rule struct {
	ID    string `yaml:"id"`
	Class string `yaml:"class"`
	Rank  string `yaml:"rank"`
	// Literals are lower-case texts, one of which is in the line; case does not
	// matter. Lines without one are never tried with Pattern.
	Literals []string `yaml:"literals"`
	// Pattern is a regular expression (RE2) that the line matches, "" when a literal
	// is proof enough; every kind of quotation mark is ' for it. Except is one
	// that the line must not match.
	Pattern string `yaml:"pattern,omitempty"`
	Except  string `yaml:"except,omitempty"`
	// Also are literals that must be somewhere in the text, all of them; Unless
	// are those of which none may be.
	Also   []string `yaml:"also,omitempty"`
	Unless []string `yaml:"unless,omitempty"`
	// Confidence is above 0, at most 1.
	Confidence float64 `yaml:"confidence"`
	// Cause and Fix are sentences; {name} stands for the group of that name in
	// Pattern, or where that is empty for the group named other. Fix has the keys any, windows, linux and macos.
	Cause string            `yaml:"cause"`
	Fix   map[string]string `yaml:"fix"`
	// Page is the id of a requirement, health check or recipe that knows the cause.
	Page string `yaml:"page,omitempty"`
	// Yes are texts in which the rule matches, No such in which it does not.
	Yes []string `yaml:"yes"`
	No  []string `yaml:"no,omitempty"`

	pattern, except *regexp.Regexp
	branches        func() []branch // of pattern: few rules' are asked for
}

// Set is everything that texts and codes are explained with.
type Set struct {
	Classes map[string]string // name → what it is
	Rules   []Rule
	Codes   []Family
	Phrases []Phrase

	literals *literals
	texts    []string // of the literals
	users    [][]int  // literal → the matchers it belongs to
	matchers []matcher
	phrases  map[int32][]phrase // literal → what it is in English
}

// Embedded is the set that is part of the program. It is read once.
var Embedded = sync.OnceValues(func() (*Set, error) {
	files, err := recipes.RuleFiles()
	if err != nil {
		return nil, fmt.Errorf("read the rules: %w", err)
	}
	return Load(files)
})

// Load reads classes.yaml, codes.yaml, phrases.yaml and every other *.yaml as rules. The error
// names every mistake, that of an example that does not hold included.
func Load(files fs.FS) (*Set, error) {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the rules: %w", err)
	}
	s := &Set{}
	var mistakes []error
	for _, name := range names {
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, fmt.Errorf("read the rules: %w", err)
		}
		var to any
		var list []Rule
		switch name {
		case "classes.yaml":
			to = &s.Classes
		case "codes.yaml":
			to = &s.Codes
		case "phrases.yaml":
			to = &s.Phrases
		default:
			to = &list
		}
		if err := yaml.UnmarshalWithOptions(data, to, yaml.Strict()); err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %w", name, err))
		}
		s.Rules = append(s.Rules, list...)
	}
	if len(mistakes) == 0 {
		mistakes = s.lint()
	}
	if len(mistakes) == 0 {
		s.prepare()
		mistakes = s.examples()
	}
	if len(mistakes) > 0 {
		return nil, errors.Join(mistakes...)
	}
	return s, nil
}

var (
	ruleID      = lazyregexp.New(`^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)+$`)
	placeholder = lazyregexp.New(`\{([a-z]+)\}`)
)

// lint checks everything but the examples and compiles the patterns.
func (s *Set) lint() []error {
	var mistakes []error
	seen := map[string]bool{}
	for i := range s.Rules {
		r := &s.Rules[i]
		for _, wrong := range r.lint(s.Classes) {
			mistakes = append(mistakes, fmt.Errorf("rule %s: %s", r.ID, wrong))
		}
		if seen[r.ID] {
			mistakes = append(mistakes, fmt.Errorf("rule %s: the id is used twice", r.ID))
		}
		seen[r.ID] = true
	}
	mistakes = append(mistakes, lintPhrases(s.Phrases)...)
	return append(mistakes, lintCodes(s.Codes, s.Classes)...)
}

// lint gives what is wrong with one rule.
func (r *Rule) lint(classes map[string]string) []string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if !ruleID.MatchString(r.ID) {
		say("the id must be lower-case words joined by dots, such as loader.dll-missing")
	}
	if classes[r.Class] == "" {
		say("class %q is not in classes.yaml", r.Class)
	}
	if !slices.Contains(ranks(), r.Rank) {
		say("rank %q must be one of %s", r.Rank, strings.Join(ranks(), ", "))
	}
	if r.Confidence <= 0 || r.Confidence > 1 {
		say("confidence %v must be above 0 and at most 1", r.Confidence)
	}
	if len(r.Literals) == 0 {
		say("it needs literals")
	}
	for _, text := range slices.Concat(r.Literals, r.Also, r.Unless) {
		if len(text) < 3 || text != strings.ToLower(text) || strings.ContainsAny(text, "'\"`") {
			say("literal %q must have 3 or more characters, lower case, without quotation marks", text)
		}
	}
	var err error
	if r.pattern, err = compile(r.Pattern); err != nil {
		say("pattern: %v", err)
	}
	r.branches = sync.OnceValue(func() []branch { return branchesOf(r.Pattern) })
	if r.except, err = compile(r.Except); err != nil {
		say("except: %v", err)
	}
	if strings.TrimSpace(r.Cause) == "" || len(r.Fix) == 0 {
		say("it needs a cause and a fix")
	}
	texts := []string{r.Cause}
	for system, text := range r.Fix {
		if !slices.Contains(systems(), system) {
			say("fix for %q: must be one of %s", system, strings.Join(systems(), ", "))
		}
		if strings.TrimSpace(text) == "" {
			say("the fix for %s is empty", system)
		}
		texts = append(texts, text)
	}
	for _, text := range texts {
		for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
			if r.pattern == nil || r.pattern.SubexpIndex(m[1]) < 0 {
				say("{%s} is not a named group of the pattern", m[1])
			}
		}
	}
	if len(r.Yes) == 0 {
		say("it needs an example in yes")
	}
	return wrong
}

func compile(expr string) (*regexp.Regexp, error) {
	if expr == "" {
		return nil, nil //nolint:nilnil // no pattern is not a mistake
	}
	return regexp.Compile(expr)
}

// systems are the keys of a fix.
func systems() []string { return []string{"any", "windows", "linux", "macos"} }

// examples checks that each rule matches where it says so.
func (s *Set) examples() []error {
	var mistakes []error
	for i := range s.Rules {
		r := &s.Rules[i]
		for _, text := range r.Yes {
			if f := s.scan(strings.NewReader(text), maxExample, nil); f.err != nil || !slices.ContainsFunc(f.kept(), func(h hit) bool { return h.m.id == r.ID }) {
				mistakes = append(mistakes, fmt.Errorf("rule %s: does not match its example %q", r.ID, text))
			}
		}
		for _, text := range r.No {
			if f := s.scan(strings.NewReader(text), maxExample, nil); f.err != nil || slices.ContainsFunc(f.kept(), func(h hit) bool { return h.m.id == r.ID }) {
				mistakes = append(mistakes, fmt.Errorf("rule %s: matches its counterexample %q", r.ID, text))
			}
		}
	}
	return mistakes
}
