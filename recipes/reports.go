package recipes

import (
	"embed"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/recipes/near"
)

//go:embed library/reports/*.md
var reports embed.FS

// ReportTemplates are the names of the issue texts, "generic" last.
func ReportTemplates() []string {
	var names []string
	entries, err := reports.ReadDir("library/reports")
	if err != nil {
		return nil // it is embedded
	}
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), path.Ext(e.Name())); name != "generic" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return append(names, "generic")
}

// ReportTemplate is the issue text that a project's maintainers ask for, in Markdown,
// with words in braces for what is known of the machine. Sources: the issue templates
// in the projects' repositories (openpose .github/issue_template.md, opencv
// .github/ISSUE_TEMPLATE/bug_report.yml, gocv .github/ISSUE_TEMPLATE.md, AlexeyAB
// darknet .github/ISSUE_TEMPLATE, ncnn .github/ISSUE_TEMPLATE, onnxruntime
// .github/ISSUE_TEMPLATE), of November 2026.
func ReportTemplate(name string) (string, error) {
	text, err := reports.ReadFile("library/reports/" + name + ".md")
	if err != nil {
		return "", near.Unknown("--template", name, ReportTemplates())
	}
	return string(text), nil
}
