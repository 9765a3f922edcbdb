package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/pipeline"
)

func newModels(c *console.Console) *cobra.Command {
	cmd := &cobra.Command{
		Use: "models",
		Example: `  deployctl models list
  deployctl models pull yolov3`,
		Short: "List, fetch, verify or import published weights",
		Long: `Published weights, each pinned by size and SHA-256. Once yolov3.weights is in
the cache, verify uses it instead of the self-test weights; verify --model
yolov4 does the same with yolov4.weights.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	offline := false
	pull := &cobra.Command{
		Use: "pull NAME", Example: "  deployctl models pull yolov3",
		Short: "Fetch a model; an interrupted download is continued", Args: exactArg("a model's name, as models list shows it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withFolders(func(f pipeline.Folders) error { return pipeline.ModelsPull(cmd.Context(), c, f, args[0], offline) })
		},
	}
	pull.Flags().BoolVar(&offline, "offline", false, "use only what is on this machine already")
	cmd.AddCommand(
		newList(c, &cobra.Command{
			Use: "list", Example: "  deployctl models list",
			Short: "List the published models",
		}, func(_ context.Context, l pipeline.Listing) error { return pipeline.ModelsList(l) }),
		pull,
		&cobra.Command{
			Use: "verify [NAME...]", Example: "  deployctl models verify\n  deployctl models verify yolov3",
			Short: "Compare the models in the cache with the published files",
			RunE: func(cmd *cobra.Command, args []string) error {
				return whatFolders(func(f pipeline.Folders) error { return pipeline.ModelsVerify(cmd.Context(), c, f, args) })
			},
		},
		&cobra.Command{
			Use: "import FILE", Example: "  deployctl models import yolov3.weights",
			Short: "Import a model file that you already have", Args: exactArg("a weights file"),
			RunE: func(cmd *cobra.Command, args []string) error {
				return withFolders(func(f pipeline.Folders) error { return pipeline.ModelsImport(cmd.Context(), c, f, args[0]) })
			},
		},
	)
	return cmd
}
