// Package step holds the words that the installers share: a step and its cost,
// a package, progress, and a failure with its cause and next action. It is
// plain data: it must never look at a machine and never change one.
package step

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Effect says how far a step goes.
type Effect string

// The effects. Destructive takes something away that was there before.
const (
	Read        Effect = "read"
	Write       Effect = "write"
	Destructive Effect = "destructive"
)

// Need is something a step cannot do without.
type Need string

// The needs.
const (
	Admin    Need = "admin"
	Reboot   Need = "reboot"
	NewShell Need = "new shell"
	Network  Need = "network"
)

// Action is what a step does with its mechanism.
type Action string

// The actions.
const (
	Install   Action = "install"
	Remove    Action = "remove"
	Refresh   Action = "refresh"    // fetch the package lists
	Configure Action = "configure"  // finish what an interrupted run left unpacked
	Tidy      Action = "tidy"       // remove what only the steps before needed
	Reinstall Action = "reinstall"  // install again what has lost files
	FixBroken Action = "fix-broken" // bring in or reinstall what a broken package needs
	Keep      Action = "keep"       // take back marks for removal that an interrupted one left
)

// Cost is what a step takes.
type Cost struct {
	DownloadBytes int64 `json:"download_bytes"`
	// DiskBytes is the room used afterwards; negative when room is given back.
	DiskBytes int64 `json:"disk_bytes"`
	// Minutes is a rough time, always an estimate.
	Minutes float64 `json:"minutes"`
	// Estimated: the sizes are the catalog's or guesses; Note says why.
	Estimated bool   `json:"estimated,omitempty"`
	Note      string `json:"note,omitempty"`
}

// Plus adds up two costs. A sum with an estimate is one.
func (c Cost) Plus(other Cost) Cost {
	return Cost{
		DownloadBytes: c.DownloadBytes + other.DownloadBytes, DiskBytes: c.DiskBytes + other.DiskBytes,
		Minutes: c.Minutes + other.Minutes, Estimated: c.Estimated || other.Estimated,
	}
}

// Step is one change to a machine.
type Step struct {
	// ID is stable within a plan: apt.install.
	ID     string   `json:"id"`
	Title  string   `json:"title"`
	Effect Effect   `json:"effect"`
	Needs  []Need   `json:"needs"`
	Cost   Cost     `json:"cost"`
	Argv   []string `json:"argv"`
	// Requirements are the ids of the requirements it serves.
	Requirements []string `json:"requirements"`
	// Undo says in a sentence how it can be taken back.
	Undo string `json:"undo"`

	Mechanism string   `json:"mechanism"` // apt, dnf …
	Action    Action   `json:"action"`
	Packages  []string `json:"packages,omitempty"`
	// Versions are those of packages that are asked for by name.
	Versions map[string]string `json:"versions,omitempty"`
	// Target is what the mechanism works on where there may be several: the
	// folder of a Visual Studio, a root of MSYS2, a setup program.
	Target string `json:"target,omitempty"`
	// Note is what a person should know before agreeing.
	Note string `json:"note,omitempty"`
	// Repository is a folder in deployctl's cache that the package manager takes
	// the packages from; "" for its own sources.
	Repository string `json:"repository,omitempty"`
	// Undoes names the journal records (run/seq) that a removal takes back.
	Undoes []string `json:"undoes,omitempty"`

	// With is what the step's mechanism works with, nil where packages and argv
	// say all. Paths in it are absolute and in the machine's own form.
	With Payload `json:"-"`
	// Take is what a removal of files or settings takes back.
	Take []Take `json:"take,omitempty"`
}

// Payload is what a mechanism's steps carry besides the common fields: one type
// for each kind of step. In JSON it is the step's key of that type's name, which
// a plan and a journal have had from the beginning.
type Payload interface{ payload() }

