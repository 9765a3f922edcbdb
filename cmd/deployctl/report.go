package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/pipeline"
	"github.com/deployctl/deployctl/recipes"
)

func newReport(c *console.Console) *cobra.Command {
	o := pipeline.IssueOptions{Console: c}
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Write the issue text that maintainers ask for, filled in from this machine",
		Long: `Print an issue in Markdown as the maintainers of a project ask for it, with the
versions, devices and build information of this machine filled in, and what
deployctl found wrong. User and host names, home paths and secrets are replaced.
--log adds the end of the output that failed, and its cause.`,
		Example: `  deployctl report --template opencv --log build.log --snapshot machine.tgz
  deployctl report --template gocv --output issue.md`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return pipeline.Issue(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.Template, "template", "generic", "whose `project`: "+strings.Join(recipes.ReportTemplates(), ", "))
	f.StringVar(&o.From, "from", "", "fill it in from a `snapshot` or a text with reports instead of this machine")
	f.StringVar(&o.Recipe, "recipe", "", "judge this `recipe` instead of the project's own")
	f.StringVar(&o.Log, "log", "", "the `file` with the output that failed; - for standard input")
	f.StringVar(&o.Command, "command", "", "the `command` that failed")
	f.StringVar(&o.Output, "output", "", "write to this `file` instead of standard output")
	f.StringVar(&o.Snapshot, "snapshot", "", "also write a redacted snapshot to this `file`, to attach")
	return cmd
}
