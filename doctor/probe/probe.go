// Package probe declares what a probe is. Each topic has a package below this
// one; doctor/probes.go is the one list that wires them.
package probe

import (
	"context"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
)

// Probe reads one topic from a host.
type Probe struct {
	Name string
	// Provides are the fact topics (os, cpu, memory, disks, gpus) and component
	// names this probe is the source of: when it fails they are uncertain.
	Provides []string
	// Timeout is this probe's deadline; 0 means the default of 3 s.
	Timeout time.Duration
	// Run returns what it found even when it also returns an error: the error
	// says what could not be looked at. "Not installed" is not an error.
	Run func(ctx context.Context, h *host.Host) (facts.Facts, error)
}