func (*Fetch) payload()  {}
func (*Unpack) payload() {}
func (*Place) payload()  {}
func (*Build) payload()  {}
func (Edits) payload()   {}
func (Files) payload()   {}
func (*Wheel) payload()  {}

// Files are fetched together in one step.
type Files []Fetch

// Edits are lasting changes of the environment that one step makes.
type Edits []Env

// common is a step without its own JSON, wire what stands in JSON.
type (
	common Step
	wire   struct {
		common
		Fetch  *Fetch  `json:"fetch,omitempty"`
		Unpack *Unpack `json:"unpack,omitempty"`
		Place  *Place  `json:"place,omitempty"`
		Build  *Build  `json:"build,omitempty"`
		Env    Edits   `json:"env,omitempty"`
		Files  Files   `json:"files,omitempty"`
		Wheel  *Wheel  `json:"wheel,omitempty"`
	}
)

// MarshalJSON writes the payload under its own key, and empty lists where there are none:
// a step that runs no command has no arguments, and the schema promises a list.
func (s Step) MarshalJSON() ([]byte, error) {
	w := wire{common: common(s)}
	if w.Needs == nil {
		w.Needs = []Need{}
	}
	if w.Argv == nil {
		w.Argv = []string{}
	}
	if w.Requirements == nil {
		w.Requirements = []string{}
	}
	switch p := s.With.(type) {
	case *Fetch:
		w.Fetch = p
	case *Unpack:
		w.Unpack = p
	case *Place:
		w.Place = p
	case *Build:
		w.Build = p
	case Edits:
		w.Env = p
	case Files:
		w.Files = p
	case *Wheel:
		w.Wheel = p
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Step) UnmarshalJSON(data []byte) error {
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*s = Step(w.common)
	if len(s.Needs) == 0 {
		s.Needs = nil
	}
	if len(s.Argv) == 0 {
		s.Argv = nil
	}
	if len(s.Requirements) == 0 {
		s.Requirements = nil
	}
	switch {
	case w.Fetch != nil:
		s.With = w.Fetch
	case w.Unpack != nil:
		s.With = w.Unpack
	case w.Place != nil:
		s.With = w.Place
	case w.Build != nil:
		s.With = w.Build
	case len(w.Env) > 0:
		s.With = w.Env
	case len(w.Files) > 0:
		s.With = w.Files
	case w.Wheel != nil:
		s.With = w.Wheel
	}
	return nil
}

// Edits are the changes of the environment that the step makes.
func (s Step) Edits() Edits {
	e, _ := s.With.(Edits)
	return e
}

// ErrNotPlanned is the error for a step that no plan of deployctl has.
var ErrNotPlanned = lang.New("deployctl did not plan this step")

// As gives a step's payload of the type that its mechanism works with.
func As[P Payload](s Step) (P, error) {
	p, ok := s.With.(P)
	if !ok {
		return p, ErrNotPlanned
	}
	return p, nil
}

// Fetch brings a published file into the store of fetched files.
type Fetch struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`   // bytes, exact
	SHA256 string `json:"sha256"` // 64 lower-case hexadecimal digits
	// Mirrors are tried in order.
	Mirrors []string `json:"mirrors"`
	// Trusted: the address is from a client's own configuration on this machine
	// (apt's sources, npm's registry), which may be plain http.
	Trusted bool `json:"trusted,omitempty"`
	// Path is where the file also gets a name, beneath the cache folder, for a
	// reader that wants one; "" for nowhere.
	Path string `json:"path,omitempty"`
	// Project is set for a wheel: Name is looked up among this project's files on
	// the index that pip is set up with, when it is fetched. It has no mirrors.
	Project string `json:"project,omitempty"`
}

// Wheel unpacks parts of a fetched Python wheel into a folder that must not
// exist; it appears whole or not at all.
type Wheel struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	Into   string `json:"into"`
	// Pick maps patterns of names to folders beneath Into; see recipes.Wheel.
	Pick map[string]string `json:"pick"`
	// Libraries is the folder whose libraries get the names that the loader and
	// linkers ask for; Links are further links, path to target.
	Libraries string            `json:"libraries,omitempty"`
	Links     map[string]string `json:"links,omitempty"`
	// Write are files that are written beside them: path to text.
	Write map[string]string `json:"write,omitempty"`
}

// Unpack unpacks a fetched archive into a folder that must not exist; it
// appears whole or not at all.
type Unpack struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	// Format is archive's name for it: zip, tar.xz …
	Format string `json:"format"`
	// Strip drops so many leading elements of every path.
	Strip int `json:"strip,omitempty"`
	// Files, where set, are the only entries taken: name in the archive to its
	// place beneath Into.
	Files map[string]string `json:"files,omitempty"`
	Into  string            `json:"into"`
	// Work: the folder is needed by later steps only, and goes with them.
	Work bool `json:"work,omitempty"`
	// Product, when there, makes the step needless (what a later step makes).
	Product string `json:"product,omitempty"`
}

// Place puts a fetched file at a path, where nothing else may be.
type Place struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	Path   string `json:"path"`
}

// Build is one command of a build from source (the step's Argv).
type Build struct {
	// Stage is the command's place in the build: configure, compile, install.
	Stage string `json:"stage"`
	// Dir is where it runs, Work the folder that holds sources and objects.
	Dir  string   `json:"dir"`
	Work string   `json:"work"`
	Env  []string `json:"env,omitempty"` // K=V
	// Product is the folder that the whole build makes. The install stage fills
	// Staged, which is renamed to Product when it is complete.
	Product string `json:"product"`
	Staged  string `json:"staged,omitempty"`
	// Key changes with everything that the product is made from.
	Key string `json:"key"`
}

// Env is one lasting change of the environment that later shells and programs
// see.
type Env struct {
	Name string `json:"name"`
	// Value is set; or, with Prepend, put before what a list (PATH) holds.
	Value   string `json:"value"`
	Prepend bool   `json:"prepend,omitempty"`
	// Scope is user or machine.
	Scope string `json:"scope"`
}

// Take is one thing to take back.
type Take struct {
	Name string `json:"name"`
	// Version is what it must still be; anything else was changed by somebody.
	Version string `json:"version"`
	// Was is what it was before and becomes again; "" when it was not there.
	Was string `json:"was,omitempty"`
}

// NeedsAny reports whether the step has the need.
func (s Step) NeedsAny(n Need) bool {
	for _, x := range s.Needs {
		if x == n {
			return true
		}
	}
	return false
}

// Package is one installed package, or a change of one.
type Package struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Was is the version before the change, "" when it was not installed.
	Was string `json:"was,omitempty"`
}

// Phase is the part of a step that is under way.
type Phase string

// The phases.
const (
	Waiting     Phase = "waiting" // another program holds the package manager
	Downloading Phase = "download"
	Installing  Phase = "install"
	Stopping    Phase = "stopping" // asked to stop; the transaction under way is finished first
)

// Progress is a moment of a running step.
type Progress struct {
	StepID string
	// Index counts from 1 to Of.
	Index, Of int
	Phase     Phase
	// Percent is 0 to 100 within the phase, -1 when it is not known.
	Percent float64
	// Bytes of Total are fetched, where the phase is counted in bytes; Total is
	// 0 where it is not.
	Bytes, Total int64
	// Message is one short line, free of control characters.
	Message string
}

// Kind tells failures apart where a caller decides.
type Kind string

// The kinds of failure.
const (
	Locked       Kind = "locked"        // another program holds the package manager
	NoNetwork    Kind = "no-network"    // a server could not be reached or fetched from
	NotFound     Kind = "not-found"     // no such package
	DiskFull     Kind = "disk-full"     // no room
	ReadOnly     Kind = "read-only"     // the file system cannot be written
	NoPrivilege  Kind = "no-privilege"  // not administrator, and no way to become it
	Refused      Kind = "refused"       // sudo, doas, pkexec or UAC said no
	Conflict     Kind = "conflict"      // unmet dependencies, held packages
	Interrupted  Kind = "interrupted"   // the package manager was interrupted earlier
	HashMismatch Kind = "hash-mismatch" // a file does not match its published hash
	Untrusted    Kind = "untrusted"     // a signature is missing or wrong
	Cancelled    Kind = "cancelled"     // the user stopped it
	TimedOut     Kind = "timed-out"     // longer than the step's deadline
	Changed      Kind = "changed"       // undo: somebody else changed it since
	Unusable     Kind = "unusable"      // the package manager is there and cannot be run
	Other        Kind = "other"
)

// Failure is an error with its cause and the next action, each part of one
// sentence.
type Failure struct {
	Kind  Kind   `json:"kind"`
	Cause string `json:"cause"`
	Next  string `json:"next"`
	// Detail is what the tool itself said, the telling lines only.
	Detail []string `json:"detail,omitempty"`
	Err    error    `json:"-"`
	// StatusOnly: the cause is a tool's exit status, of which nothing is known.
	StatusOnly bool `json:"-"`
}

// Error is the whole sentence.
func (f *Failure) Error() string {
	if f.Next == "" {
		return f.Cause
	}
	return lang.F("%s; %s", f.Cause, f.Next)
}

// Unwrap gives the error beneath, if any.
func (f *Failure) Unwrap() error { return f.Err }

// Stopped is the failure of what the user stopped.
func Stopped(err error) *Failure {
	return &Failure{Kind: Cancelled, Err: err, Cause: lang.T("stopped by the user"), Next: lang.T("run deployctl again to go on from here")}
}

// Clean makes a tool's line safe to show: no control characters, so that no
// package can move the cursor or recolor the terminal, and at most max runes.
func Clean(line string, max int) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.ToValidUTF8(line, "?") {
		if r == '\t' {
			r = ' '
		}
		if r < ' ' || (r >= 0x7f && r < 0xa0) || r == 0x200e || r == 0x200f || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) {
			continue
		}
		if n == max {
			b.WriteString("…")
			break
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}

// Bytes writes a size for people, in decimal units as package managers do.
func Bytes(n int64) string { return recipes.FormatBytes(n) }

// Some names the first n of a list, and how many more there are.
func Some(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, lang.T(", "))
	}
	return lang.F("%s and %d more", strings.Join(names[:n], lang.T(", ")), len(names)-n)
}

// Unique sorts names and drops repeated ones.
func Unique(names []string) []string {
	out := slices.Clone(names)
	slices.Sort(out)
	return slices.Compact(out)
}

// Quote writes an argv so that a POSIX shell would read the same words back.
// It is for showing; deployctl never hands it to a shell.
func Quote(argv []string) string {
	words := make([]string, len(argv))
	for i, a := range argv {
		words[i] = Word(a)
	}
	return strings.Join(words, " ")
}

// Word quotes one word for a POSIX shell (POSIX.1-2017, XCU 2.2): inside single
// quotes every character but the single quote stands for itself.
func Word(s string) string {
	if s != "" && strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@%+=:,./_-", r))
	}) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Minutes is a rough time for fetching and unpacking: 5 MB/s down and 12 MB/s
// unpacked and configured, and never under six seconds. Measured on Debian 12,
// two shared cores and a near mirror: 302 MB and 1.3 GB (g++, libopencv-dev)
// took 120 s, nearly all of it unpacking. A slow disk or link takes longer.
func Minutes(download, disk int64) float64 {
	seconds := float64(download)/5e6 + float64(max(disk, 0))/12e6
	minutes := time.Duration(seconds * float64(time.Second)).Minutes()
	return max(0.1, float64(int(minutes*10+0.5))/10)
}
