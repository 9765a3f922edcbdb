package closure_test

import (
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
	f.Add([]byte(dylib{needed: []string{"/opt/x.dylib"}}.bytes()))
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
