package verify

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/judge"
)

// publishedOf is the entry for a network.
func publishedOf(t *testing.T, model string) *Published {
	t.Helper()
	var list []Published
	if err := yaml.UnmarshalWithOptions(publishedList, &list, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(p Published) bool { return p.Model == model })
	if i < 0 {
		t.Fatalf("nothing for %s", model)
	}
	return &list[i]
}

// tinyOnDog are the boxes that the reference engine finds in dog.jpg with the published
// yolov3-tiny.weights (2026-11-29).
func tinyOnDog() []Box {
	return []Box{
		{"car", 2, 0.6141, 465.4, 71.3, 214.1, 98.5}, {"bicycle", 1, 0.5926, 205.6, 150.8, 370.4, 299.3},
		{"dog", 16, 0.5639, 128.7, 186.2, 240.8, 331.4}, {"truck", 7, 0.5628, 533.4, 94.7, 88.4, 62.7}, {"car", 2, 0.5079, 533.4, 94.7, 88.4, 62.7},
	}
}

// TestPublishedList: what is in the list can be checked.
func TestPublishedList(t *testing.T) {
	for _, name := range []string{darknet.YOLOv3, "yolov3-tiny"} {
		p := publishedOf(t, name)
		if p.Size < 1 || len(p.SHA256) != 64 || !strings.HasPrefix(p.Source, "https://") || p.ScoreTolerance <= 0 || p.ScoreTolerance > 0.05 || p.Overlap < 0.5 || len(p.Objects) == 0 {
			t.Errorf("%+v", p)
		}
		for _, o := range p.Objects {
			if class(o.Class) < 0 || o.Score < 0.5 || o.Score > 1 || o.Place != nil && len(o.Place) != 4 {
				t.Errorf("%s: %+v", name, o)
			}
		}
	}
}

// TestPublishedDiffers: what is found must be what was published, and nothing else.
func TestPublishedDiffers(t *testing.T) {
	p := publishedOf(t, "yolov3-tiny")
	change := func(f func(list []Box) []Box) []Box { return f(tinyOnDog()) }
	for _, c := range []struct {
		name      string
		boxes     []Box
		precision judge.Precision
		want      string
	}{
		{"as published", tinyOnDog(), judge.FP32, ""},
		{"names of the user's", change(func(l []Box) []Box { l[2].Class = "Hund"; return l }), judge.FP32, ""},
		{"a weak one that is not listed", change(func(l []Box) []Box { l[4].Score = 0.505; return l[:4] }), judge.BF16, ""},
		{"one that is not there", change(func(l []Box) []Box { return slices.Delete(l, 2, 3) }), judge.FP32, "dog with 57 %"},
		{"another class", change(func(l []Box) []Box { l[2].ID, l[2].Class = 15, "cat"; return l }), judge.FP32, "dog with 57 %"},
		{"another score", change(func(l []Box) []Box { l[1].Score = 0.65; return l }), judge.FP32, "bicycle with 59 %, instead bicycle with 65 %"},
		{"a score of half precision", change(func(l []Box) []Box { l[1].Score = 0.63; return l }), judge.FP16, ""},
		{"another place", change(func(l []Box) []Box { l[2].X += 300; return l }), judge.FP32, "dog with 57 %, instead dog with 56 %"},
		{"one more", change(func(l []Box) []Box { return append(l, Box{"person", 0, 0.9, 1, 1, 50, 50}) }), judge.FP32, "instead person with 90 %"},
		{"a weak one more", change(func(l []Box) []Box { return append(l, Box{"person", 0, 0.51, 1, 1, 50, 50}) }), judge.FP32, ""},
		{"nothing", []Box{}, judge.FP32, "dog with 57 %, car with 62 %, bicycle with 59 %, truck with 56 %, car with 52 %"},
	} {
		if got := p.differs(c.boxes, 768, 576, c.precision); got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
	e := &Engine{Name: "x", Target: "cpu", State: OK, Boxes: []Box{}}
	if e.publishedHere(p, 768, 576); e.State != Fail || !strings.Contains(e.Why, "dog.jpg was not found: dog with 57 %") || e.Fix == "" {
		t.Errorf("%+v", e)
	}
	e = &Engine{Name: "x", Target: "cpu", State: OK, Boxes: tinyOnDog()}
	if e.publishedHere(p, 768, 576); e.State != OK {
		t.Errorf("%+v", e)
	}
}

// TestPublishedApplies: only the published weights, picture and size are held to it.
func TestPublishedApplies(t *testing.T) {
	f := newFiles(t)
	o := f.options(t, fake{name: "gocv"})
	m, err := resolve(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	tiny := publishedOf(t, "yolov3-tiny")
	m.net.Width, m.net.Height = tiny.Size, tiny.Size
	check := func(name string, want bool) {
		t.Helper()
		if p, err := published(o, m); err != nil || (p != nil) != want {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	check("weights of the user's", false)
	m.weights.SHA256 = "dccea06f59b781ec1234ddf8d1e94b9519a97f4245748a7d4db75d5b7080a42c"
	check("another picture", false)
	if dog := os.Getenv("DEPLOYCTL_TEST_PUBLISHED"); dog != "" {
		o.Image = filepath.Join(dog, "dog.jpg")
		check("the published picture", true)
		m.net.Stretch = true
		check("a stretched picture", false)
		m.net.Stretch, m.net.Width = false, 608
		check("another size", false)
	}
}

// TestPublishedLive runs the reference with published weights on the published picture.
func TestPublishedLive(t *testing.T) {
	dir := os.Getenv("DEPLOYCTL_TEST_PUBLISHED")
	if dir == "" {
		t.Skip("skipped: name a folder with dog.jpg and yolov3-tiny.weights or yolov3.weights in DEPLOYCTL_TEST_PUBLISHED")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.weights"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no weights: %v", err)
	}
	for _, file := range files {
		r, err := Run(t.Context(), Options{Weights: file, Image: filepath.Join(dir, "dog.jpg"), Cache: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		if r.Published == nil || r.State != OK {
			t.Errorf("%s: %+v, %+v", file, r.Published, r.Engines)
		}
		t.Logf("%s: %+v", file, r.Engines[0].Boxes)
	}
}
