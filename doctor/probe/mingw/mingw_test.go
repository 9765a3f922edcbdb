package mingw_test

import (
	"context"
	"flag"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe/mingw"
)

var probe = probetest.Of(mingw.Probe)

var update = flag.Bool("update", false, "rewrite the golden facts in testdata/machines")

func TestMachines(t *testing.T) {
	probetest.Machines(t, mingw.Probe, *update)
}

func TestParseVersion(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want mingw.Compiler
	}{
		"msys2": {
			"Using built-in specs.\r\nCOLLECT_GCC=gcc\r\nTarget: x86_64-w64-mingw32\r\nConfigured with: ../gcc-13.2.0/configure --prefix=/ucrt64 --enable-threads=posix --with-pkgversion='Rev3, Built by MSYS2 project' --disable-sjlj-exceptions\r\nThread model: posix\r\ngcc version 13.2.0 (Rev3, Built by MSYS2 project) \r\n",
			mingw.Compiler{Compiler: "gcc", Version: "13.2.0", Target: "x86_64-w64-mingw32", Threads: "posix", Exceptions: "seh", CRT: "ucrt", Distribution: "msys2"},
		},
		"winlibs": {
			"Target: x86_64-w64-mingw32\nThread model: mcf\ngcc version 14.1.0 (MinGW-W64 x86_64-ucrt-mcf-seh, built by Brecht Sanders, r3) \n",
			mingw.Compiler{Compiler: "gcc", Version: "14.1.0", Target: "x86_64-w64-mingw32", Threads: "mcf", Exceptions: "seh", CRT: "ucrt", Distribution: "winlibs"},
		},
		"winlibs before UCRT, sjlj": {
			"Target: i686-w64-mingw32\nConfigured with: --enable-threads=posix --without-dwarf2 --enable-sjlj-exceptions\nThread model: posix\ngcc version 9.3.0 (MinGW-W64 i686-posix-sjlj, built by Brecht Sanders)\n",
			mingw.Compiler{Compiler: "gcc", Version: "9.3.0", Target: "i686-w64-mingw32", Threads: "posix", Exceptions: "sjlj", Distribution: "winlibs"},
		},
		"mingw-builds": {
			"Target: x86_64-w64-mingw32\nConfigured with: --with-sysroot=/c/buildroot/x86_64-1520-win32-seh-ucrt-rt_v13-rev0/mingw64\nThread model: win32\ngcc version 15.2.0 (x86_64-win32-seh-rev0, Built by MinGW-Builds project)\n",
			mingw.Compiler{Compiler: "gcc", Version: "15.2.0", Target: "x86_64-w64-mingw32", Threads: "win32", Exceptions: "seh", CRT: "ucrt", Distribution: "mingw-builds"},
		},
		"mingw-builds --version": {
			"gcc.exe (x86_64-posix-sjlj-rev0, Built by MinGW-W64 project) 8.1.0\nCopyright (C) 2018 Free Software Foundation, Inc.\n",
			mingw.Compiler{Compiler: "gcc", Version: "8.1.0", Threads: "posix", Exceptions: "sjlj", Distribution: "mingw-builds"},
		},
		"g++ --version": {
			"g++ (MinGW-W64 i686-ucrt-mcf-dwarf, built by Brecht Sanders) 14.1.0\n",
			mingw.Compiler{Compiler: "gcc", Version: "14.1.0", Threads: "mcf", Exceptions: "dwarf", CRT: "ucrt", Distribution: "winlibs"},
		},
		"tdm": {
			"Target: x86_64-w64-mingw32\nConfigured with: --enable-threads=posix --with-pkgversion=tdm64-1\nThread model: posix\ngcc version 10.3.0 (tdm64-2) \n",
			mingw.Compiler{Compiler: "gcc", Version: "10.3.0", Target: "x86_64-w64-mingw32", Threads: "posix", Exceptions: "seh", Distribution: "tdm"},
		},
		"mingw.org": {
			"Target: mingw32\nConfigured with: --enable-threads --with-dwarf2 --disable-sjlj-exceptions\nThread model: win32\ngcc version 6.3.0 (MinGW.org GCC-6.3.0-1) \n",
			mingw.Compiler{Compiler: "gcc", Version: "6.3.0", Target: "mingw32", Threads: "win32", Exceptions: "dwarf", Distribution: "mingw.org"},
		},
		"cross from Debian": {
			"Target: x86_64-w64-mingw32\nThread model: win32\ngcc version 12-win32 (GCC) \n",
			mingw.Compiler{Compiler: "gcc", Version: "12", Target: "x86_64-w64-mingw32", Threads: "win32", Exceptions: "seh"},
		},
		"llvm-mingw": {
			"clang version 20.1.0 (llvm-project 24a30daaa559)\nTarget: aarch64-w64-windows-gnu\nThread model: posix\nInstalledDir: D:/apps/llvm-mingw-20250305-ucrt-aarch64/bin\n",
			mingw.Compiler{Compiler: "clang", Version: "20.1.0", Target: "aarch64-w64-windows-gnu", Threads: "posix", Distribution: "llvm-mingw"},
		},
		"llvm.org": {
			"clang version 13.0.1\nTarget: x86_64-pc-windows-msvc\nThread model: posix\nInstalledDir: C:\\LLVM\\bin\n",
			mingw.Compiler{Compiler: "clang", Version: "13.0.1", Target: "x86_64-pc-windows-msvc", Threads: "posix"},
		},
		"Strawberry Perl": {
			"Target: x86_64-w64-mingw32\nConfigured with: --enable-seh-exceptions\nThread model: posix\ngcc version 13.1.0 (x86_64-posix-seh, Built by strawberryperl.com project)\n",
			mingw.Compiler{Compiler: "gcc", Version: "13.1.0", Target: "x86_64-w64-mingw32", Threads: "posix", Exceptions: "seh", Distribution: "strawberry"},
		},
		"dumpmachine":    {"x86_64-w64-mingw32\r\n", mingw.Compiler{Target: "x86_64-w64-mingw32"}},
		"not a compiler": {"Access is denied.\n", mingw.Compiler{}},
		"empty":          {"", mingw.Compiler{}},
	} {
		t.Run(name, func(t *testing.T) {
			probetest.Same(t, "", c.want, mingw.ParseVersion(c.text))
		})
	}
}

