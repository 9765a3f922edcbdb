package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/internal/nets"
)

// classes and entries are of the suite's network; shim.cpp relies on them.
const (
	classes = 3
	entries = 5 + classes
)

// entries are those of an anchor in the network that is proven: COCO's 80
// classes in the whole of YOLOv3.
func (s *suite) entries() int {
	if s.full {
		return 85
	}
	return entries
}

// config describes a network of a third of a GFLOP at 128×128: the kinds of
// layers that YOLOv3 has, two heads, and enough work to see when it is skipped.
func config(size int) string {
	var list []string
	add := func(sections ...string) { list = append(list, sections...) }
	conv := func(filters, kernel, stride int) {
		add(nets.Conv(filters, kernel, stride, "leaky", "batch_normalize=1", "pad=1"))
	}
	residual := func(filters int) {
		conv(filters/2, 1, 1)
		conv(filters, 3, 1)
		add("[shortcut]\nfrom=-3\nactivation=linear\n")
	}
	head := func(mask string) {
		add(nets.Conv(3*entries, 1, 1, "linear", "pad=1"), nets.Yolo(mask, "10,13, 16,30, 33,23, 30,61, 62,45, 59,119", classes, 6))
	}
	conv(16, 3, 1)
	conv(32, 3, 2)
	conv(64, 3, 2)
	residual(64)
	residual(64)
	conv(128, 3, 2)
	residual(128)
	head("3,4,5")
	add("[route]\nlayers=-3\n")
	conv(64, 1, 1)
	add("[upsample]\nstride=2\n", "[route]\nlayers=-1,8\n")
	conv(64, 3, 1)
	head("0,1,2")
	return nets.Net(size, size, list...)
}

// weigh fills a network with numbers that keep the size of what passes through
// it, as trained weights do; a few boxes reach 50 %.
func weigh(net *darknet.Network) *darknet.Weights {
	w := darknet.NewWeights(net)
	r := nets.Randoms(1)
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
			v.Kernel[k] = float32(spread * r.Sign())
		}
		for f := range v.Biases {
			v.Biases[f] = float32(0.1 * r.Sign())
			if !l.Conv.BatchNorm && f%entries == 4 {
				v.Biases[f] -= 3 // most cells see nothing
			}
		}
		for f := range v.Variances {
			v.Scales[f] = float32(1 + 0.2*r.Sign())
			v.Means[f] = float32(0.1 * r.Sign())
			v.Variances[f] = float32(1 + 0.3*r.Sign())
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
