package main

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// shownFields are the fields of structs that people read as they stand, by package and
// type. A text in one of them comes from the catalog.
var shownFields = map[string][]string{
	"bundle.Error":          {"Why", "Next"},
	"download.answer":       {"text"},
	"engine.AnswerError":    {"Text", "Fix"},
	"engine.Death":          {"Why", "Fix"},
	"engine.Misloaded":      {"Why", "Fix"},
	"engine.Unavailable":    {"Why", "Fix"},
	"facts.Unusable":        {"Detail", "Remedy"},
	"installers.Failure":    {"Cause", "Next"}, // those of package step and mechanism by other names
	"installers.Manual":     {"Title", "Reason", "Do"},
	"installers.Progress":   {"Message"},
	"installers.Step":       {"Title", "Undo", "Note"},
	"installers.StepResult": {"Note"},
	"lockfile.Error":        {"Why", "Next"},
	"look.UnusableError":    {"Why"},
	"mechanism.Check":       {"Note"},
	"mechanism.Manual":      {"Title", "Reason", "Do"},
	"mechanism.Room":        {"Next"},
	"mechanism.Script":      {"Undo", "Refuse"},
	"pkgmgr.Manager":        {"Note", "NoRemove", "Undo", "Sources"},
	"step.Cost":             {"Note"},
	"step.Failure":          {"Cause", "Next"},
	"step.Progress":         {"Message"},
	"step.Step":             {"Title", "Undo", "Note"},
	"verify.Engine":         {"Why", "Fix", "Arithmetic"},
	"verify.InputError":     {"Text"},
}

// lateFields are fields whose texts are translated when they are shown: tables that are
// variables of packages, made before the language is known. A text in one of them is a
// text of the catalog as it stands.
var lateFields = map[string][]string{
	"convert.Format": {"Elsewhere"},
	"native.Kind":    {"Get", "Without"},
	"pkgmgr.Code":    {"Cause", "Next"},
	"pkgmgr.Rule":    {"Cause", "Next"},
}

// lateConstants are types whose constants are texts that are translated when they are
// shown.
var lateConstants = []string{"archive.Why"}

// fieldWord is an English word in a text that is not one name, and wholeCommand a text
// that a person types.
var (
	fieldWord    = regexp.MustCompile(`(?:^|[ (])[a-z]{2,}[,.;:)]*(?:$| )`)
	wholeCommand = regexp.MustCompile(`^(?:sudo|apt-get|dpkg|dnf|zypper|pacman|apk|brew|winget|choco|scoop|vcpkg|pip|python3?|npm|go|dism|export|unset|mkdir|echo|deployctl (?:bundle|cache|doctor|undo|verify|plan)) `)
)

// ofPackage are the texts that constants and variables of packages have, by folder.
type ofPackage map[string]map[string]ast.Expr

// texts are the constants and variables of the packages.
func packageTexts(files []goFile) ofPackage {
	of := ofPackage{}
	for _, file := range files {
		dir := path.Dir(file.path)
		if of[dir] == nil {
			of[dir] = map[string]ast.Expr{}
		}
		for _, decl := range file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				if values, ok := spec.(*ast.ValueSpec); ok && len(values.Names) == len(values.Values) {
					for i, name := range values.Names {
						of[dir][name.Name] = values.Values[i]
					}
				}
			}
		}
	}
	return of
}

// fieldCheck looks for English texts in the fields that people read, within one function.
type fieldCheck struct {
	file     goFile
	packages map[string]ast.Expr
	// locals are the values that a variable of the function is given anywhere in it.
	locals map[string][]ast.Expr
	found  []string
	late   []string // texts that are translated when they are shown
}

// untranslatedFields are the English texts that a file gives to shown fields.
func untranslatedFields(file goFile, packages ofPackage) []string {
	found, _ := checkFields(file, packages)
	return found
}

