package bench

import (
	"encoding/json"
	"maps"
	"os"
	"slices"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify"
)

// Read reads a report that was written as JSON.
func Read(file string) (*Report, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, lang.Errorf("read the report to compare with: %w", err)
	}
	var r Report
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, lang.Errorf("%s is not a report of deployctl bench: %w", file, err)
	}
	if r.Schema != Schema || len(r.Rows) == 0 {
		return nil, lang.Errorf("%s is not a report that this deployctl can read: write one with deployctl bench --format json", file)
	}
	return &r, nil
}

// Change is how a row differs from the same one of an older report.
type Change struct {
	Row, Old Row
	// Ratio is the new median over the old one.
	Ratio float64
	// Noise is the largest ratio that the spread of the rounds explains.
	Noise float64
}

// Compare pairs the rows that ran in both.
func Compare(r, old *Report) []Change {
	key := func(r Row) string { return r.On() + " " + r.title() + settings(r.Settings) }
	before := map[string]Row{}
	for _, row := range old.Rows {
		before[key(row)] = row
	}
	var list []Change
	for _, row := range r.Rows {
		was, ok := before[key(row)]
		if !ok || was.State != verify.OK || row.State != verify.OK || was.Median == 0 {
			continue
		}
		list = append(list, Change{Row: row, Old: was, Ratio: row.Median / was.Median, Noise: noise(row) * noise(was)})
	}
	return list
}

// noise is how far the medians of the rounds are apart, and at least 5 %.
func noise(r Row) float64 { return max(1.05, spread(r.Medians)) }

// Changes says what Compare found, in lines; the first one is a heading.
func Changes(list []Change, old *Report) []string {
	lines := []string{lang.F("Compared with %s, %s:", old.Time.Format("2006-01-02 15:04"), old.Machine)}
	for _, c := range list {
		what := lang.T("no difference beyond the noise")
		switch {
		case c.Ratio > c.Noise:
			what = lang.F("%.0f %% slower", 100*(c.Ratio-1))
		case c.Ratio < 1/c.Noise:
			what = lang.F("%.2f times as fast", 1/c.Ratio)
		}
		lines = append(lines, lang.F("%s%s: %s → %s, %s", c.Row.title(), settings(c.Row.Settings), duration(c.Old.Median), duration(c.Row.Median), what))
	}
	if len(list) == 0 {
		lines = append(lines, lang.T("nothing ran in both."))
	}
	return lines
}

func sorted(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
