package files

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
)

// stored puts bytes into a new store.
func stored(t *testing.T, data []byte) (*store.Store, string) {
	t.Helper()
	dir := t.TempDir()
	temp := filepath.Join(dir, "temp")
	if err := os.WriteFile(temp, data, 0o600); err != nil {
		t.Fatal(err)
	}
	sum, err := store.Hash(t.Context(), temp)
	if err != nil {
		t.Fatal(err)
	}
	s := store.New(dir)
	if _, err := s.Publish(temp, sum); err != nil {
		t.Fatal(err)
	}
	return s, string(sum)
}

func kind(err error) step.Kind {
	var f *step.Failure
	if errors.As(err, &f) {
		return f.Kind
	}
	return ""
}

func quiet(step.Progress) {}

func TestPlaceAndTakeBack(t *testing.T) {
	s, sum := stored(t, []byte("weights"))
	to := filepath.Join(t.TempDir(), "models", "w.bin")
	place := step.Step{With: &step.Place{SHA256: sum, Size: 7, Path: to}}
	w := Place{Store: s}
	check := func(want bool) {
		t.Helper()
		if done, err := w.Done(t.Context(), place); err != nil || done != want {
			t.Fatalf("done is %v, %v; want %v", done, err, want)
		}
	}
	check(false)
	if err := w.Do(t.Context(), place, quiet); err != nil {
		t.Fatal(err)
	}
	check(true)
	state, err := w.State(t.Context(), place)
	if err != nil || state[to] != "sha256:"+sum {
		t.Fatalf("state %v, %v", state, err)
	}

	undo := step.Step{Action: step.Remove, Take: []step.Take{{Name: to, Version: state[to]}}}
	if err := os.WriteFile(to, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	check(false)
	if err := w.Do(t.Context(), undo, quiet); kind(err) != step.Changed {
		t.Errorf("a changed file was taken back: %v", err)
	}
	if err := w.Do(t.Context(), place, quiet); kind(err) != step.Changed {
		t.Errorf("another file was written over: %v", err)
	}
	if data, err := os.ReadFile(to); err != nil || string(data) != "another" {
		t.Errorf("the other file is %q, %v", data, err)
	}
}

func archived(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, body := range map[string]string{"top/bin/run": "#!/bin/sh\n", "top/share/data": "data"} {
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

func TestUnpackAndTakeBack(t *testing.T) {
	data := archived(t)
	s, sum := stored(t, data)
	into := filepath.Join(t.TempDir(), "opt", "thing-1.0")
	unpack := step.Step{With: &step.Unpack{SHA256: sum, Size: int64(len(data)), Format: "tar.gz", Strip: 1, Into: into}}
	w := Unpack{Store: s}
	if err := w.Do(t.Context(), unpack, quiet); err != nil {
		t.Fatal(err)
	}
	state, err := w.State(t.Context(), unpack)
	if err != nil || !strings.HasPrefix(state[into], "tree:") {
		t.Fatalf("state %v, %v", state, err)
	}
	undo := step.Step{Action: step.Remove, Take: []step.Take{{Name: into, Version: state[into]}}}
	extra := filepath.Join(into, "share", "mine")
	if err := os.WriteFile(extra, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := w.Do(t.Context(), undo, quiet); kind(err) != step.Changed {
		t.Errorf("a folder with a file of somebody else's was removed: %v", err)
	}
	if err := os.Remove(extra); err != nil {
		t.Fatal(err)
	}
	// What a kill in the middle of an earlier removal left is in nobody's way.
	if err := os.MkdirAll(filepath.Join(durable.Partial(into), "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := w.Do(t.Context(), undo, quiet); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Dir(into)); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if done, err := w.Done(t.Context(), undo); err != nil || !done {
		t.Errorf("done is %v, %v", done, err)
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	into, product, taken := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "c")
	for _, p := range []string{durable.Partial(into), durable.Partial(product), durable.Partial(taken), into} {
		if err := os.MkdirAll(filepath.Join(p, "x"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := step.Step{With: &step.Unpack{Into: into}, Take: []step.Take{{Name: taken}, {Name: "PATH+=/x (file)"}}}
	if err := errors.Join(Unpack{}.Sweep(s), SweepPartial(s, product)); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 || left[0].Name() != "a" {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestUnpackPicksOrRefuses(t *testing.T) {
	data := archived(t)
	s, sum := stored(t, data)
	into := filepath.Join(t.TempDir(), "lib")
	u := &step.Unpack{SHA256: sum, Size: int64(len(data)), Format: "tar.gz", Files: map[string]string{"top/share/data": "d"}, Into: into}
	one := step.Step{With: u}
	if err := (Unpack{Store: s}).Do(t.Context(), one, quiet); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(into, "d")); err != nil || string(got) != "data" {
		t.Errorf("%q, %v", got, err)
	}
	u.Into += "2"
	u.Files["top/none"] = "n"
	if err := (Unpack{Store: s}).Do(t.Context(), one, quiet); err == nil {
		t.Error("a file that is not in the archive was not missed")
	}
	if _, err := os.Lstat(u.Into); err == nil {
		t.Error("half a folder was kept")
	}
}

func TestDigestTellsChanges(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	digest := func() string {
		t.Helper()
		d, err := Digest(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	write("a/b", "1", 0o644)
	seen := map[string]string{}
	note := func(what string) {
		t.Helper()
		d := digest()
		if d != digest() {
			t.Errorf("%s: two digests of one tree differ", what)
		}
		if was, ok := seen[d]; ok {
			t.Errorf("%s has the digest of %s", what, was)
		}
		seen[d] = what
	}
	note("one file")
	write("a/b", "2", 0o644)
	note("other bytes")
	write("a/c", "2", 0o644)
	note("another file")
	if err := os.Chmod(filepath.Join(dir, "a/c"), 0o755); err != nil {
		t.Fatal(err)
	}
	note("permission to execute")
	if err := os.Symlink("b", filepath.Join(dir, "a/l")); err != nil {
		t.Fatal(err)
	}
	note("a link")
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	note("an empty folder")
}

func TestFetchNeedsAPlannedStep(t *testing.T) {
	if _, err := (Fetch{}).Done(t.Context(), step.Step{}); err == nil {
		t.Error("a step without contents was taken")
	}
	for _, w := range []interface {
		State(context.Context, step.Step) (map[string]string, error)
	}{Unpack{}, Place{}} {
		if _, err := w.State(t.Context(), step.Step{}); err == nil {
			t.Errorf("%T took a step without contents", w)
		}
	}
}

// TestHalfRemoved: a folder that lost its name to a removal and is still there, since a
// program held a file in it, is what the next undo removes.
func TestHalfRemoved(t *testing.T) {
	name := filepath.Join(t.TempDir(), "made")
	if err := os.MkdirAll(filepath.Join(durable.Partial(name), "lib"), 0o700); err != nil {
		t.Fatal(err)
	}
	takes := []step.Take{{Name: name, Version: "tree:of-the-whole"}}
	state, err := Remains(t.Context(), takes)
	if err != nil || state[name] != takes[0].Version {
		t.Errorf("what remains: %v, %v", state, err)
	}
	for _, want := range []bool{false, true} {
		if gone, err := Removed(takes); gone != want || err != nil {
			t.Errorf("removed: %v, %v", gone, err)
		}
		if err := Remove(t.Context(), takes); err != nil {
			t.Error(err)
		}
	}
	if state, err = Remains(t.Context(), takes); err != nil || len(state) != 0 {
		t.Errorf("what remains after all: %v, %v", state, err)
	}
}
