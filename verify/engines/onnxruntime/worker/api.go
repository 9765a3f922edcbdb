//go:build nativeworker

package main

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"unsafe"
)

// Places in the table of functions, counted in include/onnxruntime/core/session/
// onnxruntime_c_api.h (struct OrtApi) of github.com/microsoft/onnxruntime. The
// order of version 1, places 0 to 101, is fixed: onnxruntime/core/session/
// onnxruntime_c_api.cc asserts it.
const (
	getErrorMessage                = 2
	createEnv                      = 3
	disableTelemetryEvents         = 6
	createSession                  = 7
	runSession                     = 9
	createSessionOptions           = 10
	enableProfiling                = 14
	setGraphOptimizationLevel      = 23
	setIntraOpNumThreads           = 24
	createTensorWithDataAsOrtValue = 49
	getTensorMutableData           = 51
	getTensorElementType           = 60
	getDimensionsCount             = 61
	getDimensions                  = 62
	getTensorTypeAndShape          = 65
	createCPUMemoryInfo            = 69
	releaseEnv                     = 92
	releaseStatus                  = 93
	releaseMemoryInfo              = 94
	releaseSession                 = 95
	releaseValue                   = 96
	releaseTensorTypeAndShapeInfo  = 99
	releaseSessionOptions          = 100
	places                         = 102
)

// levels are GraphOptimizationLevel's values.
var levels = map[string]uintptr{"off": 0, "basic": 1, "extended": 2, "all": 99}

const (
	apiVersion = 1
	float      = 1 // ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT
	warning    = 2 // ORT_LOGGING_LEVEL_WARNING
	// oldest is the first release, 1.oldest, that the table was tried with.
	oldest = 10
)

// ort is a loaded library.
type ort struct {
	release string
	table   *[places]uintptr
	env     unsafe.Pointer
}

// base is OrtApiBase.
type base struct {
	getAPI, getVersion uintptr
}

func load(library string) (*ort, error) {
	handle, err := open(library)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", library, err)
	}
	entry, err := symbol(handle, "OrtGetApiBase")
	if err != nil {
		return nil, fmt.Errorf("%s is not ONNX Runtime: %w", library, err)
	}
	b := (*base)(invoke(entry))
	if b == nil {
		return nil, fmt.Errorf("%s gives no functions", library)
	}
	r := &ort{release: gostring(invoke(b.getVersion))}
	if !recent(r.release) {
		return nil, fmt.Errorf("ONNX Runtime %s is older than 1.%d", r.release, oldest)
	}
	if r.table = (*[places]uintptr)(invoke(b.getAPI, apiVersion)); r.table == nil {
		return nil, fmt.Errorf("ONNX Runtime %s does not have version %d of its API", r.release, apiVersion)
	}
	name := cstring("deployctl")
	if err := r.call("start", createEnv, warning, uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&r.env))); err != nil {
		return nil, err
	}
	runtime.KeepAlive(name)
	// Microsoft's builds for Windows report use to the system's event log.
	return r, r.call("switch telemetry off", disableTelemetryEvents, uintptr(r.env))
}

// recent reports whether a release is one that the table was tried with.
func recent(version string) bool {
	f := strings.Split(version, ".")
	if len(f) < 2 {
		return false
	}
	major, err := strconv.Atoi(f[0])
	if err != nil {
		return false
	}
	minor, err := strconv.Atoi(f[1])
	return err == nil && (major > 1 || major == 1 && minor >= oldest)
}

// call calls a function of the table that gives a status, and says what was being
// done when it is an error.
//
//go:uintptrescapes
func (r *ort) call(doing string, place int, args ...uintptr) error {
	status := invoke(r.table[place], args...)
	if status == nil {
		return nil
	}
	text := gostring(invoke(r.table[getErrorMessage], uintptr(status)))
	r.free(releaseStatus, status)
	return errors.New(doing + ": " + text)
}

func (r *ort) free(place int, p unsafe.Pointer) {
	if p != nil {
		invoke(r.table[place], uintptr(p))
	}
}
