package download

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deployctl/deployctl/installers/step"
)

const (
	// piece is small here, so that a small file has many.
	piece    = 256 << 10
	pieceSum = (3<<20 + 17 + piece - 1) / piece // 13
)

// newParts is a setup that fetches in parts of 256 KiB.
func newParts(t *testing.T, mirrors ...*mirror) *setup {
	s := newSetup(t, mirrors...)
	s.o.partsFrom, s.o.pieceSize, s.o.ramp = 1, piece, time.Millisecond
	return s
}

// gate holds bodies back until n requests have come.
type gate struct {
	n    int32
	come atomic.Int32
	open chan struct{}
}

func newGate(n int32) *gate { return &gate{n: n, open: make(chan struct{})} }

func (g *gate) hold(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if g.come.Add(1) == g.n {
			close(g.open)
		}
		h(&held{ResponseWriter: w, wait: func() {
			select {
			case <-g.open:
			case <-r.Context().Done():
			}
		}}, r)
	}
}

// held sends the headers, waits, and goes on with the body.
type held struct {
	http.ResponseWriter
	once sync.Once
	wait func()
}

func (h *held) Flush() { h.ResponseWriter.(http.Flusher).Flush() }

func (h *held) Write(p []byte) (int, error) {
	h.once.Do(func() { h.Flush(); h.wait() })
	return h.ResponseWriter.Write(p)
}

// answerRange answers a range of b with whatever of it body sends.
func answerRange(b []byte, tag string, body func(w io.Writer, wanted []byte)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from, to := wanted(r)
		w.Header().Set("ETag", tag)
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(b)))
		w.Header().Set("Content-Length", strconv.Itoa(to-from))
		w.WriteHeader(http.StatusPartialContent)
		body(w, b[from:to])
		w.(http.Flusher).Flush()
	}
}

// wanted is the range that a request asks for.
func wanted(r *http.Request) (from, to int) {
	if n, _ := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); n < 2 {
		return from, len(content)
	}
	return from, to + 1
}

func send(w io.Writer, p []byte) { w.Write(p) } //nolint:errcheck // the client may be gone

// closed ends the connection without an answer.
func closed(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// plain is a file server without ranges.
func plain(b []byte, tag string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		all := r.Clone(r.Context())
		all.Header.Del("Range")
		serve(b, tag)(w, all)
	}
}

