package main

import (
	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/pipeline"
)

func newRuntimes(c *console.Console) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "runtimes",
		Example: `  deployctl runtimes pull onnxruntime`,
		Short:   "Fetch the shared libraries of inference runtimes",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	o := pipeline.RuntimeOptions{Console: c}
	pull := &cobra.Command{
		Use:   "pull onnxruntime",
		Short: "Download ONNX Runtime's CPU library from its npm package, pinned by hash",
		Long: `Fetches one tarball from the registry that this machine's npm client is set to,
checks it against its pinned hash, and unpacks only the libraries for one
system. No code of the package runs. Headers are not part of it.

The registry is the one of npm_config_registry, of an npmrc, or of npm. Where
none is known, the library comes out of its Python wheel, from the index that
pip is set up with; neither npm nor Python is needed.`,
		Example: `  deployctl runtimes pull onnxruntime --to /opt
  deployctl runtimes pull onnxruntime --system windows/amd64 --to dist`,
		Args: exactArg("the runtime: onnxruntime"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withFolders(func(f pipeline.Folders) error {
				o.Folders, o.Name = f, args[0]
				return pipeline.RuntimePull(cmd.Context(), o)
			})
		},
	}
	f := pull.Flags()
	f.StringVar(&o.To, "to", "", "the `folder` to put it into (default: the cache)")
	f.StringVar(&o.System, "system", "", "the `GOOS/GOARCH` it is for (default: this machine's)")
	f.BoolVar(&o.Offline, "offline", false, "use only what is on this machine already")
	cmd.AddCommand(pull)
	return cmd
}
