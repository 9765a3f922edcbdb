package formats

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify"
)

// page is what the HTML file shows (page.go).
type page struct {
	Command, Name, Title, Version string
	State                         judge.State // of the whole
	Verdict                       string      // in a word or two
	Closing                       []piece
	Host                          string
	Tiles                         []tile
	Problems                      []check
	Leading, Following            []section
	Solution                      bool // Plan is solve's, with reasons
	Plan                          []planned
	PlanNote                      []piece // what the plan costs, and how to run it
	Manual                        []manual
	Proof                         *proofPage
	Groups                        []group
	Machine                       []row
	Copies                        []installed
	Facts                         string // JSON
	Time, ISO                     string
	Exit                          int
}

type (
	// piece is a part of a sentence; Code is a command.
	piece struct {
		Text string
		Code bool
	}
	tile struct {
		State judge.State
		Count int
	}
	planned struct {
		Title, Cost, Command, Undo string
		// Of solve's plans.
		How, Who string
		Why      []string
	}
	manual struct{ Title, Do, Reason string }
	group  struct {
		Name, Summary string
		Checks        []check
	}
	row       struct{ Name, Text string }
	installed struct{ Name, Version, Path, Via string }
	proofPage struct {
		Network string
		Engines []engineRow
		Bars    []bar
		Picture string // a data URL
		Alt     string
	}
	engineRow struct {
		State                                                     verify.State
		Name, Version, On, Load, First, Median, P95, GFLOPS, Peak string
	}
	// bar is a row of the chart; Width and Tail are percent.
	bar struct {
		Name, Median string
		Width, Tail  float64
	}
)

// safeAddress is one that an attribute may lead to or load: a page on the web or a picture
// within the page. Of any other, a script for example, nothing is left.
func safeAddress(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && !(u.Scheme == "data" && strings.HasPrefix(u.Opaque, "image/")) {
		return "#"
	}
	return u.String()
}

// text is a fixed text or a state in the language that is set.
func text(s any) string { return lang.T(fmt.Sprint(s)) }

// language is the language of the page's texts, as HTML names it (BCP 47).
func language() string {
	if lang.Current() == lang.Chinese {
		return "zh-Hans"
	}
	return string(lang.Current())
}

// sentence tells a sentence from a command.
func sentence(s string) bool {
	return strings.HasSuffix(s, ".") || strings.Contains(s, ". ") || strings.ContainsAny(s, "。，；：")
}

// weight is the color of a difference's weight, "" for another text.
func weight(s string) judge.State {
	return map[string]judge.State{report.Breaks.String(): judge.Fail, report.Matters.String(): judge.Warn, report.Detail.String(): judge.Skipped}[s]
}

// weights says which weights a network had.
func weights(kind string) string {
	switch kind {
	case verify.SelfTest:
		return lang.T("self-test weights")
	case verify.Official:
		return lang.T("the official weights")
	}
	return lang.T("your own weights")
}

// aside is what a step takes, and who does it.
func (p planned) aside() string {
	return strings.Join(slices.DeleteFunc([]string{p.Cost, p.Who}, func(s string) bool { return s == "" }), " · ")
}

func newPage(d *Document) page {
	p := page{
		Command: d.Command, Name: line(d.name()), Title: line(d.title()), Host: d.host(), Version: line(d.Version), Exit: d.Exit,
		Time: d.Time.UTC().Format("2006-01-02 15:04 UTC"), ISO: d.Time.UTC().Format(time.RFC3339), Closing: pieces(line(d.closing())),
	}
	p.State, p.Verdict = d.verdict()
	p.Leading, p.Following = d.leading(), d.following()
	if d.Comparison == nil { // which has its table
		list := d.checks()
		var rest []check
		p.Problems, rest = split(list)
		p.Groups, p.Tiles = groups(rest), tiles(list)
	}
	if d.Solution != nil {
		p.Solution, p.Plan = true, solutionSteps(d.Solution)
	}
	var sum step.Cost
	for _, s := range d.Plan {
		sum = sum.Plus(s.Cost)
		p.Plan = append(p.Plan, planned{Title: line(s.Title), Cost: costOf(s), Command: clean(step.Quote(s.Argv)), Undo: clean(s.Undo)})
	}
	cost := costOf(step.Step{Cost: sum})
	if d.Doctor != nil && d.Doctor.Fix != nil { // as the closing sentence has it
		cost = d.Doctor.Fix.Cost()
	}
	p.PlanNote = pieces(lang.F("%s, %s. With `deployctl doctor --fix`, deployctl asks before it changes anything, and can undo each step.", recipes.Count(len(d.Plan), "step"), cost))
	for _, m := range d.Manual {
		p.Manual = append(p.Manual, manual{line(m.Title), clean(m.Do), clean(m.Reason)})
	}
	if d.Proof != nil {
		p.Proof = newProof(d.Proof, d.Picture)
	}
	if d.Facts != nil {
		p.Machine, p.Copies, p.Facts = machine(d.Facts), copies(d.Facts), factsJSON(d.Facts)
	}
	return p
}

