package host_test

import (
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

func TestSystemPath(t *testing.T) {
	h := hosttest.Parse(t, "-- env --\nPATH=/home/me/bin:/usr/bin\n-- exec /home/me/bin/apt-get --\n-- exec /usr/bin/apt-get --\n-- exec /home/me/bin/other --\n")
	if got := h.SystemPath(t.Context(), "apt-get"); got != "/usr/bin/apt-get" {
		t.Errorf("apt-get: %q", got)
	}
	if got := h.SystemPath(t.Context(), "other"); got != "" {
		t.Errorf("a program that only the user's PATH has: %q", got)
	}
}
