package main

import (
	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/pipeline"
)

func newDeps(c *console.Console) *cobra.Command {
	o := pipeline.DepsOptions{Console: c}
	cmd := &cobra.Command{
		Use:   "deps FILE",
		Short: "Show which libraries a program or library loads, and the first one missing",
		Long: `Read an executable or shared library of Linux (ELF), Windows (PE) or macOS
(Mach-O) and follow everything it loads, as the loader of its system would on
this machine: what is missing, too old, damaged or for another architecture, who
needs it, and what provides it. Nothing is run or loaded. A file of another
system can be read, too: then only the folders it names are searched.

Exit codes: 3 something is missing or cannot be used, 5 a place could not be
looked at.`,
		Example: `  deployctl deps /usr/lib/x86_64-linux-gnu/libopencv_dnn.so
  deployctl deps onnxruntime.dll --format json`,
		Args: exactArg("an executable or a shared library"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.File, o.Version = args[0], version()
			return pipeline.Deps(cmd.Context(), o)
		},
	}
	formatFlag(cmd, &o.Format, textOrJSON(), "")
	cmd.Flags().BoolVar(&o.All, "all", false, "also list the libraries that are found")
	return cmd
}