// verdict is the whole as a state and in a word or two.
func (d *Document) verdict() (judge.State, string) {
	switch {
	case d.Bench != nil:
		return judge.OK, lang.T("measured")
	case d.Comparison != nil:
		switch d.Exit {
		case judge.ExitOK:
			return judge.OK, lang.T("alike")
		case judge.ExitStrict:
			return judge.Warn, lang.T("differ")
		}
		return judge.Fail, lang.T("breaks")
	case d.Solution != nil:
		switch {
		case !d.Solution.Feasible:
			return judge.Fail, lang.T("no plan")
		case len(d.Solution.Open) > 0:
			return judge.Unknown, lang.T("incomplete")
		case len(d.Solution.Changes) == 0:
			return judge.OK, lang.T("nothing to do")
		}
		return judge.Info, lang.T("plan")
	}
	return verdictOf(d.Exit)
}

// verdictOf is an exit code as a state and in words.
func verdictOf(exit int) (judge.State, string) {
	switch exit {
	case judge.ExitOK:
		return judge.OK, lang.T("passes")
	case judge.ExitStrict:
		return judge.Warn, lang.T("warnings")
	case judge.ExitUnknown:
		return judge.Unknown, lang.T("unknown")
	case judge.ExitPending:
		return judge.Pending, lang.T("pending")
	case judge.ExitFail:
		return judge.Fail, lang.T("fails")
	}
	return judge.Fail, lang.T("stopped")
}

// pieces splits a sentence whose commands are between backticks.
func pieces(s string) []piece {
	parts := strings.Split(s, "`")
	if len(parts)%2 == 0 {
		return []piece{{s, false}}
	}
	var out []piece
	for i, p := range parts {
		if p != "" {
			out = append(out, piece{p, i%2 == 1})
		}
	}
	return out
}

func tiles(list []check) []tile {
	count := map[judge.State]int{}
	for _, c := range list {
		count[c.State]++
	}
	var out []tile
	for _, s := range []judge.State{judge.Fail, judge.Unknown, judge.Pending, judge.Warn, judge.OK, judge.Info, judge.Skipped} {
		if count[s] > 0 {
			out = append(out, tile{s, count[s]})
		}
	}
	return out
}

func groups(list []check) []group {
	var out []group
	for _, c := range list {
		i := slices.IndexFunc(out, func(g group) bool { return g.Name == lang.T(c.Group) })
		if i < 0 {
			i = len(out)
			out = append(out, group{Name: lang.T(c.Group)})
		}
		out[i].Checks = append(out[i].Checks, c)
	}
	for i, g := range out {
		var parts []string
		for _, t := range tiles(g.Checks) {
			parts = append(parts, lang.F("%d %s", t.Count, text(t.State)))
		}
		out[i].Summary = strings.Join(parts, lang.T(", "))
	}
	return out
}

