package host_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

func TestRecordedHostAnswersAsTheLiveOne(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.txt")
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DEPLOYCTL_TEST", "yes")
	ctx := t.Context()
	rec, r := host.Record(host.Live())

	ask := func(h *host.Host) map[string]any {
		data, truncated, err := h.ReadFile(ctx, file, 3)
		_, _, missing := h.ReadFile(ctx, filepath.Join(dir, "missing"), 10)
		list, listErr := h.ReadDir(ctx, dir)
		info, statErr := h.Stat(ctx, file)
		env, envOK := h.Getenv("DEPLOYCTL_TEST")
		_, unset := h.Getenv("DEPLOYCTL_UNSET")
		out, runErr := h.Run(ctx, host.Command{Argv: echo(t)})
		return map[string]any{
			"data": string(data), "truncated": truncated, "err": err,
			"missing": errors.Is(missing, fs.ErrNotExist),
			"list":    list, "listErr": listErr, "info": info, "statErr": statErr,
			"env": env, "envOK": envOK, "unset": unset, "out": string(out.Stdout), "runErr": runErr,
		}
	}
	live := ask(rec)
	replayed := ask(host.Replay(r))
	if diff := cmp.Diff(live, replayed); diff != "" {
		t.Errorf("replay differs (-live +replay):\n%s", diff)
	}
	if live["data"] != "hel" || live["truncated"] != true || live["missing"] != true || live["out"] == "" {
		t.Errorf("live answers: %v", live)
	}
	// A question that was never asked is not answered, least of all with "no".
	_, err := host.Replay(r).Stat(ctx, "/somewhere/else")
	if !errors.Is(err, host.ErrNotRecorded) {
		t.Errorf("unasked question: %v, want ErrNotRecorded", err)
	}
	// The folder was listed, so what is not in it is known to be absent.
	_, err = host.Replay(r).Stat(ctx, filepath.Join(dir, "other"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent in a listed folder: %v, want not exist", err)
	}
}

func echo(t *testing.T) []string {
	t.Helper()
	name := "echo"
	if runtime.GOOS == "windows" {
		name = "hostname"
	}
	p, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return []string{p, "hi"}
}

// TestNothingThere: a path that leads through a file, a folder where a file is
// read, a link to itself and a name that is too long name nothing, on a live
// host, in a recording, and in a recording that kept the system's words.
func TestNothingThere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "cuda.run")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil && runtime.GOOS != "windows" {
		t.Fatal(err)
	}
	ctx := t.Context()
	rec, r := host.Record(host.Live())
	below := filepath.Join(file, "version.json")
	questions := map[string]func(h *host.Host) error{
		"read below a file":    func(h *host.Host) error { _, _, err := h.ReadFile(ctx, below, 10); return err },
		"range below a file":   func(h *host.Host) error { _, err := h.ReadAt(ctx, below, 0, 10); return err },
		"search below a file":  func(h *host.Host) error { _, err := h.Search(ctx, below, "x", 10, 10); return err },
		"stat below a file":    func(h *host.Host) error { _, err := h.Stat(ctx, below); return err },
		"resolve below a file": func(h *host.Host) error { _, err := h.Resolve(ctx, below); return err },
		"list a file":          func(h *host.Host) error { _, err := h.ReadDir(ctx, file); return err },
		"read a folder":        func(h *host.Host) error { _, _, err := h.ReadFile(ctx, dir, 10); return err },
		"stat a long name": func(h *host.Host) error {
			_, err := h.Stat(ctx, filepath.Join(dir, strings.Repeat("x", 300)))
			return err
		},
		"read a device":  func(h *host.Host) error { _, _, err := h.ReadFile(ctx, os.DevNull, 10); return err },
		"stat a loop":    func(h *host.Host) error { _, err := h.Stat(ctx, loop); return err },
		"resolve a loop": func(h *host.Host) error { _, err := h.Resolve(ctx, loop); return err },
	}
	for name, ask := range questions {
		if err := ask(rec); !host.IsNotExist(err) {
			t.Errorf("%s: %v is not told as absent", name, err)
		}
	}
	for name, ask := range questions {
		if err := ask(host.Replay(r)); !host.IsNotExist(err) {
			t.Errorf("%s, replayed: %v is not told as absent", name, err)
		}
	}
	if host.IsNotExist(fmt.Errorf("read: %w", fs.ErrPermission)) {
		t.Error("what cannot be read is told as absent")
	}
	old := host.NewRecording("linux", "amd64", hosttest.Time)
	old.Files["/opt/cuda.run/version.json"] = host.File{Err: "open /opt/cuda.run/version.json: not a directory"}
	if _, _, err := host.Replay(old).ReadFile(ctx, "/opt/cuda.run/version.json", 10); !host.IsNotExist(err) {
		t.Errorf("an older snapshot: %v is not told as absent", err)
	}
}

