// Command pin prints the files of a project's version as a recipe locks them:
// for each kind of system the wheel that deployctl would use there, with its
// size and hash. It asks the index that pip is set up with.
//
//	go run ./installers/wheel/pin onnxruntime==1.20.1
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/wheel"
	"github.com/deployctl/deployctl/recipes/wheeltag"
)

// targets are the systems that a recipe names files for, new ones, with every
// tag that may be used there.
func targets() []wheeltag.Target {
	return []wheeltag.Target{
		{OS: "linux", Arch: "amd64", Glibc: "2.99"}, {OS: "linux", Arch: "arm64", Glibc: "2.99"},
		{OS: "linux", Arch: "amd64", Musl: "1.99"}, {OS: "linux", Arch: "arm64", Musl: "1.99"},
		{OS: "windows", Arch: "amd64"}, {OS: "windows", Arch: "arm64"},
		{OS: "darwin", Arch: "amd64", MacOS: "99.0"}, {OS: "darwin", Arch: "arm64", MacOS: "99.0"},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pin: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("name projects with their versions: pin onnxruntime==1.20.1")
	}
	config, err := wheel.Read(ctx, host.Live())
	if err != nil {
		return err
	}
	index, err := config.Open()
	if err != nil {
		return err
	}
	for _, arg := range args {
		project := arg
		if i := strings.IndexAny(arg, "=<>!~"); i >= 0 {
			project = arg[:i]
		}
		seen := map[string]bool{}
		for _, t := range targets() {
			pin, err := index.Resolve(ctx, project, arg[len(project):], t)
			var failure *step.Failure
			if errors.As(err, &failure) && failure.Kind == step.NotFound {
				fmt.Fprintln(os.Stderr, "pin: "+failure.Cause)
				continue
			}
			if err != nil {
				return err
			}
			if seen[pin.File] {
				continue
			}
			if len(seen) == 0 {
				fmt.Printf("    project: %s\n    version: %s\n    files:\n", pin.Project, pin.Version)
			}
			seen[pin.File] = true
			fmt.Printf("      - file: %s\n        size: %d B\n        sha256: %s\n", pin.File, pin.Size, pin.SHA256)
		}
		if len(seen) == 0 {
			return fmt.Errorf("%s has no wheel for any system", arg)
		}
	}
	return nil
}
