//go:build nativeworker

// The OpenVINO worker: a program of its own that loads the C library whose path is
// its argument, runs an ONNX model on the processor, and writes what came out
// (verify/engines/internal/worker). It has no C and needs no C compiler.
package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

func main() {
	work("openvino", []string{"openvino/cpu", "openvino/cpu_fp16", "openvino/cpu_bf16"}, func(file string) (library, error) { return load(file) })
}

// device is OpenVINO's name of the processor, f32 of single precision.
const (
	processor = "CPU"
	f32       = "f32"
)

// precisions are OpenVINO's names of what a target computes in.
var precisions = map[string]string{"cpu": f32, "cpu_fp16": "f16", "cpu_bf16": "bf16"}

// names are the functions that are called (src/bindings/c/include/openvino/c of
// github.com/openvinotoolkit/openvino); the API is there since 2022.1, the variadic
// functions take their properties as pairs of strings.
var names = []string{
	"ov_get_openvino_version", "ov_core_create", "ov_core_read_model", "ov_core_set_property", "ov_core_compile_model",
	"ov_compiled_model_get_property", "ov_compiled_model_create_infer_request", "ov_infer_request_get_tensor", "ov_infer_request_infer",
	"ov_infer_request_get_profiling_info", "ov_tensor_data", "ov_tensor_get_byte_size", "ov_tensor_get_element_type", "ov_tensor_get_shape",
	"ov_get_error_info", "ov_shape_free", "ov_tensor_free", "ov_infer_request_free", "ov_compiled_model_free", "ov_model_free", "ov_free", "ov_profiling_info_list_free",
}

// openvino is a loaded library.
type openvino struct {
	*functions
	release string
	core    unsafe.Pointer
}

func load(file string) (*openvino, error) {
	f, err := dynamic(file, "OpenVINO", names...)
	if err != nil {
		return nil, err
	}
	o := &openvino{functions: f}
	var about struct{ number, description unsafe.Pointer } // ov_version_t
	if err := o.status("ask for the version", "ov_get_openvino_version", uintptr(unsafe.Pointer(&about))); err != nil {
		return nil, err
	}
	// 2026.4.1-22982-0d3ad2a09a1-releases/2026/4
	o.release = strings.SplitN(gostring(about.number), "-", 2)[0]
	return o, o.status("start", "ov_core_create", uintptr(unsafe.Pointer(&o.core)))
}

func (o *openvino) version() string { return o.release }

func (o *openvino) batchNorm() string { return "" }

// status calls a function that gives an ov_status_e, and says what was being done
// when it is an error.
//
//go:uintptrescapes
func (o *openvino) status(doing, name string, args ...uintptr) error {
	status := int32(uintptr(o.call(name, args...)))
	if status == 0 {
		return nil
	}
	text := gostring(o.call("ov_get_error_info", uintptr(status)))
	if o.has("ov_get_last_err_msg") { // not in the first releases
		if more := strings.Join(strings.Fields(gostring(o.call("ov_get_last_err_msg"))), " "); more != "" {
			text += ": " + more
		}
	}
	return errors.New(doing + ": " + text)
}

// set sets a property of the processor for models that are compiled from then on.
func (o *openvino) set(key, value string) error {
	where, k, v := cstring(processor), cstring(key), cstring(value)
	args := []uintptr{uintptr(o.core), uintptr(unsafe.Pointer(where))}
	if runtime.GOOS == "darwin" && runtime.GOARCH == "arm64" {
		// There what follows the named arguments is on the stack, after eight registers.
		args = append(args, 0, 0, 0, 0, 0, 0)
	}
	args = append(args, uintptr(unsafe.Pointer(k)), uintptr(unsafe.Pointer(v)))
	err := o.status("set "+key+" to "+value, "ov_core_set_property", args...)
	runtime.KeepAlive([]*byte{where, k, v})
	return err
}

func (o *openvino) open(j job) (network, error) { return o.compile(j, false) }

// model is a compiled model.
type model struct {
	*openvino
	compiled, request unsafe.Pointer
	input             unsafe.Pointer
	outputs           []*byte // the job's heads
}

