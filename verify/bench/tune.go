package bench

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/judge"
)

// Advice is the setting that is the fastest on this machine.
type Advice struct {
	// Report has the last measurement, of the setting that was tried first and of the
	// recommended one, in rounds that alternate.
	*Report
	// Tried are the rows of all earlier measurements.
	Tried []Row `json:"tried"`
	// Before is what a user has who changes nothing: the first engine as it is.
	Before      Row `json:"before"`
	Recommended Row `json:"recommended"`
	// Gain is how many times as fast it is, Least and Most the same for the round with
	// the smallest and the largest gain.
	Gain  float64 `json:"gain"`
	Least float64 `json:"least"`
	Most  float64 `json:"most"`
	// Code are the lines that use it, by the engine.
	Code []engine.Code `json:"code"`
}

// Tune finds the fastest setting for a network on targets, the usual one first; the
// others are the same in other precisions: first the engines and
// their threads, then the switches of the two best, one after another, then the
// winner against the first engine as it is. Each stage takes p.Rounds rounds. What
// is no faster than the noise is not chosen.
func Tune(ctx context.Context, p Plan, list []engine.Engine, network Network, targets []string) (*Advice, error) {
	p.defaults()
	a := &Advice{}
	engines := map[string]engine.Engine{}
	for _, e := range list {
		engines[e.Spec().Name] = e
	}
	measure := func(cases []Case) ([]Row, error) {
		p.Cases = cases
		r, err := Run(ctx, p)
		if err != nil {
			return nil, err
		}
		if a.Report != nil {
			r.Busy = max(r.Busy, a.Busy) // of all stages
		}
		a.Report = r
		return r.Rows, nil
	}
	cases := Cases(list, []Network{network}, targets, threadCounts(p.Processors))
	rows, err := measure(cases)
	if err != nil {
		return nil, err
	}
	a.Tried = append(a.Tried, rows...)
	best := candidates(rows)
	if len(best) == 0 {
		return nil, lang.Errorf("nothing to recommend: no engine of this machine runs this network correctly. %s", oneLine(rows[0].Why))
	}
	of := func(r Row, settings map[string]string) Case {
		return Case{Engine: engines[r.Engine], Network: network, Target: r.Target, Threads: r.Threads, Settings: settings}
	}
	var variants []Case
	for _, r := range best {
		variants = append(variants, of(r, nil))
		for _, s := range engines[r.Engine].Spec().Settings {
			for _, v := range s.Values[1:] {
				variants = append(variants, of(r, map[string]string{s.Name: v}))
			}
		}
	}
	winner := of(best[0], nil)
	if len(variants) > 1 {
		if rows, err = measure(variants); err != nil {
			return nil, err
		}
		a.Tried = append(a.Tried, rows...)
		winner = of(rows[0], combined(rows, rows[0].Engine))
	}
	before := cases[0]
	before.Threads = 0
	last := []Case{before}
	if winner.Engine.Spec().Name != before.Engine.Spec().Name || len(winner.Settings) > 0 || winner.Threads > 0 || winner.Target != before.Target {
		last = append(last, winner)
	}
	if _, err := measure(last); err != nil {
		return nil, err
	}
	a.conclude(before, winner)
	return a, nil
}

// threadCounts are an engine's own choice and the powers of two up to the processors.
func threadCounts(processors int) []int {
	list := []int{0}
	for n := 1; n < processors; n *= 2 {
		list = append(list, n)
	}
	return append(list, max(processors, 1))
}

// within reports whether a row is right and within the bar of its precision: a relative
// L2 of 1e-3 in single, of 2e-2 in shorter ones.
func (r Row) within() bool {
	return r.State == verify.OK && r.RelL2 <= judge.For(judge.PrecisionOf(r.Target)).RelL2
}

// candidates are the best settings of the two best engines.
func candidates(rows []Row) []Row {
	var best []Row
	for _, r := range rows {
		if r.within() && len(best) < 2 && !slices.ContainsFunc(best, func(b Row) bool { return b.Engine == r.Engine }) {
			best = append(best, r)
		}
	}
	return best
}