// TestPartFaults is the fault table of parts: the first request is answered
// well, but not before the second has come, which meets the fault.
func TestPartFaults(t *testing.T) {
	const tag = `"a"`
	whole := serve(content, tag)
	flip := func(w io.Writer, p []byte) {
		p = bytes.Clone(p)
		p[len(p)/2] ^= 4
		send(w, p)
	}
	for _, c := range []struct {
		name string
		// second answers the second request, then the others; nil for well.
		second http.HandlerFunc
		then   []http.HandlerFunc
		want   step.Kind
		says   string
		// requests made in all; 0 for "do not care".
		requests int
		// single: after the fault the whole file was asked for at once.
		single bool
		kept   bool
	}{
		{name: "none", requests: pieceSum},
		{name: "the second is answered 429", second: status(429, "Retry-After", "60"), requests: pieceSum + 1},
		{name: "the second is answered 503", second: status(503), requests: pieceSum + 1},
		{name: "the second is answered 500", second: status(500), requests: pieceSum + 1},
		{name: "the second is answered 403", second: status(403), requests: pieceSum + 1},
		{name: "the second connection is closed", second: closed},
		{name: "the second is answered with the whole file", second: plain(content, tag), requests: pieceSum + 1},
		{name: "the second is answered with the whole file, version not told", second: plain(content, ""), requests: pieceSum + 1},
		{name: "one part cut", second: cutPart(1000), requests: pieceSum + 1},
		{name: "one part cut before the first byte", second: cutPart(0), requests: pieceSum + 1},
		{name: "one part stalls", second: func(w http.ResponseWriter, r *http.Request) {
			answerRange(content, tag, func(w io.Writer, p []byte) { send(w, p[:1000]) })(w, r)
			hang(r, nil)
		}, requests: pieceSum + 1},
		{name: "one bit flipped in one part", second: answerRange(content, tag, flip), single: true},
		{name: "one bit flipped in one part and in the file", second: answerRange(content, tag, flip), then: []http.HandlerFunc{
			func(w http.ResponseWriter, r *http.Request) { serve(flipped(), tag)(w, r) },
		}, want: step.HashMismatch, says: "another file: sha256", single: true},
		{name: "ETag changed midway, told by 206", second: answerRange(content, `"b"`, send), single: true},
		{name: "ETag changed midway, told by 200", second: serve(content, `"b"`), then: []http.HandlerFunc{serve(content, `"b"`)}, single: true},
		{name: "ETag changed midway, to another file", second: serve(other, `"b"`), then: []http.HandlerFunc{serve(other, `"b"`)},
			want: step.HashMismatch, says: "another file: sha256", single: true},
		{name: "size changed midway", second: serve(content[:half], `"b"`), then: []http.HandlerFunc{serve(content[:half], `"b"`)},
			want: step.HashMismatch, says: "another size", single: true},
		{name: "another range", second: status(206, "Content-Range", "bytes 0-9/10"), single: true},
		{name: "a length that does not fit the range", second: func(w http.ResponseWriter, r *http.Request) {
			from, to := wanted(r)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(content)))
			w.Header().Set("Content-Length", "5")
			w.WriteHeader(http.StatusPartialContent)
		}, single: true},
		{name: "416", second: status(416), single: true},
		{name: "more bytes than asked for", second: func(w http.ResponseWriter, r *http.Request) {
			from, to := wanted(r)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(content)))
			w.WriteHeader(http.StatusPartialContent)
			w.(http.Flusher).Flush()
			send(w, content)
		}, want: step.HashMismatch, says: "more bytes"},
		{name: "fewer bytes than asked for", second: func(w http.ResponseWriter, r *http.Request) {
			from, to := wanted(r)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to-1, len(content)))
			w.WriteHeader(http.StatusPartialContent)
			w.(http.Flusher).Flush()
			send(w, content[from:from+5])
		}, requests: pieceSum + 1},
		{name: "only the first is answered", second: status(500), then: []http.HandlerFunc{status(500)},
			want: step.NoNetwork, says: "need not be fetched again", kept: true},
		{name: "redirected in a loop", second: redirect("/again"), then: []http.HandlerFunc{redirect("/again")},
			want: step.Other, says: "redirects more than 5 times", kept: true},
		{name: "redirected to another host by http", second: redirect("http://other.invalid/x"), then: []http.HandlerFunc{redirect("http://other.invalid/x")},
			want: step.Other, says: "redirects to another host, other.invalid", kept: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.second == nil {
				c.second = whole
			}
			if c.then == nil {
				c.then = []http.HandlerFunc{whole}
			}
			g := newGate(2)
			m := newMirror(t, append([]http.HandlerFunc{g.hold(whole), g.hold(c.second)}, c.then...)...)
			s := newParts(t, m)
			s.o.Parts = 2
			path, err := Fetch(t.Context(), s.a, s.o)
			if c.want == "" {
				s.good(path, err)
			} else {
				s.kind(err, c.want)
				s.left(c.kept)
				if !strings.Contains(err.Error(), c.says) {
					t.Errorf("says %q, not %q", err, c.says)
				}
			}
			seen := m.seen()
			if c.requests > 0 && len(seen) != c.requests {
				t.Errorf("%d requests, want %d", len(seen), c.requests)
			}
			single := false
			for i, r := range seen {
				single = single || r.Header.Get("Range") == ""
				if i > 0 && r.Header.Get("Range") != "" && r.Header.Get("If-Range") != tag {
					t.Errorf("request %d has If-Range %q", i, r.Header.Get("If-Range"))
				}
			}
			if single != c.single {
				t.Errorf("the whole file was asked for: %v", single)
			}
		})
	}
}

