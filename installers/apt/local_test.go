package apt

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/lockfile"
	"github.com/deployctl/deployctl/installers/step"
)

// stanza is as apt-cache show writes it, with fields that decide nothing and
// fields over several lines.
var stanza = `Package: g++
Version: 4:12.2.0-3
Architecture: amd64
Depends: cpp (>= 4:12.2.0-3),
 gcc (<< 13)
Tag: devel::compiler,
 role::program
Description-en: GNU C++ compiler
 a text
 .
 Package: evil
Filename: pool/main/g/gcc-defaults/g++_12.2.0-3_amd64.deb
Size: 1356
SHA256: ` + strings.Repeat("A", 64)

func TestMatch(t *testing.T) {
	address := "http://mirror.example/debian/pool/main/g/gcc-defaults/g%2b%2b_12.2.0-3_amd64.deb"
	lines := strings.Split("Need to get 1 kB of archives.\n'"+address+"' g++_4%3a12.2.0-3_amd64.deb 1356 MD5Sum:00\n'broken", "\n")
	got, err := match(ParseURIs(lines), []string{"", stanza, "Package: other\nFilename: pool/other.deb\nSize: 3"})
	if err != nil {
		t.Fatal(err)
	}
	want := []lockfile.Package{{Name: "g++", Version: "4:12.2.0-3", Architecture: "amd64",
		Stanza: "Package: g++\nVersion: 4:12.2.0-3\nArchitecture: amd64\nDepends: cpp (>= 4:12.2.0-3), gcc (<< 13)\nSize: 1356\nSHA256: " + strings.Repeat("a", 64) + "\n",
		File:   step.Fetch{Name: "g++_12.2.0-3_amd64.deb", Size: 1356, SHA256: strings.Repeat("a", 64), Mirrors: []string{address}, Trusted: true}}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	secret := strings.Replace(address, "//", "//me:secret@", 1)
	if got, err = match([]string{secret}, []string{stanza}); err != nil || got[0].File.Mirrors[0] != address {
		t.Errorf("an address with a password: %v, %v", got, err)
	}
	for _, bad := range []string{"ftp://me:secret@mirror.example/x.deb", "https://me:secret@mirror.example/nowhere.deb", "https://me:secret@[/x.deb"} {
		if _, err := match([]string{bad}, []string{stanza}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	for _, bad := range []string{"file:/srv/pool/main/g/gcc-defaults/g++_12.2.0-3_amd64.deb", "cdrom:[x]/y.deb", "http://mirror.example/pool/other.deb", "http://mirror.example/nowhere.deb", "%"} {
		var f *step.Failure
		if _, err := match([]string{bad}, []string{stanza}); !errors.As(err, &f) || f.Next == "" {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// asked answers every command and keeps it.
type asked struct {
	host.World
	argv [][]string
	out  host.Output
}

func (a *asked) Run(_ context.Context, c host.Command) (host.Output, error) {
	a.argv = append(a.argv, c.Argv)
	return a.out, nil
}

func TestLocalRepository(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a folder", "apt")
	w := &asked{World: hosttest.Empty("linux", "amd64").World}
	h := &host.Host{World: w, OS: "linux", Arch: "amd64"}
	p, _ := parseStanza(stanza)
	l := NewLocal(dir)
	for range 2 {
		if err := l.Write(t.Context(), h, []lockfile.Package{p}); err != nil {
			t.Fatal(err)
		}
	}
	index, err := os.ReadFile(filepath.Join(dir, "Packages"))
	if err != nil {
		t.Fatal(err)
	}
	if want := p.Stanza + "Filename: pool/g++_amd64.deb\n\n"; string(index) != want {
		t.Errorf("index:\n%s\nwant:\n%s", index, want)
	}
	if l.File(p) != filepath.Join(dir, "pool", "g++_amd64.deb") {
		t.Error(l.File(p))
	}
	sources, err := os.ReadFile(filepath.Join(dir, "sources.list"))
	if err != nil || string(sources) != "deb [trusted=yes] file:"+strings.ReplaceAll(filepath.ToSlash(dir), " ", "%20")+" ./\n" {
		t.Errorf("%s %v", sources, err)
	}
	m := l.Manager()
	for _, argv := range [][]string{w.argv[0], m.Install([]string{"g++"}), m.FixBroken()} {
		for _, want := range []string{"Dir::Etc::SourceList=" + filepath.Join(dir, "sources.list"), "Dir::Etc::SourceParts=/dev/null", "Dir::State::Lists=" + filepath.Join(dir, "lists"), "Dir::Cache::pkgcache="} {
			if i := slices.Index(argv, want); i < 1 || argv[i-1] != "--option" || i > slices.Index(argv, "--") && slices.Contains(argv, "--") {
				t.Errorf("%s is no option of %q", want, argv)
			}
		}
	}
	w.out = host.Output{Exit: 100, Stderr: []byte("E: something\n")}
	if err := l.Write(t.Context(), h, nil); err == nil {
		t.Error("apt's failure was not seen")
	}
}

func TestUpdateInto(t *testing.T) {
	w := &asked{World: hosttest.Empty("linux", "amd64").World}
	h := &host.Host{World: w, OS: "linux", Arch: "amd64"}
	for text, kind := range map[string]step.Kind{
		"Get:1 http://mirror.example/debian bookworm InRelease [151 kB]\nW: Download is performed unsandboxed as root as file 'x' couldn't be accessed by user '_apt'. - pkgAcquire::Run (13: Permission denied)": "",
		"Err:1 http://mirror.example bookworm InRelease\nW: Failed to fetch http://mirror.example/InRelease  Temporary failure resolving 'mirror.example'\nW: Some index files failed to download.":               step.NoNetwork,
		"W: GPG error: http://mirror.example sid InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 0E98404D386FA1D9":                                    step.Untrusted,
	} {
		w.out = host.Output{Stdout: []byte(text)}
		err := UpdateInto(t.Context(), h, t.TempDir())
		var f *step.Failure
		if errors.As(err, &f) != (kind != "") || f != nil && f.Kind != kind {
			t.Errorf("got %v for %s", err, text)
		}
	}
	for _, argv := range w.argv {
		if !slices.ContainsFunc(argv, func(a string) bool { return strings.HasPrefix(a, "Dir::State::Lists=") }) {
			t.Errorf("the system's lists are written: %q", argv)
		}
	}
}

func FuzzStanza(f *testing.F) {
	f.Add(stanza)
	f.Add("Package: a\n\nFilename: x\nSize: 1\nSHA256: y")
	f.Fuzz(func(t *testing.T, text string) {
		p, filename := parseStanza(text)
		if filename == "" {
			return
		}
		if strings.Contains(p.Stanza, "\n ") || p.File.Size == 0 {
			t.Errorf("%q", p.Stanza)
		}
	})
}
