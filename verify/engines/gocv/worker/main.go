//go:build gocvworker
// +build gocvworker

// The gocv worker: a program of its own that loads a Darknet network through
// gocv and OpenCV, runs it, and writes what came out. It reads one job as JSON
// on standard input and writes one answer as JSON to the file that the job
// names, because OpenCV prints to both streams. The forms are verify/engine's
// Job and Answer, repeated here because this file is
// compiled alone on the machine that is being proven, with whatever Go that
// machine has (1.13 or newer) and with any gocv from v0.22.0 on. So: no
// generics, no os.ReadFile, and only calls that every one of those releases has.
//
// A C++ exception that gocv does not catch ends this process; the parent reads
// the reason from standard error.
package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/ioutil"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"gocv.io/x/gocv"
)

const schema = 2

type job struct {
	Schema  int      `json:"schema"`
	Config  string   `json:"config"`
	Weights string   `json:"weights"`
	Inputs  []string `json:"inputs"`
	Width   int      `json:"width"`
	Height  int      `json:"height"`
	Heads   []int    `json:"heads"`
	Yolos   []int    `json:"yolos"`
	OutDir  string   `json:"out_dir"`
	Answer  string   `json:"answer_file"`
	Backend string   `json:"backend"`
	Target  string   `json:"target"`
	Threads int      `json:"threads"`
	Warmup  int      `json:"warmup"`
	Runs    int      `json:"runs"`
}

type answer struct {
	Schema      int               `json:"schema"`
	Versions    map[string]string `json:"versions"`
	Backend     string            `json:"backend"`
	Target      string            `json:"target"`
	Threads     int               `json:"threads"`
	Began       float64           `json:"began"`
	LoadSeconds float64           `json:"load_s"`
	RunSeconds  []float64         `json:"run_s"`
	OtherSecs   []float64         `json:"other_s"`
	Outputs     []tensor          `json:"outputs"`
	Others      []tensor          `json:"others"`
	Repeat      []tensor          `json:"repeat"`
	Last        []tensor          `json:"last"`
	RunDiff     []float64         `json:"run_diff"`
	RunMost     []float64         `json:"run_most"`
	RunRows     []int             `json:"run_rows"`
	Device      *device           `json:"device,omitempty"`
	Processor   []tensor          `json:"processor,omitempty"`
	ProcessorS  float64           `json:"processor_s,omitempty"`
	Peak        float64           `json:"peak_gflops,omitempty"`
	PeakAll     float64           `json:"peak_all_gflops,omitempty"`
	PeakDevice  float64           `json:"peak_device_gflops,omitempty"`
	Calibration []float64         `json:"calibration_s,omitempty"`
	Libraries   []string          `json:"libraries,omitempty"`
	Log         string            `json:"log,omitempty"`
	Error       string            `json:"error,omitempty"`
}

type tensor struct {
	Kind  string `json:"kind"`
	Layer int    `json:"layer"`
	Shape []int  `json:"shape"`
	File  string `json:"file"`
	Input int    `json:"input"`
}

// The numbers are OpenCV's cv::dnn::Backend and cv::dnn::Target (dnn.hpp, 4.x);
// older gocv has names for only a few of them.
var backends = map[string]int{
	"": 3, "opencv": 3, "default": 0, "openvino": 2, "vulkan": 4, "cuda": 5,
	"timvx": 7, "cann": 8,
}

var targets = map[string]int{
	"": 0, "cpu": 0, "opencl": 1, "opencl_fp16": 2, "vulkan": 4, "cuda": 6,
	"cuda_fp16": 7, "npu": 9, "cpu_fp16": 10,
}

func main() {
	a := answer{
		Schema: schema,
		Began:  float64(time.Now().UnixNano()) / 1e9,
		Versions: map[string]string{
			"opencv": gocv.OpenCVVersion(),
			"gocv":   gocv.Version(),
			"go":     runtime.Version(),
		},
	}
	var j job
	if err := json.NewDecoder(os.Stdin).Decode(&j); err != nil {
		fmt.Fprintln(os.Stderr, "gocv worker: read job:", err)
		os.Exit(1)
	}
	if err := run(j, &a); err != nil {
		a.Error = err.Error()
	}
	// Now, when also what is loaded at first use (OpenCL, CUDA) is there.
	var err error
	if a.Libraries, err = libraries(); err != nil {
		fmt.Fprintln(os.Stderr, "gocv worker: list the loaded libraries:", err)
	}
	if err := reply(j.Answer, &a); err != nil {
		fmt.Fprintln(os.Stderr, "gocv worker: write answer:", err)
		os.Exit(1)
	}
}

