package envedit

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/installers/step"
)

// awkward are values that mean something to a shell.
var awkward = []string{
	"/opt/x/bin", "/opt/with space/b  in", `/opt/it's`, `'`, `''`, `/opt/"q"`, "/opt/$HOME/${PATH}", "/opt/`id`/$(id)",
	`/opt/back\slash\`, `\`, "/opt/*?[a]", "/opt/;id&|<>", "~/x", "/opt/#x # y", "/opt/ü/日本/😀", "/opt/\ttab", "-n", "!x", "%s", "a=b", "x ", "x)", "x;;", "/opt/é", "/opt/\x1b[31m",
}

const profileFile = "/etc/profile.d/deployctl.sh"

func shells(t *testing.T) [][]string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("a test with real shells")
	}
	var out [][]string
	for _, argv := range [][]string{{"sh"}, {"sh", "-eu"}, {"bash"}, {"bash", "--posix", "-u"}, {"dash"}, {"zsh"}, {"ksh"}, {"mksh"}, {"busybox", "ash"}, {"yash"}} {
		if path, err := exec.LookPath(argv[0]); err == nil {
			out = append(out, append([]string{path}, argv[1:]...))
		}
	}
	if len(out) == 0 {
		t.Skip("no shell here")
	}
	return out
}

// source reads the file in a shell so many times, and gives the variable as a
// program sees it that the shell starts.
func source(t *testing.T, shell []string, file, name string, times int, env ...string) string {
	t.Helper()
	printenv, err := exec.LookPath("printenv")
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(shell[0], append(shell[1:], "-c", strings.Repeat(". "+quote(file)+"; ", times)+quote(printenv)+" "+name)...)
	cmd.Env = append(env, "LC_ALL=C.UTF-8") // yash reads no other text in the locale C
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v: %v: %s", shell, err, out)
	}
	return strings.TrimSuffix(string(out), "\n")
}

func TestShellsReadWhatWasWritten(t *testing.T) {
	for _, shell := range shells(t) {
		t.Run(strings.Join(shell, " "), func(t *testing.T) {
			w := newWorker(t, "linux")
			var edits []step.Env
			want := ""
			for i, v := range awkward {
				edits = append(edits, setting("DEPLOYCTL_"+string(rune('A'+i)), v, Machine), entry("DEPLOYCTL_LIST", v, Machine))
				want = prepend(want, v, false)
			}
			takes := mustApply(t, w, edits...)
			file := w.path(profileFile)
			for i, v := range awkward {
				if got := source(t, shell, file, "DEPLOYCTL_"+string(rune('A'+i)), 1); got != v {
					t.Errorf("%q was read as %q", v, got)
				}
			}
			for times := 1; times <= 2; times++ {
				if got := source(t, shell, file, "DEPLOYCTL_LIST", times); got != want {
					t.Errorf("read %d times: %q, want %q", times, got, want)
				}
				if got := source(t, shell, file, "DEPLOYCTL_LIST", times, "DEPLOYCTL_LIST=/was:"); got != want+":/was:" {
					t.Errorf("with a value before, read %d times: %q", times, got)
				}
				if got := source(t, shell, file, "DEPLOYCTL_LIST", times, "DEPLOYCTL_LIST="); got != want {
					t.Errorf("with an empty value before, read %d times: %q", times, got)
				}
			}
			if again := mustApply(t, w, edits...); again != nil {
				t.Errorf("the second time changed %v", again)
			}
			if err := undo(t, w, takes, edits...); err != nil {
				t.Fatal(err)
			}
			if got := content(t, w, profileFile); got != "absent" {
				t.Errorf("left: %s", got)
			}
		})
	}
}

// TestLoginShell reads ~/.profile in a real login shell.
func TestLoginShell(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a test with real shells")
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	for _, also := range []string{"", ".bash_profile", ".bash_login"} {
		w := newWorker(t, "linux")
		write(t, w, "/home/u/.profile", "PROFILE=read")
		if also != "" {
			write(t, w, "/home/u/"+also, ". ~/.profile\n")
		}
		mustApply(t, w, entry("PATH", `/opt/it's "x"`, User), setting("X_DIR", "/opt/ü $HOME", User))
		cmd := exec.Command(bash, "-lc", `echo "$PROFILE,$PATH,$X_DIR"`)
		cmd.Env = []string{"HOME=" + w.path("/home/u")}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), `read,/opt/it's "x":`) || !strings.HasSuffix(string(out), ",/opt/ü $HOME\n") || strings.Count(string(out), "/opt/it") != 1 {
			t.Errorf("%q: %v: %s", also, err, out)
		}
	}
}

