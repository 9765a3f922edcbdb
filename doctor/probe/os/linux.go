package osprobe

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/probe/internal/cgroup"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

func (p *prober) linux() {
	p.distribution()
	if text, ok := p.text("/proc/sys/kernel/osrelease"); ok {
		p.os.Kernel = look.Clean(text)
		p.evidence("file", "/proc/sys/kernel/osrelease", p.os.Kernel)
	} else if text, ok := p.optional("/proc/version"); ok {
		if words := strings.Fields(text); len(words) >= 3 {
			p.os.Kernel = look.Clean(words[2])
			p.evidence("file", "/proc/version", p.os.Kernel)
		}
	}
	p.libc()
	p.container()
	p.board()
	p.user()
}

func (p *prober) distribution() {
	for _, name := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		text, ok := p.text(name)
		if !ok {
			continue
		}
		r := parseRelease(text)
		if r["ID"] == "" && r["NAME"] == "" {
			continue // empty or garbage: the next one may know
		}
		p.os.ID = strings.ToLower(r["ID"])
		if p.os.ID == "" {
			p.os.ID = "linux" // what os-release(5) says a missing ID means
		}
		p.os.Like = strings.Fields(strings.ToLower(r["ID_LIKE"]))
		p.os.Name = r["PRETTY_NAME"]
		p.os.Name = cmp.Or(p.os.Name, strings.TrimSpace(r["NAME"]+" "+r["VERSION"]))
		p.os.Version, p.os.Codename = r["VERSION_ID"], r["VERSION_CODENAME"]
		p.os.Codename = cmp.Or(p.os.Codename, r["UBUNTU_CODENAME"])
		p.os.Base = base(p.os, r)
		p.set("variant", r["VARIANT_ID"])
		p.set("build_id", r["BUILD_ID"])
		p.evidence("file", name, p.os.Name)
		break
	}
	if p.os.ID == "" {
		p.oldRelease()
	}
	if p.os.ID == "debian" {
		p.debianDetails()
	}
}

// base is the release that a distribution made from Debian or Ubuntu says it is of
// (os-release(5), UBUNTU_CODENAME and DEBIAN_CODENAME; Raspbian has Debian's numbers).
func base(o facts.OS, release map[string]string) string {
	ubuntu := map[string]string{"xenial": "16.04", "bionic": "18.04", "focal": "20.04", "jammy": "22.04", "noble": "24.04"}
	debian := map[string]string{"buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13"}
	switch {
	case o.ID == "ubuntu" || o.ID == "debian":
		return ""
	case ubuntu[release["UBUNTU_CODENAME"]] != "":
		return "ubuntu " + ubuntu[release["UBUNTU_CODENAME"]]
	case slices.Contains(o.Like, "ubuntu") && ubuntu[o.Codename] != "":
		return "ubuntu " + ubuntu[o.Codename]
	case debian[release["DEBIAN_CODENAME"]] != "":
		return "debian " + debian[release["DEBIAN_CODENAME"]]
	case slices.Contains(o.Like, "debian") && debian[o.Codename] != "":
		return "debian " + debian[o.Codename]
	}
	return ""
}

var (
	redhatLine = lazyregexp.New(`(?i)^(.*?)\s+(?:linux\s+)?(?:server\s+|workstation\s+|stream\s+)*release\s+([0-9.]+)(?:\s*\(([^)]*)\))?`)
	versionNum = lazyregexp.New(`[0-9]+(?:\.[0-9]+)*`)
)

// oldRelease reads what distributions wrote before os-release, or what is left
// of one in a stripped image.
func (p *prober) oldRelease() {
	found := func(file, text, id, version string, like ...string) {
		p.os.ID, p.os.Version, p.os.Like = id, version, like
		p.os.Name = look.Clean(text)
		p.evidence("file", file, p.os.Name)
	}
	for _, file := range []string{"/etc/redhat-release", "/etc/centos-release", "/etc/fedora-release"} {
		text, ok := p.text(file)
		if !ok {
			continue
		}
		m := redhatLine.FindStringSubmatch(strings.TrimSpace(text))
		if m == nil {
			continue
		}
		id, like := "rhel", "fedora"
		for _, d := range [][3]string{{"fedora", "fedora", ""}, {"centos", "centos", "rhel fedora"}, {"rocky", "rocky", "rhel centos fedora"}, {"alma", "almalinux", "rhel centos fedora"}} {
			if strings.HasPrefix(strings.ToLower(m[1]), d[0]) {
				id, like = d[1], d[2]
			}
		}
		found(file, text, id, m[2], strings.Fields(like)...)
		return
	}
	if text, ok := p.text("/etc/alpine-release"); ok && versionNum.MatchString(text) {
		found("/etc/alpine-release", "Alpine Linux v"+text, "alpine", look.Clean(text))
		return
	}
	if h := p.h; h.Exists(p.ctx, "/etc/arch-release") {
		found("/etc/arch-release", "Arch Linux", "arch", "")
		return
	}
	if text, ok := p.text("/etc/lsb-release"); ok {
		if r := parseRelease(text); r["DISTRIB_ID"] != "" {
			found("/etc/lsb-release", r["DISTRIB_DESCRIPTION"], strings.ToLower(r["DISTRIB_ID"]), r["DISTRIB_RELEASE"], "debian")
			p.os.Codename = r["DISTRIB_CODENAME"]
			return
		}
	}
	if text, ok := p.text("/etc/debian_version"); ok {
		text = look.Clean(text)
		version, _, _ := strings.Cut(versionNum.FindString(text), ".")
		found("/etc/debian_version", "Debian GNU/Linux "+text, "debian", version)
		if name, _, ok := strings.Cut(text, "/"); ok {
			p.os.Codename = name
		}
		return
	}
	if text, ok := p.text("/etc/SuSE-release"); ok && versionNum.MatchString(text) {
		found("/etc/SuSE-release", text, "opensuse", versionNum.FindString(text), "suse")
	}
}

