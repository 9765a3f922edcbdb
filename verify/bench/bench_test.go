package bench

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deployctl/deployctl/verify"
	"github.com/deployctl/deployctl/verify/engine"
)

// named is an engine that is never prepared: the plan's Run stands in for verify.
type named string

func (n named) Spec() engine.Spec {
	targets := []engine.Target{{Name: "cpu", Backend: string(n)}}
	if n == "gpu" {
		targets = append(targets, engine.Target{Name: "cuda_fp16", Backend: "gpu"})
	}
	return engine.Spec{Name: string(n), Component: "lib", Targets: targets}
}

func (named) Prepare(context.Context, engine.Progress) (engine.Worker, error) {
	return engine.Worker{}, errors.New("not called")
}

// timings are the seconds of one pass that the stand-in reports, by engine.
type timings map[string]float64

func (t timings) run(calls *[]string) func(context.Context, verify.Options) (*verify.Result, error) {
	return func(_ context.Context, o verify.Options) (*verify.Result, error) {
		name := o.Engines[0].Spec().Name
		*calls = append(*calls, name)
		e := verify.Engine{Name: name, Version: "1", Versions: map[string]string{"lib": "2.5"}, State: verify.OK}
		seconds := t[name]
		if seconds == 0 {
			e.State, e.Why = verify.Fail, "its\nnumbers are wrong"
		}
		for i := range o.Runs {
			e.Times = append(e.Times, seconds*(1+float64(i)/100))
		}
		e.MedianSeconds, e.LoadSeconds, e.FirstSeconds, e.MemoryBytes = verify.Quantile(append(e.Times, 0), 0.5), 0.25, 2*seconds, 300e6
		e.RelL2 = []verify.Number{1e-6, 3e-6}
		size := o.Size
		if size == 0 {
			size = 416
		}
		return &verify.Result{Network: verify.Network{Name: "net", Width: size, GFLOP: 10}, Engines: []verify.Engine{e}}, nil
	}
}

// still is a machine that is quiet.
var still = &machine{
	gflops:    func(threads int) float64 { return 100 * float64(threads) },
	bandwidth: func(int) float64 { return 20 },
	work:      func() float64 { return 0.004 },
}

func measureAll(t *testing.T, speed timings) (*Report, []string) {
	t.Helper()
	var calls []string
	r, err := Run(t.Context(), Plan{
		Cases: Cases([]engine.Engine{named("slow"), named("gpu"), named("wrong")},
			[]Network{{Model: "net"}, {Model: "net", Size: 608}}, []string{"cpu", "cuda_fp16"}, nil),
		Rounds: 2, Runs: 4, Processors: 2, Run: speed.run(&calls),
		machine: still,
	})
	if err != nil {
		t.Fatal(err)
	}
	r.Machine, r.Version = "Fast & <sound> CPU, 2 cores", "1.2"
	return r, calls
}

// TestRanking: rounds alternate, an engine that is wrong is measured once and comes
// last, and only targets that an engine has are measured.
func TestRanking(t *testing.T) {
	r, calls := measureAll(t, timings{"slow": 0.5, "gpu": 0.1})
	once := []string{"slow", "gpu", "wrong", "gpu", "slow", "gpu", "wrong", "gpu"}
	if want := append(once, "slow", "gpu", "gpu", "slow", "gpu", "gpu"); !slices.Equal(calls, want) {
		t.Errorf("measured %q, want %q", calls, want)
	}
	var got []string
	for _, row := range r.Rows {
		got = append(got, row.Engine+" "+row.Target+" "+row.On())
	}
	if want := []string{
		"gpu cpu net at 416×416", "gpu cuda_fp16 net at 416×416", "slow cpu net at 416×416", "wrong cpu net at 416×416",
		"gpu cpu net at 608×608", "gpu cuda_fp16 net at 608×608", "slow cpu net at 608×608", "wrong cpu net at 608×608",
	}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	first := r.Rows[0]
	if first.Runs != 8 || math.Abs(first.Median-0.1015) > 1e-9 || first.GFLOPS < 98 || first.RelL2 != 3e-6 || first.Version != "2.5" || len(first.Medians) != 2 || first.Memory != 300e6 {
		t.Errorf("%+v", first)
	}
	if fp16 := r.Rows[1]; fp16.Precision != "fp16" || fp16.Share != 0 {
		t.Errorf("%+v", fp16)
	}
	if wrong := r.Rows[3]; wrong.State != verify.Fail || wrong.Median != 0 || wrong.Runs != 0 {
		t.Errorf("%+v", wrong)
	}
}