// compile compiles the job's model for the processor in the precision of the target.
// Single precision has to be asked for, too: where the processor has them OpenVINO
// prefers shorter floats. Where it has not, asking for them changes nothing, and the
// profile shows it.
func (o *openvino) compile(j job, profile bool) (*model, error) {
	if len(j.Outputs) != len(j.Heads) {
		return nil, errors.New("job without the names of the heads")
	}
	properties := [][2]string{{"INFERENCE_PRECISION_HINT", precisions[j.Target]}, {"PERFORMANCE_HINT", "LATENCY"}}
	if j.Threads > 0 {
		properties = append(properties, [2]string{"INFERENCE_NUM_THREADS", strconv.Itoa(j.Threads)})
	}
	properties = append(properties, [2]string{"PERF_COUNT", map[bool]string{true: "YES", false: "NO"}[profile]})
	for _, p := range properties {
		if err := o.set(p[0], p[1]); err != nil {
			return nil, err
		}
	}
	var read unsafe.Pointer
	path, where, input := cstring(j.Model), cstring(processor), cstring("input")
	if err := o.status("load "+filepath.Base(j.Model), "ov_core_read_model", uintptr(o.core), uintptr(unsafe.Pointer(path)), 0, uintptr(unsafe.Pointer(&read))); err != nil {
		return nil, err
	}
	defer o.call("ov_model_free", uintptr(read))
	m := &model{openvino: o}
	if err := o.status("compile "+filepath.Base(j.Model), "ov_core_compile_model", uintptr(o.core), uintptr(read), uintptr(unsafe.Pointer(where)), 0, uintptr(unsafe.Pointer(&m.compiled))); err != nil {
		return nil, err
	}
	if got, err := m.property("INFERENCE_PRECISION_HINT"); err != nil || precisions[j.Target] == f32 && got != f32 {
		return nil, fmt.Errorf("single precision was asked for, and OpenVINO says that it computes in %q (%v)", got, err)
	}
	if err := o.status("prepare a pass", "ov_compiled_model_create_infer_request", uintptr(m.compiled), uintptr(unsafe.Pointer(&m.request))); err != nil {
		return nil, err
	}
	for _, name := range j.Outputs {
		m.outputs = append(m.outputs, cstring(name))
	}
	if err := o.status("find the input", "ov_infer_request_get_tensor", uintptr(m.request), uintptr(unsafe.Pointer(input)), uintptr(unsafe.Pointer(&m.input))); err != nil {
		return nil, err
	}
	runtime.KeepAlive([]*byte{path, where, input})
	return m, nil
}

// property is one of the compiled model's properties.
func (m *model) property(key string) (string, error) {
	var value unsafe.Pointer
	name := cstring(key)
	if err := m.status("ask for "+key, "ov_compiled_model_get_property", uintptr(m.compiled), uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&value))); err != nil {
		return "", err
	}
	defer m.call("ov_free", uintptr(value))
	return gostring(value), nil
}

func (m *model) close() {
	m.call("ov_tensor_free", uintptr(m.input))
	m.call("ov_infer_request_free", uintptr(m.request))
	m.call("ov_compiled_model_free", uintptr(m.compiled))
}

// values are a tensor's, in the library's memory, with its dimensions and its type.
func (m *model) values(tensor unsafe.Pointer) (shape []int, values []float32, kind int32, err error) {
	var dims struct { // ov_shape_t
		rank int64
		dims unsafe.Pointer
	}
	if err := m.status("read a tensor's shape", "ov_tensor_get_shape", uintptr(tensor), uintptr(unsafe.Pointer(&dims))); err != nil {
		return nil, nil, 0, err
	}
	defer m.call("ov_shape_free", uintptr(unsafe.Pointer(&dims)))
	if dims.rank < 1 || dims.rank > 8 {
		return nil, nil, 0, fmt.Errorf("a tensor has %d dimensions", dims.rank)
	}
	shape, count, err := sizes(unsafe.Slice((*int64)(dims.dims), dims.rank))
	if err != nil {
		return nil, nil, 0, err
	}
	var size uintptr
	if err := m.status("read a tensor's size", "ov_tensor_get_byte_size", uintptr(tensor), uintptr(unsafe.Pointer(&size))); err != nil {
		return nil, nil, 0, err
	}
	if err := m.status("read a tensor's type", "ov_tensor_get_element_type", uintptr(tensor), uintptr(unsafe.Pointer(&kind))); err != nil {
		return nil, nil, 0, err
	}
	if size != uintptr(count)*4 {
		return nil, nil, 0, fmt.Errorf("a tensor of type %d with the shape %v has %d bytes", kind, shape, size)
	}
	var data unsafe.Pointer
	if err := m.status("read a tensor's values", "ov_tensor_data", uintptr(tensor), uintptr(unsafe.Pointer(&data))); err != nil {
		return nil, nil, 0, err
	}
	return shape, unsafe.Slice((*float32)(data), count), kind, nil
}

func (m *model) pass(picture []float32) ([]head, float64, error) {
	// The input's type is float: it is declared so in the model, and the number of
	// that type is not the same in all releases.
	_, into, float, err := m.values(m.input)
	if err != nil {
		return nil, 0, err
	}
	if len(into) != len(picture) {
		return nil, 0, fmt.Errorf("the network's input has %d values, the picture %d", len(into), len(picture))
	}
	copy(into, picture)
	start := time.Now()
	err = m.status("forward pass", "ov_infer_request_infer", uintptr(m.request))
	took := time.Since(start).Seconds()
	if err != nil {
		return nil, 0, err
	}
	var heads []head
	for _, name := range m.outputs {
		h, err := m.head(name, float)
		if err != nil {
			return nil, 0, err
		}
		heads = append(heads, h)
	}
	return heads, took, nil
}

// head copies a result.
func (m *model) head(name *byte, float int32) (head, error) {
	var tensor unsafe.Pointer
	if err := m.status("read "+gostring(unsafe.Pointer(name)), "ov_infer_request_get_tensor", uintptr(m.request), uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&tensor))); err != nil {
		return head{}, err
	}
	defer m.call("ov_tensor_free", uintptr(tensor))
	shape, values, kind, err := m.values(tensor)
	if err != nil {
		return head{}, err
	}
	if kind != float {
		return head{}, fmt.Errorf("a result is of type %d, not %d", kind, float)
	}
	return head{shape, append([]float32(nil), values...)}, nil
}
