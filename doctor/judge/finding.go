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
	// Version and Path are those of the copy that was judged; Cause says in a
	// word why it does not do. "" where nothing of the kind was judged.
	Version string `json:"version,omitempty"`
	Path    string `json:"path,omitempty"`
	Cause   Cause  `json:"cause,omitempty"`
	// Where is the path, command or key the verdict rests on.
	Where string `json:"where"`
	Why   string `json:"why"`
	// Fix is the smallest fix, as one sentence or command; "" when State is ok.
	Fix string `json:"fix"`
	// Action is Fix as a program carries it out, where one can; nil where it is a
	// person's to do, or where the recipe's fix list says what to install.
	Action *Action `json:"action,omitempty"`
	// Listed: Fix is the first entry of the requirement's fix list that fits this
	// machine, so that deployctl carries it out itself.
	Listed bool `json:"-"`
	// Reach: nothing is to be installed. Fix makes programs find a copy that is
	// here already.
	Reach bool `json:"-"`
	// Advised are the versions of components that Fix says to install.
	Advised map[string]string `json:"-"`
	// Project: it is on the user's project in the current folder, and says nothing
	// of the machine.
	Project bool `json:"-"`
	// Goal: it is what the recipe is for, a person builds it from its sources here, and
	// other findings say what keeps that build from working. They come first.
	Goal bool `json:"-"`
	// About are the components that were judged.
	About []string `json:"-"`
	// After is the id of the finding that has to be fixed first, "" for none. A
	// finding that has one is skipped.
	After string `json:"-"`
	// Doc is the anchor of the requirement's page.
	Doc string `json:"doc"`
}

// Cause is why a requirement is not met, in a word that programs can rely on.
type Cause string

// The causes of a finding that is not ok.
const (
	NotInstalled Cause = "not-installed"
	NotFound     Cause = "not-found" // it is there, but the lookup does not find it
	WrongVersion Cause = "wrong-version"
	Lacking      Cause = "lacking-part" // a part or property is missing
	Unusable     Cause = "unusable"
	Mismatch     Cause = "mismatch" // it does not fit another component
	OtherSystem  Cause = "other-system"
	Waiting      Cause = "waiting"    // it cannot be checked before another is fixed
	Symptom      Cause = "symptom"    // it follows from another finding
	NotNeeded    Cause = "not-needed" // what it is for is there without it
	// NewerThanTable: the version is above what the compatibility table accounts
	// for, so that nobody knows whether it fits.
	NewerThanTable Cause = "newer-than-table"
)

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
