package host

import (
	"context"
	"slices"
	"strings"
)

// Overlay returns the host with some variables of its environment replaced:
// Getenv answers from env first, and every command gets the variables too,
// where it does not set them itself. It shows the machine as a shell that is
// opened after a lasting change will see it. Names follow the host's rules:
// case does not matter on Windows.
func Overlay(h *Host, env map[string]string) *Host {
	o := &overlay{World: h.World, env: map[string]string{}, fold: h.Windows()}
	for name, value := range env {
		o.env[o.key(name)] = value
		o.added = append(o.added, name+"="+value)
	}
	slices.Sort(o.added)
	return h.With(o)
}

type overlay struct {
	World
	env   map[string]string
	added []string // K=V, sorted
	fold  bool
}

func (o *overlay) key(name string) string {
	if o.fold {
		return strings.ToUpper(name)
	}
	return name
}

func (o *overlay) Getenv(name string) (string, bool) {
	if v, ok := o.env[o.key(name)]; ok {
		return v, true
	}
	return o.World.Getenv(name)
}

func (o *overlay) Run(ctx context.Context, cmd Command) (Output, error) {
	// Of two values of one name, the process gets the later.
	cmd.Env = append(slices.Clone(o.added), cmd.Env...)
	return o.World.Run(ctx, cmd)
}
