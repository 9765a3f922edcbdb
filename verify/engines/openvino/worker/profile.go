//go:build nativeworker

package main

import (
	"fmt"
	"strings"
	"unsafe"
)

// wasRun is the status of a node that was run, in ov_profiling_info_t.
const wasRun = 2

// node is ov_profiling_info_t.
type node struct {
	status           int32
	realTime         int64
	processorTime    int64
	name, exec, kind unsafe.Pointer
}

// executed profiles one more run. OpenVINO names for each node that was run what
// ran it, with its precision at the end: jit_avx512_f32, brgconv_avx512_bf16.
func (o *openvino) executed(j job) (*device, error) {
	m, err := o.compile(j, true)
	if err != nil {
		return nil, fmt.Errorf("profile: %v", err)
	}
	defer m.close()
	where, err := m.property("EXECUTION_DEVICES")
	if err != nil {
		return nil, fmt.Errorf("profile: %v", err)
	}
	picture, err := readInput(j.Inputs[0], j.Width, j.Height)
	if err == nil {
		_, _, err = m.pass(picture)
	}
	if err != nil {
		return nil, fmt.Errorf("profile: %v", err)
	}
	var list struct { // ov_profiling_info_list_t
		nodes unsafe.Pointer
		count uintptr
	}
	if err := m.status("read the profile", "ov_infer_request_get_profiling_info", uintptr(m.request), uintptr(unsafe.Pointer(&list))); err != nil {
		return nil, err
	}
	defer m.call("ov_profiling_info_list_free", uintptr(unsafe.Pointer(&list)))
	if list.count > 1<<16 {
		return nil, fmt.Errorf("the profile has %d nodes", list.count)
	}
	layers := map[string]int{}
	for _, n := range unsafe.Slice((*node)(list.nodes), list.count) {
		if n.status == wasRun {
			layers[place(strings.Trim(where, "()[] "), gostring(n.exec))]++
		}
	}
	return &device{Layers: layers}, nil
}

// place is where a node was run, with a precision that is not single.
func place(where, exec string) string {
	exec = strings.ToLower(exec)
	for _, short := range []string{"bf16", "f16", "i8", "u8", "int8"} {
		if strings.HasSuffix(exec, "_"+short) {
			return where + " in " + short
		}
	}
	if strings.HasSuffix(exec, "_fp16") {
		return where + " in f16"
	}
	return where
}
