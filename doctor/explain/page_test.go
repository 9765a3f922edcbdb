package explain

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/recipes"
)

var update = flag.Bool("update", false, "rewrite docs/errors.md")

const pageHead = `# Errors that are recognized

<!-- Made from recipes/library/rules by go test ./doctor/explain -run TestErrorsPage -update. -->

What ` + "`deployctl explain`" + ` knows, by class; the [codes](#codes) follow. … stands for a word of
the text. How texts are read, and how a rule is written: [Error texts and codes](explain.md).

`

// TestErrorsPage keeps docs/errors.md equal to the rules and codes (-update writes it).
func TestErrorsPage(t *testing.T) {
	set, err := Embedded()
	if err != nil {
		t.Fatal(err)
	}
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	checks, err := tables.Checks()
	if err != nil {
		t.Fatal(err)
	}
	want := pageHead + errorsPage(set, checks)
	file := filepath.FromSlash("../../docs/errors.md")
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the rules say; run go test ./doctor/explain -run TestErrorsPage -update", file)
	}
}

var (
	group    = regexp.MustCompile(`\{[a-z]+\}`)
	markdown = strings.NewReplacer("*", `\*`, "<", "&lt;", `\`, `\\`, "|", `\|`)
)

func markdownOf(text string) string { return markdown.Replace(group.ReplaceAllString(text, "…")) }

func errorsPage(set *Set, checks []recipes.Check) string {
	var b bytes.Buffer
	byClass := map[string][]Rule{}
	for _, r := range set.Rules {
		byClass[r.Class] = append(byClass[r.Class], r)
	}
	for _, class := range slices.Sorted(maps.Keys(byClass)) {
		fmt.Fprintf(&b, "## %s\n\n%s.\n\n", class, markdownOf(strings.ToUpper(set.Classes[class][:1])+set.Classes[class][1:]))
		for _, r := range byClass[class] {
			fmt.Fprintf(&b, "- <a id=%q></a>`%s`: %s%s%s\n", r.ID, r.ID, markdownOf(r.Cause), fixes(r.Fix), more(checks, r.Page))
		}
		b.WriteByte('\n')
	}
	b.WriteString("## Codes\n")
	for _, f := range set.Codes {
		fmt.Fprintf(&b, "\n### %s\n\nSource: %s.\n\n| code | name | meaning |\n| --- | --- | --- |\n", f.Title, markdownOf(f.Source))
		for _, c := range f.Codes {
			code := ""
			if c.Code != nil {
				code = fmt.Sprint(*c.Code)
				if f.Wide {
					code = fmt.Sprintf("0x%08X", uint32(*c.Code))
				}
			}
			fmt.Fprintf(&b, "| %s | `%s` | %s%s%s |\n", code, c.Name, markdownOf(c.Cause), fixes(c.Fix), more(checks, c.Page))
		}
	}
	return b.String()
}

// fixes are those of all systems in one line.
func fixes(fix map[string]string) string {
	var text string
	for _, system := range []string{"any", "linux", "macos", "windows"} {
		if fix[system] != "" {
			text += " **" + map[string]string{"any": "Fix", "linux": "Linux", "macos": "macOS", "windows": "Windows"}[system] + "**: " + markdownOf(fix[system])
		}
	}
	return text
}

// more links to the page of a requirement, health check or recipe.
func more(checks []recipes.Check, id string) string {
	address := "../" + recipes.PagePath(id)
	switch i := slices.IndexFunc(checks, func(c recipes.Check) bool { return recipes.CheckPage([]recipes.Check{c}, id) != "" }); {
	case id == "":
		return ""
	case recipes.PagePath(id) != "":
	case i >= 0:
		address = strings.TrimPrefix(recipes.CheckAddress(&checks[i]), "docs/")
	default:
		address = "recipes/" + path.Base(id) + ".md"
	}
	return fmt.Sprintf(" [%s](%s)", id, address)
}
