//go:build unix

package download

import (
	"os"
	"path/filepath"
	"testing"
)

// Whoever can write to the cache may put links there, which a run as root must
// not follow.
func TestLinksInPlaceOfPartialFilesAreNotFollowed(t *testing.T) {
	for _, which := range []string{"data", "state"} {
		s := newSetup(t, newMirror(t, serve(content, "")))
		data, state := s.o.Store.Partial(s.a.SHA256)
		victim := filepath.Join(t.TempDir(), "victim")
		if err := os.MkdirAll(filepath.Dir(data), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(victim, map[string]string{"data": data, "state": state}[which]); err != nil {
			t.Fatal(err)
		}
		// A link in place of the state is removed with the rest of a fetch that
		// cannot be continued.
		if _, err := Fetch(t.Context(), s.a, s.o); (err == nil) != (which == "state") {
			t.Errorf("%s: %v", which, err)
		}
		if text, err := os.ReadFile(victim); err != nil || string(text) != "precious" {
			t.Errorf("%s: the file that the link leads to is %q, %v", which, text, err)
		}
	}
}
