package winlibs_test

import (
	"encoding/binary"
	"flag"
	"testing"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe/winlibs"
)

var probe = probetest.Of(winlibs.Probe)

var update = flag.Bool("update", false, "rewrite the golden facts in testdata/machines")

func TestMachines(t *testing.T) {
	probetest.Machines(t, winlibs.Probe, *update)
}

func TestUnregisteredRuntime(t *testing.T) {
	f := probe(t, hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- file C:\\Windows\\System32\\vcruntime140.dll --\nMZ"+string(fixed(14, 29, 30139, 0))+"\n"))
	i := f.Components["vcredist"][0]
	if i.Version != "14.29.30139.0" || i.Active || i.Attrs["registered"] != "false" || i.Attrs["missing"] != "msvcp140.dll" {
		t.Errorf("%+v", i)
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