func TestMachineFile(t *testing.T) {
	w := newWorker(t, "linux")
	x, y, d := entry("PATH", "/opt/x", Machine), entry("PATH", "/opt/y", Machine), setting("X_DIR", "/opt/x", Machine)
	takesX := mustApply(t, w, x, d)
	if info, err := os.Stat(w.path(profileFile)); err != nil || runtime.GOOS != "windows" && info.Mode() != 0o644 {
		t.Errorf("mode: %v, %v", info.Mode(), err)
	}
	if takesX[0].Name != "PATH+=/opt/x (/etc/profile.d/deployctl.sh)" && takesX[1].Name != "PATH+=/opt/x (/etc/profile.d/deployctl.sh)" {
		t.Errorf("named %v", takesX)
	}
	takesY := mustApply(t, w, y)
	head := strings.Join(header, "\n") + "\n"
	want := head + render(x) + "\n" + render(d) + "\n" + render(y) + "\n"
	if got := content(t, w, profileFile); got != want {
		t.Errorf("got:\n%s", got)
	}
	// Out of order, with a line that somebody added.
	write(t, w, profileFile, want+"ulimit -c 0")
	if err := undo(t, w, takesX, x, d); err != nil {
		t.Fatal(err)
	}
	if got := content(t, w, profileFile); got != head+render(y)+"\nulimit -c 0\n" {
		t.Errorf("got:\n%s", got)
	}
	if err := undo(t, w, takesY, y); err != nil {
		t.Fatal(err)
	}
	if got := content(t, w, profileFile); got != head+"ulimit -c 0\n" {
		t.Errorf("somebody else's line: got:\n%s", got)
	}
	if err := undo(t, w, takesY, y); err != nil {
		t.Errorf("a second undo: %v", err)
	}
}

func TestSetAgain(t *testing.T) {
	w := newWorker(t, "linux")
	one, two := setting("X", "1", Machine), setting("X", "2", Machine)
	first, second := mustApply(t, w, one), mustApply(t, w, two)
	if err := undo(t, w, first, one); kind(err) != step.Changed {
		t.Errorf("out of order: %v", err)
	}
	if second[0].Was != "1" {
		t.Errorf("was %v", second)
	}
	if err := undo(t, w, second, two); err != nil || !strings.Contains(content(t, w, profileFile), render(one)) {
		t.Errorf("what was before: %v: %s", err, content(t, w, profileFile))
	}
	if err := undo(t, w, first, one); err != nil || content(t, w, profileFile) != "absent" {
		t.Errorf("in order: %v", err)
	}
}

