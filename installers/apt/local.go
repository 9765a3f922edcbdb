package apt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/lockfile"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Local is a repository of apt's on this machine: a folder in deployctl's cache
// with the locked packages and nothing else. apt asks it instead of the
// system's sources, resolves the same names in its own way and marks packages
// by hand or by dependency as always; the system's lists stay as they are.
type Local struct{ dir string }

// NewLocal names the repository in a folder. Nothing is touched.
func NewLocal(dir string) Local { return Local{dir} }

// File is where a package's file belongs in the repository.
func (l Local) File(p lockfile.Package) string {
	return filepath.Join(l.dir, "pool", p.Name+"_"+p.Architecture+".deb")
}

func (l Local) sources() string { return filepath.Join(l.dir, "sources.list") }
func (l Local) lists() string   { return filepath.Join(l.dir, "lists") }

// Manager is apt with this repository as its only source.
func (l Local) Manager() *pkgmgr.Manager {
	m := manager(l.options())
	m.Sources = lang.T("the lockfile")
	m.Refresh = nil // Write has done it
	m.Fresh = nil
	ask := m.Quote
	m.Quote = func(ctx context.Context, h *host.Host, tool string, packages []string) (pkgmgr.Quote, error) {
		q, err := ask(ctx, h, tool, packages)
		q.DownloadBytes = 0 // apt reads the files where they are
		return q, err
	}
	return m
}

// Cached is apt that fetches nothing: it takes packages from its own cache by
// the lists that are there.
func Cached() *pkgmgr.Manager {
	m := manager([]string{"--no-download"})
	m.Sources = lang.T("the package lists on this machine (--offline prevents downloading new ones)")
	m.Refresh = nil
	m.Fresh = nil
	return m
}

// options go before the command: the command line wins over every file.
func (l Local) options() []string {
	var list []string
	for _, o := range []string{
		"Dir::Etc::SourceList=" + l.sources(),
		"Dir::Etc::SourceParts=/dev/null",
		"Dir::State::Lists=" + l.lists(),
		// The system's caches of its own lists stay.
		"Dir::Cache::pkgcache=", "Dir::Cache::srcpkgcache=",
		// apt's user for downloads may not look into the cache folder, and
		// there is nothing to download.
		"APT::Sandbox::User=root",
		// A release named here is none of this repository's.
		"APT::Default-Release=",
		"Acquire::Languages=none",
	} {
		list = append(list, "--option", o)
	}
	return list
}

// Write makes the index of the repository and lets apt read it. It needs
// neither the packages' files nor root nor a network, and changes nothing but
// the repository's folder.
func (l Local) Write(ctx context.Context, h *host.Host, packages []lockfile.Package) error {
	if err := os.MkdirAll(filepath.Join(l.dir, "pool"), 0o755); err != nil {
		return store.Explain(l.dir, err)
	}
	for _, dir := range []string{l.lists(), filepath.Join(l.lists(), "partial")} {
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return store.Explain(dir, err)
		}
	}
	index, err := l.index(packages)
	if err != nil {
		return err
	}
	// A space in a folder's name would end the address in this format.
	address := (&url.URL{Path: filepath.ToSlash(l.dir)}).EscapedPath()
	for name, text := range map[string]string{
		filepath.Join(l.dir, "Packages"): index,
		// trusted=yes, since a lockfile carries no signature that apt knows. It
		// is right here only because no byte comes into this folder that does
		// not have the lockfile's sha256, which was taken from signed lists;
		// apt compares the same hashes again, from the index beside it.
		l.sources(): "deb [trusted=yes] file:" + address + " ./\n",
	} {
		if err := durable.WriteFile(name, []byte(text), 0o644); err != nil {
			return store.Explain(name, err)
		}
	}
	argv := append(append([]string{find(ctx, h, "apt-get"), "--quiet"}, l.options()...), "update")
	lines, exit, err := ask(ctx, h, argv)
	if err != nil {
		return err
	}
	if exit != 0 {
		return Explain(exit, lines)
	}
	return nil
}

