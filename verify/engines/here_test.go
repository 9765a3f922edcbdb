package engines_test

import (
	"os"
	"testing"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines"
	"github.com/deployctl/deployctl/verify/internal/enginetest"
)

// TestHere runs every engine of this machine: rightly, on a processor that is too old,
// and on the processor when a GPU was asked for. It builds the workers, so it runs
// where DEPLOYCTL_TEST_ENGINES names a cache folder for them.
func TestHere(t *testing.T) {
	cache := os.Getenv("DEPLOYCTL_TEST_ENGINES")
	if cache == "" {
		t.Skip("skipped: DEPLOYCTL_TEST_ENGINES names no cache folder")
	}
	live := host.Live()
	machine := engine.Machine{
		Facts: doctor.Probe(t.Context(), live, doctor.Probes(false)), Process: live, Getenv: live.Getenv, Cache: cache,
	}
	for _, spec := range engines.All() {
		t.Run(spec.Name, func(t *testing.T) {
			e, err := spec.Find(machine)
			if err != nil {
				t.Skipf("skipped: %v", err)
			}
			bench := enginetest.New(t, e, cache)
			t.Run("right", bench.Right)
			t.Run("an older processor", bench.OldProcessor)
			t.Run("on the processor", bench.Elsewhere)
		})
	}
}
