package look

import (
	"context"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
)

// Shim is a version manager's stand-in on PATH and what it stands for.
type Shim struct {
	Manager string // pyenv, asdf
	// Target is the program it would run, "" when it stands for the next one
	// on PATH or its choice is not known here.
	Target string
	// Source is the file or variable that made the choice.
	Source string
}

// ShimOf tells whether a copy is a version manager's shim. Shims are scripts
// that take 50 to 100 ms to find the program; the same choice is made here
// from their files.
func ShimOf(ctx context.Context, h *host.Host, c Copy) (Shim, bool) {
	if h.Windows() {
		return Shim{}, false
	}
	script, ok := Script(ctx, h, c.Path)
	if !ok {
		return Shim{}, false
	}
	switch {
	case strings.Contains(script, "pyenv") && strings.Contains(script, "exec"):
		target, source := pyenvTarget(ctx, h, c)
		return Shim{"pyenv", target, source}, true
	case strings.Contains(script, "asdf exec"), strings.Contains(c.Path, "/.asdf/shims/"):
		return Shim{Manager: "asdf"}, true
	}
	return Shim{}, false
}

// pyenvTarget finds the program that pyenv's shim would run, by pyenv's rules
// (its README, "Choosing the Python version"): PYENV_VERSION, else the global
// version file. The file of the current folder is left out: what is wanted is
// the machine's choice.
func pyenvTarget(ctx context.Context, h *host.Host, c Copy) (target, source string) {
	root := h.DirOf(h.DirOf(c.Path)) // …/shims/python3
	if !h.Exists(ctx, h.Join(root, "versions")) {
		root = EnvPath(h, "PYENV_ROOT")
	}
	if root == "" {
		return "", ""
	}
	versions, source := h.Env("PYENV_VERSION"), "PYENV_VERSION"
	if versions == "" {
		source = h.Join(root, "version")
		const enough = 4 << 10
		data, _, err := h.ReadFile(ctx, source, enough)
		if err != nil {
			return "", ""
		}
		versions = string(data)
	}
	for _, v := range strings.FieldsFunc(versions, func(r rune) bool { return r == ':' || r == '\n' || r == ' ' || r == '\r' }) {
		if v == "system" || strings.ContainsAny(v, `/\`) || strings.HasPrefix(v, ".") {
			continue
		}
		dirs := []string{h.Join(root, "versions", v)}
		if strings.Count(v, ".") < 2 { // a prefix: pyenv takes the newest that fits
			list := h.Glob(ctx, h.Join(root, "versions"), v+".*")
			// Pre-releases (3.14-dev, 3.14.0a1) are chosen by their whole name only.
			list = slices.DeleteFunc(list, func(dir string) bool { return strings.Trim(h.Base(dir), "0123456789.") != "" })
			if len(list) > 0 {
				dirs = append(dirs, newestFolder(h, list))
			}
		}
		for _, dir := range dirs {
			path := h.Join(dir, "bin", c.Name)
			info, err := h.Stat(ctx, path)
			if err != nil || !info.Exec {
				continue
			}
			return h.Real(ctx, path), source
		}
	}
	return "", ""
}

// newestFolder returns the path whose last element is the highest version.
func newestFolder(h *host.Host, list []string) string {
	return slices.MaxFunc(list, func(a, b string) int {
		switch {
		case Newer(h.Base(a), h.Base(b)):
			return 1
		case Newer(h.Base(b), h.Base(a)):
			return -1
		}
		return 0
	})
}
