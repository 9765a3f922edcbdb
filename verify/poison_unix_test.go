//go:build unix

package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/engine"
)

// TestPoisonedReference: an entry that somebody else planted or edited, its own
// hash made to match, is not the truth that engines are compared with.
func TestPoisonedReference(t *testing.T) {
	f := newFiles(t)
	o := f.options(t, fake{name: "gocv"})
	run := func() *Result {
		t.Helper()
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if r.State != OK {
			t.Fatalf("%s: %v", r.State, r.Engines[0].Reasons)
		}
		return r
	}
	entry := func() string {
		t.Helper()
		list, err := filepath.Glob(filepath.Join(o.Cache, "reference", "*.heads"))
		if err != nil || len(list) == 0 {
			t.Fatal(list, err)
		}
		return list[0]
	}
	run()
	for _, c := range []struct {
		name  string
		spoil func(file string) error
	}{
		{"untouched", nil},
		{"forged values, hash made to match", forgeHeads},
		{"a file that all may write", func(file string) error { return os.Chmod(file, 0o666) }},
		{"a folder that all may write", func(file string) error { return os.Chmod(filepath.Dir(file), 0o777) }},
	} {
		if c.spoil != nil {
			if err := c.spoil(entry()); err != nil {
				t.Fatal(err)
			}
		}
		if r := run(); r.Reference.Reused != (c.spoil == nil) {
			t.Errorf("%s: reused %v", c.name, r.Reference.Reused)
		}
	}
	o.Fresh = true
	if r := run(); r.Reference.Reused {
		t.Error("a fresh reference is reused")
	}
}

// forgeHeads negates a value and makes the entry's own hash match.
func forgeHeads(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	line, values, _ := bytes.Cut(raw, []byte("\n"))
	var h headFile
	if err := json.Unmarshal(line, &h); err != nil {
		return err
	}
	data := engine.Floats(values)
	data[0] = -data[0]
	values = engine.AppendFloats(nil, data)
	sum := sha256.Sum256(values)
	h.SHA256 = hex.EncodeToString(sum[:])
	if line, err = json.Marshal(h); err != nil {
		return err
	}
	return os.WriteFile(file, append(append(line, '\n'), values...), 0o600)
}

func TestUnsafeCacheIsRefused(t *testing.T) {
	f := newFiles(t)
	o := f.options(t)
	if err := os.Chmod(o.Cache, 0o777); err != nil {
		t.Fatal(err)
	}
	var unsafe *cache.UnsafeError
	if _, err := Run(t.Context(), o); !errors.As(err, &unsafe) || !strings.Contains(err.Error(), o.Cache) {
		t.Errorf("%v", err)
	}
}

// TestPlantedSelfTest: the weights that deployctl brings along are written anew
// where another user could change them after they were checked.
func TestPlantedSelfTest(t *testing.T) {
	f := newFiles(t)
	o := f.options(t)
	o.Config, o.Weights, o.Names, o.Size, o.Image = "", "", "", 32, f.image
	m, err := resolve(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(m.weights.Path, 0o666); err != nil {
		t.Fatal(err)
	}
	if m, err = resolve(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(m.weights.Path); err != nil || info.Mode().Perm()&0o022 != 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// TestPlantedWeights: what lies where the published weights belong is used only
// if it is those.
func TestPlantedWeights(t *testing.T) {
	f := newFiles(t)
	o := f.options(t)
	o.Config, o.Weights, o.Names = "", "", ""
	dir := filepath.Join(o.Cache, "models")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "yolov3.weights")
	w, err := os.Create(file)
	if err == nil {
		err = errors.Join(w.Truncate(248007048), w.Close()) // sparse
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "not the published file") {
		t.Errorf("changed weights: %v", err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	var unsafe *cache.UnsafeError
	if _, err := Run(t.Context(), o); !errors.As(err, &unsafe) {
		t.Errorf("weights that all may write: %v", err)
	}
}
