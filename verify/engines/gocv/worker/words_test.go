package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"

	"github.com/deployctl/deployctl/verify/engines/gocv"
)

// TestWords: the worker knows every backend and target that the engine declares.
func TestWords(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "main.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]map[string]bool{"backends": {}, "targets": {}}
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || words[v.Names[0].Name] == nil {
			return true
		}
		for _, e := range v.Values[0].(*ast.CompositeLit).Elts {
			key, err := strconv.Unquote(e.(*ast.KeyValueExpr).Key.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			words[v.Names[0].Name][key] = true
		}
		return true
	})
	for _, target := range gocv.Spec().Targets {
		if !words["backends"][target.Backend] || !words["targets"][target.Name] {
			t.Errorf("the worker does not know %s", target.Pair())
		}
	}
}
