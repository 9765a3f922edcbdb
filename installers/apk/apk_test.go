package apk

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/installers/pkgmgr"
)

func TestParseDatabase(t *testing.T) {
	got := ParseDatabase("C:Q1x=\nP:musl\nV:1.2.4-r2\nA:x86_64\nF:lib\nR:ld.so\n\nP:cmake\nV:3.27\n\nV:9\n")
	want := map[string]pkgmgr.Installed{"musl": {Version: "1.2.4-r2", Ready: true}, "cmake": {Version: "3.27", Ready: true}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func FuzzParseDatabase(f *testing.F) {
	f.Add("P:a\nV:1\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		for name, p := range ParseDatabase(text) {
			if name == "" || !p.Ready {
				t.Errorf("%q: %+v", name, p)
			}
		}
	})
}
