package main

import (
	"go/ast"
	"maps"
	"path"
	"slices"
	"testing"
)

// shownResults are the names of results that people read: what a function returns under
// one of them comes from the catalog.
var shownResults = []string{"why", "fix"}

// shownFunctions are functions without such names whose texts people read, and shownCalls
// those that are given such texts, from which argument on; by package.
var (
	shownFunctions = []string{
		"cuda.again", "cuda.inRun", "cuda.permit", "cxx.noTool", "darknet.remedy", "engine.advice", "engine.copies", "engine.freeMemory", "engine.instruction",
		"engine.loaderAdvice", "input.Kind", "judge.cause", "judge.unfit", "judge.unusable", "libfind.orUnknown", "libtorch.remedy", "native.Reinstall", "native.remedy",
		"onnxruntime.remedy", "opencv.Remedy", "opencv.remedy", "openvino.remedy", "python.reinstall", "python.remedy", "tensorflow.remedy", "tools.repair", "verify.usual",
	}
	shownCalls = map[string]int{"engine.bad": 0, "engine.set": 2, "judge.fail": 0, "libfind.say": 0, "output.refuse": 0, "verify.doubt": 0, "verify.reject": 0}
)

// untranslatedResults are the English texts that functions of a file return to people, or
// give to functions that show them.
func untranslatedResults(file goFile, packages ofPackage) []string {
	c := fieldCheck{file: file, packages: packages[path.Dir(file.path)]}
	var walk func(n ast.Node, results []bool, all bool)
	walk = func(n ast.Node, results []bool, all bool) {
		ast.Inspect(n, func(m ast.Node) bool {
			switch m := m.(type) {
			case *ast.FuncLit:
				if m != n {
					walk(m.Body, namedResults(m.Type), false)
					return false
				}
			case *ast.ReturnStmt:
				for i, value := range m.Results {
					if _, call := value.(*ast.CallExpr); all || i < len(results) && results[i] && (len(m.Results) == len(results) || !call) {
						c.value(value, false, nil)
					}
				}
			case *ast.CallExpr:
				name := ""
				switch fn := m.Fun.(type) {
				case *ast.SelectorExpr:
					name = fn.Sel.Name
				case *ast.Ident:
					name = fn.Name
				}
				if from, ok := shownCalls[file.Name.Name+"."+name]; ok {
					for _, arg := range m.Args[min(from, len(m.Args)):] {
						c.value(arg, false, nil)
					}
				}
			}
			return true
		})
	}
	for _, decl := range file.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
			c.locals = assigned(fn) // constants in functions are other programs' words
			walk(fn.Body, namedResults(fn.Type), slices.Contains(shownFunctions, file.Name.Name+"."+fn.Name.Name))
		}
	}
	slices.Sort(c.found)
	return slices.Compact(c.found)
}

// namedResults says of each result whether its name is one of those that people read.
func namedResults(of *ast.FuncType) (shown []bool) {
	if of.Results == nil {
		return nil
	}
	for _, field := range of.Results.List {
		for _, name := range field.Names {
			shown = append(shown, slices.Contains(shownResults, name.Name))
		}
	}
	return shown
}

// TestResultsTranslated: what a function says to people comes from the catalog.
func TestResultsTranslated(t *testing.T) {
	files := goFiles(t)
	packages := packageTexts(files)
	there := map[string]bool{}
	for _, file := range files {
		ast.Inspect(file.File, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				there[file.Name.Name+"."+n.Name.Name] = true
			case *ast.AssignStmt: // a function of a function
				if name, ok := n.Lhs[0].(*ast.Ident); ok {
					there[file.Name.Name+"."+name.Name] = true
				}
			}
			return true
		})
		if staysEnglish(file.path) != "" {
			continue
		}
		for _, text := range untranslatedResults(file, packages) {
			t.Errorf("%s: %q stays English with --lang zh: return lang.T or lang.F", file.path, text)
		}
	}
	for _, name := range slices.AppendSeq(slices.Clone(shownFunctions), maps.Keys(shownCalls)) {
		if !there[name] {
			t.Errorf("there is no function %s (any more): take it off the list", name)
		}
	}
	for source, want := range map[string]int{
		`func f() (why, fix string) { return "the disk is full", lang.T("make room") }`:                                 1,
		`func f() (why, fix string) { return "the disk " + name + " is full", fmt.Sprintf("make %s room", a) }`:         3,
		`func f() (why string, ok bool) { why = lang.T("it is full"); return why, true }`:                               0,
		`func f() (why string, ok bool) { text := "it is full"; return text, true }`:                                    1,
		`func f() func() (why string) { return func() (why string) { return "it is full" } }`:                           1,
		`func f() (why, fix string) { return other("no such key"), "" }`:                                                1,
		`func f() (why, fix string) { return g("a text that is not shown") }`:                                           0,
		`func f() string { return "it is no text for people" }`:                                                         0,
		`func f() { d.say("it is no text for people") }`:                                                                0,
		`func f() (name, fix string) { return "it is no text for people", lang.F("free %s", dir) }`:                     0,
		`func f() (why string) { return lang.F("the engine %s is here: %s", name, "and its sentence in English") }`:     1,
		`func f() (why string) { return strings.Join([]string{lang.T("one is missing"), lang.T("two are here")}, "") }`: 0,
	} {
		file := goSource(t, source)
		if got := untranslatedResults(file, packageTexts([]goFile{file})); len(got) != want {
			t.Errorf("%s: %q, want %d", source, got, want)
		}
	}
}
