package pkgmgr

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseNameVersion(t *testing.T) {
	got := ParseNameVersion("cmake 3.28.1-2.fc39\n\nbroken\nopencv 4.9.0_7 4.8.0\n")
	want := map[string]Installed{"cmake": {Version: "3.28.1-2.fc39", Ready: true}, "opencv": {Version: "4.9.0_7", Ready: true}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func FuzzParseNameVersion(f *testing.F) {
	f.Add("a 1\nb")
	f.Fuzz(func(t *testing.T, text string) {
		for name, p := range ParseNameVersion(text) {
			if name == "" || p.Version == "" {
				t.Errorf("%q: %+v", name, p)
			}
		}
	})
}
