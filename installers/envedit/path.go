package envedit

import (
	"context"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
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
