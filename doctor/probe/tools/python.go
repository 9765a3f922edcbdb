package tools

import (
	"context"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

var (
	cfgVersion    = lazyregexp.New(`(?m)^version(?:_info)?\s*=\s*(\d+\.\d+\.\d+)`)
	folderDLL     = lazyregexp.New(`(?i)^python(\d)(\d+)(?:\.dll)?$`)
	folderVersion = lazyregexp.New(`^(?:[a-z]+-)?(\d+\.\d+\.\d+)(?:[a-z]+\d+)?$`)
)

// pythonVersion tells Python's version from what lies around it: a virtual
// environment's pyvenv.cfg, or the folder a version manager installed it in.
func pythonVersion(ctx context.Context, h *host.Host, c look.Copy, inst *facts.Instance) {
	program := c.Real
	root := h.DirOf(h.DirOf(program))
	if h.Windows() {
		root = h.DirOf(program)
	}
	for _, dir := range []string{h.DirOf(h.DirOf(c.Path)), root} {
		cfg := h.Join(dir, "pyvenv.cfg")
		const enough = 16 << 10
		data, _, err := h.ReadFile(ctx, cfg, enough)
		if err != nil {
			continue
		}
		inst.Attrs["venv"] = dir
		if m := cfgVersion.FindStringSubmatch(string(data)); m != nil {
			inst.Version = m[1]
			inst.Evidence = append(inst.Evidence, facts.Evidence{Kind: "file", Source: cfg, Detail: look.FirstLine(m[0])})
			return
		}
	}
	for _, manager := range []string{"/.pyenv/versions/", "/.asdf/installs/python/", "/mise/installs/python/", "/versions/"} {
		if !strings.Contains(program, manager) {
			continue
		}
		if m := folderVersion.FindStringSubmatch(h.Base(root)); m != nil {
			inst.Version = m[1]
			inst.Evidence = append(inst.Evidence, facts.Evidence{Kind: "file", Source: root})
			return
		}
	}
}

// pythonOfDLL tells the version of a Python of Windows that does not answer: the
// library beside python.exe is named after it (python311.dll), and so is the folder
// that python.org's installer makes (Python311).
func pythonOfDLL(ctx context.Context, h *host.Host, c look.Copy, inst *facts.Instance) bool {
	dir := h.DirOf(c.Real)
	for _, file := range append(h.Glob(ctx, dir, "python*.dll"), dir) {
		if m := folderDLL.FindStringSubmatch(h.Base(file)); m != nil {
			inst.Version = m[1] + "." + m[2]
			inst.Evidence = append(inst.Evidence, facts.Evidence{Kind: "file", Source: file})
			return true
		}
	}
	return false
}
