package judge

import "testing"

// TestDebianDriver: the package of a Debian release whose driver runs a card.
func TestDebianDriver(t *testing.T) {
	_, tables := load(t)
	e := &evaluation{tables: tables}
	for _, c := range []struct{ release, sm, want string }{
		{"12", "5.2", "nvidia-driver"}, {"12", "8.9", "nvidia-driver"}, {"12", "3.5", "nvidia-tesla-470-driver"},
		{"12", "12.0", ""}, {"12", "2.1", ""}, {"12", "", ""},
		{"11", "2.1", "nvidia-legacy-390xx-driver"}, {"11", "3.5", "nvidia-driver"}, {"11", "8.9", ""},
		{"13", "6.1", "nvidia-driver"}, {"13", "3.5", ""}, {"14", "6.1", ""},
	} {
		if got := e.debianDriver(c.release, c.sm); got != c.want {
			t.Errorf("Debian %s, %s: %q, want %q", c.release, c.sm, got, c.want)
		}
	}
}