// index is the Packages file: each stanza with the file's place here.
func (l Local) index(packages []lockfile.Package) (string, error) {
	var b strings.Builder
	for _, p := range packages {
		fields, err := p.Fields()
		if err != nil {
			return "", lang.Errorf("package %s of the lockfile: %w", p.Name, err)
		}
		for _, f := range fields {
			if !strings.EqualFold(f[0], "Filename") {
				b.WriteString(f[0] + ": " + f[1] + "\n")
			}
		}
		b.WriteString("Filename: pool/" + filepath.Base(l.File(p)) + "\n\n")
	}
	return b.String(), nil
}

// WithLists is apt by the lists in a folder of their own (UpdateInto) instead of
// the system's. It is for questions: making a lock changes no machine.
func WithLists(lists string) *pkgmgr.Manager {
	m := manager(listsIn(lists))
	m.Refresh = nil
	m.Fresh = nil
	return m
}

// listsIn keeps apt from looking into its archives, too: what is there already
// is left out of its answers. Its cache of the lists goes with them: without one
// it would read 50 MB of lists for every question.
func listsIn(dir string) []string {
	var list []string
	for _, o := range []string{"Dir::State::Lists=" + dir, "Dir::Cache::Archives=" + dir, "Dir::Cache::pkgcache=" + filepath.Join(dir, "pkgcache.bin"), "Dir::Cache::srcpkgcache=" + filepath.Join(dir, "srcpkgcache.bin")} {
		list = append(list, "--option", o)
	}
	return list
}

// Locked asks apt for what installing the packages would fetch: each file with
// its hash and addresses. lists is an empty folder into which apt fetches the
// lists of the system's sources, checked by the system's keys; "" asks the
// system's own lists. Neither needs root.
//
// Files in apt's own cache count as not there with lists, and as there without.
func Locked(ctx context.Context, h *host.Host, packages []string, lists string) ([]lockfile.Package, error) {
	if len(packages) == 0 {
		return nil, nil
	}
	own := readOnly()
	if lists != "" {
		own = append(own, listsIn(lists)...)
	}
	q, lines, err := planned(ctx, h, find(ctx, h, "apt-get"), append([]string{"--no-remove"}, own...), packages)
	switch {
	case err != nil:
		return nil, err
	case len(q.NotFound) > 0:
		return nil, Explain(100, lines)
	case len(q.Change) == 0:
		return nil, nil
	}
	names := make([]string, len(q.Change))
	for i, c := range q.Change {
		names[i] = c.Name + "=" + c.Version
	}
	addresses := ParseURIs(lines)
	var stanzas []string
	for len(names) > 0 {
		n := min(100, len(names)) // a command's output is kept up to a limit
		out, err := h.Run(ctx, host.Command{Argv: append(append(append([]string{find(ctx, h, "apt-cache")}, own...), "show", "--"), names[:n]...), Env: []string{"LC_ALL=C"}})
		if err != nil {
			return nil, lang.Errorf("ask apt-cache for the packages' hashes: %w", err)
		}
		if out.Exit != 0 || out.Truncated {
			return nil, pkgmgr.Unexplained("apt-cache", out.Exit, strings.Split(string(out.Stderr), "\n"))
		}
		stanzas = append(stanzas, strings.Split(string(out.Stdout), "\n\n")...)
		names = names[n:]
	}
	return match(addresses, stanzas)
}

