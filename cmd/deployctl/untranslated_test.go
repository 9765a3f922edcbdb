package main

import (
	"go/ast"
	"regexp"
	"strings"
	"testing"
)

// untranslated are the folders and files whose errors stay English, each with the
// reason. Everywhere else an error with words in it is made by package lang.
var untranslated = map[string]string{
	"doctor/explain/codes.go":                "errors in rules that are part of the program: its tests find them",
	"doctor/explain/rules.go":                "errors in rules that are part of the program: its tests find them",
	"doctor/host/hosttest/":                  "only tests use it",
	"doctor/explain/phrases.go":              "errors in phrases that are part of the program: its tests find them",
	"doctor/internal/probetest/":             "only tests use it",
	"doctor/probe/opencl/ask/":               "a child process, which is not told the language",
	"installers/wheel/pin/":                  "a tool for those who work on deployctl",
	"recipes/check.go":                       "errors in checks that are part of the program: its tests find them",
	"recipes/dlls.go":                        "errors in lists that are part of the program: its tests find them",
	"recipes/library/lang/":                  "it is what translates, and its errors say that it cannot",
	"recipes/packages.go":                    "errors in lists that are part of the program: its tests find them",
	"recipes/pins.go":                        "errors in lists that are part of the program: its tests find them",
	"verify/convert/internal/converttest/":   "only tests use it",
	"verify/engines/darknet/worker/":         "a worker, which is compiled without the rest of deployctl",
	"verify/engines/gocv/worker/":            "a worker, which is compiled without the rest of deployctl",
	"verify/engines/internal/native/source/": "a worker's source, which is compiled without the rest of deployctl",
	"verify/engines/internal/worker/source/": "a worker's source, which is compiled without the rest of deployctl",
	"verify/engines/onnxruntime/child/":      "a child process, which is not told the language",
	"verify/engines/onnxruntime/worker/":     "a worker, which is compiled without the rest of deployctl",
	"verify/engines/openvino/worker/":        "a worker, which is compiled without the rest of deployctl",
	"verify/engines/tensorflow/worker/":      "a worker, which is compiled without the rest of deployctl",
	"verify/internal/attack/":                "a tool for those who work on deployctl",
	"verify/internal/enginetest/":            "only tests use it",
}

// staysEnglish is the place of the list that a file belongs to, "" for none.
func staysEnglish(path string) string {
	for place := range untranslated {
		if path == place || strings.HasSuffix(place, "/") && strings.HasPrefix(path, place) {
			return place
		}
	}
	return ""
}

// formatVerb is what fmt replaces in a format.
var formatVerb = regexp.MustCompile(`%[-+# 0-9.\[\]*]*[a-zA-Z%]`)

// untranslatedErrors are the texts with English words that a file makes errors of by
// fmt.Errorf or errors.New.
func untranslatedErrors(file *ast.File) (texts []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		fn, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := fn.X.(*ast.Ident)
		if !ok || pkg.Name+"."+fn.Sel.Name != "fmt.Errorf" && pkg.Name+"."+fn.Sel.Name != "errors.New" {
			return true
		}
		// Of a text that is put together, each part counts.
		ast.Inspect(call.Args[0], func(n ast.Node) bool {
			if inner, ok := n.(*ast.CallExpr); ok && inner != call {
				return false // what it is given is its own affair: lang.T("…")
			}
			if text, ok := literal(n); ok {
				if regexp.MustCompile(`[A-Za-z]{2,}`).MatchString(formatVerb.ReplaceAllString(text, "")) {
					texts = append(texts, text)
				}
				return false
			}
			return true
		})
		return true
	})
	return texts
}

// TestErrorsTranslated: an error that a user can meet is made with lang.Errorf, or with
// lang.New where it is a variable of a package.
func TestErrorsTranslated(t *testing.T) {
	used := map[string]bool{}
	for _, file := range goFiles(t) {
		texts := untranslatedErrors(file.File)
		if place := staysEnglish(file.path); place != "" {
			used[place] = used[place] || len(texts) > 0
			continue
		}
		for _, text := range texts {
			t.Errorf("%s: %q stays English with --lang zh: use lang.Errorf (lang.New for a variable of a package)", file.path, text)
		}
	}
	for place := range untranslated {
		if !used[place] {
			t.Errorf("%s has no such error (any more): take it off the list", place)
		}
	}
	for source, want := range map[string]int{
		`fmt.Errorf("read %s: %w", name, err)`: 1, `errors.New("full")`: 1, `errors.New("of "+name+" is full")`: 2,
		`fmt.Errorf("%s: %w", name, err)`: 0, `errors.New(lang.T("full"))`: 0, `lang.Errorf("full")`: 0, `errors.New(text)`: 0,
	} {
		if got := untranslatedErrors(goSource(t, "var _ = "+source).File); len(got) != want {
			t.Errorf("%s: %q, want %d", source, got, want)
		}
	}
}
