package project

import (
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// darknetFlags are the settings at the top of Darknet's Makefile.
var darknetFlags = map[string]string{"GPU": "cuda", "CUDNN": "cudnn", "OPENCV": "opencv"}

var generated = lazyregexp.New(`code=\[?([a-z0-9_,]+)`)

// darknet reads the Makefile of Darknet (pjreddie's and AlexeyAB's).
func (p *prober) darknet() {
	file := p.h.Join(p.h.Dir, "Makefile")
	text := p.text(file)
	linked, own := linkedModules(file, text), strings.Contains(text, "EXEC=darknet") || strings.Contains(text, "APPNAME=darknet")
	if len(linked.Parts) > 0 {
		p.demand(linked)
	}
	p.p.CPUCode = append(p.p.CPUCode, makefileSIMD(file, text)...)
	arm := p.h.Arch == "arm64" && p.makesFor32Bit(file, text)
	if !own && (len(linked.Parts) > 0 || arm) {
		p.p.Kinds = append(p.p.Kinds, "makefile")
	}
	if !own {
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

// makeLines are the lines of a Makefile that count: not those in an ifeq of a variable
// that the file itself sets to something else, as Darknet's do with their settings.
func makeLines(text string, each func(n int, line string, settings map[string]makeSetting)) {
	settings := map[string]makeSetting{}
	var off []bool
	n := 0
	for line := range strings.Lines(text) {
		n++
		line, _, _ = strings.Cut(strings.TrimRight(line, "\r\n"), "#")
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "ifeq", "ifneq":
			m := makeCondition.FindStringSubmatch(rest)
			known := m != nil
			var s makeSetting
			if known {
				s, known = settings[m[1]]
			}
			off = append(off, known && (s.value == strings.TrimSpace(m[2])) != (word == "ifeq"))
			continue
		case "ifdef", "ifndef":
			off = append(off, false)
			continue
		case "else":
			if len(off) > 0 {
				off[len(off)-1] = !off[len(off)-1] && rest == ""
			}
			continue
		case "endif":
			if len(off) > 0 {
				off = off[:len(off)-1]
			}
			continue
		}
		if slices.Contains(off, true) {
			continue
		}
		if name, value, ok := strings.Cut(line, "="); ok && !strings.ContainsAny(name, " \t+:?") && settings[name].line == 0 {
			settings[name] = makeSetting{strings.TrimSpace(value), n}
		}
		each(n, line, settings)
	}
}

// makeSetting is what a line of a Makefile sets a variable to.
type makeSetting struct {
	value string
	line  int
}

var makeCondition = lazyregexp.New(`^\(\$\(([A-Za-z0-9_]+)\), *([A-Za-z0-9_]*) *\)`)

var linkedModule = lazyregexp.New(`-lopencv_([a-z0-9_]+)`)

// linkedModules are the modules of OpenCV that a Makefile links by their names.
func linkedModules(file, text string) facts.Demand {
	d := facts.Demand{By: "makefile", Name: "OpenCV", Component: "opencv", File: file}
	makeLines(text, func(n int, line string, settings map[string]makeSetting) {
		for _, m := range linkedModule.FindAllStringSubmatch(line, -1) {
			look.AddNew(&d.Parts, 0, m[1])
			if d.Line == 0 {
				d.Line, d.Text = n, strings.TrimSpace(line)
			}
		}
		if s := settings["OPENCV"]; s.value == "1" {
			d.Name, d.Line = "OPENCV", s.line
			d.Text = d.Name + "=" + s.value
		}
	})
	return d
}

// makesFor32Bit finds the option of 32-bit ARM that gocv's Makefile passes to OpenCV's
// CMake for a Raspberry Pi (hybridgroup/gocv issue 1059).
func (p *prober) makesFor32Bit(file, text string) bool {
	n := 0
	for line := range strings.Lines(text) {
		if n++; strings.Contains(line, "cmake ") && (strings.Contains(line, "-D ENABLE_VFPV3=ON") || strings.Contains(line, "-DENABLE_VFPV3=ON")) {
			p.p.Leftovers = append(p.p.Leftovers, facts.Leftover{Entry: "ENABLE_VFPV3", Value: "ON", File: file, Line: n, Problem: facts.MakesFor32Bit})
			return true
		}
	}
	return false
}

// makefileSIMD reads the AVX that a Makefile compiles with: Darknet's has a setting of
// this name (AlexeyAB/darknet issues 646 and 5546).
func makefileSIMD(file, text string) (list []facts.CPUCode) {
	makeLines(text, func(_ int, line string, settings map[string]makeSetting) {
		s, set := settings["AVX"]
		if !set || s.value != "1" || len(list) > 0 || !strings.Contains(line, "CFLAGS") {
			return
		}
		code := facts.CPUCode{By: "makefile", Name: "AVX", Value: "1", File: file, Line: s.line}
		for flag := range strings.FieldsSeq(line) {
			code.Features = append(code.Features, simdFlags[flag]...)
		}
		if len(code.Features) > 0 {
			list = append(list, code)
		}
	})
	return list
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
