package libfind

import (
	"encoding/json"
	"testing"

	"github.com/deployctl/deployctl/doctor/host"
)

// TestReplayGivesTheSameFacts: a recording of what the probe asked of this
// machine answers every question it asks. With -v it prints what was found.
func TestReplayGivesTheSameFacts(t *testing.T) {
	h, recording := host.Record(host.Live())
	live, err := Probe(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(recording)
	if err != nil {
		t.Fatal(err)
	}
	var again host.Recording
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	replayed, err := Probe(t.Context(), host.Replay(&again))
	if err != nil {
		t.Fatal(err)
	}
	want, got := text(t, live), text(t, replayed)
	if want != got {
		t.Errorf("live:\n%s\nreplayed:\n%s", want, got)
	}
	t.Logf("%s", want)
}

func text(t *testing.T, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// BenchmarkLive is a warm look at this machine.
func BenchmarkLive(b *testing.B) {
	h := host.Live()
	for b.Loop() {
		if _, err := Probe(b.Context(), h); err != nil {
			b.Fatal(err)
		}
	}
}
