package recipes

import "testing"

func TestPackaged(t *testing.T) {
	for _, c := range []struct{ distribution, version, opencv string }{
		{"ubuntu", "20.04", "4.2.0"}, {"debian", "12", "4.6.0"}, {"macos", "15.1", "4.14.0"}, {"ubuntu", "19.10", ""}, {"arch", "", ""},
	} {
		if have := Packaged(c.distribution, c.version); have["opencv"] != c.opencv {
			t.Errorf("%s %s: %v", c.distribution, c.version, have)
		}
	}
}

// TestNotPackaged: bookworm and noble have no ONNX Runtime, trixie has one.
func TestNotPackaged(t *testing.T) {
	for _, c := range []struct {
		distribution, version, component string
		lacks                            bool
	}{
		{"debian", "12", "onnxruntime", true}, {"debian", "13", "onnxruntime", false}, {"ubuntu", "24.04", "libtorch", true},
		{"ubuntu", "19.10", "onnxruntime", false}, {"debian", "12", "opencv", false},
	} {
		if lacks := NotPackaged(c.distribution, c.version, c.component); lacks != c.lacks {
			t.Errorf("%s %s: NotPackaged(%s) = %v", c.distribution, c.version, c.component, lacks)
		}
	}
}