func newProof(r *verify.Result, picture []byte) *proofPage {
	p := &proofPage{Network: lang.T("The engines were loaded. No network was run.")}
	if r.Level != verify.LevelLoad {
		p.Network = lang.F("%s, %d layers, %.2f GFLOP at %d×%d, %s.", line(r.Network.Name), r.Network.Layers, r.Network.GFLOP, r.Network.Width, r.Network.Height, weights(r.Weights.Kind))
	}
	longest := 0.0
	for _, e := range r.Engines {
		longest = max(longest, e.MedianSeconds, e.P95Seconds)
	}
	var boxes []string
	for _, e := range r.Engines {
		one := engineRow{
			State: e.State, Name: line(e.Name), Version: line(e.Version), On: line(e.Backend + "/" + e.Target),
			Load: figure(e.LoadSeconds), First: figure(e.FirstSeconds), Median: figure(e.MedianSeconds), P95: figure(e.P95Seconds),
		}
		if e.GFLOPS > 0 {
			one.GFLOPS = fmt.Sprintf("%.0f", e.GFLOPS)
		}
		if e.PeakShare > 0 {
			one.Peak = fmt.Sprintf("%.0f %%", 100*e.PeakShare)
		}
		p.Engines = append(p.Engines, one)
		if e.MedianSeconds > 0 && e.State == verify.OK {
			width := 100 * e.MedianSeconds / longest
			p.Bars = append(p.Bars, bar{line(strings.TrimSpace(e.Name + " " + e.Version)), figure(e.MedianSeconds), width, max(width, 100*e.P95Seconds/longest)})
		}
		if len(boxes) == 0 && e.State == verify.OK {
			for _, b := range e.Boxes {
				boxes = append(boxes, fmt.Sprintf("%s (%.0f %%)", line(b.Class), 100*b.Score))
			}
		}
	}
	slices.SortStableFunc(p.Bars, func(a, b bar) int { return cmp.Compare(a.Width, b.Width) })
	p.Alt = lang.T("The picture with the boxes that were found")
	if len(boxes) > 0 {
		p.Alt += lang.T(": ") + step.Some(boxes, 12)
	}
	p.Alt += lang.T(".")
	if kind := http.DetectContentType(picture); len(picture) > 0 && (kind == "image/png" || kind == "image/jpeg") {
		p.Picture = "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(picture)
	}
	return p
}

// machine is the hardware and the system in a few rows.
func machine(f *facts.Facts) []row {
	var out []row
	add := func(name string, parts ...string) {
		parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
		if len(parts) > 0 {
			out = append(out, row{line(name), line(strings.Join(parts, lang.T(", ")))})
		}
	}
	gib := func(n uint64) string {
		if n == 0 {
			return ""
		}
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	libc := strings.TrimSpace(f.OS.Libc.Kind + " " + f.OS.Libc.Version)
	add(lang.T("System"), cmp.Or(f.OS.Name, f.OS.ID, f.OS.Family), f.OS.Build, f.OS.Arch, f.OS.Kernel, libc, f.OS.Container)
	cores := ""
	if f.CPU.Cores > 0 {
		cores = lang.F("%g usable cores", f.CPU.Cores)
	}
	add(lang.T("Processor"), f.CPU.Model, f.CPU.Level, cores)
	add(lang.T("Memory"), gib(f.Memory.Usable()))
	for _, g := range f.GPUs {
		capability := ""
		if g.ComputeCapability != "" {
			capability = lang.F("compute capability %s", g.ComputeCapability)
		}
		add("GPU", strings.TrimSpace(g.Vendor+" "+g.Name), g.DriverVersion, capability, gib(g.Memory))
	}
	for _, d := range f.Disks {
		add(lang.F("Disk for %s", lang.T(d.Purpose)), d.Path, lang.F("%s free", gib(d.Free)))
	}
	return out
}

func copies(f *facts.Facts) []installed {
	var out []installed
	for _, name := range slices.Sorted(maps.Keys(f.Components)) {
		for _, i := range f.Components[name] {
			out = append(out, installed{line(recipes.Display(name)), line(i.Version), line(i.Path), line(strings.Join(i.Via, ", "))})
		}
	}
	return out
}

// factsJSON is all that is known, without what looks like a secret: the file may be
// sent to somebody.
func factsJSON(f *facts.Facts) string {
	var b strings.Builder
	if err := encode(&b, f); err != nil {
		return ""
	}
	return clean(host.RedactText(b.String(), f.OS.Family, host.Identity{}))
}
