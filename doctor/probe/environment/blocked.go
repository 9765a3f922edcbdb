package environment

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

// downloadHosts are what the builds and scripts of the libraries here download from:
// OpenCV's 3rdparty files and releases, NVIDIA's and PyTorch's archives, OpenPose's
// models.
var downloadHosts = []string{
	"raw.githubusercontent.com", "github.com", "codeload.github.com", "objects.githubusercontent.com", "release-assets.githubusercontent.com",
	"developer.download.nvidia.com", "download.pytorch.org", "vcl.snu.ac.kr",
}

// blocked reads the hosts file, where a name may have the address of nothing.
func (p *prober) blocked() {
	file := "/etc/hosts"
	if p.h.Windows() {
		file = p.h.Join(look.SystemRoot(p.h), "System32", "drivers", "etc", "hosts")
	}
	n := 0
	for line := range strings.Lines(p.text(file)) {
		n++
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		address, err := netip.ParseAddr(fields[0])
		if err != nil || !address.IsLoopback() && !address.IsUnspecified() {
			continue
		}
		for _, name := range fields[1:] {
			if slices.Contains(downloadHosts, strings.ToLower(name)) {
				p.e.Blocked = append(p.e.Blocked, facts.BlockedHost{Host: strings.ToLower(name), Address: fields[0], File: file, Line: n})
			}
		}
	}
}
