package export

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/cmake"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/envedit"
	"github.com/deployctl/deployctl/installers/files"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
)

// scripts are the commands that a format's output hands to a POSIX shell, as
// its own reader finds them.
func scripts(t *testing.T, f Format, text string) []string {
	t.Helper()
	switch f {
	case Shell:
		return []string{text}
	case Dockerfile:
		return runLines(text)
	case Ansible:
		var plays []struct {
			Tasks []struct {
				Shell struct{ Cmd string } `yaml:"ansible.builtin.shell"`
			}
		}
		if err := yaml.Unmarshal([]byte(strings.ReplaceAll(text, "!unsafe ", "")), &plays); err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, task := range plays[0].Tasks {
			all = append(all, task.Shell.Cmd)
		}
		return all
	case PowerShell:
		var all []string
		_, text, _ = strings.Cut(text, "\n# 1 of ")
		for _, call := range strings.Split(text, "Invoke-Argv @(\n")[1:] {
			words := powerShellRead(call)
			if len(words) < 3 || words[0] != "/bin/sh" || words[1] != "-c" {
				t.Fatalf("a call of something else: %.200q", call)
			}
			all = append(all, words[2])
		}
		return all
	}
	t.Fatalf("no format %s", f)
	return nil
}

// run writes a plan and runs what a POSIX shell gets of it. It gives what that
// printed, and the error of the first script that failed.
func run(t *testing.T, f Format, steps []installers.Step, env ...string) (string, error) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no /bin/sh on Windows")
	}
	var b bytes.Buffer
	if err := Write(&b, f, &installers.Plan{Steps: steps}, About{Recipe: "files"}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	temp := t.TempDir()
	for _, s := range scripts(t, f, b.String()) {
		cmd := exec.Command("/bin/sh", "-c", s)
		if f == Shell { // as … | sh
			cmd = exec.Command("/bin/sh")
			cmd.Stdin = strings.NewReader(s)
		}
		cmd.Env = append([]string{"PATH=/usr/bin:/bin", "TMPDIR=" + temp}, env...)
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		if left, lerr := os.ReadDir(temp); lerr != nil || len(left) > 0 {
			t.Errorf("%s: the work folder stays: %v, %v", f, left, lerr)
		}
		if err != nil {
			return out.String(), err
		}
	}
	return out.String(), nil
}

type entry struct {
	name, body, link string
	mode             int64
}

// tree is a small source tree with all that an unpacker may get wrong.
var tree = []entry{
	{name: "top-1.0/", mode: 0o2700},
	{name: "top-1.0/.hidden", body: "h", mode: 0o600},
	{name: "top-1.0/bin/run me.sh", body: "#!/bin/sh\n", mode: 0o6711},
	{name: "top-1.0/lib/liba.so.1", body: "elf", mode: 0o640},
	{name: "top-1.0/lib/liba.so", link: "liba.so.1"},
	{name: "top-1.0/empty/", mode: 0o500},
	{name: "README", body: "beside", mode: 0o644},
	{name: ".config/more", body: "of another folder", mode: 0o644},
}

