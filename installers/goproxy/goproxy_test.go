package goproxy

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/dirhash"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
)

const (
	path, version = "example.com/Upper/mod", "v1.2.3"
	goMod         = "module example.com/Upper/mod\n\ngo 1.13\n"
)

// published is a proxy with one module, and go.sum's hashes of it.
func published(t *testing.T) (*httptest.Server, []Pin) {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{"go.mod": goMod, "mod.go": "package mod\n\nfunc Answer() string { return \"forty-two\" }\n"} {
		w, err := z.Create(path + "@" + version + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "m.zip")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	zipSum, err := dirhash.HashZip(file, dirhash.Hash1)
	if err != nil {
		t.Fatal(err)
	}
	mod := filepath.Join(t.TempDir(), "go.mod")
	if err := os.WriteFile(mod, []byte(goMod), 0o600); err != nil {
		t.Fatal(err)
	}
	modSum, err := dirhash.HashDir(filepath.Dir(mod), "", dirhash.Hash1)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/proxy/example.com/!upper/mod/@v/v1.2.3.zip":
			_, _ = w.Write(b.Bytes())
		case "/proxy/example.com/!upper/mod/@v/v1.2.3.mod":
			_, _ = w.Write([]byte(goMod))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s, []Pin{{path, version, "zip", zipSum}, {path, version, "mod", modSum}}
}

// TestLockLayBuild goes the whole way: from a server into the store, from there
// into a folder, and from that through the real Go command, which may ask nobody
// else.
func TestLockLayBuild(t *testing.T) {
	server, pins := published(t)
	s := store.New(t.TempDir())
	modules, err := Lock(t.Context(), pins, server.URL+"/proxy", server.Client(), s)
	if err != nil {
		t.Fatal(err)
	}
	if len(modules) != 2 || modules[0].File.Size == 0 || modules[0].File.Mirrors[0] != server.URL+"/proxy/example.com/!upper/mod/@v/v1.2.3.zip" || !modules[0].File.Trusted {
		t.Errorf("%+v", modules)
	}
	server.Close()
	proxy := filepath.Join(t.TempDir(), "a folder")
	address, err := Lay(t.Context(), modules, s, proxy)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := Lay(t.Context(), modules, s, proxy); err != nil || again != address {
		t.Errorf("%s %v", again, err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module trial\n\ngo 1.13\n\nrequire " + path + " " + version + "\n",
		"go.sum":  path + " " + version + " " + pins[0].Sum + "\n" + path + " " + version + "/go.mod " + pins[1].Sum + "\n",
		"main.go": "package main\n\nimport mod \"" + path + "\"\n\nfunc main() { println(mod.Answer()) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "trial"), ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPROXY="+address, "GONOPROXY=none", "GOSUMDB=off", "GOFLAGS=-mod=readonly", "GOWORK=off", "GOTOOLCHAIN=local", "GOMODCACHE="+filepath.Join(dir, "cache"), "GO111MODULE=on")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	// The module cache is read-only, which TempDir cannot remove.
	clean := exec.CommandContext(context.Background(), "go", "clean", "-modcache")
	clean.Dir, clean.Env = dir, cmd.Env
	if out, err := clean.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestLockRefusesOtherBytes(t *testing.T) {
	server, pins := published(t)
	for _, i := range []int{0, 1} {
		other := pins[i]
		other.Sum = "h1:AAAA"
		_, err := Lock(t.Context(), []Pin{other}, server.URL+"/proxy", server.Client(), store.New(t.TempDir()))
		var f *step.Failure
		if !errors.As(err, &f) || f.Kind != step.HashMismatch {
			t.Errorf("got %v", err)
		}
	}
	for _, bad := range []Pin{{"../x", version, "zip", ""}, {path, "latest", "zip", ""}, {path, "v9.9.9", "zip", ""}} {
		if _, err := Lock(t.Context(), []Pin{bad}, server.URL+"/proxy", server.Client(), store.New(t.TempDir())); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestLayNeedsTheFiles(t *testing.T) {
	server, pins := published(t)
	modules, err := Lock(t.Context(), pins, server.URL+"/proxy", server.Client(), store.New(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lay(t.Context(), modules, store.New(t.TempDir()), t.TempDir()); !errors.Is(err, store.ErrAbsent) {
		t.Errorf("got %v", err)
	}
}

func TestBase(t *testing.T) {
	for list, want := range map[string]string{
		"https://proxy.example,direct":                          "https://proxy.example",
		"https://proxy.example/go/|direct":                      "https://proxy.example/go",
		"file:///srv,https://proxy.example":                     "https://proxy.example",
		"https://me:secret@inner.example,https://proxy.example": "https://proxy.example",
		"direct": "", "off": "",
	} {
		got, err := Base(t.Context(), hosttest.Parse(t, "-- env --\nGOPROXY="+list+"\n"), "")
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q %v", list, got, err)
		}
	}
}
