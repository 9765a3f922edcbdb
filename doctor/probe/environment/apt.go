package environment

import (
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// interrupted looks for the files that dpkg leaves when it is ended at work: apt refuses
// everything while there are any whose names are all digits (apt,
// apt-pkg/deb/debsystem.cc, CheckUpdates).
func (p *prober) interrupted() {
	for _, file := range p.h.Glob(p.ctx, "/var/lib/dpkg/updates", "*") {
		if strings.Trim(path.Base(file), "0123456789") == "" {
			p.e.Interrupted = true
		}
	}
}

var aptProxy = lazyregexp.New(`(?i)(?:^|[\s:{;])Proxy\s+"([^"]*)"`)

// aptProxies lists the proxies that apt refuses. It takes no scheme for granted,
// and has none but http, https and socks5h (apt, methods/http.cc, "Unsupported
// proxy configured"; apt-transport-http(1)).
func (p *prober) aptProxies() {
	if p.h.OS != "linux" || !p.h.Exists(p.ctx, "/etc/apt") {
		return
	}
	for _, name := range []string{"http_proxy", "https_proxy"} {
		p.aptProxy(name, p.h.Env(name))
	}
	const most = 64 // files
	files := append([]string{"/etc/apt/apt.conf"}, p.h.Glob(p.ctx, "/etc/apt/apt.conf.d", "*")...)
	for _, file := range files[:min(len(files), most)] {
		if p.ctx.Err() != nil {
			return
		}
		// apt reads files without an extension and those of .conf (apt.conf(5)).
		if ext := path.Ext(file); ext != "" && ext != ".conf" {
			continue
		}
		for line := range strings.SplitSeq(p.text(file), "\n") {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "//") || strings.HasPrefix(line, "#") {
				continue
			}
			for _, m := range aptProxy.FindAllStringSubmatch(line, -1) {
				p.aptProxy(file, m[1])
			}
		}
	}
}

func (p *prober) aptProxy(name, value string) {
	scheme, _, full := strings.Cut(value, "://")
	switch {
	case value == "" || strings.EqualFold(value, "direct") || strings.EqualFold(value, "false"):
	case strings.ContainsAny(value, " \"'"): // malformed for everybody
	case !full:
		p.note(name, withoutUser(value), facts.NotForApt, "http://"+withoutUser(value))
	case !slices.Contains([]string{"http", "https", "socks5h"}, strings.ToLower(scheme)):
		p.note(name, withoutUser(value), facts.NotForApt, "")
	}
}
