package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
)

// TestHelpWidth: the help of every command fits 80 columns, and all of a flag's
// description is there.
func TestHelpWidth(t *testing.T) {
	commands := 0
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		commands++
		var out bytes.Buffer
		if exit := run(append(strings.Fields(cmd.CommandPath())[1:], "--help"), &console.Console{Out: &out, Err: &out}); exit != 0 {
			t.Errorf("%s --help ends with %d:\n%s", cmd.CommandPath(), exit, &out)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("%s --help has a line of %d columns: %s", cmd.CommandPath(), n, line)
			}
		}
		if words := strings.Join(strings.Fields(out.String()), " "); cmd.Name() == "doctor" &&
			!strings.Contains(words, "0 nothing, 1 the engine loads, 2 one checked forward pass, 3 timed runs (default 2)") {
			t.Errorf("doctor --help lost words:\n%s", &out)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(&console.Console{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}))
	if commands < 25 {
		t.Errorf("only %d commands were looked at", commands)
	}
}
