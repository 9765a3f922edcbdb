//go:build nativeworker

// The TensorFlow worker: a program of its own that loads the library whose path is
// its argument, runs a frozen graph on the processor, and writes what came out
// (verify/engines/internal/worker). It has no C and needs no C compiler.
package main

import (
	"errors"
	"fmt"
	"io/ioutil"
	"path/filepath"
	"runtime"
	"strings"
	"time"
	"unsafe"
)

func main() {
	work("tensorflow", []string{"tensorflow/cpu"}, func(file string) (library, error) { return load(file) })
}

// names are the functions that are called (tensorflow/c/c_api.h, tf_tensor.h,
// tf_status.h of github.com/tensorflow/tensorflow; the API is stable since 1.0).
var names = []string{
	"TF_Version", "TF_NewStatus", "TF_GetCode", "TF_Message", "TF_NewGraph", "TF_NewBufferFromString", "TF_DeleteBuffer",
	"TF_NewImportGraphDefOptions", "TF_GraphImportGraphDef", "TF_NewSessionOptions", "TF_SetConfig", "TF_NewSession", "TF_CloseSession",
	"TF_SessionListDevices", "TF_DeviceListCount", "TF_DeviceListType", "TF_GraphOperationByName", "TF_SessionRun",
	"TF_AllocateTensor", "TF_TensorData", "TF_TensorByteSize", "TF_TensorType", "TF_NumDims", "TF_Dim", "TF_DeleteTensor",
}

const float = 1 // TF_FLOAT

// tensorflow is a loaded library.
type tensorflow struct {
	*functions
	status unsafe.Pointer
}

func load(file string) (*tensorflow, error) {
	f, err := dynamic(file, "TensorFlow", names...)
	if err != nil {
		return nil, err
	}
	return &tensorflow{functions: f, status: f.call("TF_NewStatus")}, nil
}

func (t *tensorflow) version() string { return gostring(t.call("TF_Version")) }

func (t *tensorflow) batchNorm() string { return "" }

// failed is the error that the last function left in the status.
func (t *tensorflow) failed(doing string) error {
	if int32(uintptr(t.call("TF_GetCode", uintptr(t.status)))) == 0 {
		return nil
	}
	return errors.New(doing + ": " + strings.Join(strings.Fields(gostring(t.call("TF_Message", uintptr(t.status)))), " "))
}

// output is TF_Output.
type output struct {
	operation unsafe.Pointer
	index     int32
}

// session is a graph that was loaded.
type session struct {
	*tensorflow
	session unsafe.Pointer
	shape   []int64 // of the input
	input   []output
	outputs []output // the job's heads
}

func (t *tensorflow) open(j job) (network, error) {
	if len(j.Outputs) != len(j.Heads) {
		return nil, errors.New("job without the names of the heads")
	}
	text, err := ioutil.ReadFile(j.Model)
	if err != nil {
		return nil, fmt.Errorf("load %s: %v", filepath.Base(j.Model), err)
	}
	if len(text) == 0 {
		return nil, fmt.Errorf("load %s: it is not a graph: it is empty", filepath.Base(j.Model))
	}
	graph, options := t.call("TF_NewGraph"), t.call("TF_NewImportGraphDefOptions")
	buffer := t.call("TF_NewBufferFromString", uintptr(unsafe.Pointer(&text[0])), uintptr(len(text)))
	runtime.KeepAlive(text)
	text = nil
	t.call("TF_GraphImportGraphDef", uintptr(graph), uintptr(buffer), uintptr(options), uintptr(t.status))
	t.call("TF_DeleteBuffer", uintptr(buffer))
	if err := t.failed("load " + filepath.Base(j.Model)); err != nil {
		return nil, err
	}
	s := &session{tensorflow: t, shape: []int64{1, int64(j.Height), int64(j.Width), 3}}
	for _, name := range append([]string{"input"}, j.Outputs...) {
		c := cstring(name)
		operation := t.call("TF_GraphOperationByName", uintptr(graph), uintptr(unsafe.Pointer(c)))
		runtime.KeepAlive(c)
		if operation == nil {
			return nil, fmt.Errorf("load %s: it is not a graph with an operation %s", filepath.Base(j.Model), name)
		}
		s.outputs = append(s.outputs, output{operation: operation})
	}
	s.input, s.outputs = s.outputs[:1:1], s.outputs[1:]
	how, config := t.call("TF_NewSessionOptions"), configuration(j.Threads)
	t.call("TF_SetConfig", uintptr(how), uintptr(unsafe.Pointer(&config[0])), uintptr(len(config)), uintptr(t.status))
	runtime.KeepAlive(config)
	if err := t.failed("set the threads"); err != nil {
		return nil, err
	}
	s.session = t.call("TF_NewSession", uintptr(graph), uintptr(how), uintptr(t.status))
	if err := t.failed("start"); err != nil {
		return nil, err
	}
	return s, s.processor()
}

