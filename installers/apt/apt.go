// Package apt is Debian's and Ubuntu's package manager: argv, state, quotes,
// progress and the meaning of its errors. It must never change the machine, but
// for folders of deployctl's own that it is given (a repository of locked
// packages, lists apart from the system's): the commands it composes are run by
// the installers package.
//
// Sources: apt-get(8) and apt.conf(5) of apt 2.2,
// 2.6 and 3.0 (Debian 11, 12, 13); dpkg(1), dpkg-query(1); Debian Policy 5.6.7.
package apt

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

const (
	listsDir   = "/var/lib/apt/lists"
	updatesDir = "/var/lib/dpkg/updates"

	// maxAge is when package lists count as old.
	maxAge = 24 * time.Hour
)

// options go with every change.
var options = [...]string{
	"--yes", "--quiet",
	// Nothing is ever removed to make room for what a recipe wants.
	"--no-remove",
	"--option", "Dpkg::Use-Pty=0",
	"--option", "DPkg::Lock::Timeout=30",
	"--option", "Acquire::Retries=3",
	// A name that no list knows is an error, not a pattern: "a.b" would
	// otherwise be tried as one.
	"--option", "APT::Cmd::Pattern-Only=true",
	// The user's own configuration files stay; no question is asked.
	"--option", "Dpkg::Options::=--force-confdef",
	"--option", "Dpkg::Options::=--force-confold",
}

// Manager returns the apt manager.
func Manager() *pkgmgr.Manager { return manager(nil) }

// manager is apt with options of its own: where its sources and lists are.
func manager(own []string) *pkgmgr.Manager {
	return &pkgmgr.Manager{
		Name: "apt", Tool: "apt-get", Path: "/usr/bin/apt-get", Admin: true,
		UndoBy: "apt-get --purge autoremove", Clean: []string{"/usr/bin/apt-get clean", "rm -rf /var/lib/apt/lists/*"}, Unchanged: `(^|\n)0 upgraded, 0 newly installed, 0 to remove`,
		Env: []string{"DEBIAN_FRONTEND=noninteractive", "LC_ALL=C",
			// Restarting services and showing changelogs is not this program's business.
			"NEEDRESTART_SUSPEND=1", "APT_LISTCHANGES_FRONTEND=none"},
		Install: func(packages []string) []string {
			return change("install", append([]string{"--no-install-recommends"}, own...), packages)
		},
		Remove: func(packages []string, purge bool) []string {
			var args []string
			for i, o := range options {
				if o == "--no-remove" {
					continue
				}
				args = append(args, options[i])
			}
			if purge {
				args = append(args, "--purge")
			}
			return append(append(args, "remove", "--"), packages...)
		},
		Reinstall: func(packages []string) []string {
			return change("install", append([]string{"--no-install-recommends", "--reinstall"}, own...), packages)
		},
		Refresh: func() []string {
			return append(append([]string{"--quiet", "--option", "Acquire::Retries=3"}, own...), "update")
		},
		Configure: func() []string {
			return []string{"/usr/bin/dpkg", "--configure", "-a", "--force-confdef", "--force-confold"}
		},
		FixBroken: func() []string {
			return change("install", append([]string{"--no-install-recommends", "--fix-broken"}, own...), nil)
		},
		// apt marks all of them before it removes the first, and takes the marks of
		// those that stay back in the end: not when it is killed between.
		Keep: func(packages []string) []string {
			return append([]string{"/usr/bin/apt-mark", "install", "--"}, packages...)
		},
		Installed: installed,
		Fresh:     lists,
		Quote: func(ctx context.Context, h *host.Host, tool string, packages []string) (pkgmgr.Quote, error) {
			return quote(ctx, h, tool, own, packages)
		},
		QuoteRemove: quoteRemove,
		Needed:      needed,
		Edited:      edited,
		Damage:      damage,
		Busy:        busy,
		NewProgress: NewProgress,
		Explain:     Explain,
		Disks:       []string{"/var/cache/apt/archives", "/usr"},
	}
}

func change(command string, more, packages []string) []string {
	args := append([]string(nil), options[:]...)
	args = append(append(args, more...), command)
	if len(packages) == 0 {
		return args
	}
	return append(append(args, "--"), packages...)
}

// installed reads dpkg's database. dpkg-query writes one line a package.
func installed(ctx context.Context, h *host.Host) (map[string]pkgmgr.Installed, error) {
	text, err := dpkgQuery(ctx, h, `${db:Status-Abbrev}\t${binary:Package}\t${Version}\n`)
	if err != nil {
		return nil, err
	}
	return ParseInstalled(text, nativeArch(h.Arch)), nil
}

