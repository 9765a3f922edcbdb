package archive

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLeftover: what a killed run left is removed, read-only folders too, and
// what its links point at is not touched.
func TestLeftover(t *testing.T) {
	outer := t.TempDir()
	file, dest := filepath.Join(outer, "a"), filepath.Join(outer, "dest")
	kept := filepath.Join(outer, "kept")
	old := filepath.Join(outer, ".dest.deployctl-partial")
	deep := filepath.Join(old, "lib", "deep")
	for _, err := range []error{
		os.WriteFile(file, makeTar(t, item{name: "new", body: "1"}), 0o600),
		os.MkdirAll(deep, 0o755), os.Mkdir(kept, 0o755),
		os.WriteFile(filepath.Join(kept, "file"), []byte("2"), 0o600),
		os.WriteFile(filepath.Join(deep, "file"), []byte("3"), 0o400),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if runtime.GOOS != "windows" {
		if err := os.Symlink(kept, filepath.Join(deep, "link")); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{deep, filepath.Dir(deep), old} {
		if err := os.Chmod(d, 0o500); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Extract(t.Context(), file, Tar, dest, Options{}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]string{"new": "644 1"}, tree(t, dest)); d != "" {
		t.Error(d)
	}
	if _, err := os.Lstat(old); !os.IsNotExist(err) {
		t.Errorf("the leftover is still there: %v", err)
	}
	if b, err := os.ReadFile(filepath.Join(kept, "file")); err != nil || string(b) != "2" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestInTheWay: a file or a link of the folder's name is not deployctl's.
func TestInTheWay(t *testing.T) {
	outer := t.TempDir()
	file, way := filepath.Join(outer, "a"), filepath.Join(outer, ".dest.deployctl-partial")
	kept := filepath.Join(outer, "kept")
	for _, err := range []error{os.WriteFile(file, makeTar(t, item{name: "new", body: "1"}), 0o600), os.Mkdir(kept, 0o755), os.WriteFile(filepath.Join(kept, "x"), nil, 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, put := range map[string]func() error{
		"file": func() error { return os.WriteFile(way, []byte("mine"), 0o600) },
		"link": func() error { return os.Symlink(kept, way) },
	} {
		if err := put(); err != nil {
			if name == "link" && runtime.GOOS == "windows" {
				continue // needs a privilege
			}
			t.Fatal(err)
		}
		if _, err := Extract(t.Context(), file, Tar, filepath.Join(outer, "dest"), Options{}); err == nil || !strings.Contains(err.Error(), "in the way") {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(filepath.Join(outer, "dest")); !os.IsNotExist(err) {
			t.Errorf("%s: unpacked all the same", name)
		}
		if _, err := os.Lstat(filepath.Join(kept, "x")); err != nil {
			t.Errorf("%s: removed through it: %v", name, err)
		}
		if err := os.Remove(way); err != nil {
			t.Error(err)
		}
	}
}

// TestSameName: the folder's name does not depend on the run.
func TestSameName(t *testing.T) {
	outer := t.TempDir()
	file := filepath.Join(outer, "a")
	if err := os.WriteFile(file, makeTar(t, item{name: "one", body: "1"}), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen := ""
	_, err := Extract(ctx, file, Tar, filepath.Join(outer, "dest"), Options{Pick: func(name string) string {
		left, err := filepath.Glob(filepath.Join(outer, ".*"))
		if err != nil || len(left) != 1 {
			t.Errorf("%v, %v", left, err)
			return name
		}
		seen = filepath.Base(left[0])
		cancel()
		return name
	}})
	if seen != ".dest.deployctl-partial" || err == nil {
		t.Errorf("%q, %v", seen, err)
	}
	if left, err := filepath.Glob(filepath.Join(outer, ".*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
