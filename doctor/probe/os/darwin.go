package osprobe

import (
	"cmp"
	"strings"

	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

const systemVersion = "/System/Library/CoreServices/SystemVersion.plist"

func (p *prober) darwin() {
	if text, ok := p.text(systemVersion); ok {
		info, err := look.ParsePlist([]byte(text))
		if err != nil {
			p.fail(lang.Errorf("read %s: %w", systemVersion, err))
		}
		p.os.ID = "macos"
		p.os.Version, p.os.Build = look.Clean(string(info.ProductVersion)), look.Clean(string(info.ProductBuild))
		name := cmp.Or(look.Clean(string(info.ProductName)), "macOS")
		p.os.Name = strings.TrimSpace(name + " " + p.os.Version)
		p.os.Codename = macName(p.os.Version)
		p.evidence("file", systemVersion, p.os.Name+" ("+p.os.Build+")")
	}
	values, evidence, err := look.Sysctl(p.ctx, p.h, "kern.osrelease", "sysctl.proc_translated", "hw.optional.arm64", "hw.model", "kern.hv_vmm_present")
	p.fail(err)
	if err == nil {
		p.os.Evidence = append(p.os.Evidence, evidence)
	}
	p.os.Kernel = values["kern.osrelease"]
	p.set("machine", values["hw.model"])
	if values["hw.optional.arm64"] == "1" {
		p.os.Arch = "arm64"
	}
	if values["sysctl.proc_translated"] == "1" || p.os.Arch == "arm64" && p.h.Arch == "amd64" {
		p.set("rosetta", "yes")
	}
	if values["kern.hv_vmm_present"] == "1" {
		p.set("virtual", "yes")
	}
	p.os.Libc.Kind = "libSystem"
	p.darwinUser()
}

// macNames are the marketing names of releases (Apple, "Find out which macOS your
// Mac is using").
var macNames = map[string]string{
	"26": "Tahoe", "15": "Sequoia", "14": "Sonoma", "13": "Ventura", "12": "Monterey", "11": "Big Sur", "10.15": "Catalina", "10.14": "Mojave", "10.13": "High Sierra",
}

func macName(version string) string {
	major, rest, _ := strings.Cut(version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return cmp.Or(macNames[major], macNames[major+"."+minor])
}

func (p *prober) darwinUser() {
	if out, ok := p.run("/usr/bin/id", "-u"); ok {
		p.os.User.Admin = strings.TrimSpace(out) == "0"
		p.evidence("command", "/usr/bin/id -u", look.Clean(out))
	}
	p.elevate("sudo", "doas")
}
