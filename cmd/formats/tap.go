package formats

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// writeTAP writes the Test Anything Protocol (testanything.org) in what versions 13
// and 14 have in common; it names 13, since Perl's harness refuses a later number. A warning is a failure with the TODO
// directive, which harnesses show and do not count.
func writeTAP(w io.Writer, d *Document) error {
	var b strings.Builder
	list := d.checks()
	fmt.Fprintf(&b, "TAP version 13\n1..%d\n", len(list))
	fmt.Fprintf(&b, "# deployctl %s %s, %s\n", line(d.Version), line(d.Command+" "+d.name()), d.Time.UTC().Format("2006-01-02T15:04:05Z"))
	for i, c := range list {
		result, directive := "ok", ""
		switch c.outcome() {
		case skipped:
			directive = " # SKIP " + escapeTAP(c.Found)
		case warned:
			result, directive = "not ok", " # TODO "+escapeTAP(c.Found)
		case undecided, failed:
			result = "not ok"
		}
		fmt.Fprintf(&b, "%s %d - %s%s\n", result, i+1, escapeTAP(c.Title+" ["+c.ID+"]"), directive)
		if c.problem() {
			b.WriteString("  ---\n")
			for _, row := range strings.Split(strings.TrimSpace(c.yaml()), "\n") {
				b.WriteString("  " + row + "\n")
			}
			b.WriteString("  ...\n")
		}
	}
	fmt.Fprintf(&b, "# %s\n", line(d.closing()))
	_, err := io.WriteString(w, b.String())
	return err
}

// yaml is the diagnostic block; a JSON string is a YAML string.
func (c check) yaml() string {
	var b strings.Builder
	for _, row := range []struct{ name, text string }{
		{"message", c.message()}, {"severity", string(c.State)}, {"found", c.Found}, {"where", c.Where},
		{"required", c.Wanted}, {"fix", c.Fix}, {"why", c.Why}, {"detail", c.Detail},
	} {
		if row.text != "" {
			b.WriteString(row.name + ": ")
			e := json.NewEncoder(&b)
			e.SetEscapeHTML(false)
			_ = e.Encode(row.text) // a builder takes every string
		}
	}
	return b.String()
}

// escapeTAP keeps a description from being read as a directive.
func escapeTAP(s string) string {
	return strings.NewReplacer(`\`, `\\`, `#`, `\#`).Replace(line(s))
}
