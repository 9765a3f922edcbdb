package tensorflow

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Numbers of DataType in tensorflow/core/framework/types.proto.
const (
	typeFloat = 1
	typeInt32 = 3
)

// producer is the version of graphs that is written, that of TensorFlow 1.12
// (TF_GRAPH_DEF_VERSION in tensorflow/core/public/version.h): all later ones read it.
const producer = 27

// maxGraph is the largest message that protobuf's readers accept.
const maxGraph = math.MaxInt32

// part is a node: bytes, and values that are written when the file is.
type part struct {
	begin []byte
	size  int // of the values in bytes
	write func(w *bufio.Writer) error
}

func message(b []byte, n protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), content)
}

func varint(b []byte, n protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

// attribute is an entry of NodeDef.attr (key 1, value 2).
func attribute(name string, value []byte) []byte {
	return message(message(nil, 1, []byte(name)), 2, value)
}

// The values: AttrValue has list 1, s 2, i 3, f 4, type 6, shape 7, tensor 8, and
// ListValue i 3.

func typed(name string, kind uint64) []byte { return attribute(name, varint(nil, 6, kind)) }

func word(name, v string) []byte { return attribute(name, message(nil, 2, []byte(v))) }

func number(name string, v int) []byte { return attribute(name, varint(nil, 3, uint64(v))) }

func decimal(name string, v float32) []byte {
	return attribute(name, protowire.AppendFixed32(protowire.AppendTag(nil, 4, protowire.Fixed32Type), math.Float32bits(v)))
}

func numbers(name string, list ...int) []byte {
	var packed []byte
	for _, v := range list {
		packed = protowire.AppendVarint(packed, uint64(v))
	}
	return attribute(name, message(nil, 1, message(nil, 3, packed)))
}

func shaped(name string, dims ...int) []byte { return attribute(name, message(nil, 7, shape(dims))) }

// shape is a TensorShapeProto: dim 2, each with size 1.
func shape(dims []int) []byte {
	var b []byte
	for _, d := range dims {
		b = message(b, 2, varint(nil, 1, uint64(d)))
	}
	return b
}

// node appends a NodeDef: name 1, op 2, input 3, attr 5.
func (g *graph) node(name, operator string, inputs []string, attributes ...[]byte) {
	b := message(message(nil, 1, []byte(name)), 2, []byte(operator))
	for _, in := range inputs {
		b = message(b, 3, []byte(in))
	}
	for _, a := range attributes {
		b = message(b, 5, a)
	}
	g.nodes = append(g.nodes, part{begin: message(nil, 1, b)})
}

// float appends a node whose only attribute is the type of its tensors.
func (g *graph) float(name, operator string, inputs ...string) {
	g.node(name, operator, inputs, typed("T", typeFloat))
}

// constant appends a node of values: TensorProto has dtype 1, tensor_shape 2 and
// tensor_content 4, little-endian.
func (g *graph) constant(name string, kind uint64, dims []int, size int, write func(w *bufio.Writer) error) string {
	tensor := message(varint(nil, 1, kind), 2, shape(dims))
	tensor = protowire.AppendVarint(protowire.AppendTag(tensor, 4, protowire.BytesType), uint64(size))
	// Each message that holds the values begins with its length.
	b := open(tensor, 8, size)                                        // AttrValue.tensor
	b = append(message(nil, 1, []byte("value")), open(b, 2, size)...) // the entry
	node := message(message(nil, 1, []byte(name)), 2, []byte("Const"))
	node = message(node, 5, typed("dtype", kind))
	node = append(node, open(b, 5, size)...)
	g.nodes = append(g.nodes, part{open(node, 1, size), size, write})
	return name
}

// open is the begin of a field whose content is b and then size more bytes.
func open(b []byte, n protowire.Number, size int) []byte {
	return append(protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.BytesType), uint64(len(b)+size)), b...)
}

func (g *graph) floats(name string, dims []int, n int, value func(i int) float32) string {
	return g.constant(name, typeFloat, dims, 4*n, func(w *bufio.Writer) error {
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

func (g *graph) integers(name string, dims []int, values ...int) string {
	return g.constant(name, typeInt32, dims, 4*len(values), func(w *bufio.Writer) error {
		for _, v := range values {
			if err := binary.Write(w, binary.LittleEndian, int32(v)); err != nil {
				return err
			}
		}
		return nil
	})
}

// write writes a GraphDef: node 1, versions 4 (VersionDef, producer 1). The weights,
// which are nearly all of the file, are not held in memory once more.
func (g *graph) write(w io.Writer) error {
	versions := message(nil, 4, varint(nil, 1, producer))
	size := len(versions)
	for _, p := range g.nodes {
		size += len(p.begin) + p.size
	}
	if size > maxGraph {
		return lang.Errorf("convert %s to TensorFlow: the graph would have %d bytes, and a file may have %d at most", g.net.Name, size, maxGraph)
	}
	out := bufio.NewWriterSize(w, 1<<20)
	for _, p := range g.nodes {
		if _, err := out.Write(p.begin); err != nil {
			return err
		}
		if p.write == nil {
			continue
		}
		if err := p.write(out); err != nil {
			return err
		}
	}
	if _, err := out.Write(versions); err != nil {
		return err
	}
	return out.Flush()
}
