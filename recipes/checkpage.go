package recipes

import (
	"fmt"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// CheckPage is what is known of a health check, as Markdown: id is that of a
// finding, with a component's name where the check has {name}. Systems can have
// checks of their own by one id, and then all are there. It is "" when no check
// makes such a finding. What only a machine can say reads "…".
func CheckPage(checks []Check, id string) string {
	var pages []string
	for i := range checks {
		c := &checks[i]
		name, ok := placed(c.ID, id)
		if !ok || name != "" && len(c.Component) > 0 && !slices.Contains(c.Component, name) {
			continue
		}
		if _, known := FindComponent(name); name != "" && !known {
			continue
		}
		pages = append(pages, c.page(id, name))
	}
	return strings.Join(pages, "\n")
}

// placed matches an id with a check's, and gives what stands for {name}.
func placed(pattern, id string) (name string, ok bool) {
	before, after, placeholder := strings.Cut(pattern, "{name}")
	if !placeholder {
		return "", pattern == id
	}
	name, ok = strings.CutPrefix(id, before)
	if ok {
		name, ok = strings.CutSuffix(name, after)
	}
	return name, ok && name != ""
}

func (c *Check) page(id, name string) string {
	words := map[string]string{"name": name, "display": lang.T("it"), "sudo": "sudo "}
	switch {
	case name != "":
		words["display"] = Display(name)
	case len(c.Component) == 1:
		words["name"], words["display"] = c.Component[0], Display(c.Component[0])
	}
	say := func(text string) string {
		text, _ = Fill(lang.T(text), func(word string) string {
			if value := words[word]; value != "" {
				return value
			}
			return "…"
		})
		return text
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s: %s\n\n", id, say(c.Title))
	if asked := c.When.String(); asked != "all" {
		b.WriteString(lang.F("**Applies to**: %s\n\n", asked))
	}
	b.WriteString(lang.F("**Found**: %s\n\n**Why**: %s\n\n**Fix**, the first that fits the machine:\n\n", say(c.Found), say(c.Why)))
	for _, f := range c.Fix {
		where := ""
		if len(f.OS) > 0 {
			where = lang.F("on %s: ", strings.Join(f.OS, ", "))
		}
		words["do"] = lang.T("What deployctl doctor --fix does.")
		fmt.Fprintf(&b, "- %s%s\n", where, say(f.Text))
	}
	b.WriteString(lang.F("\n**Source**: %s\n", c.Source))
	return b.String()
}
