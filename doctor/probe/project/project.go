// Package project reads what is to be built in the current folder: the build files
// there, the caches of earlier builds and the model files beside them. It owns
// facts.Project.
//
// It looks for a handful of names and reads the beginnings of those files. It must
// never start a process or judge, and it says nothing of a folder in which no known
// library is asked for.
package project

import (
	"context"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

// Topic is the fact topic of this probe.
const Topic = "project"

// Provides are the fact topics of this probe.
func Provides() []string { return []string{Topic} }

// Probe reads the project in the current folder.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	if !look.IsPath(h.Dir) {
		return facts.Facts{}, nil
	}
	p := &prober{ctx: ctx, h: h}
	p.goModule()
	p.cmakeLists()
	p.darknet()
	p.msbuild()
	if len(p.p.Kinds) == 0 {
		return facts.Facts{}, nil
	}
	p.models()
	p.downloads()
	p.sources()
	p.p.Folder = h.Dir
	return facts.Facts{Project: p.p}, nil
}

type prober struct {
	ctx context.Context
	h   *host.Host
	p   facts.Project
}

// text reads the beginning of a file; "" where it cannot be read. What cannot be
// read asks for nothing that is known.
func (p *prober) text(elem ...string) string {
	const enough = 256 << 10
	data, _, err := p.h.ReadFile(p.ctx, p.h.Join(elem...), enough)
	if err != nil {
		return ""
	}
	return string(data)
}

func (p *prober) demand(d facts.Demand) {
	const most = 64
	if d.Text = strings.TrimSpace(d.Text); len(p.p.Demands) < most {
		p.p.Demands = append(p.p.Demands, d)
	}
}
