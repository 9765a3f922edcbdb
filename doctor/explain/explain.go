// Package explain owns reading error texts and codes: a wall of text, or one
// number, becomes a failure class, the line that proves it, a cause and a fix. The
// rules are data (recipes/library/rules).
//
// It must never run anything or look at the machine: what it knows is the text.
package explain

import (
	"cmp"
	"io"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/dump"
	"github.com/deployctl/deployctl/doctor/internal/logtext"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Kinds of texts.
const (
	KindLog     = "log"
	KindCode    = "code"
	KindUnknown = "unknown"
)

// Result is what a text was recognized as. Its JSON is the answer of "explain
// --format json".
type Result struct {
	Kind string `json:"kind"`
	// Matches has the best first, at most one of a class.
	Matches []Match `json:"matches"`
	// Facts holds what was read from reports (nvidia-smi, build information …) of the
	// text's first machine. Where it has reports of several kinds or machines, the keys
	// reports and machines say which.
	Facts map[string]any `json:"facts"`
	// FirstError is the first line that reports an error, nil for none.
	FirstError *Line `json:"first_error,omitempty"`
	// Machines are those whose reports are in the text.
	Machines []dump.Machine `json:"-"`
}

// Line is a line of the text.
type Line struct {
	Line int    `json:"line"` // from 1
	Text string `json:"text"` // at most 400 bytes
}

// Match is one thing that a text proves.
type Match struct {
	Class string `json:"class"` // a name of classes.yaml
	// Line is the number of the line that proves it, from 1, and Evidence its text.
	Line     int    `json:"line"`
	Evidence string `json:"evidence"`
	Cause    string `json:"cause"`
	Fix      string `json:"fix"`
	// Confidence is above 0, at most 1.
	Confidence float64 `json:"confidence"`
	// Page is the id of the page that says more, "" for none.
	Page string `json:"page,omitempty"`
	// Rule is the id of the rule, "" for a code; Source is the header of a code.
	Rule   string `json:"rule,omitempty"`
	Source string `json:"source,omitempty"`
	// Rank is cause, follow-on or hint.
	Rank string `json:"rank,omitempty"`
	// Here is what is so on the machine whose facts were used, nil for none.
	Here *Here `json:"here,omitempty"`
}

// Here is the finding of the page on a machine.
type Here struct {
	State string `json:"state"`
	Found string `json:"found"`
	Fix   string `json:"fix,omitempty"`
}

// matcher is a rule or a code as texts are searched for it.
type matcher struct {
	id   string
	rule *Rule // nil for a code
	code *Code
	fam  *Family
	form string // of the code, as it stands in texts
}

// prepare builds the search over all literals.
func (s *Set) prepare() {
	ids := map[string]int{}
	add := func(text string) int {
		id, ok := ids[text]
		if !ok {
			id = len(s.texts)
			ids[text] = id
			s.texts = append(s.texts, text)
			s.users = append(s.users, nil)
		}
		return id
	}
	user := func(text string, m matcher) {
		s.matchers = append(s.matchers, m)
		id := add(text)
		s.users[id] = append(s.users[id], len(s.matchers)-1)
	}
	for i := range s.Rules {
		r := &s.Rules[i]
		s.matchers = append(s.matchers, matcher{id: r.ID, rule: r})
		for _, text := range r.Literals {
			id := add(text)
			s.users[id] = append(s.users[id], len(s.matchers)-1)
		}
		for _, text := range slices.Concat(r.Also, r.Unless) {
			add(text)
		}
	}
	for i := range s.Codes {
		f := &s.Codes[i]
		if f.Lookup {
			continue
		}
		for j := range f.Codes {
			c := &f.Codes[j]
			// A short name, or one with a blank, is too common a text.
			if c.Class == "" || len(c.Name) < 5 || strings.Contains(c.Name, " ") {
				continue
			}
			for _, form := range c.forms(f) {
				user(form, matcher{id: "code." + c.Name, code: c, fam: f, form: form})
			}
		}
	}
	for _, text := range slices.Concat(errorLiterals(), successLiterals(), systemLiterals("windows"), systemLiterals("linux"), systemLiterals("macos")) {
		add(text)
	}
	s.preparePhrases(add)
	s.literals = newLiterals(s.texts)
}

// errorLiterals are in every line that reports an error.
func errorLiterals() []string {
	return []string{"error", "fatal", "traceback", "undefined reference", "panic:", "exception", "npm err!"}
}

// successLiterals are what tools print at a good end.
func successLiterals() []string {
	return []string{"generating done", "build succeeded", "successfully", "built target", "configuring done"}
}

// systemLiterals tell on which system a text was written.
func systemLiterals(system string) []string {
	switch system {
	case "windows":
		return []string{".vcxproj", "msbuild", `c:\`, `d:\`, ".dll", "lnk1", "lnk2", "error c1", "error c2", ".exe"}
	case "macos":
		return []string{".dylib", "xcode", "/opt/homebrew", "/applications/", "macosx", "appleclang"}
	case "linux":
		return []string{".so.", "/usr/lib/", "/usr/bin/ld", "/lib64/", "apt-get", "/etc/", "core dumped", "x86_64-linux-gnu"}
	}
	return nil
}

// hit is a matcher that a line satisfied.
type hit struct {
	m        matcher
	at       int // index of the matcher
	line     int
	evidence string
	groups   map[string]string
}

// match tries a line in plain form, which is given in lower case as well. many says that
// it comes after many others.
func (m *matcher) match(line, lower string, many bool) (groups map[string]string, ok bool) {
	if m.rule == nil {
		return nil, bounded(lower, m.form)
	}
	var found []string
	if m.rule.pattern != nil {
		if !mayMatch(m.rule.branches(), line, lower, many) {
			return nil, false
		}
		if found = m.rule.pattern.FindStringSubmatch(line); found == nil {
			return nil, false
		}
	}
	if m.rule.except != nil && m.rule.except.MatchString(line) {
		return nil, false
	}
	if found == nil {
		return nil, true
	}
	groups = map[string]string{}
	for i, name := range m.rule.pattern.SubexpNames() {
		if name != "" && found[i] != "" {
			groups[name] = found[i]
		}
	}
	return groups, true
}

// bounded reports whether a word stands in a line with no letter, digit or
// underscore at its sides.
func bounded(line, word string) bool {
	part := func(b byte) bool {
		return b == '_' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z'
	}
	for from := 0; ; {
		i := strings.Index(line[from:], word)
		if i < 0 {
			return false
		}
		i += from
		end := i + len(word)
		if (i == 0 || !part(line[i-1])) && (end == len(line) || !part(line[end])) {
			return true
		}
		from = i + 1
	}
}

// short is the number of lines up to which a text counts as chosen by somebody.
const short = 12

// failed reports whether the text speaks of a failure: it has an error, or it is a
// short one without a good end.
func (f *found) failed() bool {
	ended := func(text string) bool { return f.seen[slices.Index(f.set.texts, text)] }
	return f.first != nil || f.lines <= short && !slices.ContainsFunc(successLiterals(), ended)
}

// maxWrapped bounds the lines of a text in which wrapped messages are looked for.
const maxWrapped = 2000

// wrapped are the causes that only show where a message was wrapped by hand, by a
// mail program or a terminal: each line is looked at together with the next two, with
// a blank between them, and without.
func (s *Set) wrapped(text string) []hit {
	lines := strings.Split(text, "\n")
	for _, between := range []string{" ", ""} {
		var joined strings.Builder
		for i := range lines {
			parts := lines[i:min(i+3, len(lines))]
			joined.WriteString(strings.TrimRight(parts[0], " "))
			for _, next := range parts[1:] {
				joined.WriteString(between)
				joined.WriteString(strings.TrimSpace(logtext.Unprefixed(next)))
			}
			joined.WriteByte('\n')
		}
		f := s.scan(strings.NewReader(joined.String()), maxLine, nil)
		if hits := slices.DeleteFunc(f.kept(), func(h hit) bool { return !h.isCause() }); len(hits) > 0 {
			return hits
		}
	}
	return nil
}

// isCause reports whether a hit is a first cause.
func (h hit) isCause() bool { return h.m.rule != nil && h.m.rule.Rank == Cause }

// kept are the hits that the rest of the text bears out.
func (f *found) kept() []hit {
	there := func(text string) bool { return f.seen[slices.Index(f.set.texts, text)] }
	var out []hit
	for _, h := range f.hits {
		if r := h.m.rule; r != nil {
			if slices.ContainsFunc(r.Unless, there) || slices.ContainsFunc(r.Also, func(t string) bool { return !there(t) }) {
				continue
			}
			if r.Rank == Hint && !f.failed() {
				continue
			}
		}
		out = append(out, h)
	}
	return out
}

// system is the system that the text was written on, "" when it does not tell.
func (f *found) system() string {
	best, most := "", 0
	for _, system := range []string{"windows", "macos", "linux"} {
		n := 0
		for _, text := range systemLiterals(system) {
			if f.seen[slices.Index(f.set.texts, text)] {
				n++
			}
		}
		if n > most {
			best, most = system, n
		}
	}
	return best
}

// Text explains a text of any size, which is read once. system (windows, linux,
// macos) chooses the fix where the text does not tell its own. The error says
// what could not be read.
func (s *Set) Text(r io.Reader, system string) (*Result, error) {
	var text strings.Builder
	f := s.scan(r, maxLine, &text)
	if f.err != nil {
		return nil, f.err
	}
	hits := f.kept()
	if !slices.ContainsFunc(hits, hit.isCause) && f.failed() && f.lines <= maxWrapped {
		hits = append(hits, s.wrapped(text.String())...)
	}
	system = cmp.Or(f.system(), system)
	out := &Result{Kind: KindUnknown, Matches: []Match{}, Facts: map[string]any{}, FirstError: f.first}
	for _, h := range hits {
		out.Matches = append(out.Matches, h.explained(system))
	}
	order(out.Matches)
	classes := map[string]bool{}
	out.Matches = slices.DeleteFunc(out.Matches, func(m Match) bool {
		again := classes[m.Class]
		classes[m.Class] = true
		return again
	})
	out.reports(dump.Read(text.String()))
	return out, nil
}

// A cause is vague up to vagueMost, where another one of the text is surer by at least
// vagueStep.
const (
	vagueMost = 0.65
	vagueStep = 0.2
)

// order sorts the best match first: causes, then what follows from them, then hints,
// each by line. The first cause is the one to repair, but one that is vague (a line that
// only says that something is wrong) comes after those that say what. That a surer line
// merely follows from an earlier one is said by its rank.
func order(list []Match) {
	surest := 0.0
	for _, m := range list {
		if m.Rank == Cause {
			surest = max(surest, m.Confidence)
		}
	}
	vague := func(m Match) int {
		if m.Rank == Cause && m.Confidence <= vagueMost && m.Confidence <= surest-vagueStep {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(list, func(a, b Match) int {
		return cmp.Or(
			cmp.Compare(slices.Index(ranks(), a.Rank), slices.Index(ranks(), b.Rank)),
			cmp.Compare(vague(a), vague(b)),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(b.Confidence, a.Confidence),
		)
	})
}

// reports fills in Facts, and Kind: that of the first report where nothing but hints
// speaks of a failure.
func (r *Result) reports(list []dump.Report) {
	failed := slices.ContainsFunc(r.Matches, func(m Match) bool { return m.Rank != Hint })
	switch {
	case len(list) > 0 && !failed:
		r.Kind = list[0].Kind
	case len(r.Matches) > 0:
		r.Kind = KindLog
	}
	if len(list) == 0 {
		return
	}
	r.Machines = dump.Machines(list)
	r.Facts = r.Machines[0].Facts()
	if len(r.Machines[0].Reports) > 1 {
		r.Facts["reports"] = r.Machines[0].Reports
	}
	if len(r.Machines) == 1 {
		return
	}
	machines := []map[string]any{}
	for _, m := range r.Machines {
		one := m.Facts()
		one["reports"] = m.Reports
		machines = append(machines, one)
	}
	r.Facts["machines"] = machines
}

func (h *hit) explained(system string) Match {
	if h.m.rule == nil {
		m := h.m.code.match(h.m.fam, h.evidence, system, 0.85)
		m.Line, m.Rank = h.line, Cause
		if m.Class == "crash" { // a crash says that something was wrong before
			m.Rank = FollowOn
		}
		return m
	}
	r := h.m.rule
	fill := func(text string) string {
		return placeholder.Get().ReplaceAllStringFunc(text, func(word string) string {
			return cmp.Or(h.groups[word[1:len(word)-1]], h.groups["other"], "…")
		})
	}
	return Match{
		Class: r.Class, Line: h.line, Evidence: h.evidence, Cause: fill(lang.T(strings.TrimSpace(r.Cause))), Fix: fill(fixFor(r.Fix, system)),
		Confidence: r.Confidence, Page: r.Page, Rule: r.ID, Rank: r.Rank,
	}
}

// fixFor is the fix for a system; where there is none, all are given.
func fixFor(fix map[string]string, system string) string {
	if text := cmp.Or(fix[system], fix["any"]); text != "" {
		return lang.T(strings.TrimSpace(text))
	}
	var parts []string
	for _, one := range []struct{ key, name string }{{"windows", "Windows"}, {"linux", "Linux"}, {"macos", "macOS"}} {
		if text := fix[one.key]; text != "" {
			parts = append(parts, lang.F("On %s: %s", one.name, lang.T(strings.TrimSpace(text))))
		}
	}
	return strings.Join(parts, "\n")
}

// oneWord is a text that may have been meant as an id or the name of a file.
var oneWord = lazyregexp.New(`^[a-z0-9][a-z0-9._+-]*$`)

// LooksLikeName reports whether a text that explains nothing was probably meant
// as an id or a file.
func LooksLikeName(text string) bool { return oneWord.MatchString(text) }
