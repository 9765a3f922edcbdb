// Package mechanism is the one shape of everything that carries out steps: a
// package manager, a download, an unpacked archive, a build, a setting. The
// installers package journals each step in the same way, whatever carries it
// out, by comparing what is there before and after. A mechanism is a value
// without state of its own; it must never write to the journal, ask a person or
// become administrator itself.
package mechanism

import (
	"context"
	"slices"

	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Mechanism carries out steps of one kind. Every error may be a *step.Failure,
// which has its own cause and next action.
type Mechanism interface {
	// State is what is there now of what the step makes or takes back. What was
	// made by nobody has no entry.
	State(ctx context.Context, s step.Step) (State, error)
	// Idle waits for whoever else works with what the step works with (another
	// package manager). What is half done while another program is at work is not broken.
	Idle(ctx context.Context, s step.Step, wait Wait) error
	// Room is the disk space that the step is planned to need.
	Room(s step.Step) []Room
	// Check says whether the step's purpose is met, and what carrying it out
	// would take. An error refuses to begin.
	Check(ctx context.Context, s step.Step) (Check, error)
	// Apply carries out a step that Check found not done. It must cope with what
	// a killed run left.
	Apply(ctx context.Context, s step.Step, tell func(step.Progress)) (Ended, error)
	// Confirm compares the step's purpose with the machine after Apply: a success
	// that shows no effect is an error, and an error whose purpose is met is none.
	// note is what a person should know of a success.
	Confirm(ctx context.Context, s step.Step, ended Ended, applied error, after State) (note string, err error)
	// Settle waits for what a killed run's step still runs, and clears away what
	// it left unfinished: nobody may come back to the step.
	Settle(ctx context.Context, s step.Step, wait Wait) error
	// Undo plans what takes back what the records made, newest first; all of them
	// are of this mechanism and one target.
	Undo(ctx context.Context, made []Made, purge bool) (Undoing, error)
	// Describe says exactly what the step does: "runs" a command or "does"
	// something to files and settings.
	Describe(s step.Step) (label, text string)
	// Export is the step for languages that need no deployctl.
	Export(s step.Step) Script
}

// State is what is there, by name: a package, a path, a variable.
type State map[string]Installed

// Installed is one thing that is there.
type Installed struct {
	// Version is a package's version, a file's digest, a variable's value.
	Version string
	// Ready: unpacked and configured. A package that only left its
	// configuration behind has Version and is not Ready.
	Ready bool
	// Leftover: removed, its configuration files remain.
	Leftover bool
	// Torn: half unpacked; it must be installed again before it can be removed.
	Torn bool
	// Marked for removal, although it is still installed.
	Marked bool
}

// Versions is a state in which everything is ready.
func Versions(of map[string]string) State {
	list := make(State, len(of))
	for name, version := range of {
		list[name] = Installed{Version: version, Ready: true}
	}
	return list
}

// Check is what is to be known before a step begins.
type Check struct {
	// Done: the step's purpose is met, nothing is carried out.
	Done bool
	// Before is the state, where finding out took reading it; nil otherwise.
	Before State
	// Room is the disk space that the step needs, by what is known now.
	Room []Room
	// Note is told when the step begins, "" for nothing.
	Note string
}

// Room is disk space in the file system of a folder, and what frees some.
type Room struct {
	Dir   string
	Bytes int64
	Next  string
}

// Ended is how the work of a step ended.
type Ended struct {
	// Before is what was there when the command began that did the work, nil for
	// what the step found: another program may have changed packages while it
	// waited for that program's lock.
	Before State
	Exit   int
	Lines  []string // the first and last ones of the output
	Reboot bool     // the rest is done after a restart
}

// Wait waits until busy names nobody: who it names is told. It gives up after a
// while, with a failure.
type Wait func(busy func() string) error

// Made is what a record of the journal made.
type Made struct {
	Key            string
	Step           step.Step
	Added, Changed []step.Package
	Leftover       []string
}

// Undoing is a plan to take records back.
type Undoing struct {
	// Found: something of the records is still there to be taken back.
	Found  bool
	Steps  []Back
	Kept   []Kept
	Manual []Manual
}

// Back is a step of an undo and the index of the record whose place it has.
type Back struct {
	Step step.Step
	At   int
}

// Kept is something that an undo leaves where it is.
type Kept struct {
	Names []string `json:"names"`
	// Why ends the sentence "stays, because …".
	Why string `json:"why"`
}

// Keep adds what stays to a list; names with the same reason share an entry.
func Keep(list []Kept, why string, names ...string) []Kept {
	i := slices.IndexFunc(list, func(k Kept) bool { return k.Why == why })
	if i < 0 {
		i, list = len(list), append(list, Kept{Why: why})
	}
	for _, n := range names {
		if !slices.Contains(list[i].Names, n) {
			list[i].Names = append(list[i].Names, n)
		}
	}
	return list
}

// Manual is a requirement left to a person.
type Manual struct {
	Requirement string `json:"requirement"`
	Title       string `json:"title"`
	// Reason says why it cannot be fixed automatically.
	Reason string `json:"reason"`
	// Do is what doctor says to do.
	Do string `json:"do,omitempty"`
	// Required: the recipe requires it.
	Required bool `json:"-"`
}

// Script is a step for another language: its argv, or what With says to do.
type Script struct {
	// Skip: the steps that use what it brings bring it themselves.
	Skip bool
	With step.Payload
	// Remove are folders and files to remove.
	Remove []string
	// Undo says how the step is taken back without the journal; "" where the
	// step's own words do.
	Undo string
	// Refuse says why no other language can have the step.
	Refuse string
}

// FromLockfile is why a step with a lockfile's files is not exported.
func FromLockfile() string {
	return lang.T("uses packages of a lockfile, and only deployctl makes a source of those: write the plan without the lockfile")
}
