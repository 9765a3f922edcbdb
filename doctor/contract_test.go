package doctor_test

import (
	"context"
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
