package look

import (
	"context"
	"iter"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// DisplayAdapters is the class of the registry that display adapters are in.
const DisplayAdapters = "{4d36e968-e325-11ce-bfc1-08002be10318}"

// Devices are the keys of a class of devices, which are numbered: 0000, 0001. What cannot
// be read is told to failed.
func Devices(ctx context.Context, h *host.Host, class string, failed func(error)) iter.Seq2[string, host.Key] {
	return func(yield func(string, host.Key) bool) {
		top := `HKLM\SYSTEM\CurrentControlSet\Control\Class\` + class
		all, err := h.RegistryKey(ctx, top, "64")
		failed(err)
		for _, sub := range all.Subkeys {
			if len(sub) != 4 || strings.Trim(sub, "0123456789") != "" {
				continue
			}
			key, err := h.RegistryKey(ctx, top+`\`+sub, "64")
			failed(err)
			if !yield(top+`\`+sub, key) {
				return
			}
		}
	}
}

// StalePath lists the folders that new sessions of Windows find on PATH and this
// one, which is older, does not. values are the other variables that new sessions
// get, by folded name. An error is that of the machine's part of the registry.
func StalePath(ctx context.Context, h *host.Host) (dirs []string, values map[string]string, err error) {
	values = map[string]string{}
	var paths []string
	for _, key := range []string{`HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment`, `HKCU\Environment`} {
		k, failed := h.RegistryKey(ctx, key, "64")
		if strings.HasPrefix(key, "HKLM") {
			err = failed
		}
		for name, v := range k.Values {
			if strings.EqualFold(name, "Path") {
				paths = append(paths, strings.Split(v.String, ";")...)
			} else {
				values[strings.ToLower(name)] = v.String
			}
		}
	}
	folded := func(dir string) string {
		return strings.ToLower(strings.TrimRight(strings.ReplaceAll(dir, "/", `\`), `\`))
	}
	have := map[string]bool{}
	for _, dir := range h.PathDirs() {
		have[folded(dir)] = true
	}
	for _, dir := range paths {
		dir = strings.Trim(strings.TrimSpace(dir), `"`)
		if strings.Contains(dir, "%") && strings.Contains(strings.ToLower(h.Env("PATH")), strings.ToLower(dir)) { // no session fills it in
			continue
		}
		dir = Clean(expand(h, dir, values))
		if len(dir) < 3 || dir[1] != ':' || have[folded(dir)] || len(dirs) == maxStale || !h.Exists(ctx, dir) {
			continue
		}
		have[folded(dir)] = true
		dirs = append(dirs, dir)
	}
	return dirs, values, err
}

const maxStale = 32

var variable = lazyregexp.New(`%([^%;\\/]+)%`)

// expand fills in %NAME%, as Windows does when a session starts: from the
// registry's own values first, as this session may not know new ones.
func expand(h *host.Host, text string, values map[string]string) string {
	for range 4 { // values name one another
		next := variable.Get().ReplaceAllStringFunc(text, func(m string) string {
			name := m[1 : len(m)-1]
			if v := values[strings.ToLower(name)]; v != "" {
				return v
			}
			if v := h.Env(name); v != "" {
				return v
			}
			return m
		})
		if next == text || len(next) > 4096 {
			break
		}
		text = next
	}
	return text
}
