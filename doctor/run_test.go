package doctor_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/probe"
	"github.com/deployctl/deployctl/recipes"
)

func TestBadProbesBecomeProblems(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	probes := []probe.Probe{
		{Name: "good", Run: func(context.Context, *host.Host) (facts.Facts, error) {
			var f facts.Facts
			f.Add("gcc", facts.Instance{Version: "12.2.0", Active: true})
			return f, nil
		}},
		{Name: "partial", Provides: []string{"cuda"}, Run: func(context.Context, *host.Host) (facts.Facts, error) {
			var f facts.Facts
			f.Add("cuda", facts.Instance{Version: "12.1"})
			return f, errors.New("one folder could not be read")
		}},
		{Name: "crashing", Provides: []string{"opencl"}, Run: func(_ context.Context, h *host.Host) (facts.Facts, error) {
			return facts.Facts{Disks: []facts.Disk{}[:len(h.OS)]}, nil // out of range
		}},
		{Name: "hanging", Provides: []string{"opencv"}, Timeout: time.Millisecond, Run: func(context.Context, *host.Host) (facts.Facts, error) {
			<-block // deaf to its context
			return facts.Facts{}, nil
		}},
	}
	f := doctor.Probe(t.Context(), hosttest.Empty("linux", "amd64"), probes)
	if _, ok := f.Active("gcc"); !ok {
		t.Error("the good probe's fact is missing")
	}
	if len(f.Components["cuda"]) != 1 {
		t.Error("what a failing probe did find is missing")
	}
	for topic, want := range map[string]string{
		"cuda": "one folder could not be read", "opencl": "crashed", "opencv": "no answer within 1ms",
	} {
		p, ok := f.Problem(topic)
		if !ok || !strings.Contains(p.Error, want) {
			t.Errorf("problem of %s = %q, want %q in it", topic, p.Error, want)
		}
	}
	if _, ok := f.Problem("gcc"); ok {
		t.Error("gcc has a problem though its probe was well")
	}
	if len(f.Timings) != len(probes)+1 { // and the closure's
		t.Errorf("%d timings for %d probes and the closure", len(f.Timings), len(probes))
	}
}

// TestProbesFillKnownComponents: what a probe provides can be asked for in a
// recipe; the linter refuses every other name.
func TestProbesFillKnownComponents(t *testing.T) {
	known := map[string]bool{"os": true, "cpu": true, "memory": true, "disks": true, "gpus": true}
	for _, name := range recipes.Components() {
		known[name] = true
	}
	for _, p := range doctor.Probes(false) {
		for _, name := range p.Provides {
			if !known[name] {
				t.Errorf("probe %s provides %s, which recipes.Components does not list", p.Name, name)
			}
		}
	}
}
