// Package formats writes one result of doctor or verify for other programs and
// for sharing: CI systems, monitoring, a browser. Each format is a file; All is
// the one list that --format, its completion and docs/formats.md are made from.
// It must never judge, look at a machine, or say anything that the result does
// not say.
package formats

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/verify"
)

// Document is the result of one command.
type Document struct {
	Command string // doctor, verify
	// Doctor is nil for verify, Proof where nothing was proven.
	Doctor *report.Report
	Proof  *verify.Result
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
	// Plans: it has a place for the plan, so --plan makes sense.
	Plans bool
	// Pictures: it shows the picture of the proof.
	Pictures bool
	// Live: text is written while the command runs; else the whole document is
	// written once, at the end.
	Live  bool
	write func(io.Writer, *Document) error
}

// All is the list of formats.
func All() []Format {
	return []Format{
		{Name: Text, About: "for people, in a terminal", For: "You", Live: true, write: writeText,
			Lang: "sh", Example: "deployctl doctor"},
		{Name: JSON, About: "everything, as one JSON document with a published schema", For: "Scripts", Plans: true, write: writeJSON,
			Lang: "sh", Example: "deployctl doctor --format json | jq '.findings[] | select(.state == \"fail\")'"},
		{Name: "junit", About: "JUnit XML, one test case for each check", For: "Jenkins, GitLab, Azure Pipelines, CircleCI", write: writeJUnit,
			Lang: "yaml", Example: "# .gitlab-ci.yml\ncheck:\n  script: deployctl doctor --format junit > deployctl.xml\n  artifacts: {when: always, reports: {junit: deployctl.xml}}"},
		{Name: "tap", About: "Test Anything Protocol, version 13", For: "prove and other TAP harnesses", write: writeTAP,
			Lang: "sh", Example: "prove --exec 'deployctl doctor --format tap --recipe' opencv-yolov3"},
		{Name: "sarif", About: "SARIF 2.1.0, problems only", For: "GitHub code scanning, editors", write: writeSARIF,
			Lang: "yaml", Example: "# a GitHub workflow\n- run: deployctl doctor --format sarif > deployctl.sarif\n  continue-on-error: true\n- uses: github/codeql-action/upload-sarif@v3\n  with: {sarif_file: deployctl.sarif}"},
		{Name: "prometheus", About: "metrics for node_exporter's textfile collector", For: "Prometheus", write: writePrometheus,
			Lang: "sh", Example: "f=/var/lib/node_exporter/deployctl.prom\ndeployctl doctor --format prometheus > $f.tmp; mv $f.tmp $f"},
		{Name: "markdown", About: "a summary for pull requests and wikis", For: "People, on a web page", Plans: true, write: writeMarkdown,
			Lang: "sh", Example: "deployctl doctor --format markdown | gh pr comment --body-file -"},
		{Name: GitHub, About: "text, workflow annotations and a step summary", For: "GitHub Actions", Live: true, write: writeGitHub,
			Lang: "yaml", Example: "# a GitHub workflow: deployctl chooses this format by itself\n- run: deployctl doctor"},
		{Name: "gitlab", About: "GitLab code quality JSON, problems only", For: "GitLab merge requests", write: writeGitLab,
			Lang: "yaml", Example: "# .gitlab-ci.yml\ncheck:\n  script: deployctl doctor --format gitlab > gl-code-quality-report.json\n  artifacts: {when: always, reports: {codequality: gl-code-quality-report.json}}"},
		{Name: "html", About: "one page that needs nothing else: light, dark and on paper", For: "People, in a browser", Plans: true, Pictures: true, write: writeHTML,
			Lang: "sh", Example: "deployctl doctor --format html > report.html"},
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

// Names are those of all formats.
func Names() []string {
	var names []string
	for _, f := range All() {
		names = append(names, f.Name)
	}
	return names
}

// Planning are the names of the formats that show a plan.
func Planning() []string {
	var names []string
	for _, f := range All() {
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

// Find gives the format of a name.
func Find(name string) (Format, error) {
	list := All()
	i := slices.IndexFunc(list, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return Format{}, fmt.Errorf("--format %s is unknown: use %s", name, Either(Names()))
	}
	return list[i], nil
}

// Write writes the document.
func (f Format) Write(w io.Writer, d *Document) error {
	if err := f.write(w, d); err != nil {
		return fmt.Errorf("write the result as %s: %w", f.Name, err)
	}
	return nil
}

func writeText(w io.Writer, d *Document) error {
	if d.Doctor != nil {
		return d.Doctor.WriteText(w, d.Style)
	}
	return verify.Render(w, d.Proof, d.Style.Color)
}

func writeJSON(w io.Writer, d *Document) error {
	if d.Doctor != nil {
		return encode(w, d.Doctor)
	}
	return encode(w, d.Proof)
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
	case d.Proof != nil && d.Proof.Level != verify.LevelLoad:
		return d.Proof.Network.Name
	}
	return d.Command
}

// closing is the sentence that says where one stands.
func (d *Document) closing() string {
	switch {
	case d.Doctor != nil && d.Doctor.Error != "":
		return "Stopped early: " + clean(d.Doctor.Error)
	case d.Doctor != nil:
		return clean(d.Doctor.Closing())
	case len(d.Proof.Engines) == 0:
		return "No engine was asked for, so nothing was verified."
	case d.Proof.State == verify.OK && d.Proof.Level == verify.LevelLoad:
		return "Every engine loads. No network was run."
	case d.Proof.State == verify.OK:
		return "Verified: every engine agrees with the reference."
	case d.Proof.State == verify.Fail:
		return "Not verified: " + d.said(verify.Fail)
	}
	return "Could not be verified: " + d.said(verify.Unknown)
}

// said is why the first engine in a state is in it.
func (d *Document) said(state verify.State) string {
	for _, e := range d.Proof.Engines {
		if e.State == state {
			return clean(e.Name + ": " + e.Why)
		}
	}
	return string(state)
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
