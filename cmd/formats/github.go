package formats

import (
	"fmt"
	"io"
	"strings"
)

// writeGitHub writes a workflow command for each problem, which GitHub shows with
// the run and beside the line of the project that it is about.
func writeGitHub(w io.Writer, d *Document) error {
	var b strings.Builder
	for _, c := range d.checks() {
		command := map[outcome]string{warned: "warning", undecided: "error", failed: "error"}[c.outcome()]
		if command == "" {
			continue
		}
		properties := "title=" + escapeProperty(line(c.Title+" ["+c.ID+"]"))
		if c.File != "" {
			properties = fmt.Sprintf("file=%s,line=%d,%s", escapeProperty(line(c.File)), c.Line, properties)
		}
		text := clean(c.Found)
		if c.Fix != "" {
			text += "\nFix: " + c.Fix
		}
		fmt.Fprintf(&b, "::%s %s::%s\n", command, properties, escapeData(strings.TrimSpace(text)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// escapeData and escapeProperty follow the toolkit of GitHub's own actions
// (actions/toolkit, packages/core/src/command.ts): a text cannot begin a command
// of its own.
func escapeData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func escapeProperty(s string) string {
	return strings.NewReplacer(":", "%3A", ",", "%2C").Replace(escapeData(s))
}

// StopCommands keeps the runner from taking anything for a command that is
// written until Resume with the same token, which nobody else must know.
func StopCommands(token string) string { return "::stop-commands::" + token + "\n" }

// Resume ends what StopCommands began.
func Resume(token string) string { return "::" + token + "::\n" }
