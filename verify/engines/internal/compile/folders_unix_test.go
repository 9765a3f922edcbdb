//go:build unix

package compile

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestFolders(t *testing.T) {
	home, cache := t.TempDir(), "/cache"
	for _, name := range []string{"GOCACHE", "GOPATH", "GOMODCACHE", "XDG_CACHE_HOME"} {
		t.Setenv(name, "")
	}
	all := []string{"GOCACHE=/cache/go/build", "GOPATH=/cache/go", "GOMODCACHE=/cache/go/pkg/mod"}
	t.Setenv("HOME", home)
	if got := folders(cache); len(got) != 0 {
		t.Errorf("own HOME: %q", got)
	}
	t.Setenv("HOME", "")
	if got := folders(cache); !slices.Equal(got, all[:2]) {
		t.Errorf("no HOME: %q", got)
	}
	if os.Geteuid() != 0 {
		return // only root can have another user's folders
	}
	t.Setenv("HOME", home)
	if err := os.Chown(home, 12345, -1); err != nil {
		t.Fatal(err)
	}
	if got := folders(cache); !slices.Equal(got, all) {
		t.Errorf("HOME of another user: %q", got)
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("GOCACHE", filepath.Join(home, "build"))
	if got := folders(cache); !slices.Equal(got, all[:1]) {
		t.Errorf("GOCACHE of another user: %q", got)
	}
}