// UpdateInto fetches the lists of the system's sources into a folder of their
// own; the system's lists stay as they are.
func UpdateInto(ctx context.Context, h *host.Host, lists string) error {
	if err := os.MkdirAll(filepath.Join(lists, "partial"), 0o755); err != nil {
		return store.Explain(lists, err)
	}
	argv := slices.Concat([]string{find(ctx, h, "apt-get"), "--quiet", "--option", "Acquire::Retries=3", "--option", "Acquire::Languages=none"}, listsIn(lists), []string{"update"})
	lines, exit, err := ask(ctx, h, argv)
	if err != nil {
		return err
	}
	// It ends with 0 also when it could fetch nothing: then it says so in a
	// warning. Other warnings (of its download user, say) do not count.
	failed := slices.DeleteFunc(lines, func(line string) bool {
		return !strings.HasPrefix(line, "E: ") && !strings.HasPrefix(line, "W: Failed to fetch") && !strings.HasPrefix(line, "W: Some index files") &&
			!strings.Contains(line, "GPG error") && !strings.Contains(line, "is not signed")
	})
	if exit != 0 || len(failed) > 0 {
		return Explain(exit, failed)
	}
	return nil
}

// ParseURIs reads the addresses that apt-get --print-uris names, in order.
func ParseURIs(lines []string) []string {
	var list []string
	for _, line := range lines {
		if !strings.HasPrefix(line, "'") {
			continue
		}
		if address, _, ok := strings.Cut(line[1:], "'"); ok {
			list = append(list, address)
		}
	}
	return list
}

// match finds each address' stanza, by the name of its file.
func match(addresses, stanzas []string) ([]lockfile.Package, error) {
	known := map[string]lockfile.Package{}
	for _, text := range stanzas {
		p, filename := parseStanza(text)
		if filename != "" {
			known[filename] = p
		}
	}
	var list []lockfile.Package
	for _, address := range addresses {
		u, err := url.Parse(address)
		if err == nil && u.User != nil { // a password is for apt, not for a lockfile or a message
			u.User = nil
			address = u.String()
		}
		if err != nil {
			address = lang.T("an address that cannot be read")
		}
		if err != nil || u.Scheme != "http" && u.Scheme != "https" {
			return nil, &step.Failure{Kind: step.NotFound, Cause: lang.F("apt would fetch %s by another way than http or https", step.Clean(address, 200)),
				Next: lang.T("name an http or https address in apt's sources")}
		}
		var found lockfile.Package
		for filename, p := range known {
			if strings.HasSuffix(u.Path, "/"+filename) {
				found = p
				break
			}
		}
		if found.Name == "" {
			return nil, &step.Failure{Kind: step.NotFound, Cause: lang.F("apt names no sha256 for %s", step.Clean(address, 200)), Next: lang.T("use a source whose index has SHA256")}
		}
		found.File.Mirrors = []string{address}
		list = append(list, found)
	}
	return list, nil
}

// parseStanza reads one stanza of apt-cache show. Descriptions and tags decide
// nothing and are most of the text; fields over several lines become one line.
func parseStanza(text string) (p lockfile.Package, filename string) {
	var kept []string
	drop := false
	for line := range strings.SplitSeq(strings.Trim(text, "\n"), "\n") {
		if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
			if !drop && len(kept) > 0 {
				kept[len(kept)-1] += " " + strings.TrimSpace(line)
			}
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		low := strings.ToLower(key)
		if drop = !ok || strings.HasPrefix(low, "description") || low == "tag" || low == "filename"; low == "filename" {
			filename = strings.TrimPrefix(value, "./")
		}
		if drop {
			continue
		}
		switch low {
		case "package":
			p.Name = value
		case "version":
			p.Version = value
		case "architecture":
			p.Architecture = value
		case "sha256":
			p.File.SHA256 = strings.ToLower(value)
			line = key + ": " + p.File.SHA256
		case "size":
			if _, err := fmt.Sscan(value, &p.File.Size); err != nil {
				return lockfile.Package{}, ""
			}
		}
		kept = append(kept, line)
	}
	p.Stanza = strings.Join(kept, "\n") + "\n"
	p.File.Name = filepath.Base(filename)
	// An address of apt's own, which is often plain http; the hash decides.
	p.File.Trusted = true
	if p.File.SHA256 == "" || p.File.Size == 0 {
		return lockfile.Package{}, ""
	}
	return p, filename
}
