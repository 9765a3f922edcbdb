package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/pipeline"
	"github.com/deployctl/deployctl/doctor/images"
	"github.com/deployctl/deployctl/installers/lockfile"
)

// lockFlags are what lock and bundle create share.
func lockFlags(f *pflag.FlagSet, o *pipeline.LockOptions) {
	selectRecipe(f, &o.Recipe)
	f.StringArrayVar(&o.Models, "model", nil, "also the published `model` (yolov3; see models list)")
	f.BoolVar(&o.WithGo, "with-go", false, "also Go's packages, although this machine has Go")
	f.StringVar(&o.For, "for", "", "lock for a clean `image` instead of this machine: "+strings.Join(images.Names(), ", "))
	f.StringVar(&o.From, "from", "", "lock for the machine in a `snapshot` instead of this one")
}

func newLock(c *console.Console) *cobra.Command {
	o := pipeline.LockOptions{Console: c}
	cmd := &cobra.Command{
		Use:   "lock",
		Short: "List every file that --fix would use here, with size and hash",
		Long: `Writes a lockfile: the packages, artifacts and Go modules that "doctor --fix"
would use on this machine for a recipe, each with its size, SHA-256 and
addresses. Nothing is installed, and apt's own lists are left as they are.

What this machine already has is not in the lockfile, so make it on a machine
(or in a chroot) like the one it is for. For Windows and other systems without
apt it can be made anywhere, with --for, or with --from and a snapshot of the
machine. It then has the wheels, archives and sources of the plan.`,
		Example: `  deployctl lock
  deployctl lock --for windows-2022 --recipe onnxruntime
  deployctl doctor --fix --locked deployctl.lock.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withFolders(func(f pipeline.Folders) error {
				o.Folders = f
				return pipeline.Lock(cmd.Context(), o)
			})
		},
	}
	lockFlags(cmd.Flags(), &o)
	cmd.Flags().StringVarP(&o.Output, "output", "o", lockfile.Name, "the `file` to write; - for standard output")
	return cmd
}

func newBundle(c *console.Console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Carry what --fix needs to a machine without a network, in one file",
		Example: `  deployctl bundle create --output yolov3.bundle.tar     where there is a network
  deployctl bundle import yolov3.bundle.tar              where there is none
  deployctl doctor --fix --offline`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	o := pipeline.BundleOptions{LockOptions: pipeline.LockOptions{Console: c}}
	create := &cobra.Command{
		Use: "create", Example: "  deployctl bundle create --output yolov3.bundle.tar\n  deployctl bundle create --lock deployctl.lock.json --output yolov3.bundle.tar",
		Short: "Fetch what a lockfile names and put it into one file",
		Long: `Fetches every file that a lockfile names and puts them into one file. Without
--lock, these are the files that "deployctl lock" would list on this machine.
An interrupted run continues where it stopped.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withFolders(func(f pipeline.Folders) error {
				o.Folders = f
				return pipeline.BundleCreate(cmd.Context(), o)
			})
		},
	}
	f := create.Flags()
	lockFlags(f, &o.LockOptions)
	f.StringVarP(&o.Output, "output", "o", "deployctl.bundle.tar", "the `file` to write")
	f.StringVar(&o.Lock, "lock", "", "the `lockfile` to bundle, instead of one made here")
	f.BoolVar(&o.WithProgram, "with-deployctl", false, "also this deployctl itself (tar -xf FILE deployctl)")
	create.MarkFlagsMutuallyExclusive("lock", "with-go")
	format := "text"
	list := &cobra.Command{
		Use: "list FILE", Example: "  deployctl bundle list yolov3.bundle.tar",
		Short: "Show what is in a bundle", Args: exactArg("a bundle"),
		RunE: func(_ *cobra.Command, args []string) error { return pipeline.BundleList(c, args[0], format) },
	}
	formatFlag(list, &format, textOrJSON(), "text, or json: its lockfile")
	cmd.AddCommand(create, list, &cobra.Command{
		Use: "import FILE", Example: "  deployctl bundle import yolov3.bundle.tar",
		Short: "Check and import every file of a bundle; needs no root and no network", Args: exactArg("a bundle"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withFolders(func(f pipeline.Folders) error {
				return pipeline.BundleImport(cmd.Context(), c, f, args[0])
			})
		},
	})
	return cmd
}
