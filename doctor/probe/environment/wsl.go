package environment

import (
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
)

// wsl reads what WSL passes on of the GPU of Windows, and the settings that keep it out:
// enabled=false under [gpu] in the distribution's own file, gpuSupport=false under [wsl2]
// in the one of the user on Windows (MicrosoftDocs/WSL pull request 2175; microsoft/WSL
// issue 8931).
func (p *prober) wsl() {
	if !strings.Contains(strings.ToLower(p.text("/proc/sys/kernel/osrelease")), "microsoft") {
		return
	}
	if _, err := p.h.Stat(p.ctx, "/dev/dxg"); host.IsNotExist(err) {
		p.e.NoDXG = true
	}
	if p.h.Exists(p.ctx, "/usr/lib/wsl/lib/libcuda.so.1") || p.h.Env("WSL_DISTRO_NAME") == "" {
		return // it is passed on, or this is a container
	}
	const own = "/etc/wsl.conf"
	if turnedOff(p.text(own), "gpu", "enabled") {
		p.e.NoWSLGPU = own
		return
	}
	for _, dir := range p.h.Glob(p.ctx, "/mnt/c/Users", "*") {
		if file := dir + "/.wslconfig"; turnedOff(p.text(file), "wsl2", "gpuSupport") {
			p.e.NoWSLGPU = file
			return
		}
	}
}

// turnedOff reports whether a key of a section of an INI file is false.
func turnedOff(text, section, key string) bool {
	in := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok {
			in, _, _ = strings.Cut(name, "]")
			continue
		}
		k, v, _ := strings.Cut(line, "=")
		if strings.EqualFold(in, section) && strings.EqualFold(strings.TrimSpace(k), key) && strings.EqualFold(strings.TrimSpace(v), "false") {
			return true
		}
	}
	return false
}
