package project

import (
	"go/build/constraint"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

const gocv = "gocv.io/x/gocv"

// goModule reads the go.mod of the module that the folder belongs to.
func (p *prober) goModule() {
	dir, text := p.upward("go.mod")
	m := parseGoMod(text, gocv)
	if m.line == 0 {
		return
	}
	packages, tagged := p.imports(dir)
	if tagged {
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
	settings := look.SettingsOfGo(p.h)
	d.OwnFlags = strings.Contains(settings.Get(p.ctx, "GOFLAGS"), "customenv") || strings.Contains(settings.Get(p.ctx, "CGO_LDFLAGS"), "opencv")
	p.p.Kinds = append(p.p.Kinds, "gocv")
	p.demand(d)
	for _, i := range packages {
		i.By, i.Component, i.Version, i.Parts = "go", "opencv", d.Version, modulesOf[i.Name]
		p.demand(i)
	}
	p.goLine("go.mod", d.File, text)
}

// goWork reads the workspace that every go command in the folder works in: none starts
// where it asks for another Go (Go Modules Reference, "Workspaces").
func (p *prober) goWork() {
	file := look.SettingsOfGo(p.h).Get(p.ctx, "GOWORK")
	switch {
	case file == "off":
		return
	case look.IsPath(file):
		p.goLine("go.work", file, p.text(file))
		return
	}
	if dir, text := p.upward("go.work"); text != "" {
		p.goLine("go.work", p.h.Join(dir, "go.work"), text)
	}
}

// upward reads a file of the current folder, or of the nearest above that has it.
func (p *prober) upward(name string) (dir, text string) {
	const deepest = 16
	dir = p.h.Dir
	for range deepest {
		if text = p.text(dir, name); text != "" {
			return dir, text
		}
		parent := p.h.DirOf(strings.TrimRight(dir, `\/`))
		if parent == dir || parent == "." || parent == "" {
			break
		}
		dir = parent
	}
	return dir, ""
}

// goLine adds the line by which a file asks for a Go.
func (p *prober) goLine(by, file, text string) {
	if g := goDirective.Get().FindStringSubmatchIndex(text); g != nil {
		p.demand(facts.Demand{By: by, Name: "go", Component: "go", Version: text[g[2]:g[3]], File: file, Line: strings.Count(text[:g[2]], "\n") + 1, Text: text[g[0]:g[1]]})
	}
}

var goDirective = lazyregexp.New(`(?m)^go[ \t]+([0-9][0-9a-z.]*)`)

// modulesOf are the modules of OpenCV whose headers a package of gocv includes, in
// 0.31 and in 0.43.
var modulesOf = map[string][]string{
	gocv + "/cuda":    {"cudaarithm", "cudabgsegm", "cudafilters", "cudaimgproc", "cudaobjdetect", "cudaoptflow", "cudawarping"},
	gocv + "/contrib": {"bgsegm", "face", "img_hash", "tracking", "wechat_qrcode", "xfeatures2d", "ximgproc", "xphoto"},
}

// imports are the packages of gocv that the module's files import and that ask for
// more modules of OpenCV. tagged reports whether gocv is imported only in files that
// an ordinary go build leaves out (deployctl's own are such). Where no file imports
// it, go.mod is believed. Folders and files are bounded; what lies beyond them is
// not known.
func (p *prober) imports(root string) (packages []facts.Demand, tagged bool) {
	const mostFolders, mostFiles, mostMore, head = 400, 2000, 200, 4 << 10
	seen, ordinary, files, most := false, false, 0, mostFiles
	for folders := []string{root}; len(folders) > 0 && len(folders) < mostFolders && files < most; folders = folders[1:] {
		list, err := p.h.ReadDir(p.ctx, folders[0])
		if err != nil || folders[0] != root && slices.ContainsFunc(list, func(e host.Entry) bool { return e.Name == "go.mod" }) {
			continue
		}
		for _, e := range list {
			file := p.h.Join(folders[0], e.Name)
			switch {
			case strings.HasPrefix(e.Name, ".") || strings.HasPrefix(e.Name, "_"), e.Name == "testdata", e.Name == "vendor", strings.HasSuffix(e.Name, "_test.go"):
				continue // as the go command does (go help packages)
			case e.Dir:
				folders = append(folders, file)
				continue
			case !strings.HasSuffix(e.Name, ".go"):
				continue
			}
			files++
			// Only files that have the name are read, and no more of them than that.
			if found, err := p.h.Search(p.ctx, file, `"`+gocv, head, len(gocv)); err != nil || found == nil {
				continue
			}
			data, _, err := p.h.ReadFile(p.ctx, file, head)
			if err != nil {
				continue
			}
			imports, built := p.source(data)
			seen = seen || len(imports) > 0
			if len(imports) == 0 || !built {
				continue
			}
			if !ordinary {
				ordinary, most = true, min(mostFiles, files+mostMore)
			}
			for _, i := range imports {
				if modulesOf[i.Name] != nil && !slices.ContainsFunc(packages, func(d facts.Demand) bool { return d.Name == i.Name }) {
					i.File = file
					packages = append(packages, i)
				}
			}
		}
	}
	return packages, seen && !ordinary
}

// source lists the packages of gocv that the beginning of a Go file imports, and
// reports whether a build without tags takes the file; true where Go does not
// understand its line.
func (p *prober) source(text []byte) (imports []facts.Demand, ordinary bool) {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "", text, parser.ImportsOnly|parser.ParseComments)
	if f == nil {
		if err == nil {
			imports = []facts.Demand{{Name: gocv}}
		}
		return imports, true
	}
	for _, i := range f.Imports {
		name, err := strconv.Unquote(i.Path.Value)
		if err == nil && (name == gocv || strings.HasPrefix(name, gocv+"/")) {
			imports = append(imports, facts.Demand{Name: name, Line: files.Position(i.Pos()).Line, Text: i.Path.Value})
		}
	}
	for _, group := range f.Comments {
		for _, c := range group.List {
			if x, err := constraint.Parse(c.Text); err == nil && c.Pos() < f.Package {
				return imports, x.Eval(func(tag string) bool {
					return tag == p.h.OS || tag == p.h.Arch || tag == "cgo" || tag == "gc" || strings.HasPrefix(tag, "go1.") || tag == "unix" && p.h.OS != "windows"
				})
			}
		}
	}
	return imports, true
}

// release finds the version that gocv's version.go declares.
var release = lazyregexp.New(`GoCVVersion\s*=\s*"([0-9.]+)"`)

func constant(source string) string {
	if m := release.FindStringSubmatch(source); m != nil {
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
