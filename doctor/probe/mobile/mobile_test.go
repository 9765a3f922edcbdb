package mobile_test

import (
	"flag"
	"testing"

	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe/mobile"
)

var update = flag.Bool("update", false, "rewrite the golden facts in testdata/machines")

func TestMachines(t *testing.T) {
	probetest.Machines(t, mobile.Probe, *update)
}

func TestRelease(t *testing.T) {
	for in, want := range map[string]string{"26.1.10909125": "r26b", "25.0.8775105": "r25", "21.4.7075529": "r21e", "": "", "x.1": "", "1.99": ""} {
		if got := mobile.Release(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func FuzzParseProperties(f *testing.F) {
	f.Add("Pkg.Desc = Android NDK\nPkg.Revision = 26.1.10909125\n")
	f.Add("\ufeff# c\r\nSystemImage.Abi:x86\\:64\n=\n")
	f.Add(`{"min": 21, "max": 34}`)
	f.Fuzz(func(t *testing.T, text string) {
		for k, v := range mobile.ParseProperties(text) {
			if k == "" || len(v) > len(text) {
				t.Errorf("%q = %q", k, v)
			}
			mobile.Release(v)
		}
		if lo, hi, ok := mobile.ParsePlatforms([]byte(text)); ok && (lo < 1 || hi < lo) {
			t.Errorf("platforms %d to %d", lo, hi)
		}
	})
}