// reply writes the answer whole or not at all.
func reply(file string, a *answer) error {
	raw, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := ioutil.WriteFile(file+".part", raw, 0600); err != nil {
		return err
	}
	return os.Rename(file+".part", file)
}

func run(j job, a *answer) error {
	if j.Schema != schema {
		return fmt.Errorf("job has schema %d, this worker speaks %d", j.Schema, schema)
	}
	backend, ok := backends[j.Backend]
	if !ok {
		return fmt.Errorf("unknown backend %q", j.Backend)
	}
	target, ok := targets[j.Target]
	if !ok {
		return fmt.Errorf("unknown target %q", j.Target)
	}
	if target != 0 {
		a.Device = devices(j.Target)
	}
	if len(j.Inputs) == 0 {
		return nil // only asked whether everything loads
	}
	if a.Device != nil && a.Device.Pairs != nil && !a.Device.lists(backend, target) {
		return fmt.Errorf("this OpenCV cannot use %s/%s", j.Backend, j.Target)
	}
	if j.Warmup+j.Runs < 1 || len(j.Heads) == 0 || len(j.Heads) != len(j.Yolos) {
		return errors.New("job without runs or heads")
	}
	a.Backend, a.Target = j.Backend, j.Target
	a.Threads = setThreads(j.Threads)

	begin := time.Now()
	n, err := open(j, backend, target)
	if err != nil {
		return err
	}
	a.LoadSeconds = time.Since(begin).Seconds()
	first, err := n.passes(a)
	if err != nil || target == 0 {
		return err
	}
	a.Device.Layers = layers(&n.net)
	a.Processor, a.ProcessorS, err = onProcessor(j, first)
	return err
}

// network is a loaded network with the layers that are asked for.
type network struct {
	net   gocv.Net
	job   job
	names []string
	seen  watch
}

// open loads the job's network. It is never closed: the process ends a moment
// after its use.
func open(j job, backend, target int) (*network, error) {
	n := &network{net: gocv.ReadNet(j.Weights, j.Config), job: j}
	if err := lastException(); err != nil {
		return nil, fmt.Errorf("load %s: %v", filepath.Base(j.Config), err)
	}
	if n.net.Empty() {
		return nil, fmt.Errorf("load %s: OpenCV returned an empty network", filepath.Base(j.Config))
	}
	if err := n.net.SetPreferableBackend(gocv.NetBackendType(backend)); err != nil {
		return nil, fmt.Errorf("choose backend %s: %v", j.Backend, err)
	}
	if err := n.net.SetPreferableTarget(gocv.NetTargetType(target)); err != nil {
		return nil, fmt.Errorf("choose target %s: %v", j.Target, err)
	}
	// OpenCV's Darknet importer names a layer after its kind and its index in
	// the cfg. Asking for a head by name also keeps OpenCV from fusing it away.
	for i, head := range j.Heads {
		n.names = append(n.names, headName(&n.net, head, j.Yolos[i]))
	}
	for _, i := range j.Yolos {
		n.names = append(n.names, fmt.Sprintf("yolo_%d", i))
	}
	return n, nil
}

// forward runs the network once. keep begins the names of the files that the
// layers are written to, "" for none.
func (n *network) forward(blob gocv.Mat, input int, keep string) ([]tensor, float64, error) {
	start := time.Now()
	n.net.SetInput(blob, "")
	mats := n.net.ForwardLayers(n.names)
	took := time.Since(start).Seconds()
	defer func() {
		for i := range mats {
			mats[i].Close()
		}
	}()
	if err := lastException(); err != nil {
		return nil, 0, fmt.Errorf("forward pass: %v", err)
	}
	if len(mats) != len(n.names) {
		return nil, 0, fmt.Errorf("forward pass: asked for %d layers, got %d", len(n.names), len(mats))
	}
	if input == 0 {
		if err := n.seen.add(mats, len(n.job.Heads)); err != nil {
			return nil, 0, err
		}
	}
	if keep == "" {
		return nil, took, nil
	}
	var out []tensor
	for i := range mats {
		t := tensor{Kind: "head", Input: input}
		if i < len(n.job.Heads) {
			t.Layer = n.job.Heads[i]
		} else {
			t.Kind, t.Layer = "rows", n.job.Yolos[i-len(n.job.Heads)]
		}
		t.Shape = mats[i].Size()
		t.File = filepath.Join(n.job.OutDir, fmt.Sprintf("%s-%s.f32", keep, n.names[i]))
		data, err := mats[i].DataPtrFloat32()
		if err != nil {
			return nil, 0, fmt.Errorf("read layer %s: %v", n.names[i], err)
		}
		if err := writeTensor(t.File, data); err != nil {
			return nil, 0, err
		}
		out = append(out, t)
	}
	return out, took, nil
}

