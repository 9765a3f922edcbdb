package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/npm"
	"github.com/deployctl/deployctl/installers/store"
)

// RuntimeOptions are what RuntimePull depends on.
type RuntimeOptions struct {
	Console *console.Console
	Folders Folders
	Name    string
	// To is the folder to put it into, "" for the cache; System is
	// GOOS/GOARCH, "" for this machine's.
	To, System string
	Offline    bool
}

// RuntimePull puts the shared libraries of an inference runtime into a folder.
func RuntimePull(ctx context.Context, o RuntimeOptions) error {
	p := npm.ONNXRuntime()
	if o.Name != "onnxruntime" {
		return usagef("there is no runtime %q to pull; there is onnxruntime (%s)", o.Name, p.Version)
	}
	if o.System == "" {
		o.System = runtime.GOOS + "/" + runtime.GOARCH
	}
	if _, ok := p.Files[o.System]; !ok {
		return usagef("ONNX Runtime %s has no library for %s in its package", p.Version, o.System)
	}
	if o.To == "" {
		o.To = filepath.Join(o.Folders.Cache, "runtimes")
	}
	registry, err := npm.Registry(ctx, host.Live())
	if err != nil {
		return err
	}
	show := &transfer{console: o.Console, name: "ONNX Runtime " + p.Version}
	dir, err := npm.Pull(ctx, p, registry, o.System, o.To, download.Options{
		Store: store.New(o.Folders.Cache), Offline: o.Offline, Progress: show.report,
	})
	show.end()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(o.Console.Text(), dir)
	return err
}
