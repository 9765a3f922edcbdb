package torchscript

import (
	"encoding/binary"
	"math"
	"strconv"
)

// The operations of Python's pickle protocol 2 that LibTorch writes modules with
// (torch/csrc/jit/serialization/pickler.h, Lib/pickletools.py of CPython). An encoder
// of general values does not do: an object is made by NEWOBJ and BUILD, and a
// tensor's storage is a persistent id.
const (
	opProto      = 0x80
	opMark       = '('
	opStop       = '.'
	opGlobal     = 'c'
	opTuple      = 't'
	opEmptyTuple = ')'
	opEmptyDict  = '}'
	opSetItems   = 'u'
	opUnicode    = 'X'
	opInt        = 'J'
	opNewFalse   = 0x89
	opNewObject  = 0x81
	opBuild      = 'b'
	opReduce     = 'R'
	opPersistent = 'Q'
)

// pickle collects operations.
type pickle []byte

func (p *pickle) op(list ...byte) { *p = append(*p, list...) }

func (p *pickle) global(module, name string) {
	p.op(opGlobal)
	*p = append(*p, module+"\n"+name+"\n"...)
}

func (p *pickle) text(s string) {
	p.op(opUnicode)
	*p = append(binary.LittleEndian.AppendUint32(*p, uint32(len(s))), s...)
}

// integer writes a number that fits in 31 bits, as every size here does: a network
// has fewer weights than that.
func (p *pickle) integer(v int) {
	p.op(opInt)
	*p = binary.LittleEndian.AppendUint32(*p, uint32(int32(v)))
}

func (p *pickle) tuple(list ...int) {
	p.op(opMark)
	for _, v := range list {
		p.integer(v)
	}
	p.op(opTuple)
}

// tensor writes what torch._utils._rebuild_tensor_v2 makes a tensor of: storage,
// offset, sizes, strides, whether it has a gradient, and hooks.
func (p *pickle) tensor(key int, t tensor) {
	p.global("torch._utils", "_rebuild_tensor_v2")
	p.op(opMark)
	p.op(opMark)
	p.text("storage")
	p.global("torch", "FloatStorage")
	p.text(strconv.Itoa(key)) // the record data/KEY
	p.text("cpu")
	p.integer(t.size())
	p.op(opTuple, opPersistent)
	p.integer(0)
	p.tuple(t.shape...)
	p.tuple(t.strides()...)
	p.op(opNewFalse)
	p.global("collections", "OrderedDict")
	p.op(opEmptyTuple, opReduce)
	p.op(opTuple, opReduce)
}

// pickle is the module: an object of its class whose state is its attributes.
func (m *module) pickle() []byte {
	p := pickle{opProto, 2}
	p.global("__torch__", class)
	p.op(opEmptyTuple, opNewObject, opEmptyDict, opMark)
	for i, t := range m.tensors {
		p.text(t.name)
		p.tensor(i, t)
	}
	p.text("training")
	p.op(opNewFalse)
	p.op(opSetItems, opBuild, opStop)
	return p
}

// empty is the pickle of a tuple of nothing: the module has no constants.
func empty() []byte { return pickle{opProto, 2, opEmptyTuple, opStop} }

func (t tensor) size() int {
	n := 1
	for _, d := range t.shape {
		n *= d
	}
	return n
}

// strides are those of a tensor whose last dimension is contiguous.
func (t tensor) strides() []int {
	list := make([]int, len(t.shape))
	n := 1
	for i := len(t.shape) - 1; i >= 0; i-- {
		list[i] = n
		n *= t.shape[i]
	}
	return list
}

// bytes are the values, float32 little-endian.
func (t tensor) bytes() []byte {
	n := t.size()
	raw := make([]byte, 0, n*4)
	for i := range n {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(t.at(i)))
	}
	return raw
}
