package onnx

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// The numbers of the fields that are read, from onnx/onnx.proto of
// github.com/onnx/onnx.
const (
	modelGraph = 7 // ModelProto.graph

	graphNode        = 1 // GraphProto
	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12

	nodeInput  = 1 // NodeProto
	nodeOutput = 2
	nodeType   = 4

	tensorName     = 8 // TensorProto
	tensorLocation = 14

	valueName = 1 // ValueInfoProto
	valueType = 2

	typeTensor  = 1 // TypeProto.tensor_type
	tensorElem  = 1 // TypeProto.Tensor.elem_type
	tensorShape = 2 // and its shape
	shapeDim    = 1 // TensorShapeProto.dim
	dimValue    = 1 // TensorShapeProto.Dimension.dim_value

	float    = 1 // TensorProto.DataType.FLOAT
	external = 1 // TensorProto.DataLocation.EXTERNAL
)

// Value is an input or output of a model.
type Value struct {
	Name string
	// Shape has 0 for a dimension that is only known when the model runs; nil where
	// the model says nothing of it.
	Shape []int
	// Type is TensorProto.DataType's number: 1 is float.
	Type int
}

// Float reports whether the values are float32.
func (v Value) Float() bool { return v.Type == float }

// Model is a model of the user's own, as far as it is read: what goes in and out.
type Model struct {
	// File is where it was read.
	File string
	// Inputs are those that a caller gives: not the constants, which older versions of
	// the format list as inputs too.
	Inputs, Outputs []Value
	// Operators are the names of the operators used, each once, sorted.
	Operators []string
	// Nodes is how many there are, without those in branches and loops.
	Nodes int

	raw, graph []byte
}

// Read reads a model. The weights must be in the file itself.
func Read(file string) (*Model, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, lang.Errorf("read the model: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxModel {
		return nil, lang.Errorf("read the model %s: it must be a regular file of less than 2 GiB", file)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, lang.Errorf("read the model: %w", err)
	}
	m := &Model{File: file, raw: raw}
	if err := m.parse(); err != nil {
		return nil, lang.Errorf("read the model %s: %w", filepath.Base(file), err)
	}
	return m, nil
}

func (m *Model) parse() error {
	err := each(m.raw, func(number protowire.Number, value []byte, _ uint64) error {
		if number == modelGraph {
			m.graph = value
		}
		return nil
	})
	if err != nil || m.graph == nil {
		return lang.Errorf("it is not an ONNX model")
	}
	constants := map[string]bool{}
	err = each(m.graph, func(number protowire.Number, value []byte, _ uint64) error {
		switch number {
		case graphNode:
			m.Nodes++
			return each(value, func(number protowire.Number, value []byte, _ uint64) error {
				if number == nodeType && !slices.Contains(m.Operators, string(value)) {
					m.Operators = append(m.Operators, string(value))
				}
				return nil
			})
		case graphInitializer:
			name, outside, err := constant(value)
			if outside {
				return lang.Errorf("its weights are in a file of their own. Save the model with the weights inside (onnx.save with save_as_external_data=False)")
			}
			constants[name] = true
			return err
		case graphInput, graphOutput:
			v, err := valueInfo(value)
			if number == graphInput {
				m.Inputs = append(m.Inputs, v)
			} else {
				m.Outputs = append(m.Outputs, v)
			}
			return err
		}
		return nil
	})
	slices.Sort(m.Operators)
	m.Inputs = slices.DeleteFunc(m.Inputs, func(v Value) bool { return constants[v.Name] })
	return err
}

// constant gives a tensor's name, and whether its data are in another file.
func constant(raw []byte) (name string, outside bool, err error) {
	err = each(raw, func(number protowire.Number, value []byte, n uint64) error {
		switch number {
		case tensorName:
			name = string(value)
		case tensorLocation:
			outside = n == external
		}
		return nil
	})
	return name, outside, err
}

func valueInfo(raw []byte) (v Value, err error) {
	err = each(raw, func(number protowire.Number, value []byte, _ uint64) error {
		switch number {
		case valueName:
			v.Name = string(value)
		case valueType:
			return each(value, func(number protowire.Number, value []byte, _ uint64) error {
				if number != typeTensor {
					return nil
				}
				return each(value, func(number protowire.Number, value []byte, n uint64) error {
					switch number {
					case tensorElem:
						v.Type = int(n)
					case tensorShape:
						v.Shape = []int{}
						return each(value, func(number protowire.Number, value []byte, _ uint64) error {
							if number != shapeDim {
								return nil
							}
							size := 0
							err := each(value, func(number protowire.Number, _ []byte, n uint64) error {
								if number == dimValue && n < maxModel {
									size = int(n)
								}
								return nil
							})
							v.Shape = append(v.Shape, size)
							return err
						})
					}
					return nil
				})
			})
		}
		return nil
	})
	return v, err
}

