package envedit

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/step"
)

// job is a worker in a step of a job, whose two files hold these texts.
func job(t *testing.T, platform, env, path string, vars ...string) Worker {
	t.Helper()
	w := newWorker(t, platform, append(vars, "GITHUB_ENV=/home/u/env", "GITHUB_PATH=/home/u/path")...)
	write(t, w, "/home/u/env", env)
	write(t, w, "/home/u/path", path)
	return w
}

func TestGitHub(t *testing.T) {
	const cm = "CMAKE_PREFIX_PATH"
	for name, c := range map[string]struct {
		env, path         string
		vars              []string
		edits             []step.Env
		wantEnv, wantPath string
	}{
		"PATH":              {"", "", nil, []step.Env{entry("PATH", "/opt/x y", User), entry("PATH", "/opt/b", Machine)}, "", "/opt/x y\n/opt/b\n"},
		"PATH, more lines":  {"", "/a\n", nil, []step.Env{entry("PATH", "/opt/x", User)}, "", "/a\n/opt/x\n"},
		"PATH, not ended":   {"", "/a", nil, []step.Env{entry("PATH", "/opt/x", User)}, "", "/a\n/opt/x\n"},
		"PATH, in the file": {"", "/opt/x\n/a\n", nil, []step.Env{entry("PATH", "/opt/x", User)}, "", "/opt/x\n/a\n"},
		"PATH, in effect":   {"", "", nil, []step.Env{entry("PATH", "/usr/bin", User)}, "", ""},
		"set":               {"", "", nil, []step.Env{setting("X", "a=b <<c", User)}, "X=a=b <<c\n", ""},
		"set, more lines":   {"A=1\nX=0", "", nil, []step.Env{setting("X", "1", User)}, "A=1\nX=0\nX=1\n", ""},
		"set, in effect":    {"", "", []string{"X=1"}, []step.Env{setting("X", "1", User)}, "", ""},
		"set, overruled":    {"X=0\n", "", []string{"X=1"}, []step.Env{setting("X", "1", User)}, "X=0\nX=1\n", ""},
		"list":              {"", "", []string{cm + "=/a:/b"}, []step.Env{entry(cm, "/opt/x", User)}, cm + "=/opt/x:/a:/b\n", ""},
		"list, new":         {"", "", nil, []step.Env{entry(cm, "/opt/x", User)}, cm + "=/opt/x\n", ""},
		"list, file first":  {cm + "=/f\n", "", []string{cm + "=/a"}, []step.Env{entry(cm, "/opt/x", User)}, cm + "=/f\n" + cm + "=/opt/x:/f\n", ""},
		"list, two":         {"", "", []string{cm + "=/a"}, []step.Env{entry(cm, "/x", User), entry(cm, "/y", User)}, cm + "=/x:/a\n" + cm + "=/y:/x:/a\n", ""},
		"list, heredoc":     {cm + "<<E\n/f=1\n\nE\n", "", nil, []step.Env{setting("X", "1", User)}, cm + "<<E\n/f=1\n\nE\nX=1\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := job(t, "linux", c.env, c.path, c.vars...)
			takes := mustApply(t, w, c.edits...)
			if diff := cmp.Diff([2]string{c.wantEnv, c.wantPath}, [2]string{content(t, w, "/home/u/env"), content(t, w, "/home/u/path")}); diff != "" {
				t.Errorf("GITHUB_ENV and GITHUB_PATH (-want +got):\n%s", diff)
			}
			if again := mustApply(t, w, c.edits...); again != nil {
				t.Errorf("the second time changed %v", again)
			}
			if err := undo(t, w, takes, c.edits...); err != nil {
				t.Fatal(err)
			}
			// A line break that was missing may stay: it means nothing.
			env, path := content(t, w, "/home/u/env"), content(t, w, "/home/u/path")
			if strings.TrimSuffix(env, "\n") != strings.TrimSuffix(c.env, "\n") || strings.TrimSuffix(path, "\n") != strings.TrimSuffix(c.path, "\n") {
				t.Errorf("after undo: %q and %q", env, path)
			}
			if content(t, w, "/home/u/.profile") != "absent" || content(t, w, profileFile) != "absent" {
				t.Error("the lasting places were not undone")
			}
		})
	}
}

// TestGitHubHeredoc: a value with a line break cannot be had from a step, but a
// list may hold one already.
func TestGitHubHeredoc(t *testing.T) {
	w := job(t, "linux", "", "")
	was := "/a\nEOF\nEVIL=1"
	w.Host = host.Overlay(w.Host, map[string]string{"LISTS": was})
	e := entry("LISTS", "/opt/x", User)
	takes := mustApply(t, w, e)
	_, list, err := assignments(content(t, w, "/home/u/env"), false)
	if err != nil || len(list) != 1 || list[0].value != "/opt/x:"+was {
		t.Fatalf("got %+v, %v", list, err)
	}
	if one, two := command("X", "a\nb"), command("X", "a\nb"); one == two {
		t.Error("the delimiter can be guessed")
	}
	if err := undo(t, w, takes, e); err != nil || content(t, w, "/home/u/env") != "" {
		t.Errorf("undo: %v: %q", err, content(t, w, "/home/u/env"))
	}
}

