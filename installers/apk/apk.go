// Package apk is Alpine's package manager as argv and rules. It must never
// change the machine. Not run for real yet: argv from apk(8) of apk-tools 2.14,
// checked by golden tests with fake runs.
package apk

import (
	"context"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pkgmgr"
)

const database = "/lib/apk/db/installed"

// Manager returns the apk manager.
func Manager() *pkgmgr.Manager {
	return &pkgmgr.Manager{
		Name: "apk", Tool: "apk", Path: "/sbin/apk", Admin: true,
		UndoBy: "apk del", Clean: []string{"rm -rf /var/cache/apk/*"},
		Install: func(p []string) []string {
			return append([]string{"add", "--no-progress", "--wait", "30", "--update-cache", "--"}, p...)
		},
		Remove: func(p []string, purge bool) []string {
			args := []string{"del", "--no-progress", "--wait", "30"}
			if purge {
				args = append(args, "--purge")
			}
			return append(append(args, "--"), p...)
		},
		Installed: func(ctx context.Context, h *host.Host) (map[string]pkgmgr.Installed, error) {
			text, err := h.Text(ctx, database)
			if err != nil {
				return nil, err
			}
			return ParseDatabase(text), nil
		},
		Explain: pkgmgr.Explainer("apk", []pkgmgr.Rule{
			pkgmgr.Locked("unable to lock database"),
			pkgmgr.NotFound("(no such package)", "unable to select packages"),
			pkgmgr.Untrusted("untrusted signature", "bad signature", "verification failed"),
			pkgmgr.Conflict("breaks: ", "conflicts: "),
		}),
		Disks: []string{"/var/cache", "/usr"},
	}
}

// ParseDatabase reads apk's database: P: is a name and V: its version, a blank
// line ends a package.
func ParseDatabase(text string) map[string]pkgmgr.Installed {
	list := map[string]pkgmgr.Installed{}
	name := ""
	for _, line := range strings.Split(text, "\n") {
		switch {
		case line == "":
			name = ""
		case strings.HasPrefix(line, "P:"):
			name = line[2:]
		case strings.HasPrefix(line, "V:") && name != "":
			list[name] = pkgmgr.Installed{Version: line[2:], Ready: true}
		}
	}
	return list
}
