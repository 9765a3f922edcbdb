package export

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// op is what a step does to files or settings.
type op struct {
	words []string // that come into a script
	paths []string // that it works at
	sum   string   // of the file that it uses, "" for none
	bad   string   // why no plan of deployctl's own has it
	// posix and windows are its lines; windows is nil for what deployctl does not
	// do there.
	posix   func(f *step.Fetch) *posix
	windows func(f *step.Fetch) []string
}

// opOf is the one place that knows the kinds of payload; nil for a command.
func opOf(x mechanism.Script, argv []string) *op {
	switch with := x.With.(type) {
	case *step.Unpack:
		o := &op{words: []string{with.Format, with.Into, with.Product}, paths: []string{with.Into}, sum: with.SHA256}
		for from, to := range with.Files {
			o.words = append(o.words, from, to)
		}
		if with.Product != "" {
			o.paths = append(o.paths, with.Product)
		}
		o.posix = func(f *step.Fetch) *posix { return posixUnpackStep(with, f) }
		o.windows = func(f *step.Fetch) []string { return windowsUnpackStep(with, f) }
		return o
	case *step.Place:
		return &op{words: []string{with.Path}, paths: []string{with.Path}, sum: with.SHA256,
			posix:   func(f *step.Fetch) *posix { return posixPlaceStep(with, f) },
			windows: func(f *step.Fetch) []string { return windowsPlaceStep(with, f) }}
	case *step.Build:
		o := &op{paths: []string{with.Dir, with.Work, with.Product}, posix: func(*step.Fetch) *posix { return posixBuildStep(with, argv) }}
		o.words = slices.Concat([]string{with.Stage, with.Dir, with.Work, with.Product, with.Staged, with.Key}, with.Env)
		if with.Staged != "" {
			o.paths = append(o.paths, with.Staged)
		}
		if len(argv) == 0 {
			o.bad = lang.T("builds from source in a way that deployctl does not")
		}
		for _, kv := range with.Env {
			if name, _, ok := strings.Cut(kv, "="); !ok || !variable.MatchString(name) {
				o.bad = lang.T("sets something that is not a variable")
			}
		}
		return o
	case step.Edits:
		o := &op{posix: func(*step.Fetch) *posix { return posixEnvStep(with) }, windows: func(*step.Fetch) []string { return windowsEnvStep(with) }}
		for _, e := range with {
			o.words = append(o.words, e.Name, e.Value, e.Scope)
			o.bad = cmp.Or(o.bad, badEdit(e, with[0]))
		}
		return o
	}
	if len(x.Remove) > 0 {
		return &op{words: x.Remove, paths: x.Remove, posix: func(*step.Fetch) *posix { return posixTidyStep(x.Remove) },
			windows: func(*step.Fetch) []string { return windowsTidyStep(x.Remove) }}
	}
	return nil
}

// onWindows reports whether the op is for Windows; why it is none of deployctl's
// own, unless "".
func (o *op) onWindows(edits step.Edits) (windows bool, bad string) {
	windows = len(o.paths) > 0 && windowsPath.MatchString(o.paths[0])
	for _, e := range edits {
		windows = windows || windowsPath.MatchString(e.Value)
	}
	for _, p := range o.paths {
		if !windows && (!path.IsAbs(p) || path.Clean(p) != p || p == "/") || windows && !windowsPath.MatchString(p) {
			return windows, cmp.Or(o.bad, lang.T("works at a path that is not absolute"))
		}
	}
	if windows && o.windows == nil {
		return windows, lang.T("builds from source in a way that deployctl does not")
	}
	return windows, o.bad
}

// onFiles makes a step that works on files ready: lines of PowerShell where its
// paths are those of Windows, of a POSIX shell elsewhere. Those become a
// command (/bin/sh -c) where the language or root has to start them.
func onFiles(format Format, t *task, o *op, s installers.Step, fetched map[string]*step.Fetch) error {
	bad := func(why string) error { return lang.Errorf("step %s %s; deployctl did not make this plan", s.ID, why) }
	windows, why := o.onWindows(t.env)
	if why != "" {
		return bad(why)
	}
	if windows && format != PowerShell {
		return lang.Errorf("step %s is for Windows: write the plan as ps1", s.ID)
	}
	var f *step.Fetch
	if o.sum != "" {
		if f = fetched[o.sum]; f == nil || !store.Sum(o.sum).Valid() || len(f.Mirrors) == 0 {
			return bad(lang.T("uses a file that no step before fetches"))
		}
		for _, m := range f.Mirrors {
			if !strings.HasPrefix(m, "https://") && !(f.Trusted && strings.HasPrefix(m, "http://")) {
				return bad(lang.T("fetches from an address that is not https"))
			}
		}
		if why := refuse(format, f.Mirrors); why != "" {
			return &ArgumentError{Step: s.ID, Format: format, Why: why}
		}
		t.purpose = strings.TrimSpace(lang.F("%s It fetches %s (%s) where it is not done already.", t.purpose, step.Clean(f.Name, 100), step.Bytes(f.Size)))
	}
	if t.argv, t.paths = nil, len(o.paths) > 0; windows {
		t.windows = o.windows(f)
		return nil
	}
	t.posix = o.posix(f)
	if format == PowerShell || format == Shell && t.admin {
		t.argv, t.posix = []string{"/bin/sh", "-c", t.posix.text()}, nil
	}
	return nil
}

var (
	windowsPath = lazyregexp.New(`^[A-Za-z]:\\[^\\]`)
	variable    = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)
)
