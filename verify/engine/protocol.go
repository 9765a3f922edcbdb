// Package engine is the contract between verify and the child processes that
// run a network: a job goes in as JSON on standard input, an answer comes back
// as JSON in a file, tensors travel in files. What the child prints, on either
// stream, is its log: libraries print there as they like (OpenCV writes the
// build log of OpenCL kernels to standard output). It owns starting such a
// child, its deadline, and turning its death into a sentence. It must never
// load a foreign library into this process.
package engine

// Schema is the version of the job and answer forms.
const Schema = 2

// Job is what a worker is asked to do. All paths are absolute.
type Job struct {
	Schema int `json:"schema"`
	// Config and Weights are the Darknet .cfg and .weights files.
	Config  string `json:"config"`
	Weights string `json:"weights"`
	// Model is the converted network, for engines that read no Darknet files, and
	// Outputs the names of its outputs that Heads are, in the same order.
	Model   string   `json:"model,omitempty"`
	Outputs []string `json:"outputs,omitempty"`
	// Inputs are tensor files, each float32 little-endian, NCHW, shape
	// [1, 3, Height, Width], RGB, range [0, 1]. The first is run Warmup+Runs
	// times; its first result and the results of one run of each further input
	// are written out. The first is then run once more as the repeat check.
	// Without inputs nothing is loaded or run: the worker only answers with its
	// versions, which shows that its libraries load.
	Inputs []string `json:"inputs"`
	Width  int      `json:"width"`
	Height int      `json:"height"`
	// Heads are the layers whose raw output is wanted, in Darknet's counting: the
	// convolution before each yolo layer, with its batch normalization and its
	// activation, which is what the yolo layer reads.
	Heads []int `json:"heads"`
	// Shapes are the shapes of the heads, [1, C, H, W], in the same order, for engines
	// whose results have none.
	Shapes [][]int `json:"shapes"`
	// Yolos are the indices of the yolo layers, for the engine's own decoding.
	Yolos []int `json:"yolos"`
	// OutDir is an existing folder for output tensors.
	OutDir string `json:"out_dir"`
	// AnswerFile is where the worker writes its Answer, under another name
	// first and then renamed. Execute sets it.
	AnswerFile string `json:"answer_file"`
	Backend    string `json:"backend"` // one of Spec.Targets
	Target     string `json:"target"`  // cpu, cpu_fp16, opencl, cuda, cuda_fp16 …
	Threads    int    `json:"threads"` // 0: the engine's default
	// Settings are switches of the engine by their names in Spec.Settings; one that is
	// not there has its default.
	Settings map[string]string `json:"settings,omitempty"`
	Warmup   int               `json:"warmup"`
	Runs     int               `json:"runs"`
}

