package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/formats"
)

// formatFlag gives a command --format, with the values that formats.All has.
func formatFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVar(to, "format", formats.Text, formats.Either(formats.Names())+": by itself, github in GitHub Actions")
}

// format is what --format says, or what is right here where it says nothing.
func format(cmd *cobra.Command, value string) string {
	if !cmd.Flags().Changed("format") {
		return formats.Default(os.Getenv)
	}
	return value
}
