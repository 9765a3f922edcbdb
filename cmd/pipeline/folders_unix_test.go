//go:build unix

package pipeline

import (
	"os"
	"strings"
	"testing"
)

func TestRootHasItsOwnCache(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("skipped: needs root")
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", "")
	if f, err := UserFolders(); err != nil || !strings.HasPrefix(f.Cache, home) {
		t.Errorf("root's own HOME: %s, %v", f.Cache, err)
	}
	if err := os.Chown(home, 12345, -1); err != nil {
		t.Fatal(err)
	}
	if f, err := UserFolders(); err != nil || strings.HasPrefix(f.Cache, home) {
		t.Errorf("root uses the cache of another user: %s, %v", f.Cache, err)
	}
	// sudo -E keeps these as well.
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", home)
	t.Setenv("XDG_CONFIG_HOME", home)
	if f, err := UserFolders(); err != nil || strings.HasPrefix(f.Cache, home) || strings.HasPrefix(f.Recipes, home) {
		t.Errorf("root uses the folders of another user: %+v, %v", f, err)
	}
}
