package judge_test

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
)

// openposeHost is a Windows machine with a card, Visual Studio 2019, a CUDA and a
// cuDNN.
func openposeHost(sm, cuda, cudnn string) *facts.Facts {
	f := &facts.Facts{
		OS: facts.OS{Family: "windows", ID: "windows", Version: "10", Arch: "amd64"}, CPU: facts.CPU{Arch: "amd64"},
		GPUs: []facts.GPU{{Vendor: "nvidia", Name: "NVIDIA GeForce RTX", ComputeCapability: sm}}, Components: map[string][]facts.Instance{},
	}
	f.Add("visual-studio", facts.Instance{Version: "16.11.34", Active: true, Path: `C:\VS`})
	f.Add("nvidia-driver", facts.Instance{Version: "576.02", Active: true})
	if cuda != "" {
		f.Add("cuda", facts.Instance{Version: cuda, Active: true, Path: `C:\CUDA`, Has: []string{"nvcc"}})
		f.Add("cudnn", facts.Instance{Version: cudnn, Active: true, Path: `C:\CUDA\bin\cudnn64_8.dll`, Via: []string{"dll"}})
	}
	return f
}

// embedded gives a recipe of the library, and the tables that it is judged by.
func embedded(t *testing.T, name string) (*recipes.Recipe, *recipes.Tables) {
	t.Helper()
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipes.Find(name, "")
	if err != nil {
		t.Fatal(err)
	}
	return r, tables
}

// TestOpenPoseCUDA: the CUDA that a release documents is asked for only where that
// CUDA has code for the card. An RTX 40 or 50 needs one that no release documents.
func TestOpenPoseCUDA(t *testing.T) {
	r, tables := embedded(t, "openpose-windows")
	for _, c := range []struct {
		name, sm, cuda, cudnn string
		want                  map[string]judge.State
		fix                   string // of openpose.cuda-present
	}{
		{"RTX 3090 with what master documents", "8.6", "11.1.1", "8.1.0", map[string]judge.State{"openpose.cuda": judge.OK, "openpose.cudnn": judge.Skipped, "cuda.sm": judge.OK}, ""},
		{"RTX 3090 with a newer CUDA", "8.6", "11.8.0", "8.9.7", map[string]judge.State{"openpose.cuda": judge.Fail, "cuda.sm": judge.OK}, ""},
		{"RTX 4090 with CUDA 11.8", "8.9", "11.8.0", "8.9.7", map[string]judge.State{"openpose.cuda": judge.Skipped, "openpose.cudnn": judge.Skipped, "cuda.sm": judge.OK}, ""},
		{"RTX 4090 with what master documents", "8.9", "11.1.1", "8.1.0", map[string]judge.State{"openpose.cuda": judge.Skipped, "cuda.sm": judge.Fail}, ""},
		{"RTX 5090 with CUDA 12.8", "12.0", "12.8.1", "9.8.0", map[string]judge.State{"openpose.cuda": judge.Skipped, "openpose.cudnn": judge.Skipped, "cuda.sm": judge.OK}, ""},
		{"RTX 4090 without CUDA", "8.9", "", "", map[string]judge.State{"openpose.cuda-present": judge.Fail}, "They are for Visual Studio 2019 and CUDA 11, and need this GPU's number (89) added to Caffe_known_gpu_archs in caffe\\cmake\\Cuda.cmake. Build it with cuDNN 8.9.7"},
		{"RTX 4090 without CUDA (its version)", "8.9", "", "", map[string]judge.State{"openpose.cuda-present": judge.Fail}, "CUDA Toolkit 11.8.0"},
		{"RTX 5090 without CUDA", "12.0", "", "", map[string]judge.State{"openpose.cuda-present": judge.Fail}, "Nobody documents this build with CUDA 12."},
		{"RTX 5090 without CUDA (its version)", "12.0", "", "", map[string]judge.State{"openpose.cuda-present": judge.Fail}, "CUDA Toolkit 12.8.1"},
		{"RTX 3090 without CUDA", "8.6", "", "", map[string]judge.State{"openpose.cuda-present": judge.Fail}, "CUDA Toolkit 11.1.1"},
	} {
		for _, f := range judge.Evaluate(r, tables, openposeHost(c.sm, c.cuda, c.cudnn)).Findings {
			if want, asked := c.want[f.ID]; asked && f.State != want {
				t.Errorf("%s: %s is %s, not %s: %s", c.name, f.ID, f.State, want, f.Found)
			}
			if f.ID == "openpose.cuda-present" && !strings.Contains(f.Fix, c.fix) {
				t.Errorf("%s: %s", c.name, f.Fix)
			}
			if own := strings.Contains(f.Fix, "build Caffe from source"); own && c.sm == "8.6" {
				t.Errorf("%s: %s", c.name, f.Fix)
			}
		}
	}
}

