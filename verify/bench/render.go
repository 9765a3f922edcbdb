package bench

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify"
)

// quiet is the spread of a known piece of work below which a machine was quiet: each
// is the best of three tries, which differ by less than 5 % on an idle machine.
const quiet = 1.15

// Text writes a table for people, one for each network.
func Text(w io.Writer, r *Report) error {
	var text strings.Builder
	for from := 0; from < len(r.Rows); {
		to := from
		for to < len(r.Rows) && r.Rows[to].On() == r.Rows[from].On() {
			to++
		}
		if from > 0 {
			text.WriteString("\n")
		}
		table(&text, r.Rows[from:to])
		from = to
	}
	r.notes(&text)
	_, err := io.WriteString(w, text.String())
	return err
}

// Columns are the headings of Row.Cells; from the fourth on they are figures.
func Columns() []string {
	return []string{
		lang.T("engine"), lang.T("version"), lang.T("runs on"), lang.T("median"), "p95", lang.T("first"), lang.T("load"), "GFLOP/s", lang.T("of peak"), lang.T("memory"),
		lang.T("relative L2"),
	}
}

// Cells are the figures of a row that ran, as Columns has them.
func (r Row) Cells() []string {
	on := r.Target
	if r.Threads > 0 {
		on += lang.T(", ") + lang.Count(r.Threads, "thread")
	}
	share, memory := "", ""
	switch {
	case r.ShareDisturbed:
		share = lang.T("disturbed")
	case r.Share > 0:
		share = fmt.Sprintf("%.0f %%", 100*r.Share)
	}
	if r.Memory > 0 {
		memory = fmt.Sprintf("%d MB", r.Memory/1e6)
	}
	return []string{
		r.Engine + settings(r.Settings), r.Version, on, duration(r.Median), duration(r.P95), duration(r.First), duration(r.Load),
		fmt.Sprintf("%.0f", r.GFLOPS), share, memory, fmt.Sprintf("%.1e", r.RelL2),
	}
}

// table writes the rows of one network.
func table(text *strings.Builder, rows []Row) {
	fmt.Fprintf(text, "%s\n\n", rows[0].On())
	lines := [][]string{Columns()}
	for _, r := range rows {
		if r.State == verify.OK {
			lines = append(lines, r.Cells())
		}
	}
	if len(lines) > 1 {
		widths := make([]int, len(lines[0]))
		for _, l := range lines {
			for i, cell := range l {
				widths[i] = max(widths[i], runewidth.StringWidth(cell))
			}
		}
		for _, l := range lines {
			var line strings.Builder
			for i, cell := range l {
				if i >= 3 { // figures
					line.WriteString("  " + runewidth.FillLeft(cell, widths[i]))
				} else {
					line.WriteString("  " + runewidth.FillRight(cell, widths[i]))
				}
			}
			text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		}
	}
	said := map[string]bool{}
	for _, r := range rows {
		if r.State == verify.OK {
			continue
		}
		of := r
		of.Threads = 0
		if key := of.title() + r.Why; !said[key] { // not once more for other threads
			fmt.Fprintf(text, "  %s%s%s\n", r.title(), lang.T(": "), oneLine(r.Why))
			said[key] = true
		}
	}
}

// Notes say what was measured, and how much it is worth, in lines.
func (r *Report) Notes() []string {
	var text strings.Builder
	r.notes(&text)
	return strings.Split(strings.TrimSpace(text.String()), "\n")
}

// notes say what was measured, and how much it is worth.
func (r *Report) notes(text *strings.Builder) {
	text.WriteString("\n")
	if len(r.Rows) > 1 && r.Rows[0].State == verify.OK {
		if slowest := r.slowest(); slowest.Median > r.Rows[0].Median {
			text.WriteString(lang.F("%s is the fastest, %.1f times as fast as %s.\n", r.Rows[0].Name(), slowest.Median/r.Rows[0].Median, slowest.Name()))
		}
	}
	if r.PeakGFLOPS > 0 {
		text.WriteString(lang.F("The peak is %.0f GFLOP/s, measured here with %d threads; memory is copied at %.0f GB/s.\n", r.PeakGFLOPS, r.Processors, r.MemoryGBs))
	}
	if slices.ContainsFunc(r.Rows, func(row Row) bool { return row.Share > 1 && !row.ShareDisturbed }) {
		text.WriteString(lang.F("More than 100 %% of the peak is possible: Winograd's algorithm does less work than is counted.\n"))
	}
	r.busy(text)
}

// busy says what else was using the machine.
func (r *Report) busy(text *strings.Builder) {
	switch {
	case r.Busy == 0:
		text.WriteString(lang.T("Whether something else was using this machine is unknown.\n"))
	case r.Busy > quiet && slices.ContainsFunc(r.Rows, func(row Row) bool { return row.ShareDisturbed }):
		text.WriteString(lang.F("Something else was using this machine, or it slowed down: the same known work took up to %.1f times as long between the runs. The times are upper bounds, and a share of the peak above 100 %% is left out.\n", r.Busy))
	case r.Busy > quiet:
		text.WriteString(lang.F("Something else was using this machine, or it slowed down: the same known work took up to %.1f times as long between the runs. The times are upper bounds.\n", r.Busy))
	default:
		text.WriteString(lang.F("The same known work took the same time between the runs, within %.0f %%.\n", 100*(r.Busy-1)+0.5))
	}
}

// slowest is the slowest row of the first network.
func (r *Report) slowest() Row {
	last := r.Rows[0]
	for _, row := range r.Rows {
		if row.On() == last.On() && row.State == verify.OK {
			last = row
		}
	}
	return last
}

// Name is a row's setting without its network.
func (r Row) Name() string {
	r.Network, r.Size = "", 0
	return r.title() + settings(r.Settings)
}

func settings(s map[string]string) string {
	if len(s) == 0 {
		return ""
	}
	var parts []string
	for _, name := range sorted(s) {
		parts = append(parts, name+"="+s[name])
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// CSV writes one line for each row. Times are in seconds, memory in bytes.
func CSV(w io.Writer, r *Report) error {
	c := csv.NewWriter(w)
	lines := [][]string{{"network", "size", "engine", "version", "target", "precision", "threads", "settings", "state", "rel_l2", "load_s", "first_s", "min_s", "median_s", "p95_s", "runs", "gflops", "share", "memory_bytes", "busy"}}
	number := func(v float64) string {
		if v == 0 {
			return ""
		}
		return strconv.FormatFloat(v, 'g', 6, 64)
	}
	for _, r := range r.Rows {
		lines = append(lines, []string{
			r.Network, strconv.Itoa(r.Size), r.Engine, r.Version, r.Target, r.Precision, strconv.Itoa(r.Threads), strings.TrimSpace(settings(r.Settings)), string(r.State),
			number(r.RelL2), number(r.Load), number(r.First), number(r.Min), number(r.Median), number(r.P95), strconv.Itoa(r.Runs),
			number(r.GFLOPS), number(r.Share), number(float64(r.Memory)), number(r.Busy),
		})
	}
	return c.WriteAll(lines)
}

// duration is a time for people, with three digits.
func duration(seconds float64) string {
	if seconds < 1 {
		return fmt.Sprintf("%.3g ms", seconds*1e3)
	}
	return fmt.Sprintf("%.3g s", seconds)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
