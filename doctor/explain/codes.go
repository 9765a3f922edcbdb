package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Family is the codes of one origin.
type Family struct {
	Family string `yaml:"family"`
	Title  string `yaml:"title"`
	// Source is the public header or page that defines the codes.
	Source string `yaml:"source"`
	// Wide codes are 32 bits: they are also written as signed decimals.
	Wide bool `yaml:"wide,omitempty"`
	// Lookup codes are only looked up, not searched in texts, where rules know more.
	Lookup bool `yaml:"lookup,omitempty"`
	// Words before a number name the family: "errno 2", "exit status 137".
	Words []string `yaml:"words,omitempty"`
	// Confidence that a number alone is one of these.
	Confidence float64 `yaml:"confidence"`
	Codes      []Code  `yaml:"codes"`
}

// Code is one code. Those of compilers and linkers have a name only (LNK1112).
type Code struct {
	Code *int64 `yaml:"code,omitempty"`
	// Older are numbers that it had in earlier releases.
	Older []int64 `yaml:"older,omitempty,flow"`
	Name  string  `yaml:"name"`
	// Class is "" for a code that tells nothing about the cause.
	Class string            `yaml:"class,omitempty"`
	Cause string            `yaml:"cause"`
	Fix   map[string]string `yaml:"fix,omitempty"`
	Page  string            `yaml:"page,omitempty"`
}

// unclassified is the class of codes that tell nothing about the cause.
const unclassified = "unclassified-code"

func lintCodes(families []Family, classes map[string]string) []error {
	var mistakes []error
	for _, f := range families {
		say := func(format string, args ...any) {
			mistakes = append(mistakes, fmt.Errorf("codes of "+f.Family+": "+format, args...))
		}
		if f.Family == "" || f.Title == "" || f.Source == "" {
			say("family, title and source are needed")
		}
		if f.Confidence <= 0 || f.Confidence > 1 {
			say("confidence %v must be above 0 and at most 1", f.Confidence)
		}
		seen := map[string]bool{}
		for _, c := range f.Codes {
			if c.Name == "" || strings.TrimSpace(c.Cause) == "" {
				say("%q needs a name and a cause", c.Name)
			}
			if c.Class != "" && classes[c.Class] == "" {
				say("%s: class %q is not in classes.yaml", c.Name, c.Class)
			}
			if c.Class != "" && len(c.Fix) == 0 {
				say("%s has a class, so it needs a fix", c.Name)
			}
			for system := range c.Fix {
				if !slices.Contains(systems(), system) {
					say("%s: fix for %q: must be one of %s", c.Name, system, strings.Join(systems(), ", "))
				}
			}
			keys := []string{c.Name}
			if c.Code != nil {
				keys = append(keys, strconv.FormatInt(*c.Code, 10))
			}
			for _, n := range c.Older {
				keys = append(keys, strconv.FormatInt(n, 10))
			}
			for _, key := range keys {
				if seen[key] {
					say("%s is there twice", key)
				}
				seen[key] = true
			}
		}
	}
	return mistakes
}

// forms are how a code is written in texts, lower case; those of a number only
// when they can be nothing else.
func (c *Code) forms(f *Family) []string {
	out := []string{strings.ToLower(c.Name)}
	if f.Wide && c.Code != nil && *c.Code >= 1<<31 {
		out = append(out, fmt.Sprintf("0x%08x", *c.Code), strconv.FormatInt(*c.Code, 10), strconv.FormatInt(*c.Code-1<<32, 10))
	}
	return out
}

var codeForm = lazyregexp.New(`^(?i)([a-z ():=]*?)[\s(]*(-?\d{1,19}|0x[0-9a-f]{1,8}|-?0x[0-9a-f]{1,8}[lu]?)\)?\.?$`)

