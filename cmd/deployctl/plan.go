package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/pipeline"
	"github.com/deployctl/deployctl/doctor/images"
)

func newPlan(c *console.Console) *cobra.Command {
	o := pipeline.PlanOptions{Console: c}
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show the smallest set of changes that satisfies a recipe, and why",
		Long: `Finds the cheapest set of changes that satisfies every requirement of a recipe,
and shows why each is necessary. Where there is none, it shows which
requirements exclude one another. It also lists what is left to fix by hand.
Changes nothing.

With --for it plans for a clean system: everything that the recipe needs, not
what this machine lacks.

With --format sh, ps1, dockerfile or ansible it writes the steps of
"doctor --fix" in that language; each runs without deployctl. For Windows, ps1
also has the commands for what "doctor --fix" leaves to you: cuDNN, a build of
OpenCV, toolsets, settings. A script that can do nothing exits 3.`,
		Example: `  deployctl plan --recipe opencv-cuda
  deployctl plan --recipe openpose-windows --from snapshot.tgz
  deployctl plan --recipe opencv-cuda --target cuda=12.6      what if?
  deployctl plan --format html > plan.html
  deployctl plan --format sh > set-up.sh
  deployctl plan --for debian:12 --format dockerfile > Dockerfile`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return whatFolders(func(f pipeline.Folders) error {
				o.Folders = f
				o.Version = version()
				return pipeline.Plan(cmd.Context(), o)
			})
		},
	}
	f := cmd.Flags()
	selectRecipe(f, &o.Recipe)
	f.StringVar(&o.From, "from", "", "plan for the machine in a `snapshot`, or a text with reports, instead of this one")
	f.StringVar(&o.For, "for", "", "plan for a clean `image` instead: "+strings.Join(images.Names(), ", "))
	f.StringArrayVar(&o.Targets, "target", nil, "ask what if, as `component=version` (cuda=12.6)")
	formatFlag(cmd, &o.Format, pipeline.PlanFormats(), "")
	return cmd
}
