// Package disk reads the room where deployctl and package managers will write.
// It owns facts.Disks and must never judge or write.
package disk

import (
	"cmp"
	"context"
	"errors"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Provides are the fact topics of this probe.
func Provides() []string { return []string{"disks"} }

// Probe reads one disk for each purpose: cache (deployctl's folder in the
// user's cache), tmp, and system (where packages go). System has a second
// entry where /usr or /var is a file system of its own; the one with the
// least room comes first. A path that does not exist yet is on the file system
// of its nearest parent.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	var f facts.Facts
	var errs []error
	ask := func(purpose, path string) {
		if !look.IsPath(path) {
			return
		}
		d, err := h.Disk(ctx, path)
		if err != nil {
			if !host.IsNotExist(err) {
				errs = append(errs, lang.Errorf("free space for %s at %s: %w", purpose, path, err))
			}
			return
		}
		f.Disks = append(f.Disks, facts.Disk{
			Purpose: purpose, Path: path, Total: d.Total, Free: d.Free, Kind: look.Clean(d.Kind), ReadOnly: d.ReadOnly,
			Evidence: []facts.Evidence{{Kind: "syscall", Source: syscallName(h.OS), Detail: path}},
		})
	}
	ask("cache", Cache(h))
	ask("tmp", Tmp(h))
	first := len(f.Disks)
	for _, path := range system(ctx, h) {
		ask("system", path)
	}
	f.Disks = append(f.Disks[:first], distinct(f.Disks[first:])...)
	return f, errors.Join(errs...)
}

func syscallName(goos string) string {
	if goos == "windows" {
		return "GetDiskFreeSpaceEx"
	}
	return "statfs"
}

// Cache is deployctl's cache folder on the host ("" when no variable tells):
// os.UserCacheDir's rules, applied to the host's environment.
func Cache(h *host.Host) string {
	switch h.OS {
	case "windows":
		if dir := look.EnvPath(h, "LocalAppData"); dir != "" {
			return h.Join(dir, "deployctl")
		}
	case "darwin":
		if home := look.EnvPath(h, "HOME"); home != "" {
			return h.Join(home, "Library", "Caches", "deployctl")
		}
	default:
		if dir := look.EnvPath(h, "XDG_CACHE_HOME"); len(dir) > 0 && dir[0] == '/' {
			return h.Join(dir, "deployctl")
		}
		if home := look.EnvPath(h, "HOME"); home != "" {
			return h.Join(home, ".cache", "deployctl")
		}
	}
	return ""
}

// Tmp is the folder for temporary files on the host: os.TempDir's rules.
func Tmp(h *host.Host) string {
	if h.Windows() {
		for _, name := range []string{"TMP", "TEMP", "USERPROFILE"} {
			if dir := look.EnvPath(h, name); dir != "" {
				return dir
			}
		}
		return look.SystemRoot(h)
	}
	if dir := look.EnvPath(h, "TMPDIR"); dir != "" {
		return dir
	}
	return "/tmp"
}

func system(ctx context.Context, h *host.Host) []string {
	switch h.OS {
	case "windows":
		drive := cmp.Or(look.EnvPath(h, "SystemDrive"), "C:")
		return []string{drive + `\`}
	case "darwin":
		// "/" is a sealed, read-only volume; Homebrew and CLT go to the data volume.
		for _, path := range []string{"/opt/homebrew", "/usr/local", "/Applications"} {
			if h.Exists(ctx, path) {
				return []string{path}
			}
		}
		return []string{"/"}
	}
	paths := []string{"/"}
	for _, path := range []string{"/usr", "/var"} {
		if h.Exists(ctx, path) {
			paths = append(paths, path)
		}
	}
	return paths
}

// distinct leaves out paths on a file system already listed (told by its size,
// kind and room, as nothing else is the same on every system) and puts the one
// with the least room first.
func distinct(list []facts.Disk) []facts.Disk {
	var out []facts.Disk
	for _, d := range list {
		known := false
		for i, o := range out {
			if o.Total != d.Total || o.Kind != d.Kind || o.ReadOnly != d.ReadOnly {
				continue
			}
			known = true
			// The same file system, asked a moment later.
			if d.Free < o.Free {
				out[i].Free = d.Free
			}
		}
		switch {
		case known:
		case len(out) > 0 && d.Free < out[0].Free:
			out = append([]facts.Disk{d}, out...)
		default:
			out = append(out, d)
		}
	}
	return out
}
