package apt

import (
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// meter turns apt's and dpkg's own text into progress.
//
// APT::Status-Fd would be made for this, but it needs a file descriptor of its
// own, which sudo closes; and pointed at standard output it makes apt close
// that for dpkg, so that any maintainer script that prints something fails
// (seen with emacs-nox on Debian 12).
type meter struct {
	total, fetched, current float64 // bytes
	packages, done          int     // each package is unpacked and set up: two steps
}

var (
	needLine  = lazyregexp.New(`^Need to get ([0-9.,]+) ([kMGT]?B)`)
	countLine = lazyregexp.New(`^([0-9]{1,6}) upgraded, ([0-9]{1,6}) newly installed`)
	getLine   = lazyregexp.New(`^Get:[0-9]+ \S+ (.*?)(?: \[([0-9.,]+) ([kMGT]?B)\])?$`)
	workLine  = lazyregexp.New(`^(Unpacking|Setting up) ([^ ]+) .*\.\.\.$`)
)

// NewProgress gives a reader of one run's lines. It reports false for a line
// that is not about progress.
func NewProgress() func(line string) (step.Progress, bool) {
	m := &meter{}
	return m.read
}

func (m *meter) read(line string) (step.Progress, bool) {
	if strings.HasPrefix(line, "Waiting for cache lock") {
		return step.Progress{Phase: step.Waiting, Percent: -1, Message: waiting(line)}, true
	}
	if f := needLine.FindStringSubmatch(line); f != nil {
		m.total = size(f[1], f[2])
		return step.Progress{Phase: step.Downloading, Percent: 0, Message: step.Clean(line, 120)}, true
	}
	if f := countLine.FindStringSubmatch(line); f != nil {
		up, _ := strconv.Atoi(f[1]) // six digits at most: cannot fail
		add, _ := strconv.Atoi(f[2])
		m.packages = up + add
		return step.Progress{}, false
	}
	if f := getLine.FindStringSubmatch(line); f != nil {
		// The line comes when a file begins; its bytes count when the next does.
		m.fetched += m.current
		m.current = size(f[2], f[3])
		p := step.Progress{Phase: step.Downloading, Percent: -1, Message: step.Clean(f[1], 120)}
		if m.total > 0 {
			p.Percent = min(100, 100*m.fetched/m.total)
		}
		return p, true
	}
	if strings.HasPrefix(line, "Fetched ") {
		return step.Progress{Phase: step.Downloading, Percent: 100, Message: step.Clean(line, 120)}, true
	}
	if f := workLine.FindStringSubmatch(line); f != nil {
		m.done++
		p := step.Progress{Phase: step.Installing, Percent: -1, Message: step.Clean(f[1]+" "+f[2], 120)}
		if m.packages > 0 {
			// The line comes when the work begins, so the last package stays below 100.
			p.Percent = min(99, 100*float64(m.done-1)/float64(2*m.packages))
		}
		return p, true
	}
	if strings.HasPrefix(line, "Processing triggers for ") {
		return step.Progress{Phase: step.Installing, Percent: 99, Message: step.Clean(line, 120)}, true
	}
	return step.Progress{}, false
}

// size reads apt's sizes (135 kB, 1,024 B); 0 when it is none.
func size(number, unit string) float64 {
	v, err := strconv.ParseFloat(strings.ReplaceAll(number, ",", ""), 64)
	if err != nil || !(v >= 0 && v < 1e6) {
		return 0
	}
	return v * map[string]float64{"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
}

// holder finds who holds a lock: apt ("held by process 12 (apt)") and dpkg
// ("locked by another process with pid 12", with a full stop in some releases).
var holder = lazyregexp.New(`(?:held by process|another process with pid) ([0-9]{1,10})(?: \(([^)]{1,40})\))?`)

func waiting(line string) string {
	if m := holder.FindStringSubmatch(line); m != nil {
		return lang.F("waiting for another package manager: process %s", named(m))
	}
	return lang.T("waiting for another package manager")
}

func named(m []string) string {
	if m[2] != "" {
		return m[1] + " (" + step.Clean(m[2], 40) + ")"
	}
	return m[1]
}

// rules are in order: the first that fits names the cause. The texts are apt's
// under LC_ALL=C.
var rules = [...]pkgmgr.Rule{
	{Kind: step.NoPrivilege, Any: []string{"are you root?", "requested operation requires superuser privilege", "(13: permission denied)"},
		Cause: "the package manager needs root",
		Next:  "run deployctl as root, or install sudo and add this user to it"},
	{Kind: step.Locked, Any: []string{"could not get lock", "unable to acquire the dpkg frontend lock", "dpkg frontend lock was locked", "dpkg database is locked", "lock was locked by another process"},
		Cause: "another program holds the package manager's lock",
		Next:  "let it finish (unattended upgrades take minutes), then run deployctl again"},
	{Kind: step.DiskFull, Any: []string{"no space left on device", "you don't have enough free space", "disk quota exceeded"},
		Cause: "the disk is full",
		Next:  "free some (apt-get clean gives back the package cache), then run deployctl again"},
	{Kind: step.ReadOnly, Any: []string{"read-only file system"},
		Cause: "the file system is mounted read-only",
		Next:  "mount it writable, then run deployctl again"},
	{Kind: step.Interrupted, Any: []string{"dpkg was interrupted"},
		Cause: "an earlier dpkg run was interrupted",
		Next:  "run deployctl again: it finishes that run first (dpkg --configure -a)"},
	// apt's words for a list that is not one: a web page came instead.
	{Kind: step.NoNetwork, Any: []string{"does the network require authentication", "clearsigned file isn't valid", "511  network authentication required", "511 network authentication required"},
		Cause: "something on the network answers in the package server's place: it requires a login, or blocks the server",
		Next:  "open any http page in a browser and log in, or set the proxy (/etc/apt/apt.conf.d), then run deployctl again"},
	{Kind: step.HashMismatch, Any: []string{"hash sum mismatch", "file has unexpected size"},
		Cause: "a file from the mirror does not match its published hash, and was thrown away",
		Next:  "run deployctl again in a few minutes (the mirror is being updated) or choose another mirror; where it stays so, the network requires a login or a proxy alters files"},
	{Kind: step.Untrusted, Any: []string{"no_pubkey", "is not signed", "the following signatures", "cannot be authenticated", "expkeysig", "certificate verification failed"},
		Cause: "the package source could not be trusted (a signature or certificate is missing, expired or wrong)",
		Next:  "repair the source's key (ca-certificates, debian-archive-keyring, the clock), then run deployctl again"},
	{Kind: step.Untrusted, Any: []string{"is not valid yet", "not live until", "is expired (invalid since"},
		Cause: "by this machine's clock the package source's lists are dated in the future or have expired",
		Next:  "correct the clock (see date), then run deployctl again; if it is right, the mirror is out of date: choose another"},
	{Kind: step.NotFound, Any: []string{"unable to locate package", "has no installation candidate", "couldn't find any package by"},
		Cause: "a package is not in this system's sources",
		Next:  "add the source that has it (universe on Ubuntu, main on Debian), or install it by hand"},
	{Kind: step.NoNetwork, Any: []string{"temporary failure resolving", "could not resolve", "could not connect", "connection failed", "connection timed out", "network is unreachable", "unable to connect", "unable to fetch some archives", "failed to fetch", "some index files failed to download"},
		Cause: "the package server could not be reached",
		Next:  "check the network and the proxy settings (/etc/apt/apt.conf.d), then run deployctl again"},
	{Kind: step.Conflict, Any: []string{"unmet dependencies", "held broken packages", "pkgproblemresolver", "packages need to be removed but remove is disabled", "held packages were changed", "unable to correct problems", "but it is not going to be installed", "dependency problems"},
		Cause: "the packages do not fit together with what is installed (unmet dependencies or a held package)",
		Next:  "see apt-mark showhold, fix what the lines below name, then run deployctl again"},
}

// Explain finds the cause in the last lines of a failed apt-get or dpkg.
func Explain(exit int, lines []string) *step.Failure {
	f := pkgmgr.Match(rules[:], lines)
	if f == nil {
		return pkgmgr.Unexplained("apt-get", exit, lines)
	}
	switch f.Kind {
	case step.Locked:
		for _, l := range lines {
			if m := holder.FindStringSubmatch(l); m != nil {
				f.Cause = lang.F("another program holds the package manager's lock: process %s", named(m))
			}
		}
	case step.NotFound:
		if names := NotFound(lines); len(names) > 0 {
			f.Cause = lang.F("not in this system's package sources: %s", step.Clean(strings.Join(names, lang.T(", ")), 300))
		}
	}
	return f
}
