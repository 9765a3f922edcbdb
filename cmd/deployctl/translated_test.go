package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
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
// stand, and all others, any of which may reach it through a variable.
func goTexts(t *testing.T) (given, all map[string]string) {
	t.Helper()
	given, all = map[string]string{}, map[string]string{}
	calls := []string{"T", "F", "Errorf", "Count"} // of package lang
	others := []string{"usagef", "Note", "Fail"}   // which hand a format on to it
	for _, top := range []string{"cmd", "doctor", "installers", "recipes", "verify"} {
		err := filepath.WalkDir("../../"+top, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if text, ok := literal(n); ok {
					all[text] = path
				}
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				var into bool
				switch fn := call.Fun.(type) {
				case *ast.SelectorExpr:
					pkg, named := fn.X.(*ast.Ident)
					into = named && pkg.Name == "lang" && slices.Contains(calls, fn.Sel.Name) || slices.Contains(others, fn.Sel.Name)
				case *ast.Ident:
					into = slices.Contains(others, fn.Name)
				}
				if !into {
					return true
				}
				for _, arg := range call.Args {
					if text, ok := literal(arg); ok {
						given[text] = path
						break
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return given, all
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
	fields := []string{"title", "description", "why", "manual", "note", "cause", "found", "text", "get", "numbered", "old", "server"}
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
	for _, pattern := range []string{"*.yaml", "checks/*.yaml", "providers/*.yaml", "rules/*.yaml"} {
		names, err := filepath.Glob("../../recipes/library/" + pattern)
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

// TestTranslated: every text has its Chinese, and no translation is left over.
func TestTranslated(t *testing.T) {
	keys := map[string]string{} // to the file that has it
	for _, p := range translations(t) {
		keys[p.En] = p.File
	}
	given, all := goTexts(t)
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
			if _, ok := keys[text]; !ok && strings.Contains(text, " ") && english.MatchString(text) {
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
