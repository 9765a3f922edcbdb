package openvino

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/verify/engine"
)

// TestFind: the C library is looked for where the facts name the others.
func TestFind(t *testing.T) {
	whole, less := t.TempDir(), t.TempDir()
	for _, file := range []string{
		filepath.Join(whole, "libopenvino.so.2641"), filepath.Join(whole, "libopenvino_c.so.2641"), filepath.Join(less, "libopenvino.so.2641"),
	} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lib := func(dir string) facts.Instance {
		return facts.Instance{Path: dir, Version: "2026.4.1", Attrs: map[string]string{"lib": filepath.Join(dir, "libopenvino.so.2641"), "libdir": dir}}
	}
	for _, c := range []struct {
		copies []facts.Instance
		want   string // of the library, or of the error
	}{
		{nil, "is not installed here: run deployctl doctor --recipe openvino --fix"},
		{[]facts.Instance{lib(whole)}, filepath.Join(whole, "libopenvino_c.so.2641")},
		{[]facts.Instance{lib(less), lib(whole)}, filepath.Join(whole, "libopenvino_c.so.2641")},
		{[]facts.Instance{{Path: "/venv", Attrs: map[string]string{"cmake": "/venv/OpenVINOConfig.cmake"}}, {Attrs: map[string]string{"libdir": whole}}}, "libopenvino_c.so.2641"},
		{[]facts.Instance{lib(less)}, "has no library of its own: run deployctl doctor --recipe openvino --fix"},
		{[]facts.Instance{lib(filepath.Join(whole, "none"))}, "has no library of its own"},
	} {
		e, err := Spec().Find(engine.Machine{Facts: &facts.Facts{Components: map[string][]facts.Instance{Name: c.copies}}})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = e.(interface{ Library() string }).Library()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
	if _, err := Spec().Find(engine.Machine{Facts: &facts.Facts{}}); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("without facts: %v", err)
	}
}

// TestRemedy: messages of OpenVINO, and a word of what to do.
func TestRemedy(t *testing.T) {
	for message, want := range map[string]string{
		"compile model.onnx: general error: Exception from src/inference/src/cpp/core.cpp:109:\nDevice with \"CPU\" name is not registered in the OpenVINO Runtime":                          "a plugin of OpenVINO",
		"compile model.onnx: general error: Cannot load library '/x/libopenvino_intel_cpu_plugin.so': /x/libopenvino_intel_cpu_plugin.so: file too short":                                    "a plugin of OpenVINO",
		"load model.onnx: general error: Unable to read the model: model.onnx Please check that model format: onnx is supported and the model is correct. Available frontends: jax ir tf":    "no reader for ONNX",
		"load model.onnx: general error: Unable to read the model: model.onnx Please check that model format: .onnx is supported and the model is correct. Available frontends: jax onnx ir": "--fresh",
		"this OpenVINO lacks the function ov_core_create: /x/libopenvino_c.so":                                                                                                               "2022.1 or newer",
		"single precision was asked for, and OpenVINO says that it computes in \"bf16\" (<nil>)":                                                                                             "INFERENCE_PRECISION_HINT",
		"load model.onnx: general error: Check 'error_message.empty()' failed: FrontEnd API failed with OpConversionFailure: No conversion rule":                                             "operators that YOLO needs",
		"set INFERENCE_NUM_THREADS to 5000000000: general error":                                                                                                                             "fewer threads",
		"something else": "",
	} {
		if got := remedy(message); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q", message, got)
		}
	}
}
