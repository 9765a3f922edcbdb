// Package tensorflow owns the engine that runs a network through TensorFlow's C API,
// on the processor. The library is loaded by its path in a small worker program,
// which needs Go but neither a C compiler nor the library's headers. The main binary
// contains the worker as source only; this package must never load the library itself.
package tensorflow

import (
	"embed"
	"os"
	"path/filepath"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/internal/native"
)

// Name is the engine's name.
const Name = "tensorflow"

// workerSource is compiled on the target machine, hence embedded as text.
//
//go:embed worker/*.go
var workerSource embed.FS

// kind is the engine. It has no target for CUDA: there was no card to try one on.
func kind() native.Kind {
	return native.Kind{
		Spec: engine.Spec{
			Name: Name, Library: "TensorFlow", Component: "tensorflow", Recipe: "tensorflow-c",
			Formats: []engine.Format{engine.TensorFlow},
			Targets: []engine.Target{{Name: "cpu", Backend: "tensorflow"}},
			Code: func(c engine.Choice) []engine.Code {
				return c.Limited(engine.Code{Language: "Python", Lines: []string{"tf.config.threading.set_intra_op_parallelism_threads(%d)"}})
			},
		},
		Worker:   workerSource,
		Prefixes: []string{"libtensorflow", "tensorflow"}, // the second is Windows'
		File:     library,
		Oldest:   "2.0",
		Get:      "run deployctl doctor --recipe tensorflow-c --fix, which installs its library, or pip install tensorflow-cpu in the active environment",
		Without:  "run deployctl doctor --recipe tensorflow-c --fix, or pip install tensorflow-cpu in the active environment",
		Remedy:   remedy,
	}
}

// Spec declares the engine.
func Spec() engine.Spec { return kind().Declare() }

// New returns the engine for one library. Nothing is looked at until Prepare.
func New(o Options) engine.Engine { return kind().New(o) }

// Options say what the worker is compiled with and what it loads.
type Options = native.Options

// library is the one of a copy that has the C API: libtensorflow of the archives for
// C, libtensorflow_cc of the wheels. libtensorflow_framework has a part of it only.
func library(c facts.Instance) string {
	lib := c.Attrs["lib"]
	if lib == "" || !strings.Contains(strings.ToLower(filepath.Base(lib)), "_framework") {
		return lib
	}
	for _, pattern := range []string{"libtensorflow.so*", "libtensorflow_cc.so*", "libtensorflow.*dylib", "libtensorflow_cc.*dylib"} {
		if found, err := filepath.Glob(filepath.Join(filepath.Dir(lib), pattern)); err == nil && len(found) > 0 {
			if _, err := os.Stat(found[0]); err == nil {
				return found[0]
			}
		}
	}
	return ""
}
