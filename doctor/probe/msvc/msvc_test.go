package msvc_test

import (
	"context"
	"flag"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe/msvc"
)

var update = flag.Bool("update", false, "rewrite the golden facts in testdata/machines")

func TestMachines(t *testing.T) {
	probetest.Machines(t, msvc.Probe, *update)
}

// A vswhere that hangs costs the probe neither its answer nor its deadline.
func TestHangingVSWhere(t *testing.T) {
	h := probetest.Windows(t, "-- exec C:\\Program Files (x86)\\Microsoft Visual Studio\\Installer\\vswhere.exe --\n", "windows-vs2022-17.10")
	h.World = probetest.Stuck{World: h.World}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // a probe's deadline
		defer cancel()
		f, err := msvc.Probe(ctx, h)
		if err != nil || len(f.Problems) != 0 {
			t.Fatal(err, f.Problems)
		}
		if i, ok := f.Active("visual-studio"); !ok || i.Path != `C:\Program Files\Microsoft Visual Studio\2022\Community` {
			t.Errorf("%v", f.Components)
		}
	})
}

func TestMSCVer(t *testing.T) {
	for _, c := range []struct {
		toolset string
		msc     int
		family  string
	}{
		{"14.0.24215", 1900, "v140"}, {"14.16.27023", 1916, "v141"}, {"14.29.30133", 1929, "v142"},
		{"14.30.30705", 1930, "v143"}, {"14.39.33519", 1939, "v143"}, {"14.44.35207", 1944, "v143"},
		{"14.50.35717", 1950, "v145"}, {"12.0", 1800, "v120"}, {"14", 0, ""}, {"x.y", 0, ""}, {"99.1", 0, ""}, {"14.99.1", 1999, ""},
	} {
		if m, f := msvc.MSCVer(c.toolset), msvc.Family(c.toolset); m != c.msc || f != c.family {
			t.Errorf("%s: %d %s, want %d %s", c.toolset, m, f, c.msc, c.family)
		}
	}
}
