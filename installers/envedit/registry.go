package envedit

import (
	"errors"
	"io/fs"
	"strings"
	"unicode/utf16"

	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Registry is the little of Windows' registry that environment variables need.
// Keys begin with HKCU\ or HKLM\; names know no case.
type Registry interface {
	// Get reads a value. One that is not there is fs.ErrNotExist.
	Get(key, name string) (Value, error)
	// Set writes a value, and makes the key where it is missing.
	Set(key, name string, v Value) error
	Delete(key, name string) error
	// Announce tells running programs that the environment has changed. Nothing
	// depends on whether they listen.
	Announce()
}

// Value is a text in the registry. Expand: it is a REG_EXPAND_SZ, and %NAME% in
// it stands for a variable.
type Value struct {
	Text   string
	Expand bool
}

// maxVariable is Windows' limit, in UTF-16 units ("The maximum size of a
// user-defined environment variable is 32,767 characters", Microsoft,
// Environment Variables).
const maxVariable = 32767

// value is a registry key as a place.
type value struct {
	registry Registry
	key      string
}

func (v value) get(e step.Env) (string, bool, error) {
	now, err := v.registry.Get(v.key, e.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", false, nil
	case err != nil:
		return "", false, explain(v.key, err)
	case !e.Prepend:
		return now.Text, true, nil
	case has(now.Text, e.Value, true):
		return listed, true, nil
	}
	return "", false, nil
}

func (v value) met(e step.Env) (bool, error) {
	version, _, err := v.get(e)
	return version == wanted(e), err
}

func (v value) put(e step.Env) error {
	now, err := v.registry.Get(v.key, e.Name)
	absent := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !absent:
		return explain(v.key, err)
	case !e.Prepend:
		now.Text = e.Value
	case has(now.Text, e.Value, true):
		return nil
	default:
		if absent {
			if err := v.hides(e.Name); err != nil {
				return err
			}
		}
		now = Value{Text: prepend(now.Text, e.Value, true), Expand: now.Expand || absent && strings.Contains(e.Value, "%")}
	}
	return v.set(e.Name, now)
}

// drop leaves a value's type as it is. An empty list goes: to Windows an empty
// variable is none.
func (v value) drop(e step.Env, was string) error {
	now, err := v.registry.Get(v.key, e.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return explain(v.key, err)
	}
	if e.Prepend {
		was = without(now.Text, e.Value, true)
	}
	if was == "" {
		return explain(v.key, v.registry.Delete(v.key, e.Name))
	}
	now.Text = was
	return v.set(e.Name, now)
}

func (v value) set(name string, to Value) error {
	if n := len(utf16.Encode([]rune(to.Text))); n > maxVariable {
		return &step.Failure{Kind: step.Other, Cause: lang.F("%s would have %d characters, and Windows allows %d", name, n, maxVariable),
			Next: lang.F("remove entries that are not needed from %s, then run deployctl again", v.key)}
	}
	return explain(v.key, v.registry.Set(v.key, name, to))
}

// hides refuses to make a user's list where the machine has one of that name.
// Windows joins the two for Path only; any other list of the user's would hide
// the machine's.
func (v value) hides(name string) error {
	if v.key != userKey || sameName(name, "PATH", true) {
		return nil
	}
	_, err := v.registry.Get(systemKey, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return explain(systemKey, err)
	}
	return &step.Failure{Kind: step.Conflict, Cause: lang.F("%s is set for the whole machine, and one of the user's would hide it", name),
		Next: lang.F("make it a setting of the machine, or copy the machine's %s to the user's environment first", name)}
}
