package main

import (
	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/cmd/pipeline"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

func newFacts(c *console.Console) *cobra.Command {
	o := pipeline.FactsOptions{Console: c}
	format := formats.JSON
	cmd := &cobra.Command{
		Use:   "facts",
		Short: "Print everything detected on this machine, as JSON",
		Long: `Prints everything the probes know about this machine (or a snapshot) as one
JSON document, each fact with its evidence. The schema is published in
docs/schema/facts.schema.json.`,
		Example: `  deployctl facts --only opencv,cuda
  deployctl facts --from snapshot.tgz`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format != formats.JSON {
				return &pipeline.UsageError{Err: formats.Unknown(format, []string{formats.JSON})}
			}
			return pipeline.Facts(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	// There is one format; who asks for it by name is not wrong.
	f.Var(&formatValue{to: &format, names: []string{formats.JSON}}, "format", "json, the only one")
	f.StringVar(&o.From, "from", "", "read a `snapshot` from another machine, or a text with reports, instead of this one")
	f.Var(list{&o.Only}, "only", "only these `topics` or components (os, cpu, memory, disks, gpus, environment, opencv …)")
	f.BoolVar(&o.Deep, "deep", false, "also load each OpenCL driver and ask for its devices, in a child process")
	f.BoolVar(&o.Timings, "timings", false, "include how long each probe took")
	return cmd
}

func newSnapshot(c *console.Console) *cobra.Command {
	o := pipeline.SnapshotOptions{Console: c}
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Record this machine in one redacted file, to be checked elsewhere",
		Long: `Writes exactly what the probes read into one archive. User and host names, home
paths and secrets are replaced by stable tokens first. Anyone can check it with
"deployctl doctor --from FILE" on any system.`,
		Example: `  deployctl snapshot --output my-machine.tgz`,
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return pipeline.Snapshot(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.BoolVar(&o.Deep, "deep", false, "also load each OpenCL driver and ask for its devices, in a child process")
	f.StringVarP(&o.Output, "output", "o", "deployctl-snapshot.tgz", "the `file` to write; - for standard output")
	return cmd
}

func newDiff(c *console.Console) *cobra.Command {
	o := pipeline.DiffOptions{Console: c}
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Compare two machines: what breaks first, then what matters",
		Long: `Compares two machines: A, on which a program was built or works, and B, on
which it is to run. Each is a snapshot, a JSON file from "deployctl facts", or
the word "here" for this machine.

Exit codes: 0 they are alike, 3 a difference breaks programs from A on B, 4 they
differ otherwise, 1 and 2 as for every command.`,
		Example: `  deployctl diff build-server.tgz here
  deployctl diff build-server.tgz here --format html > difference.html`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return &pipeline.UsageError{Err: lang.Errorf("%s needs two machines: snapshots, facts files, or the word here", called(cmd))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.A, o.B, o.Version, o.Format = args[0], args[1], version(), format(cmd, o.Format)
			return pipeline.Diff(cmd.Context(), o)
		},
	}
	annotatedFlag(cmd, &o.Format, formats.Diff)
	cmd.Flags().BoolVar(&o.All, "all", false, "show details, too")
	return cmd
}

func newShadow(c *console.Console) *cobra.Command {
	o := pipeline.ShadowOptions{Console: c}
	cmd := &cobra.Command{
		Use:   "shadow [COMPONENT…]",
		Short: "Show every copy of a component and which lookups find it",
		Long: `Shows every copy of each component and which one each lookup (PATH, the loader,
pkg-config, CMake, the DLL search order) finds; * marks the one that a build
gets. It warns where two lookups disagree, for example about the headers and the
libraries of OpenCV.`,
		Example: `  deployctl shadow opencv cuda`,
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Components, o.Version = args, version()
			return pipeline.Shadow(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.From, "from", "", "look into a `snapshot` from another machine instead of this one")
	cmd.Flags().BoolVar(&o.All, "all", false, "show components with one copy, too")
	formatFlag(cmd, &o.Format, textOrJSON(), "")
	return cmd
}
