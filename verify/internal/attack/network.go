package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/deployctl/deployctl/verify/darknet"
)

// classes and entries are of the suite's network; shim.cpp relies on them.
const (
	classes = 3
	entries = 5 + classes
)

// config describes a network of a third of a GFLOP at 128×128: the kinds of
// layers that YOLOv3 has, two heads, and enough work to see when it is skipped.
func config(size int) string {
	var b strings.Builder
	conv := func(filters, kernel, stride int) {
		fmt.Fprintf(&b, "[convolutional]\nbatch_normalize=1\nfilters=%d\nsize=%d\nstride=%d\npad=1\nactivation=leaky\n", filters, kernel, stride)
	}
	residual := func(filters int) {
		conv(filters/2, 1, 1)
		conv(filters, 3, 1)
		b.WriteString("[shortcut]\nfrom=-3\nactivation=linear\n")
	}
	head := func(mask, anchors string) {
		fmt.Fprintf(&b, "[convolutional]\nfilters=%d\nsize=1\nstride=1\npad=1\nactivation=linear\n", 3*entries)
		fmt.Fprintf(&b, "[yolo]\nmask=%s\nanchors=%s\nclasses=%d\nnum=6\n", mask, anchors, classes)
	}
	const anchors = "10,13, 16,30, 33,23, 30,61, 62,45, 59,119"
	fmt.Fprintf(&b, "[net]\nwidth=%d\nheight=%d\nchannels=3\n", size, size)
	conv(16, 3, 1)
	conv(32, 3, 2)
	conv(64, 3, 2)
	residual(64)
	residual(64)
	conv(128, 3, 2)
	residual(128)
	head("3,4,5", anchors)
	b.WriteString("[route]\nlayers=-3\n")
	conv(64, 1, 1)
	b.WriteString("[upsample]\nstride=2\n[route]\nlayers=-1,8\n")
	conv(64, 3, 1)
	head("0,1,2", anchors)
	return b.String()
}

// randoms are numbers in -1…1 that are the same everywhere.
type randoms uint32

func (r *randoms) next() float64 {
	*r = *r*1664525 + 1013904223 // Numerical Recipes' generator
	return float64(*r>>8)/(1<<23) - 1
}

// weigh fills a network with numbers that keep the size of what passes through
// it, as trained weights do; a few boxes reach 50 %.
func weigh(net *darknet.Network) *darknet.Weights {
	w := darknet.NewWeights(net)
	r := randoms(1)
	for i := range net.Layers {
		l := &net.Layers[i]
		if l.Kind != darknet.Convolutional {
			continue
		}
		v := w.Layer(i)
		// Uniform numbers in ±s have the variance s²/3, and a leaky layer halves it.
		spread := math.Sqrt(6 / float64(len(v.Kernel)/l.Conv.Filters))
		if !l.Conv.BatchNorm {
			spread *= 0.8
		}
		for k := range v.Kernel {
			v.Kernel[k] = float32(spread * r.next())
		}
		for f := range v.Biases {
			v.Biases[f] = float32(0.1 * r.next())
			if !l.Conv.BatchNorm && f%entries == 4 {
				v.Biases[f] -= 3 // most cells see nothing
			}
		}
		for f := range v.Variances {
			v.Scales[f] = float32(1 + 0.2*r.next())
			v.Means[f] = float32(0.1 * r.next())
			v.Variances[f] = float32(1 + 0.3*r.next())
		}
	}
	return w
}

// model is a network on disk.
type model struct{ config, weights, names string }

func (m model) args() []string {
	args := []string{"--cfg", m.config, "--weights", m.weights}
	if m.names != "" {
		args = append(args, "--names", m.names)
	}
	return args
}

// write stores a configuration with weights that fit it.
func write(dir, name, config string, change func(*darknet.Network, *darknet.Weights)) (model, error) {
	m := model{config: filepath.Join(dir, name+".cfg"), weights: filepath.Join(dir, name+".weights")}
	net, err := darknet.ParseConfig(strings.NewReader(config), name)
	if err != nil {
		return m, err
	}
	w := weigh(net)
	if change != nil {
		change(net, w)
	}
	var data bytes.Buffer
	if _, err := w.WriteTo(&data); err != nil {
		return m, fmt.Errorf("write the weights of %s: %w", name, err)
	}
	for file, text := range map[string][]byte{m.config: []byte(config), m.weights: data.Bytes()} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return m, fmt.Errorf("write the network %s: %w", name, err)
		}
	}
	return m, nil
}
