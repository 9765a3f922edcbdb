package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// unixWords are of no help to a person at a Windows machine.
var unixWords = regexp.MustCompile(`\bsudo\b|\b[Dd]istribution\b|XDG_|/etc/|ldconfig|ulimit|\bchmod\b|\b[Aa]s root\b|apt-get|ca-certificates|\bdmesg\b|\$HOME`)

// neverOnWindows are the files and folders whose texts no Windows shows, and why.
var neverOnWindows = map[string]string{
	"installers/apt": "apt", "installers/apk": "apk", "installers/dnf": "dnf", "installers/zypper": "zypper", "installers/pacman": "pacman", "installers/brew": "brew",
	"installers/pkgmgr/rpm.go": "rpm", "installers/ldconf": "the loader of Linux", "installers/machine.go": "the history that root keeps",
	"installers/elevate/elevate.go":    "Windows has UAC, which Find returns first",
	"installers/export/shell.go":       "scripts for sh",
	"installers/export/shellfiles.go":  "scripts for sh",
	"installers/export/environment.go": "scripts for sh",
	"installers/undo.go":               "what root made is told apart on Unix only",
	"installers/journal.go":            "the history that root keeps",
	"verify/internal/attack":           "tests of Linux",
	"verify/cache/trust.go":            "Windows is not checked",
	"installers/store/store.go":        "ownership.RootOnly is for root, whom Windows does not have",
	"doctor/judge":                     "TestNoForeignFindings and TestNoForeignChecks judge what it says",
	"doctor/probe":                     "paths and facts, no advice",
	"doctor/explain":                   "rules over texts from any system",
	"doctor/internal":                  "tests",
	"doctor/dump":                      "reports of any system",
	"doctor/host":                      "paths, no advice",
	"doctor/closure":                   "paths, no advice",
	"doctor/facts":                     "names",
	"recipes":                          "TestNoForeignAdvice reads the library",
	"doctor/report/diff.go":            "why two machines differ",
	"doctor/report/report.go":          "the beginnings of commands",
}

// onlyThere are single texts that no Windows shows, by how they begin, and why.
var onlyThere = map[string]string{
	"run deployctl as root, or make it a setting":        "the file is /etc/profile.d/deployctl.sh",
	"Only the steps that need it run as root.":           "page.head has another text for a plan for Windows",
	"\nfunction Invoke-AsRoot":                           "the script asks which system runs it",
	"finish it first (dpkg":                              "apt's",
	"see dmesg or":                                       "a signal ended the process",
	"raise the limit (ulimit":                            "engine.OpenFiles and AddressSpace have no limit on Windows, and its error is another",
	"the compiler ran out of address space":              "engine.AddressSpace has no limit on Windows",
	"ran out of address space":                           "engine.AddressSpace has no limit on Windows",
	"the address space of this process":                  "engine.AddressSpace has no limit on Windows",
	"this process may have only":                         "engine.OpenFiles has no limit on Windows",
	"install the system's libraries for windows (Debian": "libGL.so.1 is Linux's",
}

// TestWindowsWords: no text of the program that Windows can show speaks of what only
// Unix has. A function that says such a thing names Windows, too, where it says
// something else.
func TestWindowsWords(t *testing.T) {
	root := filepath.Join("..", "..")
	fset, files := token.NewFileSet(), 0
	used := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if strings.HasPrefix(d.Name(), ".") && rel != "." || d.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") || regexp.MustCompile(`_(linux|unix|otherunix|darwin|other)\.go$`).MatchString(rel) {
			return nil
		}
		for place := range neverOnWindows {
			if rel == place || strings.HasPrefix(rel, place+"/") {
				used[place] = true
				return nil
			}
		}
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files++
		for _, decl := range f.Decls {
			var said []*ast.BasicLit
			knows := false
			ast.Inspect(decl, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.ImportSpec:
					return false
				case *ast.BasicLit:
					text, err := strconv.Unquote(n.Value)
					if n.Kind != token.STRING || err != nil {
						return true
					}
					knows = knows || text == "windows" || text == "linux"
					for start := range onlyThere {
						if strings.HasPrefix(text, start) {
							used[start] = true
							return true
						}
					}
					if strings.Contains(text, " ") && unixWords.MatchString(text) {
						said = append(said, n)
					}
				case *ast.Ident:
					knows = knows || n.Name == "isWindows" || n.Name == "UAC"
				}
				return true
			})
			if knows {
				continue
			}
			for _, n := range said {
				t.Errorf("%s: %.200s", fset.Position(n.Pos()), n.Value)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 {
		t.Errorf("only %d files were read", files)
	}
	for _, listed := range []map[string]string{neverOnWindows, onlyThere} {
		for name := range listed {
			if !used[name] {
				t.Errorf("%s is not there any more", name)
			}
		}
	}
}
