// Package onnxruntime owns the engine that runs a network through ONNX Runtime's
// C API. The library is loaded by its path in a small worker program, which needs
// Go but neither a C compiler nor the library's headers. The main binary contains
// the worker as source only; this package must never load the library itself.
package onnxruntime

import (
	"embed"

	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/native"
)

// Name is the engine's name.
const Name = "onnxruntime"

// workerSource is compiled on the target machine, hence embedded as text.
//
//go:embed worker/*.go
var workerSource embed.FS

// kind is the engine.
func kind() native.Kind {
	return native.Kind{
		Spec: engine.Spec{
			Name: Name, Library: "ONNX Runtime", Component: "onnxruntime", Recipe: "onnxruntime",
			Formats: []engine.Format{engine.ONNX},
			Targets: []engine.Target{{Name: "cpu", Backend: "onnxruntime", Layers: "CPUExecutionProvider"}},
		},
		Worker:   workerSource,
		Prefixes: []string{"libonnxruntime.", "onnxruntime."}, // the second is Windows'
		Get:      "run deployctl runtimes pull onnxruntime, which fetches its library, or deployctl doctor --recipe onnxruntime --fix, which installs it",
		Without:  "run deployctl runtimes pull onnxruntime",
		Remedy:   remedy,
	}
}

// Spec declares the engine.
func Spec() engine.Spec { return kind().Declare() }

// New returns the engine for one library. Nothing is looked at until Prepare.
func New(o native.Options) engine.Engine { return kind().New(o) }

// Options say what the worker is compiled with and what it loads.
type Options = native.Options
