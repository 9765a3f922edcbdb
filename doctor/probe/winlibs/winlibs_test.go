package winlibs_test

import (
	"encoding/binary"
	"testing"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe/winlibs"
)

var probe = probetest.Of(winlibs.Probe)

func TestRedistributables(t *testing.T) {
	f := probe(t, probetest.Windows(t, "", "windows-vcredist"))
	list := f.Components["vcredist"]
	if len(list) != 2 {
		t.Fatalf("%d instances: %v", len(list), list)
	}
	x64, x86 := list[0], list[1]
	if x64.Version != "14.38.33135.0" || !x64.Active || x64.Attrs["arch"] != "x64" || len(x64.Evidence) != 2 || !x64.HasPart("vcruntime140_1.dll") || x64.Attrs["missing"] != "" {
		t.Errorf("x64: %+v", x64)
	}
	if x86.Version != "14.38.33135.0" || x86.Active || !x86.HasPart("x86") || x86.Path != `C:\Windows\SysWOW64\vcruntime140.dll` {
		t.Errorf("x86: %+v", x86)
	}
}

func TestMediaFoundation(t *testing.T) {
	for _, c := range []struct {
		fixtures []string
		found    bool
	}{
		{[]string{"windows-media-foundation"}, true},
		{[]string{"windows-10-n"}, false},
		{[]string{"windows-server-2022"}, false},
		{[]string{"windows-server-2022", "windows-media-foundation"}, true},
	} {
		f := probe(t, probetest.Windows(t, "", c.fixtures...))
		if i, ok := f.Active("media-foundation"); ok != c.found || ok && i.Path != `C:\Windows\System32\mfplat.dll` {
			t.Errorf("%v: found %v at %s", c.fixtures, ok, i.Path)
		}
	}
	// A part of it is an instance that is not active and says what is missing.
	f := probe(t, hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- file C:\\Windows\\System32\\mfplat.dll --\nMZ\n"))
	i := f.Components["media-foundation"][0]
	if i.Active || i.Attrs["missing"] != "mf.dll mfreadwrite.dll" {
		t.Errorf("partial: %+v", i)
	}
}

func TestUnregisteredRuntime(t *testing.T) {
	f := probe(t, hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- file C:\\Windows\\System32\\vcruntime140.dll --\nMZ"+string(fixed(14, 29, 30139, 0))+"\n"))
	i := f.Components["vcredist"][0]
	if i.Version != "14.29.30139.0" || i.Active || i.Attrs["registered"] != "false" || i.Attrs["missing"] != "msvcp140.dll" {
		t.Errorf("%+v", i)
	}
	// Registered, but the libraries are gone.
	f = probe(t, hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- reg 64 HKLM\\SOFTWARE\\Microsoft\\VisualStudio\\14.0\\VC\\Runtimes\\x64 --\nVersion=v14.0.24215.01\n"))
	i = f.Components["vcredist"][0]
	if i.Version != "14.0.24215.01" || i.Active || i.Attrs["missing"] != "vcruntime140.dll msvcp140.dll" {
		t.Errorf("%+v", i)
	}
}

// On ARM the machine's own architecture is arm64.
func TestARM64(t *testing.T) {
	f := probe(t, hosttest.Parse(t, "-- platform --\nwindows/arm64\n-- reg 64 HKLM\\SOFTWARE\\Microsoft\\VisualStudio\\14.0\\VC\\Runtimes\\ARM64 --\nMajor=dword:14\nMinor=dword:44\nBld=dword:35211\nInstalled=dword:1\n-- file C:\\Windows\\System32\\vcruntime140.dll --\n-- file C:\\Windows\\System32\\msvcp140.dll --\n"))
	i, ok := f.Active("vcredist")
	if !ok || i.Version != "14.44.35211.0" || i.Attrs["arch"] != "arm64" {
		t.Errorf("%+v", f.Components["vcredist"])
	}
}

func TestHostileHost(t *testing.T) {
	h := hosttest.Parse(t, `
-- platform --
windows/amd64
-- env --
SystemRoot=\\?\C:\..\
-- reg 64 HKLM\SOFTWARE\Microsoft\VisualStudio\14.0\VC\Runtimes\x64 --
Version=
Major=dword:99999999999999999999
Installed=maybe
-- deny C:\Windows\System32 --
`)
	for _, h := range []*host.Host{hosttest.Empty("linux", "amd64"), h} {
		if f := probe(t, h); len(f.Components) != 0 {
			t.Errorf("%s: %v", h.OS, f.Components)
		}
	}
}

// fixed is a VS_FIXEDFILEINFO with that file version.
func fixed(a, b, c, d uint16) []byte {
	out := binary.LittleEndian.AppendUint32(nil, 0xfeef04bd)
	out = binary.LittleEndian.AppendUint32(out, 0x10000)
	out = binary.LittleEndian.AppendUint32(out, uint32(a)<<16|uint32(b))
	return binary.LittleEndian.AppendUint32(out, uint32(c)<<16|uint32(d))
}

func FuzzRedistVersion(f *testing.F) {
	f.Add("v14.38.33135.00", uint64(14), uint64(38))
	f.Add("", uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, text string, major, minor uint64) {
		for _, k := range []host.Key{
			{Values: map[string]host.Value{"Version": {String: text}}},
			{Values: map[string]host.Value{"Major": {Int: major}, "Minor": {Int: minor}, "Bld": {String: text}}},
		} {
			if v, ok := winlibs.RedistVersion(k); ok && v == "" {
				t.Error("installed without a version")
			}
		}
	})
}
