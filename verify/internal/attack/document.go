package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// document is the table as Markdown.
func document(cases []attempt) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# The proof under attack

Written by `+"`.ci/attack -write docs/attack.md`"+`, which compiles
[an engine that lies](../verify/internal/attack/shim/shim.cpp) and runs
`+"`deployctl verify`"+` with it, one lie at a time, on a network of a third of a
GFLOP. Each must fail, and say why. Then it runs sound machines that are unusual
in one way; each must pass. Last come caches that were damaged, or that another
user planted, as root and as a user: what was planted must not be used.
`)
	for i, head := range []string{
		"## Engines that lie\n\n| attack | what the engine does | reason given |",
		"## Unusual machines\n\n| variation | what is unusual | verdict |",
		"## Damaged and planted caches\n\n| user and cache | what was done to it | verdict |",
	} {
		fmt.Fprintf(&b, "\n%s\n| --- | --- | --- |\n", head)
		for _, a := range cases {
			if a.chapter == i {
				fmt.Fprintf(&b, "| %s | %s | %s |\n", a.row.name, cell(a.row.what), cell(a.row.got))
			}
		}
	}
	return b.Bytes()
}

// scratch is a folder of one run, which is another one each time.
var scratch = regexp.MustCompile(`/\S*/(job-\d+|attack-\d+)/`)

// cell fits a text in a cell of a table.
func cell(s string) string {
	s = scratch.ReplaceAllString(s, "")
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(s)
}
