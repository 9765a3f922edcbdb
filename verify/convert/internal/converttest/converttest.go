// Package converttest is what the tests of all formats do alike: a network with weights
// and an input, and how far results are from the reference's. It is imported by tests
// only, and must never know a format.
package converttest

import (
	"errors"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/internal/nets"
	"github.com/deployctl/deployctl/verify/judge"
	"github.com/deployctl/deployctl/verify/reference"
)

// Model is the network of a configuration with weights, and one input, [channels,
// height, width].
func Model(t testing.TB, config string) (*darknet.Network, *darknet.Weights, []float32) {
	t.Helper()
	net, err := darknet.ParseConfig(strings.NewReader(config), "net")
	if err != nil {
		t.Fatal(err)
	}
	w := darknet.NewWeights(net)
	r := nets.Randoms(1)
	for i := range w.Data {
		w.Data[i] = float32(r.Sign())
	}
	for i := range net.Layers {
		v := w.Layer(i).Variances
		for f := range v {
			v[f] = float32(0.1 + r.Unit())
		}
	}
	input := make([]float32, net.Channels*net.Height*net.Width)
	for i := range input {
		input[i] = float32(r.Unit())
	}
	return net, w, input
}

// Worst is the largest relative L2 between the heads that read gives (the head's number
// from 0, and how many values it has) and the reference's in double precision, for the
// Model of a configuration. An error is one of read's.
func Worst(t testing.TB, config string, read func(head, values int) ([]float32, error)) (float64, error) {
	t.Helper()
	net, w, input := Model(t, config)
	e, err := reference.New(net, w, reference.Options{Float64: true})
	if err != nil {
		t.Fatal(err)
	}
	want, err := e.Forward(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for i, h := range want {
		got, err := read(i, len(h.Data))
		if err != nil {
			return 0, err
		}
		far, _ := judge.Distance(got, h.Data)
		worst = max(worst, far)
	}
	return worst, nil
}

// ErrFull is what a Full disk answers.
var ErrFull = errors.New("full")

// Full is a file on a full disk.
type Full struct{}

// Write writes nothing.
func (Full) Write([]byte) (int, error) { return 0, ErrFull }
