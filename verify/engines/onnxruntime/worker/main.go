//go:build ortworker

// The ONNX Runtime worker: a program of its own that loads the library whose path
// is its argument, runs an ONNX model, and writes what came out (verify/engines/
// internal/worker). It has no C and needs no C compiler: the library is loaded
// with the system's loader, and its functions are called by address.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"
	"unsafe"
)

// processor is ONNX Runtime's word for the processor in its profiles.
const processor = "CPUExecutionProvider"

func main() {
	serve("onnxruntime worker", func(j job, a *answer) error {
		if len(os.Args) != 2 {
			return errors.New("usage: worker LIBRARY")
		}
		return run(os.Args[1], j, a)
	})
}

func run(library string, j job, a *answer) error {
	r, err := load(library)
	if err != nil {
		return err
	}
	a.Versions["onnxruntime"] = r.version
	if j.Backend != "onnxruntime" || j.Target != "cpu" {
		return fmt.Errorf("unknown backend and target %s/%s", j.Backend, j.Target)
	}
	if len(j.Inputs) == 0 {
		return nil // only asked whether everything loads
	}
	if j.Warmup+j.Runs < 1 || len(j.Heads) == 0 || len(j.Heads) != len(j.Outputs) {
		return errors.New("job without runs or heads")
	}
	a.Backend, a.Target, a.Threads = j.Backend, j.Target, j.Threads
	begin := time.Now()
	n, err := r.open(j, "")
	if err != nil {
		return err
	}
	a.LoadSeconds = time.Since(begin).Seconds()
	if err := passes(j, a, &n.seen, n.forward, func() {}); err != nil {
		return err
	}
	n.close()
	a.Device, err = r.executed(j)
	return err
}

// executed asks ONNX Runtime which provider runs the nodes: it is in the profile
// of one more run. The timed runs are not profiled.
func (r *ort) executed(j job) (*device, error) {
	prefix := filepath.Join(j.OutDir, "profile")
	n, err := r.open(j, prefix)
	if err != nil {
		return nil, fmt.Errorf("profile: %v", err)
	}
	_, _, err = n.forward(0, "")
	n.close() // which ends the profile
	if err != nil {
		return nil, fmt.Errorf("profile: %v", err)
	}
	layers, err := providers(prefix)
	return &device{Layers: layers}, err
}

// network is a session with the names of what goes in and out.
type network struct {
	*ort
	job     job
	session unsafe.Pointer
	memory  unsafe.Pointer
	input   *byte
	outputs []*byte   // the job's heads
	first   []float32 // the first input, once it was read
	seen    watch
}

// open makes a session. profile begins the name of the file for its profile, ""
// for none.
func (r *ort) open(j job, profile string) (*network, error) {
	n := &network{ort: r, job: j, input: cstring("input")}
	for _, name := range j.Outputs {
		n.outputs = append(n.outputs, cstring(name))
	}
	var options unsafe.Pointer
	if err := r.call("create session options", createSessionOptions, uintptr(unsafe.Pointer(&options))); err != nil {
		return nil, err
	}
	defer r.release(releaseSessionOptions, options)
	if j.Threads > 0 {
		if err := r.call("limit threads", setIntraOpNumThreads, uintptr(options), uintptr(j.Threads)); err != nil {
			return nil, err
		}
	}
	if profile != "" {
		path := pathname(profile)
		if err := r.call("ask for a profile", enableProfiling, uintptr(options), uintptr(path)); err != nil {
			return nil, err
		}
	}
	model := pathname(j.Model)
	if err := r.call("load "+filepath.Base(j.Model), createSession, uintptr(r.env), uintptr(model), uintptr(options), uintptr(unsafe.Pointer(&n.session))); err != nil {
		return nil, err
	}
	// OrtArenaAllocator 1, OrtMemTypeDefault 0.
	return n, r.call("describe memory", createCPUMemoryInfo, 1, 0, uintptr(unsafe.Pointer(&n.memory)))
}

func (n *network) close() {
	n.release(releaseMemoryInfo, n.memory)
	n.release(releaseSession, n.session)
}

