package pipeline

import (
	"testing"

	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/step"
)

// TestAdds: a further round of --fix is only for steps that were not tried.
func TestAdds(t *testing.T) {
	install := installers.Step{ID: "apt.install", Mechanism: "apt", Action: step.Install, Packages: []string{"g++"}, Cost: installers.Cost{Minutes: 2}}
	again, path := install, installers.Step{ID: "env", Mechanism: "env", With: step.Edits{{Name: "PATH", Value: "/opt/bin"}}}
	again.Cost.Minutes = 1
	other := path
	other.With = step.Edits{{Name: "PATH", Value: "/opt/other"}}
	for _, c := range []struct {
		name       string
		done, plan []installers.Step
		want       bool
	}{
		{"nothing", []installers.Step{install}, nil, false},
		{"the same at another cost", []installers.Step{install}, []installers.Step{again}, false},
		{"one more", []installers.Step{install}, []installers.Step{again, path}, true},
		{"another folder", []installers.Step{install, path}, []installers.Step{other}, true},
	} {
		if got := adds(c.done, c.plan); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
