package verify

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	generator "github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deployctl/deployctl/verify/engine"
)

// figures are the keys whose value is null where nothing was measured, lists
// those that are null where nothing is known.
var figures = map[string][]string{
	"Engine": {"threads", "processor_s", "build_s", "convert_s", "start_s", "load_s", "first_s", "min_s", "median_s", "p95_s", "gflops", "peak_gflops", "peak_share", "calibration_spread", "memory_bytes"},
	"Result": {"gain", "total_s", "overhead_s", "network", "weights", "reference"},
}

var lists = map[string][]string{"Engine": {"libraries", "limits", "rel_l2", "max_abs", "boxes"}, "Device": {"pairs"}}

// schema is the published form of a proof: the Go types with their comments,
// and null where JSON has it.
func schema(t *testing.T) []byte {
	t.Helper()
	r := &generator.Reflector{AllowAdditionalProperties: true, Anonymous: true}
	for _, folder := range []string{"", "/judge", "/engine"} {
		if err := r.AddGoComments("github.com/deployctl/deployctl/verify"+folder, "."+folder); err != nil {
			t.Fatal(err)
		}
	}
	for k, c := range r.CommentMap { // the generator joins the folder as it is given
		r.CommentMap[strings.ReplaceAll(strings.ReplaceAll(k, "verify/.", "verify"), "/judge/judge", "/judge")] = c
	}
	s := r.Reflect(&Result{})
	s.ID, s.Title = "urn:deployctl:verify:1", "deployctl verify"
	null := &generator.Schema{Type: "null"}
	s.Definitions["Number"] = &generator.Schema{OneOf: []*generator.Schema{{Type: "number"}, null}, Description: "A float that may be missing or not finite, which is null."}
	for name, d := range s.Definitions {
		for _, key := range append(slices.Clone(figures[name]), lists[name]...) {
			p, ok := d.Properties.Get(key)
			if !ok {
				t.Fatalf("%s has no key %s", name, key)
			}
			text := p.Description
			p.Description = ""
			d.Properties.Set(key, &generator.Schema{OneOf: []*generator.Schema{p, null}, Description: text})
			if !strings.Contains(" "+strings.Join(d.Required, " ")+" ", " "+key+" ") {
				d.Required = append(d.Required, key)
			}
		}
	}
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

// TestSchemaIsPublished: docs/schema/verify.schema.json is what the types say,
// and real results are valid against it.
func TestSchemaIsPublished(t *testing.T) {
	got := schema(t)
	file := filepath.FromSlash("../docs/schema/verify.schema.json")
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
		t.Errorf("%s is not what the types say (run go test ./verify -run TestSchema -update):\n%s", file, diff)
	}
	doc, err := validator.UnmarshalJSON(bytes.NewReader(got))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource("verify.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("verify.json")
	if err != nil {
		t.Fatal(err)
	}
	f := newFiles(t)
	broken := f.options(t, fake{name: "gocv", err: &engine.Unavailable{Engine: "gocv", Why: "g++ is missing"}})
	load := f.options(t, fake{name: "gocv"})
	load.Level = LevelLoad
	compare := f.options(t, fake{name: "gocv"}, fake{name: "other"})
	compare.Level = LevelCompare
	for name, o := range map[string]Options{"proven": f.options(t, fake{name: "gocv"}), "not available": broken, "load": load, "compare": compare, "alone": f.options(t)} {
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		v, err := validator.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(v); err != nil {
			t.Errorf("%s: %v\n%s", name, err, raw)
		}
		if bytes.Contains(raw, []byte(`_s":0,`)) || bytes.Contains(raw, []byte(`"gflops":0,`)) || bytes.Contains(raw, []byte(`"peak_share":0,`)) || bytes.Contains(raw, []byte(`"peak_gflops":0,`)) || bytes.Contains(raw, []byte(`"calibration_spread":0`)) {
			t.Errorf("%s: a zero that was not measured: %s", name, raw)
		}
	}
}

// TestNotMeasuredIsNull: level 1 measures nothing, and a measured figure stays.
func TestNotMeasuredIsNull(t *testing.T) {
	raw, err := json.Marshal(Result{Level: LevelLoad, Engines: []Engine{{Name: "gocv", State: OK, LoadSeconds: 0.5, MinSeconds: math.Inf(1)}}})
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	e := doc["engines"].([]any)[0].(map[string]any)
	for at, keys := range map[string][]string{"Engine": figures["Engine"], "Result": figures["Result"]} {
		m := map[string]map[string]any{"Engine": e, "Result": doc}[at]
		for _, key := range append([]string{}, keys...) {
			v, ok := m[key]
			if want := any(nil); !ok || key != "load_s" && v != want {
				t.Errorf("%s.%s is %v (there: %v)", at, key, v, ok)
			}
		}
	}
	if e["load_s"] != 0.5 {
		t.Errorf("load_s is %v", e["load_s"])
	}
}

// TestClosing: the last line says whether it is proven, and all that it was
// proven with.
func TestClosing(t *testing.T) {
	net, own := Network{Name: "yolov4"}, Weights{Kind: User, Path: "/m/a.weights"}
	good := Engine{Name: "gocv", Target: "cuda", State: OK, MedianSeconds: 0.0123}
	bad := Engine{Name: "gocv", Target: "cuda", State: Fail, Why: "all heads are off."}
	ref := Engine{Name: ReferenceName, Target: "cpu", State: OK}
	for want, r := range map[string]Result{
		"Proven: gocv on cuda runs yolov4 with the weights /m/a.weights on /m/dog.jpg correctly, 12.3 ms per image.": {Network: net, Weights: own, Image: "/m/dog.jpg", Engines: []Engine{good, ref}},
		"Not proven: gocv on cuda did not pass (yolov4, the official weights, the embedded scene): all heads are off.": {
			Network: net, Weights: Weights{Kind: Official}, Engines: []Engine{bad, ref}},
		"Not proven: only the built-in reference engine ran (yolov4, self-test weights, the embedded scene).": {
			Network: net, Weights: Weights{Kind: SelfTest}, Engines: []Engine{ref}},
		"Not proven: gocv on cuda cannot be used here: all heads are off.":  {Level: LevelLoad, Engines: []Engine{bad}},
		"Not proven: no engine was asked for, and level 1 runs no network.": {Level: LevelLoad},
		"Not proven: gocv on cuda loads here, but level 1 runs no network.": {Level: LevelLoad, Engines: []Engine{{Name: "gocv", Target: "cuda", State: OK}}},
		"Proven: gocv on cuda and onnx on cpu run yolov4 with self-test weights on the embedded scene correctly, 12.3 ms per image.": {
			Network: net, Weights: Weights{Kind: SelfTest}, Engines: []Engine{good, {Name: "onnx", Target: "cpu", State: OK}, ref}},
	} {
		var text strings.Builder
		if err := Render(&text, &r, false); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimRight(text.String(), "\n"), "\n")
		if got := lines[len(lines)-1]; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
