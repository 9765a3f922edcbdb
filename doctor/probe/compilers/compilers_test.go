package compilers

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/internal/probetest"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

var update = flag.Bool("update", false, "rewrite the golden facts in testdata/machines")

func TestMachines(t *testing.T) {
	probetest.Machines(t, Probe, *update)
}

func find(t *testing.T, fixture string) facts.Facts {
	t.Helper()
	return probetest.Of(Probe)(t, hosttest.Parse(t, fixture))
}

// gcc is the section of a working gcc or g++.
func gcc(path, version, target string) string {
	return fmt.Sprintf("-- run %q \"-v\" --\n#stderr Target: %s\n#stderr Thread model: posix\n#stderr gcc version %s (x)\n", path, target, version)
}

const env = "-- env --\nPATH=/usr/local/bin:/usr/bin\n"

func TestGccWithoutGpp(t *testing.T) {
	f := find(t, env+gcc("/usr/bin/gcc", "12.2.0", "x86_64-linux-gnu"))
	probetest.Copies(t, f, "gcc", "*12.2.0 /usr/bin/gcc")
	if f.Components["g++"] != nil || len(f.Problems) != 0 {
		t.Errorf("g++ %v, problems %v", f.Components["g++"], f.Problems)
	}
}

func TestVersionedNamesOnlyAreNotActive(t *testing.T) {
	f := find(t, env+gcc("/usr/bin/gcc-11", "11.4.0", "x86_64-linux-gnu")+gcc("/usr/bin/gcc-9", "9.5.0", "x86_64-linux-gnu"))
	probetest.Copies(t, f, "gcc", "11.4.0 /usr/bin/gcc-11", "9.5.0 /usr/bin/gcc-9")
}

func TestFirstOnPathWins(t *testing.T) {
	f := find(t, env+gcc("/usr/bin/g++", "12.2.0", "x86_64-linux-gnu")+gcc("/usr/local/bin/g++", "14.1.0", "x86_64-pc-linux-gnu"))
	probetest.Copies(t, f, "g++", "*14.1.0 /usr/local/bin/g++", "12.2.0 /usr/bin/g++")
}

// TestNamedByVariable: a compiler that only a variable leads to is found, and the
// variable stands with it.
func TestNamedByVariable(t *testing.T) {
	f := find(t, "-- env --\nPATH=/usr/bin\nCUDAHOSTCXX=/opt/gcc-11/bin/g++\nCC=gcc -m64\nCXX=/opt/gone/g++\n"+gcc("/usr/bin/gcc", "14.2.0", "x86_64-linux-gnu")+gcc("/usr/bin/g++", "14.2.0", "x86_64-linux-gnu")+gcc("/opt/gcc-11/bin/g++", "11.4.0", "x86_64-linux-gnu"))
	if diff := cmp.Diff([]string{"*14.2.0 /usr/bin/g++", "11.4.0 /opt/gcc-11/bin/g++"}, probetest.Brief(f.Components["g++"])); diff != "" {
		t.Fatal(diff)
	}
	probetest.Same(t, "", [][]string{{"PATH"}, {"CUDAHOSTCXX"}, {"PATH", "CC"}}, [][]string{f.Components["g++"][0].Via, f.Components["g++"][1].Via, f.Components["gcc"][0].Via})
}

func TestCrossCompilers(t *testing.T) {
	for _, c := range []struct {
		name, path, target string
		cross              bool
	}{
		{"own by another name", "/usr/bin/x86_64-pc-linux-gnu-gcc", "x86_64-pc-linux-gnu", false},
		{"other architecture", "/usr/bin/aarch64-linux-gnu-gcc", "aarch64-linux-gnu", true},
		{"MinGW", "/usr/bin/x86_64-w64-mingw32-gcc", "x86_64-w64-mingw32", true},
		{"Android", "/usr/bin/x86_64-linux-android21-clang", "x86_64-linux-android21", true},
		{"bare metal", "/usr/bin/arm-none-eabi-gcc-13", "arm-none-eabi", true},
		{"musl wrapper", "/usr/bin/musl-gcc", "x86_64-linux-gnu", true},
		{"musl tool chain", "/usr/bin/x86_64-linux-musl-gcc", "x86_64-linux-musl", true},
		{"Alpine's own", "/usr/bin/x86_64-alpine-linux-musl-gcc", "x86_64-alpine-linux-musl", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := gcc(c.path, "13.2.0", c.target)
			if strings.Contains(c.path, "clang") {
				text = strings.Replace(text, "gcc version", "clang version", 1)
			}
			f := find(t, env+text)
			if got := len(f.Components["cross"]) == 1; got != c.cross {
				t.Errorf("cross %v, want %v: %v", got, c.cross, f.Components)
			}
		})
	}
}

