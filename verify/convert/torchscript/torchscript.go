// Package torchscript writes a Darknet network as a TorchScript module: the archive
// that torch.jit.load and torch::jit::load read. It owns the operators that stand
// for Darknet's layers and the bytes of the file; it must never run a module.
//
// The archive's form is that of caffe2/serialize/inline_container.cc and
// torch/csrc/jit/docs/serialization.md of github.com/pytorch/pytorch: a zip file of
// records that are stored as they are, with a module as a pickle (data.pkl), the
// code of its class (code/__torch__.py), and the values of its tensors (data/N).
// Only what LibTorch has read since 1.8 is written.
package torchscript

import (
	"fmt"
	"io"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/convert/internal/layers"
	"github.com/deployctl/deployctl/verify/darknet"
)

// Input is the name of forward's argument: float32, [1, channels, height, width].
const Input = "input"

// Shape is the record that says the input's shape, which the module itself does not. It
// is one of those that torch.jit.load gives by their names (_extra_files).
const Shape = "extra/input"

// version is that of the archive's form: the oldest that LibTorch still writes
// (kMinProducedFileFormatVersion in caffe2/serialize/versions.h), which every
// release since 1.5 reads. None of the operators used here has changed since.
const version = "3\n"

// Outputs are the layers whose raw outputs forward returns as a tuple: what each
// yolo layer reads, in the order of net.Heads().
func Outputs(net *darknet.Network) []string { return layers.Outputs(net) }

// Write writes the module: everything that the heads depend on, with batch
// normalization folded into the convolutions.
func Write(w io.Writer, net *darknet.Network, weights *darknet.Weights) error {
	if err := layers.Check("TorchScript", net, weights); err != nil {
		return err
	}
	m := module{net: net, names: map[int]string{-1: Input}}
	used := layers.Needed(net)
	for i := range net.Layers {
		if used[i] {
			m.layer(&net.Layers[i], weights.Layer(i))
		}
	}
	a := newArchive(w)
	for _, r := range []struct {
		name string
		data []byte
	}{
		{"version", []byte(version)},
		{"byteorder", []byte("little")},
		{"data.pkl", m.pickle()},
		{"code/__torch__.py", m.code()},
		{"constants.pkl", empty()},
		{Shape, fmt.Appendf(nil, "1,%d,%d,%d", net.Channels, net.Height, net.Width)},
	} {
		if err := a.record(r.name, r.data); err != nil {
			return lang.Errorf("write the TorchScript module: %w", err)
		}
	}
	for i, t := range m.tensors {
		if err := a.record(fmt.Sprintf("data/%d", i), t.bytes()); err != nil {
			return lang.Errorf("write the TorchScript module: %w", err)
		}
	}
	if err := a.close(); err != nil {
		return lang.Errorf("write the TorchScript module: %w", err)
	}
	return nil
}

// class is the module's class, in the file code/__torch__.py.
const class = "Network"

// module collects the statements of forward and the tensors that they read.
type module struct {
	net     *darknet.Network
	tensors []tensor
	body    strings.Builder
	// names are the variables that hold the layers' outputs.
	names map[int]string
}

// tensor is an attribute of the module.
type tensor struct {
	name  string
	shape []int
	at    func(i int) float32
}

// attribute adds a tensor and returns the expression that reads it.
func (m *module) attribute(name string, shape []int, at func(i int) float32) string {
	m.tensors = append(m.tensors, tensor{name, shape, at})
	return "self." + name
}

// set appends a statement.
func (m *module) set(name, format string, args ...any) {
	fmt.Fprintf(&m.body, "    %s = %s\n", name, fmt.Sprintf(format, args...))
}

