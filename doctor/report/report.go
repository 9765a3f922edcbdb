// Package report renders the one result value for people and machines. It must
// never judge: what it shows was decided in doctor/judge.
package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/judge"
)

// Report is the one value that every format renders.
type Report struct {
	Schema       int    `json:"schema"`
	Recipe       string `json:"recipe"`
	RecipeTitle  string `json:"recipe_title"`
	RecipeSource string `json:"recipe_source"`
	// RecipeOverrides is what a user's recipe took the place of.
	RecipeOverrides string            `json:"recipe_overrides,omitempty"`
	Host            HostSummary       `json:"host"`
	Findings        []judge.Finding   `json:"findings"`
	Chosen          map[string]string `json:"chosen,omitempty"`
	// Plan and Proof come from the later stages (installers, verify), which
	// this package does not know; nil when they did not run.
	Plan any `json:"plan"`
	// Manual lists what the plan leaves to a person.
	Manual  any                 `json:"manual,omitempty"`
	Summary map[judge.State]int `json:"summary"`
	Exit    int                 `json:"exit"`
	Proof   any                 `json:"proof,omitempty"`
	Timings []facts.Timing      `json:"timings,omitempty"`
	// Next is what must be done before this can be judged to its end.
	Next string `json:"next,omitempty"`
	// Error says why the run stopped early.
	Error string `json:"error,omitempty"`
}

// HostSummary is the line that says which machine was judged.
type HostSummary struct {
	OS       string  `json:"os"`
	Arch     string  `json:"arch"`
	CPU      string  `json:"cpu"`
	Level    string  `json:"level,omitempty"`
	Cores    float64 `json:"cores,omitempty"`
	Memory   uint64  `json:"memory"` // bytes a program may have
	Recorded bool    `json:"recorded,omitempty"`
}

// States in the order in which people want to read them.
var stateOrder = []judge.State{judge.Fail, judge.Unknown, judge.Pending, judge.Warn, judge.Info, judge.Skipped, judge.OK}

// New makes the report of a judgement.
func New(j *judge.Judgement, strict bool) *Report {
	f := j.Facts
	r := &Report{
		Schema: 1, Recipe: j.Recipe.Name, RecipeTitle: j.Recipe.Title, RecipeSource: j.Recipe.Source,
		RecipeOverrides: j.Recipe.Overrides,
		Host: HostSummary{
			OS: osName(f.OS), Arch: f.OS.Arch, CPU: f.CPU.Model, Level: f.CPU.Level,
			Cores: f.CPU.Cores, Memory: f.Memory.Usable(),
		},
		Findings: j.Findings, Chosen: j.Chosen, Plan: []any{}, Summary: map[judge.State]int{}, Exit: j.Exit(strict),
	}
	// Every state is there, so that a script need not ask whether one is.
	for _, state := range stateOrder {
		r.Summary[state] = 0
	}
	maps.Copy(r.Summary, j.Summary())
	if j.Restart {
		r.Next = judge.AfterRestart
	}
	return r
}

func osName(o facts.OS) string {
	switch {
	case o.Name != "":
		return o.Name
	case o.ID != "":
		return strings.TrimSpace(o.ID + " " + o.Version)
	case o.Family != "":
		return o.Family
	}
	return "unknown system"
}

// Style is how text is drawn for one output.
type Style struct {
	Color bool
	// Width in columns; 0 means do not wrap.
	Width int
	// All shows findings that are ok or skipped with their details, too.
	All bool
}

var stateColor = map[judge.State]string{
	judge.OK: "32", judge.Info: "36", judge.Warn: "33", judge.Fail: "31", judge.Unknown: "35", judge.Skipped: "2", judge.Pending: "36",
}