func tarGz(t *testing.T, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(e.body)), Typeflag: tar.TypeReg, Uid: 12345, Gid: 12345}
		switch {
		case e.link != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		case strings.HasSuffix(e.name, "/"):
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipped(t *testing.T, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(fs.FileMode(e.mode & 0o777))
		if strings.HasSuffix(e.name, "/") {
			h.SetMode(fs.ModeDir | 0o755)
		}
		if e.link != "" {
			e.body = e.link
			h.Method = zip.Store // as Info-ZIP does; busybox reads no other
			h.SetMode(fs.ModeSymlink | 0o777)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(e.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// server serves files on this machine's loopback, and counts.
type server struct {
	*httptest.Server
	files sync.Map // name to bytes
	asked atomic.Int32
}

func serve(t *testing.T) *server {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		data, ok := s.files.Load(strings.TrimPrefix(r.URL.Path, "/"))
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write(data.([]byte)) //nolint:errcheck // the client notices
	}))
	t.Cleanup(s.Close)
	return s
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// fetch is the step that fetches a file of the server. Its first address has
// another file, its second nothing.
func (s *server) fetch(name string, data []byte) installers.Step {
	s.files.Store(name, data)
	s.files.Store("wrong-"+name, bytes.ToUpper(data))
	return installers.Step{ID: name + ".fetch", Title: "Fetch " + name, Mechanism: "fetch", Action: step.Install,
		With: &step.Fetch{Name: name, Size: int64(len(data)), SHA256: sumOf(data), Trusted: true,
			Mirrors: []string{s.URL + "/wrong-" + name, s.URL + "/absent", s.URL + "/" + name}}}
}

// fakeCMake records how it was called and makes what it was asked to.
const fakeCMake = `#!/bin/sh
{ pwd; printf '%s\n' "$LC_ALL" "${DESTDIR-}" "$@"; } >>"${0%/*}/calls"
if [ "$1" = --install ]; then
  mkdir -p "$DESTDIR$(cat "${0%/*}/product")/bin"
  echo built >"$DESTDIR$(cat "${0%/*}/product")/bin/tool"
fi
`

// everyKind is a plan beneath a folder with steps of every mechanism that works
// on files.
func everyKind(t *testing.T, s *server, dir string) []installers.Step {
	t.Helper()
	sources, library, weights := tarGz(t, tree), zipped(t, tree), []byte("weights")
	work, product, staged := dir+"/cache/build/x", dir+"/opt/x", dir+"/opt/.x.deployctl-partial"
	tool := dir + "/tool/cmake"
	for name, text := range map[string]string{tool: fakeCMake, dir + "/tool/product": product} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	build := func(stage string, env []string, staged string, argv ...string) installers.Step {
		return installers.Step{ID: "x." + stage, Title: stage + " x", Mechanism: "cmake", Action: step.Install, Argv: append([]string{tool}, argv...),
			Undo: "nothing to undo",
			With: &step.Build{Stage: stage, Dir: work + "/build", Work: work, Env: append([]string{"LC_ALL=C"}, env...), Product: product, Staged: staged, Key: "k e'y"}}
	}
	return []installers.Step{
		s.fetch("sources.tar.gz", sources),
		{ID: "x.unpack", Title: "Unpack sources.tar.gz", Mechanism: "unpack", Action: step.Install, Undo: "nothing to undo",
			With: &step.Unpack{SHA256: sumOf(sources), Size: int64(len(sources)), Format: "tar.gz", Strip: 1, Into: work + "/source", Work: true, Product: product}},
		build("configure", nil, "", "-S", work+"/source", "-B", work+"/build", "-DA=b c;d"),
		build("compile", nil, "", "--build", work+"/build", "--parallel", "2"),
		build("install", []string{"DESTDIR=" + staged}, staged, "--install", work+"/build"),
		{ID: "x.env", Title: "Let new shells find x (PATH, PKG_CONFIG_PATH)", Mechanism: "envedit", Action: step.Install, With: step.Edits{
			{Name: "PATH", Value: product + "/bin", Prepend: true, Scope: "user"},
			{Name: "PKG_CONFIG_PATH", Value: product + "/lib/pkgconfig", Prepend: true, Scope: "user"}}},
		{ID: "x.tidy", Title: "Remove the sources and objects of the build", Mechanism: "unpack", Action: step.Tidy, Undo: "nothing to undo: only the build needed them",
			Take: []step.Take{{Name: work, Version: files.Scratch}}},
		s.fetch("library.zip", library),
		{ID: "l.unpack", Title: "Take the libraries out of library.zip", Mechanism: "unpack", Action: step.Install,
			With: &step.Unpack{SHA256: sumOf(library), Size: int64(len(library)), Format: "zip", Into: dir + "/cache/runtimes/l",
				Files: map[string]string{"top-1.0/lib/liba.so.1": "lib/liba.so.1", "top-1.0/bin/run me.sh": "run"}}},
		{ID: "s.unpack", Title: "Unpack sources.tar.gz again", Mechanism: "unpack", Action: step.Install,
			With: &step.Unpack{SHA256: sumOf(sources), Size: int64(len(sources)), Format: "tar.gz", Into: dir + "/opt/whole"}},
		s.fetch("model.weights", weights),
		{ID: "m.place", Title: "Put model.weights where it is looked for", Mechanism: "place", Action: step.Install,
			With: &step.Place{SHA256: sumOf(weights), Size: int64(len(weights)), Path: dir + "/cache/models/model.weights"}},
	}
}

// applied carries the steps out as deployctl does, environment left out.
func applied(t *testing.T, s *server, dir string) {
	t.Helper()
	options := download.Options{Store: store.New(dir + "/cache")}
	run := func(ctx context.Context, c cmake.Command, _ func(string)) (int, error) {
		cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
		cmd.Dir, cmd.Env = c.Dir, append(os.Environ(), c.Env...)
		return 0, cmd.Run()
	}
	type worker interface {
		Done(context.Context, step.Step) (bool, error)
		Do(context.Context, step.Step, func(step.Progress)) error
	}
	for _, x := range everyKind(t, s, dir) {
		w := map[string]worker{"fetch": files.Fetch{Options: options}, "unpack": files.Unpack{Store: options.Store}, "place": files.Place{Store: options.Store}, "cmake": cmake.Worker{Run: run}}[x.Mechanism]
		if w == nil {
			continue
		}
		if err := w.Do(t.Context(), x, func(step.Progress) {}); err != nil {
			t.Fatalf("%s: %v", x.ID, err)
		}
		if done, err := w.Done(t.Context(), x); err != nil || !done {
			t.Fatalf("%s: %v, %v", x.ID, done, err)
		}
	}
}

// made are the files that the steps leave, with digest and mode.
func made(t *testing.T, dir string) map[string]string {
	t.Helper()
	state := map[string]string{}
	for _, sub := range []string{"opt", "cache"} {
		err := filepath.WalkDir(dir+"/"+sub, func(name string, d fs.DirEntry, err error) error {
			rel := strings.TrimPrefix(name, dir)
			if err != nil {
				return err
			}
			if rel == "/cache/store" {
				return fs.SkipDir
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			mode := info.Mode()
			if strings.HasPrefix(rel, "/cache") && d.IsDir() && strings.Count(rel, "/") < 3 {
				mode = 0 // deployctl's store makes the cache folder for itself
			}
			digest := ""
			if !d.IsDir() {
				digest, err = files.Digest(t.Context(), name)
			}
			state[rel] = fmt.Sprintf("%v %s", mode, digest)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return state
}

// TestFilesEndInTheSameState runs what each language hands to a shell, twice,
// and compares with what deployctl itself makes of the same steps.
func TestFilesEndInTheSameState(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no /bin/sh on Windows")
	}
	s := serve(t)
	reference := t.TempDir()
	applied(t, s, reference)
	want := made(t, reference)
	calls, err := os.ReadFile(reference + "/tool/calls")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range Formats() {
		t.Run(string(f), func(t *testing.T) {
			dir := t.TempDir()
			steps := everyKind(t, s, dir)
			if out, err := run(t, f, steps, "HOME="+dir, "LC_ALL=C.UTF-8"); err != nil {
				t.Fatalf("%v:\n%s", err, out)
			}
			if d := cmp.Diff(want, made(t, dir)); d != "" {
				t.Errorf("another state than deployctl's:\n%s", d)
			}
			got, err := os.ReadFile(dir + "/tool/calls")
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(strings.ReplaceAll(string(calls), reference, dir), string(got)); d != "" {
				t.Errorf("CMake was called otherwise:\n%s", d)
			}
			asked := s.asked.Load()
			profile, err := os.ReadFile(dir + "/.profile")
			if err != nil {
				t.Fatal(err)
			}
			out, err := run(t, f, steps, "HOME="+dir)
			if err != nil {
				t.Fatalf("the second time: %v:\n%s", err, out)
			}
			if n := strings.Count(out, "done already\n"); n != 9 || s.asked.Load() != asked {
				t.Errorf("the second time %d steps of 9 were done already, and %d files were asked for:\n%s", n, s.asked.Load()-asked, out)
			}
			again, err := os.ReadFile(dir + "/.profile")
			if err != nil || string(again) != string(profile) {
				t.Errorf("the second time .profile became %q (%v)", again, err)
			}
			if d := cmp.Diff(want, made(t, dir)); d != "" {
				t.Errorf("the second time:\n%s", d)
			}
		})
	}
}

// TestFilesAreNotWrittenOver: what somebody else put there stays, and the
// script stops.
func TestFilesAreNotWrittenOver(t *testing.T) {
	s := serve(t)
	for _, f := range Formats() {
		for _, c := range []struct{ at, content, want string }{
			{"/cache/models/model.weights", "mine", "is another file"},
			{"/opt/x/mine", "mine", "was made differently"},
			{"/.profile", "# >>> deployctl >>>\n", "does not end"},
		} {
			dir := t.TempDir()
			steps := everyKind(t, s, dir)
			at := dir + c.at
			if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(c.content), 0o644)); err != nil {
				t.Fatal(err)
			}
			out, err := run(t, f, steps, "HOME="+dir)
			if err == nil || !strings.Contains(out, c.want) {
				t.Errorf("%s with %s there: %v:\n%s", f, c.at, err, out)
			}
			if got, err := os.ReadFile(at); err != nil || string(got) != c.content {
				t.Errorf("%s: %s became %q (%v)", f, c.at, got, err)
			}
		}
	}
}

// TestFetchers runs the script with one program to fetch files with, or none.
func TestFetchers(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no /bin/sh on Windows")
	}
	s := serve(t)
	data := []byte("weights")
	for _, c := range []struct{ tool, want string }{
		{"curl", ""}, {"wget", ""}, {"apt-helper", ""}, {"", "install curl or wget"},
	} {
		t.Run("with "+c.tool, func(t *testing.T) {
			dir := t.TempDir()
			for _, name := range []string{"mktemp", "rm", "mkdir", "cp", "mv", "wc", "sha256sum", "cut", "cat", c.tool} {
				if found, err := exec.LookPath(name); err == nil {
					if err := os.Symlink(found, filepath.Join(dir, name)); err != nil {
						t.Fatal(err)
					}
				} else if name == c.tool && name != "" && name != "apt-helper" {
					t.Skip(err)
				}
			}
			const helper = "/usr/lib/apt/apt-helper"
			_, err := os.Stat(helper)
			if c.tool == "apt-helper" && err != nil {
				t.Skip(err)
			}
			to := dir + "/to/model"
			steps := []installers.Step{s.fetch("model", data), {ID: "m.place", Title: "Put", Mechanism: "place", Action: step.Install,
				With: &step.Place{SHA256: sumOf(data), Size: int64(len(data)), Path: to}}}
			var b bytes.Buffer
			if err := Write(&b, Shell, &installers.Plan{Steps: steps}, About{}); err != nil {
				t.Fatal(err)
			}
			text := b.String()
			if c.tool == "" {
				text = strings.ReplaceAll(text, helper, "/nowhere")
			}
			cmd := exec.Command("/bin/sh", "-c", text)
			cmd.Env = []string{"PATH=" + dir, "TMPDIR=" + dir}
			out, err := cmd.CombinedOutput()
			if (err != nil) != (c.want != "") || !strings.Contains(string(out), c.want) {
				t.Fatalf("%v:\n%s", err, out)
			}
			if c.want == "" {
				if got, err := os.ReadFile(to); err != nil || string(got) != string(data) {
					t.Errorf("%q, %v", got, err)
				}
				if !strings.Contains(string(out), "/wrong-model gives another file") && c.tool != "apt-helper" {
					t.Errorf("the wrong file was not noticed:\n%s", out)
				}
			}
			if left, _ := filepath.Glob(dir + "/tmp.*"); len(left) > 0 {
				t.Errorf("the work folder stays: %v", left)
			}
		})
	}
}

// names are hostile words that can be a file's name.
func names(f Format) []string {
	var out []string
	for _, w := range append(slices.Clone(hostile), "EOF", " lead", "trail ", "a\\\nb") {
		if w == "" || w == "." || w == ".." || strings.Contains(w, "/") || slices.Contains(out, w) || f == Dockerfile && strings.ContainsAny(w, "\r\n") {
			continue
		}
		out = append(out, w)
	}
	return out
}

// TestHostilePaths makes folders and files of every hostile name, in each of
// the places where a path stands.
func TestHostilePaths(t *testing.T) {
	s := serve(t)
	weights := []byte("weights")
	for _, f := range Formats() {
		t.Run(string(f), func(t *testing.T) {
			dir := t.TempDir()
			all := names(f)
			var entries []entry
			picks := map[string]string{}
			for i, n := range all {
				if !strings.ContainsAny(n, "\\") { // tar reads \ in a name as itself, but keep to what all systems take
					entries = append(entries, entry{name: fmt.Sprintf("%d/%s", i, n), body: n, mode: 0o644})
					picks[entries[len(entries)-1].name] = fmt.Sprintf("to/%d/%s", i, n)
				}
			}
			data, small := tarGz(t, entries), tarGz(t, []entry{{name: "a file", body: "a", mode: 0o644}})
			steps := []installers.Step{s.fetch("names.tar.gz", data), s.fetch("small.tar.gz", small), s.fetch("weights", weights)}
			steps = append(steps, installers.Step{ID: "picks", Title: "picks", Mechanism: "unpack", Action: step.Install,
				With: &step.Unpack{SHA256: sumOf(data), Size: int64(len(data)), Format: "tar.gz", Into: dir + "/picked", Files: picks}})
			var paths []string
			for part := range slices.Chunk(all, 5) { // each step is a process
				paths = append(paths, fmt.Sprintf("%s/%d/%s", dir, len(paths), strings.Join(part, "/")))
			}
			for _, p := range paths {
				if err := os.MkdirAll(p+".work/x", 0o755); err != nil {
					t.Fatal(err)
				}
				steps = append(steps,
					installers.Step{ID: "p", Title: "p", Mechanism: "place", Action: step.Install, With: &step.Place{SHA256: sumOf(weights), Size: int64(len(weights)), Path: p}},
					installers.Step{ID: "u", Title: "u", Mechanism: "unpack", Action: step.Install, With: &step.Unpack{SHA256: sumOf(small), Size: int64(len(small)), Format: "tar.gz", Into: p + ".d"}},
					installers.Step{ID: "t", Title: "t", Mechanism: "unpack", Action: step.Tidy, Take: []step.Take{{Name: p + ".work", Version: files.Scratch}}})
			}
			out, err := run(t, f, steps, "HOME="+dir)
			if err != nil {
				t.Fatalf("%v:\n%s", err, out)
			}
			for _, to := range picks {
				want := to[strings.LastIndexByte(to, '/')+1:]
				if got, err := os.ReadFile(dir + "/picked/" + to); err != nil || string(got) != want {
					t.Errorf("%q: %q, %v", to, got, err)
				}
			}
			for _, p := range paths {
				if got, err := os.ReadFile(p); err != nil || string(got) != "weights" {
					t.Errorf("%q: %q, %v", p, got, err)
				}
				if _, err := os.Stat(p + ".d/a file"); err != nil {
					t.Error(err)
				}
				if _, err := os.Lstat(p + ".work"); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("not removed: %v", err)
				}
			}
		})
	}
}

// TestHostileCommands gives every word to a build, as an argument and as a
// variable's value, and to the program that fetches, as an address.
func TestHostileCommands(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no /bin/sh on Windows")
	}
	for _, f := range Formats() {
		dir := t.TempDir()
		var args, env, mirrors []string
		for i, w := range words() {
			if f == Dockerfile && strings.ContainsAny(w, "\r\n") || i > 150 {
				continue
			}
			args = append(args, w)
			env = append(env, fmt.Sprintf("V%d=%s", i, w))
			mirrors = append(mirrors, "https://example.org/"+w)
		}
		data := []byte("x")
		for name, text := range map[string]string{
			"curl": "#!/bin/sh\nfor a; do :; done\nprintf '%s\\0' \"$a\" >>" + step.Word(dir+"/urls") + "\nexit 1\n",
			"tool": "#!/bin/sh\nprintf '%s\\0' \"$@\" >" + step.Word(dir+"/args") + "\nenv -0 >" + step.Word(dir+"/env") + "\n",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Mkdir(dir+"/work", 0o755); err != nil {
			t.Fatal(err)
		}
		steps := []installers.Step{
			{ID: "b", Title: "b", Mechanism: "cmake", Action: step.Install, Argv: append([]string{dir + "/tool"}, args...),
				With: &step.Build{Stage: "configure", Dir: dir + "/work/build", Work: dir + "/work", Env: env, Product: dir + "/product", Key: "k"}},
			{ID: "f", Mechanism: "fetch", With: &step.Fetch{Name: "x", Size: 1, SHA256: sumOf(data), Mirrors: mirrors}},
			{ID: "p", Title: "p", Mechanism: "place", Action: step.Install, With: &step.Place{SHA256: sumOf(data), Size: 1, Path: dir + "/x"}},
		}
		if out, err := run(t, f, steps, "PATH="+dir+":/usr/bin:/bin"); err == nil || !strings.Contains(out, "no address gave the file") {
			t.Fatalf("%s: %v:\n%.2000s", f, err, out)
		}
		for name, want := range map[string][]string{"args": args, "urls": mirrors} {
			got, err := os.ReadFile(dir + "/" + name)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, strings.Split(strings.TrimSuffix(string(got), "\x00"), "\x00")); d != "" {
				t.Errorf("%s: %s: %s", f, name, d)
			}
		}
		got, err := os.ReadFile(dir + "/env")
		if err != nil {
			t.Fatal(err)
		}
		for _, kv := range env {
			if !slices.Contains(strings.Split(string(got), "\x00"), kv) {
				t.Errorf("%s: the variable %q did not arrive", f, kv)
			}
		}
	}
}

