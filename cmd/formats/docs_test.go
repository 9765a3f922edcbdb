package formats

import (
	"path/filepath"
	"strings"
	"testing"
)

// manualPage is docs/formats.md: what is written here, and the list of formats.
func manualPage() string {
	var b strings.Builder
	b.WriteString("# Output formats\n\n" +
		"<!-- Made from cmd/formats by go test ./cmd/formats -run TestDocs -update. -->\n\n" +
		"Each command makes one result, and `--format` chooses how it is written. Except for\n" +
		"text, standard output holds the document and nothing else, and the exit code is the same\n" +
		"in every format.\n\n" +
		"| `--format` | what it is | who reads it | commands that have it |\n| --- | --- | --- | --- |\n")
	for _, f := range All() {
		b.WriteString("| [`" + f.Name + "`](#" + f.Name + ") | " + f.About + " | " + f.For + " | " + strings.Join(f.Commands, ", ") + " |\n")
	}
	b.WriteString("\n`deployctl plan` also writes [scripts](plan.md), and most other commands have `text` and `json`.\n")
	b.WriteString("\nIn GitHub Actions (`GITHUB_ACTIONS=true`), `github` is the default; everywhere else it is\n`text`.\n\n" +
		"## What a check becomes\n\n" +
		"| state | JUnit | TAP | SARIF, GitHub | GitLab |\n| --- | --- | --- | --- | --- |\n" +
		"| ok, info | passed | `ok` | – | – |\n| skipped | skipped | `ok … # SKIP` | – | – |\n" +
		"| warn | passed, named in `system-out` | `not ok … # TODO` | warning | minor |\n" +
		"| unknown, only recommended | as warn | as warn | warning | minor |\n" +
		"| unknown, required | error | `not ok` | error | major |\n| pending (restart, new shell) | error | `not ok` | error | major |\n" +
		"| fail | failure | `not ok` | error | critical |\n\n" +
		"With `verify`, and after `doctor --fix`, each engine is a check, too. When a run stops\n" +
		"early, the reason is a failed check with the id `deployctl.run`.\n\n" +
		"SARIF and GitLab need a file for every problem. A finding about your project names the\n" +
		"file and line, relative to `GITHUB_WORKSPACE`, `CI_PROJECT_DIR` or the project's folder.\n" +
		"A finding about the machine names `machine/ID` in SARIF and `.gitlab-ci.yml` in GitLab.\n")
	notes := map[string]string{
		JSON: "Schemas: [doctor](schema/doctor.schema.json), [verify](schema/verify.schema.json), [plan](schema/plan.schema.json),\n" +
			"[diff](schema/diff.schema.json), [bench](schema/bench.schema.json), [facts](schema/facts.schema.json), [lock](schema/lock.schema.json), [bundle](schema/bundle.schema.json). `schema` is the version: keys may be\n" +
			"added within one, and none changes its meaning. `tool` and `time` say which deployctl made\n" +
			"the document, and when. A lock and a bundle have neither: the same machine gives the same\n" +
			"lock, to the byte. `--plan` adds the plan.\n",
		"csv":        "Spreadsheets and scripts read it. Times are in seconds, memory is in bytes.\n",
		"junit":      "Valid against the schema of Apache Ant's JUnit task. The host's name is left out.\n",
		"sarif":      "Valid against the OASIS schema of SARIF 2.1.0.\n",
		"prometheus": "Every series has the labels `command` and `recipe`, so the files of several runs can be in\none folder. `deployctl_run_timestamp_seconds` says how old the result is.\n",
		GitHub:       "The text, with workflow commands switched off while it is written; then an annotation for\neach problem; then the summary of the step, in Markdown, where the runner asks for one.\n",
		"html": "The page has no script and loads nothing. It follows the light or dark colors of the reader,\nand can be used with the keyboard and a screen reader. On paper, folded parts are open\n" +
			"(`.ci/html` checks it in Chromium with axe-core). With `doctor --fix` and `verify` it has the\npicture of the proof and a chart of the engines. A finding links its page on the web. `plan` has the steps and their reasons,\n`diff` a table of what differs, `bench` a table and a chart for each network.\n\n" +
			"![The report of a bare Debian 12: findings and plan, in light colors](report-light.png)\n\n![A report with a proof, in dark colors](report-dark.png)\n",
	}
	for _, f := range All() {
		b.WriteString("\n## " + f.Name + "\n\n" + strings.ToUpper(f.About[:1]) + f.About[1:] + ".\n")
		if n := notes[f.Name]; n != "" {
			b.WriteString(n)
		}
		b.WriteString("\n```" + f.Lang + "\n" + f.Example + "\n```\n")
	}
	b.WriteString("\n## diff\n\n" +
		"Every format of `deployctl diff A B` names the two machines. Exit codes: 0 they are alike,\n" +
		"3 a difference breaks programs from A on B, 4 they differ otherwise. In `junit` and `github`,\n" +
		"a difference that breaks programs is a failure, and one that matters is a warning.\n")
	return b.String()
}

// TestDocs keeps docs/formats.md equal to the list of formats.
func TestDocs(t *testing.T) {
	keep(t, filepath.FromSlash("../../docs/formats.md"), manualPage())
}