// nativeArch is Debian's name for a GOARCH.
func nativeArch(goarch string) string {
	switch goarch {
	case "386":
		return "i386"
	case "arm":
		return "armhf"
	case "ppc64le":
		return "ppc64el"
	}
	return goarch
}

// ParseInstalled reads status, name and version, tab-separated. The status has
// three letters: wanted, state, and R when a reinstallation is required.
// Packages that are not installed at all are left out, and so is the
// architecture's name where it is the native one (libc6:amd64 is libc6).
func ParseInstalled(text, native string) map[string]pkgmgr.Installed {
	list := map[string]pkgmgr.Installed{}
	for _, line := range strings.Split(text, "\n") {
		f := strings.Split(line, "\t")
		if len(f) != 3 || len(f[0]) < 2 || f[1] == "" || f[0][1] == 'n' {
			continue
		}
		list[strings.TrimSuffix(f[1], ":"+native)] = pkgmgr.Installed{
			Version: f[2],
			// Triggers awaited or pending (W, t) are unpacked and configured
			// already, but dpkg still has work: not ready.
			Ready:    f[0][1] == 'i' && (len(f[0]) < 3 || f[0][2] == ' '),
			Leftover: f[0][1] == 'c',
			Torn:     len(f[0]) > 2 && f[0][2] == 'R',
			Marked:   (f[0][0] == 'r' || f[0][0] == 'p') && f[0][1] == 'i',
		}
	}
	return list
}

// lists judges the age of the package lists by their folder: apt writes in it
// and in partial/ on every update, while the files inside carry the server's
// dates.
func lists(ctx context.Context, h *host.Host) pkgmgr.Lists {
	var l pkgmgr.Lists
	entries, err := h.ReadDir(ctx, listsDir)
	if err != nil {
		return l
	}
	for _, e := range entries {
		if !e.Dir && strings.Contains(e.Name, "_Packages") {
			l.Present = true
		}
	}
	if !l.Present {
		return l
	}
	now := h.Now()
	for _, name := range []string{listsDir, listsDir + "/partial", "/var/lib/apt/periodic/update-success-stamp"} {
		info, err := h.Stat(ctx, name)
		if err != nil {
			continue
		}
		// A date in the future says the clock was set back, not that the
		// lists are fresh; an hour is allowed for time zones set late at boot.
		if age := now.Sub(info.ModTime); age < maxAge && age > -time.Hour {
			l.Fresh = true
		}
	}
	return l
}

// quote asks apt-get what would change and what that costs. It needs neither
// root nor a lock, and changes nothing.
func quote(ctx context.Context, h *host.Host, tool string, own, packages []string) (pkgmgr.Quote, error) {
	q, _, err := planned(ctx, h, tool, own, packages)
	return q, err
}

// planned is quote, with apt-get's lines, which name the addresses. --simulate would tell
// the changes, too, in four times the time where there are hundreds.
func planned(ctx context.Context, h *host.Host, tool string, own, packages []string) (pkgmgr.Quote, []string, error) {
	argv := slices.Concat([]string{tool, "--print-uris", "--yes", "--verbose-versions"}, readOnly(), own,
		[]string{"--quiet=1", "--no-install-recommends", "--option", "APT::Cmd::Pattern-Only=true", "install", "--"}, packages)
	lines, exit, err := ask(ctx, h, argv)
	if err != nil {
		return pkgmgr.Quote{}, nil, err
	}
	if exit != 0 {
		if names := NotFound(lines); len(names) > 0 {
			return pkgmgr.Quote{NotFound: names}, lines, nil
		}
		return pkgmgr.Quote{}, nil, Explain(exit, lines)
	}
	q, err := ParseChanges(lines)
	if err != nil {
		return q, nil, err
	}
	q.DownloadBytes, q.DiskBytes = ParseSizes(lines)
	return q, lines, nil
}

func quoteRemove(ctx context.Context, h *host.Host, tool string, packages []string) ([]string, error) {
	lines, exit, err := ask(ctx, h, append(append(append([]string{tool, "--simulate"}, readOnly()...), "--quiet=1", "remove", "--"), packages...))
	if err != nil {
		return nil, err
	}
	if exit != 0 {
		return nil, Explain(exit, lines)
	}
	return ParseSimulation(lines), nil
}

