package verify

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/judge"
)

// marks and colors of the states: shape and color both tell, so that neither
// is needed.
var marks = map[State]struct{ mark, color string }{
	OK:      {"✓", "32"},
	Fail:    {"✗", "31"},
	Unknown: {"?", "33"},
}

type painter struct {
	strings.Builder
	color bool
}

func (p *painter) paint(code, text string) string {
	if !p.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p *painter) linef(format string, args ...any) { fmt.Fprintf(&p.Builder, format+"\n", args...) }

// Render writes the result for people; color switches ANSI colors on.
func Render(w io.Writer, r *Result, color bool) error {
	p := &painter{color: color}
	switch {
	case r.Level == LevelLoad:
	case r.Weights.Kind == Own:
		p.linef(lang.T("%s  %d operators, input %d×%d"), p.paint("1", clean(r.Network.Name)), r.Network.Layers, r.Network.Width, r.Network.Height)
		p.linef("%s", p.paint("2", lang.F("%s, on %s", clean(r.Weights.Path), r.scene())))
		p.linef("")
	default:
		p.linef(lang.T("%s  %d layers, %s parameters, %.2f GFLOP at %d×%d"), p.paint("1", r.Network.Name),
			r.Network.Layers, thousands(r.Network.Params), r.Network.GFLOP, r.Network.Width, r.Network.Height)
		text := map[string]string{
			SelfTest: lang.T("self-test weights (calibrated, not trained)"),
			Official: lang.T("official weights, hash verified"),
			User:     lang.F("your weights %s", r.Weights.Path),
		}[r.Weights.Kind]
		p.linef("%s", p.paint("2", lang.F("%s, on %s", clean(text), r.scene())))
		p.linef("")
	}
	table(p, r)
	for _, e := range r.Engines {
		p.evidence(e)
	}
	for _, e := range r.Engines {
		if e.State == OK {
			continue
		}
		p.linef("")
		l := marks[e.State]
		p.linef("%s %s", p.paint(l.color, l.mark+" "+clean(e.Name)+":"), clean(e.Why))
		for i, reason := range e.Reasons {
			if i > 0 && i < 6 {
				p.linef("    %s", clean(reason))
			}
		}
		if e.Fix != "" {
			p.linef("  %s %s", p.paint("1", "→"), clean(e.Fix))
		}
	}
	if e := shown(r); e != nil && r.Level != LevelLoad && r.Weights.Kind != Own {
		p.linef("")
		if e.Name == ReferenceName && len(r.Engines) > 1 {
			p.linef("%s", p.paint("2", lang.T("found by the reference alone:")))
		}
		p.boxes(e)
		if r.Published != nil && e.State == OK {
			p.linef("%s", p.paint("2", lang.F("  as published for %s on %s: %s", clean(r.Published.Model), clean(r.Published.Picture), clean(r.Published.Source))))
		}
	}
	if r.Fastest != "" {
		p.linef("")
		p.linef(lang.T("%s is the fastest here, %.1f times faster than the slowest"), p.paint("1", r.Fastest), r.Gain)
	}
	if r.Picture != "" {
		p.linef("")
		p.linef(lang.T("picture  %s"), p.paint("4", clean(r.Picture)))
	}
	p.linef("")
	for _, n := range r.Notes {
		p.linef("%s", p.paint("2", lang.F("note: %s", clean(n))))
	}
	switch {
	case r.Level == LevelLoad:
	case r.Weights.Kind == Own:
		p.linef("%s", p.paint("2", lang.F("Total %s", Duration(r.TotalSeconds))))
	default:
		how := lang.F("engine %s", Duration(r.Reference.Seconds))
		if r.Reference.Reused {
			how = lang.T("reused from the cache")
		}
		p.linef("%s", p.paint("2", lang.F("Total %s (reference %s, deployctl itself %s)",
			Duration(r.TotalSeconds), how, Duration(r.OverheadSeconds))))
	}
	p.linef("%s", r.closing())
	_, err := io.WriteString(w, p.String())
	return err
}

