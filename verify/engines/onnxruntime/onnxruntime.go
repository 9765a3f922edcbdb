// Package onnxruntime owns the engine that runs a network through ONNX Runtime's
// C API. The library is loaded by its path in a small worker program, which needs
// Go but neither a C compiler nor the library's headers; on Windows deployctl.exe
// starts itself as that program. Elsewhere the main binary contains the worker as
// source only. This package must never load the library itself.
package onnxruntime

import (
	"embed"
	"fmt"

	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/native"
)

// Name is the engine's name.
const Name = "onnxruntime"

// workerSource is compiled on the target machine, hence embedded as text.
//
//go:embed worker/*.go
var workerSource embed.FS

// graphOptimization is SetSessionGraphOptimizationLevel.
const graphOptimization = "graph_optimization"

// code are the lines that choose threads and the level of optimization, as the
// bindings name them (github.com/yalue/onnxruntime_go, onnxruntime_cxx_api.h and
// onnxruntime.SessionOptions).
func code(c engine.Choice) []engine.Code {
	level := c.Settings[graphOptimization]
	if level == "" {
		level = "all"
	}
	goLevel := map[string]string{"all": "EnableAll", "extended": "EnableExtended", "basic": "EnableBasic", "off": "DisableAll"}[level]
	cLevel := map[string]string{"all": "ORT_ENABLE_ALL", "extended": "ORT_ENABLE_EXTENDED", "basic": "ORT_ENABLE_BASIC", "off": "ORT_DISABLE_ALL"}[level]
	goLines, cLines, pyLines := []string{"options, err := ort.NewSessionOptions()"}, []string{"Ort::SessionOptions options;"}, []string{"options = onnxruntime.SessionOptions()"}
	if c.Threads > 0 {
		goLines = append(goLines, fmt.Sprintf("err = options.SetIntraOpNumThreads(%d)", c.Threads))
		cLines = append(cLines, fmt.Sprintf("options.SetIntraOpNumThreads(%d);", c.Threads))
		pyLines = append(pyLines, fmt.Sprintf("options.intra_op_num_threads = %d", c.Threads))
	}
	return []engine.Code{
		{Language: "Go", Lines: append(goLines, "err = options.SetGraphOptimizationLevel(ort.GraphOptimizationLevel"+goLevel+")")},
		{Language: "C++", Lines: append(cLines, "options.SetGraphOptimizationLevel("+cLevel+");")},
		{Language: "Python", Lines: append(pyLines, "options.graph_optimization_level = onnxruntime.GraphOptimizationLevel."+cLevel)},
	}
}

// kind is the engine.
func kind() native.Kind {
	return native.Kind{
		Spec: engine.Spec{
			Name: Name, Library: "ONNX Runtime", Component: "onnxruntime", Recipe: "onnxruntime",
			Formats: []engine.Format{engine.ONNX},
			Targets: []engine.Target{{Name: "cpu", Backend: "onnxruntime", Layers: "CPUExecutionProvider"}},
			// "extended" is without the layout that the processor's kernels prefer.
			Settings: []engine.Setting{{Name: graphOptimization, Values: []string{"all", "extended", "basic", "off"}}},
			Code:     code,
		},
		Worker:   workerSource,
		Child:    child(),
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