// cutPart sends n bytes of the range and ends the connection.
func cutPart(n int) http.HandlerFunc {
	return answerRange(content, `"a"`, func(w io.Writer, p []byte) {
		send(w, p[:n])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
}

// TestPartsAtOnce: as many as asked for, no byte twice.
func TestPartsAtOnce(t *testing.T) {
	for _, n := range []int{2, 4} {
		g := newGate(int32(n))
		var open, most atomic.Int32
		held := g.hold(serve(content, `"a"`))
		// Counted before the gate: the last to come opens it, and those that it
		// lets go may be gone before the last is counted.
		m := newMirror(t, func(w http.ResponseWriter, r *http.Request) {
			now := open.Add(1)
			defer open.Add(-1)
			for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
			}
			held(w, r)
		})
		s := newParts(t, m)
		s.o.Parts = n
		s.good(Fetch(t.Context(), s.a, s.o))
		if int(most.Load()) != n {
			t.Errorf("%d at once, want %d", most.Load(), n)
		}
		got := map[int]bool{}
		for _, r := range m.seen() {
			from, to := wanted(r)
			if got[from] || from%piece != 0 || to != min(from+piece, len(content)) {
				t.Errorf("asked for %s", r.Header.Get("Range"))
			}
			got[from] = true
		}
		if len(got) != pieceSum {
			t.Errorf("%d pieces", len(got))
		}
	}
}

// TestNoParts: where parts are not wanted or not possible there is one stream.
func TestNoParts(t *testing.T) {
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		change  func(*setup)
		ranges  []string
	}{
		{"turned off", serve(content, `"a"`), func(s *setup) { s.o.Parts = 1 }, []string{""}},
		{"a small file", serve(content, `"a"`), func(s *setup) { s.o.partsFrom = int64(len(content)) + 1 }, []string{""}},
		{"no ranges at the server", plain(content, `"a"`), func(*setup) {}, []string{"bytes=0-262143"}},
		{"no version told", serve(content, ""), func(*setup) {}, []string{"bytes=0-262143", "bytes=262144-"}},
		{"a weak version", serve(content, `W/"a"`), func(*setup) {}, []string{"bytes=0-262143", "bytes=262144-"}},
		{"a range is refused", func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return
			}
			serve(content, `"a"`)(w, r)
		}, func(*setup) {}, []string{"bytes=0-262143", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMirror(t, c.handler)
			s := newParts(t, m)
			c.change(s)
			s.good(Fetch(t.Context(), s.a, s.o))
			var ranges []string
			for _, r := range m.seen() {
				ranges = append(ranges, r.Header.Get("Range"))
			}
			if fmt.Sprint(ranges) != fmt.Sprint(c.ranges) {
				t.Errorf("asked for %q, want %q", ranges, c.ranges)
			}
		})
	}
}

// TestPartsKilledAndResumed: after kill -9 no byte that was on the disk is
// asked for again, in parts or, where they are turned off, by one stream.
func TestPartsKilledAndResumed(t *testing.T) {
	for _, parts := range []int{4, 1} {
		begun := answerRange(content, `"a"`, func(w io.Writer, p []byte) { send(w, p[:1000]) })
		first := serve(content, `"a"`)
		m := newMirror(t, first, first, func(w http.ResponseWriter, r *http.Request) {
			begun(w, r)
			<-r.Context().Done()
		})
		s := newParts(t, m)
		out, kill := killable(t, childCommand(t, s.a.Mirrors[0], s.cache, s.a.Size, s.a.SHA256, smallPieces+"=1"))
		told(t, out, 2*piece+4*1000)
		kill()
		before := len(m.seen())
		rest := newMirror(t, serve(content, `"a"`))
		s.a.Mirrors = []string{rest.URL}
		s.o.Parts = parts
		s.good(Fetch(t.Context(), s.a, s.o))
		sum := 0
		for _, r := range rest.seen() {
			from, to := wanted(r)
			sum += to - from
		}
		if before != 6 || sum != len(content)-2*piece-4*1000 {
			t.Errorf("%d requests before; then %d bytes were asked for, %d were missing", before, sum, len(content)-2*piece-4*1000)
		}
	}
}

// told reads what the child prints until it says that it has n bytes.
func told(t *testing.T, out io.Reader, n int) {
	t.Helper()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == fmt.Sprintf("download %d ", n) {
			return
		}
	}
	t.Fatalf("the child ends without having %d bytes: %v", n, lines.Err())
}

