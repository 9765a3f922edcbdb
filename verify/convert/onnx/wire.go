package onnx

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/convert/internal/layers"
)

// Numbers of onnx.proto: TensorProto.DataType and AttributeProto.AttributeType.
const (
	typeFloat = 1
	typeInt64 = 7

	attributeFloat  = 1
	attributeInt    = 2
	attributeString = 3
	attributeInts   = 7
)

func message(b []byte, n protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), content)
}

func text(b []byte, n protowire.Number, s string) []byte { return message(b, n, []byte(s)) }

func number(b []byte, n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

// The attributes: AttributeProto has name 1, f 2, i 3, s 4, ints 8, type 20.

func decimal(name string, v float32) []byte {
	b := text(nil, 1, name)
	b = protowire.AppendFixed32(protowire.AppendTag(b, 2, protowire.Fixed32Type), math.Float32bits(v))
	return number(b, 20, attributeFloat)
}

func integer(name string, v int) []byte {
	return number(number(text(nil, 1, name), 3, uint64(v)), 20, attributeInt)
}

func word(name, v string) []byte {
	return number(text(text(nil, 1, name), 4, v), 20, attributeString)
}

func ints[T int | int64](name string, list ...T) []byte {
	b := text(nil, 1, name)
	for _, v := range list {
		b = number(b, 8, uint64(v))
	}
	return number(b, 20, attributeInts)
}

// node appends a NodeProto: input 1, output 2, name 3, op_type 4, attribute 5.
func (g *graph) node(operator string, inputs []string, output string, attributes ...[]byte) {
	var b []byte
	for _, in := range inputs {
		b = text(b, 1, in)
	}
	b = text(b, 2, output)
	b = text(b, 3, fmt.Sprintf("%s_%d", operator, g.count))
	b = text(b, 4, operator)
	for _, a := range attributes {
		b = message(b, 5, a)
	}
	g.count++
	g.nodes = message(g.nodes, 1, b)
}

// tensor appends a TensorProto: dims 1, data_type 2, name 8, raw_data 9.
func (g *graph) tensor(name string, kind uint64, dims []int64, size int, write func(w *bufio.Writer) error) string {
	var b []byte
	for _, d := range dims {
		b = number(b, 1, uint64(d))
	}
	b = text(number(b, 2, kind), 8, name)
	b = protowire.AppendVarint(protowire.AppendTag(b, 9, protowire.BytesType), uint64(size))
	g.params = append(g.params, param{b, size, write})
	return name
}

func (g *graph) floats(name string, dims []int64, n int, value func(i int) float32) string {
	return g.tensor(name, typeFloat, dims, 4*n, func(w *bufio.Writer) error {
		var raw [4]byte
		for i := range n {
			binary.LittleEndian.PutUint32(raw[:], math.Float32bits(value(i)))
			if _, err := w.Write(raw[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (g *graph) int64s(name string, values ...int64) string {
	return g.tensor(name, typeInt64, []int64{int64(len(values))}, 8*len(values), func(w *bufio.Writer) error {
		return binary.Write(w, binary.LittleEndian, values)
	})
}

// value is a ValueInfoProto (name 1, type 2) of a float32 tensor: TypeProto has
// tensor_type 1, that elem_type 1 and shape 2, that dim 1, and that dim_value 1.
func value(name string, dims ...int) []byte {
	var shape []byte
	for _, d := range dims {
		shape = message(shape, 1, number(nil, 1, uint64(d)))
	}
	tensor := message(number(nil, 1, typeFloat), 2, shape)
	return message(text(nil, 1, name), 2, message(nil, 1, tensor))
}

// write writes a ModelProto: ir_version 1, producer_name 2, graph 7 and
// opset_import 8 (version 2). GraphProto has node 1, name 2, initializer 5, input
// 11 and output 12. The lengths are known beforehand, so that the weights, which
// are nearly all of the file, are not held in memory once more.
func (g *graph) write(w io.Writer) error {
	begin := text(g.nodes, 2, "darknet")
	end := message(nil, 11, value(Input, 1, g.net.Channels, g.net.Height, g.net.Width))
	for _, h := range g.net.Heads() {
		s := g.net.Layers[h].Out
		end = message(end, 12, value(layers.Name(h), 1, s.C, s.H, s.W))
	}
	size := len(begin) + len(end)
	for _, p := range g.params {
		size += protowire.SizeTag(5) + protowire.SizeBytes(len(p.head)+p.size)
	}
	model := text(number(nil, 1, irVersion(g.opset)), 2, "deployctl")
	model = message(model, 8, number(nil, 2, uint64(g.opset)))
	model = protowire.AppendVarint(protowire.AppendTag(model, 7, protowire.BytesType), uint64(size))
	if len(model)+size > maxModel {
		return lang.Errorf("convert %s to ONNX: the model would have %d bytes, and a file may have %d at most", g.net.Name, len(model)+size, maxModel)
	}
	out := bufio.NewWriterSize(w, 1<<20)
	for _, part := range [][]byte{model, begin} {
		if _, err := out.Write(part); err != nil {
			return err
		}
	}
	for _, p := range g.params {
		head := protowire.AppendVarint(protowire.AppendTag(nil, 5, protowire.BytesType), uint64(len(p.head)+p.size))
		if _, err := out.Write(append(head, p.head...)); err != nil {
			return err
		}
		if err := p.write(out); err != nil {
			return err
		}
	}
	if _, err := out.Write(end); err != nil {
		return err
	}
	return out.Flush()
}
