package closure_test

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/closure"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 77\n"

// TestDamaged: files that are there and that no loader can use, and files of which
// nothing is known, which say nothing.
func TestDamaged(t *testing.T) {
	whole := library{soname: "libx.so.1", needed: []string{"liby.so.2"}}.bytes()
	dependency := library{soname: "liby.so.2"}.bytes()
	segment := make([]byte, 72) // LC_SEGMENT_64 that ends at 4096
	binary.LittleEndian.PutUint32(segment, 0x19)
	binary.LittleEndian.PutUint32(segment[4:], 72)
	binary.LittleEndian.PutUint64(segment[48:], 4096)
	mach := dylib{}.bytes()
	binary.LittleEndian.PutUint32(mach[16:], 1)
	binary.LittleEndian.PutUint32(mach[20:], 72)
	mach = append(mach, segment...)
	wholeMach := append(append([]byte{}, mach...), make([]byte, 4096-len(mach))...)
	const empty = "\x00empty" // stands for a file of no bytes
	for name, c := range map[string]struct {
		goos, lib string
		files     map[string]string
		passive   bool // no program finds the copy
		want      string
	}{
		"ELF, whole":                       {"linux", "/l/libx.so.1", map[string]string{"/l/libx.so.1": whole, "/usr/lib/liby.so.2": dependency}, false, ""},
		"ELF, cut short":                   {"linux", "/l/libx.so.1", map[string]string{"/l/libx.so.1": whole[:3000]}, false, "/l/libx.so.1 cut-short"},
		"ELF, empty":                       {"linux", "/l/libx.so.1", map[string]string{"/l/libx.so.1": empty}, false, "/l/libx.so.1 empty"},
		"ELF, content not known":           {"linux", "/l/libx.so.1", map[string]string{"/l/libx.so.1": ""}, false, ""},
		"ELF, a few words of it known":     {"linux", "/l/libx.so.1", map[string]string{"/l/libx.so.1": "\x7fELF General configuration"}, false, ""},
		"ELF, a pointer in a clone":        {"linux", "/src/l/libx.so.1", map[string]string{"/src/l/libx.so.1": pointer, "/src/.git/HEAD": "ref"}, false, "/src/l/libx.so.1 lfs-pointer /src"},
		"ELF, a pointer that nothing sees": {"linux", "/l/libx.so.1", map[string]string{"/l/libx.so.1": pointer}, true, "/l/libx.so.1 lfs-pointer"},
		"ELF, whole, nothing sees it":      {"linux", "/l/libx.so.1", map[string]string{"/l/libx.so.1": whole}, true, ""},
		"ELF, its dependency":              {"linux", "/l/libx.so.1", map[string]string{"/l/libx.so.1": whole, "/usr/lib/liby.so.2": "<!DOCTYPE html>"}, false, "/usr/lib/liby.so.2 web-page"},
		"ELF, its dependency is a script":  {"linux", "/l/libx.so.1", map[string]string{"/l/libx.so.1": whole, "/usr/lib/liby.so.2": "INPUT (liby.so.3)"}, false, ""},
		"PE, empty":                        {"windows", `C:\l\x.dll`, map[string]string{`C:\l\x.dll`: empty}, false, `C:\l\x.dll empty`},
		"PE, content not known":            {"windows", `C:\l\x.dll`, map[string]string{`C:\l\x.dll`: ""}, false, ""},
		"PE, a page":                       {"windows", `C:\l\x.dll`, map[string]string{`C:\l\x.dll`: "<html>"}, false, `C:\l\x.dll web-page`},
		"PE, a pointer that nothing sees":  {"windows", `C:\l\x.dll`, map[string]string{`C:\l\x.dll`: pointer, `C:\l\.git\HEAD`: "ref"}, true, `C:\l\x.dll lfs-pointer C:\l`},
		"Mach-O, whole":                    {"darwin", "/l/libx.dylib", map[string]string{"/l/libx.dylib": string(wholeMach)}, false, ""},
		"Mach-O, cut short":                {"darwin", "/l/libx.dylib", map[string]string{"/l/libx.dylib": string(wholeMach[:2048])}, false, "/l/libx.dylib cut-short"},
		"Mach-O, a pointer":                {"darwin", "/l/libx.dylib", map[string]string{"/l/libx.dylib": pointer}, false, "/l/libx.dylib lfs-pointer"},
	} {
		t.Run(name, func(t *testing.T) {
			arch := "amd64"
			if c.goos == "darwin" {
				arch = "arm64"
			}
			r := host.NewRecording(c.goos, arch, hosttest.Time)
			for file, text := range c.files {
				if r.Files[file] = (host.File{Data: []byte(text)}); text == empty {
					r.Empty(file)
				}
			}
			r.Complete()
			f := &facts.Facts{}
			f.Add("ncnn", facts.Instance{Active: !c.passive, Attrs: map[string]string{"lib": c.lib}})
			if err := closure.Fill(t.Context(), host.Replay(r), f); err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, n := range f.Components["ncnn"][0].Needs {
				if n.Cause != facts.Damaged {
					continue
				}
				got += n.Found + " " + string(n.Problem)
				if n.Repository != "" {
					got += " " + n.Repository
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestDamagedDLLs: DLLs that a program needs, and the parts of cuDNN, of which some
// are cut short as a full drive leaves them.
func TestDamagedDLLs(t *testing.T) {
	whole, err := hosttest.Recording("-- platform --\nwindows/amd64\n-- pe C:\\d.dll --\nimport KERNEL32.dll\n")
	if err != nil {
		t.Fatal(err)
	}
	data := whole.Files[`C:\d.dll`].Data
	for name, c := range map[string]struct {
		dll, part []byte
		want      int
	}{"whole": {data, data, 0}, "one is cut short": {data[:len(data)-1], data, 1}, "a part of cuDNN is": {data, data[:530], 0}, "cut in its headers": {data[:100], data, 0}} {
		r, err := hosttest.Recording("-- platform --\nwindows/amd64\n-- pe C:\\app\\darknet.exe --\nimport d.dll\n")
		if err != nil {
			t.Fatal(err)
		}
		r.Files[`C:\app\d.dll`] = host.File{Data: c.dll}
		r.Files[`C:\dnn\cudnn64_9.dll`] = host.File{Data: data}
		for _, part := range closure.CuDNNParts("9") {
			r.Files[`C:\dnn\`+part] = host.File{Data: c.part}
		}
		r.Closed, r.Stats, r.Dirs = false, map[string]host.StatAnswer{}, map[string]host.Listing{}
		r.Complete()
		f := &facts.Facts{}
		f.Add("darknet", facts.Instance{Active: true, Attrs: map[string]string{"program": `C:\app\darknet.exe`}})
		f.Add("cudnn", facts.Instance{Active: true, Version: "9.5.1", Path: `C:\dnn\cudnn64_9.dll`})
		if err := closure.Fill(context.Background(), host.Replay(r), f); err != nil {
			t.Fatal(err)
		}
		if got := f.Components["darknet"][0].Needs; len(got) != c.want || c.want == 1 && (got[0].Problem != facts.CutShort || got[0].Name != "d.dll") {
			t.Errorf("%s: %+v", name, got)
		}
		parts := 0
		for _, n := range f.Components["cudnn"][0].Needs {
			if n.Problem == facts.CutShort {
				parts++
			}
		}
		if want := map[bool]int{true: 6}[len(c.part) == 530]; parts != want {
			t.Errorf("%s: %d parts of cuDNN, not %d: %+v", name, parts, want, f.Components["cudnn"][0].Needs)
		}
	}
}
