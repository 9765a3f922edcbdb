package envedit

import (
	"context"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/step"
)

// NewPath is Windows' PATH as a program started from a new shell gets it: what
// this process has, then the entries that installers have put into the registry
// since. ok is false when there are none, and on other systems. A registry that
// cannot be read has none.
func NewPath(ctx context.Context, h *host.Host) (value string, ok bool) {
	if !h.Windows() {
		return "", false
	}
	value = h.Env("PATH")
	for _, key := range []string{systemKey, userKey} {
		k, err := h.RegistryKey(ctx, key, "64")
		if err != nil {
			continue
		}
		for name, v := range k.Values {
			if !strings.EqualFold(name, "Path") {
				continue
			}
			for _, entry := range strings.Split(v.String, ";") {
				entry = expand(entry, true, h.Getenv)
				if entry != "" && !has(value, entry, true) {
					value, ok = value+";"+entry, true
				}
			}
		}
	}
	return value, ok
}

// Kept are the edits that new sessions still get. On Windows that is what the registry
// has: somebody may have taken an entry out again, or a power cut an entry that Windows
// had not written yet. A registry that cannot be read keeps them all.
func Kept(ctx context.Context, h *host.Host, edits []step.Env) []step.Env {
	if !h.Windows() {
		return edits
	}
	values := map[string][]string{} // by folded name
	for _, key := range []string{systemKey, userKey} {
		k, err := h.RegistryKey(ctx, key, "64")
		if err != nil {
			return edits
		}
		for name, v := range k.Values {
			name = strings.ToUpper(name)
			values[name] = append(values[name], v.String)
		}
	}
	return slices.DeleteFunc(slices.Clone(edits), func(e step.Env) bool {
		return !slices.ContainsFunc(values[strings.ToUpper(e.Name)], func(text string) bool {
			return text == e.Value || e.Prepend && has(text, e.Value, true)
		})
	})
}
