// Package pip is pip in the virtual environment that is active: argv, state and the
// meaning of what it says. It must never change the machine, and never another Python
// than that of a virtual environment: what is installed beside a distribution's own
// packages breaks them (PEP 668).
//
// Sources: pip.pypa.io, the commands install and uninstall; packaging.python.org, the
// specifications "Recording installed projects" (the names of .dist-info folders) and
// "Names and normalization"; pip's own messages (src/pip/_internal/exceptions.py and
// commands/install.py).
package pip

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/ownership"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/recipes/wheeltag"
)

// Name is the mechanism.
const Name = "pip"

// isolated starts pip without what PYTHONPATH and the user's own packages would change
// about it. PIP_INDEX_URL and the like are still obeyed.
var isolated = []string{"-I", "-m", "pip"}

// Manager returns the pip manager. Its target is the program of the virtual
// environment's Python.
func Manager() *pkgmgr.Manager {
	m := pkgmgr.Manager{
		Name: Name, Tool: "python3", Path: "python3",
		Pick: func(f *facts.Facts) (string, error) {
			if python, ok := f.VirtualEnvironment(); ok {
				return python.Path, nil
			}
			return "", pkgmgr.ErrAbsent
		},
		Split:   normal,
		Limit:   2 * time.Hour, // PyTorch with CUDA's libraries is 3 GB
		Sources: lang.T("the Python package index that pip is set up with"),
		UndoBy:  "pip uninstall",
		// Where there is no wheel of the package itself for this system, pip would compile
		// it, for an hour or in vain. Small ones that it needs have no wheels sometimes.
		Install: func(p []string) []string {
			return slices.Concat(isolated, []string{"install", "--no-input", "--disable-pip-version-check", "--progress-bar=off", "--prefer-binary", "--only-binary=" + strings.Join(p, ","), "--"}, p)
		},
		At: func(args []string, version string) []string {
			last := len(args) - 1
			return append(slices.Clone(args[:last]), args[last]+"=="+version)
		},
		Remove: func(p []string, _ bool) []string {
			return slices.Concat(isolated, []string{"uninstall", "--yes", "--no-input", "--disable-pip-version-check", "--"}, p)
		},
		Explain: pkgmgr.Explainer(Name, rules()),
	}
	m.On = func(_ *host.Host, python string) *pkgmgr.Manager {
		on := m
		on.Target, on.Path = python, python
		on.Where = func(context.Context, *host.Host) string { return python }
		on.Installed = func(ctx context.Context, h *host.Host) (map[string]pkgmgr.Installed, error) {
			return installed(ctx, h, python)
		}
		on.Needed = func(ctx context.Context, h *host.Host, packages []string) (map[string]string, error) {
			return needed(ctx, h, python, packages)
		}
		return &on
	}
	return &m
}

func rules() []pkgmgr.Rule {
	return []pkgmgr.Rule{
		{Any: []string{"no module named pip"}, Kind: step.NotFound,
			Cause: "the virtual environment has no pip", Next: "create it again (python3 -m venv .venv), or run python3 -m ensurepip in it, then run deployctl again"},
		{Any: []string{"externally-managed-environment"}, Kind: step.Refused,
			Cause: "this Python belongs to the system, and pip leaves it alone", Next: "activate a virtual environment (python3 -m venv .venv), then run deployctl again"},
		pkgmgr.Untrusted("do not match the hashes"),
		// Where the index cannot be reached, pip says so first and then that it found nothing.
		{Any: []string{"connection broken by", "connection error", "max retries exceeded", "read timed out", "name or service not known", "failed to establish a new connection"}, Kind: step.NoNetwork,
			Cause: "the Python package index could not be reached", Next: "check the network and the index that pip is set up with (pip config list), then run deployctl again"},
		{Any: []string{"could not find a version that satisfies"}, Kind: step.NotFound, Names: `Could not find a version that satisfies the requirement (\S+)`,
			Cause: "the Python package index has no file for this Python and system", Next: "use a Python release for which there is one, then run deployctl again"},
		{Any: []string{"resolutionimpossible", "conflicting dependencies"}, Kind: step.Conflict,
			Cause: "the packages do not fit together with what is installed", Next: "use a new virtual environment, then run deployctl again"},
	}
}

