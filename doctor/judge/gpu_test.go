package judge

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestGPUChecks judges machines whose GPU, driver or library do not fit, and
// healthy ones beside them.
func TestGPUChecks(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	host := func(capability string, change func(*facts.Facts)) *facts.Facts {
		f := gpuHost("linux", "NVIDIA card", capability, nil)
		if change != nil {
			change(f)
		}
		return f
	}
	with := func(name string, i facts.Instance) func(*facts.Facts) {
		return func(f *facts.Facts) { i.Active = true; f.Add(name, i) }
	}
	opencv := func(archs, ptx []string) func(*facts.Facts) {
		return with("opencv", facts.Instance{Version: "4.11.0", Path: "/usr/local", Built: facts.Built{CUDA: "12.9", CUDAArchs: archs, PTX: ptx}})
	}
	torch := func(backends ...string) func(*facts.Facts) {
		return with("libtorch", facts.Instance{Version: "2.4.0", Path: "/opt/libtorch", Built: facts.Built{Backends: backends}})
	}
	in := func(container string) func(*facts.Facts) {
		return func(f *facts.Facts) { f.OS.Container = container }
	}
	modules := func(kind string) func(*facts.Facts) {
		return func(f *facts.Facts) {
			f.OS.ID = "void"
			f.GPUs[0].PCI, f.GPUs[0].Driver = "0000:01:00.0", "nvidia"
			f.Environment.Module = facts.Module{Loaded: true, Kind: kind}
			with("nvidia-driver", facts.Instance{Version: "575.64.03", Unusable: &facts.Unusable{Reason: facts.NoDevice, Detail: "No devices were found"}})(f)
		}
	}
	driver := func(version string) func(*facts.Facts) {
		return func(f *facts.Facts) {
			modules("proprietary")(f)
			f.Components["nvidia-driver"][0].Version = version
		}
	}
	named := func(sm, name, version string) *facts.Facts {
		f := host(sm, driver(version))
		f.GPUs[0].Name = name
		return f
	}
	needs := func(name, cuda, library string) func(*facts.Facts) {
		return func(f *facts.Facts) {
			with(name, facts.Instance{Version: "1.18.0", Path: "/opt/x", Needs: []facts.Need{{Name: library, By: "/opt/x/lib/libx.so", Cause: facts.NotFound}}})(f)
			if cuda != "" {
				with("cuda", facts.Instance{Version: cuda})(f)
			}
		}
	}
	cuda, vulkan := map[string]string{"gpu": "cuda"}, map[string]string{"gpu": "vulkan"}
	pytorch := func(version, build string) func(*facts.Facts) {
		return with("libtorch", facts.Instance{Version: version, Path: "/opt/libtorch", Built: facts.Built{Build: build, Backends: []string{"cpu", "cuda"}}})
	}
	darknet := func(archs, ptx []string) func(*facts.Facts) {
		return with("darknet", facts.Instance{Path: "/opt/darknet", Built: facts.Built{Backends: []string{"cpu", "cuda"}, CUDAArchs: archs, PTX: ptx}})
	}
	packaged := func(f *facts.Facts) *facts.Facts {
		f.OS.ID = "debian"
		f.Add("apt", facts.Instance{Active: true, Path: "/usr/bin/apt-get"})
		return f
	}
	provider := with("onnxruntime", facts.Instance{Version: "1.20.1", Path: "/opt/onnxruntime", Needs: []facts.Need{{Name: "libcublasLt.so.12", By: "/opt/onnxruntime/lib/libonnxruntime_providers_cuda.so", Cause: facts.NotFound}}})
	lavapipe := facts.Instance{Path: "/usr/lib/libvulkan_lvp.so", Devices: []facts.Device{{Name: "libvulkan_lvp.so", Type: "cpu", Software: true}}}
	for _, tt := range []struct {
		name, recipe string
		set          map[string]string
		facts        *facts.Facts
		id           string
		fix          string // "" for no such finding
	}{
		{"no NVIDIA card, gpu=cuda", "darknet", cuda, gpuHost("linux", "", "", nil), "gpu.nvidia", "deployctl doctor --recipe darknet --set gpu=cpu"},
		{"no card and no driver to install", "darknet", cuda, gpuHost("linux", "", "", nil), "nvidia-driver.version", ""},
		{"a card without a driver", "darknet", cuda, host("8.6", nil), "nvidia-driver.version", "driver"},
		{"Fermi", "opencv-cuda", nil, host("2.1", nil), "gpu.cuda-gone", "CPU or OpenCL"},
		{"older than Fermi", "opencv-cuda", nil, host("1.3", nil), "gpu.cuda-gone", "CPU or OpenCL"},
		{"Fermi, gpu=cuda", "onnxruntime", cuda, host("2.0", nil), "gpu.cuda-gone", "--set gpu=cpu"},
		{"Fermi, gpu=cpu", "onnxruntime", nil, host("2.0", nil), "gpu.cuda-gone", ""},
		{"Kepler has CUDA 10.2 and 11", "opencv-cuda", nil, host("3.5", nil), "gpu.cuda-gone", ""},
		{"Pascal", "opencv-cuda", nil, host("6.1", nil), "gpu.cuda-gone", ""},
		{"newer than the table", "opencv-cuda", nil, host("14.0", nil), "gpu.cuda-gone", ""},
		{"capability not known", "opencv-cuda", nil, host("", nil), "gpu.cuda-gone", ""},

		{"code for 8.9 on 12.0", "opencv-cuda", nil, host("12.0", opencv([]string{"8.9"}, nil)), "opencv.gpu-code", "-DCUDA_ARCH_BIN=12.0"},
		{"code for 7.5 on 8.6, and a toolkit without 8.6", "opencv-cuda", nil, host("8.6", func(f *facts.Facts) {
			opencv([]string{"7.5"}, nil)(f)
			with("cuda", facts.Instance{Version: "10.2"})(f)
		}), "opencv.gpu-code", "build OpenCV"},
		{"code for 12.0 on a card newer than the table", "opencv-cuda", nil, host("13.0", func(f *facts.Facts) {
			opencv([]string{"12.0"}, nil)(f)
			with("cuda", facts.Instance{Version: "13.0"})(f)
		}), "opencv.gpu-code", "--list-gpu-code names sm_130"},
		{"code for 8.9 on 8.6", "opencv-cuda", nil, host("8.6", opencv([]string{"8.9"}, nil)), "opencv.gpu-code", "-DCUDA_ARCH_BIN=8.6"},
		{"code for 8.6 on 8.9", "opencv-cuda", nil, host("8.9", opencv([]string{"8.6"}, nil)), "opencv.gpu-code", ""},
		{"PTX for 8.9 on 12.0", "opencv-cuda", nil, host("12.0", opencv([]string{"8.9"}, []string{"8.9"})), "opencv.gpu-code", ""},
		{"PTX for 12.0 on 8.9", "opencv-cuda", nil, host("8.9", opencv([]string{"12.0"}, []string{"12.0"})), "opencv.gpu-code", "-DCUDA_ARCH_BIN=8.9"},
		{"code not known", "opencv-cuda", nil, host("12.0", opencv(nil, nil)), "opencv.gpu-code", ""},
		{"card not known", "opencv-cuda", nil, host("", opencv([]string{"8.9"}, nil)), "opencv.gpu-code", ""},
		{"the CPU is asked", "opencv-yolov3", nil, host("12.0", opencv([]string{"8.9"}, nil)), "opencv.gpu-code", ""},

		{"LibTorch for the CPU", "libtorch", cuda, host("8.9", torch("cpu")), "libtorch.backend", "CUDA build of LibTorch 2.4.0"},
		{"LibTorch with CUDA", "libtorch", cuda, host("8.9", torch("cpu", "cuda")), "libtorch.backend", ""},
		{"LibTorch, not known", "libtorch", cuda, host("8.9", torch()), "libtorch.backend", ""},
		{"LibTorch on the CPU", "libtorch", nil, host("8.9", torch("cpu")), "libtorch.backend", ""},

		{"Darknet for 8.6 on 7.5", "darknet", cuda, host("7.5", darknet([]string{"8.6"}, []string{"8.6"})), "darknet.gpu-code", "arch=compute_75,code=[sm_75,compute_75]"},
		{"Darknet with PTX alone, on an older card", "darknet", cuda, host("7.5", darknet(nil, []string{"8.6"})), "darknet.gpu-code", "compute_75"},
		{"Darknet with PTX", "darknet", cuda, host("8.9", darknet([]string{"5.0"}, []string{"5.2"})), "darknet.gpu-code", ""},
		{"LibTorch cu121 on Blackwell", "libtorch", cuda, host("12.0", pytorch("2.4.0", "cu121")), "libtorch.gpu-code", "LibTorch 2.11.0 in its cu128 build"},
		{"LibTorch cu121 on Blackwell, toolkit 13.0", "libtorch", cuda, host("12.0", func(f *facts.Facts) {
			pytorch("2.4.0", "cu121")(f)
			with("cuda", facts.Instance{Version: "13.0.1"})(f)
			with("nvidia-driver", facts.Instance{Version: "580.95.05"})(f)
		}), "libtorch.gpu-code", "LibTorch 2.11.0 in its cu130 build"},
		{"LibTorch cu128 on Pascal", "libtorch", cuda, host("6.1", pytorch("2.7.1", "cu128")), "libtorch.gpu-code", "in its cu126 build"},
		{"LibTorch cu126 on Pascal", "libtorch", cuda, host("6.1", pytorch("2.7.1", "cu126")), "libtorch.gpu-code", ""},
		{"LibTorch cu121 on Ada", "libtorch", cuda, host("8.9", pytorch("2.4.0", "cu121")), "libtorch.gpu-code", ""},
		{"LibTorch cu128 with PTX on a later card", "libtorch", cuda, host("12.1", pytorch("2.7.0", "cu128")), "libtorch.gpu-code", ""},
		{"a build that is not in the table", "libtorch", cuda, host("12.0", pytorch("1.4.0", "cu92")), "libtorch.gpu-code", ""},
		{"LibTorch cu101 with PTX alone for Ampere", "libtorch", cuda, host("8.6", pytorch("1.5.1", "cu101")), "libtorch.gpu-code", "in its cu1"},
		{"LibTorch cu101 on Turing", "libtorch", cuda, host("7.5", pytorch("1.5.1", "cu101")), "libtorch.gpu-code", ""},
		{"LibTorch cu110 on Ampere of 8.6", "libtorch", cuda, host("8.6", pytorch("1.7.1", "cu110")), "libtorch.gpu-code", ""},
		{"LibTorch that somebody built", "libtorch", cuda, host("12.0", pytorch("2.4.0", "")), "libtorch.gpu-code", ""},
		{"LibTorch cu121 on the CPU", "libtorch", nil, host("12.0", pytorch("2.4.0", "cu121")), "libtorch.gpu-code", ""},

		{"no Darknet, gpu=cuda: no package has CUDA", "darknet", cuda, packaged(host("8.9", nil)), "darknet.gpu-build", "GPU=1"},
		{"no Darknet, the CPU", "darknet", nil, packaged(host("8.9", nil)), "darknet.present", "apt-get install darknet"},
		{"no LibTorch, gpu=cuda", "libtorch", cuda, packaged(host("8.9", nil)), "libtorch.gpu-build", "build, which is made for CUDA"},
		{"no ONNX Runtime, gpu=cuda", "onnxruntime", cuda, packaged(host("8.9", nil)), "onnxruntime.gpu-build", "-gpu"},
		{"Fermi, no LibTorch", "libtorch", cuda, host("2.1", nil), "libtorch.gpu-build", ""},
		{"ONNX Runtime's CUDA part, gpu=cuda", "onnxruntime", cuda, host("8.9", provider), "onnxruntime.library-missing", "libcublasLt.so.12"},
		{"ONNX Runtime's CUDA part, the CPU", "onnxruntime", nil, host("8.9", provider), "onnxruntime.library-missing", ""},

		{"lavapipe only", "ncnn", vulkan, host("8.9", with("vulkan", lavapipe)), "vulkan.software", "Vulkan driver"},
		{"lavapipe beside a driver", "ncnn", vulkan, host("8.9", func(f *facts.Facts) {
			with("vulkan", facts.Instance{Path: "/usr/lib/libGLX_nvidia.so.0"})(f)
			f.Add("vulkan", lavapipe)
		}), "vulkan.software", ""},

		{"WSL without driver", "opencv-cuda", nil, host("", in("wsl2")), "nvidia-driver.wsl", "on Windows"},
		{"container without driver", "opencv-cuda", nil, host("", in("docker")), "nvidia-driver.container", "--gpus all"},
		{"container with driver", "opencv-cuda", nil, host("8.9", func(f *facts.Facts) {
			in("docker")(f)
			with("nvidia-driver", facts.Instance{Version: "550.54.14"})(f)
		}), "nvidia-driver.container", ""},
		{"Blackwell with proprietary modules", "opencv-cuda", nil, host("12.0", modules("proprietary")), "nvidia-driver.open-modules", "open kernel modules"},
		{"Blackwell with a driver that answers", "opencv-cuda", nil, host("12.0", func(f *facts.Facts) {
			modules("proprietary")(f)
			f.Components["nvidia-driver"][0].Unusable = nil
		}), "nvidia-driver.open-modules", ""},
		{"Blackwell with open modules", "opencv-cuda", nil, host("12.0", modules("open")), "nvidia-driver.open-modules", ""},
		{"Ampere with proprietary modules", "opencv-cuda", nil, host("8.6", modules("proprietary")), "nvidia-driver.open-modules", ""},
		{"Pascal with open modules", "opencv-cuda", nil, host("6.1", modules("open")), "nvidia-driver.closed-modules", "proprietary kernel modules"},
		{"Pascal with proprietary modules", "opencv-cuda", nil, host("6.1", modules("proprietary")), "nvidia-driver.closed-modules", ""},
		{"Turing with open modules", "opencv-cuda", nil, host("7.5", modules("open")), "nvidia-driver.closed-modules", ""},
		{"Pascal with driver 590", "opencv-cuda", nil, host("6.1", driver("590.44.01")), "nvidia-driver.branch", "driver branch 580"},
		{"Pascal with driver 580", "opencv-cuda", nil, host("6.1", driver("580.95.05")), "nvidia-driver.branch", ""},
		{"Blackwell with driver 550", "opencv-cuda", nil, host("12.0", driver("550.127.05")), "nvidia-driver.branch", ">= 570"},
		{"Turing with driver 590", "opencv-cuda", nil, host("7.5", driver("590.44.01")), "nvidia-driver.branch", ""},
		{"RTX 3060 for laptops with driver 455", "opencv-cuda", nil, named("8.6", "NVIDIA GeForce RTX 3060 Laptop GPU", "455.45.01"), "nvidia-driver.branch", ">= 460.39"},
		{"RTX 3060 for laptops as PCI names it", "opencv-cuda", nil, named("8.6", "GA106M [GeForce RTX 3060 Mobile / Max-Q]", "455.45.01"), "nvidia-driver.branch", ">= 460.39"},
		{"RTX 3060 for laptops with driver 460", "opencv-cuda", nil, named("8.6", "NVIDIA GeForce RTX 3060 Laptop GPU", "460.91.03"), "nvidia-driver.branch", ""},
		{"RTX 3090 with driver 455", "opencv-cuda", nil, named("8.6", "GeForce RTX 3090", "455.45.01"), "nvidia-driver.branch", ""},
		{"RTX 2050 with driver 460", "opencv-cuda", nil, named("8.6", "NVIDIA GeForce RTX 2050", "460.91.03"), "nvidia-driver.branch", ">= 470.103.01"},
		{"GTX 1650 with driver 410", "opencv-cuda", nil, named("7.5", "GeForce GTX 1650", "410.104"), "nvidia-driver.branch", ">= 418.74"},
		{"GTX 1650 with driver 430", "opencv-cuda", nil, named("7.5", "GeForce GTX 1650", "430.50"), "nvidia-driver.branch", ""},
		{"RTX 2080 with driver 410", "opencv-cuda", nil, named("7.5", "GeForce RTX 2080", "410.104"), "nvidia-driver.branch", ""},
		{"an unknown card with driver 590", "opencv-cuda", nil, host("", driver("590.44.01")), "nvidia-driver.branch", ""},
		{"ONNX Runtime for CUDA 11 beside 12", "onnxruntime", cuda, host("8.6", needs("onnxruntime", "12.4.1", "libcublasLt.so.11")), "onnxruntime.cuda-series", "ONNX Runtime 1.18.0 for CUDA 12"},
		{"ONNX Runtime for CUDA 12 beside 12", "onnxruntime", cuda, host("8.6", needs("onnxruntime", "12.4.1", "libcublasLt.so.12")), "onnxruntime.cuda-series", ""},
		{"cuFFT's number says nothing", "onnxruntime", cuda, host("8.6", needs("onnxruntime", "12.4.1", "libcufft.so.10")), "onnxruntime.cuda-series", ""},
		{"no CUDA at all", "onnxruntime", cuda, host("8.6", needs("onnxruntime", "", "libcublasLt.so.11")), "onnxruntime.cuda-series", ""},
		{"OpenCV for CUDA 11 beside 12", "opencv-cuda", nil, host("8.6", needs("opencv", "12.4.1", "libcudart.so.11.0")), "opencv.cuda-series", "Build OpenCV again"},
		{"cuDNN without headers", "opencv-cuda", nil, host("8.6", with("cudnn", facts.Instance{Version: "8.9.7"})), "cudnn.headers", "development package"},
		{"cuDNN with headers", "opencv-cuda", nil, host("8.6", with("cudnn", facts.Instance{Version: "8.9.7", Has: []string{"headers"}})), "cudnn.headers", ""},
		{"cuDNN without headers, OpenCV has it", "opencv-cuda", nil, host("8.6", func(f *facts.Facts) {
			with("cudnn", facts.Instance{Version: "8.9.7"})(f)
			with("opencv", facts.Instance{Version: "4.10.0", Built: facts.Built{CuDNN: "8.9"}})(f)
		}), "cudnn.headers", ""},
		{"cuDNN without headers for ONNX Runtime", "onnxruntime", cuda, host("8.6", with("cudnn", facts.Instance{Version: "8.9.7"})), "cudnn.headers", ""},
		{"modules of an unknown kind", "opencv-cuda", nil, host("12.0", modules("")), "nvidia-driver.open-modules", ""},
		{"a machine without driver", "opencv-cuda", nil, host("8.9", nil), "nvidia-driver.container", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := recipes.Find(tt.recipe, "")
			if err != nil {
				t.Fatal(err)
			}
			if r, err = r.Set(tt.set); err != nil {
				t.Fatal(err)
			}
			fix, there := "", false
			for _, f := range Evaluate(r, tables, tt.facts).Findings {
				if f.ID == tt.id {
					fix, there = f.Fix, f.State != Skipped
				}
			}
			if there != (tt.fix != "") || !strings.Contains(fix, tt.fix) {
				t.Errorf("%s there: %v, fix %q; want %q", tt.id, there, fix, tt.fix)
			}
		})
	}
}

