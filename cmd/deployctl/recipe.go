package main

import (
	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/pipeline"
)

func newRecipe(c *console.Console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recipe",
		Short: "List, show or check recipes",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	withFolders := func(do func(pipeline.Folders) error) error {
		folders, err := pipeline.UserFolders()
		if err != nil {
			return err
		}
		return do(folders)
	}
	cmd.AddCommand(
		&cobra.Command{
			Use: "list", Short: "List the recipes that can be named", Args: noArgs,
			RunE: func(*cobra.Command, []string) error {
				return withFolders(func(f pipeline.Folders) error { return pipeline.RecipeList(c, f) })
			},
		},
		&cobra.Command{
			Use: "show NAME", Short: "Print a recipe as it is judged, what it extends included", Args: exactArg("a recipe's name or file"),
			RunE: func(_ *cobra.Command, args []string) error {
				return withFolders(func(f pipeline.Folders) error { return pipeline.RecipeShow(c, f, args[0]) })
			},
		},
		&cobra.Command{
			Use: "lint FILE", Short: "Check a recipe file; mistakes are told with line and column", Args: exactArg("a recipe file"),
			RunE: func(_ *cobra.Command, args []string) error { return pipeline.RecipeLint(c, args[0]) },
		},
	)
	return cmd
}

func newExplain(c *console.Console) *cobra.Command {
	return &cobra.Command{
		Use:     "explain ID",
		Short:   "Print the page of a requirement: what, why, and how to fix it by hand",
		Example: `  deployctl explain opencv.version`,
		Args:    exactArg("a requirement's id, as doctor --format json and doctor --all show it"),
		RunE:    func(_ *cobra.Command, args []string) error { return pipeline.Explain(c, args[0]) },
	}
}
