// Package cgroup finds the limits that Linux control groups put on this
// process, in both versions (kernel documentation: admin-guide/cgroup-v1,
// admin-guide/cgroup-v2.rst). It must never judge them.
package cgroup

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// maxLevels bounds how far up the tree is looked.
const maxLevels = 64

// Group is one level of a hierarchy as a folder of this process's view.
type Group struct {
	Dir string
	V2  bool
}

// Levels returns the folders of the controller's group and its ancestors,
// nearest first, v1's before v2's. None means no control groups are seen.
// The error says what is there but could not be read.
func Levels(ctx context.Context, h *host.Host, controller string) ([]Group, error) {
	own, err := h.Text(ctx, "/proc/self/cgroup")
	if host.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, lang.Errorf("find the control group: %w", err)
	}
	table, err := h.Text(ctx, "/proc/self/mountinfo")
	if host.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, lang.Errorf("find the control group's folder: %w", err)
	}
	mounts := Mounts(table)
	var levels []Group
	for _, m := range Members(own) {
		v2 := len(m.Controllers) == 0
		if !v2 && !slices.Contains(m.Controllers, controller) {
			continue
		}
		for _, mount := range mounts {
			if v2 && mount.Type == "cgroup2" || !v2 && mount.Type == "cgroup" && slices.Contains(mount.Options, controller) {
				levels = append(levels, climb(mount, m.Path, v2)...)
				break
			}
		}
	}
	return levels, nil
}

// climb lists the folders from a group up to the mount point. A group outside
// of what is mounted (a container without a namespace of its own sees its path
// on the host) leaves the mount point, which then is the container's group.
func climb(m Mount, group string, v2 bool) []Group {
	rel, ok := strings.CutPrefix(group, strings.TrimSuffix(m.Root, "/"))
	if !ok || rel != "" && !strings.HasPrefix(rel, "/") || strings.Contains(group, "/..") {
		rel = ""
	}
	var out []Group
	for at := path.Join(m.Point, rel); len(out) < maxLevels; at = path.Dir(at) {
		out = append(out, Group{at, v2})
		if at == m.Point || at == "/" || at == "." {
			break
		}
	}
	return out
}

// Member is one line of /proc/PID/cgroup.
type Member struct {
	// Controllers is empty for the unified hierarchy (v2).
	Controllers []string
	Path        string
}

// Members reads /proc/PID/cgroup (cgroups(7)): hierarchy:controllers:path.
func Members(text string) []Member {
	var out []Member
	for line := range strings.SplitSeq(text, "\n") {
		id, rest, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		controllers, group, ok := strings.Cut(rest, ":")
		if !ok || !strings.HasPrefix(group, "/") {
			continue
		}
		m := Member{Path: path.Clean(group)}
		if strings.HasPrefix(group, "/..") {
			m.Path = group // outside of the namespace: path.Clean would hide it
		}
		switch {
		case controllers != "":
			m.Controllers = strings.Split(controllers, ",")
		case id != "0":
			continue // a v1 line without controllers is no hierarchy
		}
		out = append(out, m)
	}
	return out
}

// Mount is one line of /proc/PID/mountinfo.
type Mount struct {
	Device  string // major:minor
	Root    string // the folder of the file system that is mounted
	Point   string // where
	Type    string
	Options []string // of the super block
}

// Mounts reads /proc/PID/mountinfo (proc_pid_mountinfo(5)).
func Mounts(text string) []Mount {
	var out []Mount
	for line := range strings.SplitSeq(text, "\n") {
		before, after, ok := strings.Cut(line, " - ")
		if !ok {
			continue
		}
		b, a := strings.Fields(before), strings.Fields(after)
		if len(b) < 5 || len(a) < 1 {
			continue
		}
		m := Mount{Device: b[2], Root: unescape(b[3]), Point: unescape(b[4]), Type: a[0]}
		if len(a) >= 3 {
			m.Options = strings.Split(a[2], ",")
		}
		out = append(out, m)
	}
	return out
}

// unescape undoes \040 and the like (space, tab, newline, backslash).
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}
