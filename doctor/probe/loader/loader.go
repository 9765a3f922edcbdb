// Package loader answers where a Linux machine's dynamic loader, linker and
// pkg-config look, and what they find there, by reading the files they read
// (ld.so.cache, ld.so.conf, .pc files). It must never start a process and
// never load a library.
package loader

import (
	"cmp"
	"context"
	"iter"
	"path"
	"sort"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// limits against hostile configurations.
const (
	maxIncludes = 64
	maxDirs     = 256
	maxCache    = 8 << 20
)

// Libraries is what can be said of a machine's shared libraries. It is for one
// goroutine.
type Libraries struct {
	h *host.Host
	// Env are LD_LIBRARY_PATH's folders, Conf those of ld.so.conf, Default the
	// loader's own; each in lookup order.
	Env, Conf, Default []string
	// Cache holds the entries of ld.so.cache for this architecture, in order.
	Cache []CacheEntry
	// CacheErr says why there is no cache (musl has none, nor a bare container).
	CacheErr error
	// Musl: the loader is musl's, which reads a file of folders and no cache.
	Musl bool
	dirs map[string][]string
	real map[string]string
}

// arch is how Linux names an architecture.
type arch struct {
	triplet string // Debian's multiarch name
	musl    string // in the names of musl's files, where that is not GOARCH
	// cached are the bits of a cache entry's flags (glibc dl-cache.h, FLAG_*); -1
	// where they are not known, so that every entry is taken.
	cached int32
	// loaders are glibc's (each port's ABI document fixes the path; glibc,
	// sysdeps/unix/sysv/linux/*/shlib-versions).
	loaders []string
}

var arches = map[string]arch{
	"amd64":   {"x86_64-linux-gnu", "x86_64", 0x0300, []string{"/lib64/ld-linux-x86-64.so.2"}},
	"386":     {"i386-linux-gnu", "i386", 0x0000, []string{"/lib/ld-linux.so.2"}},
	"arm64":   {"aarch64-linux-gnu", "aarch64", 0x0a00, []string{"/lib/ld-linux-aarch64.so.1", "/lib64/ld-linux-aarch64.so.1"}},
	"arm":     {"arm-linux-gnueabihf", "armhf", 0x0900, []string{"/lib/ld-linux-armhf.so.3", "/lib/ld-linux.so.3"}}, // hard float
	"riscv64": {"riscv64-linux-gnu", "", 0x1000, []string{"/lib/ld-linux-riscv64-lp64d.so.1"}},                      // double float
	"ppc64le": {"powerpc64le-linux-gnu", "", 0x0500, []string{"/lib64/ld64.so.2"}},
	"s390x":   {"s390x-linux-gnu", "", 0x0400, []string{"/lib/ld64.so.1"}},
	"loong64": {"loongarch64-linux-gnu", "", -1, []string{"/lib64/ld-linux-loongarch-lp64d.so.1"}},
}

// Triplet is Debian's multiarch name of an architecture, "" if not known.
func Triplet(goarch string) string { return arches[goarch].triplet }

// Loaders are the run-time linkers of glibc for an architecture.
func Loaders(goarch string) []string { return arches[goarch].loaders }

// Without knows nothing of a loader: the machine is not one of Linux.
func Without(h *host.Host) *Libraries {
	return &Libraries{h: h, CacheErr: lang.Errorf("this machine has no loader of Linux"), dirs: map[string][]string{}, real: map[string]string{}}
}

// Open reads the loader's configuration.
func Open(ctx context.Context, h *host.Host) *Libraries {
	l := &Libraries{h: h, dirs: map[string][]string{}, real: map[string]string{}}
	l.Env = SplitPath(h.Env("LD_LIBRARY_PATH"))
	if t := Triplet(h.Arch); t != "" {
		l.Default = []string{"/lib/" + t, "/usr/lib/" + t}
	}
	l.Default = append(l.Default, "/lib64", "/usr/lib64", "/lib", "/usr/lib")
	seen := map[string]bool{}
	l.conf(ctx, "/etc/ld.so.conf", seen)
	own, known := arches[h.Arch]
	if musl := cmp.Or(own.musl, h.Arch); h.Exists(ctx, "/lib/ld-musl-"+musl+".so.1") {
		l.Musl = true
		// The folders in the file replace those built in.
		l.Default = []string{"/lib", "/usr/local/lib", "/usr/lib"}
		if text, err := h.Text(ctx, "/etc/ld-musl-"+musl+".path"); err == nil {
			l.Default = SplitPath(strings.ReplaceAll(text, "\n", ":"))
		}
	}
	data, truncated, err := h.ReadFile(ctx, "/etc/ld.so.cache", maxCache)
	switch {
	case err != nil:
		l.CacheErr = err
	case truncated:
		l.CacheErr = host.ErrTooLarge
	default:
		all, err := ParseCache(data)
		l.CacheErr = err
		for _, e := range all {
			if !known || own.cached < 0 || e.Flags&0xff00 == own.cached {
				l.Cache = append(l.Cache, e)
			}
		}
	}
	return l
}

// conf reads one file of ld.so.conf's form; seen also bounds loops of includes.
func (l *Libraries) conf(ctx context.Context, name string, seen map[string]bool) {
	if seen[name] || len(seen) >= maxIncludes || len(l.Conf) >= maxDirs {
		return
	}
	seen[name] = true
	text, err := l.h.Text(ctx, name)
	if err != nil {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(strings.NewReplacer(":", " ", ",", " ").Replace(line))
		switch {
		case len(fields) == 0 || fields[0] == "hwcap":
		case fields[0] == "include":
			for _, pattern := range fields[1:] {
				if !path.IsAbs(pattern) {
					pattern = path.Join(path.Dir(name), pattern)
				}
				if !strings.ContainsAny(pattern, "*?[") {
					l.conf(ctx, pattern, seen)
					continue
				}
				for _, sub := range l.h.Glob(ctx, path.Dir(pattern), path.Base(pattern)) {
					l.conf(ctx, sub, seen)
				}
			}
		default:
			for _, dir := range fields {
				if path.IsAbs(dir) && len(l.Conf) < maxDirs {
					l.Conf = append(l.Conf, path.Clean(dir))
				}
			}
		}
	}
}

// SplitPath cuts a colon-separated list into its absolute, clean, distinct
// folders. (The loader takes an empty element as the current folder; that is
// nobody's intent, and no fact of the machine.)
func SplitPath(list string) []string {
	var out []string
	seen := map[string]bool{}
	for dir := range strings.SplitSeq(list, ":") {
		if !path.IsAbs(dir) || len(out) >= maxDirs {
			continue
		}
		if dir = path.Clean(dir); !seen[dir] {
			seen[dir] = true
			out = append(out, dir)
		}
	}
	return out
}

// Real follows the links of a folder (on a merged /usr, /lib is /usr/lib).
func (l *Libraries) Real(ctx context.Context, dir string) string {
	if r, ok := l.real[dir]; ok {
		return r
	}
	l.real[dir] = l.h.Real(ctx, dir)
	return l.real[dir]
}

// names lists a folder once.
func (l *Libraries) names(ctx context.Context, dir string) []string {
	dir = l.Real(ctx, dir)
	if names, ok := l.dirs[dir]; ok {
		return names
	}
	entries, err := l.h.ReadDir(ctx, dir)
	var names []string
	if err == nil {
		for _, e := range entries {
			if !e.Dir && strings.HasPrefix(e.Name, "lib") {
				names = append(names, e.Name)
			}
		}
	}
	l.dirs[dir] = names
	return names
}

// InDir returns the paths in a folder of files whose name starts with prefix.
func (l *Libraries) InDir(ctx context.Context, dir, prefix string) []string {
	var out []string
	names := l.names(ctx, dir)
	// ReadDir sorts, so the matches stand together.
	for i := sort.SearchStrings(names, prefix); i < len(names) && strings.HasPrefix(names[i], prefix); i++ {
		out = append(out, dir+"/"+names[i])
	}
	return out
}

// Cached returns the cache's paths for sonames that start with prefix, in the
// loader's order.
func (l *Libraries) Cached(prefix string) []CacheEntry {
	var out []CacheEntry
	for _, e := range l.Cache {
		if strings.HasPrefix(e.Soname, prefix) {
			out = append(out, e)
		}
	}
	return out
}

// Dirs returns the folders worth listing for libraries, links followed, in the
// loader's order: its own, and those a hand-made installation commonly uses.
func (l *Libraries) Dirs(ctx context.Context) []string {
	var out []string
	seen := map[string]bool{}
	add := func(dirs ...string) {
		for _, d := range dirs {
			if d = l.Real(ctx, d); !seen[d] && len(out) < maxDirs {
				seen[d] = true
				out = append(out, d)
			}
		}
	}
	add(l.Env...)
	add(l.Conf...)
	add(l.Default...)
	if t := Triplet(l.h.Arch); t != "" {
		add("/usr/local/lib/" + t)
	}
	add("/usr/local/lib", "/usr/local/lib64")
	if entries, err := l.h.ReadDir(ctx, "/opt"); err == nil {
		for _, e := range entries {
			add("/opt/"+e.Name+"/lib", "/opt/"+e.Name+"/lib64")
		}
	}
	return out
}

// Find returns the file the loader would take for a soname (LD_LIBRARY_PATH,
// the cache, its own folders) and in which of these lookups it was found:
// "LD_LIBRARY_PATH" or "ldconfig". Files that are certainly for another architecture
// the loader passes by (ld.so(8)): the first of them is returned only where nothing
// else is.
func (l *Libraries) Find(ctx context.Context, soname string) (file, via string) {
	var passed, how string
	for f, via := range l.candidates(ctx, soname) {
		// What cannot be read is not passed by.
		if head, _ := look.ReadELF(ctx, l.h, f); !head.Foreign(l.h.Arch) {
			return f, via
		}
		if passed == "" {
			passed, how = f, via
		}
	}
	return passed, how
}

// candidates are the files of a soname in the loader's order.
func (l *Libraries) candidates(ctx context.Context, soname string) iter.Seq2[string, string] {
	return func(yield func(file, via string) bool) {
		for _, dir := range l.Env {
			if l.has(ctx, dir, soname) && !yield(dir+"/"+soname, "LD_LIBRARY_PATH") {
				return
			}
		}
		for _, e := range l.Cache {
			if e.Soname == soname && l.h.Exists(ctx, e.Path) && !yield(e.Path, "ldconfig") {
				return
			}
		}
		for _, dir := range l.Default {
			if l.has(ctx, dir, soname) && !yield(dir+"/"+soname, "ldconfig") {
				return
			}
		}
	}
}

func (l *Libraries) has(ctx context.Context, dir, name string) bool {
	names := l.names(ctx, dir)
	i := sort.SearchStrings(names, name)
	return i < len(names) && names[i] == name
}

// LinkDirs are the folders gcc searches for -lNAME without -L, in its order
// (gcc -print-search-dirs: its own and the system's before /usr/local).
func (l *Libraries) LinkDirs() []string {
	dirs := SplitPath(l.h.Env("LIBRARY_PATH"))
	t := Triplet(l.h.Arch)
	if t != "" {
		dirs = append(dirs, "/usr/lib/"+t, "/lib/"+t)
	}
	dirs = append(dirs, "/usr/lib64", "/lib64", "/usr/lib", "/lib")
	if t != "" {
		dirs = append(dirs, "/usr/local/lib/"+t)
	}
	return append(dirs, "/usr/local/lib64", "/usr/local/lib")
}
