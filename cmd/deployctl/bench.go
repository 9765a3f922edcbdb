package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/cmd/pipeline"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engines"
)

func newBench(c *console.Console) *cobra.Command {
	o := pipeline.BenchOptions{Version: version(), VerifyOptions: pipeline.VerifyOptions{Console: c}}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure and rank the engines of this machine",
		Long: `Runs every engine of this machine on the same network and ranks them. Each one
is judged by the reference first: an engine whose results are wrong has no rank.

Every combination of network, target and threads is measured in rounds that
alternate. Between the runs, a known piece of work is timed: when it takes
longer, something else was using the machine, and the report says so. The share
is relative to the rate of multiply-adds measured here.

--precision also tries half precision and bfloat16 where an engine has them. An
engine that computes in single precision anyway fails.`,
		Example: `  deployctl bench
  deployctl bench --model yolov3,yolov3-tiny --size 416,608 --chart bench.svg
  deployctl bench --engine gocv,onnxruntime --threads 1,2,4 --format csv
  deployctl bench --format html > bench.html
  deployctl bench --format json > before.json
  deployctl bench --compare before.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withFolders(func(f pipeline.Folders) error {
				o.Folders = f
				return pipeline.Bench(cmd.Context(), o)
			})
		},
	}
	f := cmd.Flags()
	measureFlags(f, &o)
	f.StringVar(&o.Targets, "target", "cpu", "what to compute on, with commas between them: "+strings.Join(engines.Targets(), ", "))
	f.StringVar(&o.Threads, "threads", "", "numbers of threads, with commas between them (default: each engine's own choice)")
	f.StringVar(&o.Models, "model", "", "networks, with commas between them: "+strings.Join(darknet.Families(), ", ")+" (default: yolov3)")
	f.StringVar(&o.Sizes, "size", "", "input sizes in `pixels`, with commas between them (default: 416)")
	f.IntVar(&o.Rounds, "rounds", 3, "how many times each engine is started")
	f.IntVar(&o.Runs, "runs", 10, "timed forward passes in each round")
	f.StringVar(&o.Chart, "chart", "", "SVG `file` to draw the times into")
	f.StringVar(&o.Compare, "compare", "", "a `file` that an earlier bench --format json wrote, to compare with")
	formatFlag(cmd, &o.Format, formats.Names(formats.Bench), "")
	return cmd
}

// measureFlags adds the flags of every command that measures: which engines, on which
// network of the user's own, and how long each may take.
func measureFlags(f *pflag.FlagSet, o *pipeline.BenchOptions) {
	f.StringVar(&o.Engine, "engine", "all", "the engines, with commas between them: "+strings.Join(engines.Names(), ", ")+"; all for those of this machine")
	f.StringVar(&o.Config, "cfg", "", "a Darknet network description `file` of your own")
	f.StringVar(&o.Weights, "weights", "", "its weights `file`")
	f.StringVar(&o.Precisions, "precision", "fp32", "the precisions to try, with commas between them: fp32, fp16, bf16, or any for all of them")
	f.DurationVar(&o.Limit, "limit", 5*time.Minute, "the longest `time` that an engine may run in a round")
}
