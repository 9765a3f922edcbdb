package engines_test

import (
	"os"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/verify"
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
	recipe, err := recipes.Find("opencv-yolov3", "")
	if err != nil {
		t.Fatal(err)
	}
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	live := host.Live()
	judged := judge.Evaluate(recipe, tables, doctor.Probe(t.Context(), live, doctor.Probes(false)))
	machine := engine.Machine{Facts: judged.Facts, Chosen: judged.Chosen, Process: live, Getenv: live.Getenv, Cache: cache}
	for _, spec := range engines.All() {
		t.Run(spec.Name, func(t *testing.T) {
			e, err := spec.Find(machine)
			if err != nil {
				t.Skipf("skipped: %v", err)
			}
			bench := enginetest.New(t, e, cache)
			// The network has all kinds of layers, and pjreddie's Darknet not all.
			if right := bench.Prove(t, enginetest.Fault{}); right.State != verify.OK && !strings.Contains(right.Why, "of pjreddie does not know the activation mish") {
				t.Errorf("%s: %q", right.State, right.Reasons)
			}
			t.Run("an older processor", bench.OldProcessor)
			t.Run("on the processor", bench.Elsewhere)
		})
	}
}