// combined are the switches of an engine that were each faster than its default by
// more than the noise.
func combined(rows []Row, name string) map[string]string {
	plain := slices.IndexFunc(rows, func(r Row) bool { return r.Engine == name && len(r.Settings) == 0 && r.State == verify.OK })
	settings := map[string]string{}
	for _, r := range slices.Backward(rows) { // the fastest value of a switch comes last and stays
		if plain >= 0 && r.Engine == name && r.State == verify.OK && r.Median*noise(r)*noise(rows[plain]) < rows[plain].Median {
			maps.Copy(settings, r.Settings)
		}
	}
	if len(settings) == 0 {
		return nil
	}
	return settings
}

// conclude fills in the comparison from the last report. A winner that the last
// measurement does not confirm is not recommended.
func (a *Advice) conclude(before, winner Case) {
	find := func(c Case) Row {
		for _, r := range a.Rows {
			if r.Engine == c.Engine.Spec().Name && r.Threads == c.Threads && r.Target == c.Target && maps.Equal(r.Settings, c.Settings) {
				return r
			}
		}
		return Row{}
	}
	a.Before, a.Recommended = find(before), find(winner)
	if a.Recommended.State != verify.OK || a.Before.State == verify.OK && a.Recommended.Median >= a.Before.Median {
		a.Recommended, winner = a.Before, before
	}
	if a.Before.State == verify.OK {
		a.Gain = a.Before.Median / a.Recommended.Median
		a.Least, a.Most = math.Inf(1), 0
		for i := range min(len(a.Before.Medians), len(a.Recommended.Medians)) {
			gain := a.Before.Medians[i] / a.Recommended.Medians[i]
			a.Least, a.Most = min(a.Least, gain), max(a.Most, gain)
		}
	}
	spec := winner.Engine.Spec()
	if spec.Code != nil {
		target, _ := spec.Target("", winner.Target)
		a.Code = spec.Code(engine.Choice{Target: target, Threads: winner.Threads, Settings: winner.Settings})
	}
}

// Explain writes the advice for people.
func Explain(w io.Writer, a *Advice) error {
	var text strings.Builder
	table(&text, a.Tried)
	r := a.Recommended
	text.WriteString(lang.F("\nRecommended: %s\n  %s a pass, %.0f GFLOP/s\n", r.Name(), duration(r.Median), r.GFLOPS))
	switch {
	case a.Before.State != verify.OK:
		text.WriteString(lang.F("  %s does not run here: %s\n", a.Before.Name(), oneLine(a.Before.Why)))
	case a.Gain > 1:
		text.WriteString(lang.F("  %.2f times as fast as %s (%s)", a.Gain, a.Before.Name(), duration(a.Before.Median)))
		if n := len(r.Medians); n > 1 {
			text.WriteString(lang.F(", between %.2f and %.2f in %d rounds", a.Least, a.Most, n))
		}
		text.WriteString("\n")
	default:
		text.WriteString(lang.T("  nothing tried was faster than this engine as it is\n"))
	}
	for _, c := range a.Code {
		fmt.Fprintf(&text, "\n%s:\n  %s\n", c.Language, strings.Join(c.Lines, "\n  "))
	}
	text.WriteString("\n")
	a.busy(&text)
	_, err := io.WriteString(w, text.String())
	return err
}

// Snippets writes the recommended setting and the lines that use it as Markdown.
func Snippets(w io.Writer, a *Advice) error {
	var text strings.Builder
	r := a.Recommended
	fmt.Fprintf(&text, "# %s\n\n%s", r.On(), lang.F("%s %s on %s: %s a pass", r.Name(), r.Version, a.Machine, duration(r.Median)))
	if a.Gain > 1 {
		text.WriteString(lang.F(", %.2f times as fast as %s (%.2f to %.2f)", a.Gain, a.Before.Name(), a.Least, a.Most))
	}
	text.WriteString(lang.F(".\nMeasured by deployctl %s tune on %s.\n", a.Version, a.Time.Format("2006-01-02")))
	for _, c := range a.Code {
		fmt.Fprintf(&text, "\n```%s\n%s\n```\n", strings.ToLower(strings.ReplaceAll(c.Language, "C++", "cpp")), strings.Join(c.Lines, "\n"))
	}
	_, err := io.WriteString(w, text.String())
	return err
}
