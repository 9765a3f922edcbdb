package wheel

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/files"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/wheeltag"
)

// made makes a wheel; its members come in pairs of name and body.
func made(t *testing.T, members ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(members); i += 2 {
		w, err := z.Create(members[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(members[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sumOf(body []byte) store.Sum {
	sum := sha256.Sum256(body)
	return store.Sum(hex.EncodeToString(sum[:]))
}

// fake is a package index with files; asked are the requests that it got, with
// the user that they named.
type fake struct {
	*httptest.Server
	asked []string
	// html: it knows the older form of the answer only.
	html bool
	// password is what it asks for, "" for none.
	password string
	files    map[string][]byte
	yanked   map[string]bool
	python   map[string]string
	// published replaces the hash of a file.
	published map[string]string
}

func newFake(t *testing.T) *fake {
	f := &fake{files: map[string][]byte{}, yanked: map[string]bool{}, python: map[string]string{}, published: map[string]string{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	f.asked = append(f.asked, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+user))
	if f.password != "" && password != f.password {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if name, ok := strings.CutPrefix(r.URL.Path, "/files/"); ok {
		body, ok := f.files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
		return
	}
	project := strings.Trim(strings.TrimPrefix(r.URL.Path, "/simple"), "/")
	var names []string
	for name := range f.files {
		if n, ok := wheeltag.Parse(name); ok && wheeltag.Normal(n.Project) == project {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if len(names) == 0 {
		http.NotFound(w, r)
		return
	}
	sum := func(name string) string {
		if p, ok := f.published[name]; ok {
			return p
		}
		return string(sumOf(f.files[name]))
	}
	var rows []string
	if f.html || !strings.Contains(r.Header.Get("Accept"), simpleJSON) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for _, name := range names {
			more := ""
			if f.yanked[name] {
				more = ` data-yanked="broken"`
			}
			rows = append(rows, fmt.Sprintf(`<a href="../../files/%s#sha256=%s" data-requires-python="%s"%s>%s</a><br>`, name, sum(name), strings.ReplaceAll(f.python[name], ">", "&gt;"), more, name))
		}
		fmt.Fprintf(w, "<!DOCTYPE html><html><!-- <a href=\"../../files/comment-1-py3-none-any.whl\"> --><body>\n%s\n</body></html>", strings.Join(rows, "\n"))
		return
	}
	w.Header().Set("Content-Type", simpleJSON)
	for _, name := range names {
		rows = append(rows, fmt.Sprintf(`{"filename":%q,"url":"/files/%s","hashes":{"sha256":%q},"requires-python":%q,"yanked":%v,"size":%d}`,
			name, name, sum(name), f.python[name], f.yanked[name], len(f.files[name])))
	}
	fmt.Fprintf(w, `{"meta":{"api-version":"1.1"},"name":%q,"files":[%s]}`, project, strings.Join(rows, ","))
}

func (f *fake) index(t *testing.T, address string) *Index {
	t.Helper()
	x, err := Config{Indexes: []string{address}, From: "PIP_INDEX_URL"}.Open()
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func machine(env map[string]string) *host.Host {
	return host.Overlay(hosttest.Empty("linux", "amd64"), env)
}

var debian = wheeltag.Target{OS: "linux", Arch: "amd64", Glibc: "2.36"}

func failureOf(t *testing.T, err error) *step.Failure {
	t.Helper()
	var f *step.Failure
	if !errors.As(err, &f) {
		t.Fatalf("got %v, want a *step.Failure", err)
	}
	return f
}

// TestResolve: both forms of the answer give the same.
func TestResolve(t *testing.T) {
	const tag = "-py3-none-manylinux2014_x86_64.whl"
	for _, html := range []bool{false, true} {
		f := newFake(t)
		f.html = html
		for _, v := range []string{"1.9", "1.10", "1.10.post1", "2.0", "2.1rc1", "2.2", "3.0"} {
			f.files["some_thing-"+v+tag] = []byte("wheel " + v)
		}
		f.files["some_thing-4.0-py3-none-win_amd64.whl"] = []byte("for Windows")
		f.files["some_thing-4.0.tar.gz"] = []byte("sources")
		f.yanked["some_thing-2.2"+tag] = true
		f.python["some_thing-3.0"+tag] = ">=3.12"
		python := debian
		python.Python = "3.11"
		tests := []struct {
			want   string
			spec   string
			target wheeltag.Target
		}{
			{"3.0", "", debian},
			{"2.0", "", python}, // 3.0 requires a newer one, 2.2 is yanked, 2.1rc1 unfinished
			{"2.2", "==2.2", debian},
			{"2.0", ">=2,<2.3", debian},
			{"2.1rc1", ">=2.1rc1,<2.2", debian},
			{"1.10.post1", "~=1.9", debian},
			{"1.10", "==1.10", debian},
			{"1.10.post1", "==1.*", debian},
			{"1.9", "<1.10", debian},
			{"", "==9", debian},
			{"", "", wheeltag.Target{OS: "darwin", Arch: "arm64", MacOS: "14"}},
		}
		for _, tt := range tests {
			pin, err := f.index(t, f.URL+"/simple/").Resolve(context.Background(), "Some.Thing", tt.spec, tt.target)
			if tt.want == "" {
				if got := failureOf(t, err); got.Kind != step.NotFound {
					t.Errorf("html %v, %q: got %v", html, tt.spec, got)
				}
				continue
			}
			if err != nil || pin.Version != tt.want || pin.SHA256 != sumOf([]byte("wheel "+tt.want)) || pin.Size != int64(len("wheel "+tt.want)) {
				t.Errorf("html %v, %q: got %+v, %v, want %s", html, tt.spec, pin, err, tt.want)
			}
		}
		if _, err := f.index(t, f.URL+"/simple/").Resolve(context.Background(), "some-thing", "=1", debian); err == nil {
			t.Error("a condition that is none was accepted")
		}
	}
}

func fetched(name string, body []byte) step.Fetch {
	return step.Fetch{Name: name, Size: int64(len(body)), SHA256: string(sumOf(body)), Project: "thing"}
}

// TestFetch: a locked file comes from the configured index and no other place,
// with the password of the index, which no error shows.
func TestFetch(t *testing.T) {
	const name = "thing-1-py3-none-any.whl"
	body := made(t, "thing/a", "a")
	setup := func(t *testing.T) (*fake, string, download.Options) {
		f := newFake(t)
		f.files[name] = body
		f.password = "s3cret"
		return f, strings.Replace(f.URL, "://", "://me:s3cret@", 1) + "/simple", download.Options{Store: store.New(t.TempDir()), Tries: 1}
	}
	get := func(f *fake, address string, file step.Fetch, o download.Options) error {
		return Fetcher(machine(map[string]string{"PIP_INDEX_URL": address}))(context.Background(), file, o)
	}
	t.Run("the file, and again from the store", func(t *testing.T) {
		f, address, o := setup(t)
		for range 2 {
			if err := get(f, address, fetched(name, body), o); err != nil {
				t.Fatal(err)
			}
		}
		if want := []string{"GET /simple/thing/ me", "GET /files/" + name + " me"}; !slices.Equal(f.asked, want) {
			t.Errorf("asked for %q, want %q", f.asked, want)
		}
	})
	t.Run("a wrong password is not shown", func(t *testing.T) {
		f, address, o := setup(t)
		f.password = "another"
		err := get(f, address, fetched(name, body), o)
		if got := failureOf(t, err); got.Kind != step.Refused || strings.Contains(got.Error(), "s3cret") || !strings.Contains(got.Error(), "401") {
			t.Errorf("got %v", got)
		}
	})
	t.Run("an index that does not answer", func(t *testing.T) {
		f, address, o := setup(t)
		f.Close()
		err := get(f, address, fetched(name, body), o)
		if got := failureOf(t, err); got.Kind != step.NoNetwork || strings.Contains(got.Error(), "s3cret") {
			t.Errorf("got %v", got)
		}
	})
	t.Run("the index publishes another hash", func(t *testing.T) {
		f, address, o := setup(t)
		f.published[name] = strings.Repeat("0", 64)
		if got := failureOf(t, get(f, address, fetched(name, body), o)); got.Kind != step.HashMismatch {
			t.Errorf("got %v", got)
		}
	})
	t.Run("the file is another", func(t *testing.T) {
		f, address, o := setup(t)
		f.published[name] = string(sumOf(body))
		f.files[name] = bytes.Repeat([]byte("x"), len(body))
		err := get(f, address, fetched(name, body), o)
		var got *download.Error
		if !errors.As(err, &got) || got.Kind != step.HashMismatch || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("the index has no such file", func(t *testing.T) {
		f, address, o := setup(t)
		err := get(f, address, fetched("thing-2-py3-none-any.whl", body), o)
		if got := failureOf(t, err); got.Kind != step.NotFound || strings.Contains(got.Error(), "s3cret") {
			t.Errorf("got %v", got)
		}
	})
	t.Run("offline", func(t *testing.T) {
		f, address, o := setup(t)
		o.Offline = true
		err := get(f, address, fetched(name, body), o)
		var got *download.Error
		if !errors.As(err, &got) || got.Kind != download.Offline || len(f.asked) != 0 {
			t.Errorf("got %v, asked %q", err, f.asked)
		}
	})
	t.Run("a folder of wheels", func(t *testing.T) {
		_, _, o := setup(t)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o600); err != nil {
			t.Fatal(err)
		}
		h := machine(map[string]string{"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": dir})
		if err := Fetcher(h)(context.Background(), fetched(name, body), o); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a password goes to its own host only", func(t *testing.T) {
		_, _, o := setup(t)
		files := newFake(t) // another port is another host
		files.files[name] = body
		index := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", simpleHTML)
			fmt.Fprintf(w, `<a href="%s/files/%s">x</a>`, files.URL, name)
		}))
		t.Cleanup(index.Close)
		if err := get(nil, strings.Replace(index.URL, "://", "://me:s3cret@", 1), fetched(name, body), o); err != nil {
			t.Fatal(err)
		}
		if want := []string{"GET /files/" + name}; !slices.Equal(files.asked, want) {
			t.Errorf("the other host was asked %q, want %q", files.asked, want)
		}
	})
}

// TestUnpack: what the patterns name goes to its folder with the links and the
// packages that tools look for, whole or not at all; undoing removes the folder
// unless it was changed.
func TestUnpack(t *testing.T) {
	body := made(t, "thing/__init__.py", "", "thing/include/__init__.py", "", "thing/include/a.h", "h", "thing/include/deep/b.h", "h",
		"thing/lib/libthing.so.1.2", "not ELF", "thing/lib/libthing.2.dylib", "mach", "thing/lib/thing.py", "x", "thing-1.data/scripts/tool", "#!")
	w := recipes.Wheel{
		Name: "thing-1", Project: "thing", Version: "1", Loader: "lib", Programs: "bin",
		Take:  map[string]string{"thing/include/**": "include", "thing/lib/lib*": "lib", "thing-1.data/scripts/tool": "bin", "thing/bin/*.dll": "lib"},
		Links: map[string]string{"lib/libalias.so": "libthing.so.1.2", "lib/libother.so": "libother.so.9"}, PkgConfig: map[string][]string{"thing": {"thing"}}, CMake: map[string][]string{"Thing": {"thing"}},
	}
	run := func(t *testing.T, body []byte, w recipes.Wheel) (string, step.Step, Worker, error) {
		t.Helper()
		s := store.New(t.TempDir())
		dir := t.TempDir()
		file := filepath.Join(dir, "thing-1-py3-none-any.whl")
		if err := os.WriteFile(file, body, 0o600); err != nil {
			t.Fatal(err)
		}
		pin := recipes.WheelFile{File: "thing-1-py3-none-any.whl", Size: recipes.Bytes(len(body)), SHA256: string(sumOf(body))}
		if _, err := download.Import(context.Background(), download.Artifact{Name: pin.File, Size: int64(len(body)), SHA256: sumOf(body), Mirrors: []string{"https://a.example/x"}}, s, file); err != nil {
			t.Fatal(err)
		}
		into := filepath.Join(dir, "opt", "thing-1")
		st := step.Step{ID: "thing-1.wheel", Mechanism: Name, Action: step.Install, With: Unpack(w, pin, "linux", into)}
		worker := Worker{Store: s}
		if done, err := worker.Done(context.Background(), st); done || err != nil {
			t.Fatalf("before: done %v, %v", done, err)
		}
		return into, st, worker, worker.Do(context.Background(), st, func(step.Progress) {})
	}
	t.Run("whole", func(t *testing.T) {
		into, st, worker, err := run(t, body, w)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := filepath.WalkDir(into, func(p string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, err := filepath.Rel(into, p)
			if target, lerr := os.Readlink(p); lerr == nil {
				rel += " -> " + target
			}
			got = append(got, filepath.ToSlash(rel))
			return err
		}); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"bin/tool", "include/a.h", "include/deep/b.h", "lib/cmake/Thing/ThingConfig.cmake", "lib/cmake/Thing/ThingConfigVersion.cmake",
			"lib/libalias.so -> libthing.so.1.2", "lib/libthing.2.dylib", "lib/libthing.dylib -> libthing.2.dylib", "lib/libthing.so -> libthing.so.1.2",
			"lib/libthing.so.1.2", "lib/pkgconfig/thing.pc",
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		ctx := context.Background()
		if done, err := worker.Done(ctx, st); !done || err != nil {
			t.Errorf("after: done %v, %v", done, err)
		}
		state, err := worker.State(ctx, st)
		if err != nil {
			t.Fatal(err)
		}
		back := step.Step{Mechanism: Name, Action: step.Remove, Take: []step.Take{{Name: into, Version: state[into]}}}
		if err := os.WriteFile(filepath.Join(into, "include", "mine.h"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := failureOf(t, worker.Do(ctx, back, func(step.Progress) {})); got.Kind != step.Changed {
			t.Errorf("a changed folder: %v", got)
		}
		if err := os.Remove(filepath.Join(into, "include", "mine.h")); err != nil {
			t.Fatal(err)
		}
		if err := worker.Do(ctx, back, func(step.Progress) {}); err != nil {
			t.Fatal(err)
		}
		if done, err := worker.Done(ctx, back); !done || err != nil {
			t.Errorf("undone: done %v, %v", done, err)
		}
		if left, err := filepath.Glob(filepath.Dir(into) + "/*"); err != nil || len(left) > 0 {
			t.Errorf("left %q, %v", left, err)
		}
	})
	t.Run("a pattern that matches nothing leaves nothing", func(t *testing.T) {
		wrong := w
		wrong.Take = map[string]string{"thing/lib/lib*": "lib", "thing/headers/**": "include"}
		into, _, _, err := run(t, body, wrong)
		if err == nil || !strings.Contains(err.Error(), "thing/headers/**") {
			t.Errorf("got %v", err)
		}
		if left, err := filepath.Glob(filepath.Dir(into) + "/.*deployctl*"); err != nil || len(left) > 0 {
			t.Errorf("left %q, %v", left, err)
		}
		if _, err := os.Lstat(into); err == nil {
			t.Error("half a folder was left")
		}
	})
	t.Run("a wheel that leads outside", func(t *testing.T) {
		evil := w
		evil.Take = map[string]string{"**": "."}
		if _, _, _, err := run(t, made(t, "../evil", "x"), evil); err == nil {
			t.Error("it was unpacked")
		}
	})
}

func TestSoname(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := root.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, name := range []string{"..", "a/b", `a\b`, ".", "a\x00b"} {
		if plain(name) == nil {
			t.Errorf("%q is accepted as the name of a file", name)
		}
	}
	if err := plain("libx.so.1"); err != nil {
		t.Error(err)
	}
	if err := root.WriteFile("libx.so.1", []byte("\x7fELF cut short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := soname(root, "libx.so.1"); err == nil {
		t.Error("half an ELF file is accepted")
	}
}

// TestFetchAllNeedsIndex: a file of a project is never looked for elsewhere.
func TestFetchAllNeedsIndex(t *testing.T) {
	body := []byte("x")
	err := files.FetchAll{Options: download.Options{Store: store.New(t.TempDir())}}.Fetch(context.Background(), []step.Fetch{fetched("thing-1-py3-none-any.whl", body)}, func(step.Progress) {})
	if err == nil || !strings.Contains(err.Error(), "index") {
		t.Errorf("got %v", err)
	}
}
