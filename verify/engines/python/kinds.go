package python

import (
	"fmt"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/native"
	"github.com/deployctl/deployctl/verify/engines/internal/opencv"
)

// Kinds are the engines.
func Kinds() []Kind { return []Kind{OpenCV(), Torch(), Ncnn(), MNN(), ExecuTorch()} }

// Specs declare them.
func Specs() []engine.Spec {
	var list []engine.Spec
	for _, k := range Kinds() {
		list = append(list, k.Declare())
	}
	return list
}

// openclDrivers begin the files without which OpenCV cannot have used OpenCL.
var openclDrivers = []string{"libopencl", "opencl"}

// OpenCV is OpenCV's dnn module for Python: one of the packages on the Python package
// index, or a distribution's.
func OpenCV() Kind {
	return Kind{
		Spec: engine.Spec{
			Name: "opencv-python", Library: "OpenCV for Python", Component: "opencv-python", Recipe: "opencv-python",
			Formats: []engine.Format{engine.Darknet, engine.ONNX},
			Targets: []engine.Target{
				{Name: "cpu", Backend: "opencv"},
				{Name: "opencl", Backend: "opencv", Layers: "OCL", Drivers: openclDrivers},
			},
			Missing: missingOpenCL, Code: opencv.Code,
		},
		Adapter: "opencv.py", Module: "cv2",
		Packages: []string{"opencv-python", "opencv-contrib-python", "opencv-python-headless", "opencv-contrib-python-headless"},
		Files:    []string{"cv2/cv2.*.so", "cv2/python-3*/cv2.*.so", "cv2.*.so", "cv2/cv2.so", "cv2.so", "cv2/cv2.pyd", "cv2/cv2.*.pyd", "cv2/python-3*/cv2.*.pyd"},
		Prefixes: []string{"cv2."},
		Formats: func(version string) []engine.Format {
			// OpenCV 5 has no importer for Darknet's files any more.
			if major, _, _ := strings.Cut(version, "."); len(major) > 1 || major >= "5" {
				return []engine.Format{engine.ONNX}
			}
			return []engine.Format{engine.Darknet, engine.ONNX}
		},
		Remedy: func(message string) string {
			has := func(parts ...string) bool { return native.Has(message, parts...) }
			switch {
			case has("has no dnn module"):
				return lang.F("this OpenCV was built without its dnn module: run %s install opencv-python-headless in a virtual environment", pip())
			case has("Failed to parse NetParameter file", "Failed to parse ONNX model", "ReadProtoFromBinaryFile", "Can't open"):
				return lang.T("OpenCV cannot read the network; check that configuration and weights belong together and are complete")
			case has("Unknown layer type", "Unknown activation", "Can't create layer"):
				return lang.F("this OpenCV is too old for the network: run %s install --upgrade opencv-python", pip())
			}
			return ""
		},
	}
}

// missingOpenCL says what OpenCL lacks here, "" when nothing.
func missingOpenCL(_ engine.Target, d engine.Device, refused bool) (why, fix string) {
	processor := lang.T("Use --target cpu, which needs nothing.")
	c := d.OpenCL
	switch {
	case c == nil || !c.Have && strings.HasPrefix(d.Built["OpenCL"], "NO"):
		return lang.T("OpenCL cannot be used: this OpenCV was built without it"), processor
	case !c.Have:
		return lang.T("OpenCL cannot be used: OpenCV loads no OpenCL runtime (it is missing, or OPENCV_OPENCL_RUNTIME disables it)"),
			lang.T("Install the OpenCL runtime of your GPU, and unset OPENCV_OPENCL_RUNTIME.")
	case !c.Use || c.Name == "":
		return lang.T("OpenCL cannot be used: OpenCV finds no device in the runtime (by itself it accepts GPUs only)"),
			lang.T("Install the OpenCL driver of your GPU; OPENCV_OPENCL_DEVICE=:CPU: accepts a processor's.")
	case c.Type != "gpu" && !c.Any:
		return lang.F("OpenCL cannot be used: OpenCV runs networks on GPUs only, and %s is not one", c.Name),
			lang.T("Set OPENCV_DNN_OPENCL_ALLOW_ALL_DEVICES=1 to run on it all the same.")
	case refused:
		return lang.T("OpenCL cannot be used: OpenCV does not list it among its targets"), processor
	}
	return "", ""
}

