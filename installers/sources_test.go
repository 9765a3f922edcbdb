package installers

import (
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
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/installers/apt"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/lockfile"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes"
)

// served is a server on this machine that counts what it is asked.
type served struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func (s *served) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(slices.Values(s.asked))
}

// deb is the content of a package's file.
func deb(name string) []byte { return []byte("the package " + name) }

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func serve(t *testing.T) *served {
	s := &served{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.URL.Path)
		s.mu.Unlock()
		name, ok := strings.CutPrefix(r.URL.Path, "/pool/")
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(deb(strings.TrimSuffix(name, ".deb")))
	}))
	t.Cleanup(s.Close)
	return s
}

// lockable is the machine with an apt that knows hashes and addresses, and
// repositories on its own disk. Its sources are on the server; a question for
// lists, or an installation that is not from a local repository, is counted
// there, too.
type lockable struct {
	*machine
	server *served
	cached []string // packages in apt's own archives
}

func (m *lockable) host() *host.Host { return &host.Host{World: m, OS: "linux", Arch: "amd64"} }

func option(argv []string, key string) string {
	for _, a := range argv {
		if v, ok := strings.CutPrefix(a, key+"="); ok {
			return v
		}
	}
	return ""
}

// repository reads the packages of a local one: name to needs.
func repository(sources string) (map[string][]string, error) {
	index, err := os.ReadFile(filepath.Join(filepath.Dir(sources), "Packages"))
	if err != nil {
		return nil, err
	}
	list := map[string][]string{}
	for stanza := range strings.SplitSeq(strings.TrimSpace(string(index)), "\n\n") {
		name := ""
		for line := range strings.Lines(stanza) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			switch key {
			case "Package":
				name = value
				list[name] = nil
			case "Depends":
				list[name] = strings.Split(value, ", ")
			}
		}
	}
	return list, nil
}

// with runs do on a machine whose sources are the local repository.
func (m *lockable) with(sources string, do func()) error {
	offer, err := repository(sources)
	if err != nil {
		return err
	}
	system := m.offer
	m.offer = offer
	do()
	m.offer = system
	return nil
}

func (m *lockable) Run(ctx context.Context, c host.Command) (out host.Output, err error) {
	sources := option(c.Argv, "Dir::Etc::SourceList")
	switch {
	case slices.Contains(c.Argv, "update"):
		if sources == "" {
			return out, errors.New("the system's sources were asked for lists")
		}
		text, err := os.ReadFile(sources)
		if err != nil || !strings.HasPrefix(string(text), "deb [trusted=yes] file:/") || option(c.Argv, "Dir::Etc::SourceParts") != "/dev/null" {
			return out, fmt.Errorf("%s is not a local source: %s %w", sources, text, err)
		}
		return out, nil
	case strings.HasSuffix(c.Argv[0], "apt-cache"):
		var b strings.Builder
		for _, n := range packages(c.Argv) {
			n, _, _ = strings.Cut(n, "=")
			fmt.Fprintf(&b, "Package: %s\nVersion: 1.0\nArchitecture: amd64\n", n)
			if needs := m.offer[n]; len(needs) > 0 {
				fmt.Fprintf(&b, "Depends: %s\n", strings.Join(needs, ", "))
			}
			fmt.Fprintf(&b, "Filename: pool/%s.deb\nSize: %d\nSHA256: %s\nDescription: a package\n with a text\n\n", n, len(deb(n)), hexSum(deb(n)))
		}
		return host.Output{Stdout: []byte(b.String())}, nil
	case sources != "":
		werr := m.with(sources, func() { out, err = m.machine.Run(ctx, c) })
		return out, errors.Join(err, werr)
	case slices.Contains(c.Argv, "--print-uris"):
		want, _ := m.closure(packages(c.Argv))
		var b strings.Builder
		b.WriteString(announce(want))
		for _, n := range want {
			if !slices.Contains(m.cached, n) {
				fmt.Fprintf(&b, "'%s/pool/%s.deb' %s.deb %d MD5Sum:0\n", m.server.URL, n, n, len(deb(n)))
			}
		}
		return host.Output{Stdout: []byte(b.String())}, nil
	}
	return m.machine.Run(ctx, c)
}

func (m *lockable) Stream(ctx context.Context, job Job, line func(string)) (exit int, err error) {
	sources := option(job.Argv, "Dir::Etc::SourceList")
	if sources == "" {
		if !slices.Contains(job.Argv, "remove") && !slices.Contains(job.Argv, "--no-download") {
			return 100, errors.New("the system's sources were asked for packages")
		}
		return m.machine.Stream(ctx, job, line)
	}
	werr := m.with(sources, func() {
		add, _ := m.closure(packages(job.Argv))
		for _, n := range add {
			if data, ferr := os.ReadFile(filepath.Join(filepath.Dir(sources), "pool", n+"_amd64.deb")); ferr != nil || !bytes.Equal(data, deb(n)) {
				exit, err = 100, errors.Join(ferr, fmt.Errorf("the file of %s is %q", n, data))
				return
			}
		}
		exit, err = m.machine.Stream(ctx, job, line)
	})
	return exit, errors.Join(err, werr)
}

