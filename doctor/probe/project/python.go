package project

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// wheels are the projects of the Python package index by component, each without
// the endings that name a variant of it.
var wheels = map[string]string{
	"opencv-python": "opencv-python", "opencv-contrib-python": "opencv-python", "onnxruntime": "onnxruntime", "torch": "libtorch", "tensorflow": "tensorflow",
	"openvino": "openvino", "ncnn": "ncnn", "numpy": "numpy",
}

// Needs are what the files of the project in the host's current folder ask for:
// what the probe reads of go.mod, CMakeLists.txt and a Makefile, and what
// requirements.txt and pyproject.toml name. What a build goes on without is left
// out, and of what is asked for twice the first counts.
func Needs(ctx context.Context, h *host.Host) ([]recipes.Need, error) {
	f, err := Probe(ctx, h)
	if err != nil {
		return nil, err
	}
	p := &prober{ctx: ctx, h: h}
	var out []recipes.Need
	for _, d := range slices.Concat(f.Project.Demands, p.requirements(), p.pyproject()) {
		if d.Optional || slices.ContainsFunc(out, func(n recipes.Need) bool { return n.Component == d.Component }) {
			continue
		}
		n := recipes.Need{Component: d.Component, Parts: d.Parts, By: d.By, Where: fmt.Sprintf("%s:%d: %s", h.Base(d.File), d.Line, d.Text)}
		switch {
		case d.Version == "" || d.By == "go.mod" && d.Component == "opencv": // gocv's own number
		case d.By == "python":
			n.Version = d.Version
		default:
			n.Version = ">= " + d.Version
		}
		if _, err := recipes.ParseConstraint(n.Version); err != nil {
			n.Version = "" // no version in a form that is known: ${VARIABLE}
		}
		out = append(out, n)
	}
	return out, nil
}

// requirement reads a dependency specifier (PEP 508); Version becomes a constraint
// as recipes have it.
func requirement(text string) (d facts.Demand, ok bool) {
	text, marker, marked := strings.Cut(text, ";")
	m := specifier.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return d, false
	}
	name := strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(m[1]))
	for _, variant := range []string{"-headless", "-gpu", "-directml", "-cpu", "-macos", "-intel"} {
		name = strings.TrimSuffix(name, variant)
	}
	if d.Component = wheels[name]; d.Component == "" {
		return d, false
	}
	d.By, d.Name, d.Optional = "python", m[1], marked && strings.TrimSpace(marker) != ""
	d.Version = asConstraint(m[2])
	return d, true
}

var specifier = lazyregexp.New(`^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*\(?([^)@]*)\)?$`)

// asConstraint writes a version specifier (PEP 440) as recipes have it: each clause
// that has the same meaning there.
func asConstraint(text string) string {
	var out []string
	for clause := range strings.SplitSeq(text, ",") {
		clause = strings.TrimSpace(clause)
		version := strings.TrimLeft(clause, "=<>!~")
		operator := map[string]string{"==": "=", "!=": "!=", ">=": ">=", "<=": "<=", ">": ">", "<": "<", "~=": "~>"}[clause[:len(clause)-len(version)]]
		if version = strings.TrimSpace(version); operator == "" || version == "" || strings.Contains(version, "*") {
			continue
		}
		out = append(out, operator+" "+version)
	}
	return strings.Join(out, ", ")
}

// requirements reads the requirements.txt of the folder (pip, "Requirements File
// Format").
func (p *prober) requirements() (out []facts.Demand) {
	file := p.h.Join(p.h.Dir, "requirements.txt")
	n := 0
	for line := range strings.Lines(p.text(file)) {
		n++
		code, _, _ := strings.Cut(line, " #")
		code, _, _ = strings.Cut(code, " --hash")
		if d, ok := requirement(strings.TrimRight(strings.TrimSpace(code), `\ `)); ok {
			d.File, d.Line, d.Text = file, n, strings.TrimSpace(line)
			out = append(out, d)
		}
	}
	return out
}

// pyproject reads requires-python and the dependencies of [project] in the
// pyproject.toml of the folder (PEP 621).
func (p *prober) pyproject() (out []facts.Demand) {
	file := p.h.Join(p.h.Dir, "pyproject.toml")
	section, list, n := "", false, 0
	for line := range strings.Lines(p.text(file)) {
		n++
		code := strings.TrimSpace(line)
		key, value, assigned := strings.Cut(code, "=")
		switch key = strings.TrimSpace(key); {
		case strings.HasPrefix(code, "#"):
			continue
		case !list && strings.HasPrefix(code, "["):
			section = strings.Trim(code, "[] ")
			continue
		case section != "project" || !list && !assigned:
			continue
		case !list && key == "requires-python":
			for _, m := range quoted.FindAllStringSubmatch(value, -1) {
				out = append(out, facts.Demand{By: "python", Name: key, Component: "python", Version: asConstraint(m[1] + m[2]), File: file, Line: n, Text: code})
			}
			continue
		case !list && key != "dependencies":
			continue
		}
		if !list {
			code = value
		}
		for _, m := range quoted.FindAllStringSubmatch(code, -1) {
			if d, ok := requirement(m[1] + m[2]); ok {
				d.File, d.Line, d.Text = file, n, strings.TrimSpace(line)
				out = append(out, d)
			}
		}
		list = !strings.Contains(quoted.ReplaceAllString(code, ""), "]")
	}
	return out
}

var quoted = lazyregexp.New(`"([^"]*)"|'([^']*)'`)
