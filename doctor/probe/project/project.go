// Package project reads what is to be built in the current folder: the build files
// there, the caches of earlier builds and the model files beside them. It owns
// facts.Project.
//
// It looks for a handful of names and reads the beginnings of those files. It must
// never start a process or judge, and of a folder in which no known library is asked
// for it says only which Go its workspace asks for.
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
	p := &prober{ctx: ctx, h: h, dir: h.Dir}
	if !look.IsPath(h.Dir) {
		return p.elsewhere(), nil
	}
	p.goModule()
	p.cmakeLists()
	p.darknet()
	p.msbuild()
	p.unity()
	if len(p.p.Kinds) == 0 {
		return p.elsewhere(), nil
	}
	p.goWork()
	p.models()
	p.downloads()
	p.sources()
	p.p.Folder = p.dir
	return facts.Facts{Project: p.p}, nil
}

// elsewhere is what is said where the current folder is no project's: of the build of
// OpenCV that gocv's script makes in a folder of its own.
func (p *prober) elsewhere() facts.Facts {
	p.p = facts.Project{}
	if look.IsPath(p.h.Dir) {
		p.goWork()
	}
	if p.gocvBuild() {
		p.p.Folder = gocvFolder
	}
	p.demo()
	return facts.Facts{Project: p.p}
}

// demo finds OpenPose's demo in the current folder, and its models in the one above:
// the demo looks for them where it is started.
func (p *prober) demo() {
	if !p.h.Windows() || !strings.EqualFold(p.h.Base(p.h.Dir), "bin") || !p.h.Exists(p.ctx, p.h.Join(p.h.Dir, "OpenPoseDemo.exe")) {
		return
	}
	if up := p.h.DirOf(p.h.Dir); p.h.Exists(p.ctx, p.h.Join(up, "models")) && !p.h.Exists(p.ctx, p.h.Join(p.h.Dir, "models")) {
		p.p.Folder, p.p.RunFrom = p.h.Dir, up
	}
}

type prober struct {
	ctx context.Context
	h   *host.Host
	p   facts.Project
	dir string // the project's own folder, where the current one is that of its build
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
