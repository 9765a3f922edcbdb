package project

import (
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/internal/content"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

// modelFolders are where projects keep their models.
var modelFolders = []string{"", "model", "models", "weights", "cfg", "models/pose/body_25", "models/pose/coco", "models/pose/mpi", "models/face", "models/hand"}

// models looks at the model files of the project: what a download left that is
// not a model.
func (p *prober) models() {
	const most = 64
	looked := 0
	for _, folder := range modelFolders {
		dir := p.h.Join(p.dir, folder)
		if folder == "" {
			dir = p.dir
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

// downloads looks at what OpenCV's build fetched, which it keeps in .cache or in
// OPENCV_DOWNLOAD_PATH (OpenCV, cmake/OpenCVDownload.cmake): a file that stays there
// empty, or as the page of an error, is refused in each run. And at the logs of the current
// folder and the usual one.
func (p *prober) downloads() {
	const most = 128
	if !slices.Contains(p.p.Kinds, "opencv") {
		return
	}
	p.failedDownloads(p.h.Dir)
	p.failedDownloads(p.h.Join(p.dir, "build"))
	dir := p.h.Join(p.dir, ".cache")
	if own := look.EnvPath(p.h, "OPENCV_DOWNLOAD_PATH"); own != "" {
		dir = own
	}
	var files []string
	for _, folder := range p.h.Glob(p.ctx, dir, "*") {
		files = append(files, p.h.Glob(p.ctx, folder, "*")...)
	}
	for _, file := range files[:min(len(files), most)] {
		data, _, err := p.h.ReadFile(p.ctx, file, 512)
		if err != nil {
			continue // a folder, or not ours to read
		}
		m := facts.Download{Path: file, Problem: content.Problem(data)}
		if len(data) == 0 {
			m.Problem = facts.EmptyFile
		}
		if m.Problem != "" {
			p.p.Downloads = append(p.p.Downloads, m)
		}
	}
}
