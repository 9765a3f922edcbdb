// Package ldconf tells Linux's dynamic loader of folders: a line in a file below
// /etc/ld.so.conf.d, and ldconfig. It gives the commands and reads the files; it
// must never change the machine.
//
// Sources: ldconfig(8) and ld.so(8) of man-pages; Debian's and Fedora's
// /etc/ld.so.conf, which include /etc/ld.so.conf.d/*.conf.
package ldconf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Name is the mechanism.
const Name = "ldconf"

const (
	folder   = "/etc/ld.so.conf.d/"
	ldconfig = "/sbin/ldconfig"
)

// Manager gives loader entries the shape of packages. A package is FILE=FOLDER:
// the file's name without .conf, and the line in it. The characters allowed in
// both need no quoting in a shell.
func Manager() *pkgmgr.Manager {
	return &pkgmgr.Manager{
		Name: Name, Tool: "sh", Path: "/bin/sh", Admin: true, Alone: true,
		// PATH has no say in what runs as root.
		Where: func(context.Context, *host.Host) string { return "/bin/sh" },
		Pick: func(f *facts.Facts) (string, error) {
			if f.OS.Family != "linux" || f.OS.Libc.Kind == "musl" {
				return "", pkgmgr.ErrAbsent
			}
			return "", nil
		},
		Valid: regexp.MustCompile(`^[a-z0-9][a-z0-9+._-]*=/[A-Za-z0-9/+._-]+$`),
		Title: func(p []string) string {
			_, dir := split(p[0])
			return lang.F("Let the dynamic loader look in %s", dir)
		},
		// An existing file keeps its lines.
		Install: func(p []string) []string {
			file, dir := split(p[0])
			return []string{"-c", "echo " + dir + " >> " + file + " && " + ldconfig}
		},
		Remove: func(p []string, _ bool) []string {
			file, dir := split(p[0])
			return []string{"-c", fmt.Sprintf(`sed -i "\|^%s\$|d" %s && { test -s %s || rm %s; } && %s`, strings.ReplaceAll(dir, ".", `[.]`), file, file, file, ldconfig)}
		},
		Undo: lang.T("deployctl undo takes the line out of the file again and runs ldconfig"),
		Look: look,
		Quote: func(ctx context.Context, h *host.Host, _ string, names []string) (pkgmgr.Quote, error) {
			there, err := look(ctx, h, names)
			if err != nil {
				return pkgmgr.Quote{}, err
			}
			var q pkgmgr.Quote
			for _, n := range names {
				if !there[n].Ready {
					q.Change = append(q.Change, step.Package{Name: n})
				}
			}
			return q, nil
		},
		Explain: func(exit int, lines []string) *step.Failure {
			if f := pkgmgr.Match([]pkgmgr.Rule{
				{Any: []string{"read-only file system"}, Kind: step.ReadOnly, Cause: "/etc cannot be written", Next: "make it writable, then run deployctl again"},
				{Any: []string{"no space left"}, Kind: step.DiskFull, Cause: "the disk is full", Next: "free some disk space, then run deployctl again"},
				{Any: []string{"permission denied"}, Kind: step.NoPrivilege, Cause: "only root may change /etc/ld.so.conf.d", Next: "run deployctl again as a user who may use sudo"},
			}, lines); f != nil {
				return f
			}
			return pkgmgr.Unexplained("ldconfig", exit, lines)
		},
	}
}

// Package is the name of a loader entry.
func Package(file, dir string) string { return file + "=" + dir }

func split(name string) (file, dir string) {
	file, dir, _ = strings.Cut(name, "=")
	return folder + file + ".conf", dir
}

// look reads which of the entries are in their files.
func look(ctx context.Context, h *host.Host, names []string) (map[string]pkgmgr.Installed, error) {
	list := map[string]pkgmgr.Installed{}
	for _, n := range names {
		file, dir := split(n)
		data, _, err := h.ReadFile(ctx, file, 1<<16)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, lang.Errorf("read %s: %w", file, err)
		}
		if slices.Contains(strings.Fields(string(data)), dir) {
			list[n] = pkgmgr.Installed{Version: "listed", Ready: true}
		}
	}
	return list, nil
}