func TestHalfRemovedCompiler(t *testing.T) {
	const dir = "/usr/lib/gcc/x86_64-linux-gnu/12/"
	file := func(names ...string) (text string) {
		for _, name := range names {
			text += "-- exec " + name + " --\n"
		}
		return text
	}
	asks := func(part, answer string) string {
		return "-- run \"/usr/bin/g++\" \"-print-prog-name=" + part + "\" --\n" + answer + "\n"
	}
	for _, c := range []struct{ name, files, detail, remedy string }{
		{"not asked", file(dir + "cc1plus"), "", ""},
		{"in places that the driver knows", file(dir+"cc1plus", "/usr/bin/as") + asks("ld", "/opt/x/ld"), "", ""},
		{"whole", file(dir+"cc1plus", "/usr/bin/as", "/usr/bin/ld"), "", ""},
		{"its own assembler and linker", file(dir+"cc1plus", dir+"as", "/usr/x86_64-linux-gnu/bin/ld"), "", ""},
		{"no compiler", file(dir+"cc1", "/usr/bin/as", "/usr/bin/ld"), "its cc1plus is missing", "Install the package of /usr/bin/g++ again"},
		{"no linker", file(dir+"cc1plus", "/usr/bin/as") + asks("ld", "ld") + "-- file /etc/debian_version --\n12.7\n", "its ld is missing", "apt-get install --reinstall binutils binutils-x86-64-linux-gnu"},
		{"no assembler", file(dir+"cc1plus", "/usr/bin/ld") + asks("as", "as"), "its as is missing", "Install binutils again"},
	} {
		g := find(t, env+gcc("/usr/bin/g++", "12.2.0", "x86_64-linux-gnu")+c.files).Components["g++"][0]
		if u := g.Unusable; (u == nil) != (c.detail == "") || u != nil && (g.HasPart("c++") || !strings.Contains(u.Detail, c.detail) || !strings.Contains(u.Remedy, c.remedy)) {
			t.Errorf("%s: %+v", c.name, u)
		}
	}
}

func TestMissingHeaders(t *testing.T) {
	file := func(names ...string) (text string) {
		for _, name := range names {
			text += "-- file /usr/include/" + name + " --\nx\n"
		}
		return text
	}
	finds := func(name, exit string) string {
		return "-- run \"/usr/bin/g++\" \"-E\" \"-o\" \"/dev/null\" \"-x\" \"c++\" \"-include\" \"" + name + "\" \"/dev/null\" --\n#exit " + exit + "\n"
	}
	for _, c := range []struct{ name, files, detail string }{
		{"all in their places", file("stdio.h", "linux/errno.h", "c++/12/vector"), ""},
		{"not asked", "", ""},
		{"in another place", file("linux/errno.h", "c++/12/vector") + finds("stdio.h", "0"), ""},
		{"the C library's are gone", file("linux/errno.h", "c++/12/vector") + finds("stdio.h", "1"), "the headers stdio.h are missing"},
		{"the kernel's and C++'s are gone", file("x86_64-linux-gnu/stdio.h") + finds("linux/errno.h", "1") + finds("vector", "1"), "the headers linux/errno.h, vector are missing"},
	} {
		g := find(t, env+gcc("/usr/bin/g++", "12.2.0", "x86_64-linux-gnu")+c.files).Components["g++"][0]
		if u := g.Unusable; (u == nil) != (c.detail == "") || u != nil && !strings.Contains(u.Detail, c.detail) {
			t.Errorf("%s: %+v", c.name, u)
		}
	}
}

