package apt

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

// Progress reads one line of APT::Status-Fd, which shares standard output with
// apt's own text: "dlstatus:n:percent:message" while fetching and
// "pmstatus:package:percent:message" while dpkg works. A line that says apt
// waits for a lock is progress too.
func Progress(line string) (step.Progress, bool) {
	if strings.HasPrefix(line, "Waiting for cache lock") {
		return step.Progress{Phase: step.Waiting, Percent: -1, Message: waiting(line)}, true
	}
	kind, rest, ok := strings.Cut(line, ":")
	if !ok {
		return step.Progress{}, false
	}
	p := step.Progress{}
	switch kind {
	case "dlstatus":
		p.Phase = step.Downloading
	case "pmstatus":
		p.Phase = step.Installing
	default:
		return step.Progress{}, false
	}
	// A package may carry an architecture (libc6:amd64), so the percentage is
	// the first field that is a number with a point in it.
	fields := strings.Split(rest, ":")
	for i := 1; i < len(fields) && i < 4; i++ {
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil || !strings.Contains(fields[i], ".") || !(v >= 0 && v <= 100.5) {
			continue
		}
		p.Percent = min(v, 100)
		p.Message = step.Clean(strings.Join(fields[i+1:], ":"), 120)
		return p, true
	}
	return step.Progress{}, false
}

// holder finds who holds a lock: apt ("held by process 12 (apt)") and dpkg
// ("locked by another process with pid 12", with a full stop in some releases).
var holder = regexp.MustCompile(`(?:held by process|another process with pid) ([0-9]{1,10})(?: \(([^)]{1,40})\))?`)

func waiting(line string) string {
	if m := holder.FindStringSubmatch(line); m != nil {
		return "waiting for another package manager: process " + named(m)
	}
	return "waiting for another package manager"
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
	{Kind: step.Locked, Any: []string{"could not get lock", "unable to acquire the dpkg frontend lock", "dpkg frontend lock was locked", "dpkg database is locked", "lock was locked by another process"},
		Cause: "another program holds the package manager's lock",
		Next:  "let it finish (unattended upgrades take minutes), then run deployctl again"},
	{Kind: step.NoPrivilege, Any: []string{"are you root?", "requested operation requires superuser privilege", "(13: permission denied)"},
		Cause: "the package manager needs root",
		Next:  "run deployctl as root, or install sudo and add this user to it"},
	{Kind: step.DiskFull, Any: []string{"no space left on device", "you don't have enough free space", "disk quota exceeded"},
		Cause: "there is not enough room on the disk",
		Next:  "free some (apt-get clean gives back the package cache), then run deployctl again"},
	{Kind: step.ReadOnly, Any: []string{"read-only file system"},
		Cause: "the file system is mounted read-only",
		Next:  "mount it writable, then run deployctl again"},
	{Kind: step.Interrupted, Any: []string{"dpkg was interrupted"},
		Cause: "an earlier dpkg run was interrupted",
		Next:  "run deployctl again: it finishes that run first (dpkg --configure -a)"},
	{Kind: step.HashMismatch, Any: []string{"hash sum mismatch", "file has unexpected size"},
		Cause: "a file from the mirror does not match its published hash, and was thrown away",
		Next:  "the mirror is being updated or a proxy alters files: run deployctl again in a few minutes or choose another mirror"},
	{Kind: step.Untrusted, Any: []string{"no_pubkey", "is not signed", "the following signatures", "cannot be authenticated", "expkeysig", "certificate verification failed"},
		Cause: "the package source could not be trusted (a signature or certificate is missing, expired or wrong)",
		Next:  "mend the source's key (ca-certificates, debian-archive-keyring, the clock), then run deployctl again"},
	{Kind: step.NotFound, Any: []string{"unable to locate package", "has no installation candidate", "couldn't find any package by"},
		Cause: "a package is not in this system's sources",
		Next:  "add the source that has it (universe on Ubuntu, main on Debian), or install it by hand"},
	{Kind: step.NoNetwork, Any: []string{"temporary failure resolving", "could not resolve", "could not connect", "connection failed", "connection timed out", "network is unreachable", "unable to connect", "unable to fetch some archives", "failed to fetch", "some index files failed to download"},
		Cause: "the package server could not be reached",
		Next:  "check the network and the proxy settings (/etc/apt/apt.conf.d), then run deployctl again"},
	{Kind: step.Conflict, Any: []string{"unmet dependencies", "held broken packages", "pkgproblemresolver", "packages need to be removed but remove is disabled", "held packages were changed", "unable to correct problems", "but it is not going to be installed", "dependency problems"},
		Cause: "the packages do not fit together with what is installed (unmet dependencies or a held package)",
		Next:  "see apt-mark showhold, mend what the lines below name, then run deployctl again"},
}

// Explain finds the cause in the last lines of a failed apt-get or dpkg.
func Explain(exit int, lines []string) *step.Failure {
	lines = plain(lines)
	f := pkgmgr.Match(rules[:], lines)
	if f == nil {
		return pkgmgr.Unexplained("apt-get", exit, lines)
	}
	switch f.Kind {
	case step.Locked:
		for _, l := range lines {
			if m := holder.FindStringSubmatch(l); m != nil {
				f.Cause = "another program holds the package manager's lock: process " + named(m)
			}
		}
	case step.NotFound:
		if names := NotFound(lines); len(names) > 0 {
			f.Cause = "not in this system's package sources: " + step.Clean(strings.Join(names, ", "), 300)
		}
	}
	return f
}

// plain drops the status lines but those that wait for a lock: they alone name
// its holder. A pmerror line repeats what dpkg prints in its own words.
func plain(lines []string) []string {
	var out []string
	for _, l := range lines {
		p, status := Progress(l)
		if (status && p.Phase != step.Waiting) || strings.HasPrefix(l, "pmerror:") {
			continue
		}
		out = append(out, l)
	}
	return out
}