func TestChangedByHand(t *testing.T) {
	for name, c := range map[string]struct {
		edit     step.Env
		from, to string // a replacement in the file
		gone     bool   // nothing of the edit is left
	}{
		"command":                 {entry("PATH", "/opt/x", User), `*:'/opt/x':*) ;; *) `, `*) `, false},
		"folder in the command":   {entry("PATH", "/opt/x", User), `export PATH='/opt/x'`, `export PATH='/opt/y'`, false},
		"about":                   {entry("PATH", "/opt/x", User), "PATH+=/opt/x", "PATH+=/opt/x (mine)", false},
		"commented out":           {entry("PATH", "/opt/x", User), "case ", "# case ", false},
		"value":                   {setting("X", "1", User), "export X='1' # deployctl: X=1", "export X='2' # deployctl: X=2", false},
		"value, in one place":     {setting("X", "1", User), "export X='1'", "export X='2'", false},
		"line removed":            {setting("X", "1", User), render(setting("X", "1", User)) + "\n", "", true},
		"our line became theirs":  {setting("X", "1", User), " # deployctl: X=1", "", true},
		"another folder entirely": {entry("PATH", "/opt/x", User), "/opt/x", "/opt/z", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorker(t, "linux")
			takes := mustApply(t, w, c.edit)
			was := content(t, w, "/home/u/.profile")
			now := strings.ReplaceAll(was, c.from, c.to)
			if now == was {
				t.Fatal("nothing replaced")
			}
			write(t, w, "/home/u/.profile", now)
			err := undo(t, w, takes, c.edit)
			if c.gone && err != nil || !c.gone && kind(err) != step.Changed {
				t.Errorf("undo: %v", err)
			}
			if got := content(t, w, "/home/u/.profile"); got != now {
				t.Errorf("the file was changed:\n%s", got)
			}
			// Nor does a new run write over it.
			if _, err := apply(t, w, install(c.edit)); !c.gone && !strings.HasPrefix(name, "value") && kind(err) != step.Changed {
				t.Errorf("apply: %v", err)
			}
		})
	}
	t.Run("a value of ours is set again", func(t *testing.T) {
		w := newWorker(t, "linux")
		mustApply(t, w, setting("X", "1", User))
		write(t, w, "/home/u/.profile", strings.ReplaceAll(content(t, w, "/home/u/.profile"), "export X='1'", "export X='2'"))
		if _, err := apply(t, w, install(setting("X", "3", User))); kind(err) != step.Changed {
			t.Errorf("got %v", err)
		}
	})
}

func TestProfileIsKept(t *testing.T) {
	e := []step.Env{entry("PATH", "/opt/x", User), setting("X", "ü", User)}
	for name, before := range map[string]string{
		"absent":            "absent",
		"empty":             "",
		"lines":             "# mine\nexport A=b\n",
		"no final newline":  "# mine\nexport A=b",
		"CRLF":              "# mine\r\nexport A=b\r\n",
		"CRLF, no final":    "# mine\r\nexport A=b",
		"blank lines":       "\n\n\n",
		"Latin-1 and zeros": "# caf\xe9\x00\nA=1\n",
		"marks in text":     "echo '# >>> deployctl >>>'\n # <<< deployctl <<<\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorker(t, "linux")
			if before != "absent" {
				write(t, w, "/home/u/.profile", before)
				if err := os.Chmod(w.path("/home/u/.profile"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			takes := mustApply(t, w, e...)
			got := content(t, w, "/home/u/.profile")
			if before != "absent" && !strings.HasPrefix(got, before) {
				t.Errorf("lines of the user's changed:\n%q", got)
			}
			if strings.Count(got, "\n"+startMark+"\n")+strings.Count(got, "\n"+endMark+"\n") != 2 && !strings.HasPrefix(got, startMark) || !strings.HasSuffix(got, endMark+"\n") {
				t.Errorf("no block at the end:\n%s", got)
			}
			if before != "absent" && runtime.GOOS != "windows" {
				if info, err := os.Stat(w.path("/home/u/.profile")); err != nil || info.Mode() != 0o600 {
					t.Errorf("mode %v, %v", info.Mode(), err)
				}
			}
			// One at a time, so that the block is written again in between.
			for _, take := range takes {
				if err := undo(t, w, []step.Take{take}, e...); err != nil {
					t.Fatal(err)
				}
			}
			if got := content(t, w, "/home/u/.profile"); got != before {
				t.Errorf("after undo: %q, want %q", got, before)
			}
		})
	}
}

func TestLinesAroundTheBlock(t *testing.T) {
	w := newWorker(t, "linux")
	e, d := entry("PATH", "/opt/x", User), setting("X", "1", User)
	write(t, w, "/home/u/.profile", "first")
	takes := mustApply(t, w, e)
	more := mustApply(t, w, d)
	// An editor made the line ends Windows', and somebody added lines after the
	// block and in it.
	text := strings.Replace(content(t, w, "/home/u/.profile"), endMark, "umask 022\n"+endMark, 1) + "last"
	write(t, w, "/home/u/.profile", strings.ReplaceAll(text, "\n", "\r\n"))
	if again := mustApply(t, w, e, d); again != nil {
		t.Errorf("not found again: %v", again)
	}
	if err := undo(t, w, takes, e); err != nil {
		t.Fatal(err)
	}
	if err := undo(t, w, more, d); err != nil {
		t.Fatal(err)
	}
	want := "first\r\n" + startMark + "\n" + strings.Join(append(header, endedNote), "\n") + "\numask 022\r\n" + endMark + "\nlast"
	if got := content(t, w, "/home/u/.profile"); got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

func TestCopiedLine(t *testing.T) {
	w := newWorker(t, "linux")
	e := entry("PATH", "/opt/x", Machine)
	takes := mustApply(t, w, e)
	write(t, w, profileFile, content(t, w, profileFile)+render(e)+"\n")
	if err := undo(t, w, takes, e); err != nil || content(t, w, profileFile) != "absent" {
		t.Errorf("%v: %s", err, content(t, w, profileFile))
	}
}

func TestBrokenBlock(t *testing.T) {
	for name, text := range map[string]string{
		"no end":     startMark + "\nexport A=1\n",
		"no start":   "export A=1\n" + endMark + "\n",
		"two":        startMark + "\n" + endMark + "\n" + startMark + "\n" + endMark + "\n",
		"within":     startMark + "\n" + startMark + "\n" + endMark + "\n",
		"two ends":   startMark + "\n" + endMark + "\n" + endMark + "\n",
		"end, start": endMark + "\n" + startMark + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorker(t, "linux")
			write(t, w, "/home/u/.profile", text)
			if _, err := apply(t, w, install(entry("PATH", "/opt/x", User))); kind(err) != step.Changed {
				t.Errorf("got %v", err)
			}
			if content(t, w, "/home/u/.profile") != text {
				t.Error("the file was changed")
			}
		})
	}
}

