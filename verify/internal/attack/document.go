package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

// document is the table as Markdown.
func document(red, green []row) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `# The proof under attack

Written by `+"`.ci/attack -write docs/attack.md`"+`, which compiles
[an engine that lies](../verify/internal/attack/shim/shim.cpp) and runs
`+"`deployctl verify`"+` with it, one lie at a time, on a network of a third of a
GFLOP. Each must fail, and say why. Then it runs sound machines that are unusual
in one way; each must pass.

## Engines that lie

| attack | what the engine does | reason given |
| --- | --- | --- |
`)
	for _, r := range red {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.name, cell(r.what), cell(r.got))
	}
	b.WriteString(`
## Unusual machines

| variation | what is unusual | verdict |
| --- | --- | --- |
`)
	for _, r := range green {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", r.name, cell(r.what), cell(r.got))
	}
	return b.Bytes()
}

// scratch is a folder of one run, which is another one each time.
var scratch = regexp.MustCompile(`/\S*/job-\d+/`)

// cell fits a text in a cell of a table.
func cell(s string) string {
	s = scratch.ReplaceAllString(s, "")
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(s)
}
