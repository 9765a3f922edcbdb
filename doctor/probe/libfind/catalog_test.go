package libfind

import (
	"testing"

	"github.com/deployctl/deployctl/recipes"
)

// TestCatalog: what the table finds is a component that recipes can name.
func TestCatalog(t *testing.T) {
	for _, s := range table() {
		if _, ok := recipes.FindComponent(s.component); !ok {
			t.Errorf("specs.go finds %s, which recipes/catalog.go does not have: add {Name: %q, Display: the maker's spelling, Cost: small}", s.component, s.component)
		}
	}
}
