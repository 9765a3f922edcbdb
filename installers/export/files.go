package export

import (
	"fmt"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/files"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
)

// onFiles makes a step that works on files ready: lines of PowerShell where its
// paths are those of Windows, of a POSIX shell elsewhere. Those become a
// command (/bin/sh -c) where the language or root has to start them. Other
// steps are left as they are.
func onFiles(format Format, t *task, s installers.Step, fetched map[string]*step.Fetch) error {
	paths, sum := pathsOf(s)
	if paths == nil && len(s.Env) == 0 {
		return nil
	}
	bad := func(why string) error { return fmt.Errorf("step %s %s; this is no plan of deployctl's own", s.ID, why) }
	windows := len(paths) > 0 && windowsPath().MatchString(paths[0])
	for _, e := range s.Env {
		windows = windows || windowsPath().MatchString(e.Value)
		if why := badEdit(e, s.Env[0]); why != "" {
			return bad(why)
		}
	}
	for _, p := range paths {
		if !windows && (!path.IsAbs(p) || path.Clean(p) != p || p == "/") || windows && !windowsPath().MatchString(p) {
			return bad("works at a path that is not absolute")
		}
	}
	if windows && format != PowerShell {
		return fmt.Errorf("step %s is for Windows: write the plan as ps1", s.ID)
	}
	var f *step.Fetch
	if sum != "" {
		if f = fetched[sum]; f == nil || !store.Sum(sum).Valid() || len(f.Mirrors) == 0 {
			return bad("uses a file that no step before fetches")
		}
		for _, m := range f.Mirrors {
			if !strings.HasPrefix(m, "https://") && !(f.Trusted && strings.HasPrefix(m, "http://")) {
				return bad("fetches from an address that is not https")
			}
		}
		if why := refuse(format, f.Mirrors); why != "" {
			return &ArgumentError{Step: s.ID, Format: format, Why: why}
		}
		t.purpose = strings.TrimSpace(fmt.Sprintf("%s It fetches %s (%s) where it is not done already.", t.purpose, step.Clean(f.Name, 100), step.Bytes(f.Size)))
	}
	switch {
	case s.Unpack != nil && windows:
		t.windows = windowsUnpackStep(s.Unpack, f)
	case s.Unpack != nil:
		t.posix = posixUnpackStep(s.Unpack, f)
	case s.Place != nil && windows:
		t.windows = windowsPlaceStep(s.Place, f)
	case s.Place != nil:
		t.posix = posixPlaceStep(s.Place, f)
	case s.Build != nil && windows, s.Build != nil && len(s.Argv) == 0:
		return bad("builds from source in a way that deployctl does not")
	case s.Build != nil:
		for _, kv := range s.Build.Env {
			if name, _, ok := strings.Cut(kv, "="); !ok || !variable().MatchString(name) {
				return bad("sets something that is no variable")
			}
		}
		t.posix = posixBuildStep(s.Build, s.Argv)
	case len(s.Env) > 0 && windows:
		t.windows = windowsEnvStep(s.Env)
	case len(s.Env) > 0:
		t.posix = posixEnvStep(s.Env)
	case windows:
		t.windows = windowsTidyStep(s.Take)
	default:
		t.posix = posixTidyStep(s.Take)
	}
	t.argv, t.paths = nil, len(paths) > 0
	if t.posix != nil && (format == PowerShell || format == Shell && t.admin) {
		t.argv, t.posix = []string{"/bin/sh", "-c", t.posix.text()}, nil
	}
	return nil
}

var (
	windowsPath = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z]:\\[^\\]`) })
	variable    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) })
)

// pathsOf are the absolute paths that a step on files works at, nil for other
// steps, and the file that it uses.
func pathsOf(s installers.Step) (paths []string, sum string) {
	switch {
	case s.Unpack != nil:
		paths = []string{s.Unpack.Into}
		if s.Unpack.Product != "" {
			paths = append(paths, s.Unpack.Product)
		}
		return paths, s.Unpack.SHA256
	case s.Place != nil:
		return []string{s.Place.Path}, s.Place.SHA256
	case s.Build != nil:
		paths = []string{s.Build.Dir, s.Build.Work, s.Build.Product}
		if s.Build.Staged != "" {
			paths = append(paths, s.Build.Staged)
		}
		return paths, ""
	case s.Action == step.Tidy:
		for _, t := range s.Take {
			if t.Version == files.Scratch {
				paths = append(paths, t.Name)
			}
		}
	}
	return paths, ""
}
