// Package envedit owns lasting changes of the environment: one variable set, or
// one entry put first in a list (PATH), for later shells and programs. Each
// place that it writes to has, for each edit, one line, entry or value that can
// be found again and taken back alone:
//
//   - Linux, machine: /etc/profile.d/deployctl.sh, which is deployctl's own.
//   - Linux and macOS, user: a marked block in ~/.profile, and in the files that
//     bash and zsh read instead of it.
//   - Windows: the registry, where Microsoft documents environment variables to
//     be kept (learn.microsoft.com/windows/win32/procthread/environment-variables).
//   - Besides, on GitHub Actions: the files that GITHUB_ENV and GITHUB_PATH name,
//     for the later steps of the job.
//
// It must never touch what somebody else wrote in such a place, and never leave
// one half written.
package envedit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// The scopes of an edit.
const (
	User    = "user"
	Machine = "machine"
)

// Worker is the mechanism "envedit". Its state has one entry for each edit and
// place: "PATH+=/opt/x/bin (/etc/profile.d/deployctl.sh)" for an entry of a
// list, "X_DIR (/home/u/.profile)" for a variable.
type Worker struct {
	// Host answers for the environment and the clock; files and registry are
	// those of this machine.
	Host *host.Host
	// Root goes before every path that is read or written; tests set it.
	Root string
	// Registry is Windows' registry; nil for the real one.
	Registry Registry
}

// The versions of an entry of a list, which has no value apart from its name,
// and of a line that is not as deployctl wrote it.
const (
	listed       = "listed"
	handModified = "changed by hand"
)

// place is where edits are kept. All errors but a *step.Failure are unexpected.
type place interface {
	// get is what the place holds of the edit's subject: the value of a
	// variable, or listed.
	get(e step.Env) (version string, there bool, err error)
	// met reports whether later shells get the edit from this place.
	met(e step.Env) (bool, error)
	put(e step.Env) error
	// drop takes the edit away; a variable becomes was again, unless was is "".
	drop(e step.Env, was string) error
}

// target is one edit in one place.
type target struct {
	name string // in the state
	edit step.Env
	at   place
}

// State is what the places of the step's edits hold of them.
func (w Worker) State(ctx context.Context, s step.Step) (map[string]string, error) {
	targets, err := w.targets(s)
	if err != nil {
		return nil, err
	}
	state := map[string]string{}
	for _, t := range targets {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		version, there, err := t.at.get(t.edit)
		if err != nil {
			return nil, err
		}
		if there {
			state[t.name] = version
		}
	}
	return state, nil
}

// Done reports whether every edit is in each of its places; for a removal,
// whether each is gone or is again what it was.
func (w Worker) Done(ctx context.Context, s step.Step) (bool, error) {
	if s.Action == step.Remove {
		state, err := w.State(ctx, s)
		if err != nil {
			return false, err
		}
		for _, t := range s.Take {
			if now, there := state[t.Name]; there && now != t.Was {
				return false, nil
			}
		}
		return true, nil
	}
	targets, err := w.targets(s)
	if err != nil {
		return false, err
	}
	for _, t := range targets {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if met, err := t.at.met(t.edit); err != nil || !met {
			return false, err
		}
	}
	return true, nil
}

// Do makes the edits, or takes them back. One that somebody else changed stays,
// and the failure is Changed; nothing is taken back then.
func (w Worker) Do(ctx context.Context, s step.Step, tell func(step.Progress)) error {
	targets, err := w.targets(s)
	if err != nil {
		return err
	}
	tell(step.Progress{Phase: step.Installing, Percent: -1, Message: s.Title})
	change := func(t target) error { return t.at.put(t.edit) }
	if s.Action == step.Remove {
		state, err := w.State(ctx, s)
		if err != nil {
			return err
		}
		was := map[string]string{}
		for _, t := range s.Take {
			was[t.Name] = t.Was
			if now, there := state[t.Name]; there && now != t.Version && now != t.Was {
				return changed(t.Name)
			}
		}
		change = func(t target) error { return t.at.drop(t.edit, was[t.name]) }
	}
	for _, t := range targets {
		if err = ctx.Err(); err == nil {
			err = change(t)
		}
		if err != nil {
			break
		}
	}
	if w.Host.Windows() {
		w.registry().Announce()
	}
	return err
}

// Sweep has nothing to do: a file in somebody's home is written under a name that
// the next edit writes over.
func (Worker) Sweep(step.Step) error { return nil }

// Room is none worth speaking of.
func (Worker) Room(step.Step) (string, int64) { return "", 0 }

