package recipes

import "testing"

// TestCostWords: what is measured is exact, what is estimated is rounded and says so.
func TestCostWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Size(149e6, false), "149 MB"},
		{Size(401e6, true), "about 400 MB"},
		{Size(3_900_000_000, true), "about 3.9 GB"},
		{Size(2e9, true), "about 2 GB"},
		{Size(30e6, true), "about 30 MB"},
		{Size(0, true), "0 B"},
		{Duration(0.1), "about 6 s"},
		{Duration(0.97), "about 1 min"},
		{Duration(4.5), "about 5 min"},
		{FormatBytes(-5000), "-5.0 kB"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	if c := UsualCost("no such thing"); c.Download != smallCost().Download {
		t.Errorf("%+v", c)
	}
}
