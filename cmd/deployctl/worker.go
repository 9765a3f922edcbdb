package main

import (
	"github.com/spf13/cobra"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/pipeline"
	"github.com/deployctl/deployctl/verify/engine"
)

// newWorker is the command with which deployctl.exe starts itself to load a library.
// It is not for people.
func newWorker(*console.Console) *cobra.Command {
	return &cobra.Command{
		Use:    engine.ChildCommand + " ENGINE LIBRARY",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE:   func(_ *cobra.Command, args []string) error { return pipeline.Worker(args[0], args[1]) },
	}
}
