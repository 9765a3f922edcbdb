package verify

import (
	"math"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/engine"
)

// TestPeak: the share is of the rate that the worker measured beside its runs,
// never of a theoretical one, and what is above any possible rate is a failure.
func TestPeak(t *testing.T) {
	f := newFiles(t)
	run := func(change func(*engine.Answer)) (*Result, Engine) {
		t.Helper()
		o := f.options(t, fake{name: "gocv"})
		o.PeakGFLOPS = 1e9
		o.Process = worker{spoil: change}
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return r, r.Engines[0]
	}
	_, e := run(nil)
	if e.State != OK || e.PeakShare != 0 || e.PeakGFLOPS != 0 {
		t.Errorf("nothing was measured: %+v", e)
	}
	rate := e.GFLOPS
	r, e := run(func(a *engine.Answer) { a.Peak, a.PeakAll = 2*rate, 4*rate })
	if e.State != OK || math.Abs(e.PeakShare-0.5) > 1e-9 || !strings.Contains(strings.Join(r.Notes, "\n"), "measured here along with its runs") {
		t.Errorf("%s, share %v, notes %q", e.State, e.PeakShare, r.Notes)
	}
	// Winograd's algorithm leaves out four of five multiplications, no more. What counts
	// is the fastest run: on a busy machine the others hide a lie.
	rate *= e.MedianSeconds / e.MinSeconds
	if _, e := run(func(a *engine.Answer) { a.Peak, a.PeakAll = rate/5, rate/5 }); e.State != OK {
		t.Errorf("five times the peak is possible: %s", e.Why)
	}
	if _, e := run(func(a *engine.Answer) { a.Peak, a.PeakAll = rate/5.1, rate/5.1 }); e.State != Fail || !strings.Contains(e.Why, "did not do the work") {
		t.Errorf("5.1 times the peak: %s %q", e.State, e.Why)
	}
	// More threads than the engine admits to have are not a lie about the work.
	if _, e := run(func(a *engine.Answer) { a.Peak, a.PeakAll = rate/16, rate }); e.State != OK {
		t.Errorf("engine with more threads than it says: %s", e.Why)
	}
}

// TestCalibration: what disturbed the runs is seen in the same known work done
// between them; an engine whose own times vary is not blamed on the machine.
func TestCalibration(t *testing.T) {
	f := newFiles(t)
	for _, c := range []struct {
		calibration, runs []float64
		say, not          string
	}{
		{[]float64{2e-3, 2.1e-3, 2e-3}, []float64{0.5, 0.5, 0.5, 0.5}, "", "machine"},
		{[]float64{2e-3, 4.2e-3, 2e-3}, []float64{0.5, 0.5, 0.5, 0.5}, "busy with something else: the same known work took up to 2.1 times as long", "engine varies"},
		{[]float64{2e-3, 2.1e-3, 2e-3}, []float64{0.5, 0.5, 0.9, 0.9}, "the engine varies, not the machine", "busy"},
		{nil, []float64{0.5, 0.5, 0.9, 0.9}, "", "busy"},
	} {
		o := f.options(t, fake{name: "gocv"})
		o.Process = worker{spoil: func(a *engine.Answer) { a.Calibration, a.RunSeconds = c.calibration, c.runs }}
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		notes := strings.Join(r.Notes, "\n")
		if !strings.Contains(notes, c.say) || strings.Contains(notes, c.not) {
			t.Errorf("calibration %v, runs %v: %q", c.calibration, c.runs, notes)
		}
	}
}

// TestBound: layers of OpenCL's may run on either processor; half precision has
// a peak of its own, which is not measured.
func TestBound(t *testing.T) {
	a := engine.Answer{Peak: 10, PeakAll: 20, PeakDevice: 300}
	for target, want := range map[string]float64{"cpu": 20, "opencl": 320, "opencl_fp16": 0, "cuda": 320} {
		if got := bound(Options{Target: target, PeakGFLOPS: 7}, a); got != want {
			t.Errorf("%s: %v, want %v", target, got, want)
		}
	}
	if got := bound(Options{Target: "cpu", PeakGFLOPS: 7}, engine.Answer{}); got != 7 {
		t.Errorf("an engine that measures nothing: %v", got)
	}
}

// TestOneValueOfATimedRun: an error of one value in a run that is kept nowhere.
func TestOneValueOfATimedRun(t *testing.T) {
	f := newFiles(t)
	o := f.options(t, fake{name: "gocv"})
	o.Process = worker{spoil: func(a *engine.Answer) {
		a.RunMost = make([]float64, len(a.RunDiff))
		a.RunMost[1] = 1e-3
	}}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if e := r.Engines[0]; e.State != Fail || !strings.Contains(e.Why, "run 2 of") || !strings.Contains(e.Why, "in one value") {
		t.Errorf("%s %q", e.State, e.Why)
	}
}
