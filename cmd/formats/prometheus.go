package formats

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/verify"
)

// metric is a family of the text exposition format 0.0.4: base units, all gauges.
type metric struct {
	name, help string
	samples    []sample
}

type sample struct {
	labels [][2]string
	value  float64
}

// writePrometheus writes what node_exporter's textfile collector reads. Every
// series has the command and the recipe, so that the files of several runs can
// lie in one folder. No sample has a time, which the collector refuses.
func writePrometheus(w io.Writer, d *Document) error {
	own := [][2]string{{"command", d.Command}, {"recipe", d.name()}}
	with := func(more ...[2]string) [][2]string { return append(append([][2]string{}, own...), more...) }
	one := func(name, help string, value float64, more ...[2]string) metric {
		return metric{name, help, []sample{{with(more...), value}}}
	}
	list := []metric{
		one("deployctl_build_info", "The deployctl that ran; the value is always 1.", 1, [2]string{"version", d.Version}),
		one("deployctl_run_timestamp_seconds", "When it ran, in seconds since 1970.", float64(d.Time.Unix())),
		one("deployctl_exit_code", "The exit code: 0 all required checks pass, 3 one fails, 5 one is unknown, 6 pending.", float64(d.Exit)),
	}
	count := metric{name: "deployctl_checks", help: "The number of checks in each state."}
	each := metric{name: "deployctl_check_state", help: "The state of each check; the value is always 1."}
	states := map[judge.State]int{}
	for _, c := range d.checks() {
		states[c.State]++
		each.samples = append(each.samples, sample{with([2]string{"id", c.ID}, [2]string{"state", string(c.State)}), 1})
	}
	for _, s := range []judge.State{judge.OK, judge.Info, judge.Warn, judge.Fail, judge.Unknown, judge.Skipped, judge.Pending} {
		count.samples = append(count.samples, sample{with([2]string{"state", string(s)}), float64(states[s])})
	}
	list = append(list, count, each)
	if d.Proof != nil {
		list = append(list, engineMetrics(d.Proof, with)...)
	}
	var b strings.Builder
	for _, m := range list {
		m.write(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func engineMetrics(r *verify.Result, with func(...[2]string) [][2]string) []metric {
	list := []metric{
		{name: "deployctl_engine_load_seconds", help: "Reading the network and its weights."},
		{name: "deployctl_engine_first_seconds", help: "The first forward pass."},
		{name: "deployctl_engine_median_seconds", help: "One forward pass, the median."},
		{name: "deployctl_engine_p95_seconds", help: "One forward pass, the 95th percentile."},
		{name: "deployctl_engine_memory_bytes", help: "The most memory that the engine's process had."},
	}
	for _, e := range r.Engines {
		for i, v := range []float64{e.LoadSeconds, e.FirstSeconds, e.MedianSeconds, e.P95Seconds, float64(e.MemoryBytes)} {
			if v > 0 { // 0 is not measured
				labels := with([2]string{"engine", e.Name}, [2]string{"version", e.Version}, [2]string{"backend", e.Backend}, [2]string{"target", e.Target})
				list[i].samples = append(list[i].samples, sample{labels, v})
			}
		}
	}
	return list
}

func (m metric) write(b *strings.Builder) {
	if len(m.samples) == 0 {
		return
	}
	fmt.Fprintf(b, "# HELP %s %s\n# TYPE %s gauge\n", m.name, m.help, m.name)
	seen := map[string]bool{}
	for _, s := range m.samples {
		var labels []string
		for _, l := range s.labels {
			labels = append(labels, l[0]+`="`+escapeLabel(l[1])+`"`)
		}
		series := m.name + "{" + strings.Join(labels, ",") + "}"
		if seen[series] { // the collector refuses the whole file
			continue
		}
		seen[series] = true
		fmt.Fprintf(b, "%s %s\n", series, strconv.FormatFloat(s.value, 'f', -1, 64))
	}
}

func escapeLabel(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(clean(s))
}
