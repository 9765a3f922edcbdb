//go:build nativeworker

// The Darknet worker: a program of its own that loads libdarknet, whose path is its
// argument, runs Darknet's own files, and writes what came out (verify/engines/
// internal/worker). It has no C and needs no C compiler.
//
// The library's structures differ between its lineages and between builds, so none
// is looked into. The heads come out as one result: a [route] of them all is added to
// the end of the cfg. A route copies the outputs of its layers one after the other,
// also where their sizes differ (forward_route_layer, in all lineages).
package main

import (
	"errors"
	"fmt"
	"io/ioutil"
	"os"
	"path/filepath"
	"runtime"
	"time"
	"unsafe"
)

func main() {
	work("darknet", []string{"darknet/cpu"}, func(file string) (library, error) { return load(file) })
}

// darknet is a loaded library.
type darknet struct {
	*functions
	lineage
}

func load(file string) (*darknet, error) {
	// load_network is in all of them; make_yolo_layer came with YOLOv3.
	f, err := dynamic(file, "Darknet", "load_network", "make_yolo_layer")
	if err != nil {
		return nil, err
	}
	l, err := trace(f.has)
	if err != nil {
		return nil, fmt.Errorf("%v: %s", err, file)
	}
	d := &darknet{f, l}
	if at, err := symbol(f.handle, "gpu_index"); err == nil {
		*(*int32)(address(at)) = -1 // the processor, also in a build for CUDA
	}
	if f.has("darknet_set_gpu_index") {
		f.call("darknet_set_gpu_index", ^uintptr(0))
	}
	if f.has("darknet_version_short") {
		d.name += " " + gostring(f.call("darknet_version_short"))
	}
	return d, nil
}

func (d *darknet) version() string { return d.name }

func (d *darknet) batchNorm() string { return d.norm }

// executed gives nil: Darknet does not say what ran its layers.
func (d *darknet) executed(job) (*device, error) { return nil, nil }

// loaded is a network that was loaded.
type loaded struct {
	*darknet
	network unsafe.Pointer
	shapes  [][]int
	sizes   []int
	total   int
}

func (d *darknet) open(j job) (network, error) {
	if len(j.Shapes) != len(j.Heads) {
		return nil, errors.New("job without the shapes of the heads")
	}
	n := &loaded{darknet: d, shapes: j.Shapes}
	for _, shape := range j.Shapes {
		var dims []int64
		for _, v := range shape {
			dims = append(dims, int64(v))
		}
		_, size, err := sizes(dims)
		if err != nil {
			return nil, err
		}
		n.sizes, n.total = append(n.sizes, size), n.total+size
	}
	text, err := ioutil.ReadFile(j.Config)
	if err != nil {
		return nil, fmt.Errorf("read the network: %v", err)
	}
	if text, err = joined(text, j.Width, j.Height, j.Heads, d.lineage); err != nil {
		return nil, err
	}
	config := filepath.Join(j.OutDir, "heads.cfg")
	if err := ioutil.WriteFile(config, text, 0o600); err != nil {
		return nil, fmt.Errorf("write the network: %v", err)
	}
	// Darknet ends the whole process over a file that it cannot open, with status 0.
	if _, err := os.Stat(j.Weights); err != nil {
		return nil, fmt.Errorf("read the weights: %v", err)
	}
	c, w := cstring(config), cstring(j.Weights)
	if d.custom {
		n.network = d.call("load_network_custom", uintptr(unsafe.Pointer(c)), uintptr(unsafe.Pointer(w)), 0, 1)
	} else {
		n.network = d.call("load_network", uintptr(unsafe.Pointer(c)), uintptr(unsafe.Pointer(w)), 0)
	}
	runtime.KeepAlive([]*byte{c, w})
	if n.network == nil {
		return nil, errors.New("Darknet did not load the network")
	}
	if d.has("set_batch_network") {
		d.call("set_batch_network", uintptr(n.network), 1)
	}
	for name, want := range map[string]int{"network_width": j.Width, "network_height": j.Height, "network_inputs": 3 * j.Width * j.Height, "network_outputs": n.total} {
		if !d.has(name) {
			continue
		}
		if got := int(int32(uintptr(d.call(name, uintptr(n.network))))); got != want {
			return nil, fmt.Errorf("Darknet says that %s is %d, not %d", name, got, want)
		}
	}
	return n, nil
}

// close leaves the network to the end of the process: what frees it takes a pointer
// in one lineage and a whole structure in another.
func (n *loaded) close() {}

func (n *loaded) pass(picture []float32) ([]head, float64, error) {
	input := append([]float32(nil), picture...) // Darknet may write to it
	start := time.Now()
	out := n.call(n.predict, uintptr(n.network), uintptr(unsafe.Pointer(&input[0])))
	took := time.Since(start).Seconds()
	runtime.KeepAlive(input)
	if out == nil {
		return nil, 0, errors.New("Darknet gave no result")
	}
	values := append([]float32(nil), unsafe.Slice((*float32)(out), n.total)...)
	var heads []head
	for i, size := range n.sizes {
		heads = append(heads, head{n.shapes[i], values[:size:size]})
		values = values[size:]
	}
	return heads, took, nil
}

// address is a variable of the library.
func address(at uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&at)) }