// layer appends the statements of one layer.
func (m *module) layer(l *darknet.Layer, w darknet.LayerWeights) {
	out := layers.Name(l.Index)
	ins := make([]string, len(l.Inputs))
	for k, j := range l.Inputs {
		ins[k] = m.names[j]
	}
	m.names[l.Index] = out
	switch l.Kind {
	case darknet.Convolutional:
		c := l.Conv
		at, biases := layers.Fold(c, w)
		kernel := m.attribute(out+"_weight", []int{c.Filters, l.In.C / c.Groups, c.Size, c.Size}, at)
		bias := m.attribute(out+"_bias", []int{c.Filters}, func(i int) float32 { return biases[i] })
		m.set(out, "torch.conv2d(%s, %s, %s, [%d, %d], [%d, %d], [1, 1], %d)", ins[0], kernel, bias, c.Stride, c.Stride, c.Pad, c.Pad, c.Groups)
		m.activate(c.Activation, out)
	case darknet.Maxpool:
		p := l.Pool
		before := p.Padding / 2
		after := p.Padding - before
		if p.Padding > 0 {
			// Padded elements never win. The lowest float32 would not fit into shorter
			// floats: PyTorch refuses it for bfloat16 and half precision.
			m.set(out, "torch.constant_pad_nd(%s, [%d, %d, %d, %d], -inf)", ins[0], before, after, before, after)
			ins[0] = out
		}
		m.set(out, "torch.max_pool2d(%s, [%d, %d], [%d, %d], [0, 0], [1, 1], False)", ins[0], p.Size, p.Size, p.Stride, p.Stride)
	case darknet.Shortcut:
		sum := ins[0]
		for _, in := range ins[1:] {
			m.set(out, "torch.add(%s, %s)", sum, in)
			sum = out
		}
		if len(ins) == 1 {
			m.set(out, "%s", ins[0])
		}
		m.activate(l.Shortcut.Activation, out)
	case darknet.Route:
		m.route(l, ins, out)
	case darknet.Upsample:
		// The size in elements is the one form that all releases have.
		m.set(out, "torch.upsample_nearest2d(%s, [%d, %d])", ins[0], l.Out.H, l.Out.W)
		if l.Upsample.Scale != 1 {
			m.set(out, "torch.mul(%s, %s)", out, float(l.Upsample.Scale))
		}
	case darknet.Yolo: // a layer may read on from it
		m.set(out, "%s", ins[0])
	}
}

// float is a number as Python and TorchScript read a float: never as an integer.
func float(v float64) string {
	s := fmt.Sprintf("%v", v)
	if !strings.ContainsAny(s, ".e") {
		s += "."
	}
	return s
}

// activate appends an activation of a variable.
func (m *module) activate(a darknet.Activation, out string) {
	switch a {
	case darknet.Leaky:
		m.set(out, "torch.leaky_relu(%s, 0.1)", out)
	case darknet.Relu:
		m.set(out, "torch.relu(%s)", out)
	case darknet.Logistic:
		m.set(out, "torch.sigmoid(%s)", out)
	case darknet.Swish:
		m.set(out, "torch.mul(%s, torch.sigmoid(%s))", out, out)
	case darknet.Mish: // an operator of its own only since 1.9
		m.set(out, "torch.mul(%s, torch.tanh(torch.softplus(%s)))", out, out)
	}
}

// route joins along the channels; with groups it takes a slice of each input.
func (m *module) route(l *darknet.Layer, ins []string, out string) {
	if r := l.Route; r.Groups > 1 {
		for k, j := range l.Inputs {
			from, to := layers.Part(m.net, r, j)
			name := fmt.Sprintf("%s_part%d", out, k)
			m.set(name, "torch.slice(%s, 1, %d, %d, 1)", ins[k], from, to)
			ins[k] = name
		}
	}
	if len(ins) == 1 {
		m.set(out, "%s", ins[0])
		return
	}
	m.set(out, "torch.cat([%s], 1)", strings.Join(ins, ", "))
}

// code is the class as TorchScript writes classes. The tensors are buffers, so that
// a module moves to another device and precision as a whole.
func (m *module) code() []byte {
	var b strings.Builder
	var names, types []string
	for _, t := range m.tensors {
		names = append(names, fmt.Sprintf("%q, ", t.name))
	}
	for range m.net.Heads() {
		types = append(types, "Tensor")
	}
	fmt.Fprintf(&b, "class %s(Module):\n  __parameters__ = []\n  __buffers__ = [%s]\n", class, strings.Join(names, ""))
	for _, t := range m.tensors {
		fmt.Fprintf(&b, "  %s : Tensor\n", t.name)
	}
	b.WriteString("  training : bool\n")
	tuple := "Tuple[" + strings.Join(types, ", ") + "]"
	fmt.Fprintf(&b, "  def forward(self: __torch__.%s,\n    %s: Tensor) -> %s:\n%s", class, Input, tuple, m.body.String())
	var heads []string
	for _, h := range m.net.Heads() {
		heads = append(heads, m.names[h]+",")
	}
	fmt.Fprintf(&b, "    return (%s)\n", strings.Join(heads, " "))
	return []byte(b.String())
}
