package tools

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/internal/probetest"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

func buildTools(t *testing.T, fixture string) facts.Facts {
	t.Helper()
	f, err := Probe(BuildTools).Run(t.Context(), hosttest.Parse(t, fixture))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

const env = "-- env --\nPATH=/usr/local/bin:/usr/bin:/bin\nHOME=/home/u\n"

func TestWhatToolsSay(t *testing.T) {
	for _, c := range []struct{ component, program, args, says, want string }{
		{"cmake", "cmake", `"--version"`, "cmake version 3.25.1\n\nCMake suite maintained", "3.25.1"},
		{"cmake", "cmake3", `"--version"`, "cmake3 version 3.17.5", "3.17.5"},
		{"cmake", "cmake", `"--version"`, "cmake version 3.31.0-rc2", "3.31.0"},
		{"ninja", "ninja-build", `"--version"`, "1.11.1", "1.11.1"},
		{"ninja", "ninja", `"--version"`, "1.11.1.git.kitware.jobserver-1", "1.11.1"},
		{"make", "make", `"--version"`, "GNU Make 4.3\nBuilt for x86_64", "4.3"},
		{"pkg-config", "pkg-config", `"--version"`, "0.29.2", "0.29.2"},
		{"git", "git", `"--version"`, "git version 2.39.5", "2.39.5"},
		{"git", "git", `"--version"`, "git version 2.46.0.windows.1", "2.46.0"},
		{"go", "go", `"version"`, "go version go1.22.2 linux/amd64", "1.22.2"},
		{"go", "go", `"version"`, "go version go1.23rc1 linux/amd64", "1.23rc1"},
		{"python", "python3", `"--version"`, "Python 3.11.2", "3.11.2"},
		{"python", "python", `"--version"`, "#stderr Python 2.7.18\n", "2.7.18"},
		{"python", "python3", `"--version"`, "Python 3.13.0rc2", "3.13.0"},
		{"ccache", "ccache", `"--version"`, "ccache version 4.7.5", "4.7.5"},
		{"nasm", "nasm", `"-v"`, "NASM version 2.16.01 compiled on Jan  1 2023", "2.16.01"},
		{"protoc", "protoc", `"--version"`, "libprotoc 3.21.12", "3.21.12"},
		{"swig", "swig", `"-version"`, "\nSWIG Version 4.1.0\n", "4.1.0"},
	} {
		f := buildTools(t, env+"-- run \"/usr/bin/"+c.program+"\" "+c.args+" --\n"+c.says+"\n")
		probetest.Copies(t, f, c.component, "*"+c.want+" /usr/bin/"+c.program)
	}
}

// TestPkgconf: what has only that name is not what Go and autotools look for.
func TestPkgconf(t *testing.T) {
	half := "-- run \"/usr/bin/pkgconf\" \"--version\" --\n1.8.1\n"
	probetest.Copies(t, buildTools(t, env+half), "pkg-config")
	probetest.Copies(t, buildTools(t, env+"PKG_CONFIG=/usr/bin/pkgconf\n"+half), "pkg-config", "*1.8.1 /usr/bin/pkgconf")
}

func TestGo(t *testing.T) {
	f := buildTools(t, env+`
-- exec /usr/lib/go-1.19/bin/go --
-- link /usr/bin/go --
/usr/lib/go-1.19/bin/go
-- file /usr/lib/go-1.19/VERSION --
go1.19.8
-- exec /usr/local/go/bin/go --
-- file /usr/local/go/VERSION --
go1.23.0
time 2024-08-07T19:21:44Z
`)
	probetest.Copies(t, f, "go", "*1.19.8 /usr/bin/go", "1.23.0 /usr/local/go/bin/go")
	if v := f.Components["go"][0]; v.Evidence[0].Kind != "file" || v.Attrs["goroot"] != "/usr/lib/go-1.19" {
		t.Errorf("%+v", v)
	}
}

// TestGoForAnotherMac: where the program's header does not say for which processor Go
// makes programs (one for both says none), Go does.
func TestGoForAnotherMac(t *testing.T) {
	f := buildTools(t, "-- platform --\ndarwin/arm64\n-- env --\nPATH=/usr/local/go/bin\n-- file /usr/local/go/VERSION --\ngo1.20.4\n-- run \"/usr/local/go/bin/go\" \"version\" --\ngo version go1.20.4 darwin/amd64\n")
	probetest.Copies(t, f, "go", "*1.20.4 /usr/local/go/bin/go")
	if got := f.Components["go"][0].Makes.Target; got != "amd64" {
		t.Errorf("makes programs for %q, not amd64", got)
	}
}

// TestPythonWithoutRunningIt: none of these has a recorded process, so a
// version can only come from files.
func TestPythonWithoutRunningIt(t *testing.T) {
	const shim = "#!/usr/bin/env bash\nexec \"/home/u/.pyenv/libexec/pyenv\" exec \"$program\" \"$@\"\n"
	for _, c := range []struct{ name, fixture, want string }{
		{"virtual environment", "-- env --\nPATH=/home/u/venv/bin\n-- exec /usr/bin/python3.12 --\n-- link /home/u/venv/bin/python3 --\n/usr/bin/python3.12\n-- file /home/u/venv/pyvenv.cfg --\nhome = /usr/bin\nversion = 3.12.3\n", "*3.12.3 /home/u/venv/bin/python3"},
		{"virtualenv's own form", "-- env --\nPATH=/v/bin\n-- exec /v/bin/python --\n-- file /v/pyvenv.cfg --\nversion_info = 3.10.4.final.0\n", "*3.10.4 /v/bin/python"},
		{"pyenv", "-- env --\nPATH=/home/u/.pyenv/shims\n-- exec /home/u/.pyenv/shims/python3 --\n" + shim + "-- exec /home/u/.pyenv/shims/python --\n" + shim + "-- file /home/u/.pyenv/version --\n3.11.8\n-- exec /home/u/.pyenv/versions/3.11.8/bin/python3.11 --\n-- link /home/u/.pyenv/versions/3.11.8/bin/python3 --\n/home/u/.pyenv/versions/3.11.8/bin/python3.11\n-- link /home/u/.pyenv/versions/3.11.8/bin/python --\n/home/u/.pyenv/versions/3.11.8/bin/python3.11\n", "*3.11.8 /home/u/.pyenv/shims/python3"},
		{"asdf's installation", "-- env --\nPATH=/home/u/.asdf/installs/python/3.9.19/bin\n-- exec /home/u/.asdf/installs/python/3.9.19/bin/python3 --\n\x7fELF\n", "*3.9.19 /home/u/.asdf/installs/python/3.9.19/bin/python3"},
		{"Windows, by the library beside it", "-- platform --\nwindows/amd64\n-- env --\nPATH=D:\\py\nPATHEXT=.EXE\n-- exec D:\\py\\python.exe --\nMZ\n-- file D:\\py\\python3.dll --\nMZ\n-- file D:\\py\\python311.dll --\nMZ\n", "*3.11 D:\\py\\python.exe"},
		{"Windows, by python.org's folder", "-- platform --\nwindows/amd64\n-- env --\nPATH=C:\\Python37\nPATHEXT=.EXE\n-- exec C:\\Python37\\python.exe --\nMZ\n", "*3.7 C:\\Python37\\python.exe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := buildTools(t, c.fixture)
			probetest.Copies(t, f, "python", c.want)
			if len(f.Problems) != 0 {
				t.Error(f.Problems)
			}
		})
	}
}

