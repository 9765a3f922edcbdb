package memory

import (
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
)

// TestKilled: a program of a build that the kernel's log names, and no other one.
func TestKilled(t *testing.T) {
	const kern = "-- file /var/log/kern.log --\n"
	for _, c := range []struct {
		log  string
		want *facts.Killed
	}{
		{"", nil},
		{kern + "Nov  1 10:41:17 pi kernel: [ 51.3] Out of memory: Killed process 3120 (cc1plus) total-vm:1kB\n", &facts.Killed{Program: "cc1plus", File: "/var/log/kern.log"}},
		{kern + "Nov  1 10:41:17 pi kernel: Memory cgroup out of memory: Killed process 3120 (ld), UID 0, total-vm:1kB\n", &facts.Killed{Program: "ld", File: "/var/log/kern.log"}},
		{kern + "Nov  1 10:41:17 pi kernel: Killed process 1 (chromium) total-vm:1kB\nNov  1 10:41:17 pi kernel: [ 3121]  1000  3121 cc1plus\n", nil},
		{"-- deny /var/log/kern.log --\n-- file /var/log/messages --\n[51.3] Killed process 1 (cicc) x\n", &facts.Killed{Program: "cicc", File: "/var/log/messages"}},
	} {
		probetest.Same(t, "", c.want, killed(t.Context(), hosttest.Parse(t, "-- platform --\nlinux/amd64\n"+c.log)))
	}
}
