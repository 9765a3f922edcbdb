package facts_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
)

func TestClean(t *testing.T) {
	want := sample()
	got := sample()
	got.Clean()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Clean changes what is printable:\n%s", diff)
	}
	const bad = "a\x1b]0;title\x07b\x00\xff\u202ec\r\nd"
	f := facts.Facts{
		OS:   facts.OS{Name: bad, Like: []string{bad}, Attrs: map[string]string{bad: bad}},
		GPUs: []facts.GPU{{Name: bad}},
		Components: map[string][]facts.Instance{"gcc": {{
			Version: bad, Path: "/opt/größe 12/g++", Attrs: map[string]string{"long": strings.Repeat("é", 1<<20)},
			Unusable: &facts.Unusable{Reason: facts.Broken, Detail: bad}, Needs: []facts.Need{{Name: bad}}, Evidence: []facts.Evidence{{Detail: bad}},
		}}},
		Problems: []facts.Problem{{Probe: "x", Error: "one\x1b[2J\ntwo\n" + strings.Repeat("line\n", 1000)}},
	}
	f.Clean()
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, escape := range []string{`\u001b`, `\u0000`, `\u0007`, `\ufffd`, `\r`, "\u202e"} {
		if strings.Contains(string(data), escape) {
			t.Errorf("%q is left in %.400s", escape, data)
		}
	}
	if len(data) > 16<<10 {
		t.Errorf("%d bytes are left", len(data))
	}
	if i := f.Components["gcc"][0]; i.Path != "/opt/größe 12/g++" || !strings.HasPrefix(f.Problems[0].Error, "one [2J\ntwo\n") {
		t.Errorf("%+v %q", i, f.Problems[0].Error[:20])
	}
}
