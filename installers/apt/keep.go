package apt

import (
	"context"
	"crypto/md5" //nolint:gosec // dpkg's own sums; nothing is trusted by them
	"encoding/hex"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// dpkgQuery asks dpkg's database for fields of packages, all of them when no
// name is given.
func dpkgQuery(ctx context.Context, h *host.Host, format string, names ...string) (string, error) {
	out, err := h.Run(ctx, host.Command{
		Argv: append([]string{find(ctx, h, "dpkg-query"), "-W", "-f", format}, names...),
		Env:  []string{"LC_ALL=C"},
	})
	if err != nil {
		return "", lang.Errorf("ask dpkg-query for packages: %w", err)
	}
	if out.Exit != 0 {
		return "", lang.Errorf("ask dpkg-query for packages: exit status %d: %s", out.Exit, step.Clean(string(out.Stderr), 200))
	}
	return string(out.Stdout), nil
}

// needed gives those of the packages that an installed package needs which is
// not one of them; see pkgmgr.Needed.
//
// Source of the fields: deb-control(5) and Debian Policy 7.1.
func needed(ctx context.Context, h *host.Host, packages []string) (map[string]string, error) {
	text, err := dpkgQuery(ctx, h, `${db:Status-Abbrev}\t${binary:Package}\t${Pre-Depends}, ${Depends}\t${Provides}\n`)
	if err != nil {
		return nil, err
	}
	var list []pkgmgr.Relations
	for _, line := range strings.Split(text, "\n") {
		f := strings.Split(line, "\t")
		if len(f) != 4 || len(f[0]) < 2 || f[0][1] == 'n' || f[0][1] == 'c' {
			continue
		}
		p := pkgmgr.Relations{Name: strings.TrimSuffix(f[1], ":"+nativeArch(h.Arch)), Depends: relations(f[2])}
		p.Gives = []string{bare(p.Name)}
		for _, provided := range relations(f[3]) {
			p.Gives = append(p.Gives, provided...)
		}
		list = append(list, p)
	}
	return pkgmgr.Needed(list, packages), nil
}

// relations reads a field like "a (>= 1), b | c:any" into names.
func relations(field string) [][]string {
	var list [][]string
	for _, part := range strings.Split(field, ",") {
		var alternatives []string
		for _, a := range strings.Split(part, "|") {
			if f := strings.FieldsFunc(a, func(r rune) bool { return r == ' ' || r == '(' }); len(f) > 0 {
				alternatives = append(alternatives, bare(f[0]))
			}
		}
		if len(alternatives) > 0 {
			list = append(list, alternatives)
		}
	}
	return list
}

func bare(name string) string {
	name, _, _ = strings.Cut(name, ":")
	return name
}

// edited gives those of the packages of which a configuration file is not as it
// came, with the file. One that cannot be read counts as edited: it would be
// lost.
func edited(ctx context.Context, h *host.Host, packages []string) (map[string]string, error) {
	if len(packages) == 0 {
		return nil, nil
	}
	text, err := dpkgQuery(ctx, h, `${binary:Package}\n${Conffiles}\n`, packages...)
	if err != nil {
		return nil, err
	}
	changed, name := map[string]string{}, ""
	for _, line := range strings.Split(text, "\n") {
		if line != "" && line[0] != ' ' {
			name = strings.TrimSuffix(line, ":"+nativeArch(h.Arch))
			continue
		}
		// " /etc/x.conf 0123456789abcdef0123456789abcdef", with "obsolete" or
		// "remove-on-upgrade" after it where it is.
		f := strings.Fields(line)
		i := slices.IndexFunc(f, isSum)
		if i < 1 {
			continue
		}
		file := strings.Join(f[:i], " ")
		data, _, err := h.ReadFile(ctx, file, host.MaxFile)
		if host.IsNotExist(err) {
			continue
		}
		if sum := md5.Sum(data); err != nil || hex.EncodeToString(sum[:]) != f[i] { //nolint:gosec // see the import
			changed[name] = file
		}
	}
	return changed, nil
}

func isSum(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == md5.Size
}
