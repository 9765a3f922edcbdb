package bench

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify"
)

// The chart's measures in pixels.
const (
	chartWidth = 860
	nameWidth  = 300
	barWidth   = 400
	barHeight  = 18
	rowHeight  = 28
)

// Chart writes the medians as a bar chart in SVG, one group for each network; it has
// no script and loads nothing, and follows the reader's light or dark colors.
func Chart(w io.Writer, r *Report) error {
	var body strings.Builder
	y := 34
	last := ""
	longest := map[string]float64{}
	for _, row := range r.Rows {
		if row.State == verify.OK {
			longest[row.On()] = max(longest[row.On()], row.P95)
		}
	}
	for _, row := range r.Rows {
		if row.State != verify.OK {
			continue
		}
		if row.On() != last {
			last = row.On()
			fmt.Fprintf(&body, "<text class=\"h\" x=\"16\" y=\"%d\">%s</text>\n", y+14, escape(last))
			y += rowHeight
		}
		scale := barWidth / longest[last]
		fmt.Fprintf(&body, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", nameWidth, y+14, escape(row.Name()))
		fmt.Fprintf(&body, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"><title>%s</title></rect>\n",
			nameWidth+10, y, row.Median*scale, barHeight, escape(lang.F("%s %s: median %s, p95 %s", row.Engine, row.Version, duration(row.Median), duration(row.P95))))
		fmt.Fprintf(&body, "<path d=\"M%.1f %dh%.1f\"/>\n", nameWidth+10+row.Median*scale, y+barHeight/2, (row.P95-row.Median)*scale)
		fmt.Fprintf(&body, "<text x=\"%.1f\" y=\"%d\">%s</text>\n", nameWidth+18+row.P95*scale, y+14, duration(row.Median))
		y += rowHeight
	}
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">
<style>
  svg { background: #fff } text { font: 13px system-ui, sans-serif; fill: #1f2328 } .h { font-weight: 600 } .n { fill: #59636e }
  rect { fill: #0969da } path { stroke: #59636e; stroke-width: 2 }
  @media (prefers-color-scheme: dark) { svg { background: #0d1117 } text { fill: #f0f6fc } .n { fill: #9198a1 } rect { fill: #4493f8 } path { stroke: #9198a1 } }
</style>
<text class="n" x="16" y="20">%s</text>
%s<text class="n" x="16" y="%d">%s</text>
</svg>
`, chartWidth, y+34, chartWidth, y+34, escape(lang.T("Time of one forward pass by engine")),
		escape(lang.T("Time of one forward pass: the median, and a line to the 95th percentile. Shorter is better.")), body.String(), y+20,
		escape(strings.Join([]string{r.Machine, r.Time.Format("2006-01-02"), "deployctl " + r.Version}, lang.T(", "))))
	return err
}

func escape(s string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(s)) // a builder takes everything
	return out.String()
}
