// Package bench measures engines against each other on the same work: every engine
// on every target, with several numbers of threads, in rounds that alternate, so that
// what disturbs the machine disturbs all. It owns the order of the runs, the figures,
// their ranking and their forms. What is right is verify's to judge: this package must
// never rank an engine whose results are wrong.
package bench

import (
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/internal/peak"
	"github.com/deployctl/deployctl/verify/judge"
)

// Schema is the version of the JSON form.
const Schema = 1

// Plan is what is measured, and how often.
type Plan struct {
	// Options are those of verify that are the same for all.
	Options verify.Options
	// Cases are measured in this order in every round.
	Cases []Case
	// Rounds are how often each is started and loaded anew, Runs how many timed
	// forward passes it then does.
	Rounds, Runs int
	// Run proves one engine; nil is verify.Run.
	Run func(ctx context.Context, o verify.Options) (*verify.Result, error)
	// Processors are how many this machine has.
	Processors int
	// Note is told what is measured next.
	Note func(text string)
	// machine measures the machine itself; nil is package peak.
	machine *machine
}

// machine are the measurements of package peak.
type machine struct {
	gflops, bandwidth func(threads int) float64
	work              func() float64
}

// Case is one engine with one setting.
type Case struct {
	Engine  engine.Engine
	Network Network
	Target  string
	// Threads is 0 for the engine's own choice.
	Threads  int
	Settings map[string]string
}

// Network is one of verify's, at a size in pixels, 0 for its own.
type Network struct {
	Model string
	Size  int
}

// Cases are all combinations that the engines have, in the order of measuring. No
// network, target or number of threads is the default one.
func Cases(list []engine.Engine, networks []Network, targets []string, threads []int) []Case {
	if len(networks) == 0 {
		networks = []Network{{}}
	}
	if len(targets) == 0 {
		targets = []string{"cpu"}
	}
	if len(threads) == 0 {
		threads = []int{0}
	}
	var cases []Case
	for _, network := range networks {
		for _, target := range targets {
			for _, n := range threads {
				for _, e := range list {
					if _, ok := e.Spec().Target("", target); ok {
						cases = append(cases, Case{Engine: e, Network: network, Target: target, Threads: n})
					}
				}
			}
		}
	}
	return cases
}

// Report is what was measured.
type Report struct {
	Schema int       `json:"schema"`
	Time   time.Time `json:"time"`
	// Machine describes where, in a line.
	Machine    string `json:"machine"`
	Version    string `json:"deployctl"`
	Processors int    `json:"processors"`
	// PeakGFLOPS is the rate of multiply-adds of all processors that was measured
	// here, the best of all rounds, and MemoryGBs the rate at which memory is copied,
	// bytes read and written, in 10⁹ a second.
	PeakGFLOPS float64 `json:"peak_gflops"`
	MemoryGBs  float64 `json:"memory_gb_s"`
	// Busy is how many times longer a known piece of work took at most, between the
	// runs, than at least: 1.05 is a steady machine. 0: not measured.
	Busy float64 `json:"busy"`
	// Rows are the fastest first, for each network in the order asked for; engines
	// that are wrong or cannot run come last.
	Rows []Row `json:"rows"`
}

// Row is one engine with one setting. Times are in seconds, of batch 1.
type Row struct {
	Network string `json:"network"`
	Size    int    `json:"size"`
	Engine  string `json:"engine"`
	Version string `json:"version"`
	Target  string `json:"target"`
	// Precision is that of the target: fp32, fp16 or bf16.
	Precision string `json:"precision"`
	// Ran is what an engine that was asked for fp16 or bf16 on the processor computed
	// in: fp32 where it did not follow. "": not asked for, or not known.
	Ran string `json:"precision_ran,omitempty"`
	// Threads is what was asked for, 0 for the engine's own choice.
	Threads int          `json:"threads"`
	State   verify.State `json:"state"`
	// Why says what is wrong, "" for nothing.
	Why string `json:"why,omitempty"`
	// RelL2 is the largest relative L2 of a head against the reference.
	RelL2  float64 `json:"rel_l2"`
	Load   float64 `json:"load_s"`
	First  float64 `json:"first_s"`
	Min    float64 `json:"min_s"`
	Median float64 `json:"median_s"`
	P95    float64 `json:"p95_s"`
	// Medians are those of the rounds, in order: their spread is the measurement's.
	Medians []float64 `json:"medians_s"`
	Runs    int       `json:"runs"`
	GFLOPS  float64   `json:"gflops"`
	// Share is GFLOPS of the measured peak of as many processors as the engine has
	// threads; 0 where it is not known, as on a GPU. Winograd's algorithm does less
	// work than is counted, so that it can exceed 1.
	Share float64 `json:"share"`
	// ShareDisturbed: Share exceeds 1 and something else was using the machine, so that
	// the peak may have been measured too low. The share then says nothing.
	ShareDisturbed bool `json:"share_disturbed,omitempty"`

	Memory int64 `json:"memory_bytes"`
	// Busy is Report.Busy around this row's runs.
	Busy float64 `json:"busy"`
	// Settings are what was switched, by the engine's own names.
	Settings map[string]string `json:"settings,omitempty"`

	times []float64
	work  []float64 // calibration
}

