//go:build gocvworker
// +build gocvworker

// The gocv worker: a program of its own that loads a Darknet network through
// gocv and OpenCV, runs it, and writes what came out (verify/engines/internal/
// worker). It is compiled with any gocv from v0.22.0 on: only calls that every one
// of those releases has.
//
// A C++ exception that gocv does not catch ends this process; the parent reads
// the reason from standard error.
package main

import (
	"errors"
	"fmt"
	"image"
	"path/filepath"
	"strings"
	"time"

	"gocv.io/x/gocv"
)

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

func main() { serve("gocv worker", run) }

func run(j job, a *answer) error {
	a.Versions["opencv"], a.Versions["gocv"] = gocv.OpenCVVersion(), gocv.Version()
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
	m := newMeter(j, a)
	if err := passes(j, a, &n.seen, n.forward, m.measure); err != nil || target == 0 {
		return err
	}
	a.Device.Layers = layers(&n.net)
	a.Processor, a.ProcessorS, err = onProcessor(j)
	return err
}

// network is a loaded network with the layers that are asked for.
type network struct {
	net   gocv.Net
	job   job
	names []string
	seen  watch
	first *gocv.Mat // the first input, once it was read
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
func (n *network) forward(input int, keep string) ([]tensor, float64, error) {
	blob := n.first
	if input > 0 || blob == nil {
		read, err := readBlob(n.job.Inputs[input], n.job.Width, n.job.Height)
		if err != nil {
			return nil, 0, err
		}
		blob = &read
		if input > 0 {
			defer read.Close()
		} else {
			n.first = blob
		}
	}
	start := time.Now()
	n.net.SetInput(*blob, "")
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
	values := make([][]float32, len(mats))
	for i := range mats {
		var err error
		if values[i], err = mats[i].DataPtrFloat32(); err != nil {
			return nil, 0, fmt.Errorf("read layer %s: %v", n.names[i], err)
		}
	}
	if input == 0 {
		n.seen.add(values[:len(n.job.Heads)], values[len(n.job.Heads):])
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
		if err := writeTensor(t.File, values[i]); err != nil {
			return nil, 0, err
		}
		out = append(out, t)
	}
	return out, took, nil
}

// readBlob loads a tensor file into a [1, 3, H, W] Mat. gocv can make a
// four-dimensional Mat directly only since v0.26.0, so the planes are woven
// into an ordinary float image and OpenCV's own blobFromImage separates them
// again, with neither scaling nor swapping.
func readBlob(file string, width, height int) (gocv.Mat, error) {
	data, err := readInput(file, width, height)
	if err != nil {
		return gocv.Mat{}, err
	}
	plane := width * height
	img := gocv.NewMatWithSize(height, width, gocv.MatTypeCV32F+gocv.MatChannels3)
	defer img.Close()
	pixels, err := img.DataPtrFloat32()
	if err != nil {
		return gocv.Mat{}, fmt.Errorf("fill input: %v", err)
	}
	if len(pixels) != plane*3 {
		return gocv.Mat{}, fmt.Errorf("fill input: OpenCV allocated %d values, not %d", len(pixels), plane*3)
	}
	for c := 0; c < 3; c++ {
		for p := 0; p < plane; p++ {
			pixels[p*3+c] = data[c*plane+p]
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
