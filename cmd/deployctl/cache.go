package main

import (
	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/pipeline"
	"github.com/deployctl/deployctl/verify/cache"
)

func newCache(c *console.Console) *cobra.Command {
	cmd := &cobra.Command{
		Use: "cache",
		Example: `  deployctl cache list
  deployctl cache prune --downloads`,
		Short: "Show or reduce what deployctl keeps on disk",
		Long: `The cache holds compiled workers, reference results, the self-test model, and
downloads. After each verify, leftovers of killed runs are removed, then workers
and references that were not used for 90 days, then those unused longest until
the rest takes no more than 1 GB.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	folder, format := "", "text"
	cmd.PersistentFlags().StringVar(&folder, "cache", "", "the cache `folder` (default: the user's cache)")
	in := func(do func(pipeline.Folders) error) error {
		return withFolders(func(f pipeline.Folders) error {
			if folder != "" {
				f.Cache = folder
			}
			return do(f)
		})
	}
	list := &cobra.Command{
		Use: "list", Example: "  deployctl cache list",
		Short: "Show what the cache holds", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			return in(func(f pipeline.Folders) error {
				return pipeline.CacheList(pipeline.Listing{Console: c, Folders: f, Format: format, Version: version()})
			})
		},
	}
	formatFlag(list, &format, textOrJSON(), "")
	p := cache.Pruning{Limit: cache.Limit}
	prune := &cobra.Command{
		Use: "prune", Example: "  deployctl cache prune\n  deployctl cache prune --all --downloads    remove everything that can be made again",
		Short: "Remove what is not needed", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			return in(func(f pipeline.Folders) error { return pipeline.CachePrune(c, f, p) })
		},
	}
	prune.Flags().BoolVar(&p.All, "all", false, "also all workers, references, logs and the self-test model; they are made again when needed")
	prune.Flags().BoolVar(&p.Downloads, "downloads", false, "also downloaded files and models; they are downloaded again when needed")
	cmd.AddCommand(list, prune)
	return cmd
}
