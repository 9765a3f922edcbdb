package host

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// Memo returns a host that lists each folder once: many probes look into the
// same large folders (/usr/bin, /usr/lib), and see one state of them this way.
// It is for one look at a machine; nothing is ever forgotten.
func Memo(h *Host) *Host {
	return h.With(&memo{World: h.World, dirs: map[string]*listing{}})
}

type memo struct {
	World
	mu   sync.Mutex
	dirs map[string]*listing
}

// listing is one folder's answer; done is closed when it is there.
type listing struct {
	done    chan struct{}
	entries []Entry
	err     error
}

func (m *memo) ReadDir(ctx context.Context, name string) ([]Entry, error) {
	for {
		m.mu.Lock()
		l, known := m.dirs[name]
		if !known {
			l = &listing{done: make(chan struct{})}
			m.dirs[name] = l
		}
		m.mu.Unlock()
		if !known {
			l.entries, l.err = m.World.ReadDir(ctx, name)
			if ended(l.err) {
				// The caller's own deadline is no answer for the others.
				m.mu.Lock()
				delete(m.dirs, name)
				m.mu.Unlock()
			}
			close(l.done)
			return slices.Clone(l.entries), l.err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-l.done:
			if !ended(l.err) {
				return slices.Clone(l.entries), l.err
			}
		}
	}
}

func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