// TestHostileValues reads back what was put into a profile and into ENV.
func TestHostileValues(t *testing.T) {
	for _, f := range Formats() {
		dir := t.TempDir()
		var edits []step.Env
		var want, names []string
		usable := slices.DeleteFunc(words()[:200], func(w string) bool { return strings.ContainsAny(w, "\r\n") })
		for part := range slices.Chunk(usable, 8) { // several a value: each takes some processes
			w, name := strings.Join(part, "/"), fmt.Sprintf("V%d", len(edits))
			edits = append(edits, step.Env{Name: name, Value: w, Scope: "user"})
			want, names = append(want, w), append(names, `"$`+name+`"`)
		}
		edits = append(edits, step.Env{Name: "LIST", Value: "/it's $(id)", Prepend: true, Scope: "user"}, step.Env{Name: "LIST", Value: "/second", Prepend: true, Scope: "user"})
		want, names = append(want, "/second:/it's $(id):/old"), append(names, `"$LIST"`)
		steps := []installers.Step{{ID: "e", Title: "e", Mechanism: "envedit", Action: step.Install, With: step.Edits(edits)}}
		if out, err := run(t, f, steps, "HOME="+dir); err != nil {
			t.Fatalf("%s: %v:\n%s", f, err, out)
		}
		got := sh(t, "set -u; LIST=/old; . "+step.Word(dir+"/.profile")+"; . "+step.Word(dir+"/.profile")+"; printf '%s\\0' "+strings.Join(names, " "))
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", f, d)
		}
		if f != Dockerfile {
			continue
		}
		// ENV quotes as a shell does, and knows ${x:+y}.
		script := "LIST=/old\n"
		for _, l := range dockerEnv(edits) {
			script += strings.TrimPrefix(l, "ENV ") + "\n"
		}
		if d := cmp.Diff(want, sh(t, script+"printf '%s\\0' "+strings.Join(names, " "))); d != "" {
			t.Errorf("ENV: %s", d)
		}
	}
}