func TestHeaders(t *testing.T) {
	if got := mingw.CRT("# define __MSVCRT_VERSION__ 0x700 /* default */\n"); got != "msvcrt" {
		t.Errorf("0x700 is %s", got)
	}
	if got := mingw.CRT("nothing"); got != "" {
		t.Errorf("nothing is %s", got)
	}
	if got := mingw.RuntimeVersion("#define __MINGW64_VERSION_MAJOR 9\n"); got != "9.0.0" {
		t.Errorf("runtime %s", got)
	}
}

func TestBareAndHostileHosts(t *testing.T) {
	for _, h := range []*host.Host{hosttest.Empty("linux", "amd64"), probetest.Windows(t, "")} {
		if f := probe(t, h); len(f.Components) != 0 {
			t.Errorf("%s: %v", h.OS, f.Components)
		}
	}
	path := strings.Repeat(`C:\nowhere\`+strings.Repeat("x", 40)+`;`, 5_000)
	h := probetest.Windows(t, `
-- env --
PATH=`+path+`C:\bin;C:\shim
CC="
-- exec C:\bin\gcc.exe --
MZ
-- file C:\lib\gcc --
a file where a folder should be
-- exec C:\shim\gcc.exe --
MZ
-- run "C:\\shim\\gcc.exe" "-v" --
#error it hangs
`)
	f := probe(t, h)
	list := f.Components["mingw"]
	if len(list) != 2 || list[0].Version != "" || list[0].Attrs["state"] == "" || !list[0].Active {
		t.Errorf("%+v", list)
	}
}

// Compilers that never exit cost one wait, not one each.
func TestHangingCompilers(t *testing.T) {
	h := probetest.Windows(t, "", "windows-mingw-three")
	h.World = probetest.Stuck{World: h.World}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // a probe's deadline
		defer cancel()
		f, err := mingw.Probe(ctx, h)
		if err != nil {
			t.Fatal(err)
		}
		list := f.Components["mingw"]
		if len(list) != 4 || list[0].Attrs["state"] == "" || list[1].Version != "14.2.0" {
			t.Errorf("%+v", list)
		}
	})
}

func FuzzParseVersion(f *testing.F) {
	f.Add("gcc version 5.1.0 (tdm64-1)\nTarget: x86_64-w64-mingw32\nThread model: posix\n")
	f.Add("clang version 18.1.8\nInstalledDir: C:/llvm-mingw/bin\n")
	f.Add("gcc (x86_64-win32-seh-rev0, Built by MinGW-Builds project) 14.2.0\n")
	f.Add("#define __MSVCRT_VERSION__ 0xffffffffff\n#define __MINGW64_VERSION_MAJOR 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		if d := mingw.ParseVersion(text); d.Compiler == "" && d.Version != "" {
			t.Errorf("a version %q of no compiler", d.Version)
		}
		if v := mingw.CRT(text); v != "" && v != "ucrt" && v != "msvcrt" {
			t.Errorf("crt %q", v)
		}
		mingw.RuntimeVersion(text)
	})
}
