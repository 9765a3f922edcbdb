package closure_test

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/closure"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// FuzzFill reads any bytes as a library of each system (ELF, Mach-O, PE): nothing
// crashes, and a damaged file is not an error of the look.
func FuzzFill(f *testing.F) {
	f.Add([]byte(library{soname: "libx.so.1", needed: []string{"liby.so"}, wants: [2]string{"liby.so", "V"}, defines: "W"}.bytes()))
	f.Add(dylib{needed: []string{"/opt/x.dylib"}}.bytes())
	f.Add([]byte("MZ"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for system, file := range map[string]string{"linux": "/l/libx.so.1", "darwin": "/l/libx.dylib", "windows": `C:\l\x.dll`} {
			r := host.NewRecording(system, "amd64", hosttest.Time)
			r.Files[file] = host.File{Data: data}
			r.Complete()
			facts := facts.Facts{OS: facts.OS{Family: system}, Components: map[string][]facts.Instance{"opencv": {{Active: true, Attrs: map[string]string{"lib": file}}}}}
			if err := closure.Fill(t.Context(), host.Replay(r), &facts); err != nil {
				t.Errorf("%s: %v", system, err)
			}
		}
	})
}

func FuzzFileVersion(f *testing.F) {
	f.Add([]byte("\xbd\x04\xef\xfe\x00\x00\x01\x00\x26\x00\x0e\x00\x00\x00\x6f\x81"))
	f.Add([]byte{0xbd, 0x04, 0xef, 0xfe, 0xbd, 0x04, 0xef, 0xfe})
	f.Fuzz(func(t *testing.T, data []byte) {
		if v := closure.FileVersion(data); v != "" && strings.Count(v, ".") != 3 {
			t.Errorf("version %q", v)
		}
	})
}