// checkFields are they, and the texts that are translated when they are shown.
func checkFields(file goFile, packages ofPackage) (found, late []string) {
	c := fieldCheck{file: file, packages: packages[path.Dir(file.path)]}
	for _, decl := range file.Decls {
		c.locals = assigned(decl)
		ast.Inspect(decl, func(n ast.Node) bool {
			if n, ok := n.(*ast.ValueSpec); ok && len(n.Names) == len(n.Values) {
				for i, name := range n.Names {
					c.locals[name.Name] = append(c.locals[name.Name], n.Values[i])
				}
			}
			return true
		})
		ast.Inspect(decl, c.look)
	}
	slices.Sort(c.found)
	return slices.Compact(c.found), c.late
}

// assigned are the values that names are assigned anywhere in a declaration.
func assigned(decl ast.Decl) map[string][]ast.Expr {
	values := map[string][]ast.Expr{}
	ast.Inspect(decl, func(n ast.Node) bool {
		if n, ok := n.(*ast.AssignStmt); ok {
			eachGiven(n.Lhs, n.Rhs, func(to, value ast.Expr) {
				if name, ok := to.(*ast.Ident); ok {
					values[name.Name] = append(values[name.Name], value)
				}
			})
		}
		return true
	})
	return values
}

// eachGiven gives what is assigned to what; of a call with several results, each gets it.
func eachGiven(left, right []ast.Expr, each func(to, value ast.Expr)) {
	for i, to := range left {
		each(to, right[min(i, len(right)-1)])
	}
}

// look checks one composite literal or assignment.
func (c *fieldCheck) look(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.CompositeLit:
		c.fields(n, n.Type)
	case *ast.ValueSpec:
		if of, ok := n.Type.(*ast.Ident); ok && slices.Contains(lateConstants, c.file.Name.Name+"."+of.Name) {
			for _, value := range n.Values {
				if text, ok := literal(value); ok {
					c.late = append(c.late, text)
				}
			}
		}
	case *ast.AssignStmt:
		eachGiven(n.Lhs, n.Rhs, func(to, value ast.Expr) {
			field, ok := to.(*ast.SelectorExpr)
			if !ok {
				return
			}
			for of, fields := range shownFields {
				if slices.Contains(fields, field.Sel.Name) && c.knows(of) {
					c.value(value, false, nil)
				}
			}
		})
	}
	return true
}

// lateTexts are the texts of all files that are translated when they are shown, with
// the file.
func lateTexts(files []goFile) map[string]string {
	texts := map[string]string{}
	for _, file := range files {
		_, late := checkFields(file, nil)
		for _, text := range late {
			texts[text] = file.path
		}
	}
	return texts
}

// knows reports whether the file can have a value of a type: it is in its package, or
// imports that. What type a variable has is not looked up.
func (c *fieldCheck) knows(of string) bool {
	pkg, _, _ := strings.Cut(of, ".")
	return c.file.Name.Name == pkg || slices.ContainsFunc(c.file.Imports, func(i *ast.ImportSpec) bool {
		return strings.HasSuffix(strings.Trim(i.Path.Value, `"`), "/"+pkg)
	})
}

// fields checks a literal of a type; those in a list or a map may leave theirs out.
func (c *fieldCheck) fields(lit *ast.CompositeLit, of ast.Expr) {
	name := ""
	switch t := of.(type) {
	case *ast.StarExpr:
		c.fields(lit, t.X)
		return
	case *ast.ArrayType, *ast.MapType:
		elem := ast.Expr(nil)
		if list, ok := t.(*ast.ArrayType); ok {
			elem = list.Elt
		} else {
			elem = t.(*ast.MapType).Value
		}
		for _, one := range lit.Elts {
			if kv, ok := one.(*ast.KeyValueExpr); ok {
				one = kv.Value
			}
			if inner, ok := one.(*ast.CompositeLit); ok && inner.Type == nil {
				c.fields(inner, elem)
			}
		}
		return
	case *ast.Ident:
		name = c.file.Name.Name + "." + t.Name
	case *ast.SelectorExpr:
		if pkg, ok := t.X.(*ast.Ident); ok {
			name = pkg.Name + "." + t.Sel.Name
		}
	}
	fields, late := shownFields[name], lateFields[name]
	if fields == nil && late == nil {
		return
	}
	for _, one := range lit.Elts {
		kv, ok := one.(*ast.KeyValueExpr)
		value := one // without a key, only the type tells which field it is
		if ok {
			key, named := kv.Key.(*ast.Ident)
			if value = kv.Value; !named || !slices.Contains(slices.Concat(fields, late), key.Name) {
				continue
			}
		}
		if text, plain := literal(value); plain && late != nil {
			c.late = append(c.late, text)
		} else {
			c.value(value, false, nil)
		}
	}
}

