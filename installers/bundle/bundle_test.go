package bundle

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"

	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/lockfile"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
)

func sumOf(data string) string {
	sum := sha256.Sum256([]byte(data))
	return hex.EncodeToString(sum[:])
}

func fetch(name, data string) step.Fetch {
	return step.Fetch{Name: name, Size: int64(len(data)), SHA256: sumOf(data), Mirrors: []string{"https://mirror.invalid/" + name}}
}

// contents are the files of the sample lock.
var contents = []string{"the weights", "another file", "deployctl's own bytes"}

func sample(t *testing.T) *lockfile.Lock {
	t.Helper()
	own := step.Fetch{Name: "deployctl", Size: int64(len(contents[2])), SHA256: sumOf(contents[2])}
	l := &lockfile.Lock{Schema: lockfile.Schema, Recipe: lockfile.Recipe{Name: "trial", SHA256: strings.Repeat("a", 64)}, System: lockfile.System{OS: "debian", Version: "12", Arch: "amd64"},
		Files: []step.Fetch{fetch("yolov3.weights", contents[0]), fetch("other", contents[1])}, Program: &own}
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	return l
}

// filled is a store with the sample's files.
func filled(t *testing.T) *store.Store {
	t.Helper()
	s := store.New(t.TempDir())
	for _, data := range contents {
		name := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := download.Import(t.Context(), download.Artifact{Name: "x", Size: int64(len(data)), SHA256: store.Sum(sumOf(data))}, s, name); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func create(t *testing.T) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "b.tar")
	if err := Create(t.Context(), sample(t), filled(t), name, nil); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestCreateAndImport(t *testing.T) {
	data := create(t)
	if !bytes.Equal(data, create(t)) {
		t.Error("two bundles of one lock differ")
	}
	name := filepath.Join(t.TempDir(), "b.tar")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(bytes.NewReader(data))
	var names []string
	for h, err := r.Next(); err == nil; h, err = r.Next() {
		names = append(names, fmt.Sprintf("%s %o %d", h.Name, h.Mode, h.ModTime.Unix()))
	}
	if len(names) != 4 || names[0] != lockfile.Name+" 644 0" || names[1] != "deployctl 755 0" || names[2] > names[3] {
		t.Errorf("entries %q", names)
	}
	if l, err := List(name); err != nil || len(l.All()) != 3 {
		t.Errorf("%v %v", l, err)
	}
	cache := filepath.Join(t.TempDir(), "cache")
	if err := os.MkdirAll(filepath.Join(cache, "import", "left by a kill"), 0o700); err != nil {
		t.Fatal(err)
	}
	held := flock.New(filepath.Join(cache, "import.lock"))
	if ok, err := held.TryLock(); err != nil || !ok {
		t.Fatal(ok, err)
	}
	var busy *step.Failure
	if _, err := Import(t.Context(), name, cache, nil); !errors.As(err, &busy) || busy.Kind != step.Locked {
		t.Errorf("two at once: %v", err)
	}
	if err := held.Unlock(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // again is as good
		var last int64
		if _, err := Import(t.Context(), name, cache, func(done, total int64) { last = total - done }); err != nil || last != 0 {
			t.Fatal(err, last)
		}
	}
	for _, f := range contents {
		if _, err := store.New(cache).Get(t.Context(), store.Sum(sumOf(f)), int64(len(f))); err != nil {
			t.Errorf("%q: %v", f, err)
		}
	}
	if l, err := lockfile.Load(Remembered(cache, "trial")); err != nil || l.Recipe.Name != "trial" {
		t.Errorf("%v %v", l, err)
	}
	if _, err := os.Stat(filepath.Join(cache, "import")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

func TestCreateNeedsAllFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "b.tar")
	if err := Create(t.Context(), sample(t), store.New(t.TempDir()), name, nil); !errors.Is(err, store.ErrAbsent) {
		t.Errorf("got %v", err)
	}
	if left, err := os.ReadDir(filepath.Dir(name)); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestImportRefuses makes hostile and damaged bundles. Each must be refused for
// its own reason and leave nothing in the store.
func TestImportRefuses(t *testing.T) {
	l := sample(t)
	text, err := l.Encode()
	if err != nil {
		t.Fatal(err)
	}
	good := []tar.Header{{Name: lockfile.Name, Size: int64(len(text))}}
	bodies := map[string]string{lockfile.Name: string(text)}
	for _, f := range l.All() {
		for _, data := range contents {
			if sumOf(data) == f.SHA256 {
				good = append(good, tar.Header{Name: place(l, f), Size: f.Size})
				bodies[place(l, f)] = data
			}
		}
	}
	weights := place(l, l.Files[0])
	pack := func(list []tar.Header, bodies map[string]string) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range list {
			if h.Typeflag == 0 {
				h.Typeflag = tar.TypeReg
			}
			h.Mode = 0o644
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			if h.Typeflag == tar.TypeReg {
				if _, err := w.Write([]byte(bodies[h.Name])); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	plus := func(h tar.Header, body string) []byte {
		more := map[string]string{h.Name: body}
		for k, v := range bodies {
			more[k] = v
		}
		return pack(append(append([]tar.Header{}, good...), h), more)
	}
	with := func(name, body string) []byte {
		list := append([]tar.Header{}, good...)
		other := map[string]string{}
		for i := range list {
			other[list[i].Name] = bodies[list[i].Name]
			if list[i].Name == name {
				list[i].Size, other[name] = int64(len(body)), body
			}
		}
		return pack(list, other)
	}
	without := func(name string) []byte {
		var list []tar.Header
		for _, h := range good {
			if h.Name != name {
				list = append(list, h)
			}
		}
		return pack(list, bodies)
	}
	whole := pack(good, bodies)
	// A header that claims a terabyte, with no such bytes behind it.
	huge := append(bytes.Clone(whole[:len(whole)-1024]), func() []byte {
		var b bytes.Buffer
		if err := tar.NewWriter(&b).WriteHeader(&tar.Header{Name: "sha256/huge", Size: 1 << 40, Typeflag: tar.TypeReg, Format: tar.FormatGNU}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}()...)
	lock := func(old, new string) []byte { return with(lockfile.Name, strings.Replace(string(text), old, new, 1)) }
	for _, c := range []struct {
		name string
		data []byte
		why  string
	}{
		{"no tar", []byte(strings.Repeat("not a tar file ", 100)), "not a tar file"},
		{"empty", nil, "not a tar file"},
		{"path escape", plus(tar.Header{Name: "../../etc/cron.d/x", Size: 1}, "x"), "../../etc/cron.d/x"},
		{"absolute path", plus(tar.Header{Name: "/etc/cron.d/x", Size: 1}, "x"), "/etc/cron.d/x"},
		{"symbolic link out", plus(tar.Header{Name: "sha256/link", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}, ""), "a link that leads out"},
		{"symbolic link inside", plus(tar.Header{Name: "sha256/link", Typeflag: tar.TypeSymlink, Linkname: l.Files[0].SHA256}, ""), "not in its lockfile"},
		{"symbolic link for a file", pack(append([]tar.Header{good[0], {Name: weights, Typeflag: tar.TypeSymlink, Linkname: l.Files[1].SHA256}}, good[1:2]...), bodies), "not in its lockfile"},
		{"hard link", plus(tar.Header{Name: "sha256/link", Typeflag: tar.TypeLink, Linkname: weights}, ""), "not in its lockfile"},
		{"device", plus(tar.Header{Name: "sha256/dev", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}, ""), "special file"},
		{"extra file", plus(tar.Header{Name: "sha256/" + strings.Repeat("f", 64), Size: 1}, "x"), "not in its lockfile"},
		{"extra file beside one less", func() []byte {
			other := map[string]string{"extra": "x"}
			for k, v := range bodies {
				other[k] = v
			}
			return pack(append(append([]tar.Header{}, good[:len(good)-1]...), tar.Header{Name: "extra", Size: 1}), other)
		}(), "not in its lockfile"},
		{"wrong hash", with(weights, "THE weights"), "sha256"},
		{"wrong size", with(weights, "the weights!"), "bytes and not"},
		{"file missing", without(weights), "cut short"},
		{"cut within a file", whole[:512+len(text)+512+100], "damaged"},
		{"cut between files", whole[:512+(len(text)+511)/512*512], "cut short"},
		{"duplicate", plus(tar.Header{Name: weights, Size: int64(len(contents[0]))}, contents[0]), "two entries that are the same file"},
		{"second lockfile", plus(tar.Header{Name: lockfile.Name, Size: int64(len(text))}, ""), "two entries that are the same file"},
		{"huge", huge, "more bytes than allowed"},
		{"no lockfile", without(lockfile.Name), "does not begin with"},
		{"lockfile is a link", pack(append([]tar.Header{{Name: lockfile.Name, Typeflag: tar.TypeSymlink, Linkname: "x"}}, good[1:]...), bodies), "does not begin with"},
		{"lockfile of another schema", lock(`"schema": 1`, `"schema": 9`), "schema 9"},
		{"lockfile with a path for a name", lock(`"trial"`, `"../../x"`), "which recipe"},
		{"lockfile with a file placed elsewhere", lock(`"mirrors"`, `"path": "/etc/cron.d/x", "mirrors"`), "path"},
		{"lockfile is no JSON", with(lockfile.Name, "{"), "not a JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			name, cache := filepath.Join(dir, "b.tar"), filepath.Join(dir, "cache")
			if err := os.WriteFile(name, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := List(name); err == nil && (strings.HasPrefix(c.name, "cut") || c.name == "file missing") {
				t.Error("it is listed as if it were whole")
			}
			_, err := Import(t.Context(), name, cache, nil)
			var refused *Error
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.why) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, c.why)
			}
			t.Log(err)
			for _, left := range []string{"store", "import", "locks", ".import.deployctl-partial"} {
				if _, err := os.Lstat(filepath.Join(cache, left)); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("%s was left: %v", left, err)
				}
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
				t.Errorf("beside the cache: %v %v", entries, err)
			}
		})
	}
}
