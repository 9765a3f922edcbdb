package look_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

func paths(copies []look.Copy) []string {
	var out []string
	for _, c := range copies {
		mark := ""
		if c.OnPath {
			mark = "*"
		}
		out = append(out, mark+c.Path)
	}
	return out
}

func TestFind(t *testing.T) {
	h := hosttest.Parse(t, `
-- env --
PATH=/opt/bin:/usr/bin:/bin:relative
-- exec /opt/bin/python --
-- exec /usr/bin/python3.11 --
-- link /usr/bin/python3 --
/usr/bin/python3.11
-- link /bin/python3 --
/usr/bin/python3.11
-- file /opt/bin/python3 --
not executable
-- dir /usr/bin/python --
-- exec /extra/bin/python3 --
`)
	probetest.Same(t, "a relative folder of PATH is used", []string{"/opt/bin", "/usr/bin", "/bin"}, h.PathDirs())
	x := look.NewIndex(t.Context(), h, look.Names("python3", "python"))
	got := paths(x.Find(t.Context(), []string{"python3", "python"}, "/extra/bin", "/missing"))
	probetest.Same(t, "", []string{"*/opt/bin/python", "*/usr/bin/python3", "/extra/bin/python3"}, got)
}

func TestFindInFolderThatCannotBeListed(t *testing.T) {
	r, err := hosttest.Recording("-- env --\nPATH=/secret\n-- exec /secret/gcc --\n")
	if err != nil {
		t.Fatal(err)
	}
	l := r.Dirs["/secret"]
	l.Err = "permission denied"
	r.Dirs["/secret"] = l
	h := host.Replay(r)
	x := look.NewIndex(t.Context(), h, look.Names("gcc"))
	probetest.Same(t, "", []string{"*/secret/gcc"}, paths(x.Find(t.Context(), []string{"gcc"})))
}

func TestWrappersAnswerToEveryName(t *testing.T) {
	h := hosttest.Parse(t, `
-- env --
PATH=/usr/lib/ccache:/usr/bin
-- exec /usr/bin/ccache --
-- link /usr/lib/ccache/gcc --
/usr/bin/ccache
-- link /usr/lib/ccache/gcc-12 --
/usr/bin/ccache
-- exec /usr/bin/gcc --
`)
	x := look.NewIndex(t.Context(), h, look.Names("gcc", "gcc-12"))
	probetest.Same(t, "", []string{"*/usr/lib/ccache/gcc", "*/usr/lib/ccache/gcc-12", "*/usr/bin/gcc"}, paths(x.Find(t.Context(), []string{"gcc", "gcc-12"})))
}

func TestWindowsNames(t *testing.T) {
	h := hosttest.Parse(t, `
-- platform --
windows/amd64
-- env --
Path=C:\Users\u\AppData\Local\Microsoft\WindowsApps;C:\Tools
-- exec C:\Users\u\AppData\Local\Microsoft\WindowsApps\python.exe --
-- exec C:\Tools\Python.EXE --
MZ
-- exec C:\Tools\scoop.cmd --
x
-- file C:\Tools\python --
not a program
`)
	x := look.NewIndex(t.Context(), h, look.Names("python", "scoop"))
	probetest.Same(t, "", []string{`*C:\Tools\Python.EXE`}, paths(x.Find(t.Context(), []string{"python"})))
	probetest.Same(t, "", []string{`*C:\Tools\scoop.cmd`}, paths(x.Find(t.Context(), []string{"scoop"})))
}

