package doctor_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe"
)

// TestContract holds every probe against hostile hosts.
func TestContract(t *testing.T) {
	probetest.Contract(t, func(ctx context.Context, h *host.Host, p probe.Probe) *facts.Facts {
		return doctor.Probe(ctx, h, []probe.Probe{p})
	}, doctor.Probes(true))
}

// TestReplayGivesTheSameFacts: a recording of what the probes asked of this
// machine answers every question they ask.
func TestReplayGivesTheSameFacts(t *testing.T) {
	// Without deadlines: a busy machine is no difference.
	look := func(h *host.Host) *facts.Facts {
		f := &facts.Facts{}
		for _, p := range doctor.Probes(false) {
			found, err := p.Run(t.Context(), h)
			f.Merge(found)
			if err != nil {
				f.Problems = append(f.Problems, facts.Problem{Probe: p.Name, Covers: p.Provides, Error: err.Error()})
			}
		}
		f.Sort()
		return f
	}
	h, recording := host.Record(host.Live())
	live := look(h)
	data, err := json.Marshal(recording)
	if err != nil {
		t.Fatal(err)
	}
	var again host.Recording
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(live, look(host.Replay(&again))); diff != "" {
		t.Error(diff)
	}
}