// site is the environment's folder of packages, "" where there is none.
func site(ctx context.Context, h *host.Host, python string) string {
	root := h.DirOf(h.DirOf(python))
	if h.Windows() {
		return h.Join(root, "Lib", "site-packages")
	}
	for _, dir := range h.Glob(ctx, h.Join(root, "lib"), "python3*") {
		if at := h.Join(dir, "site-packages"); h.Exists(ctx, at) {
			return at
		}
	}
	return ""
}

var distInfo = lazyregexp.New(`^([A-Za-z0-9][A-Za-z0-9._-]*)-([^-]+)\.dist-info$`)

// record is what a .dist-info folder says of a package.
type record struct{ dir, version string }

// records are the environment's packages by normal name.
func records(ctx context.Context, h *host.Host, python string) (map[string]record, error) {
	// As root, a Python that somebody else can change would run with root's rights.
	dir := site(ctx, h, python)
	if dir == "" {
		return nil, lang.Errorf("list the packages of %s: it has no folder site-packages", python)
	}
	for _, path := range []string{python, dir} {
		if err := ownership.RootOnly(path); err != nil {
			return nil, &step.Failure{Kind: step.Refused, Cause: err.Error(), Next: lang.T("run deployctl as the user whose virtual environment it is"), Err: err}
		}
	}
	entries, err := h.ReadDir(ctx, dir)
	if err != nil {
		return nil, lang.Errorf("list the packages of %s: %w", python, err)
	}
	list := map[string]record{}
	for _, e := range entries {
		if m := distInfo.FindStringSubmatch(e.Name); m != nil {
			list[wheeltag.Normal(m[1])] = record{h.Join(dir, e.Name), step.Clean(m[2], 100)}
		}
	}
	return list, nil
}

func installed(ctx context.Context, h *host.Host, python string) (map[string]pkgmgr.Installed, error) {
	found, err := records(ctx, h, python)
	if err != nil {
		return nil, err
	}
	list := map[string]pkgmgr.Installed{}
	for name, r := range found {
		list[name] = pkgmgr.Installed{Version: r.version, Ready: true}
	}
	return list, nil
}

// needed gives those of the packages that a package which stays requires.
func needed(ctx context.Context, h *host.Host, python string, packages []string) (map[string]string, error) {
	found, err := records(ctx, h, python)
	if err != nil {
		return nil, err
	}
	requires := map[string][]string{}
	for name, r := range found {
		const enough = 1 << 20
		text, _, err := h.ReadFile(ctx, h.Join(r.dir, "METADATA"), enough)
		if err != nil {
			return nil, lang.Errorf("read what %s requires: %w", name, err)
		}
		requires[name] = Requires(string(text))
	}
	by := map[string]string{}
	// What stays is needed by what stays because of it, too.
	for again := true; again; {
		again = false
		for name, list := range requires {
			if slices.Contains(packages, name) && by[name] == "" {
				continue
			}
			for _, r := range list {
				if slices.Contains(packages, r) && by[r] == "" {
					by[r], again = name, true
				}
			}
		}
	}
	return by, nil
}

var requirement = lazyregexp.New(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?`)

func normal(names []string) []string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = wheeltag.Normal(n)
	}
	return list
}

// Requires reads a package's METADATA: the names of what it requires, without what
// only one of its extras does.
func Requires(metadata string) []string {
	var list []string
	head, _, _ := strings.Cut(strings.ReplaceAll(metadata, "\r\n", "\n"), "\n\n")
	for _, line := range strings.Split(head, "\n") {
		key, value, ok := strings.Cut(line, ":")
		if !ok || !strings.EqualFold(key, "Requires-Dist") {
			continue
		}
		_, marker, _ := strings.Cut(value, ";")
		name := requirement.FindString(strings.TrimSpace(value))
		if name != "" && !strings.Contains(marker, "extra") {
			list = append(list, wheeltag.Normal(name))
		}
	}
	return list
}
