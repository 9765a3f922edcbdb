package judge

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestCUDAChoice: the toolkit to install fits the card, the driver, the compiler,
// cuDNN, OpenCV and the framework together, and leaves what is installed as it is
// where it can.
func TestCUDAChoice(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	type part struct {
		name string
		i    facts.Instance
	}
	gcc := func(version string) part { return part{"gcc", facts.Instance{Version: version, Active: true}} }
	other := func(version string) part {
		return part{"gcc", facts.Instance{Version: version, Path: "/usr/bin/gcc-" + version}}
	}
	cudnn := func(version string) part { return part{"cudnn", facts.Instance{Version: version, Active: true}} }
	for _, tt := range []struct {
		name, recipe, sm, driver string
		parts                    []part
		want                     string // a constraint on the toolkit
		cudnn                    string // and on the cuDNN that goes with it
	}{
		{"GTX 1080: the last toolkit and a cuDNN with its code", "opencv-cuda", "6.1", "580.95.05", []part{gcc("12.2.0")}, ">= 12.8, < 13", ">= 9.7, < 9.11"},
		{"TITAN V", "opencv-cuda", "7.0", "580.95.05", []part{gcc("13.2.0")}, ">= 12.8, < 13", "< 9.11"},
		{"RTX 5090: the newest that an OpenCV was built with", "opencv-cuda", "12.0", "610.43.02", []part{gcc("13.2.0")}, ">= 13.2, < 13.3", ">= 9.12"},
		{"RTX 5090 on a driver of CUDA 12", "opencv-cuda", "12.0", "570.86.10", []part{gcc("13.2.0")}, ">= 12.8, < 13", ">= 9.7"},
		{"the cuDNN 8.9 that is here stays", "opencv-cuda", "8.6", "580.95.05", []part{gcc("12.2.0"), cudnn("8.9.7")}, ">= 12.0, < 12.4", ""},
		{"GCC 15 and nothing else: CUDA 13", "opencv-cuda", "8.9", "610.43.02", []part{gcc("15.1.0")}, ">= 13.0, < 14", ">= 9.12"},
		{"GCC 15 on a driver of CUDA 12, a GCC 12 beside it", "opencv-cuda", "8.9", "550.54.14", []part{gcc("15.1.0"), other("12")}, ">= 12.0, < 13", ">= 8"},
		{"H100 on a driver of CUDA 11", "opencv-cuda", "9.0", "520.61.05", []part{gcc("11.4.0")}, ">= 11.8, < 11.9", ">= 8.5, < 9.11"},
		{"Kepler", "opencv-cuda", "3.5", "470.256.02", []part{gcc("11.4.0")}, ">= 11.0, < 12", "< 8.9.1"},
		{"LibTorch 2.5 that is here stays", "libtorch", "8.6", "580.95.05", []part{gcc("12.2.0"), {"libtorch", facts.Instance{Version: "2.5.1", Active: true}}}, ">= 12.4, < 12.5", ""},
		{"ONNX Runtime 1.18.0 that is here stays", "onnxruntime", "8.6", "580.95.05", []part{{"onnxruntime", facts.Instance{Version: "1.18.0", Active: true}}}, ">= 12.0, < 12.4", "< 9"},
		{"ONNX Runtime 1.30 that is here stays", "onnxruntime", "8.6", "580.95.05", []part{{"onnxruntime", facts.Instance{Version: "1.30.0", Active: true}}}, ">= 13, < 14", ">= 9"},
	} {
		r, err := recipes.Find(tt.recipe, "")
		if err != nil {
			t.Fatal(err)
		}
		if r.Parameters["gpu"].Default != "" {
			if r, err = r.Set(map[string]string{"gpu": "cuda"}); err != nil {
				t.Fatal(err)
			}
		}
		f := gpuHost("linux", "card", tt.sm, nil)
		f.Components = nil
		f.Add("nvidia-driver", facts.Instance{Version: tt.driver, Active: true})
		for _, p := range tt.parts {
			f.Add(p.name, p.i)
		}
		e := &evaluation{recipe: r, tables: tables, facts: f}
		any, err := recipes.ParseConstraint("")
		if err != nil {
			t.Fatal(err)
		}
		want, err := recipes.ParseConstraint(tt.want)
		if err != nil {
			t.Fatal(err)
		}
		got := e.cudaFor(any, true)
		if !holds(want, got) {
			t.Errorf("%s: CUDA %q, want %s", tt.name, got, tt.want)
		}
		if tt.cudnn == "" {
			continue
		}
		if want, err = recipes.ParseConstraint(tt.cudnn); err != nil {
			t.Fatal(err)
		}
		text := e.cudnnAdvice(&recipes.ComponentCheck{})
		if !holds(want, e.advised["cudnn"]) {
			t.Errorf("%s: with CUDA %s: %q, want cuDNN %s", tt.name, got, text, tt.cudnn)
		}
	}
}

// TestOlderCompiler: an older GCC is named as the distribution packages it.
func TestOlderCompiler(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipes.Find("darknet", "")
	if err != nil {
		t.Fatal(err)
	}
	if r, err = r.Set(map[string]string{"gpu": "cuda"}); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		os                  facts.OS
		cuda, gcc           string
		want, not, otherGCC string
	}{
		{facts.OS{ID: "ubuntu", Version: "24.04", Like: []string{"debian"}}, "11.7.99", "13.2.0", "packages gcc-11 and g++-11", "", ""},
		{facts.OS{ID: "ubuntu", Version: "24.04", Like: []string{"debian"}}, "10.2.89", "13.2.0", "Install GCC", "packages", ""}, // GCC 8 is not there
		{facts.OS{ID: "debian", Version: "13"}, "11.8.89", "14.2.0", "Install GCC", "packages", ""},
		{facts.OS{ID: "debian", Version: "13"}, "12.4.131", "14.2.0", "packages gcc-13 and g++-13", "", ""},
		{facts.OS{ID: "debian", Version: "13"}, "12.4.131", "14.2.0", "/usr/bin/gcc-13 is installed, too", "Install", "13.3.0"},
		{facts.OS{ID: "fedora", Version: "42"}, "12.4.131", "15.1.1", "CMAKE_CUDA_HOST_COMPILER", "packages", ""},
		{facts.OS{ID: "debian", Version: "12"}, "12.4.131", "12.2.0", "", "", ""},
	} {
		f := gpuHost("linux", "card", "7.5", nil)
		f.OS.ID, f.OS.Version, f.OS.Like, f.Components = tt.os.ID, tt.os.Version, tt.os.Like, nil
		f.Add("nvidia-driver", facts.Instance{Version: "550.54.14", Active: true})
		f.Add("cuda", facts.Instance{Version: tt.cuda, Path: "/usr/local/cuda", Active: true, Has: []string{"nvcc"}})
		f.Add("gcc", facts.Instance{Version: tt.gcc, Path: "/usr/bin/gcc", Active: true})
		if tt.otherGCC != "" {
			f.Add("gcc", facts.Instance{Version: tt.otherGCC, Path: "/usr/bin/gcc-13"})
		}
		for _, finding := range Evaluate(r, tables, f).Findings {
			if finding.ID != "cuda.gcc" {
				continue
			}
			if (finding.State == Fail) != (tt.want != "") || tt.want != "" && (!strings.Contains(finding.Fix, tt.want) || tt.not != "" && strings.Contains(finding.Fix, tt.not)) {
				t.Errorf("%s %s, CUDA %s, GCC %s: %s, %q", tt.os.ID, tt.os.Version, tt.cuda, tt.gcc, finding.State, finding.Fix)
			}
		}
	}
}
