package recipes

import (
	"bytes"
	"fmt"
	"maps"
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

// CheckAddress is where a check's page is on the web: the place in the document that
// ChecksMarkdown writes, from the top of this repository.
func CheckAddress(c *Check) string { return "docs/checks.md#" + anchor(c.ID) }

// anchor is an id as the name of a place in a document.
func anchor(id string) string { return strings.ReplaceAll(id, "{name}", "name") }

// ChecksMarkdown is the pages of all checks in one document, by the first word of
// their ids. NAME stands for a component in those that apply to all.
func ChecksMarkdown(checks []Check) []byte {
	byFamily := map[string][]*Check{}
	for i := range checks {
		family, _, _ := strings.Cut(anchor(checks[i].ID), ".")
		byFamily[family] = append(byFamily[family], &checks[i])
	}
	families := slices.Sorted(maps.Keys(byFamily))
	var b bytes.Buffer
	for _, family := range families {
		fmt.Fprintf(&b, "[%s](#family-%s)\n", family, family)
	}
	written := map[string]bool{} // systems can have checks of their own by one id
	for _, family := range families {
		fmt.Fprintf(&b, "\n<a id=\"family-%s\"></a>\n\n## %s\n", family, family)
		for _, c := range byFamily[family] {
			b.WriteByte('\n')
			if id := anchor(c.ID); !written[id] {
				written[id] = true
				fmt.Fprintf(&b, "<a id=\"%s\"></a>\n\n", id)
			}
			name := ""
			if strings.Contains(c.ID, "{name}") {
				name = "NAME"
			}
			b.WriteString("##" + asMarkdown.Replace(c.page(strings.ReplaceAll(c.ID, "{name}", name), name)))
		}
	}
	return b.Bytes()
}

// asMarkdown keeps the characters of a plain text that Markdown has a meaning for, but
// not the marks that page writes.
var asMarkdown = strings.NewReplacer("**", "**", "*", `\*`, "<", "&lt;", `\`, `\\`)

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
