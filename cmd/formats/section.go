package formats

import (
	"strings"

	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/doctor/solve"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify"
	"github.com/deployctl/deployctl/verify/bench"
)

// section is a part of a page that diff, plan or bench has: a heading, paragraphs,
// a list, a table, a chart. Its texts are clean. Folded: it is closed at first.
type section struct {
	ID, Title  string
	Paragraphs []string
	List       []string
	// Head and Rows are the table; from the column Figures on, there are numbers.
	Head    []string
	Rows    [][]string
	Figures int
	// Badges: the first column is a weight.
	Badges bool
	Bars   []bar
	Folded bool
}

// leading are the sections before the plan, following those after it.
func (d *Document) leading() []section {
	switch {
	case d.Comparison != nil:
		return differences(d.Comparison)
	case d.Bench != nil:
		return measured(d.Bench, d.Changes)
	case d.Solution != nil && len(d.Solution.Conflict) > 0:
		return []section{{ID: "conflict", Title: lang.T("Why there is no plan"), List: cleaned(d.Solution.Conflict)}}
	}
	return nil
}

func (d *Document) following() []section {
	if d.Solution == nil {
		return nil
	}
	var out []section
	if list := cleaned(d.Solution.Recommended()); len(list) > 0 {
		out = append(out, section{ID: "recommended", Title: lang.T("Recommended, but not required"), List: list})
	}
	if list := cleaned(d.Solution.Notes()); len(list) > 0 {
		out = append(out, section{ID: "notes", Title: lang.T("What the plan does not know"), Paragraphs: list})
	}
	return out
}

// differences are the two machines, then what differs, the details folded.
func differences(c *report.Comparison) []section {
	head := []string{lang.T("Weight"), lang.T("What"), line(c.A.Name), line(c.B.Name), lang.T("Why it matters")}
	grave := section{ID: "differences", Title: lang.T("What breaks, then what matters"), Head: head, Badges: true}
	details := section{ID: "details", Title: lang.T("Details"), Head: head, Badges: true, Folded: true}
	for _, d := range c.Differences {
		to := &grave
		if d.Weight == report.Detail {
			to = &details
		}
		to.Rows = append(to.Rows, []string{d.Weight.String(), line(d.Topic), clean(d.A), clean(d.B), clean(d.Why)})
	}
	out := []section{{ID: "machines", Title: lang.T("Machines"), Head: []string{"", lang.T("Name"), lang.T("Machine")}, Rows: [][]string{
		{"A", line(c.A.Name), line(c.A.Host.Line())}, {"B", line(c.B.Name), line(c.B.Host.Line())},
	}}}
	for _, s := range []section{grave, details} {
		if len(s.Rows) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// measured are a table and a chart for each network, then the comparison with an
// earlier report.
func measured(r *bench.Report, changes []string) []section {
	var out []section
	longest := 0.0
	for i, row := range r.Rows {
		if i == 0 || row.On() != r.Rows[i-1].On() {
			out = append(out, section{ID: "network-" + slug(row.On()), Title: line(row.On()), Head: bench.Columns(), Figures: 3})
			longest = 0
			for _, other := range r.Rows {
				if other.On() == row.On() && other.State == verify.OK {
					longest = max(longest, other.Median, other.P95)
				}
			}
		}
		s := &out[len(out)-1]
		if row.State != verify.OK {
			s.Paragraphs = append(s.Paragraphs, line(row.Name()+lang.T(": ")+row.Why))
			continue
		}
		s.Rows = append(s.Rows, cleaned(row.Cells()))
		width := 100 * row.Median / longest
		s.Bars = append(s.Bars, bar{line(row.Name() + " " + row.Version), figure(row.Median), width, max(width, 100*row.P95/longest)})
	}
	if len(changes) > 0 {
		out = append(out, section{ID: "changes", Title: strings.TrimRight(line(changes[0]), ":："), List: cleaned(changes[1:])})
	}
	return out
}

// slug is a text as an id within a page.
func slug(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(strings.ReplaceAll(s, "×", "x")))
}

func cleaned(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = line(s)
	}
	return out
}

// comparisonClosing is what a comparison comes to, in a sentence.
func comparisonClosing(c *report.Comparison) string {
	n := len(c.Differences)
	switch grave := c.Summary[report.Breaks.String()]; {
	case n == 0:
		return strings.TrimSpace(lang.T("The two machines are alike in everything deployctl looks at.\n"))
	case grave > 0:
		return lang.F("%s, %d of which can break programs from %s on %s.", recipes.Count(n, "difference"), grave, c.A.Name, c.B.Name)
	}
	return lang.F("%s, none of which breaks programs from %s on %s.", recipes.Count(n, "difference"), c.A.Name, c.B.Name)
}

// steps is the plan of a solution, for a page.
func solutionSteps(s *solve.Solution) []planned {
	var out []planned
	for _, g := range s.Steps() {
		p := planned{Title: line(g.Title), How: clean(g.How), Why: cleaned(g.Why)}
		if g.Cost != (solve.Cost{}) {
			p.Cost = line(g.Cost.String())
		}
		p.Who = line(g.Who)
		out = append(out, p)
	}
	return out
}
