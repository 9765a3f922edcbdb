package tensorflow

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/verify/engine"
)

// TestFind: the library with the C API is taken, not the one that it needs.
func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"libtensorflow_framework.so.2", "libtensorflow_cc.so.2"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lib := func(path string) facts.Instance {
		return facts.Instance{Path: dir, Attrs: map[string]string{"lib": path}}
	}
	version := func(c facts.Instance, release string) facts.Instance {
		c.Version = release
		return c
	}
	for _, c := range []struct {
		copies []facts.Instance
		want   string // of the library, or of the error
	}{
		{nil, "is not installed here: run deployctl doctor --recipe tensorflow-c --fix"},
		{[]facts.Instance{{Path: "/venv/tensorflow"}}, "has no library of its own: run deployctl doctor"},
		{[]facts.Instance{lib("/opt/lib/libtensorflow.so.2")}, "/opt/lib/libtensorflow.so.2"},
		{[]facts.Instance{lib(filepath.Join(dir, "libtensorflow_framework.so.2"))}, filepath.Join(dir, "libtensorflow_cc.so.2")},
		{[]facts.Instance{version(lib("/opt/lib/libtensorflow.so.1"), "1.15.5")}, "is release 1.15.5, and this engine needs 2.0 or newer: run deployctl doctor --recipe tensorflow-c --fix"},
		{[]facts.Instance{version(lib("/opt/lib/libtensorflow.so.1"), "1.15.5"), version(lib("/new/lib/libtensorflow.so.2"), "2.16.2")}, "/new/lib/libtensorflow.so.2"},
		{[]facts.Instance{lib("/none/libtensorflow_framework.so.2")}, "has no library of its own"},
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

// TestRemedy: messages of TensorFlow, and a word of what to do.
func TestRemedy(t *testing.T) {
	for message, want := range map[string]string{
		"load model.pb: Invalid GraphDef":                                                                            "--fresh",
		"load model.pb: it is not a graph with an operation layer_82":                                                "--fresh",
		"load model.pb: Op type not registered 'LeakyRelu' in binary running on host":                                "2.4 or newer",
		"this TensorFlow lacks the function TF_NewStatus: /x/libtensorflow.so":                                       "2.4 or newer",
		"forward pass: OOM when allocating tensor with shape[1,416,416,32] and type float on CPU:0 by allocator cpu": "free memory",
		"this TensorFlow has devices other than the processor: TPU":                                                  "CUDA_VISIBLE_DEVICES",
		"something else": "",
	} {
		if got := remedy(message); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q", message, got)
		}
	}
}