func TestLinkedProfile(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("profiles are not Windows'")
	}
	w := newWorker(t, "linux")
	if err := os.Mkdir(w.path("/home/u/dotfiles"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, w, "/home/u/dotfiles/profile", "A=1\n")
	link := w.path("/home/u/.profile")
	if err := os.Symlink("dotfiles/profile", link); err != nil {
		t.Fatal(err)
	}
	e := entry("PATH", "/opt/x", User)
	takes := mustApply(t, w, e)
	if to, err := os.Readlink(link); err != nil || to != "dotfiles/profile" {
		t.Errorf("link: %q, %v", to, err)
	}
	if got := content(t, w, "/home/u/dotfiles/profile"); !strings.Contains(got, render(e)) {
		t.Errorf("target: %s", got)
	}
	if err := undo(t, w, takes, e); err != nil || content(t, w, "/home/u/dotfiles/profile") != "A=1\n" {
		t.Errorf("undo: %v", err)
	}

	// deployctl made it, then it moved into the dotfiles: it is theirs now.
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	takes = mustApply(t, w, e)
	if err := errors.Join(os.Rename(link, w.path("/home/u/dotfiles/profile")), os.Symlink("dotfiles/profile", link)); err != nil {
		t.Fatal(err)
	}
	if err := undo(t, w, takes, e); err != nil || content(t, w, "/home/u/dotfiles/profile") != "" {
		t.Errorf("undo: %v", err)
	}

	if err := os.Remove(w.path("/home/u/dotfiles/profile")); err != nil {
		t.Fatal(err)
	}
	if _, err := apply(t, w, install(e)); err == nil || !strings.Contains(err.Error(), "is a link to a file that is not there") {
		t.Errorf("dangling: %v", err)
	}
	if err := errors.Join(os.Remove(link), os.Symlink(".profile", link)); err != nil {
		t.Fatal(err)
	}
	if _, err := apply(t, w, install(e)); err == nil {
		t.Error("a link to itself was followed")
	}
}

