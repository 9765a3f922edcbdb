package project

import (
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/internal/content"
)

// modelFolders are where projects keep their models.
var modelFolders = []string{"", "model", "models", "weights", "cfg", "models/pose/body_25", "models/pose/coco", "models/pose/mpi", "models/face", "models/hand"}

// models looks at the model files of the project: what a download left that is
// not a model.
func (p *prober) models() {
	const most = 64
	looked := 0
	for _, folder := range modelFolders {
		dir := p.h.Join(p.h.Dir, folder)
		if folder == "" {
			dir = p.h.Dir
		}
		entries, err := p.h.ReadDir(p.ctx, dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			ext := path.Ext(strings.ToLower(e.Name))
			cfg := ext == ".cfg" && (folder == "cfg" || strings.HasPrefix(strings.ToLower(e.Name), "yolo"))
			if e.Dir || looked == most || !cfg && !slices.Contains([]string{".weights", ".onnx", ".caffemodel", ".pt", ".pth"}, ext) {
				continue
			}
			looked++
			file := p.h.Join(dir, e.Name)
			data, _, err := p.h.ReadFile(p.ctx, file, 512)
			m := facts.Model{Path: file}
			if err != nil {
				continue
			}
			if m.Problem = content.Problem(data); len(data) == 0 {
				m.Problem = facts.EmptyFile
			}
			if m.Problem == "" {
				continue
			}
			p.p.Models = append(p.p.Models, m)
		}
	}
}
