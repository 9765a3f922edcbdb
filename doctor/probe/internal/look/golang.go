package look

import (
	"context"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
)

// GoSettings are the settings of the go command.
type GoSettings struct {
	h *host.Host
	// written is what go env -w wrote; nil until it is asked for.
	written map[string]string
}

// SettingsOfGo returns the settings of a host's user.
func SettingsOfGo(h *host.Host) *GoSettings { return &GoSettings{h: h} }

// Get is one of them: the environment's, or what go env -w wrote (cmd/go, "Environment
// variables").
func (g *GoSettings) Get(ctx context.Context, name string) string {
	if v, ok := g.h.Getenv(name); ok && v != "" {
		return v
	}
	if g.written == nil {
		g.written = map[string]string{}
		if file := g.File(); IsPath(file) && ctx.Err() == nil {
			const enough = 64 << 10
			data, _, err := g.h.ReadFile(ctx, file, enough)
			if err != nil {
				return "" // most have none
			}
			for line := range strings.Lines(string(data)) {
				k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
				g.written[k] = v
			}
		}
	}
	return g.written[name]
}

// File is where go env -w writes (cmd/go, GOENV; os.UserConfigDir).
func (g *GoSettings) File() string {
	h := g.h
	if file := h.Env("GOENV"); file != "" {
		return file
	}
	switch h.OS {
	case "windows":
		return h.Join(EnvPath(h, "AppData"), "go", "env")
	case "darwin":
		return h.Join(EnvPath(h, "HOME"), "Library/Application Support/go/env")
	}
	if dir := EnvPath(h, "XDG_CONFIG_HOME"); dir != "" {
		return dir + "/go/env"
	}
	return h.Join(EnvPath(h, "HOME"), ".config/go/env")
}
