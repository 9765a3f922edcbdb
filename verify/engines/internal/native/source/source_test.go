package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestOldGo: the workers are compiled with Go 1.18 or newer (tried with Debian's
// 1.19.8). Their go.mod keeps later language out; this keeps later packages and
// functions out.
func TestOldGo(t *testing.T) {
	later := map[string]bool{
		"slices": true, "maps": true, "cmp": true, "errors.Join": true, "strings.CutPrefix": true, "strings.CutSuffix": true,
		"unsafe.String": true, "unsafe.StringData": true, "unsafe.SliceData": true, "context.WithCancelCause": true,
	}
	var files []string
	for pattern, least := range map[string]int{"*.go": 6, "../../../onnxruntime/worker/*.go": 3, "../../../openvino/worker/*.go": 2, "../../../darknet/worker/*.go": 2, "../../../tensorflow/worker/*.go": 1} {
		list, err := filepath.Glob(pattern)
		if err != nil || len(list) < least {
			t.Fatalf("%s: %v %v", pattern, list, err)
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
			case *ast.ImportSpec:
				if path := strings.Trim(n.Path.Value, `"`); later[path] {
					t.Errorf("%s imports %s, which Go 1.18 does not have", name, path)
				}
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && later[x.Name+"."+n.Sel.Name] {
					t.Errorf("%s uses %s.%s, which Go 1.18 does not have", name, x.Name, n.Sel.Name)
				}
			}
			return true
		})
	}
}
