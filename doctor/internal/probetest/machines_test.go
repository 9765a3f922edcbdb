package probetest_test

import (
	"context"
	"flag"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe"
	"github.com/deployctl/deployctl/doctor/probe/compilers"
	"github.com/deployctl/deployctl/doctor/probe/cpu"
	"github.com/deployctl/deployctl/doctor/probe/disk"
	"github.com/deployctl/deployctl/doctor/probe/memory"
	osprobe "github.com/deployctl/deployctl/doctor/probe/os"
	"github.com/deployctl/deployctl/doctor/probe/tools"
)

var update = flag.Bool("update", false, "rewrite the golden facts in testdata/machines")

func probes() []probe.Probe {
	return []probe.Probe{
		{Name: "os", Provides: osprobe.Provides(), Run: osprobe.Probe},
		{Name: "cpu", Provides: cpu.Provides(), Run: cpu.Probe},
		{Name: "memory", Provides: memory.Provides(), Run: memory.Probe},
		{Name: "disk", Provides: disk.Provides(), Run: disk.Probe},
		tools.Probe(tools.Packagers),
		{Name: "compilers", Provides: compilers.Provides(), Run: compilers.Probe},
		tools.Probe(tools.BuildTools),
	}
}

// look runs every probe and merges what they find, as doctor.Probe does.
func look(ctx context.Context, h *host.Host) (facts.Facts, error) {
	f := facts.Facts{Schema: facts.Schema}
	for _, p := range probes() {
		found, err := p.Run(ctx, h)
		f.Merge(found)
		if err != nil {
			f.Problems = append(f.Problems, facts.Problem{Probe: p.Name, Covers: p.Provides, Error: err.Error()})
		}
	}
	return f, nil
}

// TestMachines: the facts of whole machines, made up in the forms of real ones.
func TestMachines(t *testing.T) {
	probetest.Machines(t, look, *update)
}

// BenchmarkLive is a warm look at this machine by each probe, and by all at once.
func BenchmarkLive(b *testing.B) {
	h := host.Live()
	for _, p := range probes() {
		b.Run(p.Name, func(b *testing.B) {
			for b.Loop() {
				if _, err := p.Run(b.Context(), h); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("together", func(b *testing.B) {
		for b.Loop() {
			done := make(chan error, len(probes()))
			for _, p := range probes() {
				go func() {
					_, err := p.Run(b.Context(), h)
					done <- err
				}()
			}
			for range probes() {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