// TestForms: each form can be read by a reader of its own, and says what is wrong.
func TestForms(t *testing.T) {
	r, _ := measureAll(t, timings{"slow": 0.5, "gpu": 0.1})
	form := func(write func(io.Writer, *Report) error) string {
		t.Helper()
		var out bytes.Buffer
		if err := write(&out, r); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	text := form(Text)
	for _, want := range []string{"net at 608×608", "gpu is the fastest, 5.0 times as fast as slow.", "wrong, net at 416: its numbers are wrong", "300 MB", "  49 %", "The peak is 200 GFLOP/s", "took the same time between the runs"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
	lines, err := csv.NewReader(strings.NewReader(form(CSV))).ReadAll()
	if err != nil || len(lines) != 1+len(r.Rows) || lines[1][13] != "0.1015" || lines[4][8] != "fail" {
		t.Errorf("%v, %q", err, lines)
	}
	chart := xml.NewDecoder(strings.NewReader(form(Chart)))
	bars := 0
	for {
		token, err := chart.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			bars++
		}
	}
	if bars != 6 {
		t.Errorf("%d bars, want one for each row that ran", bars)
	}
}

// TestCompare: a change is told from noise, and what is no report is refused.
func TestCompare(t *testing.T) {
	before, _ := measureAll(t, timings{"slow": 0.5, "gpu": 0.1})
	after, _ := measureAll(t, timings{"slow": 0.505, "gpu": 0.05})
	raw, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "before.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	old, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	if !old.Time.Equal(before.Time) || time.Since(old.Time) > time.Hour {
		t.Errorf("%v", old.Time)
	}
	out := Changes(Compare(after, old), old)
	for _, want := range []string{"gpu, net at 416: 102 ms → 50.8 ms, 2.00 times as fast", "slow, net at 416: 508 ms → 513 ms, no difference beyond the noise"} {
		if !slices.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, strings.Join(out, "\n"))
		}
	}
	for name, content := range map[string]string{"empty": "", "another document": `{"schema":1}`, "not JSON": "PNG"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(file); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

// TestEnds: what ends verify ends the measurement.
func TestEnds(t *testing.T) {
	stop := errors.New("stopped")
	_, err := Run(t.Context(), Plan{
		Cases: Cases([]engine.Engine{named("slow")}, nil, nil, nil), Processors: 1, machine: still,
		Run: func(context.Context, verify.Options) (*verify.Result, error) { return nil, stop },
	})
	if !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

// TestShareAbovePeak: more than the measured peak is Winograd's saving on a quiet
// machine, and says nothing on a busy one.
func TestShareAbovePeak(t *testing.T) {
	for _, c := range []struct {
		name       string
		times      []float64 // of the known work, in turn
		cell, note string
	}{
		{"quiet", []float64{0.004}, "985 %", "Winograd's algorithm does less work"},
		{"busy", []float64{0.004, 0.008}, "disturbed", "a share of the peak above 100 % is left out"},
	} {
		i, calls := 0, []string{}
		r, err := Run(t.Context(), Plan{
			Cases: Cases([]engine.Engine{named("gpu")}, nil, nil, nil), Rounds: 1, Runs: 4, Processors: 1, Run: timings{"gpu": 0.1}.run(&calls),
			machine: &machine{
				gflops: func(int) float64 { return 10 }, bandwidth: still.bandwidth,
				work: func() float64 { i++; return c.times[i%len(c.times)] },
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := Text(&out, r); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); !strings.Contains(got, c.cell) || !strings.Contains(got, c.note) || r.Rows[0].ShareDisturbed != (c.name == "busy") {
			t.Errorf("%s: %s", c.name, got)
		}
	}
}
