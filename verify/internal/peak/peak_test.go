package peak

import (
	"runtime"
	"testing"
)

// TestRates: the rates are of the order that any machine has, and two threads on two
// processors do more than one.
func TestRates(t *testing.T) {
	loop := fastest()
	if loop == nil {
		if runtime.GOARCH == "amd64" || runtime.GOARCH == "arm64" {
			t.Skipf("skipped: this processor has no FMA")
		}
		t.Skipf("skipped: %s has no probe", runtime.GOARCH)
	}
	one, all := GFLOPS(1), GFLOPS(runtime.NumCPU())
	t.Logf("1 thread %.0f GFLOP/s, %d threads %.0f GFLOP/s; work %.2f ms; memory %.1f GB/s",
		one, runtime.NumCPU(), all, Work()*1e3, Bandwidth(runtime.NumCPU()))
	// 0.1 GFLOP/s is slower than any emulator, and no core of today reaches 1,000.
	if one < 0.1 || one > 1000 || all < one/4 || all > 1000*float64(runtime.NumCPU()) {
		t.Errorf("1 thread %g, all %g GFLOP/s", one, all)
	}
	if work := Work(); work <= 0 || work > 60 {
		t.Errorf("work took %g s", work)
	}
	if GFLOPS(0) != 0 {
		t.Error("no threads have a rate")
	}
}
