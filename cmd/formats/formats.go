// Package formats writes one result of doctor, verify, plan, diff or bench for other
// programs and for sharing: CI systems, monitoring, a browser. Each format is a file; All is
// the one list that --format, its completion and docs/formats.md are made from.
// It must never judge, look at a machine, or say anything that the result does
// not say.
package formats

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/doctor/solve"
	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/recipes/near"
	"github.com/deployctl/deployctl/verify"
	"github.com/deployctl/deployctl/verify/bench"
)

// Document is the result of one command.
type Document struct {
	Command string // doctor, verify, plan, diff or bench
	// Doctor is nil for verify, Proof where nothing was proven.
	Doctor *report.Report
	Proof  *verify.Result
	// Solution is plan's result, Comparison diff's and Bench bench's; each is nil for
	// the other commands.
	Solution   *solve.Solution
	Comparison *report.Comparison
	Bench      *bench.Report
	// Next is the sentence after a solution that says what to run, "" for none.
	Next string
	// Changes are bench.Changes' lines, nil where nothing was compared.
	Changes []string
	// Plan and Manual are what --fix would do, or did, and what it leaves to a
	// person.
	Plan   []step.Step
	Manual []mechanism.Manual
	// Facts and Picture (a PNG or JPEG file's bytes) are for formats that show
	// them; nil for none.
	Facts   *facts.Facts
	Picture []byte
	// Root is the folder that files of the project are named from; "" for none.
	Root    string
	Version string // deployctl's own
	Time    time.Time
	Exit    int // the command's exit code
	Style   report.Style
}

// Format is one way to write a Document.
type Format struct {
	Name string
	// About completes "NAME: …" in help and docs; For says who reads it.
	About, For string
	// Example is a command line with its surroundings, as Markdown's code block of
	// the language Lang.
	Example, Lang string
	// Commands are those that have it.
	Commands []string
	// Plans: it has a place for the plan, so --plan makes sense.
	Plans bool
	// Pictures: it shows the picture of the proof.
	Pictures bool
	// Live: text is written while the command runs; else the whole document is
	// written once, at the end.
	Live  bool
	write func(io.Writer, *Document) error
}

// The commands that have formats.
const (
	Doctor = "doctor"
	Verify = "verify"
	Plan   = "plan"
	Diff   = "diff"
	Bench  = "bench"
)

// All is the list of formats.
func All() []Format {
	judged := []string{Doctor, Verify}
	annotated := []string{Doctor, Verify, Diff}
	every := []string{Doctor, Verify, Plan, Diff, Bench}
	return []Format{
		{Name: Text, Commands: every, About: "for people, in a terminal", For: "You", Live: true, write: writeText,
			Lang: "sh", Example: "deployctl doctor"},
		{Name: JSON, Commands: every, About: "everything, as one JSON document with a published schema", For: "Scripts", Plans: true, write: writeJSON,
			Lang: "sh", Example: "deployctl doctor --format json | jq '.findings[] | select(.state == \"fail\")'"},
		{Name: "junit", Commands: annotated, About: "JUnit XML, one test case for each check", For: "Jenkins, GitLab, Azure Pipelines, CircleCI", write: writeJUnit,
			Lang: "yaml", Example: "# .gitlab-ci.yml\ncheck:\n  script: deployctl doctor --format junit > deployctl.xml\n  artifacts: {when: always, reports: {junit: deployctl.xml}}"},
		{Name: "tap", Commands: judged, About: "Test Anything Protocol, version 13", For: "prove and other TAP harnesses", write: writeTAP,
			Lang: "sh", Example: "prove --exec 'deployctl doctor --format tap --recipe' opencv-yolov3"},
		{Name: "sarif", Commands: judged, About: "SARIF 2.1.0, problems only", For: "GitHub code scanning, editors", write: writeSARIF,
			Lang: "yaml", Example: "# a GitHub workflow\n- run: deployctl doctor --format sarif > deployctl.sarif\n  continue-on-error: true\n- uses: github/codeql-action/upload-sarif@v3\n  with: {sarif_file: deployctl.sarif}"},
		{Name: "prometheus", Commands: judged, About: "metrics for node_exporter's textfile collector", For: "Prometheus", write: writePrometheus,
			Lang: "sh", Example: "f=/var/lib/node_exporter/deployctl.prom\ndeployctl doctor --format prometheus > $f.tmp; mv $f.tmp $f"},
		{Name: "markdown", Commands: every, About: "a summary for pull requests and wikis", For: "People, on a web page", Plans: true, write: writeMarkdown,
			Lang: "sh", Example: "deployctl doctor --format markdown | gh pr comment --body-file -"},
		{Name: GitHub, Commands: annotated, About: "text, workflow annotations and a step summary", For: "GitHub Actions", Live: true, write: writeGitHub,
			Lang: "yaml", Example: "# a GitHub workflow: deployctl chooses this format by itself\n- run: deployctl doctor"},
		{Name: "gitlab", Commands: judged, About: "GitLab code quality JSON, problems only", For: "GitLab merge requests", write: writeGitLab,
			Lang: "yaml", Example: "# .gitlab-ci.yml\ncheck:\n  script: deployctl doctor --format gitlab > gl-code-quality-report.json\n  artifacts: {when: always, reports: {codequality: gl-code-quality-report.json}}"},
		{Name: "html", Commands: every, About: "one page that needs nothing else: light, dark and on paper", For: "People, in a browser", Plans: true, Pictures: true, write: writeHTML,
			Lang: "sh", Example: "deployctl doctor --format html > report.html"},
		{Name: "csv", Commands: []string{Bench}, About: "one line for each engine and setting: seconds, bytes", For: "Spreadsheets", write: writeCSV,
			Lang: "sh", Example: "deployctl bench --format csv > bench.csv"},
	}
}

