package scoop

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

func TestInstalled(t *testing.T) {
	h := hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- env --\nUSERPROFILE=C:\\Users\\u\n"+
		"-- file C:\\Users\\u\\scoop\\apps\\cmake\\current\\manifest.json --\n{\"version\": \"3.31.2\", \"url\": \"x\"}\n"+
		"-- file C:\\Users\\u\\scoop\\apps\\half\\1.0\\manifest.json --\n{\"version\": \"1.0\"}\n"+
		"-- file C:\\Users\\u\\scoop\\apps\\broken\\current\\manifest.json --\n{\"version\":\n")
	got, err := installed(context.Background(), h)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]pkgmgr.Installed{"cmake": {Version: "3.31.2", Ready: true}}, got); d != "" {
		t.Error(d)
	}
}

func TestExplain(t *testing.T) {
	for line, kind := range map[string]step.Kind{
		"Couldn't find manifest for 'nosuch'.":                             step.NotFound,
		"ERROR Hash check failed!":                                         step.HashMismatch,
		"The remote name could not be resolved: 'github.com'":              step.NoNetwork,
		"ERROR The following instances of \"x\" are still running. Close.": step.Locked,
	} {
		if f := Manager().Explain(1, []string{line}); f.Kind != kind {
			t.Errorf("%q: %+v", line, f)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"version":"1"}`))
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if v, ok := ParseManifest(data); ok == (v == "") {
			t.Errorf("%q %v", v, ok)
		}
	})
}
