package main

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
)

// translation is a text of the catalog with its translation.
type translation struct {
	En, Zh string
	File   string `yaml:"-"`
}

// translations are the whole catalog.
func translations(t *testing.T) []translation {
	t.Helper()
	names, err := filepath.Glob("../../recipes/library/lang/zh/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	var all []translation
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var list []translation
		if err := yaml.Unmarshal(data, &list); err != nil {
			t.Fatal(name, err)
		}
		for _, p := range list {
			p.File = filepath.Base(name)
			all = append(all, p)
		}
	}
	return all
}

// goTexts are the texts of the Go code: those that are given to the catalog as they
// stand (those of tables, when they are shown), and all others, any of which may reach it through a variable.
func goTexts(t *testing.T) (given, all map[string]string) {
	t.Helper()
	given, all = lateTexts(goFiles(t)), map[string]string{}
	calls := []string{"T", "F", "Errorf", "New", "Count"}     // of package lang
	others := []string{"usagef", "Note", "Fail", "decodeErr"} // which hand a format on to it
	// Methods of the linter's document (d), whose second argument is a text of the catalog.
	linter := []string{"at", "pos", "refuse", "word", "words"}
	for _, file := range goFiles(t) {
		ast.Inspect(file.File, func(n ast.Node) bool {
			if fn, ok := n.(*ast.FuncDecl); ok && file.Name.Name == "recipes" && slices.Contains(linter, fn.Name.Name) && fn.Recv != nil && !ofDocument(fn) {
				t.Errorf("%s: a method %s of another type than *document: what it is given would count as a text", file.path, fn.Name.Name)
			}
			if text, ok := literal(n); ok {
				all[text] = file.path
			}
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			var into bool
			args := call.Args
			switch fn := call.Fun.(type) {
			case *ast.SelectorExpr:
				pkg, named := fn.X.(*ast.Ident)
				into = named && pkg.Name == "lang" && slices.Contains(calls, fn.Sel.Name) || slices.Contains(others, fn.Sel.Name)
				if file.Name.Name == "recipes" && named && pkg.Name == "d" && slices.Contains(linter, fn.Sel.Name) && len(args) > 1 {
					into, args = true, args[1:2] // a path may be a literal, too
				}
			case *ast.Ident:
				into = slices.Contains(others, fn.Name)
			}
			if !into {
				return true
			}
			for _, arg := range args {
				if text, ok := literal(arg); ok {
					given[text] = file.path
					break
				}
			}
			return true
		})
	}
	return given, all
}

// ofDocument reports whether a method is one of *document.
func ofDocument(fn *ast.FuncDecl) bool {
	star, ok := fn.Recv.List[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	of, ok := star.X.(*ast.Ident)
	return ok && of.Name == "document"
}

// literal is the text of a string literal, also of several that are added.
func literal(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.BasicLit:
		if n.Kind != token.STRING {
			return "", false
		}
		text, err := strconv.Unquote(n.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		left, ok := literal(n.X)
		right, both := literal(n.Y)
		return left + right, ok && both && n.Op == token.ADD
	}
	return "", false
}

// dataTexts are the texts of the data files that people read.
func dataTexts(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	fields := []string{"title", "description", "why", "manual", "note", "cause", "found", "text", "get", "numbered", "old", "server", "about"}
	maps := []string{"fix", "manual_on"} // by system
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				walk(path, one)
			}
		case map[string]any:
			for key, one := range v {
				if text, ok := one.(string); ok && slices.Contains(fields, key) {
					texts[strings.TrimSpace(text)] = path
				}
				if by, ok := one.(map[string]any); ok && slices.Contains(maps, key) {
					for _, one := range by {
						if text, ok := one.(string); ok {
							texts[strings.TrimSpace(text)] = path
						}
					}
				}
				walk(path, one)
			}
		}
	}
	for _, pattern := range []string{"recipes/library/*.yaml", "recipes/library/checks/*.yaml", "recipes/library/providers/*.yaml", "recipes/library/rules/*.yaml", "installers/models/*.yaml"} {
		names, err := filepath.Glob("../../" + pattern)
		if err != nil || len(names) == 0 {
			t.Fatal(pattern, err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var v any
			if err := yaml.Unmarshal(data, &v); err != nil {
				t.Fatal(name, err)
			}
			walk(name, v)
			if classes, ok := v.(map[string]any); ok && filepath.Base(name) == "classes.yaml" {
				for _, one := range classes {
					texts[one.(string)] = name
				}
			}
		}
	}
	return texts
}

// english is a word that is not a name: without one, a text needs no translation.
var english = regexp.MustCompile(`(?:^|[ (])[a-z]{2,}(?:$|[ ,.;:)])`)

