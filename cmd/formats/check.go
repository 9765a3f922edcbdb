package formats

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify"
)

// check is a finding, or what one engine proved, in the form that all formats
// share. Its texts are clean.
type check struct {
	ID, Title string
	Group     string // System, Tools …
	State     judge.State
	// Optional: it may be unknown without changing the exit code.
	Optional               bool
	Wanted, Found, Where   string
	Why, Fix, Page, Detail string
	// File and Line are in the user's project; "" for what is about the machine.
	File    string
	Line    int
	Seconds float64
}

// outcome is what a check comes to for programs that know tests only.
type outcome int

const (
	passed    outcome = iota
	skipped           // it does not apply
	warned            // worth a look, and no failure
	undecided         // it could not be checked, or waits for a restart
	failed
)

func (c check) outcome() outcome {
	switch c.State {
	case judge.Fail:
		return failed
	case judge.Warn:
		return warned
	case judge.Skipped:
		return skipped
	case judge.Pending:
		return undecided
	case judge.Unknown:
		if c.Optional {
			return warned
		}
		return undecided
	}
	return passed
}

// problem reports whether a person should look at it.
func (c check) problem() bool { return c.outcome() > skipped }

// message says what is wrong and what to do, on one line.
func (c check) message() string {
	text := line(c.Title) + lang.T(": ") + line(cmp.Or(c.Found, string(c.State)))
	if c.Fix != "" {
		text = lang.F("%s. Fix: %s", strings.TrimRight(text, ".。"), line(c.Fix))
	}
	return text
}

// explain is the command that shows more.
func (c check) explain() string {
	if c.Page == "" {
		return ""
	}
	return "deployctl explain " + c.ID
}

// web is the page's address, "" for one that only the user has.
func (c check) web() string {
	if !strings.HasPrefix(c.Page, "docs/") && !strings.HasPrefix(c.Page, "recipes/") {
		return ""
	}
	page := c.Page
	if name, ok := strings.CutPrefix(page, "recipes/pages/"); ok && lang.Current() == lang.Chinese {
		page = "recipes/pages/zh/" + name
	}
	return home + "/blob/main/" + page
}

// body is all that is known, one fact a line.
func (c check) body() string {
	var b strings.Builder
	for _, row := range []struct{ name, text string }{
		{"state", string(c.State)}, {"found", c.Found}, {"where", c.Where}, {"required", c.Wanted}, {"fix", c.Fix},
		{"why", c.Why}, {"detail", c.Detail}, {"more", c.explain()},
	} {
		if row.text != "" {
			fmt.Fprintf(&b, "%s: %s\n", row.name, row.text)
		}
	}
	return b.String()
}

// checks are the document's findings, or what differs between two machines, then its
// engines, then what stopped it.
func (d *Document) checks() []check {
	var list []check
	if d.Comparison != nil {
		for _, x := range d.Comparison.Differences {
			list = append(list, ofDifference(x, d.Comparison))
		}
	}
	if d.Doctor != nil {
		for _, f := range d.Doctor.Findings {
			list = append(list, ofFinding(f, d.Doctor.Group(f.ID), d.Root))
		}
	}
	if d.Proof != nil {
		for _, e := range d.Proof.Engines {
			list = append(list, ofEngine(e))
		}
	}
	if d.Doctor != nil && d.Doctor.Error != "" {
		list = append(list, check{ID: "deployctl.run", Title: lang.T("Run of deployctl"), Group: "Run", State: judge.Fail, Found: clean(d.Doctor.Error)})
	}
	return list
}

func ofFinding(f judge.Finding, group, root string) check {
	c := check{
		ID: line(f.ID), Title: line(f.Title), Group: group, State: f.State,
		Optional: f.Severity == recipes.Recommended || f.Severity == recipes.Info,
		Wanted:   clean(f.Wanted), Found: clean(f.Found), Where: clean(f.Where), Why: clean(f.Why), Fix: clean(f.Fix), Page: clean(f.Doc),
	}
	if f.Project {
		c.File, c.Line = place(c.Where, root)
	}
	return c
}

// ofDifference: what breaks programs fails, what matters is a warning.
func ofDifference(x report.Difference, c *report.Comparison) check {
	out := check{ID: line(x.Topic), Title: line(x.Topic), Group: x.Weight.String(), State: judge.Info, Why: clean(x.Why)}
	switch x.Weight {
	case report.Breaks:
		out.State = judge.Fail
	case report.Matters:
		out.State = judge.Warn
	}
	out.Found = clean(fmt.Sprintf("%s (%s) → %s (%s)", x.A, c.A.Name, x.B, c.B.Name))
	if x.Why != "" {
		out.Found += lang.T(": ") + out.Why
	}
	return out
}

// place reads FILE:LINE, which a finding on the user's project has; the file is
// relative to root where it is below, and "" where no file is named.
func place(where, root string) (file string, number int) {
	i := strings.LastIndexByte(where, ':')
	if i < 0 {
		return "", 0
	}
	number, err := strconv.Atoi(where[i+1:])
	if err != nil || number < 1 {
		return "", 0
	}
	slashes := func(s string) string { return strings.ReplaceAll(s, `\`, "/") }
	file = slashes(where[:i])
	if root != "" {
		file = strings.TrimPrefix(file, strings.TrimRight(slashes(root), "/")+"/")
	}
	return file, number
}

func ofEngine(e verify.Engine) check {
	c := check{
		ID: line("verify." + e.Name), Title: line(lang.F("%s on %s", e.Name, e.Target)), Group: "Proof", State: judge.State(e.State),
		Found: clean(e.Why), Fix: clean(e.Fix), Seconds: e.MedianSeconds, Detail: clean(strings.Join(e.Reasons, "\n")),
	}
	switch {
	case e.State != verify.OK:
	case e.MedianSeconds > 0:
		c.Found = lang.F("%s, agrees with the reference, %s for each image", clean(cmp.Or(e.Version, lang.T("no version"))), verify.Duration(e.MedianSeconds))
	default:
		c.Found = clean(cmp.Or(e.Version, lang.T("it loads")))
	}
	return c
}