// Answer is what the worker reports.
type Answer struct {
	Schema int `json:"schema"`
	// Versions of everything involved: opencv, gocv, go.
	Versions map[string]string `json:"versions"`
	// Backend and Target that really ran, as far as the engine can tell.
	Backend string `json:"backend"`
	Target  string `json:"target"`
	Threads int    `json:"threads"`
	// BatchNorm is what the engine adds in a batch normalization to keep from dividing
	// by zero, where that is not the usual 1e-6 to the variance: one of the constants
	// below.
	BatchNorm string `json:"batch_norm,omitempty"`
	// Began is when the worker's main function started, Unix seconds. What lies
	// between the start of the process and this is the loading of libraries.
	Began float64 `json:"began,omitempty"`
	// StartSeconds is that time; the parent fills it in.
	StartSeconds float64 `json:"-"`
	// LoadSeconds is reading the network; RunSeconds are the forward
	// passes of Inputs[0] in order, warm-up included (the first is first).
	LoadSeconds float64   `json:"load_s"`
	RunSeconds  []float64 `json:"run_s"`
	// OtherSeconds are the forward passes that Others and Repeat came from.
	OtherSeconds []float64 `json:"other_s,omitempty"`
	// Outputs of Inputs[0], Others of Inputs[1:] and Repeat of Inputs[0] again:
	// heads, and rows where the engine decodes.
	Outputs []Tensor `json:"outputs"`
	Others  []Tensor `json:"others"`
	Repeat  []Tensor `json:"repeat"`
	// Last are heads and rows of the last run of Inputs[0] that was timed, where
	// there was more than one. RunDiff has, for each run of Inputs[0] in order,
	// the repeat check included, the largest relative L2 of any head from the
	// first run's; -1 where a value is not finite.
	Last    []Tensor  `json:"last"`
	RunDiff []float64 `json:"run_diff"`
	// RunMost has, for the same runs, the largest difference of any one value.
	RunMost []float64 `json:"run_most"`
	// RunRows counts, for the same runs, the values of rows that differ from the
	// first run's though all heads are the same; nil: not compared.
	RunRows []int `json:"run_rows,omitempty"`
	// Device is what the engine says it can run on; wanted where the target is
	// not the processor. nil: it does not say.
	Device *Device `json:"device,omitempty"`
	// Processor are the heads of Inputs[0] as the same engine computes them on
	// the processor, and ProcessorSeconds the time of that; wanted where the
	// target is not the processor.
	Processor        []Tensor `json:"processor,omitempty"`
	ProcessorSeconds float64  `json:"processor_s,omitempty"`
	// Peak is the rate of single-precision multiply-adds in registers that was
	// measured with as many threads as the engine has, PeakAll the same with all
	// processors that the worker may use, and PeakDevice that of the target where
	// it is not the processor; each the best of many tries, 0 where it was not
	// measured. Calibration are the times that one and the same piece of such
	// work took: before, between and after the runs of Inputs[0].
	Peak        float64   `json:"peak_gflops,omitempty"`
	PeakAll     float64   `json:"peak_all_gflops,omitempty"`
	PeakDevice  float64   `json:"peak_device_gflops,omitempty"`
	Calibration []float64 `json:"calibration_s,omitempty"`
	// Memory is the most memory that the worker had at once, in bytes, 0 where the
	// system does not say. The worker itself reads it: what a parent is told of a
	// child on Linux includes the parent's own memory at the fork.
	Memory int64 `json:"memory_bytes,omitempty"`
	// Libraries are the shared libraries that were loaded when the work was
	// done, absolute, as the operating system lists them.
	Libraries []string `json:"libraries,omitempty"`
	// Log is what the worker printed on both streams (last 64 KiB).
	Log string `json:"log,omitempty"`
	// Error is the engine's own message when the job failed.
	Error string `json:"error,omitempty"`
}

// The values of Answer.BatchNorm: AlexeyAB's and hank-ai's Darknet add 1e-5 to the
// variance, pjreddie's adds 1e-6 to the standard deviation (src/blas.c in each).
const (
	VariancePlus1e5  = "variance+1e-5"
	DeviationPlus1e6 = "deviation+1e-6"
)

// Tensor is one output in a file: float32 little-endian, row-major.
type Tensor struct {
	// Kind is "head" (raw, [1, C, H, W]) or "rows" (the engine's own decoding,
	// [N, 5+classes]: cx, cy, w, h as fractions of the network input,
	// objectness, class scores already multiplied by objectness).
	Kind  string `json:"kind"`
	Layer int    `json:"layer"` // Darknet layer index
	Shape []int  `json:"shape"`
	File  string `json:"file"`
	// Input is the index into Job.Inputs.
	Input int `json:"input"`
}

// Device is what an engine says of the hardware that it can use.
type Device struct {
	// Pairs are the backends with their targets that can be used here, in Job's
	// words (opencv/opencl). nil: not known.
	Pairs  []string `json:"pairs"`
	OpenCL *OpenCL  `json:"opencl,omitempty"`
	CUDA   *CUDA    `json:"cuda,omitempty"`
	Vulkan *Vulkan  `json:"vulkan,omitempty"`
	// Built is what the library was built with, by its own names: NVIDIA CUDA,
	// cuDNN, OpenCL.
	Built map[string]string `json:"built,omitempty"`
	// Layers counts the network's layers by the target that the engine gave
	// them, in the engine's words (CPU, OCL, CUDA). nil: not known.
	Layers map[string]int `json:"layers,omitempty"`
}

// OpenCL is the device that an engine chose.
type OpenCL struct {
	// Have: a runtime was found; Use: it is switched on and has a device.
	Have    bool   `json:"have"`
	Use     bool   `json:"use"`
	Name    string `json:"name"`
	Vendor  string `json:"vendor"`
	Version string `json:"version"`
	Type    string `json:"type"` // gpu, cpu, accelerator, other
	// Any: networks may run on devices other than GPUs.
	Any bool `json:"any"`
}

// CUDA are the devices that an engine sees. Count is -1 where the driver is
// older than the library needs.
type CUDA struct {
	Count int      `json:"count"`
	Names []string `json:"names,omitempty"`
	// Capabilities are their compute capabilities (8.6), in the same order.
	Capabilities []string `json:"capabilities,omitempty"`
}

// Vulkan are the devices that an engine sees. Types are what they are, in the same
// order: gpu, cpu, other.
type Vulkan struct {
	Names []string `json:"names"`
	Types []string `json:"types"`
}