func TestShimThatStandsForTheNext(t *testing.T) {
	f := buildTools(t, "-- env --\nPATH=/home/u/.pyenv/shims:/usr/bin\n-- exec /home/u/.pyenv/shims/python3 --\n#!/bin/sh\nexec pyenv exec python3\n-- file /home/u/.pyenv/version --\nsystem\n-- run \"/usr/bin/python3\" \"--version\" --\nPython 3.11.2\n")
	probetest.Copies(t, f, "python", "*3.11.2 /usr/bin/python3")
}

func TestBazelIsNotRun(t *testing.T) {
	f := buildTools(t, env+"-- exec /usr/local/bin/bazel-7.1.0-linux-x86_64 --\n-- link /usr/local/bin/bazel --\n/usr/local/bin/bazel-7.1.0-linux-x86_64\n-- exec /usr/bin/bazelisk --\n")
	probetest.Copies(t, f, "bazel", "*7.1.0 /usr/local/bin/bazel", " /usr/bin/bazelisk")
}

// TestToolThatCannotRun: why, and what to do about it; slow or odd ones are not
// called broken.
func TestToolThatCannotRun(t *testing.T) {
	const local = "-- env --\nPATH=/home/u/.local/bin:/usr/bin\n"
	for _, c := range []struct{ name, fixture, detail, remedy string }{
		{"its interpreter is gone", local + "-- exec /home/u/.local/bin/cmake --\n#!/usr/bin/python3.8\nfrom cmake import cmake\n", "is a script for /usr/bin/python3.8, which is not here", "pip install --force-reinstall cmake"},
		{"its module is gone", local + "-- run \"/home/u/.local/bin/cmake\" \"--version\" --\n#exit 1\n#stderr Traceback (most recent call last):\n#stderr ModuleNotFoundError: No module named 'cmake'\n", "No module named 'cmake'", "Remove /home/u/.local/bin/cmake"},
		{"a library is gone", env + "-- run \"/usr/bin/cmake\" \"--version\" --\n#exit 127\n#stderr cmake: error while loading shared libraries: libarchive.so.13\n", "libarchive.so.13", "Install it again with the package manager"},
		{"other libraries come first", "-- env --\nPATH=/usr/bin\nLD_LIBRARY_PATH=/opt/conda/lib\n-- run \"/usr/bin/cmake\" \"--version\" --\n#exit 1\n#stderr cmake: /opt/conda/lib/libcurl.so.4: version CURL_OPENSSL_4 not found (required by cmake)\n", "CURL_OPENSSL_4", "unset LD_LIBRARY_PATH"},
		{"it is slow", env + "-- run \"/usr/bin/cmake\" \"--version\" --\n#error no answer\n", "", ""},
		{"it says something else", env + "-- run \"/usr/bin/cmake\" \"--version\" --\nhello\n", "", ""},
		{"a script that works", local + "-- file /usr/bin/python3 --\nx\n-- exec /home/u/.local/bin/cmake --\n#!/usr/bin/python3\n-- run \"/home/u/.local/bin/cmake\" \"--version\" --\ncmake version 3.31.2\n", "", ""},
	} {
		f := buildTools(t, c.fixture)
		list, told := f.Components["cmake"], len(f.Problems) == 1 && f.Problems[0].Covers[0] == "cmake"
		if len(list) != 1 || (list[0].Unusable != nil) != (c.detail != "") || strings.Contains(c.fixture, "#exit") && !told {
			t.Errorf("%s: %+v, problems %+v", c.name, list, f.Problems)
			continue
		}
		if u := list[0].Unusable; u != nil && (!strings.Contains(u.Detail, c.detail) || !strings.Contains(u.Remedy, c.remedy)) {
			t.Errorf("%s: %+v", c.name, u)
		}
	}
}

