// Package apk is Alpine's package manager as argv and rules. It must never
// change the machine. Tried with apk-tools 2.14.10, which .ci/managers runs where
// it is given one: Debian does not package it.
package apk

import (
	"context"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// databases are where apk keeps its list: since Alpine 3.23 below /usr, where the
// other is a link.
var databases = [...]string{"/lib/apk/db/installed", "/usr/lib/apk/db/installed"}

// world is the file of what apk was asked for by name.
const world = "/etc/apk/world"

// Manager returns the apk manager.
func Manager() *pkgmgr.Manager {
	return &pkgmgr.Manager{
		Name: "apk", Tool: "apk", Path: "/sbin/apk", Admin: true, Retries: true, Upgrades: true, Saves: true,
		UndoBy: "apk del", Clean: []string{"rm -rf /var/cache/apk/*"},
		Install: func(p []string) []string {
			return append([]string{"add", "--no-progress", "--update-cache", "--upgrade", "--"}, p...)
		},
		Remove: func(p []string, purge bool) []string {
			args := []string{"del", "--no-progress"}
			if purge {
				args = append(args, "--purge")
			}
			return append(append(args, "--"), p...)
		},
		Installed: func(ctx context.Context, h *host.Host) (map[string]pkgmgr.Installed, error) {
			text, err := read(ctx, h)
			return ParseDatabase(text), err
		},
		Provided: func(ctx context.Context, h *host.Host, name string) bool {
			text, err := read(ctx, h)
			return err == nil && slices.ContainsFunc(ParseRelations(text), func(p pkgmgr.Relations) bool { return slices.Contains(p.Gives, name) })
		},
		Needed:   needed,
		Withdraw: withdraw,
		// A list that is left out comes first: what only it has is then not found.
		Explain: pkgmgr.Explainer("apk", append([]pkgmgr.Rule{
			pkgmgr.Locked("unable to lock database"),
			pkgmgr.Untrusted("untrusted signature", "bad signature", "verification failed", "bad archive", "io error", "checksum"),
		}, append(pkgmgr.Common("apk"),
			pkgmgr.Rule{Kind: step.NotFound, Any: []string{"required by: world["}, Cause: "a package is not in this system's sources", Names: `^  (\S+) \(no such package\):`,
				Next: "add the source that has it to /etc/apk/repositories (community has most), or install it by hand"},
			pkgmgr.Rule{Kind: step.Conflict, Any: []string{"(no such package)"}, Cause: "a package needs another one that is in none of this system's sources", Names: `^  (\S+) \(no such package\):`,
				Next: "add the source that has it to /etc/apk/repositories (community has most), then run deployctl again"},
			pkgmgr.Conflict("breaks: ", "conflicts: ", "unable to select packages"),
		)...)),
		Disks: []string{"/var/cache", "/usr"},
	}
}

func read(ctx context.Context, h *host.Host) (string, error) {
	for _, name := range databases[1:] {
		if h.Exists(ctx, name) {
			return h.Text(ctx, name)
		}
	}
	return h.Text(ctx, databases[0])
}

// needed looks at what is installed and at what was asked for by name: apk removes
// nothing that one of them needs, and says so with success.
func needed(ctx context.Context, h *host.Host, packages []string) (map[string]string, error) {
	text, err := read(ctx, h)
	if err != nil {
		return nil, err
	}
	list := ParseRelations(text)
	asked, err := h.Text(ctx, world)
	if err != nil && !host.IsNotExist(err) {
		return nil, lang.Errorf("see what apk was asked for: %w", err)
	}
	for _, word := range strings.Fields(asked) {
		if n := bare(word); n != "" && !slices.Contains(packages, n) {
			list = append(list, pkgmgr.Relations{Name: world + " (" + n + ")", Depends: [][]string{{n}}})
		}
	}
	return pkgmgr.Needed(list, packages), nil
}

// withdraw gives the command that takes back what apk was asked for and could not
// install: it stays in world, and the next apk command would install it.
func withdraw(ctx context.Context, h *host.Host, packages []string) []string {
	text, err := read(ctx, h)
	if err != nil {
		return nil
	}
	asked, err := h.Text(ctx, world)
	if err != nil {
		return nil
	}
	have := ParseDatabase(text)
	left := slices.DeleteFunc(slices.Clone(packages), func(n string) bool { return have[n].Ready || !slices.Contains(strings.Fields(asked), n) })
	if len(left) == 0 {
		return nil
	}
	return append([]string{"del", "--no-progress", "--"}, left...)
}

// bare is a dependency's name without version and repository; "" for what must not
// be there.
func bare(word string) string {
	if strings.HasPrefix(word, "!") {
		return ""
	}
	if i := strings.IndexAny(word, "=<>~@"); i >= 0 {
		word = word[:i]
	}
	return word
}

// ParseRelations reads what the packages of apk's database need (D:) and provide
// (p:), beside their names.
func ParseRelations(text string) []pkgmgr.Relations {
	var list []pkgmgr.Relations
	for _, stanza := range strings.Split(text, "\n\n") {
		var p pkgmgr.Relations
		for _, line := range strings.Split(stanza, "\n") {
			key, value, _ := strings.Cut(line, ":")
			switch key {
			case "P":
				p.Name, p.Gives = value, append(p.Gives, value)
			case "D":
				for _, word := range strings.Fields(value) {
					if n := bare(word); n != "" {
						p.Depends = append(p.Depends, []string{n})
					}
				}
			case "p":
				for _, word := range strings.Fields(value) {
					p.Gives = append(p.Gives, bare(word))
				}
			}
		}
		if p.Name != "" {
			list = append(list, p)
		}
	}
	return list
}

// ParseDatabase reads apk's database: P: is a name and V: its version, a blank
// line ends a package.
func ParseDatabase(text string) map[string]pkgmgr.Installed {
	list := map[string]pkgmgr.Installed{}
	name := ""
	for _, line := range strings.Split(text, "\n") {
		switch {
		case line == "":
			name = ""
		case strings.HasPrefix(line, "P:"):
			name = line[2:]
		case strings.HasPrefix(line, "V:") && name != "":
			list[name] = pkgmgr.Installed{Version: line[2:], Ready: true}
		}
	}
	return list
}