// evidence names the files that an engine loaded and the device that it used.
func (p *painter) evidence(e Engine) {
	if n := len(e.Own); n > 0 {
		more := ""
		if n > 1 {
			more = lang.F(" and %d more of its files there", n-1)
		}
		p.linef("%s", p.paint("2", lang.F("  %s loaded %s%s", clean(e.Name), clean(e.Own[0]), more)))
	}
	if e.Device != nil && e.Target == "cpu" && len(e.Device.Layers) > 0 {
		p.linef("%s", p.paint("2", lang.F("  %s ran all layers on %s", clean(e.Name), clean(places(e.Device.Layers)))))
	}
	if e.State == OK && e.Arithmetic != "" && e.Arithmetic != usual(judge.FP32) {
		p.linef("%s", p.paint("2", lang.F("  %s was judged by limits of its own: %s", clean(e.Name), e.Arithmetic)))
	}
	if e.State != OK || e.Device == nil || e.ProcessorSeconds == 0 || e.MedianSeconds == 0 {
		return
	}
	device, family := "", engine.Target{Name: e.Target}.Family()
	if family == "cpu" {
		p.linef("%s", p.paint("2", lang.F("  %s computed in %s: %s an image, in single precision %s", clean(e.Name), string(e.Precision), Duration(e.MedianSeconds), Duration(e.ProcessorSeconds))))
		return
	}
	switch d := e.Device; {
	case family == "opencl" && d.OpenCL != nil:
		device = d.OpenCL.Name
	case family == "cuda" && d.CUDA != nil:
		device = strings.Join(d.CUDA.Names, ", ")
	}
	p.linef("%s", p.paint("2", lang.F("  %s ran on %s: %s an image, on the processor %s", clean(e.Name), clean(device), Duration(e.MedianSeconds), Duration(e.ProcessorSeconds))))
}

// closing says in a sentence whether the set-up is proven, and which.
func (r *Result) closing() string {
	var good, failed []string
	why, median := "", 0.0
	for _, e := range r.Engines {
		name := lang.F("%s on %s", clean(e.Name), clean(e.Target))
		switch {
		case e.State != OK:
			failed = append(failed, name)
			if why == "" {
				why = clean(strings.TrimRight(e.Why, "."))
			}
		case e.Name != ReferenceName:
			good = append(good, name)
			if median == 0 {
				median = e.MedianSeconds
			}
		}
	}
	if r.Weights.Kind == Own && r.Level != LevelLoad {
		return r.agreed(good, failed, why)
	}
	weights := map[string]string{
		SelfTest: lang.T("self-test weights"), Official: lang.T("the official weights"), User: lang.F("the weights %s", clean(r.Weights.Path)),
	}[r.Weights.Kind]
	with := lang.F("(%s, %s, %s)", clean(r.Network.Name), weights, r.scene())
	switch {
	case len(failed) > 0 && r.Level == LevelLoad:
		return lang.F("Not proven: %s cannot be used here: %s.", list(failed), why)
	case len(failed) > 0:
		return lang.F("Not proven: %s did not pass %s: %s.", list(failed), with, why)
	case r.Level == LevelLoad && len(good) > 0:
		if len(good) == 1 {
			return lang.F("Not proven: %s loads here, but level 1 runs no network.", good[0])
		}
		return lang.F("Not proven: %s load here, but level 1 runs no network.", list(good))
	case r.Level == LevelLoad:
		return lang.T("Not proven: no engine was asked for, and level 1 runs no network.")
	case len(good) == 0:
		return lang.F("Not proven: only the built-in reference engine ran %s.", with)
	}
	speed := ""
	if median > 0 {
		speed = lang.F(", %s per image", Duration(median))
	}
	if len(good) == 1 {
		return lang.F("Proven: %s runs %s with %s on %s correctly%s.", good[0], clean(r.Network.Name), weights, r.scene(), speed)
	}
	return lang.F("Proven: %s run %s with %s on %s correctly%s.", list(good), clean(r.Network.Name), weights, r.scene(), speed)
}

// agreed is the closing sentence for a model of the user's own.
func (r *Result) agreed(good, failed []string, why string) string {
	name := clean(r.Network.Name)
	switch {
	case len(failed) > 0 && len(r.Majority) == 0:
		return lang.F("Not proven: %s: %s.", name, why)
	case len(failed) > 0:
		if len(good) == 1 {
			return lang.F("Not proven: %s did not compute what %s does: %s.", list(failed), good[0], why)
		}
		return lang.F("Not proven: %s did not compute what %s do: %s.", list(failed), list(good), why)
	}
	return lang.F("Proven: %s compute the same of %s.", list(good), name)
}

// scene is the picture looked at, in words.
func (r *Result) scene() string {
	if r.Image == "" {
		return lang.T("the embedded scene")
	}
	return clean(r.Image)
}

// list joins names: a, b and c.
func list(names []string) string {
	return lang.List(names, false)
}

// shown is the engine whose boxes are listed: the first that is right.
func shown(r *Result) *Engine {
	for i := range r.Engines {
		if r.Engines[i].State == OK && r.Engines[i].MedianSeconds > 0 {
			return &r.Engines[i]
		}
	}
	for i := range r.Engines {
		if r.Engines[i].State == OK {
			return &r.Engines[i]
		}
	}
	return nil
}

