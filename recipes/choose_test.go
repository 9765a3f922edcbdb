package recipes

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
)

const chosen = `schema: 1
name: chosen
title: One with parameters
parameters:
  gpu:
    title: What computes
    default: cpu
    choices: [cpu, cuda]
artifacts:
  - name: yolov3.weights
    url: https://example.org/yolov3.weights
    mirrors: [https://mirror.example.org/yolov3.weights]
    size: 248007048B
    sha256: 523e4e69e1d015393a1b0a441cef1d9c7659e3eb2d7e15f793f060a21b32f297
    source: nine independent pins
requirements:
  - id: go.version
    title: Go
    why: It compiles.
    component: {name: go}
    fix:
      - apt: [golang-go]
  - id: cuda.version
    title: CUDA
    why: It computes.
    manual: Install it.
    when:
      set: {gpu: [cuda]}
    component:
      name: cuda
      attr: {gcc_max: ">= 12", cudart: has series of cuda}
  - id: cuda.gpu
    title: GPU
    why: It computes.
    manual: Use another.
    severity: recommended
    gpu: {vendor: [nvidia], compute: ">= 5.0"}
`

func TestChosen(t *testing.T) {
	r, err := Load([]byte(chosen), "chosen.yaml", tables(t))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Setting("gpu"); got != "cpu" {
		t.Errorf("default: %q", got)
	}
	set, err := r.Set(map[string]string{"gpu": "cuda"})
	if err != nil || set.Setting("gpu") != "cuda" || r.Setting("gpu") != "cpu" {
		t.Errorf("set: %v, %q, and the original %q", err, set.Setting("gpu"), r.Setting("gpu"))
	}
	for _, tt := range []struct {
		set  map[string]string
		want string
	}{
		{map[string]string{"gup": "cuda"}, "did you mean gpu?"},
		{map[string]string{"gpu": "opencl"}, "choices: cpu, cuda"},
	} {
		if _, err := r.Set(tt.set); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Set(%v) = %v, want %q", tt.set, err, tt.want)
		}
	}
	if _, err := ParseSet([]string{"gpu"}); err == nil {
		t.Error("a --set without = is accepted")
	}
	if m, err := ParseSet([]string{"gpu=cuda", "release=1.7.0"}); err != nil || m["release"] != "1.7.0" {
		t.Errorf("ParseSet: %v %v", m, err)
	}
}

func TestSelect(t *testing.T) {
	r, err := Load([]byte(chosen), "chosen.yaml", tables(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		only, skip, down []string
		want             string // id:severity
		err              string
	}{
		{want: "go.version:required cuda.version:required cuda.gpu:recommended"},
		{only: []string{"cuda."}, want: "cuda.version:required cuda.gpu:recommended"},
		{skip: []string{"cuda.gpu"}, want: "go.version:required cuda.version:required"},
		{down: []string{"cuda."}, want: "go.version:required cuda.version:recommended cuda.gpu:info"},
		{only: []string{"cuda."}, skip: []string{"cuda."}, err: "leave no requirement"},
		{skip: []string{"go.versoin"}, err: "did you mean go.version?"},
	} {
		got, err := r.Select(tt.only, tt.skip, tt.down)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v: error %v, want %q", tt, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v: %v", tt, err)
			continue
		}
		var list []string
		for _, q := range got.Requirements {
			list = append(list, q.ID+":"+string(q.Severity))
		}
		if text := strings.Join(list, " "); text != tt.want {
			t.Errorf("%v: %s", tt, text)
		}
	}
	if len(r.Requirements) != 3 || r.Requirements[1].Severity != Required {
		t.Error("Select changed the recipe it was asked of")
	}
}

// TestChosenMistakes: what an artifact, a parameter or an attribute may not be.
func TestChosenMistakes(t *testing.T) {
	for _, tt := range []struct{ old, new, want string }{
		{"    size: 248007048B\n", "", "needs its exact size"},
		{"    sha256: 523e", "    sha256: 523", "64 lower-case hexadecimal digits"},
		{"url: https:", "url: http:", "must be an https address"},
		{"[https://mirror", "[ftp://mirror", "must be an https address"},
		{"    source: nine independent pins\n", "", "needs a source"},
		{"default: cpu", "default: gpu", "unknown default of gpu \"gpu\"; did you mean cpu?"},
		{"choices: [cpu, cuda]", "choices: [cpu]", "needs at least two choices"},
		{"set: {gpu: [cuda]}", "set: {gup: [cuda]}", "unknown parameter \"gup\"; did you mean gpu?"},
		{"set: {gpu: [cuda]}", "set: {gpu: [cudda]}", "did you mean cuda?"},
		{"series of cuda", "series of cudda", "did you mean cuda?"},
		{`">= 12"`, `"about 12"`, `nor is it "is WORD"`},
		{"vendor: [nvidia]", "vendor: [nvida]", "did you mean nvidia?"},
		{"name: yolov3.weights", "name: ../yolov3.weights", "must be a file name"},
	} {
		text := strings.Replace(chosen, tt.old, tt.new, 1)
		if text == chosen {
			t.Fatalf("the sample does not contain %q", tt.old)
		}
		_, err := Load([]byte(text), "f.yaml", tables(t))
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "f.yaml:") {
			t.Errorf("%q for %q: %v\nwant %q", tt.new, tt.old, err, tt.want)
		}
	}
}

