package judge

import (
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestDebianDriver: the package of a Debian release whose driver runs a card.
func TestDebianDriver(t *testing.T) {
	_, tables := load(t)
	e := &evaluation{tables: tables}
	for _, c := range []struct{ release, sm, want string }{
		{"12", "5.2", "nvidia-driver"}, {"12", "8.9", "nvidia-driver"}, {"12", "3.5", "nvidia-tesla-470-driver"},
		{"12", "12.0", ""}, {"12", "2.1", ""}, {"12", "", ""},
		{"11", "2.1", "nvidia-legacy-390xx-driver"}, {"11", "3.5", "nvidia-driver"}, {"11", "8.9", ""},
		{"13", "6.1", "nvidia-driver"}, {"13", "3.5", ""}, {"14", "6.1", ""},
	} {
		if got := e.debianDriver(c.release, c.sm); got != c.want {
			t.Errorf("Debian %s, %s: %q, want %q", c.release, c.sm, got, c.want)
		}
	}
}

// TestTorchHasCode: PyTorch's builds for the newest toolkits leave Pascal out, which the
// toolkits themselves still know.
func TestTorchHasCode(t *testing.T) {
	_, tables := load(t)
	r, err := recipes.Find("libtorch", "")
	if err != nil {
		t.Fatal(err)
	}
	other, err := recipes.Find("opencv-cuda", "")
	if err != nil {
		t.Fatal(err)
	}
	installed := map[string][]facts.Instance{"libtorch": {{Version: "2.8.0", Active: true}}}
	for _, c := range []struct {
		name     string
		recipe   *recipes.Recipe
		have     map[string][]facts.Instance
		cuda, sm string
		want     bool
	}{
		{"Pascal and 12.9", r, nil, "12.9.1", "6.1", false},
		{"Pascal and 12.6", r, nil, "12.6.3", "6.1", true},
		{"Ada and 12.9", r, nil, "12.9.1", "8.9", true},
		{"one is installed", r, installed, "12.9.1", "6.1", true},
		{"another recipe", other, nil, "12.9.1", "6.1", true},
	} {
		e := &evaluation{recipe: c.recipe, tables: tables, facts: &facts.Facts{OS: facts.OS{Family: "linux", Arch: "amd64"}, Components: c.have}}
		if got := e.torchHasCode(c.cuda, c.sm); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
