package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/formats"
)

// formatFlag gives a command --format, with the values that formats.All has.
func formatFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVar(to, "format", formats.Text, formats.Either(formats.Names())+"; github by itself in GitHub Actions")
	_ = cmd.RegisterFlagCompletionFunc("format", func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		var values []cobra.Completion
		for _, f := range formats.All() {
			values = append(values, cobra.CompletionWithDesc(f.Name, f.About))
		}
		return values, cobra.ShellCompDirectiveNoFileComp
	}) // fails only where there is no such flag
}

// format is what --format says, or what is right here where it says nothing.
func format(cmd *cobra.Command, value string) string {
	if !cmd.Flags().Changed("format") {
		return formats.Default(os.Getenv)
	}
	return value
}
