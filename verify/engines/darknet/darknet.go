// Package darknet owns the engine that runs a network through libdarknet, of
// pjreddie's, AlexeyAB's or hank-ai's lineage, on the processor. The library is
// loaded by its path in a small worker program, which needs Go but neither a C
// compiler nor the library's headers. The main binary contains the worker as source
// only; this package must never load the library itself.
package darknet

import (
	"embed"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/native"
)

// Name is the engine's name.
const Name = "darknet"

// workerSource is compiled on the target machine, hence embedded as text.
//
//go:embed worker/*.go
var workerSource embed.FS

// kind is the engine. It has no target for CUDA: there was no card to try one on.
func kind() native.Kind {
	return native.Kind{
		Spec: engine.Spec{
			Name: Name, Library: "Darknet", Component: "darknet", Recipe: "darknet",
			Formats: []engine.Format{engine.Darknet},
			Targets: []engine.Target{{Name: "cpu", Backend: "darknet"}},
		},
		Worker:     workerSource,
		Prefixes:   []string{"libdarknet.", "libdark.", "darknet.", "dark.", "yolo_cpp_dll."}, // the last three are Windows'
		ThreadsEnv: []string{"OMP_NUM_THREADS"},
		File:       library,
		Get:        "run deployctl doctor --recipe darknet --fix, or build it with its library (LIBSO=1 in AlexeyAB's Makefile)",
		Without:    "build it with one (LIBSO=1 in AlexeyAB's Makefile), or run deployctl doctor --recipe darknet --fix",
		Remedy:     remedy,
	}
}

// Spec declares the engine.
func Spec() engine.Spec { return kind().Declare() }

// New returns the engine for one library. Nothing is looked at until Prepare.
func New(o Options) engine.Engine { return kind().New(o) }

// Options say what the worker is compiled with and what it loads.
type Options = native.Options

// library is the shared library of a copy: pjreddie's Makefile makes a static one, too.
func library(c facts.Instance) string {
	lib := c.Attrs["lib"]
	if strings.HasSuffix(lib, ".a") || strings.HasSuffix(strings.ToLower(lib), ".lib") {
		return ""
	}
	return lib
}
