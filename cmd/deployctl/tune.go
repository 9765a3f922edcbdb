package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/pipeline"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engines"
)

func newTune(c *console.Console) *cobra.Command {
	o := pipeline.TuneOptions{BenchOptions: pipeline.BenchOptions{Version: version(), VerifyOptions: pipeline.VerifyOptions{Console: c}}}
	cmd := &cobra.Command{
		Use:   "tune",
		Short: "Find the fastest engine and settings for a network on this machine",
		Long: `Measures every engine of this machine with several numbers of threads, then the
switches of the two best, then the winner against the first engine as it is.
Prints the recommended setting, how much is gained and how sure that is, and the
lines that use it from Go, C++ and Python. It changes nothing.

--precision any also tries half precision and bfloat16. One is recommended only
if every raw output is within 2e-2 (relative L2) of the reference.`,
		Example: `  deployctl tune
  deployctl tune --cfg my.cfg --weights my.weights --apply tune.md
  deployctl tune --engine onnxruntime,opencv --model yolov4 --rounds 5`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withFolders(func(f pipeline.Folders) error {
				o.Folders = f
				return pipeline.Tune(cmd.Context(), o)
			})
		},
	}
	f := cmd.Flags()
	measureFlags(f, &o.BenchOptions)
	f.StringVar(&o.Target, "target", "cpu", "what to compute on: "+strings.Join(engines.Targets(), ", "))
	f.StringVar(&o.Model, "model", "", "the network: "+strings.Join(darknet.Families(), ", ")+" (default: yolov3)")
	f.IntVar(&o.Size, "size", 0, "its input size in `pixels` (default: 416)")
	f.IntVar(&o.Rounds, "rounds", 2, "how many times each setting is started")
	f.IntVar(&o.Runs, "runs", 6, "timed forward passes in each round")
	f.StringVar(&o.Apply, "apply", "", "Markdown `file` to write the setting and its lines to")
	formatFlag(cmd, &o.Format, textOrJSON(), "")
	return cmd
}
