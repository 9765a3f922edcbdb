package probetest_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
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
func look(t testing.TB, h *host.Host) *facts.Facts {
	t.Helper()
	f := &facts.Facts{Schema: facts.Schema}
	for _, p := range probes() {
		found, err := p.Run(t.Context(), h)
		f.Merge(found)
		if err != nil {
			f.Problems = append(f.Problems, facts.Problem{Probe: p.Name, Covers: p.Provides, Error: err.Error()})
		}
	}
	f.Sort()
	return f
}

// TestMachines compares the facts of whole machines with golden files. The
// machines are made up in the forms of real ones.
func TestMachines(t *testing.T) {
	fixtures, err := filepath.Glob("testdata/machines/*.txtar")
	if err != nil || len(fixtures) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, name := range fixtures {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			got, err := json.MarshalIndent(look(t, hosttest.Load(t, name)), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			golden := strings.TrimSuffix(name, ".txtar") + ".json"
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("facts differ from %s (run with -update when they should):\n%s", golden, diff)
			}
		})
	}
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