// value looks for English texts in what a field is given. Among the arguments of a
// function, one word may be a key; seen are the names that were followed.
func (c *fieldCheck) value(value ast.Expr, argument bool, seen []string) {
	if text, ok := literal(value); ok {
		bare := strings.ReplaceAll(formatVerb.ReplaceAllString(text, ""), "deployctl", "") // a name
		if fieldWord.MatchString(bare) && !wholeCommand.MatchString(text) && (!argument || regexp.MustCompile(`\S \S`).MatchString(bare)) {
			c.found = append(c.found, text)
		}
		return
	}
	switch v := value.(type) {
	case *ast.BinaryExpr:
		if v.Op == token.ADD {
			c.value(v.X, argument, seen)
			c.value(v.Y, argument, seen)
		}
	case *ast.ParenExpr:
		c.value(v.X, argument, seen)
	case *ast.CallExpr:
		pkg := ""
		if fn, ok := v.Fun.(*ast.SelectorExpr); ok {
			if from, ok := fn.X.(*ast.Ident); ok {
				pkg = from.Name
			}
		}
		if pkg == "lang" {
			// What a format is given is a text of its own.
			for _, arg := range v.Args[min(1, len(v.Args)):] {
				c.value(arg, true, seen)
			}
			return
		}
		for _, arg := range v.Args {
			c.value(arg, pkg != "fmt" && pkg != "cmp", seen)
		}
	case *ast.Ident:
		if slices.Contains(seen, v.Name) {
			return
		}
		seen = append(slices.Clone(seen), v.Name)
		for _, one := range c.locals[v.Name] {
			c.value(one, argument, seen)
		}
		if len(c.locals[v.Name]) == 0 && c.packages[v.Name] != nil {
			c.value(c.packages[v.Name], argument, seen)
		}
	}
}