// TestOlderPieces: a snapshot whose pieces of files are larger than those that are asked
// for now is read as well, and what it does not hold is not told as a file's end.
func TestOlderPieces(t *testing.T) {
	old := host.NewRecording("linux", "amd64", hosttest.Time)
	data := bytes.Repeat([]byte("0123456789abcdef"), 1200) // 16 KB and a rest
	old.Ranges["0 of /a"] = host.File{Data: data[:16<<10]}
	old.Ranges["16384 of /a"] = host.File{Data: data[16<<10:]}
	old.Ranges["0 of /b"] = host.File{Data: data[:8]}
	h := host.Replay(old)
	for at := int64(0); at < int64(len(data)); at += 4 << 10 {
		got, err := h.ReadAt(t.Context(), "/a", at, 4<<10)
		if want := data[at:min(at+4<<10, int64(len(data)))]; err != nil || !bytes.Equal(got, want) {
			t.Errorf("from %d: %d bytes, %v, not %d", at, len(got), err, len(want))
		}
	}
	for name, at := range map[string]int64{"/a": 32 << 10, "/b": 4} {
		if got, err := h.ReadAt(t.Context(), name, at, 4); !errors.Is(err, host.ErrNotRecorded) {
			t.Errorf("%s from %d: %q, %v", name, at, got, err)
		}
	}
}

// TestErrorsReplay: what went wrong is told in the same words from a recording.
func TestErrorsReplay(t *testing.T) {
	file := filepath.Join(t.TempDir(), "go")
	if err := os.WriteFile(file, []byte("text"), 0o700); err != nil {
		t.Fatal(err)
	}
	rec, r := host.Record(host.Live())
	cmd := host.Command{Argv: []string{file}}
	_, live := rec.Run(t.Context(), cmd)
	_, replayed := host.Replay(r).Run(t.Context(), cmd)
	if live == nil || replayed == nil || live.Error() != replayed.Error() {
		t.Errorf("live: %v\nreplayed: %v", live, replayed)
	}
}

func TestReadingNeverBlocks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: Windows has no FIFOs in the file system")
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if out, err := exec.Command("mkfifo", fifo).CombinedOutput(); err != nil {
		t.Fatalf("mkfifo: %v %s", err, out)
	}
	if _, _, err := host.Live().ReadFile(t.Context(), fifo, 10); err == nil {
		t.Error("reading a FIFO succeeded")
	}
	if _, _, err := host.Live().ReadFile(t.Context(), "/dev/zero", 10); err == nil {
		t.Error("reading a device succeeded")
	}
}

// TestNoSurvivors: whatever a command started, in its group or out of it, is
// killed when Run returns.
func TestNoSurvivors(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("skipped: looks into /proc")
	}
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	setsid, err := exec.LookPath("setsid")
	if err != nil {
		t.Fatal(err)
	}
	pids := filepath.Join(t.TempDir(), "pids")
	script := `echo $$ >> "$1"; sleep 600 & echo $! >> "$1"; "$2" sh -c 'echo $$ >> "$1"; exec sleep 600' sh "$1" & 
while [ "$(wc -l < "$1")" -lt 3 ]; do sleep 0.02; done; echo ready; wait`
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := host.Live().Run(ctx, host.Command{Argv: []string{sh, "-c", script, "sh", pids, setsid}})
		done <- err
	}()
	deadline := time.Now().Add(5 * time.Minute)
	for {
		data, _ := os.ReadFile(pids)
		if strings.Count(string(data), "\n") >= 3 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the script never started its children")
		}
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Run returned %v, want context.Canceled", err)
	}
	data, err := os.ReadFile(pids)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range strings.Fields(string(data)) {
		// One that was killed goes when the kernel next runs it, which on a busy
		// machine takes a moment. A zombie that init has to reap does nothing.
		for until := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			stat, err := os.ReadFile("/proc/" + pid + "/stat")
			if err != nil || strings.Contains(string(stat), ") Z ") {
				break
			}
			if time.Now().After(until) {
				t.Errorf("process %s survived: %s", pid, stat)
				break
			}
		}
	}
}

func TestEndlessOutputIsCut(t *testing.T) {
	yes, err := exec.LookPath("yes")
	if err != nil {
		t.Skip("skipped: no yes command here")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	out, err := host.Live().Run(ctx, host.Command{Argv: []string{yes}})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v, want deadline", err)
	}
	if len(out.Stdout) > host.MaxOutput {
		t.Errorf("kept %d bytes", len(out.Stdout))
	}
}

