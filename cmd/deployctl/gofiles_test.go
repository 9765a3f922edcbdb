package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// goFile is a file of the program's Go code, without the tests.
type goFile struct {
	path string // from the root of the repository, with slashes
	*ast.File
}

// goFiles are all of them.
func goFiles(t *testing.T) []goFile {
	t.Helper()
	files, err := parsedFiles()
	if err != nil || len(files) < 500 {
		t.Fatal(len(files), err)
	}
	return files
}

// parsedFiles reads them once for all tests.
var parsedFiles = sync.OnceValues(func() (files []goFile, err error) {
	for _, top := range []string{"cmd", "doctor", "installers", "recipes", "verify"} {
		err := filepath.WalkDir("../../"+top, func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			files = append(files, goFile{strings.TrimPrefix(filepath.ToSlash(path), "../../"), file})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
})

// goSource is a file of Go that a test gives as its text, without the package clause.
func goSource(t *testing.T, source string) goFile {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\n"+source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return goFile{"x.go", file}
}
