package conan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

const list = `{"Local Cache": {
	"zlib/1.3.1": {"revisions": {"f52e": {"timestamp": 1, "packages": {"b1d2": {"info": {"settings": {"os": "Windows"}}}}}}},
	"opencv/4.10.0@acme/stable": {"revisions": {"a": {"packages": {}}, "b": {"packages": {"c": {}}}}},
	"recipe-only/1.0": {"revisions": {"a": {}}},
	"broken": {"error": "x"}, "odd/1": []}}`

func TestParseList(t *testing.T) {
	got, err := ParseList([]byte(list))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]pkgmgr.Installed{"zlib/1.3.1": {Version: "1.3.1", Ready: true}, "opencv/4.10.0@acme/stable": {Version: "4.10.0", Ready: true}}, got); d != "" {
		t.Error(d)
	}
	if got, err := ParseList([]byte(`{"Local Cache": {}}`)); err != nil || len(got) != 0 {
		t.Errorf("empty: %v, %v", got, err)
	}
	if _, err := ParseList([]byte(`ERROR`)); err == nil {
		t.Error("no JSON")
	}
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		exit int
		line string
		kind step.Kind
	}{
		{1, "ERROR: The default build profile '/x/default' doesn't exist. You need to create a default profile (type 'conan profile detect' command)", step.Conflict},
		{1, "ERROR: Package 'nosuch/1.0' not resolved: Unable to find 'nosuch/1.0' in remotes.", step.NotFound},
		{1, "ERROR: opencv/4.10.0: Error in build() method, line 12", step.Other},
		{6, "ERROR: There are invalid packages:", step.Conflict},
		{3, "", step.Cancelled},
	} {
		if f := Manager().Explain(c.exit, []string{c.line}); f.Kind != c.kind {
			t.Errorf("%d %q: %+v", c.exit, c.line, f)
		}
	}
}

func FuzzParseList(f *testing.F) {
	f.Add([]byte(list))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ParseList(data)
		if err != nil && got != nil {
			t.Error("both")
		}
	})
}
