package closure_test

import (
	"debug/elf"
	"debug/macho"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/closure"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// told is a tree in a form that is easy to compare: libraries, then needs.
func told(t *closure.Tree) string {
	var out []string
	for _, l := range t.Libraries {
		delay := ""
		if l.Delay {
			delay = " delay"
		}
		out = append(out, l.Name+" "+l.State+delay)
	}
	for _, n := range t.Needs {
		out = append(out, fmt.Sprintf("need %s %s %s", n.Name, n.Cause, n.Lacks))
	}
	return strings.Join(out, "\n")
}

func linuxHost(files map[string]string) *host.Host {
	r := host.NewRecording("linux", "amd64", hosttest.Time)
	for name, data := range files {
		r.Files[name] = host.File{Data: []byte(data)}
	}
	r.Complete()
	return host.Replay(r)
}

func TestTreeELF(t *testing.T) {
	const app, ld = "/opt/x/lib/libx.so.1", "/lib64/ld-linux-x86-64.so.2"
	root := library{soname: "libx.so.1", needed: []string{"liba.so.1", "libc.so.6"}, wants: [2]string{"liba.so.1", "A_2.5"}}
	libc := library{soname: "libc.so.6"}.bytes()
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
		here  bool
	}{
		{"all found", map[string]string{app: root.bytes(), ld: "x", "/usr/lib/liba.so.1": library{soname: "liba.so.1", defines: "A_2.5"}.bytes(), "/usr/lib/libc.so.6": libc}, "liba.so.1 found\nlibc.so.6 found", true},
		{"too old", map[string]string{app: root.bytes(), ld: "x", "/usr/lib/liba.so.1": library{soname: "liba.so.1", defines: "A_1.0"}.bytes(), "/usr/lib/libc.so.6": libc}, "liba.so.1 too-old\nlibc.so.6 found\nneed liba.so.1 too-old A_2.5", true},
		{"missing", map[string]string{app: root.bytes(), ld: "x", "/usr/lib/libc.so.6": libc}, "liba.so.1 missing\nlibc.so.6 found\nneed liba.so.1 not-found ", true},
		{"wrong architecture", map[string]string{app: root.bytes(), ld: "x", "/usr/lib/liba.so.1": library{machine: elf.EM_AARCH64}.bytes(), "/usr/lib/libc.so.6": libc}, "liba.so.1 wrong-arch\nlibc.so.6 found\nneed liba.so.1 other-arch ", true},
		{"for another machine", map[string]string{app: library{machine: elf.EM_AARCH64, needed: []string{"libb.so", "libc.so.6"}, runpath: "$ORIGIN"}.bytes(), "/opt/x/lib/libb.so": library{machine: elf.EM_AARCH64}.bytes(), ld: "x"}, "libb.so found\nlibc.so.6 unknown", false},
	} {
		tree, err := closure.Of(t.Context(), linuxHost(c.files), app)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, told(tree)); diff != "" || tree.Here != c.here || tree.Format != "elf" {
			t.Errorf("%s: here %v\n%s", c.name, tree.Here, diff)
		}
	}
}

func TestTreeRequires(t *testing.T) {
	tree, err := closure.Of(t.Context(), linuxHost(map[string]string{"/x": library{wants: [2]string{"libc.so.6", "GLIBC_2.34"}}.bytes()}), "/x")
	if err != nil || tree.Requires["GLIBC"] != "2.34" || tree.Arch != "amd64" {
		t.Errorf("%+v %v", tree, err)
	}
}

func TestTreePE(t *testing.T) {
	const plain = "-- platform --\nwindows/amd64\n-- env --\nSystemRoot=C:\\Windows\nPATH=C:\\on\n"
	program := "-- pe C:\\app\\x.exe --\nimport KERNEL32.dll\nimport api-ms-win-crt-heap-l1-1-0.dll\nimport a.dll\nimport b.dll\ndelay late.dll\nlinker 14.40\n"
	h := hosttest.Parse(t, plain+program+"-- pe C:\\app\\a.dll --\nimport c.dll\n-- pe C:\\on\\b.dll --\nmachine 386\n")
	tree, err := closure.Of(t.Context(), h, `C:\app\x.exe`)
	if err != nil {
		t.Fatal(err)
	}
	want := "KERNEL32.dll system\napi-ms-win-crt-heap-l1-1-0.dll system\na.dll found\nb.dll wrong-arch\nlate.dll missing delay\nc.dll missing\nneed b.dll other-arch \nneed c.dll not-found \nneed late.dll on-call "
	if diff := cmp.Diff(want, told(tree)); diff != "" || !tree.Here || tree.Arch != "amd64" || tree.Linker != "14.40" {
		t.Errorf("%+v\n%s", tree, diff)
	}
}