// TestPartsOfTwoMirrors: what the first mirror brought before it failed is not
// asked for at the second.
func TestPartsOfTwoMirrors(t *testing.T) {
	gone := newMirror(t, serve(content, `"a"`), serve(content, `"a"`), status(404))
	good := newMirror(t, serve(content, `"z"`))
	s := newParts(t, gone, good)
	s.good(Fetch(t.Context(), s.a, s.o))
	if n := len(good.seen()); n != pieceSum-2 {
		t.Errorf("%d requests to the second mirror", n)
	}
	if r := good.seen()[0].Header.Get("If-Range"); r != "" {
		t.Errorf("If-Range %s of another mirror", r)
	}
}

func TestPartsFullDisk(t *testing.T) {
	m := newMirror(t, serve(content, `"a"`))
	s := newParts(t, m, newMirror(t, serve(content, `"a"`)))
	s.o.create = func(path string) (partial, error) {
		f, err := openPartial(path)
		return &fullDisk{partial: f, room: 1 << 20}, err
	}
	_, err := Fetch(t.Context(), s.a, s.o)
	s.kind(err, step.DiskFull)
	s.left(false)
}

// TestPartsBitRot: a disk that changes what is there already, between two runs.
func TestPartsBitRot(t *testing.T) {
	m := newMirror(t, serve(content, `"a"`), serve(content, `"a"`), status(404))
	s := newParts(t, m)
	_, err := Fetch(t.Context(), s.a, s.o)
	s.kind(err, step.NotFound)
	s.left(true)
	data, _ := s.store.Partial(s.a.SHA256)
	f, err := os.OpenFile(data, os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt([]byte{content[1000] ^ 1}, 1000)
	}
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	good := newMirror(t, serve(content, `"a"`))
	s.a.Mirrors = []string{good.URL}
	s.good(Fetch(t.Context(), s.a, s.o))
	if seen := good.seen(); len(seen) != pieceSum-2+1 || seen[len(seen)-1].Header.Get("Range") != "" {
		t.Errorf("%d requests, the last for %q", len(seen), seen[len(seen)-1].Header.Get("Range"))
	}
}

// TestPartsRedirected: each request goes by the mirror, so that an address that
// holds for a short time is always new.
func TestPartsRedirected(t *testing.T) {
	behind := newMirror(t, serve(content, `"a"`))
	front := newMirror(t, redirect(behind.URL))
	s := newParts(t, front)
	s.good(Fetch(t.Context(), s.a, s.o))
	if a, b := len(front.seen()), len(behind.seen()); a != pieceSum || b != pieceSum {
		t.Errorf("%d and %d requests", a, b)
	}
}

func TestPieces(t *testing.T) {
	p := newPieces(10, 4) // 4, 4, 2
	expect := func(one bool, from, to int64, ok bool) {
		t.Helper()
		if f, to2, ok2 := p.claim(one); f != from || to2 != to || ok2 != ok {
			t.Errorf("claimed %d to %d, %v; want %d to %d, %v", f, to2, ok2, from, to, ok)
		}
	}
	expect(true, 0, 4, true)
	expect(true, 4, 8, true)
	p.add(4, 3)
	p.release(4, 8)
	expect(false, 7, 10, true)
	expect(true, 0, 0, false)
	p.release(0, 4)
	expect(false, 0, 4, true) // as far as the next that is there
	p.add(0, 4)
	if gap, ok := p.wait(5); gap != 7 || !ok {
		t.Errorf("the first gap is at %d, %v", gap, ok)
	}
	p.add(7, 3) // over the end of a piece
	if gap, ok := p.wait(10); gap != 10 || !ok || p.total() != 10 {
		t.Errorf("the first gap is at %d, %v", gap, ok)
	}
	p.reset()
	p.end()
	if _, ok := p.wait(1); ok || p.total() != 0 {
		t.Error("something is there after a reset")
	}
	if huge := newPieces(1<<40, pieceSize); len(huge.got) > maxPieces {
		t.Errorf("%d pieces", len(huge.got))
	}
}