// cudaDrivers begin the files without which PyTorch cannot have used CUDA.
var cudaDrivers = []string{"libcuda.so", "nvcuda", "libcudart", "cudart"}

// Torch is PyTorch: its own package, or a distribution's.
func Torch() Kind {
	return Kind{
		Spec: engine.Spec{
			Name: "torch", Library: "PyTorch", Component: "libtorch", Recipe: "pytorch",
			Formats: []engine.Format{engine.TorchScript},
			Targets: []engine.Target{
				{Name: "cpu", Backend: "torch", Layers: "cpu"},
				{Name: "cpu_bf16", Backend: "torch", Layers: "cpu_bf16"},
				{Name: "cuda", Backend: "torch", Layers: "cuda", Drivers: cudaDrivers},
				{Name: "cuda_fp16", Backend: "torch", Layers: "cuda_fp16", Drivers: cudaDrivers},
			},
			Missing: missingCUDA,
			Code: func(c engine.Choice) []engine.Code {
				list := c.Limited(engine.Code{Language: "Python", Lines: []string{"torch.set_num_threads(%d)"}})
				if c.Target.Name != "cpu_bf16" {
					return list
				}
				if list == nil {
					list = []engine.Code{{Language: "Python"}}
				}
				list[0].Lines = append(list[0].Lines, "module = module.to(torch.bfloat16)", "outputs = module(picture.to(torch.bfloat16))")
				return list
			},
		},
		Adapter: "torch.py", Module: "torch", Packages: []string{"torch"},
		// A distribution's binding lies here, and its libraries elsewhere.
		Files:    []string{"torch/lib/libtorch_cpu.so", "torch/lib/libtorch_cpu.dylib", "torch/lib/torch_cpu.dll", "torch/_C.*.so", "torch/_C.so"},
		Prefixes: []string{"libtorch_cpu.", "torch_cpu.", "_C."},
		Remedy: func(message string) string {
			has := func(parts ...string) bool { return native.Has(message, parts...) }
			switch {
			case has("not found in the system path"):
				return lang.F("this PyTorch was built for CUDA, and the packages with CUDA's libraries are missing: run %s install torch without --no-deps, or install PyTorch's CPU build", pip())
			case has("PytorchStreamReader failed", "failed finding central directory", "file in archive is not in a subdirectory"):
				return lang.T("the converted network is damaged: run deployctl verify --fresh")
			case has("Unknown builtin op", "Unknown type name", "has no torch.jit", "kMaxSupportedFileFormatVersion"):
				return lang.F("this PyTorch is too old: run %s install --upgrade torch", pip())
			case has("CUDA out of memory"):
				return lang.T("free the GPU's memory, or use --target cpu")
			case has("no kernel image is available"):
				return lang.T("this PyTorch was not built for the compute capability of the GPU: install another build of it")
			}
			return ""
		},
	}
}

// missingShort says that a release lacks a shorter precision on the processor, "" where
// it has it.
func missingShort(library string, asked engine.Target, refused bool) (why, fix string) {
	if refused {
		return lang.F("this %s has no %s on the processor", library, strings.TrimPrefix(asked.Name, "cpu_")), lang.T("Install a newer release, or use --target cpu.")
	}
	return "", ""
}

// missingCUDA says what CUDA lacks here, "" when nothing.
func missingCUDA(asked engine.Target, d engine.Device, refused bool) (why, fix string) {
	if asked.Family() == "cpu" {
		return missingShort("PyTorch", asked, refused)
	}
	switch built := d.Built["CUDA"]; {
	case strings.HasPrefix(built, "NO"):
		return lang.T("CUDA cannot be used: this PyTorch was built without it"), lang.T("Install a build of PyTorch with CUDA, or use --target cpu.")
	case refused || d.CUDA == nil || d.CUDA.Count == 0:
		return lang.T("CUDA cannot be used: PyTorch sees no CUDA device (torch.cuda.is_available() is False), so the processor would compute"),
			lang.T("Run nvidia-smi to see whether the driver works; without an NVIDIA GPU, use --target cpu.")
	}
	return "", ""
}