// TestOpenPoseServer: releases up to 1.7.0 download from a server that is gone,
// which matters until OpenPose is there.
func TestOpenPoseServer(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	here := openposeHost("8.6", "11.1.1", "8.1.0")
	here.Add("openpose", facts.Instance{Version: "1.7.0", Active: true, Path: `C:\openpose`})
	for _, c := range []struct {
		recipe, release string
		f               *facts.Facts
		fix             string // "" for no finding
	}{
		{"openpose-windows", "1.7.0", openposeHost("8.6", "", ""), "-DDOWNLOAD_SERVER=http://vcl.snu.ac.kr/OpenPose/"},
		{"openpose-windows", "1.2.1", openposeHost("8.6", "", ""), "--set release=master"},
		{"openpose-windows", "master", openposeHost("8.6", "", ""), ""},
		{"openpose-windows", "1.7.0", here, ""},
		{"openpose-linux", "1.7.0", &facts.Facts{OS: facts.OS{Family: "linux", ID: "ubuntu", Version: "20.04"}}, "-DDOWNLOAD_SERVER"},
	} {
		r, err := recipes.Find(c.recipe, "")
		if err != nil {
			t.Fatal(err)
		}
		if r, err = r.Set(map[string]string{"release": c.release}); err != nil {
			t.Fatal(err)
		}
		fix := ""
		for _, f := range judge.Evaluate(r, tables, c.f).Findings {
			if f.ID == "openpose.download-server" && f.State == judge.Info {
				fix = f.Fix
			}
		}
		if (fix == "") != (c.fix == "") || !strings.Contains(fix, c.fix) {
			t.Errorf("%s %s: %q", c.recipe, c.release, fix)
		}
	}
}

// TestNotPackagedIsNotAdvised: bookworm has no libonnxruntime-dev, trixie has one.
func TestNotPackagedIsNotAdvised(t *testing.T) {
	r, tables := embedded(t, "onnxruntime")
	for version, advised := range map[string]bool{"12": false, "13": true} {
		f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "debian", Version: version, Arch: "amd64", Libc: facts.Libc{Kind: "glibc", Version: "2.36"}}, CPU: facts.CPU{Arch: "amd64"}, Components: map[string][]facts.Instance{}}
		f.Add("apt", facts.Instance{Version: "2.6.1", Active: true})
		for _, x := range judge.Evaluate(r, tables, f).Findings {
			if x.ID == "onnxruntime.version" && (x.State != judge.Fail || x.Fix == "" || strings.Contains(x.Fix, "libonnxruntime-dev") != advised) {
				t.Errorf("Debian %s: %s %q", version, x.State, x.Fix)
			}
		}
	}
}

// TestNoATLAS: ATLAS left Debian in trixie, so that OpenBLAS is advised there.
func TestNoATLAS(t *testing.T) {
	r, tables := embedded(t, "openpose-linux")
	for version, want := range map[string]string{"12": "libatlas-base-dev", "13": "libopenblas-dev, and change Atlas to Open"} {
		f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "debian", Version: version, Arch: "amd64"}, CPU: facts.CPU{Arch: "amd64"}, Components: map[string][]facts.Instance{}}
		f.Add("apt", facts.Instance{Version: "2.6.1", Active: true})
		for _, x := range judge.Evaluate(r, tables, f).Findings {
			if x.ID == "blas.openpose" && (x.State != judge.Fail || !strings.Contains(x.Fix, want)) {
				t.Errorf("Debian %s: %s %q", version, x.State, x.Fix)
			}
		}
	}
}

// TestProtocOfOtherRelease: protoc and the headers must be of one release.
func TestProtocOfOtherRelease(t *testing.T) {
	r, tables := embedded(t, "openpose-linux")
	for _, c := range []struct{ name, protoc, headers, fix string }{
		{"of one release", "3.12.4", "3.12.4", ""},
		{"pkg-config says one number more", "25.3", "25.3.0", ""},
		{"protoc of another", "3.21.12", "3.12.4", "Put /usr/bin before the folder of /opt/protoc/bin/protoc in PATH"},
		{"not known", "", "3.12.4", ""},
	} {
		f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "ubuntu", Version: "22.04", Arch: "amd64"}, CPU: facts.CPU{Arch: "amd64"}, Components: map[string][]facts.Instance{}}
		f.Add("protoc", facts.Instance{Version: c.protoc, Path: "/opt/protoc/bin/protoc", Active: true})
		f.Add("protoc", facts.Instance{Version: "3.12.4", Path: "/usr/bin/protoc"})
		f.Add("protobuf", facts.Instance{Version: c.headers, Path: "/usr", Active: true, Has: []string{"headers"}, Places: facts.Places{Include: "/usr/include"}})
		fix := ""
		for _, x := range judge.Evaluate(r, tables, f).Findings {
			if x.ID == "protobuf.protoc" {
				fix = x.Fix
			}
		}
		if (fix == "") != (c.fix == "") || !strings.Contains(fix, c.fix) {
			t.Errorf("%s: %q", c.name, fix)
		}
	}
}
