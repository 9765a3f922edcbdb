//go:build nativeworker

// The ONNX Runtime worker: a program of its own that loads the library whose path
// is its argument, runs an ONNX model, and writes what came out (verify/engines/
// internal/worker). It has no C and needs no C compiler: the library is loaded
// with the system's loader, and its functions are called by address.
package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"time"
	"unsafe"
)

// processor is ONNX Runtime's word for the processor in its profiles.
const processor = "CPUExecutionProvider"

func main() {
	work("onnxruntime", []string{"onnxruntime/cpu"}, func(file string) (library, error) { return load(file) })
}

func (r *ort) version() string { return r.release }

func (r *ort) batchNorm() string { return "" }

func (r *ort) open(j job) (network, error) { return r.session(j, "") }

// executed asks ONNX Runtime which provider runs the nodes: it is in the profile
// of one more run. The timed runs are not profiled.
func (r *ort) executed(j job) (*device, error) {
	prefix := filepath.Join(j.OutDir, "profile")
	n, err := r.session(j, prefix)
	if err != nil {
		return nil, fmt.Errorf("profile: %v", err)
	}
	picture, err := readInput(j.Inputs[0], j.Width, j.Height)
	if err == nil {
		_, _, err = n.pass(picture)
	}
	n.close() // which ends the profile
	if err != nil {
		return nil, fmt.Errorf("profile: %v", err)
	}
	layers, err := providers(prefix)
	return &device{Layers: layers}, err
}

// session is a session with the names of what goes in and out.
type session struct {
	*ort
	shape   []int64 // of the input
	session unsafe.Pointer
	memory  unsafe.Pointer
	input   *byte
	outputs []*byte // the job's heads
}

// session makes a session. profile begins the name of the file for its profile,
// "" for none.
func (r *ort) session(j job, profile string) (*session, error) {
	if len(j.Outputs) != len(j.Heads) {
		return nil, errors.New("job without the names of the heads")
	}
	n := &session{ort: r, shape: []int64{1, 3, int64(j.Height), int64(j.Width)}, input: cstring("input")}
	for _, name := range j.Outputs {
		n.outputs = append(n.outputs, cstring(name))
	}
	var options unsafe.Pointer
	if err := r.call("create session options", createSessionOptions, uintptr(unsafe.Pointer(&options))); err != nil {
		return nil, err
	}
	defer r.free(releaseSessionOptions, options)
	if j.Threads > 0 {
		if err := r.call("limit threads", setIntraOpNumThreads, uintptr(options), uintptr(j.Threads)); err != nil {
			return nil, err
		}
	}
	if level, ok := levels[j.Settings["graph_optimization"]]; ok {
		if err := r.call("set the level of optimization", setGraphOptimizationLevel, uintptr(options), level); err != nil {
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

func (n *session) close() {
	n.free(releaseMemoryInfo, n.memory)
	n.free(releaseSession, n.session)
}

func (n *session) pass(picture []float32) ([]head, float64, error) {
	var in unsafe.Pointer
	err := n.call("make the input", createTensorWithDataAsOrtValue, uintptr(n.memory), uintptr(unsafe.Pointer(&picture[0])), uintptr(len(picture)*4),
		uintptr(unsafe.Pointer(&n.shape[0])), uintptr(len(n.shape)), float, uintptr(unsafe.Pointer(&in)))
	if err != nil {
		return nil, 0, err
	}
	defer n.free(releaseValue, in)
	results := make([]unsafe.Pointer, len(n.outputs))
	defer func() {
		for _, v := range results {
			n.free(releaseValue, v)
		}
	}()
	start := time.Now()
	err = n.call("forward pass", runSession, uintptr(n.session), 0, uintptr(unsafe.Pointer(&n.input)), uintptr(unsafe.Pointer(&in)), 1,
		uintptr(unsafe.Pointer(&n.outputs[0])), uintptr(len(n.outputs)), uintptr(unsafe.Pointer(&results[0])))
	took := time.Since(start).Seconds()
	// The tensor refers to the picture, and both arrays to the names.
	runtime.KeepAlive(picture)
	runtime.KeepAlive(n)
	if err != nil {
		return nil, 0, err
	}
	var heads []head
	for _, v := range results {
		h, err := n.read(v)
		if err != nil {
			return nil, 0, err
		}
		heads = append(heads, h)
	}
	return heads, took, nil
}

// read copies a result.
func (n *session) read(v unsafe.Pointer) (head, error) {
	var info unsafe.Pointer
	if err := n.call("read a result", getTensorTypeAndShape, uintptr(v), uintptr(unsafe.Pointer(&info))); err != nil {
		return head{}, err
	}
	defer n.free(releaseTensorTypeAndShapeInfo, info)
	var kind int32
	if err := n.call("read a result's type", getTensorElementType, uintptr(info), uintptr(unsafe.Pointer(&kind))); err != nil {
		return head{}, err
	}
	var rank uintptr
	if err := n.call("read a result's rank", getDimensionsCount, uintptr(info), uintptr(unsafe.Pointer(&rank))); err != nil {
		return head{}, err
	}
	if kind != float || rank < 1 || rank > 8 {
		return head{}, fmt.Errorf("a result is of type %d with %d dimensions", kind, rank)
	}
	dims := make([]int64, rank)
	if err := n.call("read a result's shape", getDimensions, uintptr(info), uintptr(unsafe.Pointer(&dims[0])), rank); err != nil {
		return head{}, err
	}
	shape, count, err := sizes(dims)
	if err != nil {
		return head{}, err
	}
	var data unsafe.Pointer
	if err := n.call("read a result's values", getTensorMutableData, uintptr(v), uintptr(unsafe.Pointer(&data))); err != nil {
		return head{}, err
	}
	return head{shape, append([]float32(nil), unsafe.Slice((*float32)(data), count)...)}, nil
}
