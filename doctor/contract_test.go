package doctor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

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

// TestReplayGivesTheSameFacts: a recording of what a probe asked of this machine
// answers every question it asks. Each has its own, without deadlines: another may
// ask for the room on a disk a moment later, and a busy machine is no difference.
func TestReplayGivesTheSameFacts(t *testing.T) {
	for _, p := range doctor.Probes(false) {
		t.Run(p.Name, func(t *testing.T) {
			look := func(h *host.Host) []any {
				found, err := p.Run(t.Context(), h)
				return []any{found, fmt.Sprint(err)}
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
			probetest.Same(t, "", live, look(host.Replay(&again)))
		})
	}
}
