package installers

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes"
)

// mute is a machine on which no program may be run.
type mute struct {
	*machine
	t *testing.T
}

func (m mute) Run(_ context.Context, c host.Command) (host.Output, error) {
	m.t.Errorf("%q was run", c.Argv)
	return host.Output{}, context.Canceled
}

// TestOutline: an outline has the steps of the plan, runs no program, and counts
// each component once at the catalog's cost; where apt tells, the plan is exact.
func TestOutline(t *testing.T) {
	m := newMachine()
	j := judgement(withApt("cmake"), withApt("g++"), withApt("ninja-build"))
	for i, name := range []string{"cmake", "g++", "g++"} {
		j.Recipe.Requirements[i].Component = &recipes.ComponentCheck{Name: name}
	}
	h := &host.Host{World: mute{m, t}, OS: "linux", Arch: "amd64"}
	places := Places{Cache: "/c", Opt: "/opt/deployctl", Scope: "machine"}
	outlined, err := Outline(t.Context(), j, h, places)
	if err != nil {
		t.Fatal(err)
	}
	plan := mustPlan(t, m, j)
	if d := cmp.Diff(ids(plan), ids(outlined)); d != "" {
		t.Error(d)
	}
	cmake, gxx := recipes.UsualCost("cmake"), recipes.UsualCost("g++")
	want := Cost{DownloadBytes: int64(cmake.Download + gxx.Download), Minutes: cmake.Minutes + gxx.Minutes, Estimated: true}
	if d := cmp.Diff(want, outlined.Cost()); d != "" {
		t.Error(d)
	}
	if got := plan.Cost(); got.Estimated || got.DownloadBytes != 5000 {
		t.Errorf("apt was asked, and the cost is %+v", got)
	}
}
