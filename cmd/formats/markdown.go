package formats

import (
	"fmt"
	"io"
	"strings"

	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/solve"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify"
)

// writeMarkdown writes GitHub's Markdown, which GitLab and most wikis read, too.
func writeMarkdown(w io.Writer, d *Document) error {
	var b strings.Builder
	mark := "✅"
	if d.Exit != judge.ExitOK {
		mark = "❌"
	}
	fmt.Fprintf(&b, "## %s %s\n\n%s\n", mark, plain(d.title()), prose(d.closing()))
	var problems, rest []check
	if d.Comparison == nil { // which has its table
		problems, rest = split(d.checks())
	}
	if len(problems) > 0 {
		b.WriteString("\n")
		markdownHead(&b, 0, "", lang.T("Check"), lang.T("Found"), lang.T("Fix"))
		for _, c := range problems {
			fmt.Fprintf(&b, "| %s | %s<br>%s | %s | %s |\n", text(c.State), plain(c.Title), linked(c), plain(c.Found), plain(c.Fix))
		}
	}
	markdownSections(&b, d.leading())
	markdownPlan(&b, d)
	markdownSections(&b, d.following())
	if d.Proof != nil {
		markdownProof(&b, d.Proof)
	}
	if len(rest) > 0 {
		fmt.Fprintf(&b, "\n<details>\n<summary>%s</summary>\n\n", lang.F("%d of %d checks pass or do not apply", len(rest), len(rest)+len(problems)))
		markdownHead(&b, 0, "", lang.T("Check"), lang.T("Found"))
		for _, c := range rest {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", text(c.State), plain(c.Title), plain(c.Found))
		}
		b.WriteString("\n</details>\n")
	}
	b.WriteString("\n<sub>")
	if host := d.host(); host != "" {
		b.WriteString(plain(host) + " · ")
	}
	fmt.Fprintf(&b, "deployctl %s · %s</sub>\n", plain(d.Version), d.Time.UTC().Format("2006-01-02 15:04 UTC"))
	_, err := io.WriteString(w, b.String())
	return err
}

// split gives what a person should look at first, worst first, and the rest.
func split(list []check) (problems, rest []check) {
	for _, o := range []outcome{failed, undecided, warned, passed, skipped} {
		for _, c := range list {
			switch {
			case c.outcome() != o:
			case c.problem():
				problems = append(problems, c)
			default:
				rest = append(rest, c)
			}
		}
	}
	return problems, rest
}

// markdownSections writes the parts that diff, plan and bench have.
func markdownSections(b *strings.Builder, list []section) {
	for _, s := range list {
		if s.Folded {
			fmt.Fprintf(b, "\n<details>\n<summary>%s</summary>\n", plain(s.Title))
		} else {
			fmt.Fprintf(b, "\n### %s\n", plain(s.Title))
		}
		if len(s.Rows) > 0 {
			b.WriteString("\n")
			markdownHead(b, s.Figures, s.Head...)
			for _, row := range s.Rows {
				if s.Badges {
					row = append([]string{text(row[0])}, row[1:]...)
				}
				markdownRow(b, row)
			}
		}
		for _, text := range s.Paragraphs {
			fmt.Fprintf(b, "\n%s\n", prose(text))
		}
		if len(s.List) > 0 {
			b.WriteString("\n")
		}
		for _, text := range s.List {
			fmt.Fprintf(b, "- %s\n", prose(text))
		}
		if s.Folded {
			b.WriteString("\n</details>\n")
		}
	}
}

// markdownHead begins a table; from the column figures on, 0 for none, there are numbers.
func markdownHead(b *strings.Builder, figures int, cells ...string) {
	markdownRow(b, cells)
	b.WriteString("|")
	for i := range cells {
		if figures > 0 && i >= figures {
			b.WriteString(" ---: |")
		} else {
			b.WriteString(" --- |")
		}
	}
	b.WriteString("\n")
}

func markdownRow(b *strings.Builder, cells []string) {
	b.WriteString("|")
	for _, cell := range cells {
		b.WriteString(" " + plain(cell) + " |")
	}
	b.WriteString("\n")
}

