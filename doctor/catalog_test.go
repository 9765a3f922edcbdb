package doctor_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/recipes"
)

// TestCatalogHoldsWhatProbesGive: hand-made facts are held against the catalog,
// so the catalog must be held against the probes, over every recorded machine.
func TestCatalogHoldsWhatProbesGive(t *testing.T) {
	var files []string
	for _, pattern := range []string{"testdata/hosts/*.txtar", "testdata/hosts/machines/*.txtar", filepath.Join(sharedCases, "*.txtar"), "internal/probetest/testdata/machines/*.txtar", "probe/*/testdata/*.txtar"} {
		list, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, list...)
	}
	if len(files) < 20 {
		t.Fatalf("only %d recorded machines", len(files))
	}
	told := map[string]bool{}
	tell := func(file, name, what, word string) {
		if key := name + " " + what + " " + word; !told[key] {
			told[key] = true
			t.Errorf("%s: the catalog does not know %s's %s %s", filepath.Base(file), name, what, word)
		}
	}
	for _, file := range files {
		for name, list := range doctor.Probe(t.Context(), hosttest.Load(t, file), doctor.Probes(false)).Components {
			c, ok := recipes.FindComponent(name)
			if !ok {
				tell(file, name, "name", "")
				continue
			}
			for _, i := range list {
				for _, part := range i.Has {
					if len(c.Parts) > 0 && !slices.Contains(c.Parts, part) {
						tell(file, name, "part", part)
					}
				}
				for key := range i.Attrs {
					open := strings.HasPrefix(key, "build.") && slices.Contains(c.Attrs, "build.")
					if len(c.Attrs) > 0 && !open && !slices.Contains(c.Attrs, key) {
						tell(file, name, "detail", key)
					}
				}
			}
		}
	}
}