// locking is a machine, a judgement that wants cmake and g++, and a lock of it.
func locking(t *testing.T) (*lockable, *judge.Judgement, *lockfile.Lock, Places) {
	t.Helper()
	m := &lockable{machine: newMachine(), server: serve(t)}
	j := judgement(withApt("cmake"), withApt("g++"))
	j.Facts.OS.Version, j.Facts.OS.Arch = "24.04", "amd64"
	l := &lockfile.Lock{Schema: lockfile.Schema, System: lockfile.SystemOf(j.Facts)}
	var err error
	if l.Recipe, err = lockfile.RecipeOf(j.Recipe); err != nil {
		t.Fatal(err)
	}
	if l.Packages, err = apt.Locked(t.Context(), m.host(), []string{"cmake", "g++"}, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	module := step.Fetch{Name: "module.zip", Size: int64(len(deb("module"))), SHA256: hexSum(deb("module")), Mirrors: []string{m.server.URL + "/pool/module"}, Trusted: true}
	l.Modules = []lockfile.Module{{Path: "example.com/m", Version: "v1.0.0", Ext: "zip", File: module}}
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	return m, j, l, Places{Cache: t.TempDir()}
}

func (m *lockable) applier(t *testing.T, state string, places Places, offline bool) *Applier {
	a := m.machine.applier(t, state)
	a.Host, a.Exec = m.host(), m
	a.Fetch = download.Options{Store: store.New(places.Cache), Offline: offline, Client: m.server.Client()}
	return a
}

func TestLockedAsksForTheNamedFilesOnly(t *testing.T) {
	m, j, l, places := locking(t)
	if len(m.server.requests()) > 0 {
		t.Errorf("making a lock asked for %q", m.server.requests())
	}
	m.lists = m.lists.AddDate(-1, 0, 0) // old lists are not refreshed
	before := len(m.installed)
	p, err := MakePlan(t.Context(), j, m.host(), places, Sources{Lock: l})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"locked.fetch", "apt.install"}, ids(p)); d != "" {
		t.Fatal(d)
	}
	if s := p.Steps[1]; s.NeedsAny(step.Network) || !slices.Equal(s.Packages, []string{"cmake", "g++"}) || !p.Steps[0].NeedsAny(step.Network) {
		t.Errorf("steps %+v", p.Steps)
	}
	if n := l.Bytes(); p.Steps[0].Cost.DownloadBytes != n || len(fetches(p.Steps[0])) != 5 {
		t.Errorf("%d files, %d bytes, want 5 and %d", len(fetches(p.Steps[0])), p.Steps[0].Cost.DownloadBytes, n)
	}
	if len(m.server.requests()) > 0 {
		t.Errorf("the plan asked for %q", m.server.requests())
	}
	state := t.TempDir()
	res, err := m.applier(t, state, places, false).Apply(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/pool/cmake-data.deb", "/pool/cmake.deb", "/pool/g++.deb", "/pool/gcc.deb", "/pool/module"}
	if d := cmp.Diff(want, m.server.requests()); d != "" {
		t.Error(d)
	}
	if len(res.Steps[1].Added) != 4 || len(m.installed) != before+4 {
		t.Errorf("added %+v", res.Steps)
	}

	// Taken back as ever, and set up again from the cache alone.
	records, _, err := History(state)
	if err != nil {
		t.Fatal(err)
	}
	undo, err := PlanUndo(t.Context(), m.host(), j.Facts.OS.User, records, Undo{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.applier(t, state, places, true).Apply(t.Context(), undo); err != nil {
		t.Fatal(err)
	}
	if len(m.installed) != before {
		t.Errorf("undo left %v", m.installed)
	}
	if p, err = MakePlan(t.Context(), j, m.host(), places, Sources{Lock: l, Offline: true}); err != nil {
		t.Fatal(err)
	}
	if p.Steps[0].NeedsAny(step.Network) || p.Steps[0].Cost.DownloadBytes != 0 {
		t.Errorf("offline: %+v", p.Steps[0])
	}
	if _, err := m.applier(t, state, places, true).Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, m.server.requests()); d != "" || len(m.installed) != before+4 {
		t.Errorf("offline asked again: %s", d)
	}
}

func TestOfflineNamesWhatIsMissing(t *testing.T) {
	m, j, l, places := locking(t)
	for _, c := range []struct {
		name  string
		from  Sources
		files int
	}{
		{"a lock", Sources{Lock: l, Offline: true}, 5},
		{"apt's cache", Sources{Offline: true}, 4},
	} {
		_, err := MakePlan(t.Context(), j, m.host(), places, c.from)
		var missing *MissingError
		if !errors.As(err, &missing) || len(missing.Files) != c.files {
			t.Fatalf("%s: %v", c.name, err)
		}
		for _, f := range missing.Files {
			if !strings.Contains(err.Error(), fmt.Sprintf("%s  %d bytes, sha256 %s", f.Name, f.Size, f.SHA256)) || f.Size == 0 || len(f.SHA256) != 64 {
				t.Errorf("%s: %s is not named: %v", c.name, f.Name, err)
			}
		}
	}
	if len(m.ran) > 0 || len(m.server.requests()) > 0 {
		t.Errorf("changed %q, asked for %q", m.ran, m.server.requests())
	}
}

func TestOfflineFromAptsCache(t *testing.T) {
	m, j, _, places := locking(t)
	m.cached = []string{"cmake", "cmake-data", "g++", "gcc"}
	m.lists = m.lists.AddDate(-1, 0, 0)
	p, err := MakePlan(t.Context(), j, m.host(), places, Sources{Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"apt.install"}, ids(p)); d != "" {
		t.Fatal(d)
	}
	if s := p.Steps[0]; s.NeedsAny(step.Network) || !slices.Contains(s.Argv, "--no-download") {
		t.Errorf("%+v", s)
	}
	if _, err := m.applier(t, t.TempDir(), places, true).Apply(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if m.installed["g++"] != "ii " || len(m.server.requests()) > 0 {
		t.Errorf("installed %v, asked for %q", m.installed, m.server.requests())
	}
}

func TestLockOfAnotherMachine(t *testing.T) {
	m, j, l, places := locking(t)
	other := *j.Facts
	other.OS.Version = "22.04"
	_, err := MakePlan(t.Context(), &judge.Judgement{Recipe: j.Recipe, Findings: j.Findings, Facts: &other}, m.host(), places, Sources{Lock: l})
	var refused *lockfile.Error
	if !errors.As(err, &refused) {
		t.Errorf("another release: %v", err)
	}
	// It was made where gcc and cmake were installed already.
	less := *l
	less.Packages = slices.DeleteFunc(slices.Clone(l.Packages), func(p lockfile.Package) bool { return p.Name == "cmake" })
	p, err := MakePlan(t.Context(), j, m.host(), places, Sources{Lock: &less})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Manual) != 1 || !strings.Contains(p.Manual[0].Reason, "package cmake is not in the lockfile") {
		t.Errorf("manual %+v", p.Manual)
	}
	if entries, err := os.ReadDir(filepath.Join(places.Cache, "store")); err == nil {
		t.Errorf("a plan fetched %v", entries)
	}
}

// TestLockedBytesAreChecked lets the server send other bytes than were locked.
func TestLockedBytesAreChecked(t *testing.T) {
	m, j, l, places := locking(t)
	for i := range l.Packages {
		if l.Packages[i].Name == "gcc" {
			l.Packages[i].File.Mirrors = []string{m.server.URL + "/pool/xcc.deb"}
		}
	}
	p, err := MakePlan(t.Context(), j, m.host(), places, Sources{Lock: l})
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.applier(t, t.TempDir(), places, false).Apply(t.Context(), p)
	var refused *download.Error
	if !errors.As(err, &refused) || refused.Kind != step.HashMismatch {
		t.Errorf("got %v", err)
	}
	if len(m.ran) > 0 {
		t.Errorf("apt ran all the same: %q", m.ran)
	}
}

// TestFilesForAnotherMachine: what a bare Windows takes as files is planned on a
// machine whose pip names an index, and no package manager is in the plan.
func TestFilesForAnotherMachine(t *testing.T) {
	h := hosttest.Load(t, "testdata/bare-windows.txtar")
	f := doctor.Probe(t.Context(), h, doctor.Probes(false))
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipes.Find("onnxruntime", "")
	if err != nil {
		t.Fatal(err)
	}
	places, err := PlacesOf(h, f.OS.User, "")
	if err != nil {
		t.Fatal(err)
	}
	index := hosttest.Parse(t, "-- platform --\nlinux/amd64\n-- env --\nHOME=/root\nPIP_INDEX_URL=https://index.example/simple\n")
	for _, c := range []struct {
		from  Sources
		files []string
	}{
		{Sources{FilesOnly: true, Index: index}, []string{"msvc_runtime-14.44.35112-cp313-cp313-win_amd64.whl", "onnxruntime-1.20.1-cp313-cp313-win_amd64.whl"}},
		{Sources{FilesOnly: true}, []string{"onnxruntime-win-x64-1.24.2.zip"}}, // no index is known: the release's archive
	} {
		plan, err := MakePlan(t.Context(), judge.Evaluate(r, tables, f), h, places, c.from)
		if err != nil {
			t.Fatal(err)
		}
		var files []string
		for _, s := range plan.Steps {
			for _, file := range fetches(s) {
				files = append(files, file.Name)
			}
			if len(s.Packages) > 0 {
				t.Errorf("%s installs packages", s.ID)
			}
		}
		if !slices.Equal(files, c.files) {
			t.Errorf("files %v, not %v", files, c.files)
		}
	}
}
