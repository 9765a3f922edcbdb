package judge

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// judge evaluates one requirement, written as in a recipe.
func judge(t *testing.T, f *facts.Facts, requirement string, set map[string]string) Finding {
	t.Helper()
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	text := "schema: 1\nname: one\ntitle: One\nparameters:\n  gpu: {title: what, default: cpu, choices: [cpu, cuda]}\n" +
		"  release: {title: which, default: master, choices: [master, 1.6.0]}\n" +
		"requirements:\n  - id: a.b\n    title: a\n    why: b\n    manual: c\n" + requirement
	r, err := recipes.Load([]byte(text), "one.yaml", tables)
	if err != nil {
		t.Fatal(err)
	}
	if r, err = r.Set(set); err != nil {
		t.Fatal(err)
	}
	return Evaluate(r, tables, f).Findings[0]
}

func gpuHost(os, name, capability string, components map[string]facts.Instance) *facts.Facts {
	f := &facts.Facts{OS: facts.OS{Family: os, ID: os, Version: "10.0.22631", Arch: "amd64"}}
	if name != "" {
		f.GPUs = []facts.GPU{{Vendor: "nvidia", Name: name, ComputeCapability: capability, Memory: 8 << 30}}
	}
	for c, i := range components {
		i.Active = true
		f.Add(c, i)
	}
	return f
}

