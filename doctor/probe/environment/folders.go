package environment

import (
	"cmp"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/disk"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

// leastTmp is what a compiler needs at a time for its temporary files, rounded up.
const leastTmp = 64 << 20

// folders lists the folders that tools write to and cannot.
func (p *prober) folders() {
	h := p.h
	note := func(purpose, variable, path string, problem facts.FolderProblem) {
		p.e.Folders = append(p.e.Folders, facts.Folder{Purpose: purpose, Variable: variable, Path: path, Problem: problem})
	}
	if tmp := disk.Tmp(h); !h.Windows() {
		variable := ""
		if look.EnvPath(h, "TMPDIR") == tmp {
			variable = "TMPDIR"
		}
		if problem := p.hindered(tmp, variable != ""); problem != "" {
			note("tmp", variable, tmp, problem)
		}
	} else if p.noDrive(tmp) {
		note("tmp", "TEMP", tmp, facts.FolderMissing)
	}
	p.goCache(note)
}

// noDrive reports whether a folder of Windows is on a drive that is not here, such as one
// that was unplugged: the system's own drive answers, and that one does not.
func (p *prober) noDrive(path string) bool {
	system := cmp.Or(p.h.Env("SystemDrive"), "C:") + `\`
	if len(path) < 3 || path[1] != ':' || strings.EqualFold(path[:3], system) {
		return false
	}
	if _, err := p.h.Disk(p.ctx, system); err != nil {
		return false
	}
	_, noRoot := p.h.Stat(p.ctx, path[:3])
	_, noDisk := p.h.Disk(p.ctx, path)
	return host.IsNotExist(noRoot) && noDisk != nil
}

// hindered says why nothing can be written to a folder, or run from it; "" where
// nothing hinders or that is not known.
func (p *prober) hindered(path string, named bool) facts.FolderProblem {
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/") // macOS sets TMPDIR with it
	}
	info, err := p.h.Stat(p.ctx, path)
	switch {
	case host.IsNotExist(err) && named:
		return facts.FolderMissing
	case err == nil && !info.Dir:
		return facts.NotAFolder
	}
	d, err := p.h.Disk(p.ctx, path)
	switch {
	case err == nil && d.ReadOnly:
		return facts.ReadOnlyFolder
	case err == nil && d.Total > 0 && d.Free < leastTmp:
		return facts.FolderFull
	case p.noexec(path):
		return facts.NoExec
	}
	return ""
}

// noexec reports whether programs cannot be started from a folder: the mount that
// holds it says so (proc(5), /proc/self/mountinfo).
func (p *prober) noexec(path string) bool {
	if p.h.OS != "linux" {
		return false
	}
	best, found := "", false
	for line := range strings.SplitSeq(p.text("/proc/self/mountinfo"), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 6 {
			continue
		}
		point := strings.ReplaceAll(fields[4], `\040`, " ")
		if within(path, point) && len(point) >= len(best) {
			best = point
			found = strings.Contains(","+fields[5]+",", ",noexec,")
		}
	}
	return found
}

// noExecMounts lists the mounted file systems from which nothing is started, where no
// other one below allows it again (proc(5), /proc/self/mountinfo).
func (p *prober) noExecMounts() {
	var points, open []string
	for line := range strings.SplitSeq(p.text("/proc/self/mountinfo"), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 6 {
			continue
		}
		point := strings.ReplaceAll(fields[4], `\040`, " ")
		switch {
		case !strings.Contains(","+fields[5]+",", ",noexec,"):
			open = append(open, point)
		case !slices.ContainsFunc([]string{"/proc", "/sys", "/dev", "/run"}, func(dir string) bool { return within(point, dir) }) && len(points) < 16:
			points = append(points, point)
		}
	}
	for _, point := range points {
		if point != "/" && !slices.ContainsFunc(open, func(o string) bool { return within(o, point) }) {
			p.e.NoExec = append(p.e.NoExec, point)
		}
	}
}

func within(path, dir string) bool {
	return dir == "/" || path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// goCache is where go build keeps what it compiled (cmd/go, "Build and test
// caching"): GOCACHE, or a folder in the user's cache.
func (p *prober) goCache(note func(purpose, variable, path string, problem facts.FolderProblem)) {
	h := p.h
	if h.Windows() || h.Env("PATH") == "" {
		return // an environment without PATH was not recorded
	}
	cache, variable := p.goVariable("GOCACHE"), "GOCACHE"
	if cache == "" && h.OS == "linux" {
		cache, variable = h.Env("XDG_CACHE_HOME"), "XDG_CACHE_HOME"
	}
	if cache == "" {
		cache, variable = h.Env("HOME"), "HOME"
		if cache == "/" && p.uid() > 0 {
			note("go-cache", variable, cache, facts.FolderOfRoot)
			return
		}
	}
	switch {
	case cache == "":
		note("go-cache", variable, "", facts.FolderUnset)
	case variable == "GOCACHE" && cache == "off":
		note("go-cache", variable, cache, facts.FolderUnset)
	case !strings.HasPrefix(cache, "/"):
		note("go-cache", variable, cache, facts.RelativeFolder)
	case p.isFile(cache):
		note("go-cache", variable, cache, facts.NotAFolder)
	default:
		if d, err := h.Disk(p.ctx, cache); err == nil && d.ReadOnly {
			note("go-cache", variable, cache, facts.ReadOnlyFolder)
			return
		}
		// As root's, where go once ran with sudo.
		below := map[string]string{"HOME": "/.cache/go-build", "XDG_CACHE_HOME": "/go-build"}[variable]
		if variable == "HOME" && h.OS == "darwin" {
			below = "/Library/Caches/go-build"
		}
		if _, err := h.ReadDir(p.ctx, cache+below); errors.Is(err, fs.ErrPermission) {
			note("go-cache", variable, cache+below, facts.FolderDenied)
		}
	}
}

func (p *prober) isFile(path string) bool {
	info, err := p.h.Stat(p.ctx, path)
	return err == nil && !info.Dir
}

// uid is the effective user id; -1 where it is not known.
func (p *prober) uid() int {
	for line := range strings.SplitSeq(p.text("/proc/self/status"), "\n") {
		if rest, ok := strings.CutPrefix(line, "Uid:"); ok {
			if ids := strings.Fields(rest); len(ids) > 1 {
				if ids[1] == "0" {
					return 0
				}
				return 1
			}
		}
	}
	return -1
}
