package engine

import (
	"testing"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// TestMissingDLL: Windows does not name the DLL that a program lacks; its imports do.
func TestMissingDLL(t *testing.T) {
	const (
		windows = "-- platform --\nwindows/amd64\n-- env --\nSystemRoot=C:\\Windows\nPATH=C:\\on\n"
		worker  = "-- pe C:\\app\\worker.exe --\nimport KERNEL32.dll\nimport cv.dll\n"
	)
	for name, c := range map[string]struct{ host, subject, why string }{
		"gone":            {windows + worker, "cv.dll", "cv.dll is not found, which worker.exe needs (0xC0000135)"},
		"one of another":  {windows + worker + "-- pe C:\\on\\cv.dll --\nimport tbb.dll\n", "tbb.dll", "tbb.dll is not found, which cv.dll needs (0xC0000135)"},
		"all are there":   {windows + worker + "-- pe C:\\on\\cv.dll --\n", "", "a DLL it needs is not found (0xC0000135)"},
		"no such program": {windows, "", "a DLL it needs is not found (0xC0000135)"},
	} {
		d := &Death{}
		d.ended(host.Output{Exit: statusDLLNotFound}, "", Runs{}, nil)
		d.name(t.Context(), hosttest.Parse(t, c.host), `C:\app\worker.exe`)
		if d.Subject != c.subject || d.Why != c.why || d.Fix == "" {
			t.Errorf("%s: %q: %s. %s", name, d.Subject, d.Why, d.Fix)
		}
	}
}
