package onnxruntime

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/verify/engine"
)

// TestFind: what is not there is said with what fetches it.
func TestFind(t *testing.T) {
	for want, copies := range map[string][]facts.Instance{
		"not installed here: run deployctl runtimes pull onnxruntime": nil,
		"has no library of its own: run deployctl runtimes pull":      {{Path: "/usr/lib/python3/dist-packages/onnxruntime"}},
	} {
		_, err := Spec().Find(engine.Machine{Facts: &facts.Facts{Components: map[string][]facts.Instance{Name: copies}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v", err)
		}
	}
}

// TestRemedy: messages of ONNX Runtime, and a word of what to do.
func TestRemedy(t *testing.T) {
	for message, want := range map[string]string{
		"ONNX Runtime 1.4.0 is older than 1.10":                                                      "1.17 or newer",
		"/x/libonnxruntime.so.1 gives no functions":                                                  "shadow onnxruntime",
		"load model.onnx: Load model from model.onnx failed:Protobuf parsing failed.":                "--fresh",
		"load model.onnx: Could not find an implementation for Resize(11) node with name 'Resize_3'": "complete one",
		"something else": "",
	} {
		if got := remedy(message); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q", message, got)
		}
	}
}
