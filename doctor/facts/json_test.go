package facts_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	generator "github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deployctl/deployctl/doctor/facts"
)

var update = flag.Bool("update", false, "rewrite docs/schema/facts.schema.json")

func sample() facts.Facts {
	return facts.Facts{
		Schema: facts.Schema,
		OS: facts.OS{
			Family: "linux", ID: "debian", Version: "12", Arch: "amd64",
			Libc: facts.Libc{Kind: "glibc", Version: "2.36", GLIBCXX: "3.4.30"},
			User: facts.User{Admin: true, Elevate: []string{"sudo"}},
		},
		CPU:    facts.CPU{Arch: "amd64", Level: "x86-64-v4", Features: []string{"avx2"}, Cores: 1.5, Logical: 2, PeakGFLOPS: 249.2},
		Memory: facts.Memory{Total: 8 << 30, Limit: 2 << 30},
		Disks:  []facts.Disk{{Purpose: "cache", Path: "/root/.cache/deployctl", Total: 10, Free: 5}},
		GPUs:   []facts.GPU{{Vendor: "nvidia", PCI: "0000:01:00.0", Memory: 1 << 30}},
		Components: map[string][]facts.Instance{
			"gcc": {{
				Version: "12.2.0", Path: "/usr/bin/gcc", Active: true, Via: []string{"PATH"}, Has: []string{"c"},
				Attrs:    map[string]string{"target": "x86_64-linux-gnu"},
				Evidence: []facts.Evidence{{Kind: "command", Source: "/usr/bin/gcc -v", Detail: "gcc version 12.2.0"}},
			}},
		},
		Problems: []facts.Problem{{Probe: "opencl", Covers: []string{"opencl"}, Error: "timed out"}},
		Timings:  []facts.Timing{{Probe: "os", Took: time.Millisecond}},
	}
}

func TestRoundTripKeepsUnknownKeys(t *testing.T) {
	text := `{"schema":1,"os":{"family":"linux"},"newer":{"a":[1,2]},"another":null,"components":{"gcc":[{"version":"12","active":true}]}}`
	var f facts.Facts
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Unknown) != 2 || f.OS.Family != "linux" || f.Components["gcc"][0].Version != "12" {
		t.Fatalf("read %+v", f)
	}
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"newer":{"a":[1,2]}`, `"another":null`, `"disks":[]`, `"gpus":[]`} {
		if !bytes.Contains(data, []byte(want)) {
			t.Errorf("%s is missing from %s", want, data)
		}
	}
	var again facts.Facts
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f, again); diff != "" {
		t.Error(diff)
	}
}

// TestRoundTripKeepsKeysBelow: what a newer deployctl says of a copy, its parts
// and lists is kept, too, and stays with its copy when the copies are sorted.
func TestRoundTripKeepsKeysBelow(t *testing.T) {
	text := `{"schema":1,"os":{"family":"linux","newos":1,"libc":{"kind":"glibc","newlibc":{"x":null}},"user":{"admin":true,"newuser":[1]}},
		"cpu":{"newcpu":"é"},"memory":{"total":1,"newmemory":1e400},"disks":[{"purpose":"tmp","path":"/tmp","total":1,"free":1,"newdisk":true}],"gpus":[{"name":"x","newgpu":2}],
		"components":{"gcc":[
			{"version":"12","path":"/b","active":false,"newcopy":"b","places":{"newplace":"/x"},"built":{"cuda":"12.4","newbuilt":3},"unusable":{"reason":"broken","newreason":4},
				"evidence":[{"kind":"file","source":"/a"},{"kind":"file","source":"/b","newevidence":5}],"needs":[{"name":"libx.so","by":"/b","cause":"not-found","newneed":6}],"devices":[{"name":"d","newdevice":7}]},
			{"version":"13","path":"/a","active":true,"newcopy":"a","attrs":{"target":"x"}}],
		"newcomponent":[{"version":"1","active":true,"Path":"/n"}]},
		"problems":[{"probe":"x","covers":[],"error":"e","newproblem":8}],"timings":[{"probe":"x","took_ns":1,"newtiming":9}]}`
	var f facts.Facts
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		t.Fatal(err)
	}
	f.Sort()
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"newos":1`, `"newlibc":{"x":null}`, `"newuser":[1]`, `"newcpu":"é"`, `"newmemory":1e400`, `"newdisk":true`, `"newgpu":2`, `"newplace":"/x"`, `"newbuilt":3`, `"newreason":4`,
		`"newevidence":5`, `"newneed":6`, `"newdevice":7`, `"newproblem":8`, `"newtiming":9`,
	} {
		if !bytes.Contains(data, []byte(want)) {
			t.Errorf("%s is lost in %s", want, data)
		}
	}
	var again facts.Facts
	if err := json.Unmarshal(data, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f, again); diff != "" {
		t.Error(diff)
	}
	for _, i := range again.Components["gcc"] {
		if got := string(i.Unknown["newcopy"]); got != `"`+strings.TrimPrefix(i.Path, "/")+`"` {
			t.Errorf("%s has the key of another copy: %s", i.Path, got)
		}
	}
	if e := again.Components["gcc"][1].Evidence; len(e) != 2 || e[1].Source != "/b" {
		t.Errorf("evidence %+v", e)
	}
}

