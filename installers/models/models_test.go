package models

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
)

func TestFind(t *testing.T) {
	all, err := Known()
	if err != nil {
		t.Fatal(err)
	}
	if m, err := Find(all, "yolov3"); err != nil || m.Path("c") != filepath.Join("c", "models", "yolov3.weights") {
		t.Errorf("%v, %v: verify looks in models/yolov3.weights", m, err)
	}
	var unknown *UnknownError
	if _, err := Find(all, "yolov9"); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "yolov3-tiny") {
		t.Error(err)
	}
}

func TestParseRefuses(t *testing.T) {
	entry := "models:\n- {name: a, file: a.w, size: 1, sha256: " + strings.Repeat("a", 64) + ", mirrors: [\"https://h.invalid/a\"]}\n"
	if _, err := Parse([]byte(entry)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new string }{
		{"name: a,", "name: ../a,"}, {"file: a.w", "file: ../../a"}, {"file: a.w", "file: /etc/passwd"}, {"size: 1", "size: 0"}, {"size: 1", "size: many"},
		{"sha256: aa", "sha256: AA"}, {"https:", "http:"}, {"mirrors: [\"https://h.invalid/a\"]", "mirrors: []"}, {"size:", "sise:"}, {"models:", "modells:"},
		{"models:\n", entry}, {"\n", "\n\t"},
	} {
		if _, err := Parse([]byte(strings.Replace(entry, c.old, c.new, 1))); err == nil {
			t.Errorf("%s instead of %s was taken", c.new, c.old)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(list)
	f.Add([]byte("models: [{name: a}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := Parse(data)
		if err != nil {
			return
		}
		for _, m := range all {
			if p := m.Path("/c"); filepath.Dir(p) != filepath.FromSlash("/c/models") {
				t.Errorf("%q leaves its folder: %s", m.File, p)
			}
		}
	})
}

// standIn is a small file that plays the part of a model.
func standIn(t *testing.T, name string, body []byte) (Model, *atomic.Int32) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
	}))
	t.Cleanup(server.Close)
	sum := sha256.Sum256(body)
	return Model{Name: name, File: name + ".weights", Size: int64(len(body)), SHA256: store.Sum(hex.EncodeToString(sum[:])), Mirrors: []string{server.URL}}, &requests
}

func TestPull(t *testing.T) {
	m, requests := standIn(t, "small", []byte(strings.Repeat("weights", 1000)))
	cache := t.TempDir()
	o := download.Options{AllowHTTP: true}
	pull := func(want int32) {
		t.Helper()
		path, err := Pull(t.Context(), m, cache, o)
		if err != nil {
			t.Fatal(err)
		}
		if sum, err := store.Hash(t.Context(), path); err != nil || sum != m.SHA256 || path != m.Path(cache) || !m.Here(cache) {
			t.Fatalf("%s: %s, %v", path, sum, err)
		}
		if n := requests.Load(); n != want {
			t.Errorf("%d requests, want %d", n, want)
		}
	}
	pull(1)
	pull(1) // there already
	if err := os.Remove(m.Path(cache)); err != nil {
		t.Fatal(err)
	}
	pull(1) // from the store
	// Damaged in place: the model and the store are one file by a hard link.
	if err := os.WriteFile(m.Path(cache), bytes.Repeat([]byte("w"), int(m.Size)), 0o600); err != nil {
		t.Fatal(err)
	}
	pull(2)
	// A file put there by hand is taken as it is, without the store.
	if err := os.RemoveAll(filepath.Join(cache, "store")); err != nil {
		t.Fatal(err)
	}
	pull(2)

	// Offline with nothing here: named, and nothing in the folder.
	empty := t.TempDir()
	_, err := Pull(t.Context(), m, empty, download.Options{AllowHTTP: true, Offline: true})
	var e *download.Error
	if !errors.As(err, &e) || e.Kind != download.Offline || !strings.Contains(err.Error(), "small.weights") {
		t.Error(err)
	}
	// A mirror with another file: an older model stays.
	old := []byte("an older model")
	if err := os.WriteFile(m.Path(cache), old, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := m
	bad.SHA256 = store.Sum(strings.Repeat("0", 64))
	if _, err := Pull(t.Context(), bad, cache, o); !errors.As(err, &e) || e.Kind != step.HashMismatch {
		t.Error(err)
	}
	if got, err := os.ReadFile(m.Path(cache)); err != nil || !bytes.Equal(got, old) {
		t.Error("the older model is gone")
	}
}

func TestImport(t *testing.T) {
	a, _ := standIn(t, "a", []byte("model a"))
	b, requests := standIn(t, "b", []byte("model b"))
	all := []Model{a, b}
	cache, dir := t.TempDir(), t.TempDir()
	write := func(text string) string {
		p := filepath.Join(dir, "download (1)")
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	m, path, err := Import(t.Context(), all, cache, write("model b"))
	if err != nil || m.Name != "b" || path != b.Path(cache) || !b.Here(cache) {
		t.Fatalf("%v %s %v", m, path, err)
	}
	if _, err := Pull(t.Context(), b, cache, download.Options{Offline: true, AllowHTTP: true}); err != nil || requests.Load() != 0 {
		t.Errorf("after the import: %v", err)
	}
	var strange *StrangeError
	if _, _, err := Import(t.Context(), all, cache, write("model c")); !errors.As(err, &strange) || strange.Like == "" {
		t.Error(err)
	}
	if _, _, err := Import(t.Context(), all, cache, write("short")); !errors.As(err, &strange) || strange.Like != "" || strange.Size != 5 {
		t.Error(err)
	}
	for _, p := range []string{dir, filepath.Join(dir, "none")} {
		if _, _, err := Import(t.Context(), all, cache, p); err == nil {
			t.Errorf("%s was imported", p)
		}
	}
}