func TestSearchFindsAcrossPiecesAndIsRecorded(t *testing.T) {
	const marker = "MARKER of a text"
	for _, at := range []int{0, 5, 1<<20 - 4, 1 << 20, 2<<20 + 7, 3<<20 + 100} {
		data := make([]byte, 3<<20+200)
		copy(data[at:], marker+" tail")
		name := filepath.Join(t.TempDir(), "lib.so")
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		rec, r := host.Record(host.Live())
		for i := range 2 {
			h := rec
			if i == 1 {
				h = host.Replay(r) // what has been recorded
			}
			got, err := h.Search(t.Context(), name, marker, 1<<30, len(marker)+5)
			if err != nil || string(got) != marker+" tail" {
				t.Errorf("marker at %d: %q, %v", at, got, err)
			}
		}
		got, err := rec.Search(t.Context(), name, "not in there", 1<<30, 10)
		if got != nil || err != nil {
			t.Errorf("absent marker: %q, %v", got, err)
		}
		got, err = host.Live().Search(t.Context(), name, marker, int64(at+3), 100)
		if got != nil || err != nil {
			t.Errorf("marker beyond the limit: %q, %v", got, err)
		}
	}
	h := hosttest.Parse(t, "-- file /lib/x.so --\nabc MARKER def\n")
	if got, err := h.Search(t.Context(), "/lib/x.so", "MARKER", 1<<20, 10); err != nil || string(got) != "MARKER def" {
		t.Errorf("fixture: %q, %v", got, err)
	}
	if _, err := h.Search(t.Context(), "/lib/none.so", "MARKER", 1<<20, 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestLookPath(t *testing.T) {
	h := hosttest.Parse(t, `
-- env --
PATH=/usr/local/bin:/usr/bin:/bin:/usr/bin
-- exec /usr/bin/gcc --
-- exec /usr/local/bin/gcc --
-- link /bin/gcc --
/usr/bin/gcc
-- file /usr/bin/README --
text
`)
	got := h.LookPath(t.Context(), "gcc")
	if diff := cmp.Diff([]string{"/usr/local/bin/gcc", "/usr/bin/gcc"}, got); diff != "" {
		t.Error(diff)
	}
	if got := h.LookPath(t.Context(), "README"); got != nil {
		t.Errorf("a file without the execute bit was found: %v", got)
	}
}

func TestWindowsHostIgnoresCaseAndSlash(t *testing.T) {
	h := hosttest.Parse(t, `
-- platform --
windows/amd64
-- env --
Path=C:\Tools;C:\Windows\System32
-- exec C:\Tools\CMake.exe --
-- reg 64 HKLM\SOFTWARE\NVIDIA Corporation\CUDA\v12.1 --
InstallDir=C:\CUDA\v12.1
Count=dword:0x2a
`)
	ctx := t.Context()
	if got := h.LookPath(ctx, "cmake"); len(got) != 1 || !strings.EqualFold(got[0], `C:\Tools\cmake.exe`) {
		t.Errorf("LookPath = %v", got)
	}
	if !h.Exists(ctx, "c:/tools/cmake.EXE") {
		t.Error("case or slash mattered")
	}
	parent, err := h.RegistryKey(ctx, `HKLM\Software\NVIDIA Corporation\CUDA`, "64")
	if err != nil || len(parent.Subkeys) != 1 || parent.Subkeys[0] != "v12.1" {
		t.Errorf("sub-keys %v, %v", parent.Subkeys, err)
	}
	k, err := h.RegistryKey(ctx, `HKLM\SOFTWARE\NVIDIA Corporation\CUDA\V12.1`, "64")
	if err != nil || k.Values["InstallDir"].String != `C:\CUDA\v12.1` || k.Values["Count"].Int != 42 {
		t.Errorf("key %v, %v", k, err)
	}
	if _, err := h.RegistryKey(ctx, `HKLM\SOFTWARE\Missing`, "64"); !host.IsNotExist(err) {
		t.Errorf("missing key: %v", err)
	}
}

func TestJoin(t *testing.T) {
	w := &host.Host{OS: "windows"}
	for _, c := range []struct{ want, got string }{
		{`C:\a\b`, w.Join(`C:\`, "a", "b")},
		{`C:\a\b\c`, w.Join(`C:\a`, "b/c")},
		{`\\server\share\x`, w.Join(`\\server\share`, "x")},
		{"/usr/lib", (&host.Host{OS: "linux"}).Join("/usr", "lib/")},
	} {
		if c.want != c.got {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

// TestDevice: a device that everybody may use is not denied, and a recording keeps
// what was said of one that is.
func TestDevice(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // it has no device files
	}
	if info, err := host.Live().Stat(t.Context(), "/dev/null"); err != nil || info.Denied {
		t.Errorf("%+v, %v", info, err)
	}
	h := hosttest.Parse(t, "-- device /dev/kfd --\ndenied 44\n-- device /dev/null --\n")
	if info, err := h.Stat(t.Context(), "/dev/kfd"); err != nil || !info.Denied || info.Group != 44 {
		t.Errorf("%+v, %v", info, err)
	}
}
