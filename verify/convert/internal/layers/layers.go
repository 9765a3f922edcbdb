// Package layers is what the writers of all formats do alike with a Darknet network
// before their own operators come in. It must never know a format.
package layers

import (
	"fmt"
	"math"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/darknet"
)

// epsilon keeps a batch normalization from dividing by zero. The reference and
// OpenCV's Darknet importer add the same to the variance.
const epsilon = 1e-6

// Check refuses what no format can hold. format is for the message.
func Check(format string, net *darknet.Network, weights *darknet.Weights) error {
	if len(weights.Data) != net.Params() {
		return lang.Errorf("convert %s to %s: the network needs %d weights, these are %d", net.Name, format, net.Params(), len(weights.Data))
	}
	if len(net.Heads()) == 0 {
		return lang.Errorf("convert %s to %s: it has no yolo layer, so nothing to output", net.Name, format)
	}
	return nil
}

// Needed are the layers that a head depends on.
func Needed(net *darknet.Network) []bool {
	used := make([]bool, len(net.Layers))
	for _, h := range net.Heads() {
		used[h] = true
	}
	for i := len(used) - 1; i >= 0; i-- {
		for _, j := range net.Layers[i].Inputs {
			if used[i] && j >= 0 {
				used[j] = true
			}
		}
	}
	return used
}

// Fold is a convolution with its batch normalization folded into it: the kernel,
// [Filters][In.C/Groups][Size][Size], element by element, and the biases. It is
// computed in double precision and rounded once.
func Fold(c *darknet.ConvParams, w darknet.LayerWeights) (kernel func(i int) float32, biases []float32) {
	scales := make([]float64, c.Filters)
	biases = make([]float32, c.Filters)
	for f := range scales {
		scale, bias := 1.0, float64(w.Biases[f])
		if c.BatchNorm {
			scale = float64(w.Scales[f]) / math.Sqrt(float64(w.Variances[f])+epsilon)
			bias -= float64(w.Means[f]) * scale
		}
		scales[f], biases[f] = scale, float32(bias)
	}
	per := len(w.Kernel) / c.Filters
	return func(i int) float32 { return float32(float64(w.Kernel[i]) * scales[i/per]) }, biases
}

// Name is the name of a layer's output in every format that has names.
func Name(layer int) string { return fmt.Sprintf("layer_%d", layer) }

// Outputs are the names of the tensors that the yolo layers read, in the order of
// net.Heads().
func Outputs(net *darknet.Network) []string {
	var list []string
	for _, head := range net.Heads() {
		list = append(list, Name(head))
	}
	return list
}

// Part is the first channel that a route with groups takes of an input, and the one
// after the last. j is the input's layer, -1 for the network's input.
func Part(net *darknet.Network, r *darknet.RouteParams, j int) (from, to int) {
	channels := net.Channels
	if j >= 0 {
		channels = net.Layers[j].Out.C
	}
	part := channels / r.Groups
	return part * r.GroupID, part * (r.GroupID + 1)
}
