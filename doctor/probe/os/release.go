package osprobe

import (
	"strings"

	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

// parseRelease reads os-release(5): lines of KEY=value, the value in shell
// quotes where needed. A line that is none is passed over.
func parseRelease(text string) map[string]string {
	values := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		key, value, ok := strings.Cut(line, "=")
		if !ok || key == "" || strings.ContainsAny(key, " \t#'\"") {
			continue
		}
		values[key] = look.Clean(unquote(value))
	}
	return values
}

// unquote undoes shell quoting as os-release(5) allows it: single or double
// quotes around the whole, and a backslash before $ " ' \ and `.
func unquote(v string) string {
	if len(v) >= 2 && v[0] == '\'' && v[len(v)-1] == '\'' {
		return v[1 : len(v)-1]
	}
	if len(v) >= 2 && v[0] == '"' && v[len(v)-1] == '"' {
		v = v[1 : len(v)-1]
	}
	if !strings.Contains(v, `\`) {
		return v
	}
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		if v[i] == '\\' && i+1 < len(v) && strings.IndexByte("$\"'\\`", v[i+1]) >= 0 {
			i++
		}
		b.WriteByte(v[i])
	}
	return b.String()
}

// debianReleases are the release numbers of Debian's code names. Testing and
// unstable carry no VERSION_ID, only the name of the release to come
// (Debian's release list, www.debian.org/releases).
var debianReleases = map[string]string{"stretch": "9", "buster": "10", "bullseye": "11", "bookworm": "12", "trixie": "13", "forky": "14", "duke": "15"}
