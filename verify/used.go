package verify

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/judge"
)

// layerNames are OpenCV's words for the targets in the dump of a network
// (modules/dnn/src/net_impl.cpp, Net::Impl::dump).
var layerNames = map[string]string{
	"cpu_fp16": "CPU_FP16", "opencl": "OCL", "opencl_fp16": "OCL_FP16", "cuda": "CUDA", "cuda_fp16": "CUDA_FP16", "vulkan": "VULKAN", "npu": "NPU",
}

// drivers begin the names of the files without which a kind of target cannot
// have been used.
var drivers = map[string][]string{
	"cuda":   {"libcuda.so", "nvcuda", "libcudart", "cudart"},
	"opencl": {"libopencl", "opencl"},
}

// family is the kind of a target: cuda of cuda_fp16.
func family(target string) string { return strings.TrimSuffix(target, "_fp16") }

// available judges whether the engine can use the target at all. It asks the
// engine itself; what cannot be determined is unknown. false: it cannot be used,
// so there is nothing more to ask.
func (e *Engine) available(o Options, a engine.Answer) bool {
	if o.Target == "cpu" {
		return true
	}
	e.Device = a.Device
	if a.Device == nil || a.Device.Pairs == nil {
		e.doubt(fmt.Sprintf("it is not known whether %s can be used: the engine does not say", o.Target), "")
		return true
	}
	asked := o.Backend + "/" + o.Target
	why, fix := missingDevice(o, *a.Device, !slices.Contains(a.Device.Pairs, asked))
	if why != "" {
		e.reject(why, fix)
	}
	return why == ""
}

// missingDevice says what a target lacks, "" when nothing. refused: the engine
// does not list it.
func missingDevice(o Options, d engine.Device, refused bool) (why, fix string) {
	const processor = "Use --target cpu, which needs nothing."
	switch family(o.Target) {
	case "cuda":
		return missingCUDA(o, d, refused)
	case "opencl":
		c := d.OpenCL
		switch {
		case c == nil || !c.Have && strings.HasPrefix(d.Built["OpenCL"], "NO"):
			return "OpenCL cannot be used: this OpenCV was built without it", processor
		case !c.Have:
			return "OpenCL cannot be used: OpenCV loads no OpenCL runtime (it is missing, or OPENCV_OPENCL_RUNTIME disables it)",
				"Install the OpenCL runtime of your GPU, and unset OPENCV_OPENCL_RUNTIME."
		case !c.Use || c.Name == "":
			return "OpenCL cannot be used: OpenCV finds no device in the runtime (by itself it accepts GPUs only)",
				"Install the OpenCL driver of your GPU; OPENCV_OPENCL_DEVICE=:CPU: accepts a processor's."
		case c.Type != "gpu" && !c.Any:
			return fmt.Sprintf("OpenCL cannot be used: OpenCV runs networks on GPUs only, and %s is not one", c.Name),
				"Set OPENCV_DNN_OPENCL_ALLOW_ALL_DEVICES=1 to run on it all the same."
		case refused && o.Target == "opencl_fp16":
			return "half precision cannot be used: " + c.Name + " does not have it", "Use --target opencl."
		// A device other than a GPU is usable without being listed.
		case refused && c.Type == "gpu":
			return "OpenCL cannot be used: OpenCV does not list it among its targets", processor
		}
		return "", ""
	}
	if refused && o.Target == "cpu_fp16" {
		return "this OpenCV cannot compute in half precision on this processor (it can on ARM with FP16 arithmetic, since OpenCV 4.7)", "Use --target cpu."
	}
	if refused {
		return fmt.Sprintf("this OpenCV cannot use %s/%s; it can use %s", o.Backend, o.Target, strings.Join(d.Pairs, ", ")), processor
	}
	return "", ""
}

