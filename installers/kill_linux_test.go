package installers

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes"
)

// The fault matrix of kills. This test program is started again as a child that
// carries out a plan with every kind of step, on real files and with real
// processes (CMake and Ninja among them; apt is a script over a folder of
// files), and kills itself the moment its Nth journal record is on the disk.
// A second child then runs to the end. The end state must be that of a run that
// nobody disturbed, with nothing done twice and nothing left over; and undo,
// killed in the same way, must bring back the beginning.

// child is what the child is told, in the environment.
type child struct {
	Dir  string // everything is in it
	URL  string // of the server with the archives
	Kill int    // the record to die at, 0 for none
	Undo bool
	Src  recipes.Artifact
	Arch recipes.Artifact
}

const childVar = "DEPLOYCTL_KILL_CHILD"

func TestMain(m *testing.M) {
	if text := os.Getenv(childVar); text != "" {
		var c child
		err := json.Unmarshal([]byte(text), &c)
		if err == nil {
			err = c.run(context.Background())
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func (c child) path(elem ...string) string { return filepath.Join(append([]string{c.Dir}, elem...)...) }

func (c child) run(ctx context.Context) error {
	h := host.Live()
	h.SystemDirs = []string{c.path("bin"), "/usr/sbin", "/usr/bin", "/sbin", "/bin"}
	a := &Applier{Host: h, Exec: Live{Poll: 5 * time.Millisecond}, State: c.path("state"), Command: []string{"child"},
		Fetch: download.Options{Store: store.New(c.path("home/.cache/deployctl")), AllowHTTP: true},
		wrote: func(n int) {
			if n == c.Kill {
				// The strongest kill there is: no handler, no defer runs.
				if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
					panic(err)
				}
				select {}
			}
		}}
	var plan *Plan
	var err error
	if c.Undo {
		var records []Record
		if records, _, err = a.Settle(ctx); err == nil {
			plan, err = PlanUndo(ctx, h, facts.User{Admin: true}, records, Undo{Run: AllRuns})
		}
	} else {
		plan, err = c.plan(ctx, h)
	}
	if err != nil {
		return err
	}
	_, err = a.Apply(ctx, plan)
	return err
}

// plan has every kind of step that works on a Unix machine.
func (c child) plan(ctx context.Context, h *host.Host) (*Plan, error) {
	j := judgement(withApt("tool-a", "tool-b"))
	j.Recipe.Artifacts = []recipes.Artifact{c.Src, c.Arch}
	places := Places{Cache: c.path("home/.cache/deployctl"), Opt: c.path("opt"), Scope: "user"}
	plan, err := MakePlan(ctx, j, h, places, Sources{})
	if err != nil {
		return nil, err
	}
	w := ways{h: h, f: j.Facts, r: j.Recipe, places: places}
	unpacked, err := w.archive(ctx, recipes.ArchiveFix{Artifact: c.Arch.Name, Into: "data-1.0", Env: map[string]string{"PATH": "bin"}})
	if err != nil {
		return nil, err
	}
	built, err := w.build(ctx, recipes.Build{Artifact: c.Src.Name, Strip: 1, Name: "thing-1.0",
		Options: map[string]string{"GREETING": "hello there"}, Env: map[string]string{"PKG_CONFIG_PATH": "lib/pkgconfig", "PATH": "bin"}})
	if err != nil {
		return nil, err
	}
	plan.Steps = append(append(plan.Steps, unpacked...), w.place("model", c.Arch.SHA256, int64(c.Arch.Size), c.path("home/.cache/deployctl/models/model.bin")))
	plan.Steps = append(plan.Steps, built...)
	return plan, nil
}

// fakeApt is dpkg's database as one file a package, and apt-get over it. Its
// log tells what was unpacked how often.
const fakeApt = `#!/bin/sh
set -eu
db=@DIR@/db
case "$*" in
  *--simulate*remove*|*--simulate*purge*)
    for p in "$@"; do case $p in tool-*) echo "Remv $p [1.0]";; esac; done; exit 0;;
  *--print-uris*)
    n=0; echo "The following NEW packages will be installed:"
    for p in "$@"; do case $p in tool-*) [ -e "$db/$p" ] || { n=$((n + 1)); echo "   $p (1.0)"; };; esac; done
    echo "0 upgraded, $n newly installed, 0 to remove and 0 not upgraded."; exit 0;;
esac
exec 9>"$db.lock"
flock 9
case " $* " in
  *" update "*) echo "Hit:1 lists";;
  *" remove "*) for p in "$@"; do case $p in tool-*) rm -f "$db/$p"; echo "Removing $p";; esac; done;;
  *" install "*) for p in "$@"; do case $p in tool-*) [ -e "$db/$p" ] || { echo "$p" >>"$db.log"; echo 1.0 >"$db/$p.tmp"; mv "$db/$p.tmp" "$db/$p"; };; esac; done;;
esac
`

const fakeQuery = `#!/bin/sh
for f in @DIR@/db/*; do [ -e "$f" ] && printf 'ii \t%s\t%s\n' "${f##*/}" "$(cat "$f")"; done
exit 0
`

// cmakeLists builds something out of nothing but CMake, and counts how often.
const cmakeLists = `cmake_minimum_required(VERSION 3.13)
project(thing NONE)
add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/thing.txt
  COMMAND ${CMAKE_COMMAND} -E echo "${GREETING}" > ${CMAKE_BINARY_DIR}/thing.txt)
add_custom_target(thing ALL DEPENDS ${CMAKE_BINARY_DIR}/thing.txt)
install(FILES ${CMAKE_BINARY_DIR}/thing.txt DESTINATION share)
install(DIRECTORY pc/ DESTINATION lib/pkgconfig)
`

func tarball(t *testing.T, entries map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range []string{"thing/CMakeLists.txt", "thing/pc/thing.pc", "bin/run", "share/data"} {
		body, ok := entries[name]
		if !ok {
			continue
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(body)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func published(name string, data []byte, server string) recipes.Artifact {
	sum := sha256.Sum256(data)
	return recipes.Artifact{Name: name, URL: server + "/" + name, Size: recipes.Bytes(len(data)), SHA256: hex.EncodeToString(sum[:]), Source: "this test"}
}

// world makes the server and gives the child for a folder of its own.
type world struct {
	server    string
	src, arch recipes.Artifact
}

func newWorld(t *testing.T) *world {
	t.Helper()
	for _, tool := range []string{"cmake", "ninja", "flock"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is needed (apt-get install cmake ninja-build util-linux; .ci/test does)", tool)
		}
	}
	archives := map[string][]byte{
		"thing.tar.gz": tarball(t, map[string]string{"thing/CMakeLists.txt": cmakeLists, "thing/pc/thing.pc": "Name: thing\n"}),
		"data.tar.gz":  tarball(t, map[string]string{"bin/run": "#!/bin/sh\n", "share/data": strings.Repeat("data", 1000)}),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(archives[filepath.Base(r.URL.Path)]))
	}))
	t.Cleanup(server.Close)
	return &world{server.URL, published("thing.tar.gz", archives["thing.tar.gz"], server.URL), published("data.tar.gz", archives["data.tar.gz"], server.URL)}
}

// machine is a fresh machine for one case.
func (w *world) machine(t *testing.T) child {
	t.Helper()
	c := child{Dir: t.TempDir(), URL: w.server, Src: w.src, Arch: w.arch}
	for _, dir := range []string{"db", "bin", "home", "opt"} {
		if err := os.MkdirAll(c.path(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"bin/apt-get": fakeApt, "bin/dpkg-query": fakeQuery} {
		if err := os.WriteFile(c.path(name), []byte(strings.ReplaceAll(text, "@DIR@", c.Dir)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(c.path("home/.profile"), []byte("# mine\nexport MINE=1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c child) command(t *testing.T) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = []string{childVar + "=" + string(text), "HOME=" + c.path("home"), "PATH=" + c.path("bin") + ":" + os.Getenv("PATH"), "SHELL=/bin/sh", "TMPDIR=" + c.path("home")}
	return cmd
}

// start runs a child to its end, or its kill.
func (c child) start(t *testing.T) error {
	t.Helper()
	out, err := c.command(t).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

func killed(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	ws, ok := exit.Sys().(syscall.WaitStatus)
	return ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL
}

// tree is every file beneath the machine's folder but deployctl's own journal
// and the store's locks: path to content or kind.
func (c child) tree(t *testing.T) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(c.Dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(c.Dir, name)
		if err != nil {
			return err
		}
		switch {
		case rel == "state" || strings.HasSuffix(rel, "/store/lock") || rel == "bin":
			return fs.SkipDir
		case rel == "db.lock":
			return nil
		case d.IsDir():
			got[rel] = "folder"
			return nil
		case d.Type()&fs.ModeSymlink != 0:
			got[rel], err = os.Readlink(name)
			return err
		}
		data, err := os.ReadFile(name)
		// A build writes its own folder's name into its key.
		got[rel] = strings.ReplaceAll(string(data), c.Dir, "@DIR@")
		if filepath.Base(rel) == ".deployctl-build" {
			got[rel] = "a key"
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func leftovers(tree map[string]string) []string {
	var left []string
	for name := range tree {
		for _, mark := range []string{".tmp", "partial/", ".part", "deployctl-partial", "/build/"} {
			if strings.Contains(name, mark) {
				left = append(left, name)
				break
			}
		}
	}
	return left
}

// began is the tree before anything, without what only a cache keeps.
func withoutCache(tree map[string]string) map[string]string {
	out := map[string]string{}
	for name, v := range tree {
		if !strings.HasPrefix(name, "home/.cache") && name != "opt" && name != "db.log" {
			out[name] = v
		}
	}
	return out
}

func records(t *testing.T, c child) int {
	t.Helper()
	list, torn, err := History(c.path("state"))
	if err != nil || torn != (Unread{}) {
		t.Fatalf("journal: %v, %+v", err, torn)
	}
	return len(list)
}

func TestKillAtEveryRecord(t *testing.T) {
	w := newWorld(t)
	calm := w.machine(t)
	beginning := withoutCache(calm.tree(t))
	if err := calm.start(t); err != nil {
		t.Fatal(err)
	}
	want := calm.tree(t)
	if left := leftovers(want); len(left) > 0 {
		t.Errorf("an undisturbed run leaves %v", left)
	}
	for _, must := range []string{"opt/thing-1.0/share/thing.txt", "opt/data-1.0/bin/run", "db/tool-a", "home/.cache/deployctl/models/model.bin"} {
		if want[must] == "" {
			t.Fatalf("an undisturbed run does not make %s", must)
		}
	}
	n := records(t, calm)
	if n < 2*8 {
		t.Fatalf("the plan has only %d records", n)
	}
	undone := calm
	undone.Undo = true
	if err := undone.start(t); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(beginning, withoutCache(calm.tree(t))); d != "" {
		t.Fatalf("undo does not bring back the beginning:\n%s", d)
	}
	undoRecords := records(t, calm) - n
	t.Logf("%d records of a plan, %d of its undo", n, undoRecords)

	for at := 1; at <= n; at++ {
		t.Run("record "+strconv.Itoa(at), func(t *testing.T) {
			t.Parallel()
			c := w.machine(t)
			c.kill(t, at)
			c.expect(t, want)
			c.Undo = true
			if err := c.start(t); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(beginning, withoutCache(c.tree(t))); d != "" {
				t.Errorf("undo after a kill at record %d:\n%s", at, d)
			}
		})
	}
	for at := 1; at <= undoRecords; at++ {
		t.Run("undo record "+strconv.Itoa(at), func(t *testing.T) {
			t.Parallel()
			c := w.machine(t)
			if err := c.start(t); err != nil {
				t.Fatal(err)
			}
			c.Undo = true
			c.kill(t, at)
			if d := cmp.Diff(beginning, withoutCache(c.tree(t))); d != "" {
				t.Errorf("undo killed at its record %d:\n%s", at, d)
			}
		})
	}
}

// kill runs a child that dies at a record, then one that nobody disturbs.
func (c child) kill(t *testing.T, at int) {
	t.Helper()
	dying := c
	dying.Kill = at
	if err := dying.start(t); !killed(err) {
		t.Fatalf("the child should have died at record %d: %v", at, err)
	}
	if err := c.start(t); err != nil {
		t.Fatalf("after a kill at record %d: %v", at, err)
	}
}

func (c child) expect(t *testing.T, want map[string]string) {
	t.Helper()
	got := c.tree(t)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("another end state:\n%s", d)
	}
	for _, p := range []string{"tool-a", "tool-b"} {
		if strings.Count(got["db.log"], p) != 1 {
			t.Errorf("%s was unpacked %d times", p, strings.Count(got["db.log"], p))
		}
	}
}

// TestKillAtAnyInstant kills between the records, too: a child is killed from
// outside after a pause, wherever it is by then.
func TestKillAtAnyInstant(t *testing.T) {
	w := newWorld(t)
	calm := w.machine(t)
	began := time.Now()
	if err := calm.start(t); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	want := calm.tree(t)
	for i := range 12 {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			c := w.machine(t)
			cmd := c.command(t)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			pause := time.NewTimer(took * time.Duration(i+1) / 13)
			<-pause.C
			killErr := cmd.Process.Kill()
			waitErr := cmd.Wait()
			t.Logf("killed after %v: %v, %v", took*time.Duration(i+1)/13, killErr, waitErr)
			if err := c.start(t); err != nil {
				t.Fatal(err)
			}
			c.expect(t, want)
		})
	}
}