func TestFileErrors(t *testing.T) {
	e := entry("PATH", "/opt/x", Machine)
	t.Run("no folder", func(t *testing.T) {
		w := newWorker(t, "linux")
		if err := os.Remove(w.path("/etc/profile.d")); err != nil {
			t.Fatal(err)
		}
		if _, err := apply(t, w, install(e)); err == nil || !strings.Contains(err.Error(), "/etc/profile.d is not there") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a folder of the name", func(t *testing.T) {
		w := newWorker(t, "linux")
		if err := os.Mkdir(w.path(profileFile), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := apply(t, w, install(e)); kind(err) != step.Other {
			t.Errorf("got %v", err)
		}
	})
	t.Run("too large", func(t *testing.T) {
		w := newWorker(t, "linux")
		write(t, w, profileFile, "")
		if err := os.Truncate(w.path(profileFile), maxFile+1); err != nil {
			t.Fatal(err)
		}
		if _, err := apply(t, w, install(e)); kind(err) != step.Other {
			t.Errorf("got %v", err)
		}
	})
	t.Run("what a kill left", func(t *testing.T) {
		w := newWorker(t, "linux")
		partial := filepath.Join(w.path("/etc/profile.d"), ".deployctl.sh.deployctl-partial")
		left := func() {
			t.Helper()
			if err := os.WriteFile(partial, []byte("half"), 0o400); err != nil {
				t.Fatal(err)
			}
		}
		left()
		takes := mustApply(t, w, e)
		if _, err := os.Lstat(partial); err == nil {
			t.Error("still there")
		}
		left()
		if err := undo(t, w, takes, e); err != nil {
			t.Fatal(err)
		}
		if names, err := filepath.Glob(w.path("/etc/profile.d/.*")); err != nil || len(names) > 0 {
			t.Errorf("left %v, %v", names, err)
		}
	})
}

// FuzzBlock: whatever a profile holds, its own lines stay as they are, and undo
// gives the whole file back.
func FuzzBlock(f *testing.F) {
	f.Add("# mine\nexport A=b\n", "/opt/x", "1")
	f.Add("a", "/opt/it's", `\`)
	f.Add("a\r\n"+startMark+"\r\nx\r\n"+endMark, "/opt/x", "v")
	f.Add("a\n"+startMark+"\n"+render(setting("X", "1", User))+"\n"+endMark+"\nb", " ", "#")
	f.Add(startMark+"\n"+madeNote+"\n"+endedNote+"\n\n"+endMark+"\n", "x", "y")
	f.Fuzz(func(t *testing.T, text, folder, val string) {
		edits := []step.Env{entry("PATH", folder, User), setting("X", val, User)}
		if check(edits, false) != nil {
			return
		}
		s, err := parse(text, false)
		if err != nil {
			return
		}
		before, after := s.before, s.after
		if !s.block && before+after != text {
			t.Fatalf("no block, but %q became %q and %q", text, before, after)
		}
		if !strings.HasPrefix(text, before) || !strings.HasSuffix(text, after) {
			t.Fatalf("%q became %q and %q", text, before, after)
		}
		for _, e := range edits {
			at, _ := s.find(e)
			if at >= 0 {
				return // it is there, or was changed by hand
			}
		}
		had := s.block
		plain := s.String()
		for _, e := range edits {
			s.begin(false)
			s.lines = append(s.lines, render(e))
			out := s.String()
			if s, err = parse(out, false); err != nil {
				t.Fatalf("%q cannot be read: %v", out, err)
			}
			if _, version := s.find(e); version != wanted(e) {
				t.Fatalf("%q is not found in %q", render(e), out)
			}
			if !strings.HasPrefix(s.before, before) || s.after != after {
				t.Fatalf("lines outside the block changed: %q", out)
			}
		}
		for _, e := range edits {
			at, _ := s.find(e)
			s.lines = append(s.lines[:at:at], s.lines[at+1:]...)
			out := s.String()
			if s, err = parse(out, false); err != nil {
				t.Fatalf("%q cannot be read: %v", out, err)
			}
		}
		if got := s.String(); got != plain || !had && got != text {
			t.Fatalf("%q came back as %q", text, got)
		}
	})
}