func TestWindowsRegistry(t *testing.T) {
	f := buildTools(t, `
-- platform --
windows/amd64
-- env --
Path=C:\Windows
-- reg 32 HKLM\SOFTWARE\Kitware\CMake --
InstallDir=D:\CMake\
-- exec D:\CMake\bin\cmake.exe --
-- run "D:\\CMake\\bin\\cmake.exe" "--version" --
cmake version 3.20.0
-- reg 64 HKCU\SOFTWARE\Python\PythonCore\3.12\InstallPath --
=C:\Users\u\AppData\Local\Programs\Python\Python312\
-- run "C:\\Users\\u\\AppData\\Local\\Programs\\Python\\Python312\\python.exe" "--version" --
Python 3.12.4
`)
	probetest.Copies(t, f, "cmake", `3.20.0 D:\CMake\bin\cmake.exe`)
	probetest.Copies(t, f, "python", `3.12.4 C:\Users\u\AppData\Local\Programs\Python\Python312\python.exe`)
}

func TestMacStubsWithoutToolsAreNothing(t *testing.T) {
	f := buildTools(t, "-- platform --\ndarwin/arm64\n-- env --\nPATH=/usr/bin\n-- exec /usr/bin/git --\n-- exec /usr/bin/make --\n-- exec /usr/bin/python3 --\n")
	if len(f.Components) != 0 {
		t.Errorf("%v", f.Components)
	}
}
