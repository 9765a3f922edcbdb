package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/pipeline"
	"github.com/deployctl/deployctl/verify/darknet"
)

func newConvert(c *console.Console) *cobra.Command {
	o := pipeline.ConvertOptions{VerifyOptions: pipeline.VerifyOptions{Console: c, Level: 2, Runs: 1, Target: "cpu", Limit: 5 * time.Minute}}
	cmd := &cobra.Command{
		Use:   "convert --to FORMAT",
		Short: "Convert a Darknet network to another format, checked by an engine that reads it",
		Long: `Writes a Darknet network in another format. Before the files are handed out, an
engine on this machine runs them, and every raw output is compared with the
built-in reference engine. A Core ML model runs on Apple's systems only, and
MACE's converter is part of its sources, so these two are not checked.
ExecuTorch's and MNN's files are made by the tools in their own Python packages.

The model's outputs are the raw heads, which the yolo layers read. Batch
normalization is folded into the convolutions.`,
		Example: `  deployctl convert --to onnx --cfg my.cfg --weights my.weights
  deployctl convert --to onnx --opset 17 --model yolov4 --output models`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withFolders(func(f pipeline.Folders) error {
				o.Folders, o.Version = f, version()
				return pipeline.Convert(cmd.Context(), o)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.To, "to", "", "the format: "+strings.Join(pipeline.Formats(), ", "))
	f.StringVar(&o.Config, "cfg", "", "a Darknet network description `file`")
	f.StringVar(&o.Weights, "weights", "", "a Darknet weights `file`")
	f.StringVar(&o.VerifyOptions.Model, "model", "", "instead of files of your own: "+strings.Join(darknet.Families(), ", "))
	f.IntVar(&o.Size, "size", 0, "the network's input size in `pixels` (a multiple of 32; default: the cfg's, or 416)")
	f.IntVar(&o.Opset, "opset", 0, "ONNX's operator set, 11 to 23 (default: 11, which every runtime reads)")
	f.StringVar(&o.Output, "output", ".", "the `folder` to write to")
	f.StringVar(&o.Engine, "engine", "", "the engine that checks the result (default: the first one here that reads the format)")
	f.BoolVar(&o.Unchecked, "unchecked", false, "write the files without running them")
	f.BoolVar(&o.Force, "force", false, "replace files that exist")
	formatFlag(cmd, &o.Format, textOrJSON(), "")
	return cmd
}