// TestProfilesAsEnvedit: the lines and the files around them are, to the byte,
// what package envedit makes of the same edits.
func TestProfilesAsEnvedit(t *testing.T) {
	edits := []step.Env{{Name: "PATH", Value: "/opt/it's/bin", Prepend: true, Scope: "user"}, {Name: "X_DIR", Value: "/opt/$x", Scope: "user"}, {Name: "PATH", Value: "/opt/b", Prepend: true, Scope: "user"}}
	s := step.Step{ID: "x.env", Title: "x", Mechanism: "envedit", Action: step.Install, With: step.Edits(edits)}
	other := step.Step{ID: "y.env", Mechanism: "envedit", Action: step.Install, With: step.Edits{{Name: "PATH", Value: "/opt/y", Prepend: true, Scope: "user"}, {Name: "X_DIR", Value: "/opt/before", Scope: "user"}}}
	for name, before := range map[string]map[string]string{
		"none":               {},
		"empty":              {".profile": ""},
		"text":               {".profile": "umask 022\n"},
		"no last line break": {".profile": "umask 022"},
		"bash":               {".profile": "a=1\n", ".bash_profile": "b=2\n", ".bash_login": "c=3\n"},
		"bash_login":         {".bash_login": "c=3"},
	} {
		for _, earlier := range []bool{false, true} {
			want, got := t.TempDir(), t.TempDir()
			for _, dir := range []string{want, got} {
				for file, text := range before {
					if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				h := &host.Host{World: host.Live().World, OS: "linux"}
				h.World = env{h.World, map[string]string{"HOME": dir}}
				w := envedit.Worker{Host: h}
				if earlier {
					if err := w.Do(t.Context(), other, func(step.Progress) {}); err != nil {
						t.Fatal(err)
					}
					// Something of somebody's comes after the block.
					add(t, filepath.Join(dir, ".profile"), "after=1\nno line break")
				}
				if dir == want {
					if err := w.Do(t.Context(), s, func(step.Progress) {}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if out, err := run(t, Shell, []installers.Step{s}, "HOME="+got); err != nil {
				t.Fatalf("%s: %v:\n%s", name, err, out)
			}
			if d := cmp.Diff(texts(t, want), texts(t, got)); d != "" {
				t.Errorf("%s, earlier edits %v:\n%s", name, earlier, d)
			}
		}
	}
}

// filesPlan has packages and then a step of every kind that works on files.
func filesPlan() *installers.Plan {
	const work, product, staged = "/root/.cache/deployctl/build/opencv-4.10.0", "/opt/deployctl/opencv-4.10.0", "/opt/deployctl/.opencv-4.10.0.deployctl-partial"
	sum := sumOf(nil)
	build := func(stage, staged string, env []string, argv ...string) installers.Step {
		return installers.Step{ID: "opencv-4.10.0." + stage, Title: stage + " opencv-4.10.0", Mechanism: "cmake", Action: step.Install, Argv: append([]string{"/usr/bin/cmake"}, argv...),
			Undo: "nothing to undo: it works in a folder that goes with the build",
			With: &step.Build{Stage: stage, Dir: work + "/build", Work: work, Env: append([]string{"LC_ALL=C"}, env...), Product: product, Staged: staged, Key: sum}}
	}
	fetch := func(name, sum string, mirrors ...string) installers.Step {
		return installers.Step{ID: name + ".fetch", Mechanism: "fetch", Action: step.Install, With: &step.Fetch{Name: name, Size: 95e6, SHA256: sum, Mirrors: mirrors}}
	}
	library, model := sumOf([]byte("library")), sumOf([]byte("model"))
	return &installers.Plan{Steps: []installers.Step{
		aptStep("cmake", "ninja-build"),
		fetch("opencv-4.10.0.tar.xz", sum, "https://example.org/opencv-4.10.0.tar.xz", "https://example.com/mirror/opencv-4.10.0.tar.xz"),
		{ID: "opencv-4.10.0.unpack", Title: "Unpack opencv-4.10.0.tar.xz", Mechanism: "unpack", Action: step.Install, Requirements: []string{"opencv.tuned"}, Undo: "nothing to undo: the folder goes with the build",
			With: &step.Unpack{SHA256: sum, Size: 95e6, Format: "tar.xz", Strip: 1, Into: work + "/source", Work: true, Product: product}},
		build("configure", "", nil, "-S", work+"/source", "-B", work+"/build", "-G", "Ninja", "-DCMAKE_INSTALL_PREFIX="+product, "-DCPU_BASELINE=NEON;NEON_FP16"),
		build("compile", "", nil, "--build", work+"/build", "--parallel", "4"),
		build("install", staged, []string{"DESTDIR=" + staged}, "--install", work+"/build"),
		{ID: "opencv-4.10.0.env", Title: "Let new shells find opencv-4.10.0 (PKG_CONFIG_PATH)", Mechanism: "envedit", Action: step.Install,
			With: step.Edits{{Name: "PKG_CONFIG_PATH", Value: product + "/lib/pkgconfig", Prepend: true, Scope: "machine"}}},
		{ID: "opencv-4.10.0.tidy", Title: "Remove the sources and objects of the build", Mechanism: "unpack", Action: step.Tidy, Undo: "nothing to undo: only the build needed them",
			Take: []step.Take{{Name: work, Version: files.Scratch}}},
		fetch("library.zip", library, "https://example.org/library.zip"),
		{ID: "library.unpack", Title: "Take the library out of library.zip", Mechanism: "unpack", Action: step.Install,
			With: &step.Unpack{SHA256: library, Size: 95e6, Format: "zip", Into: "/root/.cache/deployctl/runtimes/library", Files: map[string]string{"package/liba.so.1": "lib/liba.so.1"}}},
		fetch("yolov3.weights", model, "https://example.org/yolov3.weights"),
		{ID: "yolov3.weights.place", Title: "Put yolov3.weights where it is looked for", Mechanism: "place", Action: step.Install,
			With: &step.Place{SHA256: model, Size: 95e6, Path: "/root/.cache/deployctl/models/yolov3.weights"}},
	}}
}

// windowsPlan is the same on Windows, where deployctl builds nothing.
func windowsPlan() []installers.Step {
	setup, library := sumOf([]byte("setup")), sumOf([]byte("library"))
	const opt, cache = `C:\Users\Ann O'Neil\AppData\Local\deployctl\opt`, `C:\Users\Ann O'Neil\AppData\Local\deployctl`
	fetch := func(name, sum string, mirrors ...string) installers.Step {
		return installers.Step{ID: name + ".fetch", Mechanism: "fetch", Action: step.Install, With: &step.Fetch{Name: name, Size: 95e6, SHA256: sum, Mirrors: mirrors}}
	}
	return []installers.Step{
		fetch("setup.bin", setup, "https://example.org/setup.bin", "https://example.com/setup.bin"),
		{ID: "setup.bin.place", Title: "Put setup.bin where it is looked for", Mechanism: "place", Action: step.Install,
			With: &step.Place{SHA256: setup, Size: 95e6, Path: cache + `\setup\setup.bin`}},
		{ID: "choco.install", Title: "Install ninja", Mechanism: "choco", Action: step.Install, Needs: []step.Need{step.Admin}, Packages: []string{"ninja"},
			Argv: []string{`C:\ProgramData\chocolatey\bin\choco.exe`, "install", "ninja"}},
		fetch("library.zip", library, "https://example.org/library.zip"),
		{ID: "library.unpack", Title: "Unpack library.zip", Mechanism: "unpack", Action: step.Install,
			With: &step.Unpack{SHA256: library, Size: 95e6, Format: "zip", Strip: 1, Into: opt + `\library`}},
		{ID: "taken.unpack", Title: "Take the library out of library.zip", Mechanism: "unpack", Action: step.Install,
			With: &step.Unpack{SHA256: library, Size: 95e6, Format: "zip", Into: opt + `\taken`, Work: true, Product: opt + `\other`, Files: map[string]string{"package/a.dll": "lib/a.dll"}}},
		{ID: "library.env", Title: "Let new shells find library (PATH)", Mechanism: "envedit", Action: step.Install,
			With: step.Edits{{Name: "PATH", Value: opt + `\library\bin`, Prepend: true, Scope: "user"}}},
		{ID: "library.tidy", Title: "Remove what only the steps before needed", Mechanism: "unpack", Action: step.Tidy,
			Take: []step.Take{{Name: opt + `\taken`, Version: files.Scratch}}},
	}
}

func TestWindows(t *testing.T) {
	steps := windowsPlan()
	for _, f := range []Format{Shell, Dockerfile, Ansible} {
		if err := Write(&bytes.Buffer{}, f, &installers.Plan{Steps: steps}, About{}); err == nil || !strings.Contains(err.Error(), "write the plan as ps1") {
			t.Errorf("%s of a plan for Windows: %v", f, err)
		}
	}
	// winget's "already installed" is a success there, and nowhere else.
	for mechanism, want := range map[string]string{
		"winget": "\n) @(-1978335135, -1978335189) @(3010, 1641, -1978334967, -1978334965)\n",
		"choco":  "\n) @(1614) @(3010, 1641)\n", "test": "\n)\n",
	} {
		s := printer([]string{"x"}, false)
		s.Mechanism = mechanism
		var b bytes.Buffer
		if err := Write(&b, PowerShell, &installers.Plan{Steps: []installers.Step{s}}, About{}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s: %q is not in:\n%s", mechanism, want, b.String())
		}
	}
}

// TestLockfile: packages of a lockfile have no source on another machine.
func TestLockfile(t *testing.T) {
	s := aptStep("cmake")
	s.Repository = "/root/.cache/deployctl/apt/x"
	for _, steps := range [][]installers.Step{{s}, {{ID: "files.fetch", Mechanism: "fetch-all", With: step.Files{{Name: "x"}}}}} {
		if err := Write(&bytes.Buffer{}, Shell, &installers.Plan{Steps: steps}, About{}); err == nil || !strings.Contains(err.Error(), "lockfile") {
			t.Error(err)
		}
	}
}

// TestHostileWindows reads every word back that PowerShell gets.
func TestHostileWindows(t *testing.T) {
	for _, w := range words() {
		if w == "" || strings.ContainsAny(w, "\r\n") {
			continue
		}
		f := &step.Fetch{Name: "f", Size: 7, SHA256: sumOf(nil), Mirrors: []string{"https://a/" + w, w}}
		into := `C:\x` + w
		partial := windowsPartial(into)
		for _, c := range []struct{ got, want []string }{
			{windowsUnpackStep(&step.Unpack{Into: into, Product: w, Strip: 2, Files: map[string]string{w: "to" + w}}, f),
				[]string{into, w, "done already", f.SHA256, f.Mirrors[0], w, partial, into, w, "to" + w}},
			{windowsPlaceStep(&step.Place{Path: into, SHA256: f.SHA256}, f),
				[]string{into, f.SHA256, "done already", f.SHA256, f.Mirrors[0], w, partial, into}},
			{windowsTidyStep([]string{w}), []string{w, w, "done already"}},
			{windowsEnvStep([]step.Env{{Name: "N", Value: w, Scope: "user"}}), []string{"user", "N", w}},
		} {
			if d := cmp.Diff(c.want, powerShellRead(strings.Join(c.got, "\n"))); d != "" {
				t.Errorf("%q: %s", w, d)
			}
		}
	}
}

// TestRefusedFiles: a step that no plan of deployctl's has is not written.
func TestRefusedFiles(t *testing.T) {
	s := serve(t)
	for name, spoil := range map[string]func([]installers.Step){
		"a plain address":        func(x []installers.Step) { x[0].With.(*step.Fetch).Trusted = false },
		"another scheme":         func(x []installers.Step) { x[0].With.(*step.Fetch).Mirrors[0] = "file:///etc/passwd" },
		"no address":             func(x []installers.Step) { x[0].With.(*step.Fetch).Mirrors = nil },
		"a wrong hash":           func(x []installers.Step) { x[1].With.(*step.Unpack).SHA256 = "../x" },
		"a relative path":        func(x []installers.Step) { x[1].With.(*step.Unpack).Into = "x" },
		"the root":               func(x []installers.Step) { x[6].Take[0].Name = "/" },
		"a path with ..":         func(x []installers.Step) { x[6].Take[0].Name = "/a/../b" },
		"no variable":            func(x []installers.Step) { x[5].Edits()[0].Name = "A;id" },
		"no scope":               func(x []installers.Step) { x[5].Edits()[0].Scope = "" },
		"a line break":           func(x []installers.Step) { x[5].Edits()[0].Value = "a\nid" },
		"a variable's name":      func(x []installers.Step) { x[2].With.(*step.Build).Env[0] = "id" },
		"a build of nothing":     func(x []installers.Step) { x[2].Argv = nil },
		"a zero byte":            func(x []installers.Step) { x[1].With.(*step.Unpack).Into = "/a\x00b" },
		"bytes that are no text": func(x []installers.Step) { x[0].With.(*step.Fetch).Mirrors[0] += "\xff" },
		"something to remove":    func(x []installers.Step) { x[6].Take[0].Version = "tree:0" },
	} {
		for _, f := range Formats() {
			steps := everyKind(t, s, t.TempDir())
			spoil(steps)
			var b bytes.Buffer
			if err := Write(&b, f, &installers.Plan{Steps: steps}, About{}); err == nil || b.Len() > 0 {
				t.Errorf("%s with %s: %v, %d bytes written", f, name, err, b.Len())
			}
		}
	}
}

// env is a world with an environment of its own.
type env struct {
	host.World
	vars map[string]string
}

func (e env) Getenv(name string) (string, bool) {
	v, ok := e.vars[name]
	return v, ok
}

func add(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func texts(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		data, rerr := os.ReadFile(filepath.Join(dir, e.Name()))
		if err := errors.Join(err, rerr); err != nil {
			t.Fatal(err)
		}
		out[e.Name()] = info.Mode().String() + "\n" + string(data)
	}
	return out
}