// passes makes all the forward passes of a job and returns the first input.
func (n *network) passes(a *answer) (gocv.Mat, error) {
	j := n.job
	first, err := readBlob(j.Inputs[0], j.Width, j.Height)
	if err != nil {
		return first, err
	}
	m := newMeter(j, a)
	m.measure()
	for i := 0; i < j.Warmup+j.Runs; i++ {
		keep := ""
		if i == 0 {
			keep = "first"
		} else if i == j.Warmup+j.Runs-1 {
			keep = "last"
		}
		out, took, err := n.forward(first, 0, keep)
		if err != nil {
			return first, err
		}
		if i == 0 {
			a.Outputs = out
		}
		if keep == "last" {
			a.Last = out
		}
		a.RunSeconds = append(a.RunSeconds, took)
		m.measure()
	}
	for i := 1; i < len(j.Inputs); i++ {
		blob, err := readBlob(j.Inputs[i], j.Width, j.Height)
		if err != nil {
			return first, err
		}
		out, took, err := n.forward(blob, i, fmt.Sprintf("other%d", i))
		if err != nil {
			return first, err
		}
		blob.Close()
		a.OtherSecs = append(a.OtherSecs, took)
		a.Others = append(a.Others, out...)
	}
	out, took, err := n.forward(first, 0, "repeat")
	if err != nil {
		return first, err
	}
	a.OtherSecs = append(a.OtherSecs, took)
	a.Repeat, a.RunDiff, a.RunMost, a.RunRows = out, n.seen.diffs, n.seen.most, n.seen.rows
	return first, nil
}

// readBlob loads a tensor file into a [1, 3, H, W] Mat. gocv can make a
// four-dimensional Mat directly only since v0.26.0, so the planes are woven
// into an ordinary float image and OpenCV's own blobFromImage separates them
// again, with neither scaling nor swapping.
func readBlob(file string, width, height int) (gocv.Mat, error) {
	raw, err := ioutil.ReadFile(file)
	if err != nil {
		return gocv.Mat{}, fmt.Errorf("read input: %v", err)
	}
	plane := width * height
	if width < 1 || height < 1 || len(raw) != plane*3*4 {
		return gocv.Mat{}, fmt.Errorf("input %s has %d bytes, a %dx%d picture has %d", file, len(raw), width, height, plane*12)
	}
	img := gocv.NewMatWithSize(height, width, gocv.MatTypeCV32F+gocv.MatChannels3)
	defer img.Close()
	pixels, err := img.DataPtrFloat32()
	if err != nil {
		return gocv.Mat{}, fmt.Errorf("fill input: %v", err)
	}
	if len(pixels) != plane*3 {
		return gocv.Mat{}, fmt.Errorf("fill input: OpenCV made room for %d values, not %d", len(pixels), plane*3)
	}
	for c := 0; c < 3; c++ {
		for p := 0; p < plane; p++ {
			pixels[p*3+c] = math.Float32frombits(binary.LittleEndian.Uint32(raw[(c*plane+p)*4:]))
		}
	}
	blob := gocv.BlobFromImage(img, 1, image.Pt(width, height), gocv.NewScalar(0, 0, 0, 0), false, false)
	if err := lastException(); err != nil {
		return gocv.Mat{}, fmt.Errorf("make input blob: %v", err)
	}
	if s := blob.Size(); len(s) != 4 || s[0] != 1 || s[1] != 3 || s[2] != height || s[3] != width {
		return gocv.Mat{}, fmt.Errorf("make input blob: shape %s", strings.Trim(fmt.Sprint(s), "[]"))
	}
	return blob, nil
}

func writeTensor(file string, data []float32) error {
	raw := make([]byte, len(data)*4)
	for i, v := range data {
		binary.LittleEndian.PutUint32(raw[i*4:], math.Float32bits(v))
	}
	if err := ioutil.WriteFile(file, raw, 0644); err != nil {
		return fmt.Errorf("write output: %v", err)
	}
	return nil
}