// The formats that are more than a document at the end.
const (
	Text   = "text"
	JSON   = "json"
	GitHub = "github"
)

// Default is the format where none was asked for: on GitHub's runners their own.
func Default(getenv func(string) string) string {
	if getenv("GITHUB_ACTIONS") == "true" {
		return GitHub
	}
	return Text
}

// ForPeople reports whether what a value of --format stands for is read by people, so
// that it is in their language: texts, tables and pages. The others are for programs.
func ForPeople(name string) bool {
	return slices.Contains([]string{Text, GitHub, "markdown", "html", "table"}, name)
}

// Of are the formats of a command.
func Of(command string) []Format {
	return slices.DeleteFunc(All(), func(f Format) bool { return !slices.Contains(f.Commands, command) })
}

// Names are those of a command's formats.
func Names(command string) []string {
	var names []string
	for _, f := range Of(command) {
		names = append(names, f.Name)
	}
	return names
}

// Planning are the names of doctor's formats that show a plan.
func Planning() []string {
	var names []string
	for _, f := range Of(Doctor) {
		if f.Plans {
			names = append(names, f.Name)
		}
	}
	return names
}

// Either lists names for a sentence: a, b or c.
func Either(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// Unknown is the error for a format that is not one of names.
func Unknown(name string, names []string) error {
	return near.Unknown("--format", name, names)
}

// Find gives a command's format of a name.
func Find(command, name string) (Format, error) {
	list := Of(command)
	i := slices.IndexFunc(list, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return Format{}, Unknown(name, Names(command))
	}
	return list[i], nil
}

// Write writes the document.
func (f Format) Write(w io.Writer, d *Document) error {
	if err := f.write(w, d); err != nil {
		return lang.Errorf("write the result as %s: %w", f.Name, err)
	}
	return nil
}

func writeText(w io.Writer, d *Document) error {
	switch {
	case d.Doctor != nil:
		return d.Doctor.WriteText(w, d.Style)
	case d.Comparison != nil:
		return d.Comparison.WriteText(w, d.Style)
	case d.Solution != nil:
		err := d.Solution.WriteText(w, d.Style.Width)
		if err == nil && d.Next != "" {
			_, err = fmt.Fprintf(w, "\n%s\n", report.Wrap(d.Next, 0, d.Style.Width))
		}
		return err
	case d.Bench != nil:
		err := bench.Text(w, d.Bench)
		if err == nil && len(d.Changes) > 0 {
			_, err = fmt.Fprintf(w, "\n%s\n", strings.Join(d.Changes, "\n  "))
		}
		return err
	}
	return verify.Render(w, d.Proof, d.Style.Color)
}

func writeJSON(w io.Writer, d *Document) error {
	switch {
	case d.Doctor != nil:
		return encode(w, d.Doctor)
	case d.Comparison != nil:
		return encode(w, d.Comparison)
	case d.Solution != nil:
		return d.Solution.WriteJSON(w, report.Made{Tool: report.Tool{Name: "deployctl", Version: d.Version}, Time: d.Time})
	case d.Bench != nil:
		return encode(w, d.Bench)
	}
	return encode(w, d.Proof)
}

// writeCSV cleans what an engine said about itself.
func writeCSV(w io.Writer, d *Document) error {
	r := *d.Bench
	r.Rows = slices.Clone(r.Rows)
	for i := range r.Rows {
		r.Rows[i].Version = line(r.Rows[i].Version)
	}
	return bench.CSV(w, &r)
}

func encode(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// name is what the document is about: the recipe, or the network.
func (d *Document) name() string {
	switch {
	case d.Doctor != nil:
		return d.Doctor.Recipe
	case d.Solution != nil:
		return d.Solution.Recipe
	case d.Comparison != nil:
		return d.Comparison.A.Name + " → " + d.Comparison.B.Name
	case d.Proof != nil && d.Proof.Level != verify.LevelLoad:
		return d.Proof.Network.Name
	}
	return d.Command
}

// title is the heading of a page.
func (d *Document) title() string {
	switch {
	case d.Doctor != nil:
		return cmp.Or(d.Doctor.RecipeTitle, d.name())
	case d.Solution != nil:
		return lang.F("Plan for %s", d.Solution.Recipe)
	case d.Comparison != nil:
		return lang.F("%s and %s compared", d.Comparison.A.Name, d.Comparison.B.Name)
	case d.Bench != nil:
		return lang.T("Engines compared")
	}
	return d.name()
}

// host describes the machine that was looked at, "" where there are two.
func (d *Document) host() string {
	switch {
	case d.Doctor != nil:
		return line(d.Doctor.Host.Line())
	case d.Bench != nil:
		return line(d.Bench.Machine)
	case d.Solution != nil && d.Facts != nil:
		return line(report.HostOf(d.Facts).Line())
	}
	return ""
}

// closing is the sentence that says where one stands.
func (d *Document) closing() string {
	switch {
	case d.Doctor != nil && d.Doctor.Error != "":
		return lang.F("Stopped early: %s", clean(d.Doctor.Error))
	case d.Doctor != nil:
		return clean(d.Doctor.Closing())
	case d.Comparison != nil:
		return clean(comparisonClosing(d.Comparison))
	case d.Solution != nil:
		return clean(lang.Join(strings.TrimRight(d.Solution.Heading(), ":：.。")+lang.T("."), d.Next))
	case d.Bench != nil:
		return clean(lang.Join(d.Bench.Notes()...))
	case len(d.Proof.Engines) == 0:
		return lang.T("No engine was asked for, so nothing was verified.")
	case d.Proof.State == verify.OK && d.Proof.Level == verify.LevelLoad:
		return lang.T("Every engine loads. No network was run.")
	case d.Proof.State == verify.OK:
		return lang.T("Verified: every engine agrees with the reference.")
	case d.Proof.State == verify.Fail:
		return lang.F("Not verified: %s", d.said(verify.Fail))
	}
	return lang.F("Could not be verified: %s", d.said(verify.Unknown))
}

// said is why the first engine in a state is in it.
func (d *Document) said(state verify.State) string {
	for _, e := range d.Proof.Engines {
		if e.State == state {
			return clean(e.Name + lang.T(": ") + e.Why)
		}
	}
	return text(state)
}

// clean drops what could steer a terminal or hide text: control characters and
// the marks that turn the direction of writing. Line ends stay.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case r < ' ', r >= 0x7f && r < 0xa0, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
}

// line is clean on one line.
func line(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }
