package closure_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/closure"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// library is a shared library with nothing but a dynamic section.
type library struct {
	machine        elf.Machine
	soname         string
	needed         []string
	rpath, runpath string
	wants          [2]string // library, version
	defines        string
}

func (l library) bytes() string {
	const headers, dynamicAt, recordsAt, textAt, size = 64 + 2*56, 512, 1024, 2048, 4096
	text := []byte{0}
	str := func(s string) uint64 {
		at := len(text)
		text = append(append(text, s...), 0)
		return uint64(at)
	}
	var dyn []uint64
	add := func(tag elf.DynTag, v uint64) { dyn = append(dyn, uint64(tag), v) }
	for _, n := range l.needed {
		add(elf.DT_NEEDED, str(n))
	}
	add(elf.DT_SONAME, str(l.soname))
	if l.rpath != "" {
		add(elf.DT_RPATH, str(l.rpath))
	}
	if l.runpath != "" {
		add(elf.DT_RUNPATH, str(l.runpath))
	}
	records := make([]byte, 256)
	le := binary.LittleEndian
	if l.wants[0] != "" {
		le.PutUint16(records[0:], 1)
		le.PutUint16(records[2:], 1)
		le.PutUint32(records[4:], uint32(str(l.wants[0])))
		le.PutUint32(records[8:], 16)
		le.PutUint32(records[16+8:], uint32(str(l.wants[1])))
		add(elf.DT_VERNEED, recordsAt)
		add(elf.DT_VERNEEDNUM, 1)
	}
	if l.defines != "" {
		le.PutUint16(records[128:], 1)
		le.PutUint16(records[128+6:], 1)
		le.PutUint32(records[128+12:], 20)
		le.PutUint32(records[128+20:], uint32(str(l.defines)))
		add(elf.DT_VERDEF, recordsAt+128)
		add(elf.DT_VERDEFNUM, 1)
	}
	add(elf.DT_STRTAB, textAt)
	add(elf.DT_NULL, 0)
	if l.machine == 0 {
		l.machine = elf.EM_X86_64
	}
	h := elf.Header64{
		Type: uint16(elf.ET_DYN), Machine: uint16(l.machine), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2,
	}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB)
	var head, body bytes.Buffer
	for _, v := range []any{
		h, elf.Prog64{Type: uint32(elf.PT_LOAD), Filesz: size, Memsz: size},
		elf.Prog64{Type: uint32(elf.PT_DYNAMIC), Off: dynamicAt, Vaddr: dynamicAt, Filesz: uint64(len(dyn) * 8)},
	} {
		if err := binary.Write(&head, le, v); err != nil {
			panic(err)
		}
	}
	if err := binary.Write(&body, le, dyn); err != nil {
		panic(err)
	}
	out := make([]byte, size)
	copy(out, head.Bytes())
	copy(out[dynamicAt:], body.Bytes())
	copy(out[recordsAt:], records)
	copy(out[textAt:], text)
	return string(out)
}

func TestNeeds(t *testing.T) {
	const app = "/opt/x/lib/libx.so.1"
	root := func(l library) library { l.soname = "libx.so.1"; return l }
	tbb := library{soname: "libtbb.so.12"}
	cases := []struct {
		name  string
		env   string
		files map[string]string
		want  []facts.Need
	}{
		{name: "in a default folder", files: map[string]string{app: root(library{needed: []string{tbb.soname}}).bytes(), "/usr/lib/x86_64-linux-gnu/libtbb.so.12": tbb.bytes()}},
		{
			name:  "glibc's loader on Alpine",
			files: map[string]string{app: root(library{needed: []string{"libc.so.6", "ld-linux-x86-64.so.2"}}).bytes(), "/lib/ld-musl-x86_64.so.1": "x", "/etc/alpine-release": "3.20"},
			want:  []facts.Need{{Name: "ld-linux-x86-64.so.2", By: app, Cause: facts.NotFound}},
		},
		{name: "gcompat plays glibc's loader", files: map[string]string{app: root(library{needed: []string{"ld-linux-x86-64.so.2"}}).bytes(), "/lib/ld-musl-x86_64.so.1": "x", "/etc/alpine-release": "3.20", "/lib/ld-linux-x86-64.so.2": library{}.bytes()}},
		{name: "beside it, by $ORIGIN", files: map[string]string{app: root(library{needed: []string{tbb.soname}, runpath: "$ORIGIN/../deps"}).bytes(), "/opt/x/deps/libtbb.so.12": tbb.bytes()}},
		{name: "a file without text is no evidence", files: map[string]string{app: "", "/usr/lib/libtbb.so.12": ""}},
		{name: "its need has no text", files: map[string]string{app: root(library{needed: []string{tbb.soname}, wants: [2]string{tbb.soname, "V2"}}).bytes(), "/usr/lib/libtbb.so.12": ""}},
		{
			name:  "missing, by Debian's name",
			files: map[string]string{app: root(library{needed: []string{tbb.soname}}).bytes(), "/var/lib/dpkg/status": "x"},
			want:  []facts.Need{{Name: "libtbb.so.12", By: app, Cause: facts.NotFound, Package: "libtbb12"}},
		},
		{
			name: "its package is installed, the file is gone",
			files: map[string]string{
				app: root(library{needed: []string{tbb.soname}}).bytes(), "/var/lib/dpkg/status": "x",
				"/var/lib/dpkg/info/libtbb12:amd64.list": "/usr/lib/x86_64-linux-gnu/libtbb.so.12\n",
			},
			want: []facts.Need{{Name: "libtbb.so.12", By: app, Cause: facts.NotFound, Package: "libtbb12", Installed: true}},
		},
		{
			name: "its package is installed, the file is a page",
			files: map[string]string{
				app: root(library{needed: []string{tbb.soname}}).bytes(), "/var/lib/dpkg/status": "x", "/usr/lib/x86_64-linux-gnu/libtbb.so.12": "<html>",
				"/var/lib/dpkg/info/libtbb12:amd64.list": "/usr/lib/x86_64-linux-gnu/libtbb.so.12\n",
			},
			want: []facts.Need{{Name: "libtbb.so.12", By: app, Cause: facts.Damaged, Found: "/usr/lib/x86_64-linux-gnu/libtbb.so.12", Problem: facts.WebPage, Package: "libtbb12", Installed: true}},
		},
		{
			name:  "under another number",
			files: map[string]string{app: root(library{needed: []string{tbb.soname}}).bytes(), "/usr/lib/x86_64-linux-gnu/libtbb.so.2": library{soname: "libtbb.so.2"}.bytes(), "/usr/lib/x86_64-linux-gnu/libtbb.so.2.1": "x", "/usr/lib/x86_64-linux-gnu/libtbbmalloc.so.3": "x"},
			want:  []facts.Need{{Name: "libtbb.so.12", By: app, Cause: facts.NotFound, Other: "libtbb.so.2"}},
		},
		{
			name:  "where the loader does not look",
			files: map[string]string{app: root(library{needed: []string{tbb.soname}}).bytes(), "/opt/tbb/lib/libtbb.so.12": tbb.bytes()},
			want:  []facts.Need{{Name: "libtbb.so.12", By: app, Cause: facts.NotFound, Elsewhere: "/opt/tbb/lib/libtbb.so.12"}},
		},
		{
			name:  "in a CUDA toolkit that the loader was not told of",
			files: map[string]string{app: root(library{needed: []string{"libcudart.so.12"}}).bytes(), "/usr/local/cuda-11.7/lib64/libcudart.so.11.0": library{soname: "libcudart.so.11.0"}.bytes(), "/usr/local/cuda-12.2/lib64/libcudart.so.12": library{soname: "libcudart.so.12"}.bytes()},
			want:  []facts.Need{{Name: "libcudart.so.12", By: app, Cause: facts.NotFound, Elsewhere: "/usr/local/cuda-12.2/lib64/libcudart.so.12"}},
		},
		{
			name: "too old in LD_LIBRARY_PATH", env: "LD_LIBRARY_PATH=/opt/old",
			files: map[string]string{
				app:                                   root(library{needed: []string{"libs.so.6"}, wants: [2]string{"libs.so.6", "S_3.4.29"}}).bytes(),
				"/opt/old/libs.so.6":                  library{soname: "libs.so.6", defines: "S_3.4.28"}.bytes(),
				"/usr/lib/x86_64-linux-gnu/libs.so.6": library{soname: "libs.so.6", defines: "S_3.4.29"}.bytes(),
			},
			want: []facts.Need{{Name: "libs.so.6", By: app, Cause: facts.TooOld, Found: "/opt/old/libs.so.6", Through: "LD_LIBRARY_PATH", Lacks: "S_3.4.29", Elsewhere: "/usr/lib/x86_64-linux-gnu/libs.so.6"}},
		},
		{
			name: "its own RPATH comes before LD_LIBRARY_PATH", env: "LD_LIBRARY_PATH=/opt/old",
			files: map[string]string{
				app:                  root(library{needed: []string{"libs.so.6"}, rpath: "/opt/new", wants: [2]string{"libs.so.6", "S_2"}}).bytes(),
				"/opt/old/libs.so.6": library{soname: "libs.so.6", defines: "S_1"}.bytes(),
				"/opt/new/libs.so.6": library{soname: "libs.so.6", defines: "S_2"}.bytes(),
			},
		},
		{
			name: "another architecture is passed by", env: "LD_LIBRARY_PATH=/opt/arm",
			files: map[string]string{
				app:                     root(library{needed: []string{tbb.soname}}).bytes(),
				"/opt/arm/libtbb.so.12": library{soname: "libtbb.so.12", machine: elf.EM_AARCH64}.bytes(),
				"/usr/lib/libtbb.so.12": tbb.bytes(),
			},
		},
		{
			name: "only another architecture", env: "LD_LIBRARY_PATH=/opt/arm",
			files: map[string]string{app: root(library{needed: []string{tbb.soname}}).bytes(), "/opt/arm/libtbb.so.12": library{soname: "libtbb.so.12", machine: elf.EM_AARCH64}.bytes()},
			want:  []facts.Need{{Name: "libtbb.so.12", By: app, Cause: facts.OtherArch, Found: "/opt/arm/libtbb.so.12", Through: "LD_LIBRARY_PATH"}},
		},
		{
			name: "CUDA's stub", env: "LD_LIBRARY_PATH=/usr/local/cuda/lib64/stubs",
			files: map[string]string{app: root(library{needed: []string{"libcuda.so.1"}}).bytes(), "/usr/local/cuda/lib64/stubs/libcuda.so.1": library{soname: "libcuda.so.1"}.bytes()},
			want:  []facts.Need{{Name: "libcuda.so.1", By: app, Cause: facts.Stub, Found: "/usr/local/cuda/lib64/stubs/libcuda.so.1", Through: "LD_LIBRARY_PATH"}},
		},
		{
			name: "an old copy in LD_PRELOAD", env: "LD_PRELOAD=/opt/old/libs.so.6",
			files: map[string]string{
				app:                                   root(library{needed: []string{"libs.so.6"}, wants: [2]string{"libs.so.6", "S_3.4.29"}}).bytes(),
				"/opt/old/libs.so.6":                  library{soname: "libs.so.6", defines: "S_3.4.28"}.bytes(),
				"/usr/lib/x86_64-linux-gnu/libs.so.6": library{soname: "libs.so.6", defines: "S_3.4.29"}.bytes(),
			},
			want: []facts.Need{{Name: "libs.so.6", By: app, Cause: facts.TooOld, Found: "/opt/old/libs.so.6", Through: "LD_PRELOAD", Lacks: "S_3.4.29", Elsewhere: "/usr/lib/x86_64-linux-gnu/libs.so.6"}},
		},
		{
			name: "a stub in LD_PRELOAD", env: "LD_PRELOAD=/usr/local/cuda/lib64/stubs/libcuda.so",
			files: map[string]string{app: root(library{needed: []string{"libcuda.so.1"}}).bytes(), "/usr/local/cuda/lib64/stubs/libcuda.so": library{soname: "libcuda.so.1"}.bytes(), "/usr/lib/libcuda.so.1": library{soname: "libcuda.so.1"}.bytes()},
			want:  []facts.Need{{Name: "libcuda.so.1", By: app, Cause: facts.Stub, Found: "/usr/local/cuda/lib64/stubs/libcuda.so", Through: "LD_PRELOAD"}},
		},
		{
			name: "another library in LD_PRELOAD", env: "LD_PRELOAD=/usr/lib/libgomp.so.1",
			files: map[string]string{app: root(library{needed: []string{tbb.soname}}).bytes(), "/usr/lib/libgomp.so.1": library{soname: "libgomp.so.1"}.bytes(), "/usr/lib/libtbb.so.12": tbb.bytes()},
		},
		{
			name: "conda's copy in LD_LIBRARY_PATH", env: "LD_LIBRARY_PATH=/opt/conda/lib",
			files: map[string]string{app: root(library{needed: []string{tbb.soname}}).bytes(), "/opt/conda/lib/libtbb.so.12": tbb.bytes(), "/opt/conda/conda-meta/history": "x", "/usr/lib/libtbb.so.12": tbb.bytes()},
			want:  []facts.Need{{Name: "libtbb.so.12", By: app, Cause: facts.Foreign, Found: "/opt/conda/lib/libtbb.so.12", Through: "LD_LIBRARY_PATH", Elsewhere: "/usr/lib/libtbb.so.12"}},
		},
		{
			name: "only conda has it", env: "LD_LIBRARY_PATH=/opt/conda/lib",
			files: map[string]string{app: root(library{needed: []string{tbb.soname}}).bytes(), "/opt/conda/lib/libtbb.so.12": tbb.bytes(), "/opt/conda/conda-meta/history": "x"},
		},
		{
			name:  "parts of the C library, which is here",
			files: map[string]string{app: root(library{needed: []string{"libm.so.6", "libdl.so.2"}}).bytes(), "/usr/lib/x86_64-linux-gnu/libc.so.6": "x"},
		},
		{
			name:  "the driver's",
			files: map[string]string{app: root(library{needed: []string{"libcuda.so.1"}}).bytes()},
			want:  []facts.Need{{Name: "libcuda.so.1", By: app, Cause: facts.FromDriver}},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r, err := hosttest.Recording("-- platform --\nlinux/amd64\n-- env --\n" + c.env + "\n")
			if err != nil {
				t.Fatal(err)
			}
			for name, text := range c.files {
				r.Files[name] = host.File{Data: []byte(text)}
			}
			r.Complete()
			f := &facts.Facts{}
			f.Add("onnxruntime", facts.Instance{Active: true, Attrs: map[string]string{"lib": app}})
			live, kept := host.Record(host.Replay(r))
			if err := closure.Fill(t.Context(), live, f); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, f.Components["onnxruntime"][0].Needs); diff != "" {
				t.Errorf("needs (-want +got):\n%s", diff)
			}
			// What was recorded by the way gives the same answer elsewhere.
			var snapshot bytes.Buffer
			if err := host.WriteSnapshot(&snapshot, kept); err != nil {
				t.Fatal(err)
			}
			again, err := host.ReadSnapshot(&snapshot)
			if err != nil {
				t.Fatal(err)
			}
			f.Components["onnxruntime"][0].Needs = nil
			if err := closure.Fill(t.Context(), host.Replay(again), f); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, f.Components["onnxruntime"][0].Needs); diff != "" {
				t.Errorf("needs from the snapshot (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCUDAProvider: what ONNX Runtime's CUDA part needs, which it loads by name.
func TestCUDAProvider(t *testing.T) {
	const dir = "/opt/onnxruntime/lib/"
	r, err := hosttest.Recording("-- platform --\nlinux/amd64\n")
	if err != nil {
		t.Fatal(err)
	}
	r.Files[dir+"libonnxruntime.so.1.20.1"] = host.File{Data: []byte(library{soname: "libonnxruntime.so.1"}.bytes())}
	r.Files[dir+"libonnxruntime_providers_cuda.so"] = host.File{Data: []byte(library{needed: []string{"libcublasLt.so.12"}}.bytes())}
	r.Complete()
	for _, has := range [][]string{{"cuda"}, nil} {
		f := &facts.Facts{}
		f.Add("onnxruntime", facts.Instance{Active: true, Has: has, Attrs: map[string]string{"lib": dir + "libonnxruntime.so.1.20.1", "libdir": dir, "soname": "libonnxruntime.so.1"}})
		if err := closure.Fill(t.Context(), host.Replay(r), f); err != nil {
			t.Fatal(err)
		}
		if needs := f.Components["onnxruntime"][0].Needs; len(needs) != len(has) || len(has) > 0 && needs[0].By != dir+"libonnxruntime_providers_cuda.so" {
			t.Errorf("%v: %+v", has, needs)
		}
	}
}

// TestGarbage: no file makes it crash or speak.
func TestGarbage(t *testing.T) {
	good := library{soname: "libx.so.1", needed: []string{"liby.so"}, wants: [2]string{"liby.so", "V"}, defines: "W"}.bytes()
	for at := 0; at < 1400; at += 3 {
		for _, b := range []string{"\xff\xff\xff", "\x00\x00\x00"} {
			bad := good[:at] + b + good[at+3:]
			h := hosttest.Parse(t, fmt.Sprintf("-- platform --\nlinux/amd64\n-- file /l/libx.so.1 --\n%s", strings.ReplaceAll(bad, "\n-- ", "\n__ ")))
			f := &facts.Facts{}
			f.Add("ncnn", facts.Instance{Active: true, Attrs: map[string]string{"lib": "/l/libx.so.1"}})
			if err := closure.Fill(t.Context(), h, f); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestForeign: a library for another architecture is named as such, and what it
// needs is not walked. A 32-bit system on a 64-bit kernel counts as 32-bit.
func TestForeign(t *testing.T) {
	const app = "/usr/local/lib/libonnxruntime.so.1"
	for name, c := range map[string]struct {
		arch, programs string
		machine        elf.Machine
		want           string
	}{
		"its own":             {"arm64", "", elf.EM_AARCH64, ""},
		"x86-64 on a Jetson":  {"arm64", "", elf.EM_X86_64, "x86-64"},
		"ARM on a PC":         {"amd64", "", elf.EM_AARCH64, "aarch64"},
		"a 32-bit system":     {"arm64", "arm", elf.EM_AARCH64, "32-bit ARM"},
		"an unknown machine":  {"amd64", "", elf.EM_SPARCV9, ""},
		"an unknown platform": {"riscv64", "", elf.EM_X86_64, ""},
	} {
		r, err := hosttest.Recording("-- platform --\nlinux/" + c.arch + "\n")
		if err != nil {
			t.Fatal(err)
		}
		r.Files[app] = host.File{Data: []byte(library{soname: "libonnxruntime.so.1", needed: []string{"libgone.so.1"}, machine: c.machine}.bytes())}
		r.Complete()
		f := &facts.Facts{OS: facts.OS{Arch: c.programs}}
		f.Add("onnxruntime", facts.Instance{Active: true, Attrs: map[string]string{"lib": app}})
		if err := closure.Fill(t.Context(), host.Replay(r), f); err != nil {
			t.Fatal(err)
		}
		switch i := f.Components["onnxruntime"][0]; {
		case c.want == "" && i.Unusable != nil:
			t.Errorf("%s: %+v", name, i.Unusable)
		case c.want != "" && (i.Unusable == nil || i.Unusable.Reason != facts.WrongArch || !strings.Contains(i.Unusable.Detail, c.want) || len(i.Needs) > 0):
			t.Errorf("%s: unusable %+v, needs %v", name, i.Unusable, i.Needs)
		}
	}
}

// TestUnfound: a copy whose files cannot be read is to be found by its SONAME all the same,
// unless the loader's cache is not known or has another SONAME out of that folder.
func TestUnfound(t *testing.T) {
	const lib = "/usr/local/lib64/libopencv_core.so.4.9.0"
	other := library{soname: "libz.so.1"}
	for name, c := range map[string]struct {
		files map[string]string
		via   string
		want  bool
	}{
		"not in the cache":           {map[string]string{"/etc/ld.so.cache": cacheOf("libz.so.1", "/lib/libz.so.1"), "/lib/libz.so.1": other.bytes()}, "pkg-config", true},
		"in the cache":               {map[string]string{"/etc/ld.so.cache": cacheOf("libopencv_core.so.409", "/usr/local/lib64/libopencv_core.so.409")}, "pkg-config", false},
		"there by another name":      {map[string]string{"/etc/ld.so.cache": cacheOf("libopencv_core.so.4.9", "/usr/local/lib64/libopencv_core.so.4.9")}, "pkg-config", false},
		"no cache":                   {nil, "pkg-config", false},
		"CMake writes its folder in": {map[string]string{"/etc/ld.so.cache": cacheOf("libz.so.1", "/lib/libz.so.1"), "/lib/libz.so.1": other.bytes()}, "cmake", false},
	} {
		r, err := hosttest.Recording("-- platform --\nlinux/amd64\n-- file " + lib + " --\ntext\n-- link /usr/local/lib64/libopencv_core.so.409 --\n" + lib + "\n")
		if err != nil {
			t.Fatal(err)
		}
		for file, data := range c.files {
			r.Files[file] = host.File{Data: []byte(data)}
		}
		r.Complete()
		f := &facts.Facts{}
		f.Add("opencv", facts.Instance{Active: true, Via: []string{c.via}, Attrs: map[string]string{"lib": lib, "libdir": "/usr/local/lib64", "soname": "libopencv_core.so.409"}})
		if err := closure.Fill(t.Context(), host.Replay(r), f); err != nil {
			t.Fatal(err)
		}
		needs := f.Components["opencv"][0].Needs
		if got := len(needs) == 1 && needs[0].Cause == facts.NotFound && needs[0].Elsewhere == "/usr/local/lib64/libopencv_core.so.409"; got != c.want || !c.want && len(needs) > 0 {
			t.Errorf("%s: %+v", name, needs)
		}
	}
}

// cacheOf is the loader's cache with one library.
func cacheOf(soname, file string) string {
	const header, entry = 48, 24
	var b bytes.Buffer
	b.WriteString("glibc-ld.so.cache1.1")
	words := []uint32{1, uint32(len(soname) + len(file) + 2), 2, 0, 0, 0, 0, 0x0303, header + entry, uint32(header + entry + len(soname) + 1), 0, 0, 0}
	for _, w := range words {
		b.Write(binary.LittleEndian.AppendUint32(nil, w))
	}
	return b.String() + soname + "\x00" + file + "\x00"
}