// TestHalfGCC: clang++ uses the headers of the newest GCC that has a folder.
func TestHalfGCC(t *testing.T) {
	const ask = "-- run \"/usr/bin/clang++\" \"-E\" \"-o\" \"/dev/null\" \"-x\" \"c++\" \"-include\" \"vector\" \"/dev/null\" --\n#exit "
	clang := func(gcc string) string {
		return "-- run \"/usr/bin/clang++\" \"-v\" --\n#stderr Ubuntu clang version 14.0.0-1ubuntu1.1\n#stderr Target: x86_64-pc-linux-gnu\n#stderr Selected GCC installation: " + gcc + "\n"
	}
	for _, c := range []struct{ name, files, detail string }{
		{"its headers are there", clang("/usr/bin/../lib/gcc/x86_64-linux-gnu/11"), ""},
		{"only another's are", clang("/usr/bin/../lib/gcc/x86_64-linux-gnu/12"), "headers of GCC 12"},
		{"it finds them all the same", clang("/usr/bin/../lib/gcc/x86_64-linux-gnu/12") + ask + "0\n", ""},
		{"it says so", clang("/usr/bin/../lib/gcc/x86_64-linux-gnu/12") + ask + "1\n", "headers of GCC 12"},
		{"g++ is used", clang("/usr/bin/../lib/gcc/x86_64-linux-gnu/12") + gcc("/usr/bin/g++", "11.4.0", "x86_64-linux-gnu"), ""},
		{"a GCC elsewhere", clang("/opt/rh/gcc-toolset-13/root/usr/lib/gcc/x86_64-redhat-linux/13"), ""},
	} {
		g := find(t, env+"-- file /usr/include/c++/11/vector --\n"+c.files).Components["clang++"][0]
		if u := g.Unusable; (u == nil) != (c.detail == "") || u != nil && !strings.Contains(u.Detail, c.detail) {
			t.Errorf("%s: %+v", c.name, u)
		}
	}
}

func TestUnusableCompiler(t *testing.T) {
	f := find(t, env+"-- exec /usr/bin/gcc --\n-- run \"/usr/bin/gcc\" \"-v\" --\n#error exec format error\n")
	probetest.Copies(t, f, "gcc", "* /usr/bin/gcc")
	if len(f.Problems) != 1 || !strings.Contains(f.Problems[0].Error, "exec format error") {
		t.Errorf("problems %+v", f.Problems)
	}
}

func TestMacStubs(t *testing.T) {
	const stubs = "-- platform --\ndarwin/arm64\n-- env --\nPATH=/usr/bin\n-- exec /usr/bin/gcc --\n-- exec /usr/bin/g++ --\n-- exec /usr/bin/clang --\n"
	if f := find(t, stubs); len(f.Components) != 0 {
		t.Errorf("stubs without tools were taken for compilers: %v", f.Components)
	}
	const tool = "/Applications/Xcode.app/Contents/Developer/Toolchains/XcodeDefault.xctoolchain/usr/bin/"
	var b strings.Builder
	for _, name := range []string{"gcc", "g++", "clang"} {
		fmt.Fprintf(&b, "-- run %q \"-v\" --\n#stderr Apple clang version 15.0.0 (clang-1500.3.9.4)\n#stderr Target: arm64-apple-darwin23.4.0\n", tool+name)
	}
	f := find(t, stubs+b.String())
	probetest.Copies(t, f, "clang", "*15.0.0 /usr/bin/clang")
	if f.Components["gcc"] != nil || f.Components["g++"] != nil {
		t.Errorf("Apple's clang was taken for gcc: %v", f.Components)
	}
}

// TestMacStubAnswers: where the tool itself says nothing, its stub is asked; it opens no
// window, as the tool is there.
func TestMacStubAnswers(t *testing.T) {
	const host = "-- platform --\ndarwin/arm64\n-- env --\nPATH=/usr/bin\n-- exec /usr/bin/clang --\n-- exec /Library/Developer/CommandLineTools/usr/bin/clang --\n"
	const answer = "-- run \"/usr/bin/clang\" \"-v\" --\n#stderr Apple clang version 16.0.0 (clang-1600.0.26.6)\n#stderr Target: arm64-apple-darwin24.1.0\n"
	probetest.Copies(t, find(t, host+answer), "clang", "*16.0.0 /usr/bin/clang")
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"gcc": true, "gcc-12": true, "g++-4.8": true, "clang++-19": true, "x86_64-linux-gnu-gcc-12": true, "arm-linux-gnueabihf-g++": true,
		"clang19": true, "gcc48": true, "gcc-ar": false, "gcc-ar-12": false, "c89-gcc": false, "clang-format": false, "clang-tidy-19": false, "mygcc": false, "": false,
	} {
		if got := compilerName.MatchString(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