// TestTreeSideBySide: the C runtime of Visual C++ 2008 lies in WinSxS only. The newest
// build of the manifest's version counts, and a private assembly in the program's folder.
func TestTreeSideBySide(t *testing.T) {
	const (
		plain = "-- platform --\nwindows/amd64\n-- env --\nSystemRoot=C:\\Windows\nPATH=C:\\on\n"
		id    = `<dependency><dependentAssembly><assemblyIdentity type="win32" name="Microsoft.VC90.CRT" version="9.0.21022.8" processorArchitecture="amd64" publicKeyToken="1fc8b3b9a1e18e3b"/></dependentAssembly></dependency>`
		exe   = "-- pe C:\\app\\x.exe --\nimport msvcr90.dll\nimport own.dll\n"
		asks  = `manifest <assembly xmlns="urn:schemas-microsoft-com:asm.v1" manifestVersion="1.0">` + id + "</assembly>\n"
		crt   = `C:\Windows\WinSxS\amd64_microsoft.vc90.crt_1fc8b3b9a1e18e3b_9.0.`
		own   = "-- pe C:\\app\\own.dll --\nimport msvcp90.dll\n"
		files = "-- pe " + crt + "21022.8_none_aa\\msvcr90.dll --\n-- pe " + crt + "30729.9625_none_bb\\msvcr90.dll --\n-- pe " + crt + "30729.9625_none_bb\\msvcp90.dll --\n"
	)
	for name, c := range map[string]struct{ host, want string }{
		"a manifest":           {plain + exe + asks + own + files, "msvcr90.dll found\nown.dll found\nmsvcp90.dll found\n"},
		"no manifest":          {plain + exe + own + files, "msvcr90.dll missing\nown.dll found\nmsvcp90.dll missing\nneed msvcr90.dll not-found \nneed msvcp90.dll not-found "},
		"not installed":        {plain + exe + asks + own, "msvcr90.dll missing\nown.dll found\nmsvcp90.dll missing\nneed msvcr90.dll not-found \nneed msvcp90.dll not-found "},
		"in the program's":     {plain + exe + asks + own + "-- pe C:\\app\\Microsoft.VC90.CRT\\msvcr90.dll --\n-- pe C:\\app\\Microsoft.VC90.CRT\\msvcp90.dll --\n", "msvcr90.dll found\nown.dll found\nmsvcp90.dll found\n"},
		"a manifest not whole": {plain + exe + "manifest <assembly\n" + own, "msvcr90.dll missing\nown.dll found\nmsvcp90.dll missing\nneed msvcr90.dll not-found \nneed msvcp90.dll not-found "},
	} {
		tree, err := closure.Of(t.Context(), hosttest.Parse(t, c.host), `C:\app\x.exe`)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.TrimSpace(c.want), strings.TrimSpace(told(tree))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if name == "a manifest" && !strings.Contains(tree.Libraries[0].File, "30729") {
			t.Errorf("%s is not the newest build", tree.Libraries[0].File)
		}
	}
}

func TestTreeMachO(t *testing.T) {
	lib := dylib{cpus: []macho.Cpu{macho.CpuAmd64, macho.CpuArm64}, needed: []string{"/usr/lib/libSystem.B.dylib", "@rpath/libb.dylib", "/opt/homebrew/opt/tbb/lib/libtbb.dylib"}, rpaths: []string{"@loader_path"}}
	r := host.NewRecording("darwin", "arm64", hosttest.Time)
	r.Files["/x/liba.dylib"] = host.File{Data: lib.bytes()}
	r.Files["/x/libb.dylib"] = host.File{Data: dylib{}.bytes()}
	r.Complete()
	tree, err := closure.Of(t.Context(), host.Replay(r), "/x/liba.dylib")
	if err != nil {
		t.Fatal(err)
	}
	want := "/usr/lib/libSystem.B.dylib system\n@rpath/libb.dylib found\n/opt/homebrew/opt/tbb/lib/libtbb.dylib missing\nneed /opt/homebrew/opt/tbb/lib/libtbb.dylib not-found "
	if diff := cmp.Diff(want, told(tree)); diff != "" || tree.Arch != "amd64,arm64" || !tree.Here {
		t.Errorf("%+v\n%s", tree, diff)
	}
}

func TestTreeOfNoLibrary(t *testing.T) {
	if _, err := closure.Of(t.Context(), linuxHost(map[string]string{"/x": "hello, world"}), "/x"); !errors.Is(err, closure.ErrFormat) {
		t.Errorf("%v", err)
	}
	if _, err := closure.Of(t.Context(), linuxHost(map[string]string{"/x": "\x7fELF"}), "/x"); err == nil {
		t.Error("four bytes are a library")
	}
}

// FuzzOf reads any bytes as a file of each format: nothing crashes.
func FuzzOf(f *testing.F) {
	f.Add([]byte(library{soname: "libx.so.1", needed: []string{"liby.so"}, wants: [2]string{"liby.so", "V_1"}, defines: "W"}.bytes()))
	f.Add(dylib{needed: []string{"/opt/x.dylib"}}.bytes())
	f.Add([]byte("MZ"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, system := range []string{"linux", "windows", "darwin"} {
			r := host.NewRecording(system, "amd64", hosttest.Time)
			r.Files["/l/x"] = host.File{Data: data}
			r.Complete()
			if tree, err := closure.Of(t.Context(), host.Replay(r), "/l/x"); err == nil && tree.Format == "" {
				t.Error("a tree without a format")
			}
		}
	})
}