// Ncnn is ncnn's own Python package.
func Ncnn() Kind {
	return Kind{
		Spec: engine.Spec{
			// The recipe ncnn is for C++.
			Name: "ncnn", Library: "ncnn", Component: "ncnn", Recipe: "ncnn-python",
			Formats: []engine.Format{engine.NCNN},
			Targets: []engine.Target{
				{Name: "cpu", Backend: "ncnn"},
				{Name: "cpu_fp16", Backend: "ncnn"},
				{Name: "cpu_bf16", Backend: "ncnn"},
				{Name: "vulkan", Backend: "ncnn", Layers: "vulkan", Drivers: []string{"libvulkan", "vulkan"}},
			},
			Missing: missingVulkan,
			Settings: []engine.Setting{
				{Name: "winograd", Values: []string{"on", "off"}}, {Name: "packing", Values: []string{"on", "off"}}, {Name: "sgemm", Values: []string{"on", "off"}},
			},
			Code: ncnnCode,
		},
		Adapter: "ncnn.py", Module: "ncnn", Packages: []string{"ncnn"},
		Files: []string{"ncnn/ncnn.*.so", "ncnn/ncnn.so", "ncnn.*.so", "ncnn/ncnn.*.pyd"}, Prefixes: []string{"ncnn."},
		Remedy: func(message string) string {
			has := func(parts ...string) bool { return native.Has(message, parts...) }
			switch {
			case has("load model.param", "load model.bin"):
				return lang.F("this ncnn does not know a layer of the network, or the converted network is damaged: run deployctl verify --fresh, and %s install --upgrade ncnn", pip())
			case has("ncnn gives the error -100"):
				return lang.T("ncnn ran out of memory: free memory; YOLOv3 needs about 1 GB")
			}
			return ""
		},
	}
}

// ncnnOptions are ncnn's own names for its switches (src/option.h).
var ncnnOptions = []struct{ setting, option string }{
	{"winograd", "use_winograd_convolution"}, {"packing", "use_packing_layout"}, {"sgemm", "use_sgemm_convolution"},
}

// ncnnCode are the lines that set ncnn's options.
func ncnnCode(c engine.Choice) []engine.Code {
	cpp, py := []string{"ncnn::Net net;"}, []string{"net = ncnn.Net()"}
	for _, name := range map[string][]string{"cpu_fp16": {"fp16_packed", "fp16_storage", "fp16_arithmetic"}, "cpu_bf16": {"bf16_storage"}}[c.Target.Name] {
		cpp, py = append(cpp, "net.opt.use_"+name+" = true;"), append(py, "net.opt.use_"+name+" = True")
	}
	if c.Target.Name == "vulkan" {
		cpp, py = append(cpp, "net.opt.use_vulkan_compute = true;"), append(py, "net.opt.use_vulkan_compute = True")
	}
	if c.Threads > 0 {
		cpp, py = append(cpp, fmt.Sprintf("net.opt.num_threads = %d;", c.Threads)), append(py, fmt.Sprintf("net.opt.num_threads = %d", c.Threads))
	}
	for _, o := range ncnnOptions {
		if v, ok := c.Settings[o.setting]; ok {
			cpp = append(cpp, fmt.Sprintf("net.opt.%s = %t;", o.option, v == "on"))
			py = append(py, fmt.Sprintf("net.opt.%s = %s", o.option, map[bool]string{true: "True", false: "False"}[v == "on"]))
		}
	}
	return []engine.Code{{Language: "C++", Lines: cpp}, {Language: "Python", Lines: py}}
}

// missingVulkan says what Vulkan lacks here, "" when nothing. A device that is the
// processor (llvmpipe, which lavapipe calls itself) is not a GPU.
func missingVulkan(asked engine.Target, d engine.Device, refused bool) (why, fix string) {
	if asked.Family() == "cpu" {
		return missingShort("ncnn", asked, refused)
	}
	processor := lang.T("Use --target cpu, which needs nothing.")
	switch v := d.Vulkan; {
	case strings.HasPrefix(d.Built["Vulkan"], "NO"):
		return lang.T("Vulkan cannot be used: this ncnn was built without it"), processor
	case v == nil || len(v.Names) == 0:
		return lang.T("Vulkan cannot be used: ncnn finds no device"), lang.T("Install the Vulkan driver of your GPU and the Vulkan loader (libvulkan1), or use --target cpu.")
	case refused:
		return lang.F("Vulkan cannot be used: %s is this machine's processor, not a GPU", strings.Join(v.Names, ", ")), lang.T("Install the Vulkan driver of your GPU, or use --target cpu.")
	}
	return "", ""
}

