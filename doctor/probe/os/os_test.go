package osprobe

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
)

var probed = probetest.Of(Probe)

func probeOS(t *testing.T, fixture string) facts.OS {
	t.Helper()
	return probed(t, hosttest.Parse(t, fixture)).OS
}

func TestParseRelease(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       map[string]string
	}{
		{"plain", "ID=debian\nVERSION_ID=12\n", map[string]string{"ID": "debian", "VERSION_ID": "12"}},
		{"double quotes with escapes", `NAME="a \"b\" \$c \\ \x"`, map[string]string{"NAME": `a "b" $c \ \x`}},
		{"single quotes take nothing away", `ID_LIKE='rhel \"fedora'`, map[string]string{"ID_LIKE": `rhel \"fedora`}},
		{"comments, blanks, CRLF, BOM", "\ufeff# note\r\n\r\nID=arch\r\n  VERSION_ID = 1\n", map[string]string{"ID": "arch"}},
		{"empty value and no value", "VERSION_ID=\"\"\nID\n=x\n", map[string]string{"VERSION_ID": ""}},
		{"the last one counts", "ID=a\nID=b\n", map[string]string{"ID": "b"}},
		{"one quote", `NAME="`, map[string]string{"NAME": `"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			probetest.Same(t, "", c.want, parseRelease(c.text))
		})
	}
}

func TestDistributionsWithoutOSRelease(t *testing.T) {
	for _, c := range []struct{ fixture, id, version, codename string }{
		{"-- file /etc/redhat-release --\nRed Hat Enterprise Linux Server release 6.10 (Santiago)\n", "rhel", "6.10", ""},
		{"-- file /etc/redhat-release --\nFedora release 20 (Heisenbug)\n", "fedora", "20", ""},
		{"-- file /etc/centos-release --\nCentOS Stream release 8\n", "centos", "8", ""},
		{"-- file /etc/redhat-release --\nRocky Linux release 9.4 (Blue Onyx)\n", "rocky", "9.4", ""},
		{"-- file /etc/redhat-release --\nAlmaLinux release 8.10 (Cerulean Leopard)\n", "almalinux", "8.10", ""},
		{"-- file /etc/alpine-release --\n3.12.0\n", "alpine", "3.12.0", ""},
		{"-- file /etc/arch-release --\n", "arch", "", ""},
		{"-- file /etc/debian_version --\n10.13\n", "debian", "10", ""},
		{"-- file /etc/debian_version --\ntrixie/sid\n", "debian", "13", "trixie"},
		{"-- file /etc/lsb-release --\nDISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=14.04\nDISTRIB_CODENAME=trusty\nDISTRIB_DESCRIPTION=\"Ubuntu 14.04\"\n-- file /etc/debian_version --\njessie/sid\n", "ubuntu", "14.04", "trusty"},
		{"-- file /etc/SuSE-release --\nSUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\n", "opensuse", "11", ""},
		{"-- file /etc/os-release --\nPRETTY_NAME=\"Debian GNU/Linux forky/sid\"\nID=debian\nVERSION_CODENAME=forky\n-- file /etc/debian_version --\nforky/sid\n", "debian", "14", "forky"},
		{"-- file /etc/os-release --\ngarbage\n-- file /usr/lib/os-release --\nID=void\n", "void", "", ""},
		{"-- file /etc/os-release --\nNAME=Homemade\n", "linux", "", ""},
		{"", "", "", ""},
	} {
		os := probeOS(t, c.fixture)
		if os.ID != c.id || os.Version != c.version || os.Codename != c.codename {
			t.Errorf("%q: got %q %q %q, want %q %q %q", c.fixture, os.ID, os.Version, os.Codename, c.id, c.version, c.codename)
		}
	}
}

func TestUnreadableReleaseIsAnError(t *testing.T) {
	_, err := Probe(t.Context(), hosttest.Parse(t, "-- deny /etc/os-release --\n"))
	if err == nil || !strings.Contains(err.Error(), "/etc/os-release") {
		t.Errorf("err = %v, want one that names the file", err)
	}
}

func TestContainers(t *testing.T) {
	const normal = "-- file /proc/self/mountinfo --\n22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
	for _, c := range []struct{ name, fixture, want string }{
		{"none", normal + "-- file /proc/1/mountinfo --\n22 1 8:1 / / rw - ext4 /dev/sda1 rw\n", ""},
		{"docker", "-- file /.dockerenv --\n", "docker"},
		{"podman", "-- file /run/.containerenv --\n", "podman"},
		{"nspawn", "-- file /run/systemd/container --\nsystemd-nspawn\n", "systemd-nspawn"},
		{"lxc by process 1", "-- file /proc/1/environ --\nTERM=linux\x00container=lxc\x00\n", "lxc"},
		{"by its own environment", "-- env --\ncontainer=flatpak\n", "flatpak"},
		{"docker by control group", "-- file /proc/self/cgroup --\n4:memory:/docker/0123\n", "docker"},
		{"podman by control group", "-- file /proc/self/cgroup --\n0::/machine.slice/libpod-0123.scope\n", "podman"},
		{"kubernetes by control group", "-- file /proc/self/cgroup --\n4:memory:/kubepods/burstable/pod1/2\n", "kubernetes"},
		{"kubernetes by variable.Get()", "-- env --\nKUBERNETES_SERVICE_HOST=10.0.0.1\n", "kubernetes"},
		{"wsl 1", "-- file /proc/sys/kernel/osrelease --\n4.4.0-19041-Microsoft\n", "wsl1"},
		{"wsl 2", "-- file /proc/sys/kernel/osrelease --\n5.15.90.1-microsoft-standard-WSL2\n", "wsl2"},
		{"docker in wsl 2", "-- file /.dockerenv --\n-- file /proc/sys/kernel/osrelease --\n5.15.90.1-microsoft-standard-WSL2\n", "docker"},
		{"chroot in a folder", "-- file /proc/self/mountinfo --\n40 30 0:5 / /proc rw - proc proc rw\n", "chroot"},
		{"chroot in a mount", normal + "-- file /proc/1/mountinfo --\n20 1 8:9 / / rw - ext4 /dev/sda9 rw\n", "chroot"},
		{"chroot without /proc", "-- dir /proc --\n", "chroot"},
		{"process 1 hidden", normal + "-- deny /proc/1/mountinfo --\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := probeOS(t, c.fixture).Container; got != c.want {
				t.Errorf("container %q, want %q", got, c.want)
			}
		})
	}
	if wsl := probeOS(t, "-- file /.dockerenv --\n-- file /proc/sys/kernel/osrelease --\n5.15.90.1-microsoft-standard-WSL2\n").Attrs["wsl"]; wsl != "2" {
		t.Errorf("docker in WSL: wsl %q", wsl)
	}
}

// TestImage: systems whose /usr is replaced as a whole, and neighbors that are not.
func TestImage(t *testing.T) {
	const update = "-- exec /usr/sbin/transactional-update --\n"
	disk := func(kind string) string { return "-- disk / --\n500000000000 200000000000 btrfs" + kind + "\n" }
	id := func(name string) string { return "-- file /etc/os-release --\nID=" + name + "\n" }
	for _, c := range []struct{ name, host, want string }{
		{"Silverblue", id("fedora") + disk("") + "-- file /run/ostree-booted --\n", "ostree"},
		{"a toolbox on it", id("fedora") + disk("") + "-- file /run/ostree-booted --\n-- file /run/.containerenv --\n", ""},
		{"MicroOS", id("opensuse-microos") + disk(" ro") + update, "transactional"},
		{"Tumbleweed with the tool", id("opensuse-tumbleweed") + disk("") + update, ""},
		{"a Steam Deck", id("steamos") + disk(" ro"), "steamos"},
		{"a Steam Deck that was opened", id("steamos") + disk(""), ""},
		{"a file system that is read-only after an error", id("debian") + disk(" ro"), ""},
	} {
		f, err := Probe(t.Context(), hosttest.Parse(t, c.host))
		if err != nil || f.OS.Image != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, f.OS.Image, err, c.want)
		}
	}
}

func TestLibc(t *testing.T) {
	const versions = "GLIBCXX_3.4\x00GLIBCXX_3.4.1\x00GLIBCXX_3.4.9\x00GLIBCXX_3.4.30\x00GLIBCXX_3.4.10\x00CXXABI_1.3\x00CXXABI_1.3.13\x00CXXABI_TM_1\x00GLIBC_2.38\x00"
	for _, c := range []struct {
		name, fixture string
		want          facts.Libc
	}{
		{"glibc by its loader", "-- file /lib64/ld-linux-x86-64.so.2 --\nld.so (Debian GLIBC 2.41-12) stable release version 2.41.\n", facts.Libc{Kind: "glibc", Version: "2.41"}},
		{"glibc by libc.so.6", "-- file /lib64/ld-linux-x86-64.so.2 --\nold\n-- file /usr/lib64/libc.so.6 --\nGNU C Library (GNU libc) stable release version 2.28.\n", facts.Libc{Kind: "glibc", Version: "2.28"}},
		{"glibc of CentOS 6 by its file's name", "-- file /lib64/libc-2.12.so --\nx\n-- link /lib64/libc.so.6 --\n/lib64/libc-2.12.so\n", facts.Libc{Kind: "glibc", Version: "2.12"}},
		{"a development version", "-- file /lib64/ld-linux-x86-64.so.2 --\ndevelopment release version 2.42.9000.\n", facts.Libc{Kind: "glibc", Version: "2.42.9000"}},
		{"musl beside glibc on Debian", "-- file /lib64/ld-linux-x86-64.so.2 --\nstable release version 2.36.\n-- file /lib/ld-musl-x86_64.so.1 --\n\x001.2.3\x00\n", facts.Libc{Kind: "glibc", Version: "2.36"}},
		{"glibc beside musl on Alpine", "-- file /etc/alpine-release --\n3.20.0\n-- file /lib64/ld-linux-x86-64.so.2 --\nstable release version 2.35.\n-- file /lib/ld-musl-x86_64.so.1 --\n\x001.2.5\x00\n", facts.Libc{Kind: "musl", Version: "1.2.5"}},
		{"musl from git", "-- file /lib/ld-musl-x86_64.so.1 --\nabc\x001.1.24-git-37\x00\n", facts.Libc{Kind: "musl", Version: "1.1.24"}},
		{"libstdc++ by its version names", "-- file /usr/lib64/libstdc++.so.6 --\n\x00" + versions + "\n", facts.Libc{GLIBCXX: "3.4.30", CXXABI: "1.3.13"}},
		{"libstdc++ by its file's name", "-- file /usr/lib64/libstdc++.so.6.0.19 --\nstripped\n-- link /usr/lib64/libstdc++.so.6 --\n/usr/lib64/libstdc++.so.6.0.19\n", facts.Libc{GLIBCXX: "3.4.19"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			probetest.Same(t, "", c.want, probeOS(t, c.fixture).Libc)
		})
	}
}

// TestLibraryOfThisMachine checks the short way to libstdc++'s versions against
// the file's whole list of texts.
func TestLibraryOfThisMachine(t *testing.T) {
	h := host.Live()
	if h.OS != "linux" {
		t.Skip("skipped: looks for libstdc++.so.6 as Linux has it")
	}
	f := probed(t, h)
	for _, e := range f.OS.Evidence {
		if !strings.HasSuffix(e.Source, "libstdc++.so.6") {
			continue
		}
		data, err := h.Text(t.Context(), e.Source)
		if err != nil {
			t.Fatal(err)
		}
		names := strings.FieldsFunc(data, func(r rune) bool { return r == 0 })
		if all := newest(names, "GLIBCXX_"); all != f.OS.Libc.GLIBCXX {
			t.Errorf("GLIBCXX %s, the file names %s", f.OS.Libc.GLIBCXX, all)
		}
		if all := newest(names, "CXXABI_"); all != f.OS.Libc.CXXABI {
			t.Errorf("CXXABI %s, the file names %s", f.OS.Libc.CXXABI, all)
		}
		return
	}
	t.Skip("skipped: this machine has no libstdc++")
}

func TestWindowsEditions(t *testing.T) {
	for edition, want := range map[string]string{
		"Professional": "", "ProfessionalN": "N", "Education": "", "EducationN": "N", "CoreN": "N", "HomePremiumKN": "KN",
		"EnterpriseSN": "N", "ServerStandard": "", "": "",
	} {
		if got := mediaVariant(edition); got != want {
			t.Errorf("%s: %q, want %q", edition, got, want)
		}
	}
}

func TestWindowsVersions(t *testing.T) {
	for _, c := range []struct{ values, name, version, build, release string }{
		{"ProductName=Windows 7 Professional\nCurrentVersion=6.1\nCurrentBuild=7601\nCurrentBuildNumber=7601\nInstallationType=Client\n", "Windows 7 Professional", "6.1.7601", "7601", "7"},
		{"ProductName=Windows 8.1 Pro\nCurrentVersion=6.3\nCurrentBuildNumber=9600\nUBR=dword:19724\nInstallationType=Client\n", "Windows 8.1 Pro", "6.3.9600", "9600.19724", "8.1"},
		{"ProductName=Windows 10 Enterprise\nCurrentVersion=6.3\nCurrentMajorVersionNumber=dword:10\nCurrentMinorVersionNumber=dword:0\nCurrentBuildNumber=22000\nUBR=dword:1\nInstallationType=Client\n", "Windows 11 Enterprise", "10.0.22000", "22000.1", "11"},
		{"ProductName=Windows Server 2025 Standard\nCurrentMajorVersionNumber=dword:10\nCurrentMinorVersionNumber=dword:0\nCurrentBuildNumber=26100\nInstallationType=Server\n", "Windows Server 2025 Standard", "10.0.26100", "26100", "2025"},
		{"productname=Windows 10 Pro\ncurrentbuild=19045\n", "Windows 10 Pro", "19045", "19045", "10"},
	} {
		os := probeOS(t, "-- platform --\nwindows/amd64\n-- reg 64 HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion --\n"+c.values)
		if os.Name != c.name || os.Version != c.version || os.Build != c.build || os.Attrs["release"] != c.release {
			t.Errorf("got %q %q %q %q, want %q %q %q %q", os.Name, os.Version, os.Build, os.Attrs["release"], c.name, c.version, c.build, c.release)
		}
	}
}

func TestWine(t *testing.T) {
	os := probeOS(t, "-- platform --\nwindows/amd64\n-- file C:\\windows\\system32\\winecfg.exe --\n")
	if os.Container != "wine" || !os.User.Admin {
		t.Errorf("container %q, admin %v", os.Container, os.User.Admin)
	}
}

func FuzzParseRelease(f *testing.F) {
	f.Add("ID=debian\nVERSION_ID=\"12\"\nNAME='a b'\n")
	f.Add("A=\"\\\"\\\\\\$\nB=\"\n=\n#\n\ufeffC=1")
	f.Fuzz(func(t *testing.T, text string) {
		for k, v := range parseRelease(text) {
			if k == "" || !utf8.ValidString(v) || strings.ContainsAny(v, "\n\x00\x1b") {
				t.Errorf("%q = %q", k, v)
			}
		}
	})
}
