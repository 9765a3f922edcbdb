package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// TestCommandsPage keeps docs/commands.md equal to the commands' help (-update writes it).
func TestCommandsPage(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("defaults differ between systems, and the page has those of Linux")
	}
	t.Setenv("GITHUB_ACTIONS", "") // decides a default
	var b strings.Builder
	b.WriteString("# Commands\n\n" +
		"<!-- Made from the commands by go test ./cmd/deployctl -run TestCommandsPage -update. -->\n\n" +
		"What `--help` prints, with the defaults of Linux. The last list holds the flags that every\n" +
		"command has. Exit codes: [README](../README.md#what-else-it-does).\n")
	commands := visible(t)
	for _, cmd := range commands {
		if cmd.Runnable() {
			writeCommand(&b, cmd)
		}
	}
	fmt.Fprintf(&b, "\n## All commands\n\n```text\n%s```\n", commands[0].PersistentFlags().FlagUsagesWrapped(100))
	file := filepath.FromSlash("../../docs/commands.md")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("%s (-want +got; go test ./cmd/deployctl -run TestCommandsPage -update):\n%s", file, diff)
	}
}

func writeCommand(b *strings.Builder, cmd *cobra.Command) {
	about := strings.TrimSpace(cmd.Long)
	if about == "" {
		about = cmd.Short + "."
	}
	fmt.Fprintf(b, "\n## %s\n\n", cmd.CommandPath())
	text := about + "\n\nUsage:\n  " + cmd.UseLine() + "\n"
	if cmd.Example != "" {
		text += "\nExamples:\n" + strings.TrimRight(cmd.Example, "\n") + "\n"
	}
	if flags := cmd.NonInheritedFlags(); cmd.HasParent() && flags.HasAvailableFlags() {
		text += "\nFlags:\n" + flags.FlagUsagesWrapped(100)
	}
	fmt.Fprintf(b, "```text\n%s```\n", text)
}
