package envedit

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/step"
)

// newWorker works in an empty root with a home and /etc/profile.d.
func newWorker(t *testing.T, platform string, env ...string) Worker {
	t.Helper()
	w := Worker{
		Host:     hosttest.Parse(t, "-- platform --\n"+platform+"/amd64\n-- env --\nHOME=/home/u\nSHELL=/bin/bash\nPATH=/usr/bin\n"+strings.Join(env, "\n")+"\n"),
		Root:     t.TempDir(),
		Registry: &fakeRegistry{},
	}
	for _, dir := range []string{"home/u", "etc/profile.d"} {
		if err := os.MkdirAll(filepath.Join(w.Root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func entry(name, value, scope string) step.Env {
	return step.Env{Name: name, Value: value, Prepend: true, Scope: scope}
}

func setting(name, value, scope string) step.Env {
	return step.Env{Name: name, Value: value, Scope: scope}
}

func install(edits ...step.Env) step.Step {
	return step.Step{ID: "envedit.set", Mechanism: "envedit", Action: step.Install, Title: "Set", With: step.Edits(edits)}
}

// apply does what installers.Apply does: done, state, do, done, state. The
// result is what an undo of it would take.
func apply(t *testing.T, w Worker, s step.Step) ([]step.Take, error) {
	t.Helper()
	done, err := w.Done(t.Context(), s)
	if err != nil || done {
		return nil, err
	}
	before, err := w.State(t.Context(), s)
	if err != nil {
		return nil, err
	}
	doErr := w.Do(t.Context(), s, func(step.Progress) {})
	if done, err := w.Done(t.Context(), s); doErr == nil && (err != nil || !done) {
		t.Errorf("after doing it: done is %v, %v", done, err)
	}
	after, err := w.State(t.Context(), s)
	if err != nil {
		return nil, errors.Join(doErr, err)
	}
	var takes []step.Take
	for name, version := range after {
		if was := before[name]; was != version {
			takes = append(takes, step.Take{Name: name, Version: version, Was: was})
		}
	}
	return takes, doErr
}

func mustApply(t *testing.T, w Worker, edits ...step.Env) []step.Take {
	t.Helper()
	takes, err := apply(t, w, install(edits...))
	if err != nil {
		t.Fatalf("apply: %v", err)
	}
	return takes
}

// undo does what PlanUndo and Apply do.
func undo(t *testing.T, w Worker, takes []step.Take, edits ...step.Env) error {
	t.Helper()
	if len(takes) == 0 {
		return nil
	}
	s := step.Step{ID: "envedit.set.undo", Mechanism: "envedit", Action: step.Remove, With: step.Edits(edits), Take: takes}
	state, err := w.State(t.Context(), s)
	if err != nil {
		return err
	}
	var left []step.Take
	for _, take := range takes {
		now, there := state[take.Name]
		if there && now != take.Version {
			return changed(take.Name)
		}
		if there {
			left = append(left, take)
		}
	}
	if s.Take = left; len(left) == 0 {
		return nil
	}
	if err := w.Do(t.Context(), s, func(step.Progress) {}); err != nil {
		return err
	}
	if done, err := w.Done(t.Context(), s); err != nil || !done {
		t.Errorf("after the undo: done is %v, %v", done, err)
	}
	return nil
}

func write(t *testing.T, w Worker, name, content string) {
	t.Helper()
	if err := os.WriteFile(w.path(name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// content is a file's text, and "absent" where there is none.
func content(t *testing.T, w Worker, name string) string {
	t.Helper()
	data, err := os.ReadFile(w.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "absent"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func kind(err error) step.Kind {
	var f *step.Failure
	if errors.As(err, &f) {
		return f.Kind
	}
	return ""
}

func TestRefusesWhatWasNotPlanned(t *testing.T) {
	good := entry("PATH", "/x", User)
	for name, edits := range map[string][]step.Env{
		"none":             nil,
		"no name":          {setting("", "v", User)},
		"name with space":  {setting("A B", "v", User)},
		"name with =":      {setting("A=B", "v", User)},
		"name with digit":  {setting("1A", "v", User)},
		"name, injection":  {setting("A;id", "v", User)},
		"name, not ASCII":  {setting("Ä", "v", User)},
		"name, line break": {setting("A\n", "v", User)},
		"no scope":         {setting("A", "v", "")},
		"other scope":      {setting("A", "v", "world")},
		"empty":            {setting("A", "", User)},
		"line break":       {setting("A", "a\nb", User)},
		"carriage return":  {setting("A", "a\rb", User)},
		"zero byte":        {setting("A", "a\x00b", User)},
		"not UTF-8":        {setting("A", "a\xffb", User)},
		"the mark":         {setting("A", "a # deployctl: PATH+=/x", User)},
		"separator":        {entry("PATH", "/a:/b", User)},
		"PATH set":         {setting("PATH", "/a", User)},
		"set twice":        {setting("A", "a", User), setting("A", "b", User)},
		"set and list":     {entry("A", "a", User), setting("A", "b", User)},
		"second is bad":    {good, setting("A B", "v", User)},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorker(t, "linux")
			_, stateErr := w.State(t.Context(), install(edits...))
			_, doneErr := w.Done(t.Context(), install(edits...))
			doErr := w.Do(t.Context(), install(edits...), func(step.Progress) {})
			for _, err := range []error{stateErr, doneErr, doErr} {
				if err == nil || !strings.Contains(err.Error(), "deployctl did not plan this step") {
					t.Errorf("got %v", err)
				}
			}
			if content(t, w, "/home/u/.profile") != "absent" {
				t.Error("a file was made")
			}
		})
	}
	t.Run("windows", func(t *testing.T) {
		w := newWorker(t, "windows")
		for _, edits := range [][]step.Env{{entry("PATH", `C:\a;C:\b`, User)}, {setting("Path", `C:\a`, User)}, {setting("A", "1", User), setting("a", "2", User)}} {
			if _, err := w.State(t.Context(), install(edits...)); err == nil {
				t.Errorf("%v was taken", edits)
			}
		}
	})
	t.Run("removal", func(t *testing.T) {
		w := newWorker(t, "linux")
		for _, takes := range [][]step.Take{
			nil,
			{{Name: "PATH+=/y (/home/u/.profile)", Version: listed}},
			{{Name: "PATH+=/x (/etc/passwd)", Version: listed}},
			{{Name: "PATH+=/x (/home/u/../v/.profile)", Version: listed}},
			{{Name: "PATH+=/x (home/u/.profile)", Version: listed}},
			{{Name: "PATH+=/x (HKCU\\Other)", Version: listed}},
			{{Name: "PATH+=/x (/home/u/.profile)", Version: listed, Was: "something"}},
			{{Name: "/home/u/.profile", Version: listed}},
		} {
			s := step.Step{Action: step.Remove, With: step.Edits{good}, Take: takes}
			if err := w.Do(t.Context(), s, func(step.Progress) {}); err == nil || !strings.Contains(err.Error(), "deployctl did not plan this step") {
				t.Errorf("%v: %v", takes, err)
			}
		}
	})
}

// TestTakesTheLongestSubject: a value may look like the end of a name.
func TestTakesTheLongestSubject(t *testing.T) {
	w := newWorker(t, "linux")
	edits := []step.Env{entry("PATH", "/a", User), entry("PATH", "/a (/x", User)}
	takes := mustApply(t, w, edits...)
	if err := undo(t, w, takes, edits...); err != nil {
		t.Fatal(err)
	}
	if got := content(t, w, "/home/u/.profile"); got != "absent" {
		t.Errorf("left: %s", got)
	}
}

func TestPlaces(t *testing.T) {
	for name, c := range map[string]struct {
		platform, scope string
		env             []string
		files           []string
		want            string
	}{
		"linux machine":   {"linux", Machine, nil, nil, "/etc/profile.d/deployctl.sh"},
		"linux user":      {"linux", User, nil, nil, "/home/u/.profile"},
		"bash_profile":    {"linux", User, nil, []string{".bash_profile", ".bash_login"}, "/home/u/.profile /home/u/.bash_profile"},
		"bash_login":      {"linux", User, nil, []string{".bash_login"}, "/home/u/.profile /home/u/.bash_login"},
		"zsh":             {"linux", User, []string{"SHELL=/usr/bin/zsh"}, nil, "/home/u/.profile /home/u/.zprofile"},
		"zsh elsewhere":   {"linux", User, []string{"SHELL=/usr/bin/zsh", "ZDOTDIR=/home/u/z"}, nil, "/home/u/.profile /home/u/z/.zprofile"},
		"macOS":           {"darwin", User, []string{"SHELL="}, nil, "/home/u/.profile /home/u/.zprofile"},
		"windows user":    {"windows", User, nil, nil, userKey},
		"windows machine": {"windows", Machine, nil, nil, systemKey},
		"no such job":     {"linux", User, []string{"GITHUB_PATH=/no/such/file"}, nil, "/home/u/.profile"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorker(t, c.platform, c.env...)
			for _, f := range c.files {
				write(t, w, "/home/u/"+f, "")
			}
			got, err := w.places(entry("PATH", "/x", c.scope))
			if err != nil || strings.Join(got, " ") != c.want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	for _, w := range []Worker{newWorker(t, "darwin"), newWorker(t, "linux", "HOME=")} {
		scope := map[string]string{"darwin": Machine, "linux": User}[w.Host.OS]
		if _, err := w.State(t.Context(), install(entry("PATH", "/x", scope))); kind(err) != step.Other {
			t.Errorf("%s: %v", w.Host.OS, err)
		}
	}
}

// TestUndoAfterTheShellChanged: what is taken back is where it was put, not
// where it would be put today.
func TestUndoAfterTheShellChanged(t *testing.T) {
	w := newWorker(t, "linux", "SHELL=/bin/zsh")
	e := entry("PATH", "/opt/x", User)
	takes := mustApply(t, w, e)
	later := newWorker(t, "linux", "SHELL=/bin/bash", "HOME=/elsewhere")
	later.Root = w.Root
	if err := undo(t, later, takes, e); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"/home/u/.profile", "/home/u/.zprofile"} {
		if got := content(t, w, f); got != "absent" {
			t.Errorf("%s: %s", f, got)
		}
	}
}

func TestStopsWhenAsked(t *testing.T) {
	w := newWorker(t, "linux")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Do(ctx, install(entry("PATH", "/x", User)), func(step.Progress) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if content(t, w, "/home/u/.profile") != "absent" {
		t.Error("a file was made")
	}
}

func TestOverlay(t *testing.T) {
	unix := map[string]string{"PATH": "/usr/bin:/bin", "LIBS": ""}
	win := map[string]string{"Path": `C:\Windows;C:\Tools\`, "CUDA_PATH": `C:\CUDA`}
	getenv := func(windows bool) func(string) (string, bool) {
		return func(name string) (string, bool) {
			env := unix
			if windows {
				env = win
			}
			for k, v := range env {
				if sameName(k, name, windows) {
					return v, true
				}
			}
			return "", false
		}
	}
	for name, c := range map[string]struct {
		edits   []step.Env
		windows bool
		want    map[string]string
		effect  bool
	}{
		"set":             {[]step.Env{setting("X", "1", User)}, false, map[string]string{"X": "1"}, false},
		"first":           {[]step.Env{entry("PATH", "/opt", User)}, false, map[string]string{"PATH": "/opt:/usr/bin:/bin"}, false},
		"newest first":    {[]step.Env{entry("PATH", "/a", User), entry("PATH", "/b", User)}, false, map[string]string{"PATH": "/b:/a:/usr/bin:/bin"}, false},
		"there already":   {[]step.Env{entry("PATH", "/bin", User)}, false, map[string]string{"PATH": "/usr/bin:/bin"}, true},
		"part of another": {[]step.Env{entry("PATH", "/usr", User)}, false, map[string]string{"PATH": "/usr:/usr/bin:/bin"}, false},
		"empty list":      {[]step.Env{entry("LIBS", "/l", User)}, false, map[string]string{"LIBS": "/l"}, false},
		"new list":        {[]step.Env{entry("NEW", "/l", User)}, false, map[string]string{"NEW": "/l"}, false},
		"other case":      {[]step.Env{entry("path", "/l", User)}, false, map[string]string{"path": "/l"}, false},
		"two variables":   {[]step.Env{entry("PATH", "/bin", User), setting("X", "1", User)}, false, map[string]string{"PATH": "/usr/bin:/bin", "X": "1"}, false},
		"windows":         {[]step.Env{entry("PATH", `C:\x`, User), entry("Path", `c:\TOOLS`, User)}, true, map[string]string{"PATH": `C:\x;C:\Windows;C:\Tools\`}, false},
		"windows, there":  {[]step.Env{entry("PATH", `c:\tools`, User)}, true, map[string]string{"PATH": `C:\Windows;C:\Tools\`}, true},
		"windows, %":      {[]step.Env{entry("PATH", `%CUDA_PATH%\bin`, User), entry("PATH", `%NONE%\x`, User)}, true, map[string]string{"PATH": `%NONE%\x;C:\CUDA\bin;C:\Windows;C:\Tools\`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := Overlay(c.edits, c.windows, getenv(c.windows))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if InEffect(c.edits, c.windows, getenv(c.windows)) != c.effect {
				t.Errorf("in effect: want %v", c.effect)
			}
			after := func(name string) (string, bool) {
				for k, v := range got {
					if sameName(k, name, c.windows) {
						return v, true
					}
				}
				return getenv(c.windows)(name)
			}
			if !InEffect(c.edits, c.windows, after) {
				t.Error("not in effect in the new shell")
			}
		})
	}
}
