package envedit

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/installers/step"
)

// fakeRegistry holds values by key and upper-case name.
type fakeRegistry struct {
	values    map[string]Value
	err       error // of every write
	announced int
}

func id(key, name string) string { return key + `\` + strings.ToUpper(name) }

func (r *fakeRegistry) Get(key, name string) (Value, error) {
	v, ok := r.values[id(key, name)]
	if !ok {
		return Value{}, fmt.Errorf("read %s: %w", name, fs.ErrNotExist)
	}
	return v, nil
}

func (r *fakeRegistry) Set(key, name string, v Value) error {
	if r.err != nil {
		return r.err
	}
	if r.values == nil {
		r.values = map[string]Value{}
	}
	r.values[id(key, name)] = v
	return nil
}

func (r *fakeRegistry) Delete(key, name string) error {
	if r.err != nil {
		return r.err
	}
	delete(r.values, id(key, name))
	return nil
}

func (r *fakeRegistry) Announce() { r.announced++ }

func TestRegistry(t *testing.T) {
	const path = userKey + `\PATH`
	for name, c := range map[string]struct {
		before map[string]Value
		edits  []step.Env
		want   map[string]Value
		left   map[string]Value // after undo; nil: as before
	}{
		"first in Path": {
			map[string]Value{path: {`C:\a;;%X%\b;`, true}}, []step.Env{entry("PATH", `C:\x y`, User)},
			map[string]Value{path: {`C:\x y;C:\a;;%X%\b;`, true}}, nil},
		"type stays REG_SZ": {
			map[string]Value{path: {`C:\a`, false}}, []step.Env{entry("Path", `%X%\b`, User)},
			map[string]Value{path: {`%X%\b;C:\a`, false}}, nil},
		"new": {
			nil, []step.Env{entry("PATH", `C:\x`, User)},
			map[string]Value{path: {`C:\x`, false}}, map[string]Value{}},
		"new with %": {
			nil, []step.Env{entry("PATH", `%X%\b`, User)},
			map[string]Value{path: {`%X%\b`, true}}, map[string]Value{}},
		"two": {
			map[string]Value{path: {`C:\a`, true}}, []step.Env{entry("PATH", `C:\x`, User), entry("PATH", `C:\y`, User)},
			map[string]Value{path: {`C:\y;C:\x;C:\a`, true}}, nil},
		"there in another spelling": {
			map[string]Value{path: {`C:\a;c:\X\`, true}}, []step.Env{entry("PATH", `C:\x`, User)},
			map[string]Value{path: {`C:\a;c:\X\`, true}}, nil},
		"there in quotes": {
			map[string]Value{path: {`"c:\X"`, true}}, []step.Env{entry("PATH", `C:\x`, User)},
			map[string]Value{path: {`"c:\X"`, true}}, nil},
		"set": {
			nil, []step.Env{setting("X_DIR", "50% of ü", Machine)},
			map[string]Value{systemKey + `\X_DIR`: {"50% of ü", false}}, map[string]Value{}},
		"set again": {
			map[string]Value{systemKey + `\X_DIR`: {`%A%`, true}}, []step.Env{setting("x_dir", `C:\x`, Machine)},
			map[string]Value{systemKey + `\X_DIR`: {`C:\x`, true}}, nil},
		"machine list": {
			map[string]Value{systemKey + `\INCLUDE`: {`C:\a`, false}}, []step.Env{entry("INCLUDE", `C:\x`, Machine)},
			map[string]Value{systemKey + `\INCLUDE`: {`C:\x;C:\a`, false}}, nil},
		"user's Path beside the machine's": {
			map[string]Value{systemKey + `\PATH`: {`C:\a`, true}}, []step.Env{entry("Path", `C:\x`, User)},
			map[string]Value{systemKey + `\PATH`: {`C:\a`, true}, path: {`C:\x`, false}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorker(t, "windows")
			r := &fakeRegistry{values: map[string]Value{}}
			w.Registry = r
			for k, v := range c.before {
				r.values[k] = v
			}
			takes := mustApply(t, w, c.edits...)
			if diff := cmp.Diff(c.want, r.values); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			if changed := len(takes) > 0; changed != (r.announced == 1) {
				t.Errorf("announced %d times, %d changes", r.announced, len(takes))
			}
			if again := mustApply(t, w, c.edits...); len(again) != 0 {
				t.Errorf("the second time changed %v", again)
			}
			if err := undo(t, w, takes, c.edits...); err != nil {
				t.Fatal(err)
			}
			left := c.left
			if left == nil {
				left = c.before
			}
			if diff := cmp.Diff(left, r.values); diff != "" {
				t.Errorf("after undo (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRegistryUndo(t *testing.T) {
	w := newWorker(t, "windows")
	r := &fakeRegistry{values: map[string]Value{id(userKey, "Path"): {`C:\old`, true}}}
	w.Registry = r
	path := func() string { return r.values[id(userKey, "Path")].Text }
	x, y := entry("PATH", `C:\x`, User), entry("PATH", `C:\y`, User)
	first, second := mustApply(t, w, x), mustApply(t, w, y)

	if err := undo(t, w, first, x); err != nil || path() != `C:\y;C:\old` {
		t.Errorf("out of order: %s, %v", path(), err)
	}
	r.values[id(userKey, "Path")] = Value{`C:\new;` + path(), true} // an installer came
	if err := undo(t, w, second, y); err != nil || path() != `C:\new;C:\old` {
		t.Errorf("after somebody else's entry: %s, %v", path(), err)
	}

	d := setting("X_DIR", "1", User)
	takes := mustApply(t, w, d)
	r.values[id(userKey, "X_DIR")] = Value{"2", false}
	if err := undo(t, w, takes, d); kind(err) != step.Changed {
		t.Errorf("changed since: %v", err)
	}
	// Also when it is changed between plan and apply.
	s := step.Step{Action: step.Remove, With: step.Edits{d}, Take: takes}
	if err := w.Do(t.Context(), s, func(step.Progress) {}); kind(err) != step.Changed || r.values[id(userKey, "X_DIR")].Text != "2" {
		t.Errorf("changed since: %v", err)
	}
}

func TestRegistryRefuses(t *testing.T) {
	w := newWorker(t, "windows")
	r := &fakeRegistry{values: map[string]Value{
		id(userKey, "Path"):    {strings.Repeat("ü", maxVariable-4), true},
		id(systemKey, "Lists"): {`C:\a`, false},
	}}
	w.Registry = r
	if _, err := apply(t, w, install(entry("PATH", `C:\`, User))); err != nil {
		t.Errorf("exactly the limit: %v", err)
	}
	if _, err := apply(t, w, install(entry("PATH", `D`, User))); err == nil || !strings.Contains(err.Error(), "32767") {
		t.Errorf("above the limit: %v", err)
	}
	if _, err := apply(t, w, install(setting("ASTRAL", strings.Repeat("😀", maxVariable/2+1), User))); err == nil {
		t.Error("a character outside the BMP counts twice")
	}
	if _, err := apply(t, w, install(entry("LISTS", `C:\x`, User))); kind(err) != step.Conflict {
		t.Errorf("hides the machine's: %v", err)
	}
	r.err = fmt.Errorf("write: %w", fs.ErrPermission)
	for scope, want := range map[string]step.Kind{Machine: step.NoPrivilege, User: step.ReadOnly} {
		if _, err := apply(t, w, install(setting("Z", "1", scope))); kind(err) != want {
			t.Errorf("%s, no right to write: %v", scope, err)
		}
	}
	r.err = errors.New("broken")
	if _, err := apply(t, w, install(setting("Z", "1", User))); err == nil || kind(err) != "" {
		t.Errorf("got %v", err)
	}
}