func TestEvaluateMore(t *testing.T) {
	version := func(v string) facts.Instance { return facts.Instance{Version: v} }
	with := func(pairs ...any) map[string]facts.Instance {
		m := map[string]facts.Instance{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1].(facts.Instance)
		}
		return m
	}
	studio := func(customizations string) facts.Instance {
		return facts.Instance{Version: "17.10.1", Path: `C:\VS`, Attrs: map[string]string{"cuda_customizations": customizations}}
	}
	ubuntuHost := func(release string) *facts.Facts {
		f := gpuHost("linux", "", "", with("cuda", version("11.7.1")))
		f.OS.ID, f.OS.Version = "ubuntu", release
		return f
	}
	unknownCard := gpuHost("linux", "", "", with("cuda", version("12.4")))
	unknownCard.GPUs = []facts.GPU{{Vendor: "nvidia", ID: "10de:3584"}}
	docker := gpuHost("linux", "", "", nil)
	docker.OS.Container, docker.OS.Kernel = "docker", "6.8.0-45-generic"
	desktop := gpuHost("linux", "", "", nil)
	desktop.OS.Container, desktop.OS.Kernel = "docker", "6.10.14-linuxkit"
	const (
		driver    = "    compat: {table: cuda-driver, given: [os, cuda], choose: driver_minor, holds: {nvidia-driver: \">=\"}}\n"
		sm        = "    compat: {table: cuda-sm, given: [sm, cuda], choose: generation}\n"
		gcc       = "    compat: {table: cuda-gcc, given: [cuda, gcc], choose: gcc_max}\n"
		msvc      = "    compat: {table: cuda-msvc, given: [cuda, msvc], choose: vs}\n"
		vs        = "    component: {name: visual-studio, attr: {cuda_customizations: has series of cuda}}\n"
		pose      = "    compat: {table: openpose, given: [os, visual-studio], parameters: {openpose: release}, choose: cuda, holds: {cuda: series}}\n"
		dnn       = "    compat: {table: openpose, given: [os, visual-studio], parameters: {openpose: release}, choose: cudnn, holds: {cudnn: major}}\n"
		build     = "    compat: {table: opencv-cuda, given: [opencv, cuda, cudnn], choose: cxx}\n"
		generator = "    compat: {table: vs-toolset-cmake, given: [visual-studio, cmake], choose: generator}\n"
		sdk       = "    compat: {table: xcode, given: [xcode], choose: ios_sdk}\n"
		ndk       = "    compat: {table: android-ndk, given: [android-ndk], choose: clang}\n"
		pair      = "    compat: {table: cudnn-cuda, given: [cudnn, cuda, sm], optional: [sm], choose: gpus}\n"
		ubuntu    = "    compat: {table: openpose-ubuntu, given: [ubuntu], parameters: {openpose: release}, choose: cuda, holds: {cuda: major}}\n"
	)
	for _, tt := range []struct {
		name        string
		facts       *facts.Facts
		requirement string
		set         map[string]string
		state       State
		found       string
	}{
		{"GPU there", gpuHost("linux", "NVIDIA L4", "8.9", nil), "    gpu: {vendor: [nvidia], compute: \">= 5.0\", memory: 4GiB}\n", nil, OK, "NVIDIA L4"},
		{"GPU too old", gpuHost("linux", "NVIDIA Tesla K80", "3.7", nil), "    gpu: {vendor: [nvidia], compute: \">= 5.0\"}\n", nil, Fail, "3.7"},
		{"GPU too small", gpuHost("linux", "NVIDIA L4", "8.9", nil), "    gpu: {vendor: [nvidia], memory: 16GiB}\n", nil, Fail, "8 GiB"},
		{"GPU of another maker", gpuHost("linux", "NVIDIA L4", "8.9", nil), "    gpu: {vendor: [amd]}\n", nil, Fail, "only NVIDIA L4"},
		{"no GPU", gpuHost("linux", "", "", nil), "    gpu: {vendor: [nvidia]}\n", nil, Fail, "this machine has no NVIDIA GPU"},
		{"GPU that does not tell", gpuHost("linux", "NVIDIA device 1234", "", nil), "    gpu: {vendor: [nvidia], compute: \">= 5.0\"}\n", nil, Unknown, "could not be determined"},
		{"GPU whose name alone is known", gpuHost("windows", "NVIDIA GeForce RTX 3060", "", nil), "    gpu: {vendor: [nvidia], compute: \">= 8.6\"}\n", nil, Unknown, "could not be determined"},
		{"no GPU where a container runs", docker, "    gpu: {vendor: [nvidia]}\n", nil, Pending, "where this container runs"},
		{"Docker Desktop", desktop, "    gpu: {vendor: [nvidia]}\n", nil, Pending, "where this container runs"},
		{"probe of GPUs failed", &facts.Facts{Problems: []facts.Problem{{Probe: "gpu", Covers: []string{"gpus"}, Error: "denied"}}}, "    gpu: {vendor: [nvidia]}\n", nil, Unknown, "denied"},

		{"driver new enough", gpuHost("linux", "", "", with("cuda", version("12.4.131"), "nvidia-driver", version("535.54.03"))), driver, nil, OK, "525.60.13"},
		{"driver too old", gpuHost("linux", "", "", with("cuda", version("12.4.131"), "nvidia-driver", version("470.82.01"))), driver, nil, Fail, "needs >= 525.60.13"},
		{"driver missing", gpuHost("linux", "", "", with("cuda", version("12.4.131"))), driver, nil, Fail, "NVIDIA driver is not installed"},
		{"CUDA 13 on Windows", gpuHost("windows", "", "", with("cuda", version("13.1"), "nvidia-driver", version("576.57"))), driver, nil, Fail, ">= 580"},

		{"card known to CUDA", gpuHost("linux", "NVIDIA L4", "8.9", with("cuda", version("12.4"))), sm, nil, OK, "Ada"},
		{"card too new", gpuHost("linux", "NVIDIA GeForce RTX 5090", "12.0", with("cuda", version("11.8"))), sm, nil, Fail, "CUDA >= 12.8"},
		{"card too old", gpuHost("linux", "NVIDIA Tesla K80", "3.7", with("cuda", version("12.4"))), sm, nil, Fail, "< 12"},
		{"card that does not tell", gpuHost("linux", "NVIDIA device 1234", "", with("cuda", version("12.4"))), sm, nil, Unknown, "could not be determined"},
		{"card that is not known", unknownCard, sm, nil, Unknown, "GPU 10de:3584, which this deployctl does not know"},
		{"no card", gpuHost("linux", "", "", with("cuda", version("12.4"))), sm, nil, Skipped, "no NVIDIA GPU"},

		{"GCC by the table", gpuHost("linux", "", "", with("cuda", version("12.4"), "gcc", version("14.2.0"))), gcc, nil, Fail, "needs GCC >= 6, < 14"},
		{"an older GCC is given to nvcc", gpuHost("linux", "", "", with("cuda", version("12.4"), "gcc", version("14.2.0"), "g++", facts.Instance{Version: "12.3.0", Via: []string{"CUDAHOSTCXX"}})), gcc, nil, OK, "GCC 12.3.0"},
		{"a newer GCC is given to nvcc", gpuHost("linux", "", "", with("cuda", version("12.4"), "gcc", version("12.3.0"), "g++", facts.Instance{Version: "14.2.0", Via: []string{"NVCC_CCBIN"}})), gcc, nil, Fail, "needs GCC >= 6, < 14"},
		{"GCC by the machine", gpuHost("linux", "", "", with("cuda", facts.Instance{Version: "12.4", Attrs: map[string]string{"gcc_max": "14"}}, "gcc", version("14.2.0"))), gcc, nil, OK, "GCC up to 14"},
		{"GCC beyond the machine's word", gpuHost("linux", "", "", with("cuda", facts.Instance{Version: "12.4", Attrs: map[string]string{"gcc_max": "12"}}, "gcc", version("13.2.0"))), gcc, nil, Fail, "GCC up to 12"},
		{"MSVC by the table", gpuHost("windows", "", "", with("cuda", version("12.1"), "msvc", version("14.40.33807"))), msvc, nil, Fail, "needs MSVC >= 14.10, < 14.40"},
		{"MSVC by the machine", gpuHost("windows", "", "", with("cuda", facts.Instance{Version: "12.1", Attrs: map[string]string{"msc_ver_min": "1910", "msc_ver_max": "1949"}}, "msvc", version("14.40.33807"))), msvc, nil, OK, "1910 to 1949"},
		{"the machine's word is no number", gpuHost("windows", "", "", with("cuda", facts.Instance{Version: "12.1", Attrs: map[string]string{"msc_ver_min": "x", "msc_ver_max": ""}}, "msvc", version("14.39.1"))), msvc, nil, OK, "vs 2017"},

		// Newer than a table is unknown, and so is what the header decides.
		{"CUDA 13.4 with GCC 16", gpuHost("linux", "", "", with("cuda", version("13.4.59"), "gcc", version("16.1.0"))), gcc, nil, OK, "GCC 16.1.0"},
		{"CUDA 13.5 with GCC 17", gpuHost("linux", "", "", with("cuda", version("13.5.37"), "gcc", version("17.1.0"))), gcc, nil, Fail, "needs GCC >= 6, < 17"},
		{"CUDA 13.6 with GCC 17", gpuHost("linux", "", "", with("cuda", version("13.6.20"), "gcc", version("17.1.0"))), gcc, nil, Unknown, "newer than this table (2026-11): CUDA 13.6.20; its rows end with 13.5"},
		{"CUDA 13.6 whose header speaks", gpuHost("linux", "", "", with("cuda", facts.Instance{Version: "13.6.20", Attrs: map[string]string{"gcc_max": "17"}}, "gcc", version("17.1.0"))), gcc, nil, OK, "GCC up to 17"},
		{"CUDA 13.6 on Windows", gpuHost("windows", "", "", with("cuda", version("13.6.20"), "msvc", version("14.60.1"))), msvc, nil, Unknown, "newer than this table"},
		{"CUDA 13.6 and the driver", gpuHost("linux", "", "", with("cuda", version("13.6.20"), "nvidia-driver", version("620.10"))), driver, nil, OK, "580.65.06"},
		{"CUDA 13.5 and a driver too old", gpuHost("linux", "", "", with("cuda", version("13.5.37"), "nvidia-driver", version("570.26"))), driver, nil, Fail, "needs >= 580.65.06"},
		{"CUDA 14 and the driver", gpuHost("linux", "", "", with("cuda", version("14.0"), "nvidia-driver", version("620.10"))), driver, nil, Unknown, "newer than this table"},
		{"CUDA 14 and the card", gpuHost("linux", "NVIDIA L4", "8.9", with("cuda", version("14.0"))), sm, nil, Unknown, "newer than this table"},
		{"CUDA 13.5 and the card", gpuHost("linux", "NVIDIA L4", "8.9", with("cuda", version("13.5.37"))), sm, nil, OK, "Ada"},
		{"CUDA 13.5 and a card it dropped", gpuHost("linux", "NVIDIA GeForce GTX 1080", "6.1", with("cuda", version("13.5.37"))), sm, nil, Fail, "< 13"},
		{"a card newer than the table", gpuHost("linux", "NVIDIA device 4000", "14.0", with("cuda", version("13.5"))), sm, nil, Unknown, "compute capability 14.0; its rows end with 12.1"},
		{"Hopper with CUDA 11.8", gpuHost("linux", "NVIDIA H100", "9.0", with("cuda", version("11.8"))), sm, nil, OK, "Hopper"},
		{"Visual Studio 19", gpuHost("windows", "", "", with("visual-studio", version("19.0"), "cmake", version("4.6"))), generator, nil, Unknown, "Visual Studio 19.0; its rows end with 18"},
		{"Visual Studio 2026", gpuHost("windows", "", "", with("visual-studio", version("18.2"), "cmake", version("4.2.1"))), generator, nil, OK, "Visual Studio 18 2026"},
		{"Visual Studio 2026 with an old CMake", gpuHost("windows", "", "", with("visual-studio", version("18.2"), "cmake", version("3.31"))), generator, nil, Fail, ">= 4.2"},
		{"Xcode 16.4", gpuHost("darwin", "", "", with("xcode", version("16.4"))), sdk, nil, OK, "18.5"},
		{"Xcode 26", gpuHost("darwin", "", "", with("xcode", version("26.0.1"))), sdk, nil, OK, "26.0"},
		{"Xcode 27", gpuHost("darwin", "", "", with("xcode", version("27.0"))), sdk, nil, Unknown, "newer than this table (2026-11): Xcode 27.0"},
		{"NDK r29", gpuHost("linux", "", "", with("android-ndk", version("29.0.14206865"))), ndk, nil, OK, "clang 21"},
		{"NDK r30", gpuHost("linux", "", "", with("android-ndk", version("30.0.1"))), ndk, nil, Unknown, "newer than this table"},
		{"OpenPose on Ubuntu 26.04", ubuntuHost("26.04"), ubuntu, nil, Unknown, "newer than this table (2026-11): Ubuntu 26.04; its rows end with 20.04"},
		{"OpenPose on Ubuntu 20.04", ubuntuHost("20.04"), ubuntu, nil, OK, "11.7.1"},
		{"OpenPose 1.6.0 on Ubuntu 12.04", ubuntuHost("12.04"), ubuntu, nil, Fail, "no known combination"},

		{"cuDNN 9.17 with a GTX 1080", gpuHost("linux", "NVIDIA GeForce GTX 1080", "6.1", with("cuda", version("12.9"), "cudnn", version("9.17.0"))), pair, nil, Fail, "compute capability >= 7.5"},
		{"cuDNN 9.10 with a GTX 1080", gpuHost("linux", "NVIDIA GeForce GTX 1080", "6.1", with("cuda", version("12.9"), "cudnn", version("9.10.2"))), pair, nil, OK, "12.9"},
		{"cuDNN 9.11 with a Titan V", gpuHost("linux", "NVIDIA TITAN V", "7.0", with("cuda", version("12.9"), "cudnn", version("9.11.0"))), pair, nil, Fail, "compute capability >= 7.5"},
		{"cuDNN 9.5 with Blackwell", gpuHost("linux", "NVIDIA GeForce RTX 5090", "12.0", with("cuda", version("12.6"), "cudnn", version("9.5.1"))), pair, nil, Fail, "no known combination"},
		{"cuDNN 9.7 with Blackwell", gpuHost("linux", "NVIDIA GeForce RTX 5090", "12.0", with("cuda", version("12.8"), "cudnn", version("9.7.1"))), pair, nil, OK, "12.8"},
		{"cuDNN 9.12 with CUDA 13", gpuHost("linux", "NVIDIA L4", "8.9", with("cuda", version("13.0"), "cudnn", version("9.12.0"))), pair, nil, OK, "13.0"},
		{"cuDNN 9.30", gpuHost("linux", "NVIDIA L4", "8.9", with("cuda", version("13.0"), "cudnn", version("9.30.0"))), pair, nil, Unknown, "cuDNN 9.30.0; its rows end with 9.28"},

		{"OpenCV 4.11 from source with CUDA 12.9", gpuHost("linux", "", "", with("cuda", version("12.9.86"), "cudnn", version("9.10.2"), "opencv", version("4.11.0"))), build, nil, Fail, "the nearest known one needs"},
		{"OpenCV 4.11 that was built with CUDA 12.9", gpuHost("linux", "", "", with("cuda", version("12.9.86"), "cudnn", version("9.10.2"), "opencv", facts.Instance{Version: "4.11.0", Built: facts.Built{CUDA: "12.9", CuDNN: "9.10.2"}})), build, nil, OK, "was built with CUDA 12.9"},
		{"OpenCV 4.11 that was built with CUDA 12.8", gpuHost("linux", "", "", with("cuda", version("12.9.86"), "cudnn", version("9.10.2"), "opencv", facts.Instance{Version: "4.11.0", Built: facts.Built{CUDA: "12.8", CuDNN: "9.10.2"}})), build, nil, Fail, "the nearest known one needs"},
		{"OpenCV 4.13 with CUDA 13.1", gpuHost("linux", "", "", with("cuda", version("13.1"), "cudnn", version("9.17.0"), "opencv", version("4.13.0"))), build, nil, OK, "13.1"},
		{"OpenCV 4.13 with CUDA 13.2", gpuHost("linux", "", "", with("cuda", version("13.2"), "cudnn", version("9.17.0"), "opencv", version("4.13.0"))), build, nil, Fail, "no known combination"},

		{"CUDA in Visual Studio", gpuHost("windows", "", "", with("cuda", version("12.1.105"), "visual-studio", studio("11.8,12.1"))), vs, nil, OK, "17.10.1"},
		{"CUDA before Visual Studio", gpuHost("windows", "", "", with("cuda", version("12.1.105"), "visual-studio", studio(""))), vs, nil, Fail, "CUDA 12.1 is not integrated into Visual Studio"},
		{"another CUDA in Visual Studio", gpuHost("windows", "", "", with("cuda", version("12.1.105"), "visual-studio", studio("12.10"))), vs, nil, Fail, "CUDA 12.1 is not integrated into Visual Studio"},
		{"no CUDA at all", gpuHost("windows", "", "", with("visual-studio", studio("12.1"))), vs, nil, Skipped, "waiting for a CUDA Toolkit"},

		{"OpenPose master", gpuHost("windows", "", "", with("cuda", version("11.1.105"), "visual-studio", studio(""))), pose, nil, Fail, "no known combination"},
		{"OpenPose master with 2019", gpuHost("windows", "", "", with("cuda", version("11.1.105"), "visual-studio", version("16.11.5"))), pose, nil, OK, "cuda 11.1.1"},
		{"OpenPose master with 2019 and another CUDA", gpuHost("windows", "", "", with("cuda", version("11.8"), "visual-studio", version("16.11.5"))), pose, nil, Fail, ">= 11.1, < 11.2"},
		{"OpenPose 1.6.0 with cuDNN 8", gpuHost("windows", "", "", with("cudnn", version("8.0.5"), "visual-studio", version("15.9"))), dnn, map[string]string{"release": "1.6.0"}, Fail, ">= 7, < 8"},
		{"OpenPose on Ubuntu, asked of Debian", gpuHost("linux", "", "", with("cuda", version("11.7"))), ubuntu, nil, Skipped, "not a release of Ubuntu"},

		{"asked with cuda only", gpuHost("linux", "", "", nil), "    when: {set: {gpu: [cuda]}}\n    component: {name: cuda}\n", nil, Skipped, "gpu=cuda"},
		{"asked with cuda", gpuHost("linux", "", "", nil), "    when: {set: {gpu: [cuda]}}\n    component: {name: cuda}\n", map[string]string{"gpu": "cuda"}, Fail, "not installed"},
		{"asked where present", gpuHost("linux", "", "", nil), "    when: {present: [clang]}\n    component: {name: cuda}\n", nil, Skipped, "clang is not installed"},
		{"an attribute that may not be there", gpuHost("linux", "", "", with("cudnn", facts.Instance{Version: "8.1", Attrs: map[string]string{"include": "two"}})), "    component: {name: cudnn, attr: {include: unset}}\n", nil, Fail, "include is two"},
		{"and is not", gpuHost("linux", "", "", with("cudnn", version("8.1"))), "    component: {name: cudnn, attr: {include: unset}}\n", nil, OK, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := judge(t, tt.facts, tt.requirement, tt.set)
			if got.State != tt.state || !strings.Contains(got.Found, tt.found) {
				t.Errorf("%s: %s\nwant %s: %q", got.State, got.Found, tt.state, tt.found)
			}
			if got.State == Fail && got.Fix == "" {
				t.Error("a failure without a fix")
			}
			if newer := strings.Contains(got.Found, "newer than this table"); newer != (got.Cause == NewerThanTable) {
				t.Errorf("cause %q", got.Cause)
			} else if newer && (!strings.HasPrefix(got.Fix, "No table decides it. What does: ") || got.Action != nil || len(got.Advised) > 0) {
				t.Errorf("advice on what nobody knows: %q", got.Fix)
			}
		})
	}
}