// markdownSolution writes the steps of a solution, each with how and why.
func markdownSolution(b *strings.Builder, s *solve.Solution) {
	for i, p := range solutionSteps(s) {
		if i == 0 {
			fmt.Fprintf(b, "\n### %s\n\n", lang.T("Plan"))
		}
		fmt.Fprintf(b, "%d. %s\n", i+1, plain(p.Title))
		if aside := p.aside(); aside != "" {
			fmt.Fprintf(b, "   <br><sub>%s</sub>\n", plain(aside))
		}
		fmt.Fprintf(b, "   - %s\n", prose(line(p.How)))
		for _, why := range p.Why {
			fmt.Fprintf(b, "   - %s: %s\n", lang.T("Why"), plain(why))
		}
	}
}

func markdownPlan(b *strings.Builder, d *Document) {
	if d.Solution != nil {
		markdownSolution(b, d.Solution)
		return
	}
	if len(d.Plan)+len(d.Manual) == 0 {
		return
	}
	fmt.Fprintf(b, "\n### %s\n\n", lang.T("Plan"))
	var commands []string
	for i, s := range d.Plan {
		fmt.Fprintf(b, "%d. %s\n", i+1, plain(lang.F("%s (%s)", s.Title, costOf(s))))
		if len(s.Argv) > 0 {
			commands = append(commands, code(step.Quote(s.Argv)))
		}
	}
	for _, m := range d.Manual {
		fmt.Fprintf(b, "- %s\n", lang.F("By hand: %s. %s", plain(m.Title), plain(m.Do)))
	}
	if len(commands) > 0 {
		fmt.Fprintf(b, "\n<details>\n<summary>%s</summary>\n\n%s\n\n</details>\n", lang.T("Commands"), strings.Join(commands, "\n\n"))
	}
}

func costOf(s step.Step) string {
	var parts []string
	if s.Cost.DownloadBytes > 0 {
		parts = append(parts, recipes.Size(s.Cost.DownloadBytes, s.Cost.Estimated))
	}
	parts = append(parts, recipes.Duration(s.Cost.Minutes))
	for _, n := range s.Needs {
		if n == step.Admin {
			parts = append(parts, lang.T("administrator rights"))
		}
	}
	return strings.Join(parts, lang.T(", "))
}

func markdownProof(b *strings.Builder, r *verify.Result) {
	fmt.Fprintf(b, "\n### %s\n\n", lang.T("Proof"))
	markdownHead(b, 4, "", lang.T("Engine"), lang.T("Version"), lang.T("Runs on"), lang.T("Median"), "p95")
	for _, e := range r.Engines {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", text(e.State), plain(e.Name), plain(e.Version), plain(e.Backend+"/"+e.Target), figure(e.MedianSeconds), figure(e.P95Seconds))
	}
}

func figure(s float64) string {
	if s <= 0 {
		return ""
	}
	return verify.Duration(s)
}

// plain is a text in a table or line of Markdown that means only itself.
func plain(s string) string {
	var b strings.Builder
	for _, r := range line(s) {
		switch {
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '&':
			b.WriteString("&amp;")
		case r == '@': // no mention of anybody
			b.WriteString("&#64;")
		case strings.ContainsRune("\\`*_{}[]|#~!$", r):
			b.WriteByte('\\')
			b.WriteRune(r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// code is a text as code: HTML's element, since backticks cannot hold each other
// in a table.
func code(s string) string { return "<code>" + plain(s) + "</code>" }

// linked is a check's id, with a link to its page where that is published.
func linked(c check) string {
	if web := c.web(); web != "" {
		return "[" + code(c.ID) + "](" + web + ")"
	}
	return code(c.ID)
}

// prose is a sentence of deployctl's own, whose commands are between backticks.
func prose(s string) string {
	parts := strings.Split(s, "`")
	if len(parts)%2 == 0 {
		return plain(s)
	}
	for i, p := range parts {
		// A blank beside a command stays: plain trims.
		before, after := strings.HasPrefix(p, " "), strings.HasSuffix(p, " ")
		if i%2 == 1 {
			p = code(p)
		} else if p = plain(p); p != "" {
			if before {
				p = " " + p
			}
			if after {
				p += " "
			}
		}
		parts[i] = p
	}
	return strings.Join(parts, "")
}
