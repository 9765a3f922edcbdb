// Package msys2 is the pacman of MSYS2. It must never change the machine. Run
// under Wine with a stand-in only.
//
// Sources: pacman(8) 6, msys2.org/docs/package-management and /docs/ci.
package msys2

import (
	"context"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pacman"
	"github.com/deployctl/deployctl/installers/pkgmgr"
)

// Manager returns the manager of MSYS2's packages; its target is the root
// folder. The folder is the user's who installed it: no administrator needed.
// Without a login shell pacman speaks English: nothing sets LANG.
func Manager() *pkgmgr.Manager {
	arch := pacman.Manager()
	m := pkgmgr.Manager{
		Name: "msys2", Tool: "pacman.exe", Path: `C:\msys64\usr\bin\pacman.exe`,
		UndoBy: "pacman -Rs",
		Pick: func(f *facts.Facts) (string, error) {
			if i, ok := f.Active("msys2"); ok {
				return i.Path, nil
			}
			return "", pkgmgr.ErrAbsent
		},
		Install: arch.Install, Remove: arch.Remove, Explain: arch.Explain,
	}
	m.On = func(h *host.Host, root string) *pkgmgr.Manager {
		on := m
		on.Target, on.Path = root, h.Join(root, `usr\bin\pacman.exe`)
		on.Where = func(context.Context, *host.Host) string { return on.Path }
		on.Installed = func(ctx context.Context, h *host.Host) (map[string]pkgmgr.Installed, error) {
			return pkgmgr.ListWith(ctx, h, []string{on.Path, "-Q"}, pkgmgr.ParseNameVersion)
		}
		return &on
	}
	return &m
}