// readOnly keeps apt-get from writing its own caches of the package lists to
// /var/cache/apt, which it does even for a question when it runs as root.
func readOnly() []string {
	return []string{"--option", "Dir::Cache::pkgcache=", "--option", "Dir::Cache::srcpkgcache="}
}

func ask(ctx context.Context, h *host.Host, argv []string) (lines []string, exit int, err error) {
	out, err := h.Run(ctx, host.Command{Argv: argv, Env: []string{"LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}})
	if err != nil {
		return nil, 0, lang.Errorf("ask apt-get what would change: %w", err)
	}
	return strings.Split(string(out.Stdout)+"\n"+string(out.Stderr), "\n"), out.Exit, nil
}

var (
	// versionLine is "   name (version)" or "   name (old => new)"; a package to be
	// purged has a * behind its name.
	versionLine = lazyregexp.New(`^   ([^\s*]+)\*? \((?:(\S+) => )?(\S+)\)$`)
	countOf     = lazyregexp.New(`(\d+) (upgraded|newly installed|downgraded|to remove)[, ]`)
	remvLine    = lazyregexp.New(`^(?:Remv|Purg) (\S+)`)
	diskLine    = lazyregexp.New(`^After this operation, ([0-9.,]+) ([kMGT]?B) (of additional disk space will be used|disk space will be freed)`)
	missing     = []*lazyregexp.Regexp{
		lazyregexp.New(`^E: Unable to locate package (\S+)`),
		lazyregexp.New(`^E: Package '?([^' ]+)'? has no installation candidate`),
		lazyregexp.New(`^E: Couldn't find any package by (?:glob|regex) '([^']+)'`),
	}
)

// ParseSimulation reads the names that apt-get --simulate would remove.
func ParseSimulation(lines []string) (remove []string) {
	for _, line := range lines {
		if m := remvLine.FindStringSubmatch(line); m != nil {
			remove = append(remove, m[1])
		}
	}
	return remove
}

// ParseChanges reads the lists that apt-get --verbose-versions prints below its
// headings, a package a line with its version or "old => new", and holds them
// against the counts that apt-get gives after them.
func ParseChanges(lines []string) (pkgmgr.Quote, error) {
	var q pkgmgr.Quote
	const added, removed = "added", "removed"
	list, counts := "", map[string]int{}
	for _, line := range lines {
		if !strings.HasPrefix(line, "   ") {
			list = map[string]string{
				"The following NEW packages will be installed:": added, "The following packages will be upgraded:": added,
				"The following packages will be DOWNGRADED:": added, "The following packages will be REMOVED:": removed,
			}[strings.TrimSpace(line)]
			if countLine.MatchString(line) {
				for _, m := range countOf.FindAllStringSubmatch(line, -1) {
					n, err := strconv.Atoi(m[1])
					if err != nil {
						return q, lang.Errorf("read what apt-get would change: %w", err)
					}
					counts[map[bool]string{true: removed, false: added}[m[2] == "to remove"]] += n
				}
			}
			continue
		}
		m := versionLine.FindStringSubmatch(line)
		switch {
		case m == nil:
		case list == added:
			q.Change = append(q.Change, step.Package{Name: m[1], Version: m[3], Was: m[2]})
		case list == removed:
			q.Remove = append(q.Remove, m[1])
		}
	}
	if len(q.Change) != counts[added] || len(q.Remove) != counts[removed] {
		return q, lang.Errorf("read what apt-get would change: it announces %d packages to install and %d to remove and lists %d and %d",
			counts[added], counts[removed], len(q.Change), len(q.Remove))
	}
	return q, nil
}

// ParseSizes reads the lines of apt-get --print-uris: 'uri' file size hash.
func ParseSizes(lines []string) (download, disk int64) {
	for _, line := range lines {
		if strings.HasPrefix(line, "'") {
			f := strings.Fields(line)
			if len(f) < 3 {
				continue
			}
			if _, err := url.Parse(strings.Trim(f[0], "'")); err != nil {
				continue
			}
			if n, err := strconv.ParseInt(f[2], 10, 64); err == nil && n > 0 && n < 1<<40 && download < 1<<50 {
				download += n
			}
			continue
		}
		if m := diskLine.FindStringSubmatch(line); m != nil {
			disk = int64(size(m[1], m[2]))
			if strings.HasSuffix(m[3], "freed") {
				disk = -disk
			}
		}
	}
	return download, disk
}

// NotFound gives the names that apt-get says it does not know, sorted.
func NotFound(lines []string) []string {
	seen := map[string]bool{}
	for _, line := range lines {
		for _, re := range missing {
			if m := re.FindStringSubmatch(line); m != nil {
				seen[m[1]] = true
			}
		}
	}
	var names []string
	for n := range seen {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// damage looks for dpkg's own journal (numbered files in updates/: apt refuses
// to work while there are any) and for packages left half way.
func damage(ctx context.Context, h *host.Host) (pkgmgr.Damage, error) {
	var d pkgmgr.Damage
	entries, err := h.ReadDir(ctx, updatesDir)
	if err != nil && !host.IsNotExist(err) {
		return d, lang.Errorf("look for an interrupted dpkg in %s: %w", updatesDir, err)
	}
	for _, e := range entries {
		if e.Name != "" && strings.Trim(e.Name, "0123456789") == "" {
			d.Journal = true
		}
	}
	list, err := installed(ctx, h)
	if err != nil {
		return d, err
	}
	for name, p := range list {
		if !p.Ready && !p.Leftover {
			d.Broken = append(d.Broken, name)
		}
		if p.Torn {
			d.Torn = append(d.Torn, name)
		}
		if p.Marked {
			d.Marked = append(d.Marked, name)
		}
	}
	sort.Strings(d.Broken)
	sort.Strings(d.Torn)
	sort.Strings(d.Marked)
	return d, nil
}

// locks are the files that apt and dpkg lock while they change packages, lists
// and archives.
var locks = [...]string{"/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", listsDir + "/lock", "/var/cache/apt/archives/lock"}

// lockers are the programs that take these locks, by the kernel's names, which
// have 15 letters at most.
var lockers = [...]string{"apt", "apt-get", "aptitude", "dpkg", "unattended-upgr", "packagekitd", "aptd", "synaptic"}

// busy looks in the kernel's list of locks, which every user may read, while
// asking for the lock itself would need root. The list names files by device and
// number. On some file systems (overlay, btrfs) the device is not the one that
// stat tells: there, the process must be one of the lockers.
func busy(ctx context.Context, h *host.Host) string {
	out, err := h.Run(ctx, host.Command{Argv: append([]string{find(ctx, h, "stat"), "-c", "%d %i", "--"}, locks[:]...), Env: []string{"LC_ALL=C"}})
	if err != nil {
		return ""
	}
	data, _, err := h.ReadFile(ctx, "/proc/locks", host.MaxFile)
	if err != nil {
		return ""
	}
	held := strings.Split(string(data), "\n")
	for _, lock := range strings.Split(string(out.Stdout), "\n") {
		var dev, inode uint64
		if _, err := fmt.Sscan(lock, &dev, &inode); err != nil {
			continue
		}
		for _, line := range held {
			pid, file, ok := writeLock(line)
			very := file == lockName(dev, inode)
			if !ok || !very && !strings.HasSuffix(file, fmt.Sprintf(":%d", inode)) {
				continue
			}
			name, _, err := h.ReadFile(ctx, "/proc/"+pid+"/comm", 100)
			comm := step.Clean(strings.TrimSpace(string(name)), 40)
			if err == nil && (very || slices.Contains(lockers[:], comm)) {
				return lang.F("process %s (%s)", pid, comm)
			}
		}
	}
	return ""
}

// writeLock reads a line of /proc/locks: "1: POSIX  ADVISORY  WRITE 6518
// fe:00:131334 0 EOF". Those who wait, and processes outside this container, are
// left out.
func writeLock(line string) (pid, file string, ok bool) {
	f := strings.Fields(line)
	if len(f) < 6 || f[1] != "POSIX" || f[3] != "WRITE" {
		return "", "", false
	}
	n, err := strconv.Atoi(f[4])
	return f[4], f[5], err == nil && n > 0
}

// lockName is how /proc/locks names a file; the parts of a device's number are as
// in makedev(3) of Linux.
func lockName(dev, inode uint64) string {
	major := dev>>8&0xfff | dev>>32&^0xfff
	minor := dev&0xff | dev>>12&^0xff
	return fmt.Sprintf("%02x:%02x:%d", major, minor, inode)
}

// find gives one of apt's, dpkg's or the system's own programs.
func find(ctx context.Context, h *host.Host, tool string) string {
	return cmp.Or(h.SystemPath(ctx, tool), "/usr/bin/"+tool)
}
