package archive

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStrip(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need a privilege on Windows")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "a")
	const link, hard, folder = '2', '1', '5'
	if err := os.WriteFile(file, makeTar(t, item{name: "pkg-1.0/", typ: folder}, item{name: "LICENSE", body: "top"}, item{name: "./pkg-1.0/lib/so.1", body: "elf"},
		item{name: "pkg-1.0/lib/so", typ: link, to: "so.1"}, item{name: "pkg-1.0/lib/same", typ: hard, to: "pkg-1.0/lib/so.1"}, item{name: "pkg-1.0/doc", body: "d"}), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		o    Options
		want map[string]string
	}{
		{Options{Strip: 1}, map[string]string{"lib/so.1": "644 elf", "lib/so": "-> so.1", "lib/same": "644 elf", "doc": "644 d"}},
		{Options{Strip: 2}, map[string]string{"so.1": "644 elf", "so": "-> so.1", "same": "644 elf"}},
		{Options{Strip: 3}, map[string]string{}},
		{Options{Strip: 1, Pick: func(name string) string { // sees what is left of the name
			rest, ok := strings.CutPrefix(name, "lib/")
			if !ok {
				return ""
			}
			return "x/" + rest
		}}, map[string]string{"x/so.1": "644 elf", "x/so": "-> so.1", "x/same": "644 elf"}},
	} {
		dest := filepath.Join(dir, "dest", string(rune('a'+i)))
		if _, err := Extract(t.Context(), file, Tar, dest, c.o); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if d := cmp.Diff(c.want, tree(t, dest)); d != "" {
			t.Errorf("%d: %s", i, d)
		}
	}
	// What stripping brings together, or out, is refused.
	for name, c := range map[string]struct {
		why   Why
		items []item
	}{
		"one place":       {Clash, []item{{name: "a/x", body: "1"}, {name: "b/x", body: "2"}}},
		"one place, case": {Clash, []item{{name: "a/x", body: "1"}, {name: "b/X", body: "2"}}},
		"link out":        {LinkOut, []item{{name: "a/l", typ: link, to: "../x"}}},
		"hard link":       {BadLink, []item{{name: "x", body: "1"}, {name: "a/h", typ: hard, to: "x"}}},
		"dropped name":    {Escapes, []item{{name: "../x", body: "1"}}},
	} {
		if err := os.WriteFile(file, makeTar(t, c.items...), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Extract(t.Context(), file, Tar, filepath.Join(dir, "no"), Options{Strip: 1})
		var refused *Refused
		if !errors.As(err, &refused) || refused.Why != c.why {
			t.Errorf("%s: %v", name, err)
		}
	}
}