func TestEvaluateLibc(t *testing.T) {
	for _, tt := range []struct {
		libc  facts.Libc
		state State
	}{
		{facts.Libc{Kind: "glibc", Version: "2.36"}, OK}, {facts.Libc{Kind: "glibc", Version: "2.27"}, Fail},
		{facts.Libc{Kind: "musl", Version: "1.2.5"}, Fail}, {facts.Libc{}, Unknown}, {facts.Libc{Kind: "glibc"}, Unknown},
	} {
		f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "debian", Libc: tt.libc}}
		got := judge(t, f, "    os: {family: [linux], libc: {glibc: \">= 2.28\"}}\n", nil)
		if got.State != tt.state {
			t.Errorf("%+v: %s: %s, want %s", tt.libc, got.State, got.Found, tt.state)
		}
	}
	f := &facts.Facts{OS: facts.OS{Family: "windows"}}
	if got := judge(t, f, "    os: {family: [windows], libc: {glibc: \">= 2.28\"}}\n", nil); got.State != OK {
		t.Errorf("Windows has no glibc to ask of: %s: %s", got.State, got.Found)
	}
}

// TestExactAdvice: releases and figures are named where they are known.
func TestExactAdvice(t *testing.T) {
	_, tables := load(t)
	e := &evaluation{tables: tables, facts: &facts.Facts{}, recipe: &recipes.Recipe{}}
	for cuda, want := range map[string]string{
		"11.8.89": "Install LibTorch 2.7.0 in its cu118 build, which is made for CUDA 11.8.",
		"12.6.3":  "Install LibTorch 2.14.0 in its cu126 build, which is made for CUDA 12.6.",
		"9.0":     "", // no release has a build for it
	} {
		if got := e.libtorchAdvice(cuda); got != want {
			t.Errorf("CUDA %s: %q", cuda, got)
		}
	}
	q := &recipes.Requirement{Manual: "Build with -DCUDA_ARCH_BIN=<compute capability>."}
	if got := Manual(q, &facts.Facts{GPUs: []facts.GPU{{Vendor: "nvidia", ComputeCapability: "8.6"}}}); got != "Build with -DCUDA_ARCH_BIN=8.6." {
		t.Errorf("with a GPU: %q", got)
	}
	if got := Manual(q, &facts.Facts{}); got != q.Manual {
		t.Errorf("without: %q", got)
	}
}

