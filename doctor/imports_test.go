package doctor_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestImportsRunOneWay holds the house together: cmd → installers, verify →
// doctor → recipes, and doctor/host and doctor/facts know nothing of ours but the
// catalog of texts, which knows nothing of ours either.
func TestImportsRunOneWay(t *testing.T) {
	const module = "github.com/deployctl/deployctl/"
	const texts = "recipes/library/lang"
	forbidden := map[string][]string{
		"recipes":      {"doctor", "installers", "verify", "cmd"},
		"doctor":       {"installers", "verify", "cmd"},
		"installers":   {"verify", "cmd"},
		"verify":       {"installers", "cmd"},
		texts:          {"recipes", "doctor", "installers", "verify", "cmd"},
		"doctor/host":  {"recipes", "doctor/facts", "doctor/probe"},
		"doctor/facts": {"recipes", "doctor/host", "doctor/probe"},
	}
	root := os.DirFS("..")
	seen := 0
	for dir, bad := range forbidden {
		err := fs.WalkDir(root, dir, func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || filepath.Ext(name) != ".go" {
				return err
			}
			src, err := fs.ReadFile(root, name)
			if err != nil {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
			if err != nil {
				return err
			}
			seen++
			for _, imp := range file.Imports {
				path, err := strconv.Unquote(imp.Path.Value)
				if err != nil {
					return err
				}
				own, ok := strings.CutPrefix(path, module)
				for _, b := range bad {
					if ok && own != texts && (own == b || strings.HasPrefix(own, b+"/")) {
						t.Errorf("%s imports %s: %s must not know %s", name, own, dir, b)
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen == 0 {
		t.Error("no file was looked at")
	}
}
