package fatbin_test

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/probe/internal/fatbin"
	"github.com/deployctl/deployctl/doctor/probe/internal/fatbin/fatbintest"
)

func read(t *testing.T, data []byte) (fatbin.Code, error) {
	t.Helper()
	r, err := hosttest.Recording("-- platform --\nlinux/amd64\n")
	if err != nil {
		t.Fatal(err)
	}
	r.Files["/usr/bin/darknet"] = host.File{Data: data}
	r.Complete()
	return fatbin.Read(t.Context(), host.Replay(r), "/usr/bin/darknet")
}

func TestRead(t *testing.T) {
	const ptx, code = 1, 2
	one := fatbintest.Container(fatbintest.Entry{Kind: code, SM: 61}, fatbintest.Entry{Kind: code, SM: 86}, fatbintest.Entry{Kind: ptx, SM: 86})
	for _, c := range []struct {
		name string
		data []byte
		want fatbin.Code
		err  string
	}{
		{"one source file", fatbintest.Program(".nv_fatbin", one), fatbin.Code{Archs: []string{"6.1", "8.6"}, PTX: []string{"8.6"}}, ""},
		{"two of them, with padding", fatbintest.Program(".nv_fatbin", append(append(bytes.Clone(one), make([]byte, 16)...), fatbintest.Container(fatbintest.Entry{Kind: code, SM: 120})...)), fatbin.Code{Archs: []string{"12.0", "6.1", "8.6"}, PTX: []string{"8.6"}}, ""},
		{"none", fatbintest.Program(".text", one), fatbin.Code{}, ""},
		{"for the linker", fatbintest.Program(".nv_fatbin", fatbintest.Container(fatbintest.Entry{Kind: code, SM: 86}, fatbintest.Entry{Kind: 8, SM: 86})), fatbin.Code{}, "not known"},
		{"garbage", fatbintest.Program(".nv_fatbin", bytes.Repeat([]byte{7}, 64)), fatbin.Code{}, "nvcc"},
		{"longer than it is", fatbintest.Program(".nv_fatbin", one[:len(one)-30]), fatbin.Code{}, "nvcc"},
		{"too much", fatbintest.Program(".nv_fatbin", bytes.Repeat(fatbintest.Container(fatbintest.Entry{Kind: code, SM: 86}), 2000)), fatbin.Code{}, "more code"},
		{"no ELF file", []byte("#!/bin/sh\n"), fatbin.Code{}, "read /usr/bin/darknet"},
	} {
		got, err := read(t, c.data)
		if diff := cmp.Diff(c.want, got); diff != "" || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v %s", c.name, err, diff)
		}
	}
}

// TestReadWindows: a PE file keeps eight letters of the section's name.
func TestReadWindows(t *testing.T) {
	const at = 512
	data := append(fatbintest.Container(fatbintest.Entry{Kind: 2, SM: 75}), make([]byte, 32)...)
	var out bytes.Buffer
	dos := make([]byte, 64)
	copy(dos, "MZ")
	dos[0x3c] = 64
	section := pe.SectionHeader32{SizeOfRawData: uint32(len(data)), PointerToRawData: at}
	copy(section.Name[:], ".nv_fatb")
	for _, v := range []any{dos, []byte("PE\x00\x00"), pe.FileHeader{Machine: pe.IMAGE_FILE_MACHINE_AMD64, NumberOfSections: 1}, section} {
		if err := binary.Write(&out, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	out.Write(make([]byte, at-out.Len()))
	out.Write(data)
	r, err := hosttest.Recording("-- platform --\nwindows/amd64\n")
	if err != nil {
		t.Fatal(err)
	}
	r.Files[`C:\darknet.exe`] = host.File{Data: out.Bytes()}
	r.Complete()
	got, err := fatbin.Read(t.Context(), host.Replay(r), `C:\darknet.exe`)
	if diff := cmp.Diff(fatbin.Code{Archs: []string{"7.5"}}, got); err != nil || diff != "" {
		t.Errorf("%v %s", err, diff)
	}
}

// FuzzRead: no file makes it crash or read without end.
func FuzzRead(f *testing.F) {
	f.Add(fatbintest.Program(".nv_fatbin", fatbintest.Container(fatbintest.Entry{Kind: 2, SM: 86})))
	f.Fuzz(func(t *testing.T, data []byte) {
		if code, err := read(t, data); err != nil && len(code.Archs)+len(code.PTX) > 0 {
			t.Errorf("%v with %v", code, err)
		}
	})
}