func TestGitHubUndo(t *testing.T) {
	const cm = "CMAKE_PREFIX_PATH"
	t.Run("out of order", func(t *testing.T) {
		w := job(t, "linux", "", "", cm+"=/a")
		x, y := entry(cm, "/x", User), entry(cm, "/y", User)
		first, second := mustApply(t, w, x), mustApply(t, w, y)
		if err := undo(t, w, first, x); err != nil || content(t, w, "/home/u/env") != cm+"=/y:/a\n" {
			t.Errorf("first: %v: %q", err, content(t, w, "/home/u/env"))
		}
		if err := undo(t, w, second, y); err != nil || content(t, w, "/home/u/env") != "" {
			t.Errorf("second: %v: %q", err, content(t, w, "/home/u/env"))
		}
	})
	t.Run("changed since", func(t *testing.T) {
		w := job(t, "linux", "", "")
		x := setting("X", "1", User)
		takes := mustApply(t, w, x)
		write(t, w, "/home/u/env", "X=1\nX=2\n")
		if err := undo(t, w, takes, x); kind(err) != step.Changed {
			t.Errorf("got %v", err)
		}
	})
	t.Run("was in the file", func(t *testing.T) {
		w := job(t, "linux", "X=0\n", "")
		x := setting("X", "1", User)
		takes := mustApply(t, w, x)
		write(t, w, "/home/u/env", "X=1\n")
		if err := undo(t, w, takes, x); err != nil || content(t, w, "/home/u/env") != "X=0\n" {
			t.Errorf("%v: %q", err, content(t, w, "/home/u/env"))
		}
	})
	t.Run("the next step of the job", func(t *testing.T) {
		w := job(t, "linux", "", "")
		e := []step.Env{entry("PATH", "/opt/x", User), setting("X", "1", User)}
		takes := mustApply(t, w, e...)
		next := job(t, "linux", "", "", "PATH=/opt/x:/usr/bin", "X=1")
		next.Root = w.Root
		write(t, next, "/home/u/env", "")
		write(t, next, "/home/u/path", "")
		if again := mustApply(t, next, e...); again != nil {
			t.Errorf("the second step changed %v", again)
		}
		if err := undo(t, next, takes, e...); err != nil || content(t, next, "/home/u/.profile") != "absent" {
			t.Errorf("undo: %v", err)
		}
	})
	t.Run("after the job", func(t *testing.T) {
		w := job(t, "linux", "", "")
		e := entry("PATH", "/opt/x", User)
		takes := mustApply(t, w, e)
		later := newWorker(t, "linux")
		later.Root = w.Root
		if err := undo(t, later, takes, e); err != nil || content(t, w, "/home/u/path") != "/opt/x\n" {
			t.Errorf("undo: %v", err)
		}
	})
}

func TestGitHubOnWindows(t *testing.T) {
	w := job(t, "windows", "CMAKE_PREFIX_PATH=C:\\a\r\n", "c:\\X\\\r\n", "CUDA_PATH=C:\\CUDA")
	r := &fakeRegistry{}
	w.Registry = r
	e := []step.Env{entry("Path", `C:\x`, User), entry("Path", `%CUDA_PATH%\bin`, User), entry("CMAKE_PREFIX_PATH", `C:\y`, User)}
	takes := mustApply(t, w, e...)
	if got := content(t, w, "/home/u/env"); got != "CMAKE_PREFIX_PATH=C:\\a\r\nCMAKE_PREFIX_PATH=C:\\y;C:\\a\n" {
		t.Errorf("GITHUB_ENV: %q", got)
	}
	if got := content(t, w, "/home/u/path"); got != "c:\\X\\\r\nC:\\CUDA\\bin\n" {
		t.Errorf("GITHUB_PATH: %q", got)
	}
	if len(r.values) != 2 {
		t.Errorf("registry: %v", r.values)
	}
	if err := undo(t, w, takes, e...); err != nil || content(t, w, "/home/u/path") != "c:\\X\\\r\n" || content(t, w, "/home/u/env") != "CMAKE_PREFIX_PATH=C:\\a\r\n" || len(r.values) != 0 {
		t.Errorf("undo: %v: %q, %q, %v", err, content(t, w, "/home/u/path"), content(t, w, "/home/u/env"), r.values)
	}
}

func TestGitHubBrokenFile(t *testing.T) {
	for _, text := range []string{"no sign\n", "X<<E\nvalue\n", "<<E\nE\n", "X<<\n\n"} {
		w := job(t, "linux", text, "")
		if _, err := apply(t, w, install(setting("X", "1", User))); err == nil || !strings.HasPrefix(err.Error(), "GITHUB_ENV: ") {
			t.Errorf("%q: %v", text, err)
		}
		if content(t, w, "/home/u/.profile") != "absent" {
			t.Error("begun, though it cannot be finished")
		}
	}
}

func FuzzAssignments(f *testing.F) {
	f.Add("A=1\nB<<E\nx\nE\n", "C", "v\nw")
	f.Add("A=1", "A", "=<<")
	f.Fuzz(func(t *testing.T, text, name, val string) {
		if !variable.MatchString(name) || strings.ContainsAny(val, "\r\x00") {
			return
		}
		for _, windows := range []bool{false, true} {
			lines, before, err := assignments(text, windows)
			if strings.Join(lines, "") != text && err == nil {
				t.Fatalf("%q became %q", text, lines)
			}
			if err != nil || text != "" && !strings.HasSuffix(text, "\n") {
				continue
			}
			_, after, err := assignments(text+command(name, val), windows)
			if err != nil || len(after) != len(before)+1 || after[len(before)].name != name || after[len(before)].value != val {
				t.Fatalf("%q and %s=%q: %+v, %v", text, name, val, after, err)
			}
		}
	})
}

func TestGitHubFileCannotBeWritten(t *testing.T) {
	if os.Geteuid() <= 0 {
		t.Skip("root may write, and Windows has other rights")
	}
	w := job(t, "linux", "", "")
	if err := os.Chmod(w.path("/home/u/env"), 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := apply(t, w, install(setting("X", "1", User))); kind(err) != step.ReadOnly {
		t.Errorf("got %v", err)
	}
}
