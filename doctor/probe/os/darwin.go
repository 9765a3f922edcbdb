package osprobe

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

const systemVersion = "/System/Library/CoreServices/SystemVersion.plist"

func (p *prober) darwin() {
	if text, ok := p.text(systemVersion); ok {
		values, err := plist(text)
		if err != nil {
			p.fail(fmt.Errorf("read %s: %w", systemVersion, err))
		}
		p.os.ID = "macos"
		p.os.Version, p.os.Build = look.Clean(values["ProductVersion"]), look.Clean(values["ProductBuildVersion"])
		name := look.Clean(values["ProductName"])
		if name == "" {
			name = "macOS"
		}
		p.os.Name = strings.TrimSpace(name + " " + p.os.Version)
		p.os.Codename = macName(p.os.Version)
		p.evidence("file", systemVersion, p.os.Name+" ("+p.os.Build+")")
	}
	values := p.sysctl("kern.osrelease", "sysctl.proc_translated", "hw.optional.arm64", "hw.model", "kern.hv_vmm_present")
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

// macName is the marketing name of a major release (Apple, "Find out which
// macOS your Mac is using").
func macName(version string) string {
	major, rest, _ := strings.Cut(version, ".")
	switch major {
	case "26":
		return "Tahoe"
	case "15":
		return "Sequoia"
	case "14":
		return "Sonoma"
	case "13":
		return "Ventura"
	case "12":
		return "Monterey"
	case "11":
		return "Big Sur"
	case "10":
		minor, _, _ := strings.Cut(rest, ".")
		switch minor {
		case "15":
			return "Catalina"
		case "14":
			return "Mojave"
		case "13":
			return "High Sierra"
		}
	}
	return ""
}

// sysctl asks for values by name; the command names each in its answer
// ("name: value"), so that one the kernel does not know is only left out.
func (p *prober) sysctl(names ...string) map[string]string {
	values := map[string]string{}
	out, ok := p.run(append([]string{"/usr/sbin/sysctl"}, names...)...)
	if !ok {
		return values
	}
	for line := range strings.Lines(out) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			values[strings.TrimSpace(name)] = look.Clean(value)
		}
	}
	p.evidence("command", "/usr/sbin/sysctl "+strings.Join(names, " "), "")
	return values
}

func (p *prober) darwinUser() {
	if out, ok := p.run("/usr/bin/id", "-u"); ok {
		p.os.User.Admin = strings.TrimSpace(out) == "0"
		p.evidence("command", "/usr/bin/id -u", look.Clean(out))
	}
	p.elevate("sudo", "doas")
}

// plist reads the texts of a property list's outermost dictionary (XML form,
// Apple's PropertyList-1.0 DTD).
func plist(text string) (map[string]string, error) {
	values := map[string]string{}
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict = false
	key, element := "", ""
	depth := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return values, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			element = t.Name.Local
			if element == "dict" || element == "array" {
				depth++
			}
		case xml.EndElement:
			if t.Name.Local == "dict" || t.Name.Local == "array" {
				depth--
			}
			element = ""
		case xml.CharData:
			switch {
			case depth != 1:
			case element == "key":
				key = strings.TrimSpace(string(t))
			case element == "string":
				values[key] = strings.TrimSpace(string(t))
			}
		}
	}
}
