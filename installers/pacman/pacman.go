// Package pacman is Arch Linux's package manager as argv and rules. It must
// never change the machine. .ci/managers runs the real one.
package pacman

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

const syncDir = "/var/lib/pacman/sync"

// noLists is a pacman that has never fetched its lists, as in a fresh container.
var noLists = pkgmgr.Rule{Kind: step.NotFound, Any: []string{"use '-sy' to download"}, Cause: "pacman has no package lists yet",
	Next: "run pacman -Syu, which fetches them and brings the system up to date, then run deployctl again"}

// Manager returns the pacman manager. The lists are not refreshed apart: a
// refresh without a full upgrade leaves Arch in a state it does not support.
func Manager() *pkgmgr.Manager {
	return &pkgmgr.Manager{
		Name: "pacman", Tool: "pacman", Path: "/usr/bin/pacman", Admin: true, Retries: true, Saves: true,
		UndoBy: "pacman -Rns", Clean: []string{"rm -rf /var/cache/pacman/pkg/*"},
		Env: []string{"LC_ALL=C"},
		Install: func(p []string) []string {
			return append([]string{"-S", "--noconfirm", "--needed", "--noprogressbar", "--"}, p...)
		},
		Remove: func(p []string, purge bool) []string {
			op := "-R"
			if purge {
				op = "-Rn"
			}
			return append([]string{op, "--noconfirm", "--"}, p...)
		},
		Installed: func(ctx context.Context, h *host.Host) (map[string]pkgmgr.Installed, error) {
			out, err := ask(ctx, h, find(ctx, h), "-Q")
			if err != nil {
				return nil, err
			}
			// Where no package is installed it ends with 1, perhaps with a warning.
			if out.Exit != 0 && strings.Contains(string(out.Stderr), "error: ") {
				return nil, lang.Errorf("list the installed packages: pacman ended with exit status %d: %s", out.Exit, step.Clean(string(out.Stderr), 200))
			}
			return pkgmgr.ParseNameVersion(string(out.Stdout)), nil
		},
		Quote:   quote,
		Needed:  needed,
		Explain: pkgmgr.Explainer("pacman", rules()),
		Disks:   []string{"/var/cache", "/usr"},
	}
}

func rules() []pkgmgr.Rule {
	locked := pkgmgr.Locked("unable to lock database")
	locked.Next = lang.T("let it finish, then run deployctl again; if no pacman is running, one was killed: remove /var/lib/pacman/db.lck")
	return []pkgmgr.Rule{
		locked,
		noLists,
		pkgmgr.NotFound(`^error: target not found: (\S+)`, "target not found"),
		{Kind: step.Other, Any: []string{"mount point /", "filesystem mount points"}, Cause: "pacman cannot find out how much disk space is free, because / is not a mount point here (a chroot)",
			Next: "bind-mount the folder onto itself before entering it (arch-chroot does), then run deployctl again"},
		{Kind: step.NotFound, Any: []string{"returned error: 404"}, Cause: "the mirror no longer has the version that pacman's lists name",
			Next: "run pacman -Syu, then run deployctl again"},
		pkgmgr.Untrusted("invalid or corrupted package", "is unknown trust", "is marginal trust", "keyring is not writable", "key missing from keyring", "could not be looked up remotely", "signature from", "invalid or corrupted database"),
		pkgmgr.Conflict("unresolvable package conflicts", "could not satisfy dependencies", "exists in filesystem"),
	}
}

func find(ctx context.Context, h *host.Host) string {
	if path := h.SystemPath(ctx, "pacman"); path != "" {
		return path
	}
	return "/usr/bin/pacman"
}

func ask(ctx context.Context, h *host.Host, tool string, args ...string) (host.Output, error) {
	out, err := h.Run(ctx, host.Command{Argv: append([]string{tool}, args...), Env: []string{"LC_ALL=C"}})
	if err != nil {
		return out, lang.Errorf("ask pacman: %w", err)
	}
	return out, nil
}