// configuration is a ConfigProto (tensorflow/core/protobuf/config.proto): no GPU in
// device_count 1, and where threads are limited intra_op_parallelism_threads 2 and
// inter_op_parallelism_threads 5.
func configuration(threads int) []byte {
	b := []byte{1<<3 | 2, 7, 1<<3 | 2, 3, 'G', 'P', 'U', 2 << 3, 0}
	if threads > 0 && threads < 1<<14 {
		b = append(b, 2<<3, byte(threads&0x7f|0x80), byte(threads>>7), 5<<3, 1)
	}
	return b
}

// processor is an error where the session has another device than the processor.
func (s *session) processor() error {
	list := s.call("TF_SessionListDevices", uintptr(s.session), uintptr(s.status))
	if err := s.failed("list the devices"); err != nil {
		return err
	}
	count := int(int32(uintptr(s.call("TF_DeviceListCount", uintptr(list)))))
	var kinds []string
	for i := 0; i < count; i++ {
		kind := gostring(s.call("TF_DeviceListType", uintptr(list), uintptr(i), uintptr(s.status)))
		if err := s.failed("list the devices"); err != nil {
			return err
		}
		if kind != "CPU" && kind != "XLA_CPU" {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) > 0 || count == 0 {
		return fmt.Errorf("this TensorFlow has devices other than the processor: %s", strings.Join(kinds, " and "))
	}
	return nil
}

// executed gives nil: the session has no other device than the processor, which open
// has seen to.
func (t *tensorflow) executed(job) (*device, error) { return nil, nil }

func (s *session) close() { s.call("TF_CloseSession", uintptr(s.session), uintptr(s.status)) }

func (s *session) pass(picture []float32) ([]head, float64, error) {
	in := s.call("TF_AllocateTensor", float, uintptr(unsafe.Pointer(&s.shape[0])), uintptr(len(s.shape)), uintptr(len(picture)*4))
	if in == nil {
		return nil, 0, errors.New("OOM when allocating the input")
	}
	defer s.call("TF_DeleteTensor", uintptr(in))
	lastChannels(unsafe.Slice((*float32)(s.call("TF_TensorData", uintptr(in))), len(picture)), picture, 3)
	results := make([]unsafe.Pointer, len(s.outputs))
	defer func() {
		for _, r := range results {
			if r != nil {
				s.call("TF_DeleteTensor", uintptr(r))
			}
		}
	}()
	start := time.Now()
	s.call("TF_SessionRun", uintptr(s.session), 0, uintptr(unsafe.Pointer(&s.input[0])), uintptr(unsafe.Pointer(&in)), 1,
		uintptr(unsafe.Pointer(&s.outputs[0])), uintptr(unsafe.Pointer(&results[0])), uintptr(len(results)), 0, 0, 0, uintptr(s.status))
	took := time.Since(start).Seconds()
	runtime.KeepAlive(s)
	if err := s.failed("forward pass"); err != nil {
		return nil, 0, err
	}
	var heads []head
	for _, r := range results {
		h, err := s.read(r)
		if err != nil {
			return nil, 0, err
		}
		heads = append(heads, h)
	}
	return heads, took, nil
}

// read copies a result in Darknet's order, channels first.
func (s *session) read(r unsafe.Pointer) (head, error) {
	kind, rank := int32(uintptr(s.call("TF_TensorType", uintptr(r)))), int(int32(uintptr(s.call("TF_NumDims", uintptr(r)))))
	if kind != float || rank != 4 {
		return head{}, fmt.Errorf("a result is of type %d with %d dimensions", kind, rank)
	}
	var dims []int64
	for i := 0; i < rank; i++ {
		dims = append(dims, int64(uintptr(s.call("TF_Dim", uintptr(r), uintptr(i)))))
	}
	shape, count, err := sizes(dims)
	if err != nil {
		return head{}, err
	}
	if size := uintptr(s.call("TF_TensorByteSize", uintptr(r))); size != uintptr(count)*4 {
		return head{}, fmt.Errorf("a result with the shape %v has %d bytes", shape, size)
	}
	values := make([]float32, count)
	firstChannels(values, unsafe.Slice((*float32)(s.call("TF_TensorData", uintptr(r))), count), shape[3])
	return head{[]int{1, shape[3], shape[1], shape[2]}, values}, nil
}

// lastChannels writes planes as pixels, firstChannels pixels as planes.
func lastChannels(to, from []float32, channels int) {
	area := len(from) / channels
	for c := 0; c < channels; c++ {
		for i := 0; i < area; i++ {
			to[i*channels+c] = from[c*area+i]
		}
	}
}

func firstChannels(to, from []float32, channels int) {
	area := len(from) / channels
	for c := 0; c < channels; c++ {
		for i := 0; i < area; i++ {
			to[c*area+i] = from[i*channels+c]
		}
	}
}
