package host_test

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
)

// TestVariables: docs/environment.md has every variable that the code reads or gives to
// the programs that it starts, and no other. Code reads one by a call of Getenv, LookupEnv
// and the like; where the name is not written there, every word in that function that can
// be a name counts. It gives one by a string that begins with NAME=.
func TestVariables(t *testing.T) {
	page, err := os.ReadFile(filepath.FromSlash("../../docs/environment.md"))
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(page)) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		for _, m := range regexp.MustCompile("`([A-Za-z0-9_]+(?:\\(x86\\))?)`").FindAllStringSubmatch(line, -1) {
			listed[strings.ToUpper(m[1])] = true // Windows makes no difference
		}
	}
	code := codeVariables(t)
	for name, where := range code.read {
		if !listed[strings.ToUpper(name)] {
			t.Errorf("docs/environment.md lacks %s, which %s reads or sets", name, where)
		}
	}
	for name := range listed {
		if !code.words[name] && !slices.Contains(byLibraries, name) && !slices.Contains(madeOfParts, name) {
			t.Errorf("docs/environment.md has %s, which no code reads or sets", name)
		}
	}
	if len(code.read) < 140 {
		t.Errorf("only %d variables were found in the code", len(code.read))
	}
}

// byLibraries are read by Go's own packages (net/http, crypto/x509, os).
var byLibraries = []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE"}

// madeOfParts are names that the code puts together (installers/wheel/config.go).
var madeOfParts = []string{"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_PROXY"}

// notNames have the form of a variable that is set, and are something else: lines of the
// kernel's uevent files, of os-release and of Makefiles, a property of an installer.
var notNames = []string{"PCI_SLOT_NAME", "PCI_ID", "OF_COMPATIBLE_0", "EXEC", "APPNAME", "ADD_CMAKE_TO_PATH"}

type variablesOfCode struct {
	read  map[string]string // name → the file
	words map[string]bool   // all strings, and what is before = in them, in upper case
}

func codeVariables(t *testing.T) variablesOfCode {
	t.Helper()
	out := variablesOfCode{map[string]string{}, map[string]bool{}}
	word := regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$`)
	given := regexp.MustCompile(`^([A-Z][A-Z0-9_]+)=`)
	reads := []string{"Getenv", "getenv", "LookupEnv", "Env", "EnvPath", "goVariable"}
	root := os.DirFS("../..")
	for _, top := range []string{"cmd", "doctor", "installers", "recipes", "verify"} {
		err := fs.WalkDir(root, top, func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") ||
				strings.Contains(name, "test/") || strings.HasPrefix(name, "verify/internal/attack") {
				return err
			}
			src, err := fs.ReadFile(root, name)
			if err != nil {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, src, 0)
			if err != nil {
				return err
			}
			for _, decl := range file.Decls {
				byName := false
				ast.Inspect(decl, func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.CallExpr:
						callee := ""
						switch f := n.Fun.(type) {
						case *ast.SelectorExpr:
							callee = f.Sel.Name
						case *ast.Ident:
							callee = f.Name
						}
						if !slices.Contains(reads, callee) || len(n.Args) == 0 {
							return true
						}
						if text, ok := literal(n.Args[len(n.Args)-1]); ok {
							out.read[text] = name
						} else {
							byName = true
						}
					case *ast.BasicLit:
						text, ok := literal(n)
						if !ok {
							return true
						}
						out.words[strings.ToUpper(text)] = true
						if m := given.FindStringSubmatch(text); m != nil && !slices.Contains(notNames, m[1]) {
							out.read[m[1]], out.words[m[1]] = name, true
						}
					}
					return true
				})
				if byName {
					for _, text := range literals(decl) {
						if word.MatchString(text) && len(text) > 1 {
							out.read[text] = name
						}
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

func literals(n ast.Node) (list []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok {
			if text, ok := literal(lit); ok {
				list = append(list, text)
			}
		}
		return true
	})
	return list
}
