package main

import (
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/cmd/pipeline"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engines"
)

func newVerify(c *console.Console) *cobra.Command {
	o := pipeline.VerifyOptions{Console: c}
	cache := ""
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Verify the setup with a real YOLOv3 forward pass",
		Long: `Runs a real YOLOv3 (107 layers, 62 million parameters) through the engine,
compares every raw output with the built-in reference engine, times it, and
draws the boxes into a picture. --model runs one of its relatives instead, or an
ONNX model of your own: on every engine here that reads ONNX, where what most of
them agree on counts as right.

The network is converted for engines that do not read Darknet's files:

  gocv           OpenCV from Go; reads Darknet's files
  onnxruntime    what "deployctl shadow onnxruntime" calls active; reads ONNX
  openvino       OpenVINO's C library; reads ONNX
  tensorflow     TensorFlow's C library; reads a frozen graph
  darknet        the libdarknet here; reads Darknet's files
  opencv         the same OpenCV from C++: its worker is built here through
                 CMake's find_package and through pkg-config; what fails in one,
                 or finds another OpenCV, is in the notes
  libtorch       LibTorch from C++; reads TorchScript
  opencv-python  cv2 of the Python on PATH: activate its virtual environment
                 first; OpenCV 5 is given ONNX
  torch          the package of the same Python; reads TorchScript
  ncnn, mnn, executorch
                 packages of the same Python; the last two convert with tools
                 of their own

Without weights of your own, and without the official ones in the cache, it uses
self-test weights: the same network at the same cost, calibrated on an embedded
scene, not trained.`,
		Example: `  deployctl verify
  deployctl verify --level 3
  deployctl verify --engine onnxruntime
  deployctl verify --engine all --level 3
  deployctl verify --model yolov3-tiny
  deployctl verify --model detector.onnx
  deployctl verify --cfg my.cfg --weights my.weights --names my.names --image street.jpg`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// What is not given is chosen; a 0 that is given is a mistake.
			for _, name := range []string{"size", "threads", "runs", "level"} {
				if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "0" {
					return &pipeline.UsageError{Err: lang.Errorf("--%s cannot be 0: leave it out for the default", name)}
				}
			}
			if !cmd.Flags().Changed("engine") {
				o.Engine = "" // the recipe's
				if strings.EqualFold(filepath.Ext(o.Model), ".onnx") {
					o.Engine = "all"
				}
			}
			if o.Limit <= 0 {
				return &pipeline.UsageError{Err: lang.Errorf("--limit must be a time, such as 10m")}
			}
			return whatFolders(func(f pipeline.Folders) error {
				o.Folders, o.Version, o.Format = f, version(), format(cmd, o.Format)
				if cache != "" {
					o.Folders.Cache, o.Folders.Missing = cache, nil
				}
				if o.Folders.Missing != nil {
					return o.Folders.Missing
				}
				return pipeline.Verify(cmd.Context(), o)
			})
		},
	}
	f := cmd.Flags()
	selectRecipe(f, &o.Recipe)
	f.StringVar(&o.Engine, "engine", engines.Default(runtime.GOOS).Name, "the engines to prove, with commas between them: "+strings.Join(engines.Names(), ", ")+"; all for those of this machine; reference for the built-in one alone. With --recipe, the default is its own")
	f.StringVar(&o.Model, "model", "", "the network: "+strings.Join(darknet.Families(), ", ")+", or an ONNX file of your own (default: yolov3)")
	f.StringVar(&o.Config, "cfg", "", "a Darknet network description `file`")
	f.StringVar(&o.Weights, "weights", "", "a Darknet weights `file`")
	f.StringVar(&o.Names, "names", "", "a `file` with one class name a line")
	f.StringVar(&o.Image, "image", "", "a PNG or JPEG `file` to look at, turned as its Exif note says")
	f.IntVar(&o.Size, "size", 0, "the network's input size in `pixels` (a multiple of 32; default: the cfg's, or 416)")
	f.StringVar(&o.Target, "target", "cpu", "what the engine computes on: "+strings.Join(engines.Targets(), ", ")+" (which of them depends on the engine)")
	f.IntVar(&o.Threads, "threads", 0, "threads of the engine (default: its own choice)")
	f.IntVar(&o.Runs, "runs", 0, "timed runs (default: by level)")
	f.DurationVar(&o.Limit, "limit", 5*time.Minute, "the longest `time` that the engine may run")
	f.IntVar(&o.Level, "level", 2, "1 the engine loads, 2 one checked forward pass, 3 timed runs")
	f.BoolVar(&o.Fresh, "fresh", false, "compile the worker and compute the reference again, whatever the cache holds")
	f.StringVar(&o.Picture, "picture", "", "PNG or JPEG `file` to write the picture with boxes to (default: one for each network and image, in the cache)")
	annotatedFlag(cmd, &o.Format, formats.Verify)
	f.StringVar(&cache, "cache", "", "`folder` for models, workers and outputs (default: the user's cache)")
	return cmd
}
