package gocv_test

import (
	"testing"

	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/gocv"
	"github.com/deployctl/deployctl/verify/engines/gocv/gocvtest"
)

// TestLive compiles the worker for real, once.
func TestLive(t *testing.T) {
	o := gocvtest.Live(t)
	w, err := gocv.New(o).Prepare(t.Context(), engine.Silent{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("built %v in %v: %v", w.Built, w.BuildTime, w.Argv)
	again, err := gocv.New(o).Prepare(t.Context(), engine.Silent{})
	if err != nil || again.Built {
		t.Fatalf("second call built again: %v, %v", again.Built, err)
	}
}
