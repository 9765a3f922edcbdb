// Command foreign unpacks a recipe's wheels as deployctl would on another system
// and shows what doctor's probes say of them there: foreign RECIPE COMPONENT
// FIXTURE,… CACHE FOLDER [NAME]. The other system is a recorded machine, in which
// the unpacked folder stands where deployctl would have put it. NAME is a file to
// remove first, to see that its lack is noticed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"strings"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/installers/wheel"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/wheeltag"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "foreign:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 5 && len(args) != 6 {
		return errors.New("usage: foreign RECIPE COMPONENT FIXTURE,… CACHE FOLDER [NAME]")
	}
	recipe, err := recipes.Find(args[0], "")
	if err != nil {
		return err
	}
	base, err := recorded(strings.Split(args[2], ","))
	if err != nil {
		return err
	}
	target := judge.WheelTarget(doctor.Probe(ctx, base, doctor.Probes(false)))
	for _, q := range recipe.Requirements {
		if q.Component == nil || q.Component.Name != args[1] {
			continue
		}
		for _, fix := range q.Fix {
			for _, w := range fix.Wheel {
				if file, ok := wheeltag.Pick(w, target); ok {
					if err := unpack(ctx, w, file, base.OS, args[3], filepath.Join(args[4], w.Name)); err != nil {
						return err
					}
					if len(args) == 6 {
						if err := os.Remove(filepath.Join(args[4], w.Name, args[5])); err != nil {
							return err
						}
					}
					return show(ctx, base, w, args[1], args[4])
				}
			}
		}
	}
	return fmt.Errorf("recipe %s has no wheel of %s for %s", args[0], args[1], target)
}

// recorded makes a machine of fixtures, later ones adding to earlier ones.
func recorded(names []string) (*host.Host, error) {
	var text strings.Builder
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if i := strings.Index(string(data), "\n-- "); i >= 0 {
			data = data[i+1:] // without the words on what it is
		}
		text.Write(data)
	}
	r, err := hosttest.Recording(text.String())
	if err != nil {
		return nil, err
	}
	return host.Replay(r), nil
}

func unpack(ctx context.Context, w recipes.Wheel, f recipes.WheelFile, system, cache, into string) error {
	s := store.New(cache)
	file := step.Fetch{Name: f.File, Size: int64(f.Size), SHA256: f.SHA256, Project: w.Project}
	if err := wheel.Fetcher(host.Live())(ctx, file, download.Options{Store: s}); err != nil {
		return err
	}
	worker := wheel.Worker{Store: s}
	st := step.Step{ID: w.Name, Title: w.Name, Mechanism: wheel.Name, Action: step.Install, With: wheel.Unpack(w, f, system, into)}
	if done, err := worker.Done(ctx, st); err != nil || done {
		return err
	}
	return worker.Do(ctx, st, func(step.Progress) {})
}

// show looks at the recorded machine with the folder in it, and an environment
// that names what deployctl would put there.
func show(ctx context.Context, base *host.Host, w recipes.Wheel, component, local string) error {
	prefix := "/opt/deployctl"
	if base.Windows() {
		prefix = `C:\deployctl`
	}
	env, list := map[string]string{}, ":"
	if base.Windows() {
		list = ";"
	}
	for name, folder := range wheel.Folders(w, base.OS, false) {
		env[name] = strings.TrimSuffix(base.Join(prefix, w.Name, folder)+list+base.Env(name), list)
	}
	h := host.Overlay(base.With(mapped{base.World, host.Live().World, prefix, local, base.Windows()}), env)
	f := doctor.Probe(ctx, h, doctor.Probes(false))
	found := false
	for _, in := range f.Components[component] {
		fmt.Printf("%s %s in %s, active %v, parts %s\n", component, in.Version, in.Path, in.Active, strings.Join(in.Has, " "))
		found = found || in.Active && strings.HasPrefix(in.Path, prefix)
		if in.Unusable != nil {
			fmt.Printf("  unusable: %+v\n", *in.Unusable)
		}
		for _, n := range in.Needs {
			fmt.Printf("  needs: %+v\n", n)
		}
	}
	if !found {
		return fmt.Errorf("the probes do not find %s in %s as active", component, prefix)
	}
	return nil
}

// mapped is a recorded machine with a folder of this one in it.
type mapped struct {
	host.World
	live          host.World
	prefix, local string
	windows       bool
}

// at gives the world and the name there of a path.
func (m mapped) at(name string) (host.World, string) {
	same := name
	if m.windows {
		same = strings.ReplaceAll(name, "/", `\`)
	}
	rest, ok := strings.CutPrefix(same, m.prefix)
	if !ok && m.windows && len(same) >= len(m.prefix) && strings.EqualFold(same[:len(m.prefix)], m.prefix) {
		rest, ok = same[len(m.prefix):], true
	}
	if !ok || rest != "" && rest[0] != '/' && rest[0] != '\\' {
		return m.World, name
	}
	return m.live, filepath.Join(m.local, filepath.FromSlash(strings.ReplaceAll(rest, `\`, "/")))
}

func (m mapped) ReadFile(ctx context.Context, name string, limit int64) ([]byte, bool, error) {
	w, n := m.at(name)
	return w.ReadFile(ctx, n, limit)
}

func (m mapped) ReadAt(ctx context.Context, name string, at int64, size int) ([]byte, error) {
	w, n := m.at(name)
	return w.ReadAt(ctx, n, at, size)
}

func (m mapped) Search(ctx context.Context, name, marker string, limit int64, want int) ([]byte, error) {
	w, n := m.at(name)
	return w.Search(ctx, n, marker, limit, want)
}

func (m mapped) ReadDir(ctx context.Context, name string) ([]host.Entry, error) {
	w, n := m.at(name)
	return w.ReadDir(ctx, n)
}

func (m mapped) Stat(ctx context.Context, name string) (host.Info, error) {
	w, n := m.at(name)
	return w.Stat(ctx, n)
}

func (m mapped) Resolve(ctx context.Context, name string) (string, error) {
	w, n := m.at(name)
	real, err := w.Resolve(ctx, n)
	if err != nil || n == name {
		return real, err
	}
	rel, err := filepath.Rel(m.local, real)
	if err != nil {
		return "", err
	}
	if m.windows {
		return m.prefix + `\` + strings.ReplaceAll(rel, "/", `\`), nil
	}
	return path.Join(m.prefix, rel), nil
}
