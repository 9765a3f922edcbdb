// Package convert is the list of the formats that deployctl writes a network in,
// for engines that cannot read Darknet's own files. A format is a folder here, which
// owns its operators and its bytes, and a line in All. It must never run a model.
package convert

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/convert/coreml"
	"github.com/deployctl/deployctl/verify/convert/mace"
	"github.com/deployctl/deployctl/verify/convert/ncnn"
	"github.com/deployctl/deployctl/verify/convert/onnx"
	"github.com/deployctl/deployctl/verify/convert/openvino"
	"github.com/deployctl/deployctl/verify/convert/tensorflow"
	"github.com/deployctl/deployctl/verify/convert/torchscript"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engine"
)

// Format is a form of a model that deployctl writes.
type Format struct {
	Name engine.Format
	// Display is what it is called in sentences, Version which of its versions is
	// written, "" where there is one.
	Display, Version string
	// Input is the name of the model's input: float32, RGB, 0…1, of the shape
	// [1, 3, height, width], or [1, height, width, 3] where ChannelsLast, or without the
	// 1 where NoBatch.
	Input                 string
	ChannelsLast, NoBatch bool
	// Elsewhere says where the model runs and how to try it there, for a format that no
	// engine of deployctl reads; "" for the others. FILE in it stands for the first file,
	// FILE2 for the second. Such a model is not run.
	Elsewhere string
	// Files are the names of a model's files. An engine is given the first, and finds
	// the others in the same folder.
	Files []string
	// Outputs are the names of the model's outputs: the tensors that the yolo layers
	// read, in the order of net.Heads().
	Outputs func(net *darknet.Network) []string
	// Write writes the files, each by one call of file.
	Write func(file File, net *darknet.Network, weights *darknet.Weights) error
}

// Try is Elsewhere with the paths of the model's files.
func (f Format) Try(files []string) string {
	return strings.NewReplacer("FILE2", files[len(files)-1], "FILE", files[0]).Replace(lang.T(f.Elsewhere))
}

// File makes the file of that name of what write writes.
type File func(name string, write func(io.Writer) error) error

// All are the formats.
func All() []Format {
	return []Format{
		ONNX(onnx.Oldest),
		{
			Name: engine.TorchScript, Display: "TorchScript", Files: []string{"model.pt"}, Input: torchscript.Input, Outputs: torchscript.Outputs,
			Write: func(file File, net *darknet.Network, weights *darknet.Weights) error {
				return file("model.pt", func(w io.Writer) error { return torchscript.Write(w, net, weights) })
			},
		},
		{
			Name: engine.NCNN, Display: "ncnn", Input: ncnn.Input, Files: []string{ncnn.Param, ncnn.Bin}, Outputs: ncnn.Outputs,
			Write: func(file File, net *darknet.Network, weights *darknet.Weights) error {
				if err := file(ncnn.Bin, func(w io.Writer) error { return ncnn.WriteBin(w, net, weights) }); err != nil {
					return err
				}
				return file(ncnn.Param, func(w io.Writer) error { return ncnn.WriteParam(w, net) })
			},
		},
		{
			Name: engine.OpenVINO, Display: "OpenVINO's representation", Input: openvino.Input, Files: []string{openvino.XML, openvino.Bin}, Outputs: openvino.Outputs,
			Write: func(file File, net *darknet.Network, weights *darknet.Weights) error {
				if err := file(openvino.Bin, func(w io.Writer) error { return openvino.WriteBin(w, net, weights) }); err != nil {
					return err
				}
				return file(openvino.XML, func(w io.Writer) error { return openvino.WriteXML(w, net, weights) })
			},
		},
		{
			Name: engine.TensorFlow, Display: "a TensorFlow graph", Files: []string{"model.pb"},
			Input: tensorflow.Input, ChannelsLast: true, Outputs: tensorflow.Outputs,
			Write: func(file File, net *darknet.Network, weights *darknet.Weights) error {
				return file("model.pb", func(w io.Writer) error { return tensorflow.Write(w, net, weights) })
			},
		},
		{
			Name: engine.CoreML, Display: "Core ML", Input: coreml.Input, NoBatch: true, Files: []string{coreml.File}, Outputs: coreml.Outputs,
			Elsewhere: coreml.Elsewhere,
			Write: func(file File, net *darknet.Network, weights *darknet.Weights) error {
				return file(coreml.File, func(w io.Writer) error { return coreml.Write(w, net, weights) })
			},
		},
		{
			Name: engine.MACE, Display: "ONNX for MACE", Input: mace.Input, Files: []string{mace.Deployment, mace.Model}, Outputs: mace.Outputs,
			Elsewhere: mace.Elsewhere,
			Write: func(file File, net *darknet.Network, weights *darknet.Weights) error {
				return mace.Write(file, net, weights)
			},
		},
	}
}

// ONNX is that format with an operator set of the user's.
func ONNX(opset int) Format {
	return Format{
		Name: engine.ONNX, Display: "ONNX", Version: fmt.Sprintf("opset %d", opset), Files: []string{"model.onnx"},
		Input: onnx.Input, Outputs: onnx.Outputs,
		Write: func(file File, net *darknet.Network, weights *darknet.Weights) error {
			return file("model.onnx", func(w io.Writer) error { return onnx.Write(w, net, weights, opset) })
		},
	}
}

// Named is the format of that name.
func Named(name engine.Format) (Format, bool) {
	all := All()
	i := slices.IndexFunc(all, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return Format{}, false
	}
	return all[i], true
}
