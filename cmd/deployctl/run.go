package main

import (
	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/pipeline"
)

func newRun(c *console.Console) *cobra.Command {
	o := pipeline.RunOptions{Console: c}
	cmd := &cobra.Command{
		Use:   "run -- COMMAND [ARG…]",
		Short: "Run a command, and explain its output at once when it fails",
		Long: `Run a command, such as a build, and show its output as it comes. When it fails,
deployctl explains the output on standard error, as "deployctl explain" does,
with the facts of this machine. The exit code is the command's: 128 plus the
signal's number if a signal ended it, 127 if the command was not found.`,
		Example: `  deployctl run -- cmake --build build
  deployctl run -- go build ./...`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return exactArg("a command, after --")(cmd, args)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return whatFolders(func(f pipeline.Folders) error {
				o.Folders, o.Argv = f, args
				return pipeline.Run(cmd.Context(), o)
			})
		},
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().BoolVar(&o.NoFacts, "no-facts", false, "explain from the output alone, without a look at this machine")
	return cmd
}
