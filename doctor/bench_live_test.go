package doctor_test

import (
	"testing"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/host"
)

// BenchmarkProbeLive is the full probe of this machine, warm.
func BenchmarkProbeLive(b *testing.B) {
	for b.Loop() {
		doctor.Probe(b.Context(), host.Live(), doctor.Probes(false))
	}
}
