package loader

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
)

// Package is a .pc file as pkg-config would answer for it.
type Package struct {
	File    string
	Version string
	// Vars are the variables, expanded.
	Vars map[string]string
	// Include and Lib are the folders of -I in Cflags and -L in Libs.
	Include, Lib []string
	// Names are the libraries of -l in Libs.
	Names []string
}

const maxExpand = 64 << 10

// ParsePackage reads a .pc file. Malformed lines are left out, as pkg-config
// itself mostly does; a reference to an unknown variable expands to nothing.
func ParsePackage(file, text string) Package {
	p := Package{File: file, Vars: map[string]string{"pcfiledir": path.Dir(file)}}
	libs, cflags := "", ""
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\\\n", " ")
	for line := range strings.SplitSeq(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		line = strings.TrimSpace(line)
		at := strings.IndexAny(line, ":=")
		if at <= 0 {
			continue
		}
		key, value := strings.TrimSpace(line[:at]), strings.TrimSpace(line[at+1:])
		value = expand(value, p.Vars)
		if line[at] == '=' {
			p.Vars[key] = value
			continue
		}
		switch strings.ToLower(key) {
		case "version":
			p.Version = value
		case "libs":
			libs = value
		case "cflags":
			cflags = value
		}
	}
	for _, word := range words(cflags) {
		if dir, ok := strings.CutPrefix(word, "-I"); ok && dir != "" {
			p.Include = append(p.Include, path.Clean(dir))
		}
	}
	for _, word := range words(libs) {
		if dir, ok := strings.CutPrefix(word, "-L"); ok && dir != "" {
			p.Lib = append(p.Lib, path.Clean(dir))
		} else if strings.HasPrefix(word, "/") {
			// OpenCV 2.4 and some distributions name the files themselves.
			p.Lib = append(p.Lib, path.Dir(word))
		} else if name, ok := strings.CutPrefix(word, "-l"); ok && name != "" {
			p.Names = append(p.Names, name)
		}
	}
	return p
}

// expand replaces ${name}; the length bounds a file that doubles its variables
// over and over.
func expand(s string, vars map[string]string) string {
	if !strings.Contains(s, "${") {
		return s
	}
	var b strings.Builder
	for b.Len() < maxExpand {
		before, rest, ok := strings.Cut(s, "${")
		b.WriteString(before)
		if !ok {
			break
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			break
		}
		// Values were expanded when they were set.
		b.WriteString(vars[name])
		s = after
	}
	out := b.String()
	return out[:min(len(out), maxExpand)]
}

// words splits as a shell would, with quotes and backslashes.
func words(s string) []string {
	var out []string
	var b strings.Builder
	var quote rune
	in, escaped := false, false
	for _, r := range s {
		switch {
		case escaped:
			b.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, in = true, true
		case quote != 0:
			if r == quote {
				quote = 0
			} else {
				b.WriteRune(r)
			}
		case r == '"' || r == '\'':
			quote, in = r, true
		case r == ' ' || r == '\t':
			if in {
				out = append(out, b.String())
				b.Reset()
				in = false
			}
		default:
			b.WriteRune(r)
			in = true
		}
	}
	if in {
		out = append(out, b.String())
	}
	return out
}

// Debian reports whether this is Debian or made from it, as Ubuntu and Raspberry Pi
// OS are.
func Debian(ctx context.Context, h *host.Host) bool {
	if h.Exists(ctx, "/etc/debian_version") {
		return true
	}
	text, err := h.Text(ctx, "/etc/os-release")
	if err != nil {
		return false
	}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if (key == "ID" || key == "ID_LIKE") && strings.Contains(value, "debian") {
			return true
		}
	}
	return false
}

// Owners are, by name, the installed packages of Debian's with a path that ends with it, of
// those whose own names match the pattern (dpkg-query(1): info/PACKAGE.list has a path in
// each line). It reads their lists: for what is missing or damaged only.
func Owners(ctx context.Context, h *host.Host, pattern string, names ...string) map[string]string {
	packages := map[string]string{}
	if len(names) == 0 {
		return packages
	}
	const most = 16 << 20
	for _, list := range h.Glob(ctx, "/var/lib/dpkg/info", pattern+".list") {
		if len(packages) == len(names) {
			break
		}
		for _, name := range names {
			if packages[name] != "" {
				continue
			}
			at, err := h.Search(ctx, list, name+"\n", most, 1)
			if err != nil || len(at) == 0 {
				continue
			}
			packages[name], _, _ = strings.Cut(strings.TrimSuffix(path.Base(list), ".list"), ":")
		}
	}
	return packages
}

// PkgConfigDirs returns the folders pkg-config searches, in order. Which ones a
// distribution's pkg-config has built in differs in one thing that matters:
// Debian's and Alpine's look under /usr/local, Fedora's, Arch's and openSUSE's
// do not.
func PkgConfigDirs(ctx context.Context, h *host.Host) []string {
	dirs := SplitPath(h.Env("PKG_CONFIG_PATH"))
	if lib, ok := h.Getenv("PKG_CONFIG_LIBDIR"); ok {
		return append(dirs, SplitPath(lib)...)
	}
	if h.OS == "darwin" {
		// pkg-config itself is Homebrew's there, with its own prefix: where a Mac has both
		// Homebrews, the Intel one's finds no package of the other.
		prefixes := []string{"/opt/homebrew", "/usr/local"}
		if found := h.LookPath(ctx, "pkg-config"); len(found) > 0 && slices.Contains(prefixes, path.Dir(path.Dir(found[0]))) {
			prefixes = []string{path.Dir(path.Dir(found[0]))}
		}
		for _, prefix := range prefixes {
			dirs = append(dirs, prefix+"/lib/pkgconfig", prefix+"/share/pkgconfig")
		}
		return append(dirs, "/usr/lib/pkgconfig")
	}
	t := Triplet(h.Arch)
	if Debian(ctx, h) {
		if t != "" {
			dirs = append(dirs, "/usr/local/lib/"+t+"/pkgconfig")
		}
		dirs = append(dirs, "/usr/local/lib/pkgconfig", "/usr/local/share/pkgconfig")
		if t != "" {
			dirs = append(dirs, "/usr/lib/"+t+"/pkgconfig")
		}
	} else if h.Exists(ctx, "/etc/alpine-release") {
		dirs = append(dirs, "/usr/local/lib/pkgconfig", "/usr/local/share/pkgconfig")
	}
	return append(dirs, "/usr/lib64/pkgconfig", "/usr/lib/pkgconfig", "/usr/share/pkgconfig")
}