// Describe names each edit.
func (Worker) Describe(s step.Step) (label, text string) {
	edits, err := step.As[step.Edits](s)
	if err != nil {
		return "does", lang.T("nothing")
	}
	var list []string
	for _, e := range edits {
		if e.Prepend {
			list = append(list, lang.F("%s first in %s", e.Value, e.Name))
		} else {
			list = append(list, e.Name+"="+e.Value)
		}
	}
	text = lang.F("sets for later shells of this user: %s", strings.Join(list, lang.T(", ")))
	if edits[0].Scope == Machine {
		text = lang.F("sets for later shells of this machine: %s", strings.Join(list, lang.T(", ")))
	}
	return "does", text
}

// Export is the same edits.
func (Worker) Export(s step.Step) mechanism.Script {
	return mechanism.Script{With: s.With, Undo: lang.T("take the lines out again")}
}

func changed(name string) error {
	return &step.Failure{Kind: step.Changed, Cause: lang.F("%s was changed since deployctl made it", name), Next: lang.T("look at it and take it back by hand if it is not wanted")}
}

// notPlanned is the error for a step that no plan of deployctl has.
func notPlanned(why string) error {
	return fmt.Errorf("%w: %s", step.ErrNotPlanned, why)
}

// targets are the step's edits in each of their places; of a removal, those
// that it takes back.
func (w Worker) targets(s step.Step) ([]target, error) {
	edits, err := step.As[step.Edits](s)
	if err != nil {
		return nil, err
	}
	if err := check(edits, w.Host.Windows()); err != nil {
		return nil, err
	}
	var out []target
	if s.Action != step.Remove {
		for _, e := range edits {
			places, err := w.places(e)
			if err != nil {
				return nil, err
			}
			for _, name := range places {
				out = append(out, target{stateName(e, name), e, w.place(name)})
			}
		}
		return out, nil
	}
	if len(s.Take) == 0 {
		return nil, notPlanned(lang.T("it has nothing to undo"))
	}
	for _, take := range s.Take {
		t, ok := w.taken(take.Name, edits)
		if !ok || t.edit.Prepend && take.Was != "" {
			return nil, notPlanned(lang.F("%s is not one of its edits", step.Clean(take.Name, 200)))
		}
		out = append(out, t)
	}
	return out, nil
}

func stateName(e step.Env, place string) string { return subject(e) + " (" + place + ")" }

// subject names what an edit is about: the variable, or one entry of a list.
func subject(e step.Env) string {
	if e.Prepend {
		return e.Name + "+=" + e.Value
	}
	return e.Name
}

// Of finds the edit that a name of the state is made of.
func Of(name string, edits []step.Env) (found step.Env, ok bool) {
	for _, e := range edits {
		// A value may have " (" in it: the longest subject is the right one.
		if strings.HasPrefix(name, subject(e)+" (") && strings.HasSuffix(name, ")") && (!ok || len(subject(e)) > len(subject(found))) {
			found, ok = e, true
		}
	}
	return found, ok
}

// taken finds the edit and the place that a name of the state is made of. The
// place is the one of the time, even if an edit would go elsewhere today.
func (w Worker) taken(name string, edits []step.Env) (target, bool) {
	e, ok := Of(name, edits)
	if !ok {
		return target{}, false
	}
	p := w.place(strings.TrimSuffix(strings.TrimPrefix(name, subject(e)+" ("), ")"))
	return target{name, e, p}, p != nil
}

// The places that are not a file in somebody's home.
const (
	profileD  = "/etc/profile.d/deployctl.sh"
	userKey   = `HKCU\Environment`
	systemKey = `HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment`
	githubEnv = "GITHUB_ENV"
	// githubPath takes the folders of PATH only.
	githubPath = "GITHUB_PATH"
)

// profiles are the names of the files that login shells read.
var profiles = []string{".profile", ".bash_profile", ".bash_login", ".zprofile"}

// place is the place of a name, nil when there is none of it.
func (w Worker) place(name string) place {
	switch {
	case name == userKey, name == systemKey:
		return value{registry: w.registry(), key: name}
	case name == githubEnv, name == githubPath:
		return w.github(name)
	case w.Host.Windows():
		return nil
	case name == profileD:
		return shell{shown: name, path: w.path(name), own: true}
	case path.IsAbs(name) && path.Clean(name) == name && slices.Contains(profiles, path.Base(name)):
		return shell{shown: name, path: w.path(name)}
	}
	return nil
}

func (w Worker) path(name string) string { return filepath.Join(w.Root, name) }

func (w Worker) registry() Registry {
	if w.Registry != nil {
		return w.Registry
	}
	return liveRegistry{}
}

