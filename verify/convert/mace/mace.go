// Package mace writes what MACE's own converter reads: an ONNX model and the deployment
// file that describes it. It owns that file and what the converter cannot read; it must
// never run a converter or a model.
//
// The file's keys are those of docs/user_guide/advanced_usage_cmake.rst and
// tools/python/utils/config_parser.py, the operators those of
// tools/python/transform/onnx_converter.py of github.com/XiaoMi/mace.
package mace

import (
	"crypto/sha256"
	"fmt"
	"io"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/convert/internal/layers"
	"github.com/deployctl/deployctl/verify/convert/onnx"
	"github.com/deployctl/deployctl/verify/darknet"
)

// The files' names: the deployment file, which is given to the converter, and the model.
const (
	Deployment = "model.yml"
	Model      = "model.onnx"
)

// Input is the name of the model's input: float32, [1, channels, height, width].
const Input = onnx.Input

// Opset is the operator set of the model: MACE's converter is documented for onnx 1.8,
// which knows up to 13.
const Opset = onnx.Oldest

// Elsewhere is where the model runs, and how to convert it there. FILE stands for the
// first file, FILE2 for the second.
const Elsewhere = `MACE's converter and its engine are built from its sources, for a device. ` +
	`In a clone of MACE, with its Python packages and onnx 1.8: MODEL="FILE2" python tools/python/convert.py --config "FILE"`

// Outputs are the names of the model's outputs: the tensors that the yolo layers read,
// in the order of net.Heads().
func Outputs(net *darknet.Network) []string { return onnx.Outputs(net) }

// File makes the file of that name of what write writes.
type File = func(name string, write func(io.Writer) error) error

// Write writes both files, the deployment file last. It has the sum of the model; where
// the model lies, the converter reads from the environment variable MODEL. A network
// with mish is refused: the converter has no Softplus.
func Write(file File, net *darknet.Network, weights *darknet.Weights) error {
	for i, needed := range layers.Needed(net) {
		l := &net.Layers[i]
		mish := l.Conv != nil && l.Conv.Activation == darknet.Mish || l.Shortcut != nil && l.Shortcut.Activation == darknet.Mish
		if needed && mish {
			return lang.Errorf("convert %s to MACE: layer %d has the activation mish, and MACE's converter has no Softplus to compute it. Use a network without mish", net.Name, i)
		}
	}
	sum := sha256.New()
	err := file(Model, func(w io.Writer) error { return onnx.Write(io.MultiWriter(w, sum), net, weights, Opset) })
	if err != nil {
		return err
	}
	return file(Deployment, func(w io.Writer) error {
		_, err := io.WriteString(w, deployment(net, sum.Sum(nil)))
		return err
	})
}

// deployment is the deployment file for a model with that SHA-256. MACE's shapes are
// channels-last unless a file says otherwise.
func deployment(net *darknet.Network, sum []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# For MACE's converter. MODEL is the path of the ONNX model:
#   MODEL=FILE.onnx python tools/python/convert.py --config FILE.yml
models:
  %s:
    platform: onnx
    model_file_path: ${MODEL}
    model_sha256_checksum: %x
    subgraphs:
      - input_tensors: [%s]
        input_shapes: ["1,%d,%d,%d"]
        input_data_formats: [NCHW]
        input_ranges: ["0,1"]
`, name(net.Name), sum, Input, net.Channels, net.Height, net.Width)
	var shapes, formats []string
	for _, h := range net.Heads() {
		out := net.Layers[h].Out
		shapes = append(shapes, fmt.Sprintf(`"1,%d,%d,%d"`, out.C, out.H, out.W))
		formats = append(formats, "NCHW")
	}
	fmt.Fprintf(&b, `        output_tensors: [%s]
        output_shapes: [%s]
        output_data_formats: [%s]
    runtime: cpu
    data_type: fp32_fp32
    winograd: 0
`, strings.Join(Outputs(net), ", "), strings.Join(shapes, ", "), strings.Join(formats, ", "))
	return b.String()
}

// name is a network's name as MACE allows it: that of a C++ variable.
func name(s string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, s)
	return "net_" + clean
}
