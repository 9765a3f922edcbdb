package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/npm"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/installers/wheel"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/recipes/wheeltag"
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
		return unknown(lang.T("the runtime"), o.Name, []string{"onnxruntime"})
	}
	if o.System == "" {
		o.System = runtime.GOOS + "/" + runtime.GOARCH
	}
	if _, ok := p.Files[o.System]; !ok {
		return unknown("--system", o.System, slices.Sorted(maps.Keys(p.Files)))
	}
	if o.To == "" {
		o.To = filepath.Join(o.Folders.Cache, "runtimes")
	}
	registry, err := npm.Registry(ctx, host.Live())
	var none *step.Failure
	if errors.As(err, &none) && none.Kind == step.NotFound {
		return o.fromWheel(ctx, host.Live())
	}
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

// fromWheel puts the library of the recipe's Python wheel into the folder, where nothing
// says which npm registry to use. Neither npm nor Python is needed.
func (o RuntimeOptions) fromWheel(ctx context.Context, h *host.Host) error {
	r, err := recipes.Find("onnxruntime", "")
	if err != nil {
		return err
	}
	q := requirement(r, "onnxruntime.version")
	at := slices.IndexFunc(q.Fix, func(f recipes.Fix) bool { return len(f.Wheel) > 0 })
	if at < 0 {
		return lang.Errorf("the recipe onnxruntime has no wheel, and no npm registry is known: set npm_config_registry")
	}
	w := q.Fix[at].Wheel[0]
	system, arch, _ := strings.Cut(o.System, "/")
	target := wheeltag.Target{OS: system, Arch: arch}
	switch system { // the oldest that each file is made for decides on the machine that uses it
	case "linux":
		target.Glibc = "2.28"
	case "darwin":
		target.MacOS = "14"
	}
	f, ok := wheeltag.Pick(w, target)
	if !ok {
		return &step.Failure{Kind: step.NotFound, Cause: lang.F("ONNX Runtime %s has no wheel for %s", w.Version, o.System), Next: lang.T("set npm_config_registry, or install npm")}
	}
	s := store.New(o.Folders.Cache)
	show := &transfer{console: o.Console, name: "ONNX Runtime " + w.Version}
	err = wheel.Fetcher(h)(ctx, step.Fetch{Name: f.File, Size: int64(f.Size), SHA256: f.SHA256, Project: w.Project}, download.Options{Store: s, Offline: o.Offline, Progress: show.report})
	show.end()
	if err != nil {
		return err
	}
	into := filepath.Join(o.To, w.Name)
	unpack := step.Step{ID: w.Name + ".wheel", Title: lang.F("Unpack %s", f.File), Mechanism: wheel.Name, Action: step.Install, With: wheel.Unpack(w, f, system, into)}
	worker := wheel.Worker{Store: s}
	if done, err := worker.Done(ctx, unpack); err != nil {
		return err
	} else if !done {
		if err := worker.Do(ctx, unpack, func(step.Progress) {}); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(o.Console.Text(), into)
	return err
}
