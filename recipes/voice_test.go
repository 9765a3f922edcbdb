package recipes

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// notPlain are words and phrases that no text for people has, and what to say instead.
var notPlain = []struct{ form, say string }{
	{`\bmend(s|ed|ing)?\b`, "fix, repair"},
	{`\bshall\b`, "must, will, is to"},
	{`\bbeneath\b`, "below, under"},
	{`\bso many\b`, "the number"},
	{`\bsomebody\b[^@]`, "someone, another user"},
	{`\bby now\b`, "leave it out"},
	{`\bcould not be told\b`, "could not be determined, is unknown"},
	{`(\b[Tt]here )?\b(is|are|was|were) no (?i:deployctl|snapshot|recipe|file|folder|number|word|version|picture|library|program|ELF|PE|JSON|text|regular|zip|wheel|archive|address|name|component|network|model|engine|flag|command|Darknet|ONNX)\b`, "is not a …"},
	{`\bwins (which|no) lookup`, "is the one X finds, is not on PATH"},
	{`\bthe copy that would do\b`, "a usable copy"},
	{`\bforbids? to\b`, "prevents …ing, does not allow"},
	{`\bmistakes are told\b`, "errors are reported"},
	{`\bis told\b`, "is reported"},
	{`\b(is|are) in order\b`, "valid, OK"},
	{`\brequirements? (that )?holds?\b`, "is satisfied, passes"},
	{`\bmakes? (it|them|a recipe) hold\b`, "satisfies"},
	{`\b[Rr]oom for\b|\bmuch room\b|\b(no|more|less|enough|free) room\b|\broom (to|on|in|is|left)\b`, "disk space, memory"},
	{`\bwants (an? |the |one |two |no |at |to |version|CUDA|OpenCV|Python)`, "requires, needs"},
	{`\basked of\b|\bAsked of\b`, "applies to"},
	{`\bone step milder\b`, "lower the severity by one level"},
	{`that this CUDA accepts`, "supported by this CUDA"},
	{`\bfor ever\b`, "forever"},
	{`\bgoes round in a circle\b`, "extends itself"},
	{`\btake back\b|\btaken back\b|\btaking back\b`, "undo, uninstall"},
	{`(?i)\b(colour|behaviour|neighbour|favour|labelled\b|modelled|licence|centre\b|artefact|(recogn|optim|organ|real|normal|util|minim|summar|serial|synchron|initial|uninitial)is(e|es|ed|ing|ation)\b)`, "the American spelling"},
	{`\b(openCV|minGW|visual Studio|openPose|openVINO|pyTorch|tensorFlow|libTorch|darkNet|openCL|cuDnn|onnx Runtime)\b`, "the name as its maker writes it"},
}

// TestOneVoice: no text of the program, its recipes, rules and documents has a phrase
// that reads like a translation. Texts are the string literals of Go, except in tests,
// YAML and Markdown.
func TestOneVoice(t *testing.T) {
	type rule struct {
		form *regexp.Regexp
		say  string
	}
	var rules []rule
	for _, f := range notPlain {
		rules = append(rules, rule{regexp.MustCompile(f.form), f.say})
	}
	found, files := 0, 0
	check := func(where, text string) {
		for _, r := range rules {
			for _, at := range r.form.FindAllStringIndex(text, -1) {
				if strings.HasPrefix(strings.ToLower(text[at[0]:at[1]]), "there ") {
					continue // plain English
				}
				found++
				line := strings.Count(text[:at[0]], "\n")
				around := strings.Join(strings.Fields(text[max(0, at[0]-50):min(len(text), at[1]+40)]), " ")
				t.Errorf("%s+%d: %q: say %s: …%s…", where, line, text[at[0]:at[1]], r.say, around)
			}
		}
	}
	root := os.DirFS("..")
	for _, top := range []string{"README.md", "cmd", "docs", "doctor", "installers", "recipes", "verify"} {
		err := fs.WalkDir(root, top, func(name string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if e.IsDir() {
				if e.Name() == "testdata" || strings.HasPrefix(e.Name(), ".") {
					return fs.SkipDir
				}
				return nil
			}
			ext := path.Ext(name)
			if ext != ".go" && ext != ".yaml" && ext != ".md" || strings.HasSuffix(name, "_test.go") {
				return nil
			}
			data, err := fs.ReadFile(root, name)
			if err != nil {
				return err
			}
			files++
			if ext != ".go" {
				check(name+":1", string(data))
				return nil
			}
			set := token.NewFileSet()
			file, err := parser.ParseFile(set, name, data, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					text, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Errorf("%s: %v", set.Position(lit.Pos()), err)
						return true
					}
					p := set.Position(lit.Pos())
					check(p.Filename+":"+strconv.Itoa(p.Line), text)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 400 {
		t.Errorf("only %d files were read", files)
	}
	t.Logf("%d files, %d phrases", files, found)
}
