package recipes

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckPages: every finding's id has a page.
func TestCheckPages(t *testing.T) {
	checks, err := embeddedChecks()
	if err != nil {
		t.Fatal(err)
	}
	for i := range checks {
		c := &checks[i]
		name := "opencv"
		if len(c.Component) > 0 {
			name = c.Component[0]
		}
		id := strings.ReplaceAll(c.ID, "{name}", name)
		page := CheckPage(checks, id)
		for _, want := range []string{"# " + id + ": ", "**Why**: ", "\n- ", "**Source**: " + c.Source} {
			if !strings.Contains(page, want) {
				t.Errorf("%s: no %q in\n%s", id, want, page)
			}
		}
		if wordForm.Get().MatchString(page) {
			t.Errorf("%s: words are left in\n%s", id, page)
		}
	}
	for _, id := range []string{"foo.library-missing", "opencv.", "cudnn.header"} {
		if page := CheckPage(checks, id); page != "" {
			t.Errorf("%s has a page:\n%s", id, page)
		}
	}
}

const checksHead = `# Health checks

<!-- Made from recipes/library/checks by go test ./recipes -run TestChecksPage -update. -->

deployctl judges these for every component that a recipe touches, and for the machine as a
whole. ` + "`deployctl explain ID`" + ` prints the same page; a check that finds nothing wrong says
nothing. The pages of requirements are in [recipes/pages](../recipes/pages); which recipe
has which is in [recipes](recipes/). NAME stands for a component, as in
` + "`opencv.library-missing`" + `; … stands for what only the machine can say.

`

// TestChecksPage keeps docs/checks.md equal to the checks (-update writes it), and each
// check has a place in it that findings link to.
func TestChecksPage(t *testing.T) {
	checks, err := embeddedChecks()
	if err != nil {
		t.Fatal(err)
	}
	want := checksHead + string(ChecksMarkdown(checks))
	file := filepath.FromSlash("../docs/checks.md")
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
		t.Errorf("%s is not what the checks say; run go test ./recipes -run TestChecksPage -update", file)
	}
	for i := range checks {
		_, place, _ := strings.Cut(CheckAddress(&checks[i]), "#")
		if n := strings.Count(want, `<a id="`+place+`"></a>`); n != 1 {
			t.Errorf("%s: %d places in %s", checks[i].ID, n, file)
		}
	}
}