func lines(out host.Output) []string {
	return strings.Split(string(out.Stdout)+"\n"+string(out.Stderr), "\n")
}

var (
	missing = lazyregexp.New(`^error: target not found: (\S+)`)
	breaks  = lazyregexp.New(`^:: removing (\S+) breaks dependency '.*' required by (\S+)$`)
)

// quote asks with --print, which needs neither root nor the lock.
func quote(ctx context.Context, h *host.Host, tool string, packages []string) (pkgmgr.Quote, error) {
	out, err := ask(ctx, h, tool, append([]string{"-Sp", "--needed", "--print-format", "%n %v %s", "--"}, packages...)...)
	if err != nil {
		return pkgmgr.Quote{}, err
	}
	if out.Exit != 0 {
		q := pkgmgr.Quote{}
		for _, line := range lines(out) {
			if m := missing.FindStringSubmatch(line); m != nil {
				q.NotFound = append(q.NotFound, m[1])
			}
		}
		if len(q.NotFound) == 0 {
			return q, Manager().Explain(out.Exit, lines(out))
		}
		if entries, err := h.ReadDir(ctx, syncDir); host.IsNotExist(err) || err == nil && !slices.ContainsFunc(entries, func(e host.Entry) bool { return strings.HasSuffix(e.Name, ".db") }) {
			return pkgmgr.Quote{}, &step.Failure{Kind: noLists.Kind, Cause: lang.T(noLists.Cause), Next: lang.T(noLists.Next)}
		}
		return q, nil
	}
	q := ParseQuote(string(out.Stdout))
	if len(q.Change) == 0 {
		return q, nil
	}
	var names []string
	for _, c := range q.Change {
		names = append(names, c.Name)
	}
	if out, err = ask(ctx, h, tool, append([]string{"-Si", "--"}, names...)...); err != nil {
		return q, err
	}
	q.DiskBytes = ParseInstalledSize(string(out.Stdout))
	return q, nil
}

// ParseQuote reads lines of a name, a version and the bytes to download.
func ParseQuote(text string) pkgmgr.Quote {
	var q pkgmgr.Quote
	for _, line := range strings.Split(text, "\n") {
		f := strings.Fields(line)
		if len(f) != 3 {
			continue
		}
		n, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil || n < 0 || n > 1<<40 || q.DownloadBytes > 1<<50 {
			continue
		}
		q.Change = append(q.Change, step.Package{Name: f[0], Version: f[1]})
		q.DownloadBytes += n
	}
	return q
}

// ParseInstalledSize adds up the lines "Installed Size  : 40.00 MiB" of pacman -Si.
func ParseInstalledSize(text string) int64 {
	var sum float64
	for _, line := range strings.Split(text, "\n") {
		key, value, _ := strings.Cut(line, ":")
		f := strings.Fields(value)
		if strings.TrimSpace(key) != "Installed Size" || len(f) != 2 {
			continue
		}
		v, err := strconv.ParseFloat(f[0], 64)
		if err != nil || !(v >= 0 && v < 1e6) || sum > 1<<50 {
			continue
		}
		sum += v * map[string]float64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[f[1]]
	}
	return int64(math.Ceil(sum))
}

// needed asks pacman what would break: it refuses to remove what others need.
func needed(ctx context.Context, h *host.Host, packages []string) (map[string]string, error) {
	tool := find(ctx, h)
	return pkgmgr.NeededBy(packages, func(names []string) (map[string]string, error) {
		out, err := ask(ctx, h, tool, append([]string{"-Rp", "--print-format", "%n", "--"}, names...)...)
		if err != nil || out.Exit == 0 {
			return nil, err
		}
		by := map[string]string{}
		for _, line := range lines(out) {
			if m := breaks.FindStringSubmatch(line); m != nil && slices.Contains(names, m[1]) {
				by[m[1]] = m[2]
			}
		}
		if len(by) == 0 {
			return nil, lang.Errorf("ask pacman what needs the packages: exit status %d: %s", out.Exit, step.Clean(string(out.Stderr), 200))
		}
		return by, nil
	})
}
