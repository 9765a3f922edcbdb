package darknet

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/verify/engine"
)

// TestFind: a program alone, or a static library, is not enough.
func TestFind(t *testing.T) {
	lib := func(path string) facts.Instance {
		return facts.Instance{Path: "/opt/darknet", Attrs: map[string]string{"lib": path}}
	}
	for _, c := range []struct {
		copies []facts.Instance
		want   string // of the library, or of the error
	}{
		{nil, "is not installed here: run deployctl doctor --recipe darknet --fix"},
		{[]facts.Instance{{Path: "/usr", Attrs: map[string]string{"program": "/usr/bin/darknet"}}}, "has no library of its own: build it with one"},
		{[]facts.Instance{lib("/opt/darknet/libdarknet.a")}, "has no library of its own"},
		{[]facts.Instance{lib("/opt/darknet/libdarknet.a"), lib("/usr/lib/darknet/libdarknet.so")}, "/usr/lib/darknet/libdarknet.so"},
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
}

// TestRemedy: what the worker says of a Darknet, and a word of what to do.
func TestRemedy(t *testing.T) {
	for message, want := range map[string]string{
		"this Darknet lacks the function make_yolo_layer: /x/libdarknet.so":     "older than YOLOv3",
		"this Darknet lacks the function network_predict_ptr: /x/libdarknet.so": "before February 2019",
		"the Darknet of pjreddie does not know the activation mish":             "AlexeyAB's or hank-ai's",
		"Darknet says that network_outputs is 7, not 8":                         "reinstall Darknet",
		"Darknet gave no result":                               "reinstall Darknet",
		"read the weights: open /x: no such file or directory": "--fresh",
		"something else":                                       "",
	} {
		if got := remedy(message); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q", message, got)
		}
	}
}
