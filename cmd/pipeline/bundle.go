package pipeline

import (
	"cmp"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/bundle"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/files"
	"github.com/deployctl/deployctl/installers/lockfile"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/installers/wheel"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/output"
)

// BundleOptions are what BundleCreate depends on.
type BundleOptions struct {
	LockOptions
	// Lock is the lockfile to bundle; "" makes one for this machine.
	Lock string
	// WithProgram puts the running deployctl into the bundle.
	WithProgram bool
}

// BundleCreate writes one file with all that a machine without a network needs.
func BundleCreate(ctx context.Context, o BundleOptions) error {
	place, err := outputFile(lang.T("a bundle"), bundle.Is, o.Output, output.Input{Flag: "--lock", File: o.Lock})
	if err != nil {
		return err
	}
	o.Output = place
	var l *lockfile.Lock
	if o.Lock == "" {
		l, err = o.make(ctx)
	} else if l, err = lockOf(o.Lock); err == nil {
		err = o.models(l)
	}
	if err != nil {
		return err
	}
	s := store.New(o.Folders.Cache)
	if err := fetchAll(ctx, o.Console, l, s); err != nil {
		return err
	}
	if o.WithProgram {
		if ours := map[string]string{"windows": "windows", "macos": "darwin"}; cmp.Or(ours[l.System.OS], "linux") != runtime.GOOS || l.System.Arch != runtime.GOARCH {
			return usagef("this deployctl is for %s/%s and the bundle for %s: leave --with-deployctl out and carry the deployctl of that system beside the bundle", runtime.GOOS, runtime.GOARCH, l.System)
		}
		if l.Program, err = program(ctx, s); err != nil {
			return err
		}
	}
	if err := l.Check(); err != nil {
		return err
	}
	bar := &bytesBar{console: o.Console, name: lang.F("write %s", o.Output)}
	err = bundle.Create(ctx, l, s, o.Output, bar.set)
	bar.end()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(o.Console.Text(), o.Output+": "+contents(l))
	return err
}

// fetchAll brings the lock's files into the store; what is there is not fetched
// again, so an interrupted run goes on.
func fetchAll(ctx context.Context, c *console.Console, l *lockfile.Lock, s *store.Store) error {
	wanted := slices.DeleteFunc(l.All(), func(f step.Fetch) bool { return l.Program != nil && f.SHA256 == l.Program.SHA256 })
	bar := &bytesBar{console: c, name: lang.F("fetch %d files", len(wanted))}
	err := files.FetchAll{Options: download.Options{Store: s}, Index: wheel.Fetcher(host.Live())}.Fetch(ctx, wanted, func(p step.Progress) { bar.set(p.Bytes, p.Total) })
	bar.end()
	return err
}

// program puts the running deployctl into the store. It must start on a machine
// that has other libraries, or none.
func program(ctx context.Context, s *store.Store) (*step.Fetch, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, lang.Errorf("find deployctl's own file: %w", err)
	}
	if runtime.GOOS == "linux" {
		f, err := elf.Open(path)
		if err != nil {
			return nil, lang.Errorf("look at deployctl's own file: %w", err)
		}
		dynamic := slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP })
		if err := f.Close(); err != nil {
			return nil, lang.Errorf("look at deployctl's own file: %w", err)
		}
		if dynamic {
			return nil, usagef("this deployctl needs this system's C library, so it may not start on another: build it with CGO_ENABLED=0 and run bundle create with that one")
		}
	}
	sum, err := store.Hash(ctx, path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, lang.Errorf("look at deployctl's own file: %w", err)
	}
	_, err = download.Import(ctx, download.Artifact{Name: "deployctl", Size: info.Size(), SHA256: sum}, s, path)
	return &step.Fetch{Name: "deployctl", Size: info.Size(), SHA256: string(sum)}, err
}

// BundleImport takes a bundle's files in, after checking each.
func BundleImport(ctx context.Context, c *console.Console, folders Folders, file string) error {
	if err := exists(file); err != nil {
		return err
	}
	bar := &bytesBar{console: c, name: lang.F("check and take in %s", file)}
	l, err := bundle.Import(ctx, file, folders.Cache, bar.set)
	bar.end()
	if err != nil {
		return err
	}
	var chosen Selection
	if l.Recipe.Name != recipes.DefaultOn(runtime.GOOS) {
		chosen.Name = l.Recipe.Name
	}
	_, err = fmt.Fprint(c.Text(), lang.F("%s\nNext: deployctl doctor --fix --offline%s\n", contents(l), chosen.flags()))
	return err
}

// BundleList prints what is in a bundle, by its lockfile.
func BundleList(c *console.Console, file, format string) error {
	if err := errors.Join(textOrJSON(format), exists(file)); err != nil {
		return err
	}
	l, err := bundle.List(file)
	if err != nil {
		return err
	}
	if format == "json" {
		return writeJSON(c, l)
	}
	if _, err := fmt.Fprintln(c.Text(), contents(l)); err != nil {
		return err
	}
	line := func(name, version string, f step.Fetch) error {
		_, err := fmt.Fprintf(c.Text(), "%s  %9s  %s\n", f.SHA256, step.Bytes(f.Size), step.Clean(name+" "+version, 200))
		return err
	}
	for _, p := range l.Packages {
		if err := line(p.Name, p.Version, p.File); err != nil {
			return err
		}
	}
	for _, m := range l.Modules {
		if err := line(m.Path+" "+m.Ext, m.Version, m.File); err != nil {
			return err
		}
	}
	for _, f := range l.Files {
		if err := line(f.Name, "", f); err != nil {
			return err
		}
	}
	if l.Program != nil {
		return line(lang.T("deployctl itself"), "", *l.Program)
	}
	return nil
}

// bytesBar draws work that is counted in bytes.
type bytesBar struct {
	console *console.Console
	name    string
	task    *console.Task
}

func (b *bytesBar) set(done, total int64) {
	if b.task == nil {
		b.task = b.console.StartBytes(b.name, total)
	}
	b.task.Set(done)
}

func (b *bytesBar) end() {
	if b.task != nil {
		b.task.Done("")
	}
}
