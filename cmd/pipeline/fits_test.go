package pipeline

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

func TestFits(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	list, err := recipes.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	linux := func(components ...string) *facts.Facts {
		f := &facts.Facts{
			OS:  facts.OS{Family: "linux", ID: "ubuntu", Version: "22.04", Arch: "amd64", Libc: facts.Libc{Kind: "glibc", Version: "2.35"}},
			CPU: facts.CPU{Arch: "amd64", Features: []string{"sse4.2", "avx", "avx2"}}, Memory: facts.Memory{Total: 16 << 30}, Components: map[string][]facts.Instance{},
		}
		for _, name := range components {
			f.Components[name] = []facts.Instance{{Version: "1.0", Active: true}}
		}
		return f
	}
	windows := func(components ...string) *facts.Facts {
		f := linux(components...)
		f.OS = facts.OS{Family: "windows", ID: "windows", Version: "10.0.22631", Arch: "amd64"}
		return f
	}
	for _, c := range []struct {
		f          *facts.Facts
		asked      string
		want, none string
	}{
		{linux("openpose", "darknet"), "opencv-yolov3", "deployctl doctor --recipe openpose-linux or --recipe darknet.", "openpose-windows"},
		{linux("onnxruntime"), "opencv-yolov3", "Also found: ONNX Runtime.", ""},
		{linux("onnxruntime"), "onnxruntime", "", "Also"},
		{linux("gcc"), "opencv-yolov3", "", "Also"},
		{windows("visual-studio"), "opencv-yolov3", "Also found: Visual Studio. To check for that, run deployctl doctor --recipe openpose-windows.", ""},
		{linux("cuda"), "opencv-yolov3", "", "opencv-cuda"}, // without a card it is of no use
	} {
		got, err := others(c.asked, c.f, tables, func(func(string) bool) ([]*recipes.Recipe, error) { return list, nil })
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(got, c.want) || c.none != "" && strings.Contains(got, c.none) {
			t.Errorf("%v: %q", c.f.Components, got)
		}
	}
	kinds := map[string]fit{"openpose-windows": otherSystem, "opencv-cuda": lacksHardware, "opencv-yolov3": fitsHere}
	for _, r := range list {
		if want, ok := kinds[r.Name]; ok && fitOf(r, tables, linux()) != want {
			t.Errorf("%s: %v", r.Name, fitOf(r, tables, linux()))
		}
	}
}