// TestJetsonDriver: a Jetson's driver is never compared with desktop branches.
func TestJetsonDriver(t *testing.T) {
	f := gpuHost("linux", "Jetson Xavier NX", "7.2", map[string]facts.Instance{"cuda": {Version: "10.2.300"}, "nvidia-driver": {Version: "1.1"}})
	f.OS.Board = "jetson"
	const driver = "    compat: {table: cuda-driver, given: [os, cuda], choose: driver_minor, holds: {nvidia-driver: \">=\"}}\n"
	if got := judge(t, f, driver, nil); got.State != Skipped {
		t.Errorf("%s: %s", got.State, got.Found)
	}
	f.OS.Board = ""
	if got := judge(t, f, driver, nil); got.State != Fail {
		t.Errorf("a desktop: %s: %s", got.State, got.Found)
	}
}

// TestWSLDriver: the driver under WSL is Windows', whose versions are compared with
// those that CUDA names for Windows. 526.86 runs CUDA 12 on Linux and not on Windows.
func TestWSLDriver(t *testing.T) {
	const driver = "    compat: {table: cuda-driver, given: [os, cuda], choose: driver_minor, holds: {nvidia-driver: \">=\"}}\n"
	for _, c := range []struct {
		container, kernel, version string
		want                       State
	}{
		{"", "6.1.0-18-amd64", "526.86", OK},
		{"wsl2", "5.15.153.1-microsoft-standard-WSL2", "526.86", Fail},
		{"docker", "5.15.153.1-microsoft-standard-WSL2", "526.86", Fail},
		{"wsl2", "5.15.153.1-microsoft-standard-WSL2", "527.41", OK},
	} {
		f := gpuHost("linux", "NVIDIA GeForce RTX 3060", "8.6", map[string]facts.Instance{"cuda": {Version: "12.9.86"}, "nvidia-driver": {Version: c.version}})
		f.OS.Container, f.OS.Kernel = c.container, c.kernel
		if got := judge(t, f, driver, nil); got.State != c.want {
			t.Errorf("%s in %q: %s, want %s: %s", c.version, c.container, got.State, c.want, got.Found)
		}
	}
}
