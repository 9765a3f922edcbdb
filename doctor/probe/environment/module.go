package environment

import (
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// Firmware variables begin with four bytes of attributes (kernel documentation,
// efivarfs); SecureBoot has one byte more.
const secureBoot = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"

// blacklists matches the lines of modprobe.d(5) that keep NVIDIA's module out.
var blacklists = lazyregexp.New(`(?m)^(?:blacklist nvidia|alias nvidia off|install nvidia /(?:usr/)?bin/(?:false|true))\s*$`)

// removesCards matches a rule of udev(7) that takes NVIDIA's display devices off the bus.
var removesCards = lazyregexp.New(`(?m)^[^#\n]*ATTR\{vendor\}=="0x10de"[^#\n]*ATTR\{class\}=="0x03[^#\n]*ATTR\{remove\}="1"`)

// fabric reads the state of Fabric Manager where the PCI bus has NVSwitches, bridges of
// the class "other" (PCI Code and ID Assignment Specification).
func (p *prober) fabric() {
	f := &p.e.Fabric
	for _, dir := range p.h.Glob(p.ctx, "/sys/bus/pci/devices", "*") {
		f.Switches = f.Switches || strings.HasPrefix(p.text(dir+"/class"), "0x0680") && strings.TrimSpace(p.text(dir+"/vendor")) == "0x10de"
	}
	if !f.Switches {
		return
	}
	f.Manager = p.h.Exists(p.ctx, "/usr/bin/nv-fabricmanager")
	_, err := p.h.Stat(p.ctx, "/run/nvidia-fabricmanager/nv-fabricmanager.pid")
	f.Stopped = host.IsNotExist(err)
	stanza, err := p.h.Search(p.ctx, look.DpkgStatus, "Package: nvidia-fabricmanager", host.MaxFile, 64)
	name, _, _ := strings.Cut(strings.TrimPrefix(string(stanza), "Package: "), "\n")
	if found, errDpkg := look.Dpkg(p.ctx, p.h, name); err == nil && errDpkg == nil {
		f.Version = look.Upstream(found[name])
	}
}

// keys are the public keys that modules are signed with when they are built:
// Ubuntu's, Debian's (dkms(8)) and Fedora's (akmods).
var keys = []string{"/var/lib/shim-signed/mok/MOK.der", "/var/lib/dkms/mok.pub", "/etc/pki/akmods/certs/public_key.der"}

// module reads the state of NVIDIA's kernel module. What is in /lib/modules says
// nothing in a container, whose kernel is the host's; the judge knows.
func (p *prober) module() {
	h, m := p.h, &p.e.Module
	m.Installer = h.Exists(p.ctx, "/usr/bin/nvidia-uninstall") || h.Exists(p.ctx, "/usr/bin/nvidia-installer")
	m.Loaded = h.Exists(p.ctx, "/proc/driver/nvidia/version") || h.Exists(p.ctx, "/sys/module/nvidia/version")
	if m.Loaded {
		// The open ones call themselves "Open Kernel Module" there.
		if text := p.text("/proc/driver/nvidia/version"); strings.Contains(text, "Kernel Module") {
			m.Kind = map[bool]string{true: "open", false: "proprietary"}[strings.Contains(text, "Open Kernel Module")]
		}
		p.fabric()
		return
	}
	for _, dir := range []string{"/etc/udev/rules.d", "/lib/udev/rules.d"} {
		for _, file := range h.Glob(p.ctx, dir, "*nvidia*.rules") {
			if text := p.text(file); removesCards.MatchString(text) {
				m.Removed, m.Envy = file, strings.Contains(text, "EnvyControl")
			}
		}
	}
	kernel := look.Clean(p.text("/proc/sys/kernel/osrelease"))
	if kernel == "" || strings.Contains(kernel, "/") {
		return
	}
	m.Built = p.builtFor(kernel)
	// Arch's packages of kernels have one version each, and put the file pkgbase there.
	m.KernelGone = !h.Exists(p.ctx, "/lib/modules/"+kernel) && slices.ContainsFunc(h.Glob(p.ctx, "/lib/modules", "*"), func(dir string) bool {
		return h.Exists(p.ctx, dir+"/pkgbase")
	})
	for _, dir := range h.Glob(p.ctx, "/usr/src", "nvidia-*") {
		if h.Exists(p.ctx, dir+"/dkms.conf") {
			_, m.Source, _ = strings.Cut(path.Base(dir), "nvidia-")
			m.Source = strings.TrimPrefix(m.Source, "current-") // Debian's name
		}
	}
	if !m.Built {
		p.unbuilt(kernel)
		for _, dir := range h.Glob(p.ctx, "/lib/modules", "*") {
			if other := path.Base(dir); other != kernel && len(m.Others) < 8 && p.builtFor(other) {
				m.Others = append(m.Others, other)
			}
		}
	}
	if !m.Built && m.Source == "" && len(m.Others) == 0 {
		return
	}
	for _, dir := range []string{"/etc/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"} {
		for _, file := range p.h.Glob(p.ctx, dir, "*.conf") {
			if text := "\n" + p.text(file); m.Blacklist == "" && blacklists.MatchString(text) {
				m.Blacklist, m.Prime = file, strings.Contains(text, "nvidia-prime")
			}
		}
	}
	if data, _, err := h.ReadFile(p.ctx, secureBoot, 8); err == nil && len(data) >= 5 {
		m.SecureBoot = map[bool]string{true: "on", false: "off"}[data[4] == 1]
	}
	for _, key := range keys {
		if h.Exists(p.ctx, key) {
			m.Key = key
			break
		}
	}
}

// unbuilt reads why the running kernel has no module: where DKMS failed to build it, and
// what else would bring it.
func (p *prober) unbuilt(kernel string) {
	h, m := p.h, &p.e.Module
	for _, pattern := range []string{"nvidia", "nvidia-*"} {
		for _, dir := range h.Glob(p.ctx, "/var/lib/dkms", pattern) {
			for _, build := range h.Glob(p.ctx, dir, "*") {
				log := build + "/build/make.log" // where DKMS leaves it after a failure
				if text := p.text(log); strings.Contains(text, " kernel "+kernel+" ") && strings.Contains(text, "Error ") {
					m.FailedLog = log
				}
			}
		}
	}
	// Ubuntu: /lib/modules/KERNEL/kernel/nvidia-535srv-open, of the package
	// linux-modules-nvidia-535-server-open-KERNEL.
	for _, dir := range h.Glob(p.ctx, "/lib/modules", "*") {
		for _, branch := range h.Glob(p.ctx, dir+"/kernel", "nvidia-*") {
			m.Packages = "linux-modules-" + strings.Replace(path.Base(branch), "srv", "-server", 1)
		}
	}
}

// builtFor reports whether a kernel's folder has NVIDIA's module: where DKMS,
// Ubuntu's signed packages, NVIDIA's own installer, RPM Fusion, Arch and Debian put it.
func (p *prober) builtFor(kernel string) bool {
	root := "/lib/modules/" + kernel
	for _, dir := range []string{"updates/dkms", "kernel/drivers/video", "extra", "extra/nvidia", "extra/drivers/video/nvidia", "extramodules", "kernel/nvidia-*"} {
		dirs := []string{root + "/" + dir}
		if parent, pattern := path.Split(dirs[0]); strings.Contains(pattern, "*") {
			dirs = p.h.Glob(p.ctx, strings.TrimSuffix(parent, "/"), pattern)
		}
		for _, d := range dirs {
			if len(p.h.Glob(p.ctx, d, "nvidia.ko*")) > 0 || len(p.h.Glob(p.ctx, d, "nvidia-current.ko*")) > 0 {
				return true
			}
		}
	}
	return false
}