func missingCUDA(o Options, d engine.Device, refused bool) (why, fix string) {
	built := d.Built["NVIDIA CUDA"]
	switch {
	case refused && !strings.HasPrefix(built, "YES"):
		return "CUDA cannot be used: this OpenCV was built without it", "Use an OpenCV that was built with CUDA and cuDNN, or --target cpu."
	case d.CUDA == nil:
		return "CUDA cannot be used: OpenCV does not say which devices it sees", "Run nvidia-smi to see whether the driver works."
	case d.CUDA.Count < 0:
		return "CUDA cannot be used: the NVIDIA driver is older than this OpenCV's CUDA (" + built + ") needs", "Update the NVIDIA driver."
	case d.CUDA.Count == 0:
		return "CUDA cannot be used: OpenCV sees no CUDA device", "Run nvidia-smi; without an NVIDIA GPU, use --target cpu."
	case refused && !strings.HasPrefix(d.Built["cuDNN"], "YES"):
		return "CUDA cannot be used: this OpenCV was built without cuDNN, which its networks need", "Use an OpenCV that was built with CUDA and cuDNN, or --target cpu."
	case refused && o.Target == "cuda_fp16":
		return "half precision cannot be used: " + strings.Join(d.CUDA.Names, ", ") + " does not have it", "Use --target cuda."
	case refused:
		return "CUDA cannot be used: OpenCV was not built for the compute capability of " + strings.Join(d.CUDA.Names, ", "), "Build OpenCV with CUDA_ARCH_BIN set to this GPU's compute capability."
	}
	return "", ""
}

// used judges whether the forward passes ran on the target. The numbers alone
// cannot tell: the processor's are right, too.
func (e *Engine) used(o Options, a engine.Answer, c judge.Case) error {
	if !e.available(o, a) || o.Target == "cpu" || a.Device == nil {
		return nil
	}
	e.ProcessorSeconds = a.ProcessorSeconds
	switch want := layerNames[o.Target]; {
	case len(a.Device.Layers) == 0 || want == "":
		e.doubt("it is not known on what the layers ran: the engine does not say", "")
	case a.Device.Layers[want] == 0:
		e.reject(fmt.Sprintf("%s was not used: the engine ran all layers on %s", o.Target, places(a.Device.Layers)), "")
	}
	if names := drivers[family(o.Target)]; names != nil && len(e.Libraries) > 0 && !slices.ContainsFunc(e.Libraries, func(file string) bool {
		base := strings.ToLower(filepath.Base(file))
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(base, n) })
	}) {
		e.reject(fmt.Sprintf("%s was not used: no library of its driver was loaded", o.Target), "")
	}
	same, err := identical(c.Heads, a.Processor)
	switch {
	case err != nil:
		return err
	case len(a.Processor) == 0:
		e.doubt("it is not known whether the results differ from the processor's: the engine gave none of the processor", "")
	case same && (constant(c) || c.Net.GFLOP() < telling):
		e.doubt(fmt.Sprintf("it is not known whether %s was used: its results are those of the processor to the last bit, which this network would give anywhere", o.Target),
			"Use trained weights of a larger network.")
	case same:
		e.reject(fmt.Sprintf("%s was not used: all results are those of the processor to the last bit", o.Target), "")
	}
	return nil
}

// telling is the work, in GFLOP, from which on two implementations round
// differently somewhere: a hundred thousand sums in another order.
const telling = 1e-3

// constant reports whether the network gives the same for both inputs, as one
// whose weights are all zero does: no sum in it depends on its order.
func constant(c judge.Case) bool {
	for _, h := range c.Heads {
		i := slices.IndexFunc(c.Other, func(o judge.Tensor) bool { return o.Layer == h.Layer })
		if i < 0 || !slices.Equal(engine.AppendFloats(nil, h.Data), engine.AppendFloats(nil, c.Other[i].Data)) {
			return false
		}
	}
	return true
}

func places(layers map[string]int) string {
	var names []string
	for name := range layers {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " and ")
}

// identical reports whether every head has the same bits in both.
func identical(heads []judge.Tensor, processor []engine.Tensor) (bool, error) {
	compared := 0
	for _, p := range processor {
		if p.Kind != "head" {
			continue
		}
		compared++
		data, err := p.Load()
		if err != nil {
			return false, err
		}
		i := slices.IndexFunc(heads, func(h judge.Tensor) bool { return h.Layer == p.Layer })
		// Bits, not values: NaN is not equal to itself.
		if i < 0 || !slices.Equal(engine.AppendFloats(nil, heads[i].Data), engine.AppendFloats(nil, data)) {
			return false, nil
		}
	}
	return compared >= len(heads), nil
}
