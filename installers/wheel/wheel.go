// Package wheel gets libraries, headers and programs out of Python wheels,
// without Python: it reads which index pip is set up with, finds a file that a
// recipe locked by its hash, unpacks what the recipe names, and writes the links
// and packages that compilers look for. It must never run anything of a wheel,
// and never use a file whose hash was not locked before.
//
// Sources: the specifications on packaging.python.org (simple repository API,
// binary distribution format, platform compatibility tags) and pip's
// documentation on its configuration.
package wheel

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/archive"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/files"
	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Name is the mechanism.
const Name = "wheel"

// Fetcher fetches files of projects through the index that pip on the host is
// set up with. Neither pip nor the index is asked for what is here already.
func Fetcher(h *host.Host) files.Index {
	return func(ctx context.Context, file step.Fetch, o download.Options) error {
		a := files.Artifact(file)
		if o.Offline || files.Stored(o.Store, file) {
			// The store's bytes are hashed there; offline, the error names the file.
			a.Mirrors = []string{"https://index.invalid/" + file.Name}
			o.Offline = true
			_, err := download.Fetch(ctx, a, o)
			return err
		}
		c, err := Read(ctx, h)
		if err != nil {
			return err
		}
		index, err := c.Open()
		if err != nil {
			return err
		}
		_, err = index.Fetch(ctx, file.Project, a, o)
		return err
	}
}

// Unpack is the step's payload for a wheel that goes into a folder.
func Unpack(w recipes.Wheel, f recipes.WheelFile, os, into string) *step.Wheel {
	s := &step.Wheel{File: f.File, SHA256: f.SHA256, Size: int64(f.Size), Into: into, Pick: w.Take}
	if os != "windows" {
		s.Links, s.Libraries = w.Links, w.Loader
		s.Write = packages(w, os)
	}
	return s
}

// Worker is the mechanism: a wheel of the store into a folder that must not
// exist; it appears whole or not at all.
type Worker struct{ Store *store.Store }

// State is the folder's digest.
func (Worker) State(ctx context.Context, s step.Step) (map[string]string, error) {
	if s.Action == step.Remove {
		return files.Remains(ctx, s.Take)
	}
	w, err := step.As[*step.Wheel](s)
	if err != nil {
		return nil, err
	}
	return files.Takes(ctx, []step.Take{{Name: w.Into}})
}

// Done reports whether the folder is there; for a removal, whether it is gone.
func (Worker) Done(_ context.Context, s step.Step) (bool, error) {
	if s.Action == step.Remove {
		return files.Removed(s.Take)
	}
	w, err := step.As[*step.Wheel](s)
	if err != nil {
		return false, err
	}
	return files.Exists(w.Into)
}

// Do unpacks, or removes. The errors are those of archive.Extract.
func (m Worker) Do(ctx context.Context, s step.Step, tell func(step.Progress)) error {
	tell(step.Progress{Phase: step.Installing, Percent: -1, Message: s.Title})
	if s.Action == step.Remove {
		return files.Remove(ctx, s.Take)
	}
	w, err := step.As[*step.Wheel](s)
	if err != nil {
		return err
	}
	path, err := m.Store.Get(ctx, store.Sum(w.SHA256), w.Size)
	if err != nil {
		return lang.Errorf("take the wheel %s out of the store: %w", w.File, err)
	}
	return extract(ctx, path, w)
}

// Sweep removes a folder that is not whole.
func (Worker) Sweep(s step.Step) error {
	if w, ok := s.With.(*step.Wheel); ok {
		return files.SweepPartial(s, w.Into)
	}
	return files.SweepPartial(s)
}

// Room is beside the folder.
func (Worker) Room(s step.Step) (string, int64) {
	if w, ok := s.With.(*step.Wheel); ok {
		return files.Beside(w.Into, s.Cost.DiskBytes)
	}
	return "", 0
}

// Describe names the wheel and the folder.
func (Worker) Describe(s step.Step) (label, text string) {
	w, ok := s.With.(*step.Wheel)
	if !ok {
		return "does", lang.T("nothing")
	}
	return "does", lang.F("unpacks what is needed of %s into %s", w.File, w.Into)
}

// Export refuses: which address a file has, only the index says when it is asked.
func (Worker) Export(s step.Step) mechanism.Script {
	return mechanism.Script{Refuse: lang.T("unpacks a Python wheel, whose address the index that pip is set up with gives when it is asked: deployctl alone does that")}
}

func extract(ctx context.Context, file string, w *step.Wheel) error {
	globs, err := compile(w.Pick)
	if err != nil {
		return err
	}
	matched := map[string]bool{}
	_, err = archive.Extract(ctx, file, archive.Zip, w.Into, archive.Options{
		Pick: func(name string) string {
			glob, to := globs.place(name)
			if glob != "" {
				matched[glob] = true
			}
			return to
		},
		Finish: func(dir string) error {
			for _, glob := range slices.Sorted(maps.Keys(w.Pick)) {
				if !matched[glob] && !optional(glob) {
					return lang.Errorf("%s holds nothing that matches %s; this is a mistake in the recipe", w.File, glob)
				}
			}
			return finish(dir, w)
		},
	})
	return err
}

// optional: a pattern for one system's kind of library matches nothing in
// another's wheel.
func optional(glob string) bool {
	for _, ext := range []string{".so", ".so*", ".so.*", ".dll", ".lib", ".dylib", ".exe", ".a"} {
		if strings.HasSuffix(glob, ext) {
			return true
		}
	}
	return strings.Contains(glob, "/bin/") || strings.Contains(glob, "/scripts/")
}

// pattern is one entry of a recipe's take.
type pattern struct {
	glob  string
	match *regexp.Regexp
	// drop is the part of a name before the first wildcard's folder.
	drop, to string
}

type patterns []pattern

// compile makes the patterns ready, the longest first.
func compile(take map[string]string) (patterns, error) {
	var list patterns
	for glob, to := range take {
		var b strings.Builder
		for rest := glob; rest != ""; {
			switch {
			case strings.HasPrefix(rest, "**"):
				b.WriteString(".*")
				rest = rest[2:]
			case rest[0] == '*':
				b.WriteString("[^/]*")
				rest = rest[1:]
			default:
				b.WriteString(regexp.QuoteMeta(rest[:1]))
				rest = rest[1:]
			}
		}
		re, err := regexp.Compile("^" + b.String() + "$")
		if err != nil {
			return nil, lang.Errorf("read the pattern %q: %w", glob, err)
		}
		fixed := glob
		if i := strings.Index(glob, "*"); i >= 0 {
			fixed = glob[:i]
		}
		list = append(list, pattern{glob: glob, match: re, drop: fixed[:strings.LastIndex(fixed, "/")+1], to: strings.TrimPrefix(to, ".")})
	}
	slices.SortFunc(list, func(a, b pattern) int {
		if len(a.glob) != len(b.glob) {
			return len(b.glob) - len(a.glob)
		}
		return strings.Compare(a.glob, b.glob)
	})
	return list, nil
}

// place is where a name goes, "" for nowhere, and the pattern that says so. A
// folder's own entry is left out: it is made with the first file in it. So are
// the empty modules that make Python see a folder.
func (l patterns) place(name string) (glob, to string) {
	if strings.HasSuffix(name, "/__init__.py") {
		return "", ""
	}
	for _, p := range l {
		if p.match.MatchString(name) {
			return p.glob, strings.TrimPrefix(p.to+"/"+strings.TrimPrefix(name, p.drop), "/")
		}
	}
	return "", ""
}
