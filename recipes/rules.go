package recipes

import (
	"embed"
	"io/fs"
)

//go:embed library/rules/*.yaml
var rules embed.FS

// RuleFiles are the rules that explain error texts, the table of error codes
// and the list of failure classes. Package doctor/explain reads them;
// docs/explain.md describes the format.
func RuleFiles() (fs.FS, error) { return fs.Sub(rules, "library/rules") }
