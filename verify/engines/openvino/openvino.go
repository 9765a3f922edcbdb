// Package openvino owns the engine that runs a network through OpenVINO's C API,
// on the processor. The library is loaded by its path in a small worker program,
// which needs Go but neither a C compiler nor the library's headers. The main
// binary contains the worker as source only; this package must never load the
// library itself.
package openvino

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/native"
)

// Name is the engine's name.
const Name = "openvino"

// workerSource is compiled on the target machine, hence embedded as text.
//
//go:embed worker/*.go
var workerSource embed.FS

// code are the lines that compile a model as it was measured: in the target's precision,
// and with as many threads (openvino/runtime/properties.hpp).
func code(c engine.Choice) []engine.Code {
	precision := map[string]string{"cpu_fp16": "f16", "cpu_bf16": "bf16"}[c.Target.Name]
	if precision == "" {
		precision = "f32"
	}
	cpp, py := "ov::hint::inference_precision(ov::element::"+precision+")", `"INFERENCE_PRECISION_HINT": "`+precision+`"`
	if c.Threads > 0 {
		cpp += fmt.Sprintf(", ov::inference_num_threads(%d)", c.Threads)
		py += fmt.Sprintf(`, "INFERENCE_NUM_THREADS": %d`, c.Threads)
	}
	return []engine.Code{
		{Language: "C++", Lines: []string{`auto compiled = core.compile_model(model, "CPU", ` + cpp + `);`}},
		{Language: "Python", Lines: []string{`compiled = core.compile_model(model, "CPU", {` + py + `})`}},
	}
}

// kind is the engine. It has no target for Intel's GPUs: there was none to try one on.
func kind() native.Kind {
	return native.Kind{
		Spec: engine.Spec{
			Name: Name, Library: "OpenVINO", Component: "openvino", Recipe: "openvino",
			Formats: []engine.Format{engine.ONNX, engine.OpenVINO},
			Targets: []engine.Target{
				{Name: "cpu", Backend: "openvino", Layers: "CPU"},
				{Name: "cpu_fp16", Backend: "openvino", Layers: "CPU in f16"},
				{Name: "cpu_bf16", Backend: "openvino", Layers: "CPU in bf16"},
			},
			Code: code,
		},
		Worker:   workerSource,
		Prefixes: []string{"libopenvino", "openvino"}, // the second is Windows'
		File:     library,
		Get:      "run deployctl doctor --recipe openvino --fix, which installs it, or pip install openvino in the active environment",
		Without:  "run deployctl doctor --recipe openvino --fix, or pip install openvino in the active environment",
		Remedy:   remedy,
	}
}

// Spec declares the engine.
func Spec() engine.Spec { return kind().Declare() }

// New returns the engine for one library. Nothing is looked at until Prepare.
func New(o Options) engine.Engine { return kind().New(o) }

// Options say what the worker is compiled with and what it loads.
type Options = native.Options

// library is the C library of a copy, which lies in the folder of the others: for
// example libopenvino_c.so.2641. The facts name libopenvino itself.
func library(c facts.Instance) string {
	dir := c.Attrs["libdir"]
	if lib := c.Attrs["lib"]; lib != "" {
		dir = filepath.Dir(lib) // on Windows libdir may hold import libraries
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "" // a folder that cannot be read has no library to load
	}
	for _, e := range entries {
		name := strings.ToLower(e.Name())
		for _, begin := range []string{"libopenvino_c.so", "libopenvino_c.dylib", "libopenvino_c.2", "openvino_c.dll"} {
			if strings.HasPrefix(name, begin) {
				return filepath.Join(dir, e.Name())
			}
		}
	}
	return ""
}
