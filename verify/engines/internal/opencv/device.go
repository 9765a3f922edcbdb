package opencv

import (
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
)

// Files without which OpenCV cannot have used a kind of target.
var (
	openclDrivers = []string{"libopencl", "opencl"}
	cudaDrivers   = []string{"libcuda.so", "nvcuda", "libcudart", "cudart"}
)

// Targets are OpenCV's backends and targets. The words for layers are those of the
// dump of a network (modules/dnn/src/net_impl.cpp, Net::Impl::dump).
func Targets() []engine.Target {
	return []engine.Target{
		{Name: "cpu", Backend: "opencv", Layers: "CPU"},
		{Name: "cpu_fp16", Backend: "opencv", Layers: "CPU_FP16"},
		{Name: "opencl", Backend: "opencv", Layers: "OCL", Drivers: openclDrivers},
		{Name: "opencl_fp16", Backend: "opencv", Layers: "OCL_FP16", Drivers: openclDrivers},
		{Name: "cuda", Backend: "cuda", Layers: "CUDA", Drivers: cudaDrivers},
		{Name: "cuda_fp16", Backend: "cuda", Layers: "CUDA_FP16", Drivers: cudaDrivers},
	}
}

// Missing says what a target lacks, "" when nothing. refused: the engine
// does not list it.
func Missing(asked engine.Target, d engine.Device, refused bool) (why, fix string) {
	processor := lang.T("Use --target cpu, which needs nothing.")
	switch asked.Family() {
	case "cuda":
		return missingCUDA(asked, d, refused)
	case "opencl":
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
		case refused && asked.Name == "opencl_fp16":
			return lang.F("half precision cannot be used: %s does not have it", c.Name), lang.T("Use --target opencl.")
		// A device other than a GPU is usable without being listed.
		case refused && c.Type == "gpu":
			return lang.T("OpenCL cannot be used: OpenCV does not list it among its targets"), processor
		}
		return "", ""
	}
	if refused && asked.Name == "cpu_fp16" {
		return lang.T("this OpenCV cannot compute in half precision on this processor (it can on ARM with FP16 arithmetic, since OpenCV 4.7)"), lang.T("Use --target cpu.")
	}
	if refused {
		return lang.F("this OpenCV cannot use %s; it can use %s", asked.Pair(), strings.Join(d.Pairs, ", ")), processor
	}
	return "", ""
}

func missingCUDA(asked engine.Target, d engine.Device, refused bool) (why, fix string) {
	built := d.Built["NVIDIA CUDA"]
	switch {
	case refused && !strings.HasPrefix(built, "YES"):
		return lang.T("CUDA cannot be used: this OpenCV was built without it"), lang.T("Use an OpenCV that was built with CUDA and cuDNN, or --target cpu.")
	case d.CUDA == nil:
		return lang.T("CUDA cannot be used: OpenCV does not say which devices it sees"), lang.T("Run nvidia-smi to see whether the driver works.")
	case d.CUDA.Count < 0:
		return lang.F("CUDA cannot be used: the NVIDIA driver is older than this OpenCV's CUDA (%s) needs", built), lang.T("Update the NVIDIA driver.")
	case d.CUDA.Count == 0:
		return lang.T("CUDA cannot be used: OpenCV sees no CUDA device"), lang.T("Run nvidia-smi; without an NVIDIA GPU, use --target cpu.")
	case refused && !strings.HasPrefix(d.Built["cuDNN"], "YES"):
		return lang.T("CUDA cannot be used: this OpenCV was built without cuDNN, which its networks need"), lang.T("Use an OpenCV that was built with CUDA and cuDNN, or --target cpu.")
	case refused && asked.Name == "cuda_fp16":
		return lang.F("half precision cannot be used: %s does not have it", strings.Join(d.CUDA.Names, ", ")), lang.T("Use --target cuda.")
	case refused:
		return lang.F("CUDA cannot be used: OpenCV was not built for the compute capability of %s", strings.Join(d.CUDA.Names, ", ")), lang.T("Build OpenCV with CUDA_ARCH_BIN set to this GPU's compute capability.")
	}
	return "", ""
}