func TestRoundTripOfEverything(t *testing.T) {
	want := sample()
	data, err := json.MarshalIndent(want, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var got facts.Facts
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNothingIsNull(t *testing.T) {
	data, err := json.Marshal(facts.Facts{
		Schema:     facts.Schema,
		Components: map[string][]facts.Instance{"gcc": nil},
		Problems:   []facts.Problem{{Probe: "x"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("null")) {
		t.Errorf("null in %s", data)
	}
	pointer, err := json.Marshal(&facts.Facts{})
	if err != nil || !bytes.Contains(pointer, []byte(`"components":{}`)) {
		t.Errorf("empty facts: %s, %v", pointer, err)
	}
}

// TestContractKeys pins the keys that section 5 of the design promises.
func TestContractKeys(t *testing.T) {
	data, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"schema", "os.family", "os.id", "os.version", "os.libc", "cpu.arch", "cpu.level", "cpu.features", "cpu.cores",
		"cpu.peak_gflops", "memory.total", "disks", "gpus", "components.gcc",
	} {
		var at any = m
		for key := range strings.SplitSeq(path, ".") {
			object, ok := at.(map[string]any)
			if !ok || object[key] == nil {
				t.Errorf("key %s is missing", path)
				break
			}
			at = object[key]
		}
	}
	instance := m["components"].(map[string]any)["gcc"].([]any)[0].(map[string]any)
	for _, key := range []string{"version", "path", "active", "via", "evidence"} {
		if instance[key] == nil {
			t.Errorf("an instance has no key %s", key)
		}
	}
}

const schemaFile = "../../docs/schema/facts.schema.json"

func schema(t *testing.T) []byte {
	t.Helper()
	r := &generator.Reflector{AllowAdditionalProperties: true, Anonymous: true}
	// The comments in facts.go are the descriptions.
	if err := r.AddGoComments("github.com/deployctl/deployctl/doctor/facts", "./"); err != nil {
		t.Fatal(err)
	}
	s := r.Reflect(&facts.Facts{})
	s.ID = "urn:deployctl:facts:1"
	s.Title = "deployctl facts"
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

func TestSchemaIsPublished(t *testing.T) {
	got := schema(t)
	file := filepath.FromSlash(schemaFile)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s is not what facts.go says (run go test ./doctor/facts -update):\n%s", schemaFile, diff)
	}
}

func TestSchemaAcceptsFactsAndRefusesOthers(t *testing.T) {
	doc, err := validator.UnmarshalJSON(bytes.NewReader(schema(t)))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource("facts.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("facts.json")
	if err != nil {
		t.Fatal(err)
	}
	check := func(data []byte) error {
		v, err := validator.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		return s.Validate(v)
	}
	with := sample()
	with.Unknown = map[string]json.RawMessage{"newer": json.RawMessage(`{"a":1}`)}
	for name, f := range map[string]facts.Facts{"empty": {Schema: 1}, "sample": sample(), "with unknown keys": with} {
		data, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := check(data); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, text := range map[string]string{
		"components is a list": `{"schema":1,"os":{},"cpu":{},"memory":{},"disks":[],"gpus":[],"components":[]}`,
		"no cpu":               `{"schema":1,"os":{},"memory":{},"disks":[],"gpus":[],"components":{}}`,
		"features is a text":   `{"schema":1,"os":{},"cpu":{"features":"avx"},"memory":{},"disks":[],"gpus":[],"components":{}}`,
	} {
		if check([]byte(text)) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	data, err := json.Marshal(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"components":{"a":null},"x":1,"X":2}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var a, b facts.Facts
		if json.Unmarshal(data, &a) != nil {
			return
		}
		out, err := json.Marshal(a)
		if err != nil {
			t.Fatalf("read but not written: %v", err)
		}
		if err := json.Unmarshal(out, &b); err != nil {
			t.Fatalf("written but not read again: %v\n%s", err, out)
		}
		twice, err := json.Marshal(b)
		if err != nil || !bytes.Equal(out, twice) {
			t.Errorf("not stable: %v\n%s\n%s", err, out, twice)
		}
	})
}