// each calls visit for each field of a message: with the bytes of one that has a
// length, with the number of one that is a varint.
func each(raw []byte, visit func(number protowire.Number, value []byte, n uint64) error) error {
	for len(raw) > 0 {
		number, kind, size := protowire.ConsumeTag(raw)
		if size < 0 {
			return lang.Errorf("it is damaged: %w", protowire.ParseError(size))
		}
		raw = raw[size:]
		var value []byte
		var n uint64
		switch kind {
		case protowire.BytesType:
			value, size = protowire.ConsumeBytes(raw)
		case protowire.VarintType:
			n, size = protowire.ConsumeVarint(raw)
		default:
			size = protowire.ConsumeFieldValue(number, kind, raw)
		}
		if size < 0 {
			return lang.Errorf("it is damaged: %w", protowire.ParseError(size))
		}
		if err := visit(number, value, n); err != nil {
			return err
		}
		raw = raw[size:]
	}
	return nil
}

// Picture is the input that takes the picture, and its height and width, 0 where the
// model leaves them open. The error says why a model has none.
func (m *Model) Picture() (input Value, height, width int, err error) {
	if len(m.Inputs) != 1 {
		var names []string
		for _, v := range m.Inputs {
			names = append(names, v.Name)
		}
		return input, 0, 0, lang.Errorf("%s has %d inputs (%s); only models that read one picture can be run", filepath.Base(m.File), len(names), strings.Join(names, ", "))
	}
	input = m.Inputs[0]
	s := input.Shape
	switch {
	case !input.Float():
		return input, 0, 0, lang.Errorf("the input %s of %s is not float32", input.Name, filepath.Base(m.File))
	case len(s) == 4 && s[1] != 3 && s[3] == 3:
		return input, 0, 0, lang.Errorf("the input %s of %s has its channels last; only [1, 3, height, width] can be run", input.Name, filepath.Base(m.File))
	case len(s) != 4 || s[0] > 1 || s[1] != 3 && s[1] != 0:
		return input, 0, 0, lang.Errorf("the input %s of %s has the shape %v; only [1, 3, height, width] can be run", input.Name, filepath.Base(m.File), s)
	}
	return input, s[2], s[3], nil
}

// Fixed is the model as engines are given it: its one input is called Input and has
// the shape [1, 3, height, width]. Under another name the input is handed on by an
// Identity, so nothing else of the model changes.
func (m *Model) Fixed(height, width int) ([]byte, error) {
	input, _, _, err := m.Picture()
	if err != nil {
		return nil, err
	}
	var graph []byte
	if input.Name != Input {
		var node []byte
		node = protowire.AppendString(protowire.AppendTag(node, nodeInput, protowire.BytesType), Input)
		node = protowire.AppendString(protowire.AppendTag(node, nodeOutput, protowire.BytesType), input.Name)
		node = protowire.AppendString(protowire.AppendTag(node, nodeType, protowire.BytesType), "Identity")
		graph = protowire.AppendBytes(protowire.AppendTag(graph, graphNode, protowire.BytesType), node)
	}
	graph, err = replaced(graph, m.graph, func(number protowire.Number, value []byte) ([]byte, bool) {
		if number != graphInput {
			return nil, false
		}
		v, err := valueInfo(value)
		if err != nil || v.Name != input.Name {
			return nil, false
		}
		return pictureInfo(height, width), true
	})
	if err != nil {
		return nil, err
	}
	return replaced(nil, m.raw, func(number protowire.Number, _ []byte) ([]byte, bool) { return graph, number == modelGraph })
}

// pictureInfo is the ValueInfoProto of the input.
func pictureInfo(height, width int) []byte {
	var shape []byte
	for _, size := range []int{1, 3, height, width} {
		dim := protowire.AppendVarint(protowire.AppendTag(nil, dimValue, protowire.VarintType), uint64(size))
		shape = protowire.AppendBytes(protowire.AppendTag(shape, shapeDim, protowire.BytesType), dim)
	}
	tensor := protowire.AppendVarint(protowire.AppendTag(nil, tensorElem, protowire.VarintType), float)
	tensor = protowire.AppendBytes(protowire.AppendTag(tensor, tensorShape, protowire.BytesType), shape)
	kind := protowire.AppendBytes(protowire.AppendTag(nil, typeTensor, protowire.BytesType), tensor)
	info := protowire.AppendString(protowire.AppendTag(nil, valueName, protowire.BytesType), Input)
	return protowire.AppendBytes(protowire.AppendTag(info, valueType, protowire.BytesType), kind)
}

// replaced appends a message to out, with the values of some of its fields exchanged.
func replaced(out, raw []byte, change func(number protowire.Number, value []byte) ([]byte, bool)) ([]byte, error) {
	for len(raw) > 0 {
		number, kind, size := protowire.ConsumeTag(raw)
		if size < 0 {
			return nil, protowire.ParseError(size)
		}
		whole := size + protowire.ConsumeFieldValue(number, kind, raw[size:])
		if whole < size {
			return nil, protowire.ParseError(whole - size)
		}
		if kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(raw[size:])
			if other, ok := change(number, value); ok {
				out = protowire.AppendBytes(protowire.AppendTag(out, number, kind), other)
				raw = raw[whole:]
				continue
			}
		}
		out = append(out, raw[:whole]...)
		raw = raw[whole:]
	}
	return out, nil
}
