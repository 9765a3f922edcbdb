package formats

import (
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

//go:embed report.css
var stylesheet string

// writeHTML writes one file that needs nothing else: no script, no request.
//
// gomponents escapes the texts of elements and attributes. It does not know which
// addresses are harmless (safeAddress), nor that a CI system reads the lines of the file
// (lines). Nothing but the style sheet may be Raw.
func writeHTML(w io.Writer, d *Document) error {
	var b strings.Builder // it is written in small parts
	if err := newPage(d).html().Render(&b); err != nil {
		return err
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p page) html() g.Node {
	return h.Doctype(blocks(h.HTML(h.Lang(language()), blocks(p.head(), p.body()))))
}

func (p page) head() g.Node {
	return h.Head(blocks(
		h.Meta(h.Charset("utf-8")),
		h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
		h.Meta(h.Name("color-scheme"), h.Content("light dark")),
		h.Meta(g.Attr("http-equiv", "Content-Security-Policy"), h.Content("default-src 'none'; style-src 'unsafe-inline'; img-src data:")),
		h.Meta(h.Name("generator"), h.Content("deployctl "+p.Version)),
		h.Link(h.Rel("icon"), h.Href("data:,")),
		h.TitleEl(g.Text(p.Verdict+lang.T(": ")+p.Title+" (deployctl "+p.Command+")")),
		h.StyleEl(g.Raw("\n"+stylesheet)),
	))
}

func (p page) body() g.Node {
	parts := []g.Node{p.problems()}
	parts = append(parts, g.Map(p.Leading, section.html)...)
	parts = append(parts, p.plan())
	parts = append(parts, g.Map(p.Following, section.html)...)
	parts = append(parts, p.proof(), p.rest(), p.machine())
	return h.Body(blocks(
		h.A(h.Class("skip"), h.Href("#main"), g.Text(lang.T("Skip to the findings"))),
		h.Div(h.Class("wrap"), blocks(
			p.header(),
			h.Main(h.ID("main"), h.TabIndex("-1"), blocks(parts...)),
			h.Footer(h.P(
				g.Text("deployctl "+p.Version+" · "), h.Time(h.DateTime(p.ISO), g.Text(p.Time)), g.Text(" · "+lang.F("exit code %d", p.Exit)),
			)),
		)),
	))
}

func (p page) header() g.Node {
	return h.Header(blocks(h.Div(h.Class("card "+string(p.State)), blocks(
		h.P(h.Class("brand"), g.Text("deployctl "+p.Command+" · "+p.Name)),
		h.H1(badge(string(p.State), p.Verdict), g.Text(" "+p.Title)),
		h.P(h.Class("lead"), spoken(p.Closing)),
		g.If(p.Host != "", h.P(h.Class("soft"), g.Text(p.Host))),
		g.If(len(p.Tiles) > 0, h.Ul(h.Class("tiles"), h.Aria("label", lang.T("Checks by state")), g.Map(p.Tiles, tile.html))),
	))))
}

func (t tile) html() g.Node {
	return h.Li(h.Class(string(t.State)), h.B(g.Text(strconv.Itoa(t.Count))), g.Text(" "+text(t.State)))
}

func (p page) problems() g.Node {
	if len(p.Problems) == 0 {
		return nil
	}
	return titled("problems", lang.T("What needs attention"), g.Map(p.Problems, check.article)...)
}

func (c check) article() g.Node {
	id, fix := g.Text(c.ID), lines(c.Fix)
	if web := c.web(); web != "" {
		id = h.A(h.Href(safeAddress(web)), id)
	}
	if !sentence(c.Fix) {
		fix = h.Code(fix)
	}
	return h.Article(h.Class("card "+string(c.State)), h.Aria("label", c.Title), blocks(
		h.Div(h.Class("head"), badge(string(c.State), text(c.State)), h.H3(g.Text(c.Title)), h.Span(h.Class("soft"), id)),
		h.P(lines(c.Found)),
		g.If(c.Fix != "", h.P(h.Class("fix"), h.B(g.Text(lang.T("Fix"))), g.Text(" "), fix)),
		g.If(c.Why+c.Wanted+c.Where+c.Detail != "", c.details()),
	))
}

func (c check) details() g.Node {
	known := []row{{lang.T("Why"), c.Why}, {lang.T("Required"), c.Wanted}, {lang.T("Where"), c.Where}, {lang.T("Reported"), c.Detail}}
	more := c.explain()
	return h.Details(summary(lang.T("Details"), lang.T("why, what is required, where")), h.Dl(
		g.Map(known, row.html),
		g.If(more != "", g.Group{h.Dt(g.Text(lang.T("More"))), h.Dd(h.Code(g.Text(more)))}),
	))
}

func (r row) html() g.Node {
	return g.If(r.Text != "", g.Group{h.Dt(g.Text(r.Name)), h.Dd(lines(r.Text))})
}

func (s section) html() g.Node {
	if s.Folded {
		return h.Details(h.Class("card"), summary(s.Title, strconv.Itoa(len(s.Rows))), s.table())
	}
	parts := append([]g.Node{s.table()}, g.Map(s.Paragraphs, func(text string) g.Node { return h.P(lines(text)) })...)
	parts = append(parts, bullets(s.List))
	return titled(s.ID, s.Title, g.If(len(s.Rows)+len(s.Paragraphs)+len(s.List) > 0, h.Div(h.Class("card"), blocks(parts...))), chart(s.Bars))
}

func (s section) table() g.Node {
	return g.If(len(s.Rows) > 0, scrolling(lang.F("Table: %s", s.Title), columns(s.Figures, s.Head...), g.Map(s.Rows, s.row)))
}

func (s section) row(cells []string) g.Node {
	var out g.Group
	for i, cell := range cells {
		shown := lines(cell)
		if s.Badges && i == 0 {
			shown = badge(string(weight(cell)), text(cell))
		}
		out = append(out, h.Td(g.If(figures(s.Figures, i), h.Class("n")), shown))
	}
	return h.Tr(out)
}

func (p page) plan() g.Node {
	if len(p.Plan)+len(p.Manual) == 0 {
		return nil
	}
	var parts []g.Node
	step := planned.step
	if p.Solution {
		step = planned.change
	} else if len(p.Plan) > 0 {
		parts = append(parts, h.P(h.Class("soft"), spoken(p.PlanNote)))
	}
	if len(p.Plan) > 0 {
		parts = append(parts, h.Ol(h.Class("plan"), blocks(g.Map(p.Plan, step)...)))
	}
	if len(p.Manual) > 0 {
		parts = append(parts, h.H3(g.Text(lang.T("By hand"))))
		parts = append(parts, g.Map(p.Manual, manual.html)...)
	}
	return titled("plan", lang.T("Plan"), parts...)
}

// step is one that --fix carries out.
func (p planned) step() g.Node {
	return h.Li(h.Class("card"), h.H3(g.Text(p.Title)), h.P(h.Class("soft"), g.Text(p.Cost)),
		g.If(p.Command+p.Undo != "", h.Details(
			h.Summary(g.Text(lang.T("Command and undo"))),
			g.If(p.Command != "", h.Pre(h.Class("cmd"), lines(p.Command))),
			g.If(p.Undo != "", h.P(h.Class("soft"), g.Text(lang.T("Undo: ")), lines(p.Undo))),
		)),
	)
}

// change is a step of solve's plan.
func (p planned) change() g.Node {
	aside := p.aside()
	return h.Li(h.Class("card"), h.H3(g.Text(p.Title)), g.If(aside != "", h.P(h.Class("soft"), g.Text(aside))), h.P(lines(p.How)), bullets(p.Why))
}

func (m manual) html() g.Node {
	return h.Div(h.Class("card"), h.P(h.B(g.Text(m.Title))),
		g.If(m.Do != "", h.P(lines(m.Do))),
		g.If(m.Reason != "", h.P(h.Class("soft"), g.Text(lang.T("Not automatic: ")), lines(m.Reason))),
	)
}

func (p page) proof() g.Node {
	if p.Proof == nil {
		return nil
	}
	head := columns(4, lang.T("State"), lang.T("Engine"), lang.T("Version"), lang.T("Runs on"),
		lang.T("Load"), lang.T("First"), lang.T("Median"), "p95", "GFLOP/s", lang.T("Of peak"))
	return titled("proof", lang.T("Proof"),
		h.Div(h.Class("card"), blocks(h.P(g.Text(p.Proof.Network)), scrolling(lang.T("Engines"), head, g.Map(p.Proof.Engines, engineRow.html)))),
		chart(p.Proof.Bars),
		g.If(p.Proof.Picture != "", h.Figure(h.Class("card"), h.Img(h.Src(safeAddress(p.Proof.Picture)), h.Alt(p.Proof.Alt)), h.FigCaption(g.Text(p.Proof.Alt)))),
	)
}

func (e engineRow) html() g.Node {
	return h.Tr(h.Td(badge(string(e.State), text(e.State))), rowHead(e.Name), cells("", e.Version, e.On), cells("n", e.Load, e.First, e.Median, e.P95, e.GFLOPS, e.Peak))
}

func (p page) rest() g.Node {
	if len(p.Groups) == 0 {
		return nil
	}
	return titled("rest", lang.T("What passes or does not apply"), g.Map(p.Groups, group.html)...)
}

func (part group) html() g.Node {
	head := columns(0, lang.T("State"), lang.T("Check"), lang.T("Found"), lang.T("Where"))
	return h.Details(h.Class("card"), summary(part.Name, part.Summary), scrolling(lang.F("Checks: %s", part.Name), head, g.Map(part.Checks, check.row)))
}

func (c check) row() g.Node {
	return h.Tr(h.Td(badge(string(c.State), text(c.State))), rowHead(c.Title), h.Td(lines(c.Found)), h.Td(h.Class("soft"), lines(c.Where)))
}

func (p page) machine() g.Node {
	if len(p.Machine) == 0 {
		return nil
	}
	parts := []g.Node{h.Div(h.Class("card"), h.Dl(g.Map(p.Machine, row.html)))}
	if len(p.Copies) > 0 {
		head := columns(0, lang.T("Component"), lang.T("Version"), lang.T("Path"), lang.T("Found by"))
		parts = append(parts, h.Details(h.Class("card"),
			summary(lang.T("Installed components"), lang.F("%d found", len(p.Copies))),
			scrolling(lang.T("Installed components"), head, g.Map(p.Copies, installed.html)),
		))
	}
	if p.Facts != "" {
		parts = append(parts, h.Details(h.Class("card"),
			summary(lang.T("All facts"), "JSON"),
			h.Pre(h.Class("facts"), h.TabIndex("0"), h.Role("region"), h.Aria("label", lang.T("All facts as JSON")), g.Text(p.Facts)),
		))
	}
	return titled("machine", lang.T("Machine"), parts...)
}

func (i installed) html() g.Node {
	return h.Tr(rowHead(i.Name), cells("", i.Version, i.Path, i.Via))
}

// chart is a bar for each engine, nil for none.
func chart(bars []bar) g.Node {
	if len(bars) == 0 {
		return nil
	}
	return h.Div(h.Class("card"), h.Table(
		h.Caption(g.Text(lang.T("Time of one forward pass: the bar is the median, the line reaches the 95th percentile. Shorter is better."))),
		grid(columns(2, lang.T("Engine"), lang.T("Time"), lang.T("Median")), g.Map(bars, bar.html)),
	))
}

func (b bar) html() g.Node {
	width, tail := fmt.Sprint(b.Width, "%"), fmt.Sprint(b.Tail, "%")
	return h.Tr(rowHead(b.Name), h.Td(h.Class("chart"), h.SVG(h.Aria("hidden", "true"), g.Attr("focusable", "false"),
		g.El("rect", h.Class("bar"), g.Attr("x", "0"), g.Attr("y", "2"), h.Width(width), h.Height("12"), g.Attr("rx", "3")),
		g.El("line", h.Class("tail"), g.Attr("x1", width), g.Attr("x2", tail), g.Attr("y1", "8"), g.Attr("y2", "8")),
	)), cells("n", b.Median))
}

// titled is a section with its heading.
func titled(id, title string, parts ...g.Node) g.Node {
	return h.Section(h.Aria("labelledby", id), blocks(slices.Insert(parts, 0, h.H2(h.ID(id), g.Text(title)))...))
}

// blocks are elements on lines of their own.
func blocks(list ...g.Node) g.Node {
	out := g.Group{g.Text("\n")}
	for _, n := range list {
		if n != nil {
			out = append(out, n, g.Text("\n"))
		}
	}
	return out
}

// lines keeps a text's line ends as elements: in the file, no line begins with what
// another party wrote, which a CI system could take for a command in its log.
func lines(s string) g.Node {
	var out g.Group
	for i, one := range strings.Split(strings.TrimSpace(s), "\n") {
		out = append(out, g.If(i > 0, h.Br()), g.Text(one))
	}
	return out
}

// spoken is a sentence with its commands.
func spoken(sentence []piece) g.Node {
	return g.Map(sentence, func(p piece) g.Node {
		if p.Code {
			return h.Code(g.Text(p.Text))
		}
		return g.Text(p.Text)
	})
}

func badge(state, text string) g.Node { return h.Span(h.Class("badge "+state), g.Text(text)) }

func summary(title, more string) g.Node {
	return h.Summary(g.Text(title), h.Span(h.Class("soft"), g.Text(" · "+more)))
}

func bullets(list []string) g.Node {
	if len(list) == 0 {
		return nil
	}
	return h.Ul(blocks(g.Map(list, func(text string) g.Node { return h.Li(lines(text)) })...))
}

// scrolling is a table that scrolls by itself where the page is too narrow for it.
func scrolling(label string, head, rows g.Group) g.Node {
	return h.Div(h.Class("scroll"), h.Role("region"), h.Aria("label", label), h.TabIndex("0"), h.Table(grid(head, rows)))
}

func grid(head, rows g.Group) g.Node {
	return g.Group{h.THead(h.Tr(head)), h.TBody(blocks(rows...))}
}

// columns are the heads of a table's columns. From the column `from` on there are
// numbers, where it is not 0.
func columns(from int, titles ...string) g.Group {
	var out g.Group
	for i, title := range titles {
		if title == "" {
			out = append(out, h.Td())
			continue
		}
		out = append(out, h.Th(g.Attr("scope", "col"), g.If(figures(from, i), h.Class("n")), g.Text(title)))
	}
	return out
}

// figures reports whether a column has numbers.
func figures(from, column int) bool { return from > 0 && column >= from }

func rowHead(text string) g.Node { return h.Th(g.Attr("scope", "row"), g.Text(text)) }

func cells(class string, texts ...string) g.Group {
	return g.Map(texts, func(text string) g.Node { return h.Td(g.If(class != "", h.Class(class)), g.Text(text)) })
}
