package judge

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestWheelCuDNN: what pip's onnxruntime-gpu needs where its imports could not be read.
func TestWheelCuDNN(t *testing.T) {
	_, tables := load(t)
	wheel := func(version string) facts.Instance {
		return facts.Instance{Version: version, Path: `C:\Python310\Lib\site-packages\onnxruntime`, Attrs: map[string]string{"kind": "wheel", "package": "onnxruntime-gpu"}}
	}
	read, plain := wheel("1.21.0"), wheel("1.21.0")
	read.Built.CUDA = "12"
	plain.Attrs["package"] = "onnxruntime"
	for name, c := range map[string]struct {
		wheel       facts.Instance
		cuda, cudnn string
		want        string
	}{
		"9 wanted, 8 here":         {wheel("1.21.0"), "12.4.1", "8.8.1", "cuDNN 9"},
		"8 wanted, 9 here":         {wheel("1.18.0"), "11.8.0", "9.1.0", "cuDNN 8"},
		"the same":                 {wheel("1.21.0"), "12.4.1", "9.6.0", ""},
		"none at all":              {wheel("1.21.0"), "12.4.1", "", ""},
		"a CUDA that has no entry": {wheel("1.21.0"), "10.2.89", "8.8.1", ""},
		"its imports say it":       {read, "12.4.1", "8.8.1", ""},
		"the package for the CPU":  {plain, "12.4.1", "8.8.1", ""},
	} {
		f := &facts.Facts{OS: facts.OS{Family: "windows", ID: "windows"}, Components: map[string][]facts.Instance{
			"onnxruntime": {c.wheel}, "cuda": {{Version: c.cuda, Active: true}}}}
		if c.cudnn != "" {
			f.Components["cudnn"] = []facts.Instance{{Version: c.cudnn, Active: true}}
		}
		got := ""
		for _, x := range Evaluate(&recipes.Recipe{Name: "test", Components: []string{"onnxruntime", "cuda"}}, tables, f).Findings {
			if x.ID == "onnxruntime.wheel-cudnn" && x.State == Fail {
				got = x.Fix
			}
		}
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