// defaults fills in what was not said.
func (p *Plan) defaults() {
	if p.Run == nil {
		p.Run = verify.Run
	}
	p.Rounds, p.Runs = max(p.Rounds, 1), max(p.Runs, 1)
	if p.machine == nil {
		p.machine = &machine{peak.GFLOPS, peak.Bandwidth, peak.Work}
	}
	if p.Note == nil {
		p.Note = func(string) {}
	}
}

// Run measures. An error means that nothing could be measured, or that ctx ended; an
// engine that fails is a row.
func Run(ctx context.Context, p Plan) (*Report, error) {
	p.defaults()
	r := &Report{Schema: Schema, Time: time.Now().UTC().Truncate(time.Second), Processors: p.Processors}
	var rows []measured
	for _, c := range p.Cases {
		rows = append(rows, measured{of: c, row: Row{
			Network: c.Network.Model, Size: c.Network.Size, Engine: c.Engine.Spec().Name, Target: c.Target,
			Precision: precision(c.Target), Threads: c.Threads, Settings: c.Settings, Medians: []float64{},
		}})
	}
	peaks := map[int]float64{}
	for round := range p.Rounds {
		peaks[p.Processors] = max(peaks[p.Processors], p.machine.gflops(p.Processors))
		for _, c := range p.Cases {
			if _, ok := peaks[c.Threads]; !ok {
				peaks[c.Threads] = p.machine.gflops(min(c.Threads, p.Processors))
			}
		}
		r.MemoryGBs = max(r.MemoryGBs, p.machine.bandwidth(p.Processors))
		for i := range rows {
			m := &rows[i]
			if m.row.State == verify.Fail || m.row.State == verify.Unknown {
				continue // it fails each time
			}
			if m.unfollowed(rows[:i]) {
				continue
			}
			p.Note(lang.F("round %d of %d: %s", round+1, p.Rounds, m.row.title()))
			if err := m.measure(ctx, p); err != nil {
				return nil, err
			}
		}
	}
	peaks[0] = peaks[p.Processors]
	r.PeakGFLOPS = peaks[p.Processors]
	var work []float64
	for i := range rows {
		row := &rows[i].row
		row.finish(rows[i].gflop, peaks[row.Threads])
		work = append(work, row.work...)
		r.Rows = append(r.Rows, *row)
	}
	r.Busy = spread(work)
	for i := range r.Rows {
		r.Rows[i].ShareDisturbed = r.Rows[i].Share > 1 && r.Busy > quiet
	}
	rank(r.Rows)
	return r, nil
}

// measured is a row with what it is measured with.
type measured struct {
	row   Row
	of    Case
	gflop float64
}

// unfollowed reports whether the engine computed in single precision already where it
// was asked for this row's target: it does so with other threads, too.
func (m *measured) unfollowed(earlier []measured) bool {
	for _, e := range earlier {
		if e.of.Engine.Spec().Name == m.of.Engine.Spec().Name && e.of.Network == m.of.Network && e.of.Target == m.of.Target &&
			e.row.State == verify.Fail && e.row.Ran != "" && e.row.Ran != e.row.Precision {
			row := &m.row
			row.Network, row.Size, row.Version, m.gflop = e.row.Network, e.row.Size, e.row.Version, e.gflop
			row.State, row.Why, row.Ran = e.row.State, e.row.Why, e.row.Ran
			return true
		}
	}
	return false
}

