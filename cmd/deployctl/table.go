package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/pipeline"
)

func newTable(c *console.Console) *cobra.Command {
	cmd := &cobra.Command{
		Use: "table",
		Example: `  deployctl table list
  deployctl table show cuda-gcc`,
		Short: "List, show or check the compatibility tables of versions",
		Long: `Compatibility tables say which versions fit one another: a CUDA Toolkit and a
driver, a GCC, an MSVC toolset, a cuDNN and a GPU. A file NAME.yaml in the
folder tables of your recipe folder adds rows to the table NAME, or replaces
rows that have the same conditions.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newList(c, &cobra.Command{
			Use: "list", Example: "  deployctl table list",
			Short: "List the tables and how far each one goes",
		}, func(_ context.Context, l pipeline.Listing) error { return pipeline.TableList(l) }),
		&cobra.Command{
			Use: "show NAME", Example: "  deployctl table show cuda-gcc",
			Short: "Print a table with the source of each row", Args: exactArg("a table's name"),
			RunE: func(_ *cobra.Command, args []string) error {
				return whatFolders(func(f pipeline.Folders) error { return pipeline.TableShow(c, f, args[0]) })
			},
		},
		&cobra.Command{
			Use: "lint FILE", Example: "  deployctl table lint cuda-gcc.yaml",
			Short: "Check a table file; errors are reported with line and column", Args: exactArg("a table file"),
			RunE: func(_ *cobra.Command, args []string) error {
				return whatFolders(func(f pipeline.Folders) error { return pipeline.TableLint(c, f, args[0]) })
			},
		},
	)
	return cmd
}
