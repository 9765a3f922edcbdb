// Package environment reads what surrounds every program of the user: the state
// of NVIDIA's kernel module, the folders and variables that tools depend on, and
// the certificates. It owns facts.Environment.
//
// It reads files and variables. A program is started only where a variable of the
// user's has what that program alone can judge: go its settings, a compiler its flags.
// It must never ask the network or judge.
package environment

import (
	"context"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

// Topic is the fact topic of this probe.
const Topic = "environment"

// Provides are the fact topics of this probe.
func Provides() []string { return []string{Topic} }

// Probe reads the environment.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	p := &prober{ctx: ctx, h: h, settings: look.SettingsOfGo(h)}
	switch h.OS {
	case "linux":
		p.module()
		p.noExecMounts()
		p.preloads()
		p.otherLibc()
		p.wsl()
		// The source that JetPack's packages come from; an upgrade of Ubuntu switches it off.
		const sources = "/etc/apt/sources.list.d/nvidia-l4t-apt-source.list"
		if text := p.text(sources); strings.Contains(text, "deb ") && !strings.Contains("\n"+text, "\ndeb ") {
			p.e.NoSources = sources
		}
		p.interrupted()
		p.openGL()
	case "windows":
		p.windows()
	case "darwin":
		p.inserts()
		p.headers()
		p.dyld()
	}
	p.folders()
	p.goVariables()
	p.hidden()
	p.goToolchain()
	p.ofCards()
	p.goStarts()
	p.cgoFlags()
	p.openCL()
	p.preVega()
	p.rusticl()
	p.python()
	p.toolchain()
	p.generators()
	p.compilers()
	p.conda()
	p.customEnv()
	p.proxies()
	p.snaps()
	p.aptProxies()
	p.certificates()
	p.blocked()
	return facts.Facts{Environment: p.e}, nil
}

// openGL finds, on a Jetson, a libGL.so that leads to no file: OpenCV's modules for CUDA
// are linked with it, and packages move what it leads to.
func (p *prober) openGL() {
	const dir = "/usr/lib/aarch64-linux-gnu"
	if info, err := p.h.Stat(p.ctx, dir+"/libGL.so"); err == nil && !info.Dir || !p.h.Exists(p.ctx, "/etc/nv_tegra_release") {
		return
	}
	for _, file := range p.h.Glob(p.ctx, dir, "libGL.so") {
		p.e.NoOpenGL = file
	}
}

type prober struct {
	ctx context.Context
	h   *host.Host
	e   facts.Environment
	// settings are those of the go command.
	settings *look.GoSettings
}

// text reads a small file; "" where it cannot be read, and after the deadline: a
// folder may have thousands.
func (p *prober) text(name string) string {
	const enough = 64 << 10
	if p.ctx.Err() != nil {
		return ""
	}
	data, _, err := p.h.ReadFile(p.ctx, name, enough)
	if err != nil {
		return ""
	}
	return string(data)
}
