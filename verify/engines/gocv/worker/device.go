//go:build gocvworker
// +build gocvworker

package main

/*
#include <stdlib.h>

char *deployctl_device(int cuda);
char *deployctl_layers(void *net);
char *deployctl_head(void *net, const char *yolo);
*/
import "C"

import (
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"unsafe"

	"gocv.io/x/gocv"
)

// told splits the lines of device.cpp; what OpenCV refused to tell goes to the
// log.
func told(text *C.char, each func(name, value string)) {
	defer C.free(unsafe.Pointer(text))
	for _, line := range strings.Split(C.GoString(text), "\n") {
		f := strings.SplitN(line, " ", 2)
		if f[0] == "error" {
			fmt.Fprintln(os.Stderr, "gocv worker: ask OpenCV for its devices:", line)
		}
		if len(f) == 2 {
			each(f[0], f[1])
		}
	}
}

// devices asks OpenCV what it can run networks on.
func devices(target string) *device {
	d := &device{Built: map[string]string{}}
	wantCUDA := 0
	if strings.HasPrefix(target, "cuda") {
		wantCUDA = 1
	}
	var pairs []string
	told(C.deployctl_device(C.int(wantCUDA)), func(name, value string) {
		if strings.HasPrefix(name, "opencl.") && d.OpenCL == nil {
			d.OpenCL = &opencl{Any: allowsAny(os.Getenv("OPENCV_DNN_OPENCL_ALLOW_ALL_DEVICES"))}
		}
		if strings.HasPrefix(name, "cuda.") && d.CUDA == nil {
			d.CUDA = &cuda{}
		}
		switch name {
		case "pair":
			pairs = append(pairs, pairName(value))
		case "pairs":
			d.Pairs = append([]string{}, pairs...) // [] is known to be empty
		case "opencl.have":
			d.OpenCL.Have = value == "1"
		case "opencl.use":
			d.OpenCL.Use = value == "1"
		case "opencl.name":
			d.OpenCL.Name = value
		case "opencl.vendor":
			d.OpenCL.Vendor = value
		case "opencl.version":
			d.OpenCL.Version = value
		case "opencl.type":
			d.OpenCL.Type = value
		case "cuda.count":
			d.CUDA.Count, _ = strconv.Atoi(value) // written by %d
		case "cuda.name":
			d.CUDA.Names = append(d.CUDA.Names, value)
		case "cuda.capability":
			d.CUDA.Capabilities = append(d.CUDA.Capabilities, value)
		}
		if i := strings.Index(value, ":"); name == "built" && i > 0 {
			d.Built[value[:i]] = value[i+1:]
		}
	})
	return d
}

// lists reports whether OpenCV lists a backend with a target.
func (d *device) lists(backend, target int) bool {
	want := pairName(strconv.Itoa(backend) + "/" + strconv.Itoa(target))
	for _, p := range d.Pairs {
		if p == want {
			return true
		}
	}
	return false
}

// allowsAny reads a setting as OpenCV does (modules/core/src/utils/
// configuration.private.hpp).
func allowsAny(value string) bool {
	switch value {
	case "1", "True", "true", "TRUE":
		return true
	}
	return false
}

// pairName turns "3/1" into "opencv/opencl"; a number without a name stays.
func pairName(numbers string) string {
	f := strings.SplitN(numbers, "/", 2)
	for name, n := range backends {
		if name != "" && f[0] == strconv.Itoa(n) {
			f[0] = name
		}
	}
	for name, n := range targets {
		if name != "" && f[1] == strconv.Itoa(n) {
			f[1] = name
		}
	}
	return f[0] + "/" + f[1]
}

// pointer is the C++ Net that a gocv Net holds and has no call for; nil for a
// gocv whose Net is another one.
func pointer(net *gocv.Net) unsafe.Pointer {
	v := reflect.ValueOf(net).Elem()
	if v.NumField() != 1 || v.Field(0).Kind() != reflect.UnsafePointer {
		return nil
	}
	return unsafe.Pointer(v.Field(0).Pointer())
}

// headName is the layer whose output the yolo layer of that index reads. Where
// OpenCV does not say, it is the convolution, which has nothing after it in the
// published networks.
func headName(net *gocv.Net, head, yolo int) string {
	name := fmt.Sprintf("conv_%d", head)
	p := pointer(net)
	if p == nil {
		return name
	}
	asked := C.CString(fmt.Sprintf("yolo_%d", yolo))
	defer C.free(unsafe.Pointer(asked))
	told(C.deployctl_head(p, asked), func(key, value string) {
		if key == "head" {
			name = value
		}
	})
	return name
}

// layers counts the layers of a network that has run by their targets.
func layers(net *gocv.Net) map[string]int {
	p := pointer(net)
	if p == nil {
		return nil
	}
	var count map[string]int
	told(C.deployctl_layers(p), func(name, value string) {
		if name == "layer" {
			if count == nil {
				count = map[string]int{}
			}
			count[value]++
		}
	})
	return count
}