// Paint wraps text in an SGR colour when the style has colour.
func (s Style) Paint(code, text string) string {
	if !s.Color || code == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

const (
	titleMax = 40
	// A longer place (a table's row with its source) is told with --all only.
	whereMax = 60
)

// WriteText writes the report as a table for people: one line a requirement,
// and below those that need attention why, where and what to do.
func (r *Report) WriteText(w io.Writer, s Style) error {
	b := &strings.Builder{}
	fmt.Fprintf(b, "%s  %s\n", s.Paint("1", r.Recipe), r.RecipeTitle)
	if r.RecipeOverrides != "" {
		fmt.Fprintf(b, "%s\n", s.Paint("33", fmt.Sprintf("recipe from %s, in place of the %s one", r.RecipeSource, r.RecipeOverrides)))
	} else if r.RecipeSource != "" && r.RecipeSource != "embedded" {
		fmt.Fprintf(b, "%s\n", s.Paint("2", "recipe from "+r.RecipeSource))
	}
	fmt.Fprintf(b, "%s\n\n", s.Paint("2", r.Host.line()))

	titleWidth, stateWidth := 0, len("skipped")
	for _, f := range r.Findings {
		titleWidth = max(titleWidth, min(runewidth.StringWidth(f.Title), titleMax))
	}
	for _, f := range r.Findings {
		state := s.Paint(stateColor[f.State], pad(string(f.State), stateWidth))
		line := fmt.Sprintf("  %s  %s  ", state, pad(f.Title, titleWidth))
		used := 2 + stateWidth + 2 + max(titleWidth, runewidth.StringWidth(f.Title)) + 2
		found := f.Found
		if f.Where != "" && !strings.Contains(found, f.Where) && (s.All || runewidth.StringWidth(f.Where) <= whereMax) {
			found += s.Paint("2", "  "+f.Where)
		}
		b.WriteString(line + strings.ReplaceAll(s.wrap(found, used), "\n", "\n"+strings.Repeat(" ", used)) + "\n")
		if s.All || f.State == judge.Fail || f.State == judge.Warn || f.State == judge.Unknown || f.State == judge.Pending {
			r.detail(b, s, f, 2+stateWidth+2)
		}
	}
	fmt.Fprintf(b, "\n%s\n", r.summaryLine(s))
	if len(r.Timings) > 0 {
		b.WriteString("\n")
		for _, t := range r.Timings {
			fmt.Fprintf(b, "  %8.1f ms  %s\n", float64(t.Took)/float64(time.Millisecond), t.Probe)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) detail(b *strings.Builder, s Style, f judge.Finding, indent int) {
	margin := strings.Repeat(" ", indent)
	for _, row := range [][2]string{{"wanted", f.Wanted}, {"why", f.Why}, {"fix", f.Fix}, {"more", f.Doc}} {
		if row[1] == "" || row[0] == "more" && !s.All {
			continue
		}
		label := pad(row[0], 6)
		text := s.wrap(row[1], indent+8)
		text = strings.ReplaceAll(text, "\n", "\n"+margin+"        ")
		if row[0] == "fix" {
			text = s.Paint("1", text)
		}
		fmt.Fprintf(b, "%s%s  %s\n", margin, s.Paint("2", label), text)
	}
}

func (h HostSummary) line() string {
	parts := []string{h.OS}
	for _, p := range []string{h.Arch, h.CPU, h.Level} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	if h.Cores > 0 {
		noun := "cores"
		if h.Cores == 1 {
			noun = "core"
		}
		parts = append(parts, fmt.Sprintf("%g %s", h.Cores, noun))
	}
	if h.Memory > 0 {
		parts = append(parts, fmt.Sprintf("%.1f GiB", float64(h.Memory)/(1<<30)))
	}
	if h.Recorded {
		parts = append(parts, "from a snapshot")
	}
	return strings.Join(parts, " · ")
}

func (r *Report) summaryLine(s Style) string {
	var parts []string
	for _, state := range stateOrder {
		if n := r.Summary[state]; n > 0 {
			parts = append(parts, s.Paint(stateColor[state], fmt.Sprintf("%d %s", n, state)))
		}
	}
	return strings.Join(parts, ", ")
}

// Attention reports whether any finding is in one of the states.
func (r *Report) Attention(states ...judge.State) bool {
	for _, f := range r.Findings {
		if slices.Contains(states, f.State) {
			return true
		}
	}
	return false
}

func pad(text string, width int) string { return runewidth.FillRight(text, width) }

// wrap breaks text at spaces so that lines that start at column used fit.
func (s Style) wrap(text string, used int) string {
	room := s.Width - used
	if s.Width == 0 || room < 20 {
		return text
	}
	var out strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		width := runewidth.StringWidth(stripSGR(word))
		switch {
		case i == 0:
		case column+1+width > room:
			out.WriteByte('\n')
			column = 0
		default:
			out.WriteByte(' ')
			column++
		}
		out.WriteString(word)
		column += width
	}
	return out.String()
}

func stripSGR(s string) string {
	for {
		i := strings.Index(s, "\x1b[")
		if i < 0 {
			return s
		}
		j := strings.IndexByte(s[i:], 'm')
		if j < 0 {
			return s[:i]
		}
		s = s[:i] + s[i+j+1:]
	}
}