// debianDetails adds the point release, and the number of a release that has
// only a name yet.
func (p *prober) debianDetails() {
	if text, ok := p.optional("/etc/debian_version"); ok {
		p.set("debian_version", text)
		if name, _, ok := strings.Cut(look.Clean(text), "/"); ok && p.os.Codename == "" {
			p.os.Codename = name
		}
	}
	p.os.Version = cmp.Or(p.os.Version, debianReleases[p.os.Codename])
}

var (
	uidLine = lazyregexp.New(`(?m)^Uid:\s+(\d+)\s+(\d+)`)
	l4tLine = lazyregexp.New(`R(\d+)\s*\(release\),\s*REVISION:\s*([0-9.]+)`)
)

// container tells what this process is enclosed in. The innermost wins;
// WSL below a container stays in Attrs.
func (p *prober) container() {
	set := func(kind, source, detail string) {
		if p.os.Container == "" {
			p.os.Container = kind
			p.evidence("file", source, detail)
		}
	}
	if p.h.Exists(p.ctx, "/.dockerenv") {
		set("docker", "/.dockerenv", "")
	}
	if p.h.Exists(p.ctx, "/run/.containerenv") {
		set("podman", "/run/.containerenv", "")
	}
	if p.h.Exists(p.ctx, "/.singularity.d") {
		set("apptainer", "/.singularity.d", "")
	}
	// systemd and its like leave the manager's name (container interface,
	// systemd.io/CONTAINER_INTERFACE).
	if text, ok := p.optional("/run/systemd/container"); ok && look.Clean(text) != "" {
		set(look.Clean(text), "/run/systemd/container", look.Clean(text))
	}
	if text, ok := p.optional("/proc/1/environ"); ok {
		for v := range strings.SplitSeq(text, "\x00") {
			if kind, ok := strings.CutPrefix(v, "container="); ok && look.Clean(kind) != "" {
				set(look.Clean(kind), "/proc/1/environ", look.Clean(v))
			}
		}
	}
	if kind := look.Clean(p.h.Env("container")); kind != "" && p.os.Container == "" {
		p.os.Container = kind
		p.evidence("env", "container", kind)
	}
	if text, ok := p.optional("/proc/self/cgroup"); ok {
		for _, m := range cgroup.Members(text) {
			for _, kind := range []string{"docker", "lxc", "libpod", "kubepods"} {
				if !strings.Contains(m.Path, "/"+kind) {
					continue
				}
				name := cmp.Or(map[string]string{"libpod": "podman", "kubepods": "kubernetes"}[kind], kind)
				set(name, "/proc/self/cgroup", m.Path)
			}
		}
	}
	if p.h.Env("KUBERNETES_SERVICE_HOST") != "" {
		p.set("kubernetes", "yes")
		if p.os.Container == "" {
			p.os.Container = "kubernetes"
			p.evidence("env", "KUBERNETES_SERVICE_HOST", "set")
		}
	}
	p.wsl()
	p.chroot()
	p.image()
}

// wsl: the kernel's name tells (WSL 1: 4.4.0-19041-Microsoft, WSL 2:
// 5.15.90.1-microsoft-standard-WSL2).
func (p *prober) wsl() {
	kernel := strings.ToLower(p.os.Kernel)
	if !strings.Contains(kernel, "microsoft") {
		return
	}
	generation := "2"
	if strings.HasPrefix(kernel, "4.4.") && !strings.Contains(kernel, "wsl2") {
		generation = "1"
	}
	p.set("wsl", generation)
	p.set("wsl_distribution", p.h.Env("WSL_DISTRO_NAME"))
	if p.os.Container == "" {
		p.os.Container = "wsl" + generation
		p.evidence("file", "/proc/sys/kernel/osrelease", p.os.Kernel)
	}
}