// Code looks a code up: a number as signed or unsigned decimal or hex, alone or
// with words that name its origin ("exit status 3221225781", "errno 2"), or a
// name (CUDA_ERROR_NO_DEVICE, LNK1112). ok is false when the text does not look
// like a code; known codes come best first.
func (s *Set) Code(text, system string) (matches []Match, ok bool) {
	text = strings.TrimSpace(text)
	if list := s.named(text, system); len(list) > 0 {
		return list, true
	}
	m := codeForm.FindStringSubmatch(text)
	if m == nil {
		return nil, false
	}
	number, err := strconv.ParseInt(strings.TrimRight(strings.ToLower(m[2]), "lu"), 0, 64)
	if err != nil { // leading zeros of a decimal
		if number, err = strconv.ParseInt(m[2], 10, 64); err != nil {
			return nil, false
		}
	}
	words := strings.ToLower(m[1])
	named := 0
	for i := range s.Codes {
		f := &s.Codes[i]
		level, sure := f.namedBy(words), f.Confidence
		if level > 0 {
			sure = max(sure, 0.9)
		}
		var found []Match
		for j := range f.Codes {
			if c := &f.Codes[j]; c.has(f, number) {
				found = append(found, c.match(f, text, system, sure))
			}
		}
		// A word that is one family's own ("cudnn error 8") is worth more than "error".
		if len(found) > 0 && level > named {
			matches, named = nil, level
		}
		if level == named {
			matches = append(matches, found...)
		}
	}
	// Words that are known choose the families.
	if slices.ContainsFunc(matches, func(m Match) bool { return m.Confidence >= 0.9 }) {
		matches = slices.DeleteFunc(matches, func(m Match) bool { return m.Confidence < 0.9 })
	}
	slices.SortStableFunc(matches, func(a, b Match) int { return cmp.Compare(b.Confidence, a.Confidence) })
	// One line that merely names words and a number is a text, not a code.
	return matches, len(matches) > 0 || strings.TrimSpace(words) == ""
}

// namedBy says how well the words before a number name the family: 2 by one of its
// own, 1 by one that many use, 0 not at all.
func (f *Family) namedBy(words string) int {
	level := 0
	for _, w := range f.Words {
		switch {
		case !strings.Contains(words, w):
		case slices.Contains([]string{"error", "exit", "status", "code"}, w):
			level = max(level, 1)
		default:
			level = 2
		}
	}
	return level
}

// has reports whether a number is the code, or was in an earlier release.
func (c *Code) has(f *Family, number int64) bool {
	return c.Code != nil && f.same(*c.Code, number) || slices.Contains(c.Older, number)
}

// named looks a name up, of which a text may have several families. nvcc writes its
// numbers with and without #.
func (s *Set) named(name, system string) []Match {
	var out []Match
	for i := range s.Codes {
		for j := range s.Codes[i].Codes {
			if c := &s.Codes[i].Codes[j]; strings.EqualFold(c.Name, name) || strings.EqualFold(c.Name, "#"+name) {
				out = append(out, c.match(&s.Codes[i], name, system, 0.95))
			}
		}
	}
	return out
}

// same reports whether a number is a code, in any of its forms.
func (f *Family) same(code, number int64) bool {
	if code == number {
		return true
	}
	if number < 0 {
		number += 1 << 32
	}
	if f.Wide {
		return code == number
	}
	// An HRESULT of facility Win32 carries a Win32 code (winerror.h, HRESULT_FROM_WIN32).
	return f.Family == "win32" && number>>16 == 0x8007 && code == number&0xffff
}

func (c *Code) match(f *Family, evidence, system string, sure float64) Match {
	text := c.Name
	if c.Code != nil {
		text += " (" + strconv.FormatInt(*c.Code, 10)
		if f.Wide {
			text = fmt.Sprintf("%s (0x%08X", c.Name, *c.Code)
		}
		text += ")"
	}
	return Match{
		Class: cmp.Or(c.Class, unclassified), Line: 1, Evidence: evidence,
		Cause: text + ", " + lang.T(f.Title) + ": " + lang.T(c.Cause), Fix: fixFor(c.Fix, system), Page: c.Page, Confidence: sure, Source: f.Source,
	}
}
