package compile

import (
	"os"
	"path/filepath"

	"github.com/deployctl/deployctl/doctor/host/ownership"
)

// folders gives the Go command folders beneath cache where its usual ones do
// not do: a bare service account has none, and the Go command would refuse to
// start; and under sudo -E they are another user's, who could have put there
// what root would run, and who could not remove what root leaves there.
func folders(cache string) []string {
	own := map[string]string{
		"GOCACHE": filepath.Join(cache, "go", "build"), "GOPATH": filepath.Join(cache, "go"),
		"GOMODCACHE": filepath.Join(cache, "go", "pkg", "mod"),
	}
	usual, uerr := os.UserCacheDir()
	home, herr := os.UserHomeDir()
	none := uerr != nil && herr != nil
	var env []string
	for _, name := range []string{"GOCACHE", "GOPATH", "GOMODCACHE"} {
		dir, set := os.Getenv(name), os.Getenv(name) != ""
		switch {
		case set:
		case name == "GOCACHE":
			dir = usual
		case os.Getenv("GOPATH") != "":
			dir = os.Getenv("GOPATH") // where the modules are, too
		default:
			dir = home
		}
		if none && !set && name != "GOMODCACHE" || dir != "" && ownership.RootOnly(dir) != nil {
			env = append(env, name+"="+own[name])
		}
	}
	return env
}
