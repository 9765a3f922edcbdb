package pipeline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/openvino"
	"github.com/deployctl/deployctl/verify/judge"
)

// libraryHere is a real library for an engine: that of a variable, or of a copy that
// is here.
func libraryHere(t *testing.T, variable string, spec engine.Spec) string {
	t.Helper()
	if named := os.Getenv(variable); named != "" {
		return named
	}
	e, err := spec.Find(engine.Machine{Facts: doctor.Probe(t.Context(), host.Live(), doctor.Probes(false))})
	if err != nil {
		t.Skipf("skipped: %v (or name a library in %s)", err, variable)
	}
	return e.(interface{ Library() string }).Library()
}

// TestOpenVINO runs a small network through a real OpenVINO.
func TestOpenVINO(t *testing.T) {
	const (
		version = "typedef struct { const char *number, *description; } v; int ov_get_openvino_version(v *a) { a->number = \"2026.4.1-1\"; return 0; }\n"
		rest    = "int ov_core_read_model, ov_core_set_property, ov_core_compile_model, ov_compiled_model_get_property, ov_compiled_model_create_infer_request," +
			" ov_infer_request_get_tensor, ov_infer_request_infer, ov_infer_request_get_profiling_info, ov_tensor_data, ov_tensor_get_byte_size," +
			" ov_tensor_get_element_type, ov_tensor_get_shape, ov_shape_free, ov_tensor_free, ov_infer_request_free," +
			" ov_compiled_model_free, ov_model_free, ov_free, ov_profiling_info_list_free;\n" +
			"const char *ov_get_error_info(int s) { return \"general error\"; } const char *ov_get_last_err_msg(void) { return \"Cannot load library 'libopenvino_intel_cpu_plugin.so'\"; }\n"
	)
	library := libraryHere(t, "DEPLOYCTL_TEST_OPENVINO", openvino.Spec())
	n := native{
		name: "openvino", library: library, make: openvino.New, config: odd, layers: "CPU", reads: engine.ONNX, limit: 1e-5,
		damaged: "load other.onnx", unnamed: "layer_99",
		stubs: map[string]struct{ library, why string }{
			"another library":       {stub(t, "other", "int other;\n"), "is not OpenVINO"},
			"a function less":       {stub(t, "old", version), "lacks the function ov_core_create"},
			"a plugin less":         {stub(t, "plugin", version+rest+"int ov_core_create(void **c) { return -1; }\n"), "libopenvino_intel_cpu_plugin.so"},
			"no reader for ONNX":    {without(t, library, "_onnx_frontend"), "Unable to read the model"},
			"no processor":          {without(t, library, "_cpu_plugin"), "is not registered"},
			"an instruction":        {stub(t, "trap", version+rest+"int ov_core_create(void **c) { __builtin_trap(); }\n"), "instruction"},
			"a crash":               {stub(t, "crash", version+rest+"int ov_core_create(void **c) { return *(int *)8; }\n"), "crashed"},
			"a library that aborts": {stub(t, "abort", "#include <stdlib.h>\n"+version+rest+"int ov_core_create(void **c) { abort(); }\n"), "abort"},
		},
	}
	n.run(t)
	t.Run("shorter precisions", n.shorter)
}

// shorter asks for precisions that the processor may not have: what was computed in
// single precision all the same has failed, and a field says so.
func (n *native) shorter(t *testing.T) {
	for target, short := range map[string]judge.Precision{"cpu_fp16": judge.FP16, "cpu_bf16": judge.BF16} {
		o := n.options(n.library, tampered{})
		o.Target = target
		r, err := verify.Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		e := r.Engines[0]
		t.Logf("%s: %s in %s on %v: %q", target, e.State, e.Precision, e.Device.Layers, e.Why)
		single := e.State == verify.Fail && e.Precision == judge.FP32 && strings.Contains(e.Why, target+" was not used")
		if !single && e.Precision != short || e.ProcessorSeconds <= 0 {
			t.Errorf("%s: %q", target, e.Reasons)
		}
	}
}

// without is a library in a folder with all of its neighbors but those with the name.
func without(t *testing.T, library, name string) string {
	t.Helper()
	dir, left := t.TempDir(), 0
	files, err := filepath.Glob(filepath.Join(filepath.Dir(library), "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if strings.Contains(filepath.Base(file), name) {
			left++
			continue
		}
		if err := os.Symlink(file, filepath.Join(dir, filepath.Base(file))); err != nil {
			t.Skipf("skipped: no links here: %v", err)
		}
	}
	if left == 0 {
		t.Fatalf("this OpenVINO has no %s", name)
	}
	return filepath.Join(dir, filepath.Base(library))
}
