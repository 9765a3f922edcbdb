package project

import (
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
)

// unity finds, on Linux, a project of Unity whose plugin of OpenPose is for Windows alone:
// DllImport("openpose") loads libopenpose.so there (Unity Manual, "Native plug-ins").
func (p *prober) unity() {
	file := p.h.Join(p.h.Dir, "ProjectSettings", "ProjectVersion.txt")
	if p.h.OS != "linux" || !strings.Contains(p.text(file), "m_EditorVersion:") {
		return
	}
	const most = 64
	folders := []string{p.h.Join(p.h.Dir, "Assets")}
	for i := 0; i < len(folders) && i < most; i++ {
		list, err := p.h.ReadDir(p.ctx, folders[i])
		if err != nil {
			continue
		}
		plugin := ""
		for _, e := range list {
			switch {
			case e.Dir:
				folders = append(folders, p.h.Join(folders[i], e.Name))
			case strings.EqualFold(e.Name, "openpose.dll"):
				plugin = e.Name
			case strings.HasPrefix(e.Name, "libopenpose") && strings.Contains(e.Name, ".so"):
				p.p.Missing = slices.DeleteFunc(p.p.Missing, func(m facts.Missing) bool { return m.Kind == "plugin" })
				return
			}
		}
		if plugin != "" {
			p.p.Kinds = append(p.p.Kinds, "unity")
			p.p.Missing = append(p.p.Missing, facts.Missing{Kind: "plugin", Path: "libopenpose.so", File: p.h.Join(folders[i], plugin)})
		}
	}
}