// templateTexts are the texts of the templates: those given to the catalog (t, f), and
// those that stand in a page as they are.
func templateTexts(t *testing.T) (given map[string]string, fixed []string) {
	t.Helper()
	given = map[string]string{}
	names, err := filepath.Glob("../*/*.tmpl")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		tree := parse.New(name)
		tree.Mode = parse.SkipFuncCheck
		trees := map[string]*parse.Tree{}
		if _, err := tree.Parse(string(data), "", "", trees); err != nil {
			t.Fatal(err)
		}
		for _, one := range trees {
			page, texts := templateText(one.Root.String())
			fixed = append(fixed, texts...)
			for _, text := range page {
				given[text] = name
			}
		}
	}
	return given, fixed
}

// The parts of a template: a text for the catalog, anything else that is computed, the
// style sheet, a text that is read aloud, and an element.
var (
	templateGiven  = regexp.MustCompile(`\b[tf] ("(?:[^"\\]|\\.)*")`)
	templateAction = regexp.MustCompile(`\{\{.*?\}\}`)
	templateStyle  = regexp.MustCompile(`(?s)<style>.*?</style>`)
	templateSpoken = regexp.MustCompile(`(?:aria-label|alt|title|placeholder)="([^"]*)"`)
	templateTag    = regexp.MustCompile(`(?s)<[^>]*>`)
)

// templateText splits the source of a template in texts for the catalog and those that
// stand in the page.
func templateText(source string) (given, fixed []string) {
	for _, m := range templateGiven.FindAllStringSubmatch(source, -1) {
		if text, err := strconv.Unquote(m[1]); err == nil {
			given = append(given, text)
		}
	}
	page := templateStyle.ReplaceAllString(templateAction.ReplaceAllString(source, ""), "")
	for _, m := range templateSpoken.FindAllStringSubmatch(page, -1) {
		fixed = append(fixed, m[1])
	}
	for text := range strings.Lines(templateTag.ReplaceAllString(page, "\n")) {
		fixed = append(fixed, strings.TrimSpace(text))
	}
	return given, fixed
}

// TestTemplates: no word of a page stands outside the catalog, unless it is a name.
func TestTemplates(t *testing.T) {
	check := func(fixed []string) (outside []string) {
		for _, text := range fixed {
			for _, word := range regexp.MustCompile(`[A-Za-z]{2,}`).FindAllString(text, -1) {
				if !slices.Contains([]string{"deployctl", "JSON", "GFLOP"}, word) {
					outside = append(outside, word+" in "+text)
				}
			}
		}
		return outside
	}
	_, fixed := templateTexts(t)
	if outside := check(fixed); len(outside) > 0 || len(fixed) < 20 {
		t.Errorf("of %d texts, these need {{t}}: %q", len(fixed), outside)
	}
	for source, want := range map[string]int{
		`<p>{{t "Known"}} · {{.Name}}</p>`: 0, `<style>a{color:red}</style><td class="n">p95</td>`: 0,
		`<p>New word</p>`: 2, `<i aria-label="Checks: {{.Name}}"></i>`: 1, `{{if .A}}else{{end}}`: 1,
	} {
		if _, fixed := templateText(source); len(check(fixed)) != want {
			t.Errorf("%s: %q", source, check(fixed))
		}
	}
}

// TestTranslated: every text has its Chinese, and no translation is left over.
func TestTranslated(t *testing.T) {
	keys := map[string]string{} // to the file that has it
	for _, p := range translations(t) {
		keys[p.En] = p.File
	}
	given, all := goTexts(t)
	for _, text := range []string{"a row needs a source", "architecture"} { // at a path, and a word's kind
		if given[text] == "" {
			t.Errorf("the linter's %q is not among the texts", text)
		}
	}
	pages, _ := templateTexts(t)
	for text, path := range pages {
		if _, ok := keys[text]; !ok {
			t.Errorf("%s: no Chinese for %q", path, text)
		}
	}
	data, help := dataTexts(t), map[string]string{}
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, text := range helpTexts(cmd) {
			if *text != cmd.Example {
				help[*text] = "help of " + cmd.CommandPath()
			}
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(&console.Console{}))
	for _, texts := range []map[string]string{given, data, help} {
		for text, path := range texts {
			name := !strings.Contains(text, " ") && data[text] != "" // glog
			if _, ok := keys[text]; !ok && !name && english.MatchString(text) {
				t.Errorf("%s: no Chinese for %q", strings.TrimPrefix(path, "../../"), text)
			}
		}
	}
	for text, path := range keys {
		_, code := all[text]
		_, file := data[text]
		_, call := given[text]
		_, shown := help[text]
		_, page := pages[text]
		if !code && !file && !call && !shown && !page && text != "Help about any command" { // cobra's, made late
			t.Errorf("recipes/library/lang/zh/%s: no text %q", path, text)
		}
	}
}
