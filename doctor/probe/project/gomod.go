package project

import (
	"regexp"
	"strings"
	"sync"

	"github.com/deployctl/deployctl/doctor/facts"
)

const gocv = "gocv.io/x/gocv"

// goModule reads the go.mod of the module that the folder belongs to.
func (p *prober) goModule() {
	const deepest = 16
	dir, text := p.h.Dir, ""
	for range deepest {
		if text = p.text(dir, "go.mod"); text != "" {
			break
		}
		parent := p.h.DirOf(strings.TrimRight(dir, `\/`))
		if parent == dir || parent == "." || parent == "" {
			return
		}
		dir = parent
	}
	m := parseGoMod(text, gocv)
	if m.line == 0 {
		return
	}
	d := facts.Demand{By: "go.mod", Name: gocv, Component: "opencv", Version: m.version, File: p.h.Join(dir, "go.mod"), Line: m.line, Text: m.text, Replaced: m.instead}
	switch {
	case strings.HasPrefix(m.instead, ".") || strings.HasPrefix(m.instead, "/") || strings.Contains(m.instead, `\`) || strings.Contains(m.instead, ":"):
		at := m.instead
		if strings.HasPrefix(at, ".") {
			at = p.h.Join(dir, at)
		}
		d.Version = constant(p.text(at, "version.go"))
	case m.instead != "" && m.instead != gocv && m.instead != "github.com/hybridgroup/gocv":
		d.Version = "" // a fork has numbers of its own
	}
	for line := range strings.SplitSeq(p.text(dir, "vendor", "modules.txt"), "\n") {
		if f := strings.Fields(line); len(f) > 2 && f[0] == "#" && f[1] == gocv {
			d.Vendored = strings.TrimPrefix(f[2], "v")
		}
	}
	d.OwnFlags = strings.Contains(p.h.Env("GOFLAGS"), "customenv") || strings.Contains(p.h.Env("CGO_LDFLAGS"), "opencv")
	p.p.Kinds = append(p.p.Kinds, "gocv")
	p.demand(d)
}

// release finds the version that gocv's version.go declares.
var release = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`GoCVVersion\s*=\s*"([0-9.]+)"`) })

func constant(source string) string {
	if m := release().FindStringSubmatch(source); m != nil {
		return m[1]
	}
	return ""
}

// required is what a go.mod says of one module.
type required struct {
	version string // without the v
	line    int    // 0 where it is not named; that of replace where there is one
	text    string
	instead string // what replaces it
}

// parseGoMod reads the require and replace lines of one module (Go Modules
// Reference, "go.mod files").
func parseGoMod(text, module string) (r required) {
	verb, n := "", 0
	for line := range strings.Lines(text) {
		n++
		code, _, _ := strings.Cut(line, "//")
		words := strings.Fields(code)
		for i := range words {
			words[i] = strings.Trim(words[i], "\"`")
		}
		switch {
		case len(words) == 0:
			continue
		case words[0] == ")":
			verb = ""
			continue
		case len(words) == 2 && words[1] == "(":
			verb = words[0]
			continue
		}
		at := verb
		if at == "" {
			at, words = words[0], words[1:]
		}
		if len(words) < 2 || words[0] != module {
			continue
		}
		switch {
		case at == "require" && r.instead == "":
			r.version, r.line, r.text = strings.TrimPrefix(words[1], "v"), n, strings.TrimSpace(line)
		case at == "replace":
			for i, w := range words {
				if w == "=>" && i+1 < len(words) {
					r.instead, r.line, r.text = words[i+1], n, strings.TrimSpace(line)
					r.version = ""
					if i+2 < len(words) {
						r.version = strings.TrimPrefix(words[i+2], "v")
					}
				}
			}
		}
	}
	return r
}
