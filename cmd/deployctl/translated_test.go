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

// pageTexts are the texts that code of the HTML page shows as they are: not from the
// catalog, nor computed.
func pageTexts(file *ast.File) (texts []string) {
	// From which argument on a function shows what it is given: gomponents', then ours.
	shows := map[string]int{"Text": 0, "Textf": 0, "Alt": 0, "Aria": 1, "TitleAttr": 0, "Placeholder": 0,
		"badge": 1, "bullets": 0, "cells": 1, "columns": 1, "lines": 0, "rowHead": 0, "scrolling": 0, "summary": 0, "titled": 1}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		var name string
		switch fn := call.Fun.(type) {
		case *ast.Ident:
			name = fn.Name
		case *ast.SelectorExpr:
			name = fn.Sel.Name
		}
		from, ok := shows[name]
		if !ok || from > len(call.Args) {
			return true
		}
		for _, arg := range call.Args[from:] {
			ast.Inspect(arg, func(n ast.Node) bool {
				if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING {
					texts = append(texts, text.Value)
				}
				_, inner := n.(*ast.CallExpr) // what it is given is its own affair: lang.T("…")
				return !inner
			})
		}
		return true
	})
	return texts
}

// TestPageTranslated: no word of the HTML page stands outside the catalog, unless it is
// a name.
func TestPageTranslated(t *testing.T) {
	check := func(texts []string) (outside []string) {
		for _, text := range texts {
			for _, word := range regexp.MustCompile(`[A-Za-z]{2,}`).FindAllString(text, -1) {
				if !slices.Contains([]string{"deployctl", "JSON", "GFLOP", "true"}, word) { // aria-hidden
					outside = append(outside, word+" in "+text)
				}
			}
		}
		return outside
	}
	seen := 0
	for _, file := range goFiles(t) {
		if !slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"maragu.dev/gomponents"` }) {
			continue
		}
		texts := pageTexts(file.File)
		seen += len(texts)
		if outside := check(texts); len(outside) > 0 {
			t.Errorf("%s: these need lang.T: %q", file.path, outside)
		}
	}
	if seen < 8 {
		t.Errorf("%d texts seen", seen)
	}
	for source, want := range map[string]int{
		`h.P(h.Class("soft"), g.Text(lang.T("Known")+" · "+name))`: 0, `columns(4, lang.T("Median"), "p95")`: 0, `h.SVG(h.Aria("hidden", "true"))`: 0,
		`h.P(g.Text("New word"))`: 2, `h.I(h.Aria("label", "Checks: "+name))`: 1, `titled("rest", "Rest", h.P(h.ID("id"), g.Textf("Rest of %d", n)))`: 3,
	} {
		if got := check(pageTexts(goSource(t, "var _ = "+source).File)); len(got) != want {
			t.Errorf("%s: %q, want %d", source, got, want)
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
		if !code && !file && !call && !shown && text != "Help about any command" { // cobra's, made late
			t.Errorf("recipes/library/lang/zh/%s: no text %q", path, text)
		}
	}
}
