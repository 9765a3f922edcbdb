// Package judge decides: it compares facts with a recipe's requirements and with
// the health checks of what the recipe touches, and gives findings. It is pure.
// It must never look at a machine, run anything or render text for a terminal.
package judge

import (
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// State is a requirement's verdict.
type State string

// The states of a finding.
const (
	OK      State = "ok"
	Info    State = "info"
	Warn    State = "warn"
	Fail    State = "fail"
	Unknown State = "unknown" // could not be checked; Found says why
	Skipped State = "skipped" // does not apply; Found says why
	Pending State = "pending" // needs a reboot, a new shell or a device
)

// Finding is a requirement judged against facts.
type Finding struct {
	ID    string `json:"id"`
	Title string `json:"title"`
	State State  `json:"state"`
	// Severity is the requirement's: what is only recommended may be unknown
	// without changing the exit code.
	Severity recipes.Severity `json:"severity,omitempty"`
	Wanted   string           `json:"wanted"`
	Found    string           `json:"found"`
	// Where is the path, command or key the verdict rests on.
	Where string `json:"where"`
	Why   string `json:"why"`
	// Fix is the smallest fix, as one sentence or command; "" when State is ok.
	Fix string `json:"fix"`
	// Doc is the anchor of the requirement's page.
	Doc string `json:"doc"`
}

// Judgement is what an evaluation gives.
type Judgement struct {
	Recipe   *recipes.Recipe
	Facts    *facts.Facts
	Findings []Finding
	// Chosen holds what compat checks decided: column → version.
	Chosen map[string]string
	// Restart: something was installed that takes effect after a restart only.
	Restart bool
}

// Exit codes, pinned by a test. They are the contract with scripts.
const (
	ExitOK      = 0 // all required hold
	ExitError   = 1 // deployctl or a step failed
	ExitUsage   = 2 // usage or bad recipe
	ExitFail    = 3 // a requirement fails
	ExitStrict  = 4 // only warnings, with --strict
	ExitUnknown = 5 // a requirement is unknown
	ExitPending = 6 // pending
)