// MNN is MNN's own Python package. Its file is made of ONNX by the converter that the
// package brings.
func MNN() Kind {
	return Kind{
		Spec: engine.Spec{
			Name: "mnn", Library: "MNN", Component: "mnn", Recipe: "mnn-python",
			Formats: []engine.Format{engine.MNN},
			Targets: []engine.Target{{Name: "cpu", Backend: "mnn"}, {Name: "cpu_fp16", Backend: "mnn"}},
		},
		Adapter: "mnn.py", Module: "MNN", Packages: []string{"mnn"},
		Files: []string{"_mnncengine.*.so", "_mnncengine.so", "_mnncengine.*.pyd"}, Prefixes: []string{"_mnncengine."},
		Converter: "mnnconvert.py",
		Converts:  engine.Converter{From: engine.ONNX, Format: engine.MNN, Display: "MNN", File: "model.mnn"},
		Remedy: func(message string) string {
			has := func(parts ...string) bool { return native.Has(message, parts...) }
			switch {
			case has("converter to MNN failed"):
				return lang.F("this MNN's converter does not read the network's ONNX file: run %s install --upgrade mnn", pip())
			case has("it has no input of that name", "the network has no output"):
				return lang.T("the converted network is damaged: run deployctl verify --fresh")
			}
			return ""
		},
	}
}

// ExecuTorch is ExecuTorch's own Python package, with its runtime for the processor. Its
// file is made of TorchScript by the tools that the package brings.
func ExecuTorch() Kind {
	return Kind{
		Spec: engine.Spec{
			// The recipe executorch is for programs on Apple's systems.
			Name: "executorch", Library: "ExecuTorch", Component: "executorch", Recipe: "executorch-python",
			Formats: []engine.Format{engine.ExecuTorch},
			Targets: []engine.Target{{Name: "cpu", Backend: "executorch"}},
		},
		Adapter: "executorch.py", Module: "executorch", Packages: []string{"executorch"},
		// Releases before 1.5 have one library, the binding itself.
		Files: []string{
			"executorch/lib/libexecutorch.so", "executorch/lib/libexecutorch.dylib",
			"executorch/extension/pybindings/_portable_lib.*.so", "executorch/extension/pybindings/_portable_lib.*.pyd",
		},
		Prefixes:  []string{"libexecutorch.", "_portable_lib."},
		Converter: "executorchconvert.py",
		Converts:  engine.Converter{From: engine.TorchScript, Format: engine.ExecuTorch, Display: "ExecuTorch", File: "model.pte"},
		Remedy: func(message string) string {
			has := func(parts ...string) bool { return native.Has(message, parts...) }
			switch {
			case has("No module named 'torch'"):
				return lang.F("ExecuTorch needs PyTorch, which its package does not bring: run %s install torch, in the release that was current when this ExecuTorch was published", pip())
			case has("undefined symbol", "Symbol not found"):
				return lang.F("this ExecuTorch was built for another release of PyTorch: run %s install --upgrade executorch torch", pip())
			case has("libcudart", "libcublas", "libcudnn", "libcusparse", "libnccl", "libnvshmem", "not found in the system path"):
				return lang.F("this PyTorch was built for CUDA, and the packages with CUDA's libraries are missing: run %s install torch without --no-deps, or install PyTorch's CPU build", pip())
			case has("prebuilt extension module"), has("built without XNNPACK"):
				return lang.F("this ExecuTorch was built without its runtime or without XNNPACK: run %s install --force-reinstall executorch", pip())
			case has("Failed to load program", "loading program", "loading method", "Program identifier", "the network has no"):
				return lang.T("the converted network is damaged, or another release made it: run deployctl verify --fresh")
			case has("SpecViolationError", "not in Core ATen opset", "MissingOperator", "missing operator", "nothing of the network was lowered"):
				return lang.F("this ExecuTorch does not know an operation of the network: run %s install --upgrade executorch torch", pip())
			}
			return ""
		},
	}
}
