package recipes

import (
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