func (p *painter) boxes(e *Engine) {
	if len(e.Boxes) == 0 {
		p.linef(lang.T("nothing found with a score of 50 %% or more"))
		return
	}
	width := 0
	for _, b := range e.Boxes {
		width = max(width, runewidth.StringWidth(b.Class))
	}
	const most = 12
	for i, b := range e.Boxes {
		if i == most && len(e.Boxes) > most+1 {
			p.linef(lang.T("  … and %d more"), len(e.Boxes)-most)
			break
		}
		p.linef("  %s  %3.0f %%  %s", runewidth.FillRight(b.Class, width), 100*b.Score,
			p.paint("2", lang.F("at %.0f, %.0f, %.0f × %.0f", b.X, b.Y, b.W, b.H)))
	}
}

// table is one line an engine; columns without any figure are left out.
func table(p *painter, r *Result) {
	head := []string{lang.T("engine"), lang.T("version"), lang.T("runs on"), lang.T("differs by"), lang.T("load"), lang.T("first"), lang.T("median"), "p95", "GFLOP/s", lang.T("of peak")}
	rows := [][]string{}
	for _, e := range r.Engines {
		row := make([]string, len(head))
		row[0] = e.Name
		row[1] = e.Version
		// Where the engine is a binding, its version and that of its library differ.
		if library := e.Versions[e.spec.Component]; library != "" && library != e.Version {
			row[1] = strings.TrimPrefix(e.Version+" / "+e.spec.Library+" "+library, " / ")
		}
		row[2] = e.Backend + "/" + e.Target
		switch {
		case e.Name == ReferenceName:
		case len(e.RelL2) > 0:
			worst := 0.0
			for _, v := range e.RelL2 {
				worst = math.Max(worst, float64(v))
			}
			row[3] = fmt.Sprintf("%.1e", worst)
			if math.IsNaN(worst) || math.IsInf(worst, 0) {
				row[3] = lang.T("not comparable")
			}
		}
		for i, v := range []float64{e.LoadSeconds, e.FirstSeconds, e.MedianSeconds, e.P95Seconds} {
			if v > 0 {
				row[4+i] = Duration(v)
			}
		}
		if e.Runs < 2 {
			row[7] = ""
		}
		if e.GFLOPS > 0 {
			row[8] = fmt.Sprintf("%.0f", e.GFLOPS)
		}
		if e.PeakShare > 0 {
			row[9] = fmt.Sprintf("%.0f %%", 100*e.PeakShare)
		}
		for i := range row {
			row[i] = clean(row[i])
		}
		rows = append(rows, row)
	}
	widths := make([]int, len(head))
	for c := range head {
		for _, row := range rows {
			if row[c] != "" {
				widths[c] = max(widths[c], runewidth.StringWidth(row[c]), runewidth.StringWidth(head[c]))
			}
		}
	}
	write := func(mark string, row []string, style string) {
		var line strings.Builder
		for c, width := range widths {
			if width == 0 {
				continue
			}
			if c < 3 {
				line.WriteString(runewidth.FillRight(row[c], width) + "  ")
			} else {
				line.WriteString(runewidth.FillLeft(row[c], width) + "  ")
			}
		}
		text := strings.TrimRight(line.String(), " ")
		if style != "" {
			text = p.paint(style, text)
		}
		p.linef("%s %s", mark, text)
	}
	if len(rows) == 0 {
		p.linef(lang.T("no engine to run"))
		return
	}
	write(" ", head, "2")
	for i, row := range rows {
		l := marks[r.Engines[i].State]
		write(p.paint(l.color, l.mark), row, "")
	}
	if worst := worstOf(r); worst > 0 {
		p.linef("%s", p.paint("2", lang.F("  differs by: relative L2 of the worst %s, limit %.1e", r.against(), worst)))
	}
}

// against says what is compared with what.
func (r *Result) against() string {
	if r.Weights.Kind == Own {
		return lang.T("output against the engine that the majority agrees with")
	}
	return lang.T("raw head against the reference")
}

// worstOf is the limit to print: the widest of all heads.
func worstOf(r *Result) float64 {
	limit := 0.0
	for _, e := range r.Engines {
		for _, l := range e.Limits {
			limit = math.Max(limit, l.RelL2)
		}
	}
	return limit
}

// Duration is a time for people: 612 ms, 3.41 s.
func Duration(s float64) string {
	switch {
	case s < 0.0995:
		return lang.F("%.1f ms", s*1e3)
	case s < 0.9995:
		return lang.F("%.0f ms", s*1e3)
	case s < 99.5:
		return fmt.Sprintf("%.2f s", s)
	}
	return fmt.Sprintf("%.0f s", s)
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// clean drops what could steer a terminal: names and paths are the user's, logs
// are a foreign library's.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}
