package apt

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

func TestNames(t *testing.T) {
	m := Manager()
	for _, ok := range []string{"cmake", "g++", "libopencv-dev", "libc6:amd64", "python3.11", "0ad"} {
		if err := m.CheckNames([]string{ok}); err != nil {
			t.Errorf("%q refused: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "x", "-oFoo=1", "--simulate", "cmake-", "cmake/sid", "cmake=1.0", "lib*", "Cmake", "a b", "a\nb",
		"standard^", "~nfoo", "?installed", "../x.deb", "./x.deb", "/x.deb", "a;b", "$(id)", "cmake:", "cmake:-", strings.Repeat("a", 300)} {
		if err := m.CheckNames([]string{"cmake", bad}); err == nil {
			t.Errorf("%q was let through", bad)
		}
	}
}

func TestNothingIsRemovedAndNamesComeLast(t *testing.T) {
	m := Manager()
	args := m.Install([]string{"cmake", "g++"})
	joined := strings.Join(args, " ")
	if !strings.Contains(joined, "--no-remove") || !strings.HasSuffix(joined, "install -- cmake g++") {
		t.Errorf("install: %s", joined)
	}
	if strings.Contains(joined, "Status-Fd") {
		t.Error("Status-Fd on standard output closes it for maintainer scripts")
	}
	for _, purge := range []bool{true, false} {
		joined = strings.Join(m.Remove([]string{"cmake"}, purge), " ")
		if strings.Contains(joined, "--no-remove") || strings.Contains(joined, "--purge") != purge || !strings.HasSuffix(joined, "remove -- cmake") {
			t.Errorf("remove: %s", joined)
		}
	}
}

func TestParseInstalled(t *testing.T) {
	got := ParseInstalled("ii \tcmake\t3.25.1-1\nii \tlibc6:amd64\t2.36\nii \tlibc6:i386\t2.36\niHR\tcmake-data\t3.25\niU \tgdb\t13\n"+
		"rc \told\t1\nun \tnever\t\nit \tlibc-bin\t2.36\nhi \theld\t7\nbroken line\n", "amd64")
	want := map[string]pkgmgr.Installed{
		"cmake": {Version: "3.25.1-1", Ready: true}, "libc6": {Version: "2.36", Ready: true}, "libc6:i386": {Version: "2.36", Ready: true},
		"cmake-data": {Version: "3.25", Torn: true}, "gdb": {Version: "13"}, "old": {Version: "1", Leftover: true}, "libc-bin": {Version: "2.36"},
		"held": {Version: "7", Ready: true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestParseQuote(t *testing.T) {
	// Lines of apt-get 2.6 and 3.0.
	const answer = `Reading package lists...
The following packages were automatically installed and are no longer required:
   libold1 (1.2)
The following additional packages will be installed:
   libpkgconf3 (1.8.1-1)
Suggested packages:
   cmake-doc (3.25.1-1)
The following packages will be REMOVED:
   python3-old (1.0)
   gone* (2.0)
The following NEW packages will be installed:
   libpkgconf3 (1.8.1-1)
   libfoo:i386 (4:1.2~rc1-1+b2)
The following held packages will be changed:
   held (1.0 => 1.1)
The following packages will be upgraded:
   cmake-data (3.25.0-1 => 3.25.1-1)
   held (1.0 => 1.1)
The following packages will be DOWNGRADED:
   newer (2.0 => 1.9)
2 upgraded, 2 newly installed, 1 downgraded, 2 to remove and 14 not upgraded.
Need to get 200 kB of archives.`
	q, err := ParseChanges(strings.Split(answer, "\n"))
	want := pkgmgr.Quote{Remove: []string{"python3-old", "gone"}, Change: []step.Package{
		{Name: "libpkgconf3", Version: "1.8.1-1"}, {Name: "libfoo:i386", Version: "4:1.2~rc1-1+b2"},
		{Name: "cmake-data", Version: "3.25.1-1", Was: "3.25.0-1"}, {Name: "held", Version: "1.1", Was: "1.0"}, {Name: "newer", Version: "1.9", Was: "2.0"},
	}}
	if d := cmp.Diff(want, q); d != "" || err != nil {
		t.Error(d, err)
	}
	if q, err := ParseChanges(strings.Split(strings.Replace(answer, "   newer (2.0 => 1.9)\n", "", 1), "\n")); err == nil {
		t.Errorf("a list that was not read whole: %+v", q)
	}
	if d := cmp.Diff([]string{"python3-old", "b"}, ParseSimulation([]string{"Reading package lists...", "Remv python3-old [1.0]", "Purg b [1]", "Inst c (1 Debian [all])"})); d != "" {
		t.Error(d)
	}
	down, disk := ParseSizes(strings.Split(`Need to get 22.8 MB of archives.
After this operation, 84.6 MB of additional disk space will be used.
'http://mirror.example/a.deb' a_1%7e1_amd64.deb 36084 MD5Sum:00
'http://mirror.example/b.deb' b.deb 134996 SHA256:00
'http://mirror.example/c.deb' c.deb -5 SHA256:00
'http://mirror.example/d.deb'`, "\n"))
	if down != 36084+134996 || disk != 84600000 {
		t.Errorf("download %d, disk %d", down, disk)
	}
	if _, disk = ParseSizes([]string{"After this operation, 1,024 B disk space will be freed."}); disk != -1024 {
		t.Errorf("freed: %d", disk)
	}
}

func TestProgress(t *testing.T) {
	read := NewProgress()
	var got []string
	for _, line := range strings.Split(`Waiting for cache lock: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 6518 (python3)...
0 upgraded, 2 newly installed, 0 to remove and 0 not upgraded.
Need to get 200 kB of archives.
Get:1 http://mirror.example/debian bookworm/main amd64 libpkgconf3 amd64 1.8.1-1 [50.0 kB]
Get:2 http://mirror.example/debian bookworm/main amd64 ninja-build amd64 1.11 [150 kB]
Fetched 200 kB in 0s (13.9 MB/s)
Preparing to unpack .../0-libpkgconf3.deb ...
Unpacking libpkgconf3:amd64 (1.8.1-1) ...
Unpacking ninja-build (1.11) ...
Setting up libpkgconf3:amd64 (1.8.1-1) ...
Setting up ninja-build (1.11) ...
Setting up one more than announced (1) ...
Processing triggers for libc-bin (2.36) ...`, "\n") {
		if p, ok := read(line); ok {
			got = append(got, strings.TrimSpace(strings.Join([]string{string(p.Phase), percent(p.Percent), p.Message}, " ")))
		}
	}
	want := []string{
		"waiting -1 waiting for another package manager: process 6518 (python3)",
		"download 0 Need to get 200 kB of archives.",
		"download 0 bookworm/main amd64 libpkgconf3 amd64 1.8.1-1",
		"download 25 bookworm/main amd64 ninja-build amd64 1.11",
		"download 100 Fetched 200 kB in 0s (13.9 MB/s)",
		"install 0 Unpacking libpkgconf3:amd64", "install 25 Unpacking ninja-build",
		"install 50 Setting up libpkgconf3:amd64", "install 75 Setting up ninja-build", "install 99 Setting up one",
		"install 99 Processing triggers for libc-bin (2.36) ...",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestBusy(t *testing.T) {
	stat := `run "/usr/bin/stat" "-c" "%d %i" "--" "/var/lib/dpkg/lock-frontend" "/var/lib/dpkg/lock" "/var/lib/apt/lists/lock" "/var/cache/apt/archives/lock" --
65024 131334
65024 131335
65024 131336
65024 131337
`
	path := "-- env --\nPATH=/usr/bin\n"
	for _, c := range []struct{ name, locks, comm, want string }{
		{"apt-get holds it", "1: FLOCK  ADVISORY  WRITE 9 fe:00:131334 0 EOF\n2: POSIX  ADVISORY  WRITE 12 fe:00:131334 0 EOF\n", "apt-get", "process 12 (apt-get)"},
		{"dpkg alone", "1: POSIX  ADVISORY  WRITE 12 00:2f:131335 0 EOF\n", "dpkg", "process 12 (dpkg)"},
		{"unattended upgrades, on btrfs", "1: POSIX  ADVISORY  WRITE 12 00:2f:131334 0 EOF\n", "unattended-upgr", "process 12 (unattended-upgr)"},
		{"lists are being fetched", "1: POSIX  ADVISORY  WRITE 12 fe:00:131336 0 EOF\n", "apt-get", "process 12 (apt-get)"},
		{"archives are being fetched", "1: POSIX  ADVISORY  WRITE 12 fe:00:131337 0 EOF\n", "apt-get", "process 12 (apt-get)"},
		{"any program with the very file", "1: POSIX  ADVISORY  WRITE 12 fe:00:131334 0 EOF\n", "perl", "process 12 (perl)"},
		{"somebody else's file of that number", "1: POSIX  ADVISORY  WRITE 12 08:01:131334 0 EOF\n", "postgres", ""},
		{"another file", "1: POSIX  ADVISORY  WRITE 12 fe:00:1313340 0 EOF\n", "apt-get", ""},
		{"a process outside this container", "1: POSIX  ADVISORY  WRITE -1 fe:00:131334 0 EOF\n", "apt-get", ""},
		{"a reader, and one who waits", "1: POSIX  ADVISORY  READ 12 fe:00:131334 0 EOF\n1: -> POSIX  ADVISORY  WRITE 12 fe:00:131334 0 EOF\n", "apt-get", ""},
		{"nothing", "", "apt-get", ""},
	} {
		h := hosttest.Parse(t, path+"-- "+stat+"-- file /proc/locks --\n"+c.locks+"-- file /proc/12/comm --\n"+c.comm+"\n")
		if got := busy(t.Context(), h); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := busy(t.Context(), hosttest.Empty("linux", "amd64")); got != "" {
		t.Errorf("where nothing can be read: %q", got)
	}
}

func percent(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		kind  step.Kind
		cause string // part of it
		lines string
	}{
		{step.Locked, "process 6518 (python3)", "Waiting for cache lock: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 6518 (python3)...\nE: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?"},
		{step.Locked, "process 6894 (apt-get)", "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 6894 (apt-get)\nE: Unable to lock directory /var/lib/apt/lists/"},
		{step.Locked, "process 77", "dpkg: error: dpkg frontend lock was locked by another process with pid 77"},
		{step.NoNetwork, "could not be reached", "E: Failed to fetch http://mirror.example/x.deb  Temporary failure resolving 'mirror.example'\nE: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?"},
		{step.NoNetwork, "could not be reached", "W: Failed to fetch http://mirror.example/InRelease  Could not connect to mirror.example:80 (192.0.2.1), connection timed out"},
		{step.NotFound, "nosuchpkg, other", "E: Unable to locate package nosuchpkg\nE: Package 'other' has no installation candidate"},
		{step.DiskFull, "full", "E: You don't have enough free space in /var/cache/apt/archives/."},
		{step.DiskFull, "full", "pmerror:nmap:40.5:failed to write\n failed to write (No space left on device)\nE: Sub-process /usr/bin/dpkg returned an error code (1)"},
		{step.NoPrivilege, "root", "E: Could not open lock file /var/lib/dpkg/lock-frontend - open (13: Permission denied)\nE: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you root?"},
		{step.NoPrivilege, "root", "dpkg: error: requested operation requires superuser privilege"},
		{step.Interrupted, "interrupted", "E: dpkg was interrupted, you must manually run 'dpkg --configure -a' to correct the problem."},
		{step.NoNetwork, "login", "Err:1 http://mirror.example/debian bookworm InRelease\n  Clearsigned file isn't valid, got 'NOSPLIT' (does the network require authentication?)\nE: Failed to fetch http://mirror.example/debian/dists/bookworm/InRelease  Clearsigned file isn't valid, got 'NOSPLIT' (does the network require authentication?)\nE: The repository 'http://mirror.example/debian bookworm InRelease' is not signed."},
		{step.HashMismatch, "hash", "E: Failed to fetch http://mirror.example/rsync.deb  Hash Sum mismatch\nE: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?"},
		{step.Conflict, "unmet", "The following packages have unmet dependencies:\n rsync : Depends: libpopt0 (>= 1.14) but it is not going to be installed\nE: Unable to correct problems, you have held broken packages."},
		{step.Conflict, "unmet", "E: Packages need to be removed but remove is disabled."},
		{step.Untrusted, "trusted", "W: GPG error: http://mirror.example sid InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 0E98404D386FA1D9"},
		{step.Untrusted, "clock", "E: Release file for http://mirror.example/debian/dists/bookworm/InRelease is not valid yet (invalid for another 2d 3h 4min 5s). Updates for this repository will not be applied."},
		{step.Untrusted, "clock", "E: Release file for http://mirror.example/debian/dists/bookworm/InRelease is expired (invalid since 4d 23h 6min 5s). Updates for this repository will not be applied."},
		{step.ReadOnly, "read-only", "W: Not using locking for read only lock file /var/lib/dpkg/lock-frontend\nE: Unable to write to /var/cache/apt/ - open (30: Read-only file system)"},
		{step.Other, "exit status 100", "Setting up foo (1) ...\nsomething nobody expected"},
	} {
		f := Explain(100, strings.Split(c.lines, "\n"))
		if f.Kind != c.kind || !strings.Contains(f.Cause, c.cause) || f.Next == "" || len(f.Detail) == 0 {
			t.Errorf("%s:\n got %s: %q, next %q, detail %q\nfrom %s", c.kind, f.Kind, f.Cause, f.Next, f.Detail, c.lines)
		}
		if strings.Contains(f.Error(), "\n") {
			t.Errorf("%s: not one sentence: %q", c.kind, f.Error())
		}
	}
}

func FuzzOutput(f *testing.F) {
	f.Add("Get:1 http://m.example/d b/main amd64 x amd64 1 [36.1 kB]\nUnpacking x (1) ...\nE: Unable to locate package \x1b[31mx")
	f.Add("ii \tcmake\t3\nInst a [1] (2 D [all])\nAfter this operation, 9.9.9 TB of additional disk space will be used.")
	f.Add("Waiting for cache lock: held by process 99999999999 (x)\nNeed to get 0 B\n'uri' f 99999999999999999999 h")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		read := NewProgress()
		for _, l := range lines {
			if p, ok := read(l); ok && (!(p.Percent >= -1 && p.Percent <= 100) || strings.ContainsAny(p.Message, "\x1b\n\r\x07")) {
				t.Errorf("progress %+v from %q", p, l)
			}
		}
		fail := Explain(100, lines)
		if fail.Cause == "" || fail.Next == "" || strings.ContainsAny(fail.Error()+strings.Join(fail.Detail, ""), "\x1b\n\r") {
			t.Errorf("failure %+v", fail)
		}
		if down, _ := ParseSizes(lines); down < 0 {
			t.Errorf("download %d", down)
		}
		ParseSimulation(lines)
		ParseChanges(lines) //nolint:errcheck // any answer will do but a panic
		ParseInstalled(text, "amd64")
	})
}