// places are the names of the places that an edit goes to.
func (w Worker) places(e step.Env) ([]string, error) {
	names, err := w.lasting(e.Scope)
	if err != nil {
		return nil, err
	}
	file := githubEnv
	if e.Prepend && sameName(e.Name, "PATH", w.Host.Windows()) {
		file = githubPath
	}
	if w.github(file).path != "" {
		names = append(names, file)
	}
	return names, nil
}

func (w Worker) lasting(scope string) ([]string, error) {
	switch {
	case w.Host.Windows() && scope == Machine:
		return []string{systemKey}, nil
	case w.Host.Windows():
		return []string{userKey}, nil
	case scope == Machine && w.Host.OS != "linux":
		return nil, &step.Failure{Kind: step.Other, Cause: lang.T("deployctl changes settings of the whole machine on Linux and Windows only"), Next: lang.T("make it a setting of the user")}
	case scope == Machine:
		return []string{profileD}, nil
	}
	home := w.Host.Env("HOME")
	if !path.IsAbs(home) {
		return nil, &step.Failure{Kind: step.Other, Cause: lang.T("HOME does not name a folder, so your profile cannot be found"), Next: lang.T("set HOME, then run deployctl again")}
	}
	names := []string{path.Join(home, ".profile")}
	// bash reads the first of these three only (Bash Reference Manual, 6.2).
	for _, name := range []string{".bash_profile", ".bash_login"} {
		there, err := exists(w.path(path.Join(home, name)))
		if err != nil {
			return nil, explain(path.Join(home, name), err)
		}
		if there {
			names = append(names, path.Join(home, name))
			break
		}
	}
	// zsh does not read ~/.profile. It is what macOS gives every new user.
	if w.Host.OS == "darwin" || path.Base(w.Host.Env("SHELL")) == "zsh" {
		dir := home
		if z := w.Host.Env("ZDOTDIR"); path.IsAbs(z) {
			dir = z
		}
		names = append(names, path.Join(dir, ".zprofile"))
	}
	return names, nil
}

// variable is a name as POSIX has it (XBD 8.1), in either case.
var variable = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)

// check refuses edits that could do something else than they say in one of the
// places, and those that contradict each other.
func check(edits []step.Env, windows bool) error {
	if len(edits) == 0 {
		return notPlanned(lang.T("it changes no variable"))
	}
	for i, e := range edits {
		switch {
		case !variable.MatchString(e.Name):
			return notPlanned(lang.F("%.100q is not the name of a variable", e.Name))
		case e.Scope != User && e.Scope != Machine:
			return notPlanned(lang.F("%s: the scope %.100q is neither user nor machine", e.Name, e.Scope))
		case e.Value == "" || !utf8.ValidString(e.Value) || strings.ContainsAny(e.Value, "\x00\r\n"):
			return notPlanned(lang.F("%s: the value is empty, not UTF-8, or has a line break or a zero byte", e.Name))
		case strings.Contains(e.Value, tag):
			return notPlanned(lang.F("%s: the value has the mark of deployctl's own lines", e.Name))
		case e.Prepend && strings.Contains(e.Value, separator(windows)):
			return notPlanned(lang.F("%s: the entry has the list's separator", e.Name))
		case !e.Prepend && sameName(e.Name, "PATH", windows):
			return notPlanned(lang.T("PATH is a list: entries are added to it, and it is never set"))
		}
		for _, other := range edits[:i] {
			if sameName(e.Name, other.Name, windows) && e.Scope == other.Scope && (!e.Prepend || !other.Prepend) {
				return notPlanned(lang.F("%s is set, and changed once more", e.Name))
			}
		}
	}
	return nil
}

func sameName(a, b string, windows bool) bool {
	return a == b || windows && strings.EqualFold(a, b)
}

// explain names what hinders the writing of a place.
func explain(place string, err error) error {
	err = store.Explain(place, err)
	var f *step.Failure
	if !errors.As(err, &f) {
		return err
	}
	out := *f
	switch {
	case f.Kind == step.DiskFull:
		out.Next = lang.T("free some disk space, then run deployctl again")
	case f.Kind == step.ReadOnly && errors.Is(f.Err, fs.ErrPermission) && place == profileD:
		out.Kind, out.Next = step.NoPrivilege, lang.T("run deployctl as root, or make it a setting of the user")
	case f.Kind == step.ReadOnly && errors.Is(f.Err, fs.ErrPermission) && place == systemKey:
		out.Kind, out.Next = step.NoPrivilege, lang.T("run deployctl from a terminal opened with \"Run as administrator\", or make it a setting of the user")
	case f.Kind == step.ReadOnly:
		out.Next = lang.T("make it writable, then run deployctl again")
	}
	return &out
}
