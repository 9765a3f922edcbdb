package apt

import (
	"context"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
)

// DebianArchive is the address of the archive that apt fetches Debian's own
// packages from, "" when its sources name none: the first one that is not for
// security updates, whose pool is another. Only files are read, since apt-get
// indextargets knows nothing before the first update. Formats: sources.list(5).
func DebianArchive(ctx context.Context, h *host.Host) (string, error) {
	const dir = "/etc/apt/sources.list.d"
	names := []string{"/etc/apt/sources.list"}
	names = append(names, h.Glob(ctx, dir, "*.list")...)
	names = append(names, h.Glob(ctx, dir, "*.sources")...)
	for _, name := range names {
		text, err := h.Text(ctx, name)
		if host.IsNotExist(err) {
			continue
		}
		if err != nil {
			return "", err
		}
		parse := oneLine
		if strings.HasSuffix(name, ".sources") {
			parse = deb822
		}
		for _, s := range parse(text) {
			if len(s.uris) > 0 && len(s.suites) > 0 && !strings.Contains(s.suites[0], "security") && strings.HasPrefix(s.uris[0], "http") {
				return strings.TrimSuffix(s.uris[0], "/"), nil
			}
		}
	}
	return "", nil
}

type source struct{ uris, suites []string }

// oneLine reads "deb [options] URI suite component…" lines.
func oneLine(text string) []source {
	var list []source
	for _, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if open, rest, ok := strings.Cut(line, "["); ok {
			_, rest, _ = strings.Cut(rest, "]")
			line = open + " " + rest
		}
		if f := strings.Fields(line); len(f) >= 3 && f[0] == "deb" {
			list = append(list, source{uris: f[1:2], suites: f[2:3]})
		}
	}
	return list
}

// deb822 reads stanzas of "Field: value" lines; a line that begins with a space
// goes on with the field before.
func deb822(text string) []source {
	var list []source
	for _, stanza := range strings.Split(strings.ReplaceAll(text, "\r", ""), "\n\n") {
		fields := map[string]string{}
		last := ""
		for _, line := range strings.Split(stanza, "\n") {
			if strings.HasPrefix(line, "#") {
				continue
			}
			if key, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, " ") {
				last = strings.ToLower(key)
				fields[last] = value
			} else if last != "" {
				fields[last] += " " + line
			}
		}
		if fields["enabled"] != "" && strings.TrimSpace(strings.ToLower(fields["enabled"])) == "no" {
			continue
		}
		if types := strings.Fields(fields["types"]); len(types) > 0 && types[0] == "deb" {
			list = append(list, source{uris: strings.Fields(fields["uris"]), suites: strings.Fields(fields["suites"])})
		}
	}
	return list
}
