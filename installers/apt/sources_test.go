package apt

import (
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

func TestDebianArchive(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"no sources", nil, ""},
		{"one line", map[string]string{"/etc/apt/sources.list": "# deb http://old.example/debian sid main\ndeb [arch=amd64 signed-by=/k] http://deb.example/debian bookworm main\n"}, "http://deb.example/debian"},
		{"security first", map[string]string{"/etc/apt/sources.list": "deb http://sec.example/debian-security bookworm-security main\ndeb-src http://src.example/debian bookworm main\ndeb http://deb.example/debian/ bookworm main\n"}, "http://deb.example/debian"},
		{"deb822", map[string]string{"/etc/apt/sources.list.d/debian.sources": "Types: deb\nURIs: http://sec.example/debian-security\nSuites: trixie-security\n\n# main\nTypes: deb deb-src\nURIs:\n http://deb.example/debian\nSuites: trixie trixie-updates\nComponents: main\n"}, "http://deb.example/debian"},
		{"disabled", map[string]string{"/etc/apt/sources.list.d/debian.sources": "Enabled: no\nTypes: deb\nURIs: http://deb.example/debian\nSuites: trixie\n"}, ""},
		{"a file", map[string]string{"/etc/apt/sources.list": "deb file:/srv/debian bookworm main\n"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := ""
			for name, body := range tt.files {
				text += "-- file " + name + " --\n" + body
			}
			got, err := DebianArchive(t.Context(), hosttest.Parse(t, text))
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func FuzzSources(f *testing.F) {
	f.Add("deb [a=b] http://x y z\n\nTypes: deb\nURIs: u\nSuites: s\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range append(oneLine(text), deb822(text)...) {
			if len(s.uris) == 0 && len(s.suites) == 0 {
				continue
			}
		}
	})
}
