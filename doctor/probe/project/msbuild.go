package project

import (
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

var (
	// inSolution is the path of a C++ project in a solution of Visual Studio.
	inSolution = lazyregexp.New(`(?m)^Project\("[^"]*"\) = "[^"]*", "([^"]+\.vcxproj)"`)
	// codeOf is a line that says which GPUs to make code for: in a project with NVIDIA's
	// build customization (CodeGeneration), and in Caffe's solution (CudaArchitecture).
	codeOf = lazyregexp.New(`<(?:CodeGeneration|CudaArchitecture)>([^<]+)</`)
)

// msbuild reads for which GPUs the projects of Visual Studio here make code: those of the
// folder, those of a solution in it, and the common settings of Caffe's.
func (p *prober) msbuild() {
	if !p.h.Windows() {
		return
	}
	const most = 16
	files := p.h.Glob(p.ctx, p.h.Dir, "*.vcxproj")
	for _, solution := range p.h.Glob(p.ctx, p.h.Dir, "*.sln") {
		for _, m := range inSolution.FindAllStringSubmatch(p.text(solution), -1) {
			if file := p.h.Join(p.h.Dir, m[1]); !strings.Contains(m[1], ":") && len(files) < most {
				files = append(files, file)
			}
		}
	}
	files = append(files, p.h.Join(p.h.Dir, "windows", "CommonSettings.props"), p.h.Join(p.h.Dir, "CommonSettings.props"))
	seen := map[string]bool{}
	for _, file := range files[:min(len(files), most+2)] {
		if low := strings.ToLower(file); !seen[low] {
			seen[low] = true
			p.codeGeneration(file)
		}
	}
}

func (p *prober) codeGeneration(file string) {
	text := p.text(file)
	if strings.Contains(text, "<CpuOnlyBuild>true<") {
		return
	}
	n := 0
	for line := range strings.Lines(text) {
		n++
		m := codeOf.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		g := facts.GPUCode{By: "msbuild", File: file, Line: n, Text: strings.TrimSpace(line)}
		for pair := range strings.SplitSeq(m[1], ";") {
			_, code, _ := strings.Cut(strings.TrimSpace(pair), ",")
			kind, digits, _ := strings.Cut(strings.TrimSpace(code), "_")
			switch sm := capability(digits); {
			case sm == "":
			case kind == "sm":
				g.Archs = append(g.Archs, sm)
			case kind == "compute":
				g.PTX = append(g.PTX, sm)
			}
		}
		if len(g.Archs)+len(g.PTX) > 0 {
			if len(p.p.Kinds) == 0 || p.p.Kinds[len(p.p.Kinds)-1] != "msbuild" {
				p.p.Kinds = append(p.p.Kinds, "msbuild")
			}
			p.p.GPUCode = append(p.p.GPUCode, g)
		}
	}
}
