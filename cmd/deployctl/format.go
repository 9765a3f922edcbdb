package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/cmd/pipeline"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// formatValue is the value of a --format flag. It knows which values there are, for
// completion and --json; the command refuses others.
type formatValue struct {
	to    *string
	names []string
	json  bool // --json was given
}

func (v *formatValue) Set(text string) error {
	if v.json && text != formats.JSON {
		return lang.Errorf("it cannot be used together with --json")
	}
	*v.to = text
	return nil
}

func (v *formatValue) String() string { return *v.to }
func (v *formatValue) Type() string   { return "string" }

// textOrJSON are the formats of most commands.
func textOrJSON() []string { return []string{formats.Text, formats.JSON} }

// formatFlag gives a command --format, text where nothing else is asked for. About is
// what its help says, "" for the list of names.
func formatFlag(cmd *cobra.Command, to *string, names []string, about string) {
	*to = formats.Text
	if about == "" {
		about = formats.Either(names)
	}
	cmd.Flags().Var(&formatValue{to: to, names: names}, "format", about)
}

// newList makes a command that lists something of this machine's as text or JSON.
func newList(c *console.Console, cmd *cobra.Command, list func(context.Context, pipeline.Listing) error) *cobra.Command {
	l := pipeline.Listing{Console: c}
	cmd.Args = noArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return whatFolders(func(f pipeline.Folders) error {
			l.Folders, l.Version = f, version()
			return list(cmd.Context(), l)
		})
	}
	formatFlag(cmd, &l.Format, textOrJSON(), "")
	return cmd
}

// annotatedFlag is formatFlag for a command that writes for GitHub Actions by itself.
func annotatedFlag(cmd *cobra.Command, to *string, command string) {
	names := formats.Names(command)
	formatFlag(cmd, to, names, formats.Either(names)+" (in GitHub Actions, github is the default)")
}

// format is what --format says, or what is right here where it says nothing.
func format(cmd *cobra.Command, value string) string {
	if !cmd.Flags().Changed("format") {
		return formats.Default(os.Getenv)
	}
	return value
}
