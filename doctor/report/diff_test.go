package report_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	generator "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/report"
)

func machine(change func(*facts.Facts)) *facts.Facts {
	f := &facts.Facts{
		Schema: 1,
		OS:     facts.OS{Family: "linux", ID: "debian", Name: "Debian 12", Arch: "amd64", Libc: facts.Libc{Kind: "glibc", Version: "2.36", GLIBCXX: "3.4.30"}},
		CPU:    facts.CPU{Arch: "amd64", Level: "x86-64-v4", Features: []string{"avx", "avx2", "avx512f", "fma"}, Cores: 2},
		Memory: facts.Memory{Total: 8 << 30},
	}
	f.Add("opencv", facts.Instance{Version: "4.6.0", Active: true, Path: "/usr", Has: []string{"dnn", "headers"}, Attrs: map[string]string{"build.cuda": "NO"}})
	f.Add("cmake", facts.Instance{Version: "3.25.1", Active: true, Path: "/usr/bin/cmake"})
	if change != nil {
		change(f)
	}
	return f
}

func TestDiffPutsWhatBreaksFirst(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*facts.Facts)
		weight report.Weight
		topic  string
	}{
		"older glibc":        {func(f *facts.Facts) { f.OS.Libc.Version = "2.31" }, report.Breaks, "os.libc.version"},
		"newer glibc":        {func(f *facts.Facts) { f.OS.Libc.Version = "2.41" }, report.Detail, "os.libc.version"},
		"older libstdc++":    {func(f *facts.Facts) { f.OS.Libc.GLIBCXX = "3.4.28" }, report.Breaks, "os.libc.glibcxx"},
		"musl":               {func(f *facts.Facts) { f.OS.Libc.Kind = "musl" }, report.Breaks, "os.libc"},
		"no AVX-512":         {func(f *facts.Facts) { f.CPU.Features = []string{"avx", "avx2", "fma"} }, report.Breaks, "cpu.features"},
		"other soname":       {func(f *facts.Facts) { f.Components["opencv"][0].Version = "4.10.0" }, report.Breaks, "opencv"},
		"same soname":        {func(f *facts.Facts) { f.Components["opencv"][0].Version = "4.6.1" }, report.Matters, "opencv"},
		"OpenCV missing":     {func(f *facts.Facts) { delete(f.Components, "opencv") }, report.Breaks, "opencv"},
		"a tool's version":   {func(f *facts.Facts) { f.Components["cmake"][0].Version = "4.2.0" }, report.Matters, "cmake"},
		"no dnn module":      {func(f *facts.Facts) { f.Components["opencv"][0].Has = []string{"headers"} }, report.Matters, "opencv.dnn"},
		"built with CUDA":    {func(f *facts.Facts) { f.Components["opencv"][0].Attrs["build.cuda"] = "YES" }, report.Matters, "opencv.build.cuda"},
		"another path":       {func(f *facts.Facts) { f.Components["cmake"][0].Path = "/opt/cmake" }, report.Detail, "cmake.path"},
		"other architecture": {func(f *facts.Facts) { f.OS.Arch = "arm64"; f.CPU.Arch = "arm64" }, report.Breaks, "os.arch"},
	} {
		t.Run(name, func(t *testing.T) {
			list := report.Diff(machine(nil), machine(c.change))
			if len(list) == 0 {
				t.Fatal("no difference seen")
			}
			if list[0].Topic != c.topic || list[0].Weight != c.weight {
				t.Errorf("first is %s %s, want %s %s (all: %+v)", list[0].Weight, list[0].Topic, c.weight, c.topic, list)
			}
		})
	}
	if list := report.Diff(machine(nil), machine(nil)); len(list) != 0 {
		t.Errorf("a machine differs from itself: %+v", list)
	}
}

func TestComparison(t *testing.T) {
	c := report.Compare("build-server.tgz", machine(nil), "here", machine(func(f *facts.Facts) {
		f.OS.Libc.Version = "2.31"
		f.Components["cmake"][0].Path = "/opt/cmake"
	}))
	var b strings.Builder
	if err := c.WriteText(&b, report.Style{}); err != nil {
		t.Fatal(err)
	}
	want := `A  build-server.tgz  Debian 12 · amd64 · x86-64-v4 · 2 cores · 8.0 GiB
B  here              Debian 12 · amd64 · x86-64-v4 · 2 cores · 8.0 GiB

breaks   os.libc.version  2.36 → 2.31
                          a program built on A may ask for glibc symbols newer than 2.31
and 1 detail (--all)
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	if c.Exit != 3 || c.Summary["breaks"] != 1 || c.Summary["detail"] != 1 {
		t.Errorf("%+v", c)
	}
	if c := report.Compare("a", machine(nil), "b", machine(func(f *facts.Facts) { f.Components["cmake"][0].Path = "/opt/cmake" })); c.Exit != 4 {
		t.Errorf("a detail: exit %d", c.Exit)
	}
	if c := report.Compare("a", machine(nil), "b", machine(nil)); c.Exit != 0 || c.Differences == nil {
		t.Errorf("alike: %+v", c)
	}
}

// TestSchema: docs/schema/diff.schema.json is what the types say, and comparisons are
// valid against it.
func TestSchema(t *testing.T) {
	r := &generator.Reflector{AllowAdditionalProperties: true, Anonymous: true}
	if err := r.AddGoComments("github.com/deployctl/deployctl/doctor/report", "./"); err != nil {
		t.Fatal(err)
	}
	for k, c := range r.CommentMap {
		r.CommentMap[strings.Replace(k, "/report/.", "/report", 1)] = c
	}
	s := r.Reflect(&report.Comparison{})
	s.ID, s.Title = "urn:deployctl:diff:1", "deployctl diff"
	s.Definitions["Weight"] = &generator.Schema{Type: "string", Enum: []any{"breaks", "matters", "detail"}, Description: "How much a difference means for a program that works on A and is to run on B."}
	difference := s.Definitions["Difference"].Properties
	difference.Set("weight", &generator.Schema{Ref: "#/$defs/Weight"})
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	data = append(data, '\n')
	file := filepath.FromSlash("../../docs/schema/diff.schema.json")
	if *update {
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	published, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(published, data) {
		t.Errorf("%s does not match the Go types; run go test ./doctor/report -run TestSchema -update", file)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(published))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("diff.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("diff.json")
	if err != nil {
		t.Fatal(err)
	}
	check := func(text []byte) error {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(value)
	}
	for _, c := range []*report.Comparison{
		report.Compare("a", machine(nil), "b", machine(nil)),
		report.Compare("a", machine(nil), "b", machine(func(f *facts.Facts) { f.OS.Libc.Version = "2.31" })),
	} {
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := check(text); err != nil {
			t.Error(err)
		}
	}
	if check([]byte(`{"schema":1,"differences":[{"weight":"much"}]}`)) == nil {
		t.Error("a document without machines is accepted")
	}
}
