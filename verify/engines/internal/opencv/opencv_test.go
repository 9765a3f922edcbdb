package opencv

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/engine"
)

func TestFallbackIsNoticed(t *testing.T) {
	for log, fell := range map[string]bool{
		"": false,
		"[ WARN:0@0.1] global dnn.cpp initCUDABackend DNN module was not built with CUDA backend; switching to CPU":           true,
		"[ WARN:0] DNN: OpenCL target is not supported with current OpenCL device (tested with GPUs only), switching to CPU.": true,
		"setUpNet DNN: OpenCL target is not available":                                                                        true,
		"[ WARN:0] global cap_gstreamer.cpp something else":                                                                   false,
	} {
		a := engine.Answer{Backend: "cuda", Target: "cuda", Log: log}
		Executed(&a)
		if got := a.Target == "cpu" && a.Backend == "opencv"; got != fell {
			t.Errorf("%q: ran on %s/%s", log, a.Backend, a.Target)
		}
	}
}

// TestRemedies: OpenCV's messages with one clear remedy.
func TestRemedies(t *testing.T) {
	for what, want := range map[string]string{
		"OpenCV(5.0.0) dnn_read.cpp:94: error: (-213) Darknet importer has been removed in function 'readNet'": "install OpenCV 4",
		"Failed to parse NetParameter file: /x/net.cfg":                                                        "belong together", "Unknown layer type: [mish]": "too old", "backend is not supported": "built without", "total > 0": "",
	} {
		if got := Remedy(what); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q", what, got)
		}
	}
}