// TestOtherBuild: a copy that is the build for another CUDA than the toolkit here,
// although its release has one for it.
func TestOtherBuild(t *testing.T) {
	_, tables := load(t)
	for name, c := range map[string]struct {
		table, built, cuda string
		sm, driver         string
		want               bool
		fix                []string // what is in it; after a "-", what is not
	}{
		"for 12, and 11.8 is here":           {"libtorch-cuda", "12.1", "11.8.89", "8.6", "580.95.05", true, []string{"Install LibTorch 2.3.1 in its cu118 build", "Or install CUDA Toolkit 12.1"}},
		"for 11, and 12.1 is here":           {"libtorch-cuda", "11.8", "12.1.105", "8.6", "580.95.05", true, []string{"in its cu118 build", "Or install CUDA Toolkit 11.8"}},
		"the driver does not run the other":  {"libtorch-cuda", "12.1", "11.8.89", "8.6", "470.256.02", true, []string{"in its cu118 build", "-Or install"}},
		"the other has no code for the card": {"libtorch-cuda", "12.1", "11.8.89", "3.5", "580.95.05", true, []string{"in its cu118 build", "-Or install"}},
		"another minor version of the same":  {"libtorch-cuda", "12.1", "12.4.131", "8.6", "580.95.05", false, nil},
		"for the CPU, or not known":          {"libtorch-cuda", "", "11.8.89", "8.6", "580.95.05", false, nil},
		"another table":                      {"onnxruntime-cuda", "12.1", "11.8.89", "8.6", "580.95.05", false, nil},
	} {
		f := gpuHost("linux", "a card", c.sm, map[string]facts.Instance{
			"libtorch": {Version: "2.3.1", Built: facts.Built{CUDA: c.built}}, "nvidia-driver": {Version: c.driver}, "cuda": {Version: c.cuda},
		})
		e := &evaluation{tables: tables, facts: f, recipe: &recipes.Recipe{}}
		v, ok := e.otherBuild(c.table, map[string]string{"cuda": c.cuda, "libtorch": "2.3.1"}, "cu118")
		if ok != c.want || ok && (v.state != Fail || !strings.Contains(v.found, "built for CUDA "+c.built) || !strings.Contains(v.found, c.cuda)) {
			t.Errorf("%s: %v, %+v", name, ok, v)
		}
		for _, text := range c.fix {
			text, not := strings.CutPrefix(text, "-")
			if strings.Contains(v.fix, text) == not {
				t.Errorf("%s: the fix is %q", name, v.fix)
			}
		}
	}
	f := gpuHost("windows", "a card", "8.6", map[string]facts.Instance{
		"libtorch": {Version: "1.7.1", Built: facts.Built{CUDA: "11.0", Build: "cu110"}}, "nvidia-driver": {Version: "461.40"}, "cuda": {Version: "10.2.89"},
	})
	e := &evaluation{tables: tables, facts: f, recipe: &recipes.Recipe{}}
	v, ok := e.otherBuild("libtorch-cuda", map[string]string{"cuda": "10.2.89", "libtorch": "1.7.1"}, "cu102")
	if !ok || !strings.HasPrefix(v.fix, "Install CUDA Toolkit 11.0, which the LibTorch here is built for.") {
		t.Errorf("the build for the toolkit here has no code for the card: %v, %q", ok, v.fix)
	}
}

