package pipeline

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/installers/wheel"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/wheeltag"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/onnxruntime"
)

// onnxruntimeLibrary is a real ONNX Runtime for this system: that of
// DEPLOYCTL_TEST_ONNXRUNTIME, or the recipe's wheel, which is fetched.
func onnxruntimeLibrary(t *testing.T) string {
	t.Helper()
	if file := os.Getenv("DEPLOYCTL_TEST_ONNXRUNTIME"); file != "" {
		return file
	}
	h := host.Live()
	recipe, err := recipes.Find("onnxruntime", "")
	if err != nil {
		t.Fatal(err)
	}
	target := judge.WheelTarget(doctor.Probe(t.Context(), h, doctor.Probes(false)))
	for _, q := range recipe.Requirements {
		for _, fix := range q.Fix {
			for _, w := range fix.Wheel {
				file, ok := wheeltag.Pick(w, target)
				if w.Project != "onnxruntime" || !ok {
					continue
				}
				s, into := store.New(t.TempDir()), filepath.Join(t.TempDir(), w.Name)
				fetch := step.Fetch{Name: file.File, Size: int64(file.Size), SHA256: file.SHA256, Project: w.Project}
				if err := wheel.Fetcher(h)(t.Context(), fetch, download.Options{Store: s}); err != nil {
					t.Skipf("skipped: ONNX Runtime cannot be fetched here (name one in DEPLOYCTL_TEST_ONNXRUNTIME): %v", err)
				}
				st := step.Step{ID: w.Name, Title: w.Name, Mechanism: wheel.Name, Action: step.Install, With: wheel.Unpack(w, file, runtime.GOOS, into)}
				if err := (wheel.Worker{Store: s}).Do(t.Context(), st, func(step.Progress) {}); err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{"libonnxruntime.so.*", "libonnxruntime.*.dylib", "onnxruntime.dll"} {
					if found, err := filepath.Glob(filepath.Join(into, "lib", name)); err == nil && len(found) > 0 {
						return found[0]
					}
				}
				t.Fatalf("%s holds no library", file.File)
			}
		}
	}
	t.Skipf("skipped: the recipe onnxruntime has no wheel for %v", target)
	return ""
}

// TestONNXRuntime runs a small network through a real ONNX Runtime.
func TestONNXRuntime(t *testing.T) {
	const entry = "struct { void *(*api)(unsigned); const char *(*version)(void); } b; void *OrtGetApiBase(void) { b.api = api; b.version = version; return &b; }\n"
	n := native{
		name: "onnxruntime", library: onnxruntimeLibrary(t), make: onnxruntime.New, config: odd, layers: "CPUExecutionProvider", reads: engine.ONNX, limit: 1e-5,
		damaged: "load other.onnx", unnamed: "layer_99",
		stubs: map[string]struct{ library, why string }{
			"another library":       {stub(t, "other", "int other;\n"), "is not ONNX Runtime"},
			"an old release":        {stub(t, "old", "static void *api(unsigned n) { return 0; } static const char *version(void) { return \"1.4.0\"; }\n"+entry), "1.4.0 is older than 1.10"},
			"without that API":      {stub(t, "none", "static void *api(unsigned n) { return 0; } static const char *version(void) { return \"1.99.0\"; }\n"+entry), "does not have version 1 of its API"},
			"an instruction":        {stub(t, "trap", "void *OrtGetApiBase(void) { __builtin_trap(); }\n"), "instruction"},
			"a crash":               {stub(t, "crash", "void *OrtGetApiBase(void) { return *(void **)8; }\n"), "crashed"},
			"a library that aborts": {stub(t, "abort", "#include <stdlib.h>\nvoid *OrtGetApiBase(void) { abort(); }\n"), "abort"},
		},
	}
	n.run(t)
}
