package download

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/deployctl/deployctl/installers/store"
)

const (
	// pieceSize is how many bytes a part fetches by one request.
	pieceSize = 8 << 20
	// maxPieces keeps the state file within one page of memory (4 KiB), so that
	// no kill can leave half of one and half of another.
	maxPieces = 256
)

// pieces says how much of a file is there. The file is cut into pieces of one
// length (the last may be shorter), each filled from its beginning. Its methods
// may be called from several goroutines.
type pieces struct {
	size, length int64

	mu    sync.Mutex
	got   []int64 // bytes that are there, for each piece
	taken []bool  // somebody fetches it
	over  bool
	// enough is told when the first gap has come to awaited, and at the end.
	enough  sync.Cond
	awaited int64
}

func newPieces(size, length int64) *pieces {
	length = max(length, (size+maxPieces-1)/maxPieces)
	n := (size + length - 1) / length
	p := &pieces{size: size, length: length, got: make([]int64, n), taken: make([]bool, n)}
	p.enough.L = &p.mu
	return p
}

// full is the number of bytes of a whole piece.
func (p *pieces) full(i int) int64 { return min(p.length, p.size-int64(i)*p.length) }

// claim takes the first bytes, [from, to), that are not there and that nobody
// fetches: up to the end of a piece, or, unless one is set, up to the next byte
// that is there or fetched. ok is false when there are none.
func (p *pieces) claim(one bool) (from, to int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.got {
		if p.taken[i] || p.got[i] == p.full(i) {
			continue
		}
		p.taken[i] = true
		from, to = int64(i)*p.length+p.got[i], int64(i)*p.length+p.full(i)
		for j := i + 1; !one && j < len(p.got) && !p.taken[j] && p.got[j] == 0; j++ {
			p.taken[j] = true
			to += p.full(j)
		}
		return from, to, true
	}
	return 0, 0, false
}

// release gives back what claim took.
func (p *pieces) release(from, to int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := from / p.length; i*p.length < to; i++ {
		p.taken[i] = false
	}
}

// add says that n bytes at the offset, which is where a piece ended so far, are
// in the file now.
func (p *pieces) add(at, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n > 0 {
		i := int(at / p.length)
		k := min(n, p.full(i)-p.got[i])
		p.got[i] += k
		at, n = at+k, n-k
	}
	if p.gap() >= p.awaited {
		p.enough.Broadcast()
	}
}

// reset forgets all bytes; what is claimed stays so.
func (p *pieces) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.got)
}

// total is the number of bytes that are there.
func (p *pieces) total() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var n int64
	for _, g := range p.got {
		n += g
	}
	return n
}

// end says that nobody need wait any more.
func (p *pieces) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	p.enough.Broadcast()
}

// gap is where the first byte is that is not there; mu is held.
func (p *pieces) gap() int64 {
	var n int64
	for i, g := range p.got {
		n += g
		if g < p.full(i) {
			break
		}
	}
	return n
}

// wait waits until the file is there without a gap from its beginning to the
// offset, and gives where the first gap is. ok is false after end.
func (p *pieces) wait(offset int64) (gap int64, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.awaited = offset
	for {
		if gap = p.gap(); gap >= offset || p.over {
			return gap, !p.over
		}
		p.enough.Wait()
	}
}

// state is what must be known to continue a partial file. It never says more
// than is in the file, as long as the system lives; after a power cut it may,
// and then the hash tells. No time in it is compared with a clock.
type state struct {
	Version int    `json:"version"`
	Mirror  string `json:"mirror"` // host and path
	Size    int64  `json:"size"`
	// Validator is a strong ETag or a Last-Modified date for If-Range.
	Validator string `json:"validator,omitempty"`
	// Got is how many bytes are there of each piece of Piece bytes.
	Piece int64   `json:"piece"`
	Got   []int64 `json:"got"`
}

const stateVersion = 2

// read gives the state of an earlier fetch. One that cannot be read, or does
// not fit the artifact or the file beside it, is none: then the fetch starts
// over.
func (f *fetch) read() (state, bool) {
	data, path := f.Store.Partial(f.a.SHA256)
	in, err := os.Open(path)
	if err != nil {
		return state{}, false
	}
	defer in.Close() //nolint:errcheck // only read
	var s state
	// What follows the first value is the rest of a longer one.
	if json.NewDecoder(io.LimitReader(in, 1<<20)).Decode(&s) != nil {
		return state{}, false
	}
	p := newPieces(f.a.Size, f.pieceSize)
	info, err := os.Stat(data)
	if err != nil || info.Size() != f.a.Size || s.Version != stateVersion || s.Size != f.a.Size ||
		s.Piece != p.length || len(s.Got) != len(p.got) || strings.ContainsAny(s.Validator, "\r\n") {
		return state{}, false
	}
	for i, n := range s.Got {
		if n < 0 || n > p.full(i) {
			return state{}, false
		}
	}
	return s, true
}

func (s state) total() int64 {
	var n int64
	for _, g := range s.Got {
		n += g
	}
	return n
}

// save writes the state where the attempt is worth continuing. It is written in
// place and not synced: it is written ten times a second, and a kill loses
// nothing that the system has.
func (t *transfer) save() error {
	if t.state == nil {
		return nil
	}
	s := state{Version: stateVersion, Mirror: show(t.mirror), Size: t.a.Size, Validator: t.validator, Piece: t.pieces.length}
	t.pieces.mu.Lock()
	s.Got = append(s.Got, t.pieces.got...)
	t.pieces.mu.Unlock()
	data, err := json.Marshal(s)
	if err == nil {
		_, err = t.state.WriteAt(append(data, '\n'), 0)
	}
	if err != nil {
		_, path := t.Store.Partial(t.a.SHA256)
		return store.Explain(path, err)
	}
	t.kept = s.total()
	return nil
}

// forget removes the state, so that the bytes that come now are not taken for a
// continuation should they end early.
func (t *transfer) forget() error {
	_, path := t.Store.Partial(t.a.SHA256)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return store.Explain(path, err)
	}
	t.kept = 0
	return nil
}