// forward runs the network once. keep begins the names of the files that the heads
// are written to, "" for none.
func (n *network) forward(input int, keep string) ([]tensor, float64, error) {
	j := n.job
	data := n.first
	if input > 0 || data == nil {
		var err error
		if data, err = readInput(j.Inputs[input], j.Width, j.Height); err != nil {
			return nil, 0, err
		}
		if input == 0 {
			n.first = data
		}
	}
	shape := []int64{1, 3, int64(j.Height), int64(j.Width)}
	var in unsafe.Pointer
	err := n.call("make the input", createTensorWithDataAsOrtValue, uintptr(n.memory), uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)*4),
		uintptr(unsafe.Pointer(&shape[0])), uintptr(len(shape)), float, uintptr(unsafe.Pointer(&in)))
	if err != nil {
		return nil, 0, err
	}
	defer n.release(releaseValue, in)
	results := make([]unsafe.Pointer, len(n.outputs))
	defer func() {
		for _, v := range results {
			n.release(releaseValue, v)
		}
	}()
	start := time.Now()
	err = n.call("forward pass", runSession, uintptr(n.session), 0, uintptr(unsafe.Pointer(&n.input)), uintptr(unsafe.Pointer(&in)), 1,
		uintptr(unsafe.Pointer(&n.outputs[0])), uintptr(len(n.outputs)), uintptr(unsafe.Pointer(&results[0])))
	took := time.Since(start).Seconds()
	// The tensor refers to the data, and both arrays to the names.
	runtime.KeepAlive(data)
	runtime.KeepAlive(n)
	if err != nil {
		return nil, 0, err
	}
	tensors, values := []tensor{}, [][]float32{}
	for i, v := range results {
		dims, head, err := n.read(v)
		if err != nil {
			return nil, 0, err
		}
		values = append(values, head)
		tensors = append(tensors, tensor{Kind: "head", Layer: j.Heads[i], Shape: dims, Input: input})
	}
	if input == 0 {
		n.seen.add(values, nil)
	}
	if keep == "" {
		return nil, took, nil
	}
	for i := range tensors {
		t := &tensors[i]
		t.File = filepath.Join(j.OutDir, fmt.Sprintf("%s-%d.f32", keep, t.Layer))
		if err := writeTensor(t.File, values[i]); err != nil {
			return nil, 0, err
		}
	}
	return tensors, took, nil
}

// read gives the shape and the values of a result, which are valid until it is
// released.
func (n *network) read(v unsafe.Pointer) ([]int, []float32, error) {
	var info unsafe.Pointer
	if err := n.call("read a result", getTensorTypeAndShape, uintptr(v), uintptr(unsafe.Pointer(&info))); err != nil {
		return nil, nil, err
	}
	defer n.release(releaseTensorTypeAndShapeInfo, info)
	var kind int32
	if err := n.call("read a result's type", getTensorElementType, uintptr(info), uintptr(unsafe.Pointer(&kind))); err != nil {
		return nil, nil, err
	}
	var rank uintptr
	if err := n.call("read a result's rank", getDimensionsCount, uintptr(info), uintptr(unsafe.Pointer(&rank))); err != nil {
		return nil, nil, err
	}
	if kind != float || rank < 1 || rank > 8 {
		return nil, nil, fmt.Errorf("a result is of type %d with %d dimensions", kind, rank)
	}
	dims := make([]int64, rank)
	if err := n.call("read a result's shape", getDimensions, uintptr(info), uintptr(unsafe.Pointer(&dims[0])), rank); err != nil {
		return nil, nil, err
	}
	shape, count := make([]int, rank), 1
	for i, d := range dims {
		if d < 1 || d > 1<<20 {
			return nil, nil, fmt.Errorf("a result has the shape %v", dims)
		}
		shape[i] = int(d)
		count *= int(d)
	}
	var data unsafe.Pointer
	if err := n.call("read a result's values", getTensorMutableData, uintptr(v), uintptr(unsafe.Pointer(&data))); err != nil {
		return nil, nil, err
	}
	return shape, unsafe.Slice((*float32)(data), count), nil
}
