package main

import (
	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/pipeline"
	"github.com/deployctl/deployctl/installers"
)

func newHistory(c *console.Console) *cobra.Command {
	l := pipeline.Listing{Console: c}
	cmd := &cobra.Command{
		Use:     "history",
		Example: `  deployctl history`,
		Short:   "List what deployctl changed on this machine",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l.Version = version()
			return pipeline.History(cmd.Context(), l)
		},
	}
	formatFlag(cmd, &l.Format, textOrJSON(), "")
	return cmd
}

func newUndo(c *console.Console) *cobra.Command {
	o := pipeline.UndoOptions{Console: c}
	all := false
	cmd := &cobra.Command{
		Use: "undo",
		Example: `  deployctl undo --dry-run    what would be removed
  deployctl undo              undo the last run
  deployctl undo --all        undo everything`,
		Short: "Uninstall what deployctl installed, most recent first",
		Long: `Removes what the last run of deployctl added, and nothing else. What was
changed since, and what something else now needs, stays; the plan says why.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if all {
				o.Undo.Run = installers.AllRuns
			}
			return withFolders(func(f pipeline.Folders) error {
				o.Folders = f
				return pipeline.Undo(cmd.Context(), o)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Undo.Run, "run", "", "the `run` to undo, as history lists it (default: the last)")
	f.BoolVar(&all, "all", false, "undo every run")
	f.BoolVar(&o.Undo.Purge, "purge", false, "also remove configuration files that were edited")
	cmd.MarkFlagsMutuallyExclusive("run", "all")
	f.BoolVarP(&o.Yes, "yes", "y", false, "do not ask before the machine is changed")
	f.BoolVar(&o.DryRun, "dry-run", false, "show the plan and change nothing")
	return cmd
}