func TestLoadPinned(t *testing.T) {
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(chosen)))
	r, err := LoadPinned([]byte(chosen), "https://example.org/r/chosen.yaml", sum)
	if err != nil || r.Source != "https://example.org/r/chosen.yaml" {
		t.Errorf("%v, %v", r, err)
	}
	if _, err := LoadPinned([]byte(chosen+"#"), "https://example.org/chosen.yaml", sum); err == nil || !strings.Contains(err.Error(), "it was changed") {
		t.Errorf("changed bytes: %v", err)
	}
	if _, err := LoadPinned([]byte(chosen), "https://example.org/chosen.yaml", "abc"); err == nil {
		t.Error("a short hash is accepted")
	}
	extending := strings.Replace(strings.Replace(chosen, "title: One", "extends: opencv-yolov3\ntitle: One", 1), "id: go.version", "id: go.mine", 1)
	r, err = LoadPinned([]byte(extending), "https://example.org/chosen.yaml", fmt.Sprintf("%x", sha256.Sum256([]byte(extending))))
	if err != nil || !slices.ContainsFunc(r.Requirements, func(q Requirement) bool { return q.ID == "opencv.version" }) {
		t.Errorf("extending an embedded recipe: %v", err)
	}
}

func TestFindAddress(t *testing.T) {
	if _, err := Find("https://example.org/chosen.yaml", ""); err == nil || !strings.Contains(err.Error(), "--recipe-sha256") {
		t.Errorf("an address without a hash: %v", err)
	}
}

func TestShadowPage(t *testing.T) {
	for _, id := range []string{"opencv.shadow", "cudnn.conflict"} {
		if page, ok := Page(id); !ok || !strings.HasPrefix(page, "# component.shadow") || PagePath(id) != PagePath("component.shadow") {
			t.Errorf("%s: %v %.40q", id, ok, page)
		}
	}
	if _, ok := Page("no.such"); ok {
		t.Error("no.such has a page")
	}
}

// FuzzAttr: no text crashes the parser of conditions, and what it reads it can
// ask of any value.
func FuzzAttr(f *testing.F) {
	for _, seed := range []string{"is x64", "has 12.1", "has series of cuda", "starts YES", "unset", ">= 3.5, < 4", "", "is ", "about 3"} {
		f.Add(seed, "12.1,11.8", "12.1")
	}
	f.Fuzz(func(t *testing.T, condition, value, series string) {
		a, err := ParseAttr(condition)
		if err != nil {
			return
		}
		if _, err := a.Check(value, series); err != nil {
			if _, bad := Version(value); bad == nil {
				t.Errorf("%q of %q: %v", condition, value, err)
			}
		}
		if a.String() == "" {
			t.Errorf("%q reads as an empty condition", condition)
		}
	})
}

func TestNew(t *testing.T) {
	data, err := New("my-recipe")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Load(data, "my-recipe.yaml", tables(t)); err != nil {
		t.Errorf("the template does not lint: %v", err)
	}
	if _, err := New("My Recipe"); err == nil {
		t.Error("a bad name is accepted")
	}
}

func TestAttr(t *testing.T) {
	for _, tt := range []struct {
		condition, value, series string
		want                     bool
	}{
		{"is x64", "X64", "", true},
		{"has 12.1", "11.8,12.1", "", true},
		{"has 12.1", "11.8,12.10", "", false},
		{"has series of cuda", "11.8,12.1", "12.1", true},
		{"has series of cuda", "11.8", "12.1", false},
		{"has series of cuda", "11.8", "", false},
		{"starts YES", "YES (ver 12.1)", "", true},
		{"starts YES", "NO", "", false},
		{">= 3.5", "3.10.2", "", true},
		{"< 4", "4.0.1", "", false},
	} {
		a, err := ParseAttr(tt.condition)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := a.Check(tt.value, tt.series); err != nil || got != tt.want {
			t.Errorf("%s of %q (series %q) = %v, %v", tt.condition, tt.value, tt.series, got, err)
		}
	}
}

func TestRelate(t *testing.T) {
	for _, tt := range []struct {
		relation, value, version string
		want                     bool
	}{
		{">=", "525.60.13", "535.54.03", true},
		{">=", "525.60.13", "520.61.05", false},
		{"series", "11.1.1", "11.1.0", true},
		{"series", "11.1.1", "11.2", false},
		{"series", "10.1", "10.1.243", true},
		{"series", "10.1", "10.2", false},
	} {
		c, err := Relate(tt.relation, tt.value)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := c.Check(tt.version); err != nil || got != tt.want {
			t.Errorf("%s %s of %s = %v, %v", tt.relation, tt.value, tt.version, got, err)
		}
	}
	if _, err := Relate("about", "1"); err == nil {
		t.Error("an unknown relation is accepted")
	}
}
