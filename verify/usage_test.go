package verify

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/darknet"
)

func TestSizeIsAMultipleOf32(t *testing.T) {
	f := newFiles(t)
	for size, words := range map[int]string{100: "use 96 or 128", 20: "use 32", 417: "use 416 or 448"} {
		o := f.options(t)
		o.Size = size
		var input *InputError
		if _, err := Run(t.Context(), o); !errors.As(err, &input) || !strings.Contains(err.Error(), words) {
			t.Errorf("%d: %v", size, err)
		}
	}
	o := f.options(t)
	o.Size = 96
	if _, err := Run(t.Context(), o); err != nil {
		t.Errorf("96: %v", err)
	}
}

// TestFamilies: each network that deployctl knows has weights and known objects, in a
// folder of its own.
func TestFamilies(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: writes 0.6 GB of weights")
	}
	o := Options{Cache: t.TempDir()}
	folders := map[string]bool{}
	for _, family := range darknet.Families() {
		o.Model = family
		m, err := resolve(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if m.net.Name != family || m.weights.Kind != SelfTest || len(m.expected) != 8 || folders[m.weights.Path] {
			t.Errorf("%s: %s with %+v and %d objects", family, m.net.Name, m.weights, len(m.expected))
		}
		folders[m.weights.Path] = true
	}
	for _, o := range []Options{{Model: "yolov9"}, {Model: darknet.YOLOv4, Weights: "a.weights", Config: "a.cfg"}} {
		var input *InputError
		if err := o.defaults(); !errors.As(err, &input) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestLetterBoxIsHonored: a configuration that says letter_box=0 sees the
// picture without grey bars.
func TestLetterBoxIsHonored(t *testing.T) {
	f := newFiles(t)
	o := f.options(t)
	v := map[string]*view{}
	for _, line := range []string{"", "letter_box=1", "letter_box=0"} {
		if err := os.WriteFile(f.config, []byte(strings.Replace(small, "channels=3", "channels=3\n"+line, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		m, seen, err := prepare(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if len(m.net.Ignored) > 0 {
			t.Errorf("%s: ignored %v", line, m.net.Ignored)
		}
		v[line] = seen
	}
	if v[""].box != v["letter_box=1"].box || v[""].box.OffsetY == 0 {
		t.Errorf("letterboxed: %+v, %+v", v[""].box, v["letter_box=1"].box)
	}
	if b := v["letter_box=0"].box; b.OffsetX != 0 || b.OffsetY != 0 || b.InnerW != 64 || b.InnerH != 64 {
		t.Errorf("stretched: %+v", b)
	}
}

func TestLimitsAreNamed(t *testing.T) {
	const yolov3 = 62_001_757
	for _, c := range []struct {
		space, files uint64
		params       int
		words        string
	}{
		{0, 0, yolov3, ""},
		{4_000_000_000, 1024, yolov3, ""},
		{2_000_000_000, 1024, 1000, ""},
		{2_000_000_000, 1024, yolov3, "limited to 2.0 GB, the proof needs 3.5 GB"},
		{1_000_000_000, 1024, 0, "ulimit -v"},
		{0, 12, 0, "only 12 files"},
	} {
		err := checkLimits(c.space, c.files, c.params)
		if (err == nil) != (c.words == "") || err != nil && !strings.Contains(err.Error(), c.words) {
			t.Errorf("%d, %d, %d: %v", c.space, c.files, c.params, err)
		}
	}
}