// image tells a system whose /usr is replaced as a whole. A container on it installs as
// ever. libostree leaves its file at boot; the other two mount /usr read-only.
func (p *prober) image() {
	const booted, update = "/run/ostree-booted", "/usr/sbin/transactional-update"
	if p.os.Container != "" {
		return
	}
	d, err := p.h.Disk(p.ctx, "/usr")
	switch readOnly := err == nil && d.ReadOnly; {
	case p.h.Exists(p.ctx, booted):
		p.os.Image = "ostree"
		p.evidence("file", booted, "")
	case readOnly && p.h.Exists(p.ctx, update):
		p.os.Image = "transactional"
		p.evidence("file", update, "")
	case readOnly && p.os.ID == "steamos":
		p.os.Image = "steamos"
	}
}

// chroot: a process whose root is a plain folder sees no mount at "/"; one
// whose root is a mount of its own sees another one there than process 1 does.
func (p *prober) chroot() {
	if p.os.Container != "" {
		return
	}
	own, ok := p.optional("/proc/self/mountinfo")
	if !ok {
		// A Linux that was booted has /proc; a root with only the folder for it
		// was entered by chroot.
		if list, err := p.h.ReadDir(p.ctx, "/proc"); err == nil && len(list) == 0 {
			p.os.Container = "chroot"
			p.evidence("file", "/proc", "nothing is mounted there")
		}
		return
	}
	root := func(text string) (string, bool) {
		where, found := "", false
		for _, m := range cgroup.Mounts(text) {
			if m.Point == "/" {
				where, found = m.Device+" "+m.Root, true // the last one covers the others
			}
		}
		return where, found
	}
	mine, found := root(own)
	if !found && strings.Contains(own, " - ") {
		p.os.Container = "chroot"
		p.evidence("file", "/proc/self/mountinfo", "no file system is mounted at /")
		return
	}
	if text, ok := p.optional("/proc/1/mountinfo"); ok && found {
		if first, ok := root(text); ok && first != mine {
			p.os.Container = "chroot"
			p.evidence("file", "/proc/1/mountinfo", "process 1 has another root: "+first+", here "+mine)
		}
	}
}

// board names the machine where a file does: Jetson, Raspberry Pi, a PC's maker.
func (p *prober) board() {
	if text, ok := p.optional("/etc/nv_tegra_release"); ok {
		if m := l4tLine.FindStringSubmatch(text); m != nil {
			p.set("l4t", m[1]+"."+m[2])
			p.os.Board = "jetson"
			p.evidence("file", "/etc/nv_tegra_release", look.Clean(strings.SplitN(text, "\n", 2)[0]))
		}
	}
	if text, ok := p.optional("/proc/device-tree/compatible"); ok && strings.Contains(text, "nvidia,tegra") {
		p.os.Board = "jetson"
	}
	if text, ok := p.optional("/proc/device-tree/model"); ok {
		p.set("machine", text)
		return
	}
	vendor, _ := p.optional("/sys/class/dmi/id/sys_vendor")
	product, _ := p.optional("/sys/class/dmi/id/product_name")
	p.set("machine", look.Clean(vendor)+" "+look.Clean(product))
}

// user: the effective user id, as /proc shows it or else as id(1) says.
func (p *prober) user() {
	uid, known := -1, false
	if text, ok := p.text("/proc/self/status"); ok {
		if m := uidLine.FindStringSubmatch(text); m != nil {
			if n, err := strconv.Atoi(m[2]); err == nil {
				uid, known = n, true
				p.evidence("file", "/proc/self/status", "effective user id "+m[2])
			}
		}
	}
	if !known {
		for _, id := range []string{"/usr/bin/id", "/bin/id"} {
			if !p.h.Exists(p.ctx, id) {
				continue
			}
			if out, ok := p.run(id, "-u"); ok {
				if n, err := strconv.Atoi(strings.TrimSpace(out)); err == nil {
					uid, known = n, true
					p.evidence("command", id+" -u", strings.TrimSpace(out))
				}
			}
			break
		}
	}
	p.os.User.Admin = known && uid == 0
	p.elevate("sudo", "doas", "pkexec")
}

// elevate lists which of the tools are installed, on PATH or where a service's
// short PATH does not look.
func (p *prober) elevate(names ...string) {
	for _, name := range names {
		if p.h.LookPath(p.ctx, name) != nil {
			p.os.User.Elevate = append(p.os.User.Elevate, name)
			continue
		}
		for _, dir := range []string{"/usr/bin", "/usr/local/bin", "/bin", "/usr/sbin", "/run/wrappers/bin"} {
			if info, err := p.h.Stat(p.ctx, p.h.Join(dir, name)); err == nil && info.Exec && !info.Dir {
				p.os.User.Elevate = append(p.os.User.Elevate, name)
				break
			}
		}
	}
}
