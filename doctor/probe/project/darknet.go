package project

import (
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// darknetFlags are the settings at the top of Darknet's Makefile.
var darknetFlags = map[string]string{"GPU": "cuda", "CUDNN": "cudnn", "OPENCV": "opencv"}

var generated = lazyregexp.New(`code=\[?([a-z0-9_,]+)`)

// darknet reads the Makefile of Darknet (pjreddie's and AlexeyAB's).
func (p *prober) darknet() {
	file := p.h.Join(p.h.Dir, "Makefile")
	text := p.text(file)
	if !strings.Contains(text, "EXEC=darknet") && !strings.Contains(text, "APPNAME=darknet") {
		return
	}
	p.p.Kinds = append(p.p.Kinds, "darknet")
	demands, code := parseDarknet(text)
	const limit = "CUDNN_CONVOLUTION_FWD_SPECIFY_WORKSPACE_LIMIT" // cuDNN 8 has it no more
	for _, d := range demands {
		d.File = file
		if d.Name == "CUDNN" {
			if code := p.text(p.h.Dir, "src", "convolutional_layer.c"); strings.Contains(code, limit) && !strings.Contains(code, "CUDNN_MAJOR") {
				d.Below = "8"
			}
		}
		p.demand(d)
	}
	for _, g := range code {
		g.File = file
		p.p.GPUCode = append(p.p.GPUCode, g)
	}
}

// parseDarknet reads what a Makefile of Darknet is set to: the libraries to build
// with and, with GPU=1, the GPUs to make code for.
func parseDarknet(text string) (demands []facts.Demand, code []facts.GPUCode) {
	seen, bare := map[string]bool{}, true
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		setting, _, _ := strings.Cut(lines[i], "#")
		name, value, ok := strings.Cut(setting, "=")
		name = strings.TrimSpace(name)
		if !ok || seen[name] || strings.TrimLeft(lines[i], " \t") != lines[i] {
			continue
		}
		n, line := i+1, strings.TrimSpace(setting)
		for strings.HasSuffix(strings.TrimSpace(value), `\`) && i+1 < len(lines) {
			i++
			value = strings.TrimSuffix(strings.TrimSpace(value), `\`) + " " + lines[i]
		}
		component := darknetFlags[name]
		switch {
		case name == "NVCC": // Darknet's own Makefile has NVCC=nvcc, which PATH must find
			bare = !strings.Contains(value, "/")
		case component != "":
			seen[name] = true
			if strings.TrimSpace(value) == "1" {
				demands = append(demands, facts.Demand{By: "makefile", Name: name, Component: component, Line: n, Text: line})
			}
		case name == "ARCH":
			g := facts.GPUCode{By: "makefile", Line: n, Text: line}
			for _, m := range generated.FindAllStringSubmatch(value, -1) {
				for _, word := range strings.Split(m[1], ",") {
					kind, digits, _ := strings.Cut(word, "_")
					if sm := capability(digits); sm != "" && kind == "sm" {
						g.Archs = append(g.Archs, sm)
					} else if sm != "" && kind == "compute" {
						g.PTX = append(g.PTX, sm)
					}
				}
			}
			code = []facts.GPUCode{g} // the last one counts
		}
	}
	gpu := false
	for i := range demands {
		d := &demands[i]
		if d.Name == "GPU" && bare {
			d.Parts = []string{"nvcc"}
		}
		gpu = gpu || d.Name == "GPU"
		if d.Name == "OPENCV" && strings.Contains(text, "pkg-config") && !strings.Contains(text, "opencv4") {
			d.PkgConfig = "opencv"
		}
	}
	if !gpu {
		code = nil
	}
	return demands, code
}