// TestAliases: an app execution alias is its program, except for those that open the
// Store; an alias whose target is not known opens it where it is called python.
func TestAliases(t *testing.T) {
	h := hosttest.Parse(t, `
-- platform --
windows/amd64
-- env --
Path=C:\Users\u\AppData\Local\Microsoft\WindowsApps;C:\Users\v\AppData\Local\Microsoft\WindowsApps
-- alias C:\Users\u\AppData\Local\Microsoft\WindowsApps\winget.exe --
C:\Program Files\WindowsApps\Microsoft.DesktopAppInstaller_1.26.430.0_x64__8wekyb3d8bbwe\winget.exe
-- alias C:\Users\u\AppData\Local\Microsoft\WindowsApps\python.exe --
C:\Program Files\WindowsApps\Microsoft.DesktopAppInstaller_1.26.430.0_x64__8wekyb3d8bbwe\AppInstallerPythonRedirector.exe
-- alias C:\Users\u\AppData\Local\Microsoft\WindowsApps\python3.exe --
C:\Program Files\WindowsApps\PythonSoftwareFoundation.Python.3.12_3.12.2800.0_x64__qbz5n2kfra8p0\python3.12.exe
-- exec C:\Users\v\AppData\Local\Microsoft\WindowsApps\python3.exe --
-- exec C:\Users\v\AppData\Local\Microsoft\WindowsApps\winget.exe --
`)
	x := look.NewIndex(t.Context(), h, look.Names("winget", "python", "python3"))
	const u, v = `*C:\Users\u\AppData\Local\Microsoft\WindowsApps\`, `*C:\Users\v\AppData\Local\Microsoft\WindowsApps\`
	probetest.Same(t, "", []string{u + "winget.exe", v + "winget.exe"}, paths(x.Find(t.Context(), []string{"winget"})))
	probetest.Same(t, "", []string(nil), paths(x.Find(t.Context(), []string{"python"})))
	probetest.Same(t, "", []string{u + "python3.exe"}, paths(x.Find(t.Context(), []string{"python3"})))
	if found := x.Find(t.Context(), []string{"winget"}); !strings.HasPrefix(found[0].Real, `C:\Program Files\WindowsApps\`) {
		t.Errorf("the alias is %s", found[0].Real)
	}
}

func TestManyCopiesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("-- env --\nPATH=/bin\n")
	names := make([]string, 500)
	for i := range names {
		names[i] = fmt.Sprintf("gcc-%d", i)
		fmt.Fprintf(&b, "-- exec /bin/%s --\n", names[i])
	}
	h := hosttest.Parse(t, b.String())
	x := look.NewIndex(t.Context(), h, look.Names(names...))
	if n := len(x.All(t.Context())); n == 0 || n > 100 {
		t.Errorf("%d copies", n)
	}
}

func TestAsk(t *testing.T) {
	h := hosttest.Parse(t, `
-- run "/bin/good" "-v" --
#stderr noise
tool version 1.2.3 (x)
-- run "/bin/bad" "-v" --
#exit 3
#stderr cannot
-- run "/bin/crash" "-v" --
#signal segmentation fault
-- run "/bin/slow" "-v" --
#error deadline
-- run "/bin/other" "-v" --
hello
`)
	re := regexp.MustCompile(`version (\d+(?:\.\d+)+)`)
	version, evidence, _, err := look.Ask(t.Context(), h, []string{"/bin/good", "-v"}, re)
	if err != nil || version != "1.2.3" || evidence.Source != "/bin/good -v" || evidence.Detail != "version 1.2.3 (x)" {
		t.Errorf("%q %+v %v", version, evidence, err)
	}
	for program, why := range map[string]string{
		"bad": "exit status 3: cannot", "crash": "segmentation fault", "slow": "deadline", "other": "no version in what it says: hello", "missing": "not exist",
	} {
		_, _, _, err := look.Ask(t.Context(), h, []string{"/bin/" + program, "-v"}, re)
		var unusable *look.UnusableError
		if !errors.As(err, &unusable) || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), "/bin/"+program) {
			t.Errorf("%s: %v, want %q", program, err, why)
		}
	}
}

func TestDpkg(t *testing.T) {
	h := hosttest.Parse(t, `
-- file /var/lib/dpkg/status --
Package: apt-utils
Status: install ok installed
Version: 9

Package: apt
Status: install ok installed
Priority: important
Version: 2.6.1

Package: snapd
Status: deinstall ok config-files
Version: 2.57

Package: flatpak
Status: install ok half-installed
Version: 1
`)
	got, err := look.Dpkg(t.Context(), h, "apt", "snapd", "flatpak", "nothing")
	if err != nil {
		t.Fatal(err)
	}
	probetest.Same(t, "", map[string]string{"apt": "2.6.1"}, got)
	for in, want := range map[string]string{
		"2.6.1": "2.6.1", "2.7.14build2": "2.7.14", "1:2.3-4": "2.3", "2.63+24.04ubuntu0.1": "2.63", "2.14.4-r0": "2.14.4", "unknown": "unknown",
	} {
		if got := look.Upstream(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestShims(t *testing.T) {
	const shim = "-- exec /home/u/.pyenv/shims/python3 --\n#!/usr/bin/env bash\nexec \"/home/u/.pyenv/libexec/pyenv\" exec \"python3\" \"$@\"\n"
	const versions = "-- exec /home/u/.pyenv/versions/3.11.8/bin/python3.11 --\n-- link /home/u/.pyenv/versions/3.11.8/bin/python3 --\n/home/u/.pyenv/versions/3.11.8/bin/python3.11\n" +
		"-- exec /home/u/.pyenv/versions/3.9.18/bin/python3 --\n-- exec /home/u/.pyenv/versions/3.9.2/bin/python3 --\n"
	c := look.Copy{Path: "/home/u/.pyenv/shims/python3", Name: "python3"}
	for _, test := range []struct{ name, fixture, target string }{
		{"global version", "-- file /home/u/.pyenv/version --\n3.11.8\n", "/home/u/.pyenv/versions/3.11.8/bin/python3.11"},
		{"variable", "-- env --\nPYENV_VERSION=3.9.2\n-- file /home/u/.pyenv/version --\n3.11.8\n", "/home/u/.pyenv/versions/3.9.2/bin/python3"},
		{"prefix", "-- file /home/u/.pyenv/version --\n3.9\n", "/home/u/.pyenv/versions/3.9.18/bin/python3"},
		{"major version", "-- exec /home/u/.pyenv/versions/3.13.1/bin/python3 --\n-- exec /home/u/.pyenv/versions/3.14.0a2/bin/python3 --\n-- file /home/u/.pyenv/version --\n3\n", "/home/u/.pyenv/versions/3.13.1/bin/python3"},
		{"system first", "-- file /home/u/.pyenv/version --\nsystem\n", ""},
		{"not installed", "-- file /home/u/.pyenv/version --\n3.12.0\n", ""},
		{"escaping", "-- file /home/u/.pyenv/version --\n../../../bin\n", ""},
		{"no choice", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, ok := look.ShimOf(t.Context(), hosttest.Parse(t, shim+versions+test.fixture), c)
			if !ok || got.Manager != "pyenv" || got.Target != test.target {
				t.Errorf("got %+v %v, want %q", got, ok, test.target)
			}
		})
	}
	h := hosttest.Parse(t, "-- exec /usr/bin/python3 --\n\x7fELF\n-- exec /opt/python3 --\n#!/bin/sh\nexec /usr/bin/python3\n")
	for _, path := range []string{"/usr/bin/python3", "/opt/python3"} {
		if got, ok := look.ShimOf(t.Context(), h, look.Copy{Path: path}); ok {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b[31mb\x00\xff\u0085" + strings.Repeat("é", 500))
	f.Fuzz(func(t *testing.T, s string) {
		got := look.Clean(s)
		if !utf8.ValidString(got) || len(got) > 310 || strings.ContainsAny(got, "\n\r\x1b\x00\t") {
			t.Errorf("%q → %q", s, got)
		}
		if look.Clean(got) != got && len(got) < 300 {
			t.Errorf("%q is not stable", got)
		}
	})
}

func FuzzDpkg(f *testing.F) {
	f.Add("Package: apt\nStatus: install ok installed\nVersion: 1\n\nPackage: b\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "\n-- ") || strings.HasPrefix(text, "-- ") {
			return // would be read as another section of the fixture
		}
		h := hosttest.Parse(t, "-- file /var/lib/dpkg/status --\n"+text)
		got, err := look.Dpkg(t.Context(), h, "apt")
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range got {
			if v == "" || !utf8.ValidString(v) {
				t.Errorf("version %q", v)
			}
		}
	})
}