// TestFieldsTranslated: what a field says to people comes from the catalog.
func TestFieldsTranslated(t *testing.T) {
	files := goFiles(t)
	packages := packageTexts(files)
	for _, file := range files {
		if staysEnglish(file.path) != "" {
			continue
		}
		for _, text := range untranslatedFields(file, packages) {
			t.Errorf("%s: %q stays English with --lang zh: give the field lang.T or lang.F", file.path, text)
		}
	}
	for _, text := range []string{"another installation is running", "winget could not open its sources", "the package manager needs root", "a path that leaves the folder"} {
		if lateTexts(files)[text] == "" {
			t.Errorf("%q is not among the texts that are translated when they are shown", text)
		}
	}
	for source, want := range map[string]int{
		// Literals, each part of a text that is put together, formats, arguments.
		`var _ = step.Failure{Cause: "the disk is full", Next: lang.T("make room")}`:                                                  1,
		`var _ = &step.Failure{Kind: "no words here", Cause: dir + " is full, " + "or read-only"}`:                                    2,
		`var _ = step.Failure{Cause: fmt.Sprintf("%s is full", dir), Next: cmp.Or(next, "make room")}`:                                2,
		`var _ = step.Failure{Cause: lang.F("%s is full", name("the disk"))}`:                                                         1,
		`var _ = step.Failure{Cause: helper("the disk is full")}`:                                                                     1,
		`var _ = []step.Failure{{Cause: "full"}, {Cause: lang.T("the disk is full")}}`:                                                1,
		`var _ = map[string]*step.Failure{"a": {Next: "make room"}}`:                                                                  1,
		`var _ = step.Failure{step.Other, "the disk is full"}`:                                                                        1,
		`import "x/step"; func f() { x.Cause = "full" }`:                                                                              1,
		`import "x/step"; func f() { x.Kind, x.Cause, x.Next = "is no text", "the disk is full", "make room" }`:                       2,
		`import "x/step"; func f() { x.Cause += ", which is full" }`:                                                                  1,
		`import "x/step"; func f() { cause := "the disk is full"; if full { cause = "it is full" }; _ = step.Failure{Cause: cause} }`: 2,
		`import "x/step"; const again = "then run it again"; func f() { x.Next = lang.T("make room, ") + again }`:                     1,
		`const again = ", then again"; var _ = pkgmgr.Rule{Cause: "the disk is full", Next: "make room" + again}`:                     2,
		// Translated, no words, names, keys, commands, other fields and types.
		`var _ = step.Failure{Cause: lang.T("the disk is full"), Next: lang.F("free %s", dir), Detail: list("of words")}`: 0,
		`var _ = step.Failure{Cause: fmt.Sprintf("%s: %v (pip.conf)", a, err), Next: err.Error()}`:                        0,
		`var _ = step.Failure{Cause: settings("index").from + by["no such key"]}`:                                         0,
		`var _ = step.Failure{Next: "sudo apt-get install libopencv-dev"}`:                                                0,
		`var _ = step.Failure{Next: "deployctl doctor opencv-dnn --fix"}`:                                                 0,
		`var _ = []pkgmgr.Code{{step.Other, "the disk is full", "make" + " room"}}`:                                       0,
		`var _ = other.Failure{Cause: "the disk is full"}`:                                                                0,
		`func f() { x.Cause = "full" }`:                                                                                   0, // of a package that knows no such type
		`import "x/step"; func f() { x.Name = "the disk is full"; cause := "it is full"; _ = cause }`:                     0,
		`import "x/step"; func f() { cause := lang.T("it is full"); cause = cause + "."; x.Cause = cause }`:               0,
	} {
		file := goSource(t, source)
		if got := untranslatedFields(file, packageTexts([]goFile{file})); len(got) != want {
			t.Errorf("%s: %q, want %d", source, got, want)
		}
	}
}

// tooEarly are the texts that the variables of a package are made with: they are asked
// of the catalog before the language is known.
func tooEarly(file *ast.File) (texts []string) {
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		ast.Inspect(gen, func(n ast.Node) bool {
			if _, later := n.(*ast.FuncLit); later {
				return false
			}
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if fn, ok := call.Fun.(*ast.SelectorExpr); ok && len(call.Args) > 0 {
				pkg, named := fn.X.(*ast.Ident)
				if text, plain := literal(call.Args[0]); named && plain && pkg.Name == "lang" && fn.Sel.Name != "New" {
					texts = append(texts, text)
				}
			}
			return true
		})
	}
	return texts
}

// TestNotTooEarly: no variable of a package has a text in the language that was set
// before any.
func TestNotTooEarly(t *testing.T) {
	for _, file := range goFiles(t) {
		for _, text := range tooEarly(file.File) {
			t.Errorf("%s: %q is always English: make it when it is shown", file.path, text)
		}
	}
	for source, want := range map[string]int{
		`var full = lang.T("the disk is full")`: 1, `var rules = []rule{{Cause: lang.T("full")}, {Cause: lang.F("%s is full", disk)}}`: 2,
		`var full = func() string { return lang.T("full") }`: 0, `var errFull = lang.New("full")`: 0, `func f() { full := lang.T("full") }`: 0,
	} {
		if got := tooEarly(goSource(t, source).File); len(got) != want {
			t.Errorf("%s: %q, want %d", source, got, want)
		}
	}
}
