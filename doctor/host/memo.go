package host

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
)

// Memo returns a host that lists each folder once: many probes look into the
// same large folders (/usr/bin, /usr/lib), and see one state of them this way.
// Files that are read piece by piece stay open for their next piece. It is for
// one look at a machine; nothing is ever forgotten until done is called.
func Memo(h *Host) (_ *Host, done func()) {
	m := &memo{World: h.World, dirs: map[string]*listing{}}
	if _, ok := h.World.(live); ok {
		m.open = &openFiles{}
	}
	return h.With(m), m.open.close
}

type memo struct {
	World
	open *openFiles // nil where files are not this machine's
	mu   sync.Mutex
	dirs map[string]*listing
}

func (m *memo) ReadAt(ctx context.Context, name string, at int64, n int) ([]byte, error) {
	if m.open == nil {
		return m.World.ReadAt(ctx, name, at, n)
	}
	return await(ctx, func() ([]byte, error) {
		f, err := m.open.take(name)
		if err != nil {
			return nil, err
		}
		data, err := piece(f, at, n)
		return data, errors.Join(err, m.open.put(name, f))
	})
}

// openFiles are the files of which a piece was read last: the header of a library is
// asked for in four or five pieces, and opening it takes longer than reading one.
type openFiles struct {
	mu     sync.Mutex
	files  []openFile // the one that was used last comes last
	closed bool
}

type openFile struct {
	name string
	file *os.File
}

const maxOpen = 16

// take opens the file, or takes out the one that is open.
func (o *openFiles) take(name string) (*os.File, error) {
	o.mu.Lock()
	i := slices.IndexFunc(o.files, func(f openFile) bool { return f.name == name })
	if i >= 0 {
		defer o.mu.Unlock()
		f := o.files[i].file
		o.files = slices.Delete(o.files, i, i+1)
		return f, nil
	}
	o.mu.Unlock() // opening may block for ever
	return Open(name)
}

func (o *openFiles) put(name string, f *os.File) error {
	o.mu.Lock()
	if o.closed { // a probe that is late
		o.mu.Unlock()
		return f.Close()
	}
	o.files = append(o.files, openFile{name, f})
	var old *os.File
	if len(o.files) > maxOpen {
		old = o.files[0].file
		o.files = slices.Delete(o.files, 0, 1)
	}
	o.mu.Unlock()
	if old == nil {
		return nil
	}
	return old.Close()
}

func (o *openFiles) close() {
	if o == nil {
		return
	}
	o.mu.Lock()
	files := o.files
	o.files, o.closed = nil, true
	o.mu.Unlock()
	for _, f := range files {
		_ = f.file.Close() // read-only
	}
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
