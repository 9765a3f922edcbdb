package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestOldGo: the worker is compiled on the machine that is proven, with Go 1.13
// or newer, so it may not use what later releases added.
func TestOldGo(t *testing.T) {
	later := map[string]bool{"os.ReadFile": true, "os.WriteFile": true, "os.ReadDir": true, "os.MkdirTemp": true, "os.CreateTemp": true, "io.ReadAll": true, "io.Discard": true}
	var files []string
	for _, dir := range []string{".", "../../../gocv/worker"} {
		list, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(list) < 5 {
			t.Fatalf("%v %v", list, err)
		}
		files = append(files, list...)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && later[x.Name+"."+n.Sel.Name] {
					t.Errorf("%s uses %s.%s, which Go 1.13 does not have", name, x.Name, n.Sel.Name)
				}
			case *ast.FuncType:
				if n.TypeParams != nil {
					t.Errorf("%s has a generic function", name)
				}
			case *ast.RangeStmt:
				if lit, ok := n.X.(*ast.BasicLit); ok {
					t.Errorf("%s ranges over the number %s", name, lit.Value)
				}
			case *ast.Ident:
				if n.Name == "any" || n.Name == "min" || n.Name == "max" {
					t.Errorf("%s uses %s, which Go 1.13 does not have", name, n.Name)
				}
			}
			return true
		})
	}
}
