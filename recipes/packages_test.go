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
