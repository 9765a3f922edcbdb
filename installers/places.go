package installers

import (
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Places are the folders that plans put files into, in the machine's own form.
type Places struct {
	// Cache is deployctl's cache folder: what was fetched, builds under way,
	// models and runtimes.
	Cache string
	// Opt holds what is unpacked or built, a folder each: /opt/deployctl for
	// root, else beneath the user's data folder.
	Opt   string
	index *host.Host // of Sources.Index
	// Scope is whom lasting changes of the environment are for: machine for
	// root on Linux, else user.
	Scope string
}

// PlacesOf names the folders of a user on a host; nothing is created. cache ""
// means the user's own cache folder on that host.
func PlacesOf(h *host.Host, user facts.User, cache string) (Places, error) {
	home := h.Env("HOME")
	p := Places{Cache: cache, Scope: "user"}
	switch {
	case h.Windows() && h.Env("LOCALAPPDATA") != "":
		p.Opt = h.Join(h.Env("LOCALAPPDATA"), "deployctl", "opt")
		if cache == "" {
			p.Cache = h.Join(h.Env("LOCALAPPDATA"), "deployctl")
		}
		return p, nil
	case h.Windows() || home == "":
		return p, lang.Errorf("no folder for what is installed is known: set HOME (LOCALAPPDATA on Windows)")
	}
	data := h.Env("XDG_DATA_HOME")
	if data == "" {
		data = h.Join(home, ".local/share")
	}
	p.Opt = h.Join(data, "deployctl")
	if user.Admin {
		p.Opt = "/opt/deployctl"
		if h.OS == "linux" {
			p.Scope = "machine"
		}
	}
	if cache == "" {
		p.Cache = h.Join(home, ".cache/deployctl")
		if h.OS == "darwin" {
			p.Cache = h.Join(home, "Library/Caches/deployctl")
		} else if x := h.Env("XDG_CACHE_HOME"); x != "" {
			p.Cache = h.Join(x, "deployctl")
		}
	}
	return p, nil
}
