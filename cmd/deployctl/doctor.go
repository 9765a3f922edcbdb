package main

import (
	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/cmd/pipeline"
)

func newDoctor(c *console.Console) *cobra.Command {
	o := pipeline.DoctorOptions{Console: c}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check this machine; with --fix, install what is missing and verify it",
		Long: `Check this machine against a recipe. Without --fix, nothing is changed and
nothing is downloaded.

With --fix, show a plan with its cost, ask for consent, install what is missing,
check again, and prove the result with a real forward pass.`,
		Example: `  deployctl doctor
  deployctl doctor --fix --yes               unattended, as in a CI image
  deployctl doctor --fix --dry-run           the plan alone
  deployctl doctor --format json | jq .summary
  deployctl doctor --fix --offline           without a network, from an imported bundle
  deployctl doctor --from snapshot.tgz       judge another machine`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return whatFolders(func(f pipeline.Folders) error {
				o.Folders, o.Version, o.Format = f, version(), format(cmd, o.Format)
				return pipeline.Doctor(cmd.Context(), o)
			})
		},
	}
	f := cmd.Flags()
	selectRecipe(f, &o.Recipe)
	f.StringVar(&o.From, "from", "", "judge the machine in a `snapshot`, or what a text with reports tells of one, instead of this one")
	annotatedFlag(cmd, &o.Format, formats.Doctor)
	f.BoolVar(&o.Plan, "plan", false, "add the plan to --format "+formats.Either(formats.Planning())+" (asks the package manager, which takes seconds)")
	f.BoolVar(&o.Fix, "fix", false, "install or repair what is missing, then prove it")
	f.BoolVarP(&o.Yes, "yes", "y", false, "do not ask before --fix changes the machine")
	f.BoolVar(&o.DryRun, "dry-run", false, "show what --fix would do and change nothing")
	f.StringVar(&o.Locked, "locked", "", "let --fix download only the files that a `lockfile` names")
	f.BoolVar(&o.Offline, "offline", false, "let --fix use only what is on this machine, or in the bundle imported for the recipe")
	f.BoolVar(&o.Strict, "strict", false, "exit 4 when there are warnings only")
	f.BoolVar(&o.Deep, "deep", false, "also load each OpenCL driver and ask for its devices, in a child process")
	f.BoolVar(&o.Timings, "timings", false, "show how long each probe took")
	f.BoolVar(&o.All, "all", false, "show every check, with what it requires and why")
	f.IntVar(&o.Level, "level", 2, "how much --fix proves: 0 nothing, 1 the engine loads, 2 one checked forward pass, 3 timed runs")
	f.StringVar(&o.Verify.Picture, "picture", "", "PNG or JPEG `file` to write the picture with boxes to (default: one for each network and image, in the cache)")
	return cmd
}