func precision(target string) string { return string(judge.PrecisionOf(target)) }

// measure runs the engine once more and adds what came out.
func (m *measured) measure(ctx context.Context, p Plan) error {
	o := p.Options
	o.Engines = []engine.Engine{m.of.Engine}
	o.Model, o.Size, o.Settings = m.of.Network.Model, m.of.Network.Size, m.of.Settings
	o.Target, o.Threads, o.Runs, o.Level = m.of.Target, m.of.Threads, p.Runs, verify.LevelCheck
	m.row.work = append(m.row.work, p.machine.work())
	result, err := p.Run(ctx, o)
	if err != nil {
		return err
	}
	m.row.work = append(m.row.work, p.machine.work())
	e := result.Engines[0]
	row := &m.row
	row.Network, row.Size, m.gflop = result.Network.Name, result.Network.Width, result.Network.GFLOP
	row.Version, row.State, row.Why, row.Ran = e.Version, e.State, e.Why, string(e.Precision)
	if v := e.Versions[m.of.Engine.Spec().Component]; v != "" {
		row.Version = v
	}
	if e.State != verify.OK {
		return nil
	}
	for _, l2 := range e.RelL2 {
		row.RelL2 = max(row.RelL2, float64(l2))
	}
	if row.Load == 0 || e.LoadSeconds < row.Load {
		row.Load = e.LoadSeconds
	}
	if row.First == 0 || e.FirstSeconds < row.First {
		row.First = e.FirstSeconds
	}
	row.Memory = max(row.Memory, e.MemoryBytes)
	row.times = append(row.times, e.Times...)
	row.Medians = append(row.Medians, e.MedianSeconds)
	return nil
}

// finish computes the figures of the row's times. gflop is the network's work, peak
// the rate of as many processors as the engine has threads.
func (r *Row) finish(gflop, peak float64) {
	r.Busy = spread(r.work)
	if r.State != verify.OK || len(r.times) == 0 {
		return
	}
	r.Runs = len(r.times)
	r.Min, r.Median, r.P95 = verify.Quantile(r.times, 0), verify.Quantile(r.times, 0.5), verify.Quantile(r.times, 0.95)
	if r.Median > 0 {
		r.GFLOPS = gflop / r.Median
	}
	if peak > 0 && r.Target == "cpu" { // the peak is that of single precision
		r.Share = r.GFLOPS / peak
	}
}

// title names a row's setting.
func (r Row) title() string {
	parts := []string{r.Engine}
	if r.Network != "" {
		parts = append(parts, r.Network)
	}
	if last := len(parts) - 1; r.Size > 0 {
		parts[last] = lang.F("%s at %d", parts[last], r.Size)
	}
	if r.Target != "cpu" {
		parts = append(parts, r.Target)
	}
	if r.Threads > 0 {
		parts = append(parts, lang.Count(r.Threads, "thread"))
	}
	return strings.Join(parts, lang.T(", "))
}

// spread is the largest over the smallest; 0 where there are no two.
func spread(work []float64) float64 {
	if len(work) < 2 || slices.Min(work) <= 0 {
		return 0
	}
	return slices.Max(work) / slices.Min(work)
}

// rank sorts the rows of each network, the fastest first; those that are wrong or
// cannot run come last.
func rank(rows []Row) {
	order := map[string]int{}
	for _, r := range rows {
		if key := r.On(); order[key] == 0 {
			order[key] = len(order) + 1
		}
	}
	time := func(r Row) float64 {
		if r.State != verify.OK || r.Median == 0 {
			return math.Inf(1)
		}
		return r.Median
	}
	slices.SortStableFunc(rows, func(a, b Row) int {
		if d := order[a.On()] - order[b.On()]; d != 0 {
			return d
		}
		switch ta, tb := time(a), time(b); {
		case ta < tb:
			return -1
		case ta > tb:
			return 1
		}
		return 0
	})
}

// On names the network: yolov3 at 416×416.
func (r Row) On() string { return lang.F("%s at %d×%d", r.Network, r.Size, r.Size) }