// TestOtherMaker: tables of makers' builds say nothing of NVIDIA's own.
func TestOtherMaker(t *testing.T) {
	jetson := facts.OS{Family: "linux", Board: "jetson"}
	built := func(name, build string) map[string][]facts.Instance {
		return map[string][]facts.Instance{name: {{Version: "2.5.0", Active: true, Built: facts.Built{Build: build}}}}
	}
	for _, c := range []struct {
		name, table string
		f           facts.Facts
		want        bool
	}{
		{"a Jetson's ONNX Runtime", "onnxruntime-cuda", facts.Facts{OS: jetson}, true},
		{"a Jetson's cuDNN", "cudnn-cuda", facts.Facts{OS: jetson}, false},
		{"NVIDIA's container image", "libtorch-cuda", facts.Facts{Components: built("libtorch", "own")}, true},
		{"PyTorch's build", "libtorch-cuda", facts.Facts{Components: built("libtorch", "cu121")}, false},
		{"not known", "libtorch-cuda", facts.Facts{Components: built("libtorch", "")}, false},
	} {
		e := &evaluation{facts: &c.f}
		if got := e.otherMaker(c.table); (got != "") != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

// TestLoaderHas: a program that is built loads the cuDNN of its own number.
func TestLoaderHas(t *testing.T) {
	cudnn := func(version string, via ...string) facts.Instance {
		return facts.Instance{Version: version, Via: via, Has: []string{"shared"}}
	}
	for _, c := range []struct {
		os   string
		list []facts.Instance
		want bool
	}{
		{"linux", []facts.Instance{cudnn("9.1.0", "ldconfig"), cudnn("8.9.7", "ldconfig")}, true},
		{"linux", []facts.Instance{cudnn("9.1.0", "ldconfig"), cudnn("8.9.7")}, false},
		{"linux", []facts.Instance{cudnn("9.1.0", "ldconfig")}, false},
		{"windows", []facts.Instance{cudnn("8.9.7", "ldconfig")}, false},
	} {
		e := &evaluation{facts: &facts.Facts{OS: facts.OS{Family: c.os}, Components: map[string][]facts.Instance{"cudnn": c.list}}}
		if got := e.loaderHas("cudnn", "major", "8"); got != c.want {
			t.Errorf("%s %+v: %v", c.os, c.list, got)
		}
	}
}

// TestDockerDesktop: its containers run in a virtual machine, to which no option of Docker's
// gives a GPU.
func TestDockerDesktop(t *testing.T) {
	for kernel, want := range map[string]string{"6.8.0-45-generic": "docker run --gpus all", "6.10.14-linuxkit": "Docker Engine"} {
		e := &evaluation{facts: &facts.Facts{OS: facts.OS{Family: "linux", Container: "docker", Kernel: kernel}}}
		if got := e.imageStart(); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", kernel, got, want)
		}
	}
}

// TestLoadedCUDA: ONNX Runtime loads the CUDA that it was linked with, whichever builds use.
func TestLoadedCUDA(t *testing.T) {
	_, tables := load(t)
	for _, c := range []struct {
		name, cudnn, runtime, built string
		via                         []string
		want                        State
	}{
		{"the other CUDA is found, with its cuDNN", "9.1.0", "12", "", []string{"ldconfig"}, OK},
		{"it is what it is built for", "9.1.0", "12", "12.4", []string{"LD_LIBRARY_PATH"}, OK},
		{"it is built for the first one", "9.1.0", "12", "11.8", []string{"ldconfig"}, Fail},
		{"the loader does not find the other", "9.1.0", "12", "", nil, Fail},
		{"the first one fits, as is expected", "8.9.7", "12", "", []string{"ldconfig"}, Warn},
	} {
		f := gpuHost("linux", "a card", "8.6", map[string]facts.Instance{
			"onnxruntime": {Version: "1.20.1", Has: []string{"cuda"}, Built: facts.Built{CUDA: c.built}}, "nvidia-driver": {Version: "550.120"},
			"cuda": {Version: "11.8.89"}, "cudnn": {Version: c.cudnn}, "cuda-runtime": {Version: c.runtime, Via: c.via},
		})
		e := &evaluation{tables: tables, facts: f, recipe: &recipes.Recipe{}, chosen: map[string]string{}}
		q := &recipes.Requirement{Compat: &recipes.CompatCheck{Table: "onnxruntime-cuda", Given: []string{"onnxruntime", "cuda"}, Choose: "cudnn", Holds: map[string]string{"cudnn": "major"}}}
		if v := e.compat(q); v.state != c.want {
			t.Errorf("%s: %+v", c.name, v)
		}
	}
}
