package download

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
)

// content is what the mirrors publish, other is what they publish after a change.
var content, other = noise(1), noise(2)

func noise(seed byte) []byte {
	b := make([]byte, 3<<20+17)
	r := rand.NewChaCha8([32]byte{seed})
	r.Read(b) //nolint:errcheck // never fails
	return b
}

func sum(b []byte) store.Sum {
	s := sha256.Sum256(b)
	return store.Sum(hex.EncodeToString(s[:]))
}

// fakeClock does not wait; it remembers what it was asked for.
type fakeClock struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.slept = append(c.slept, d)
	return ctx.Err()
}

// mirror is a server whose nth request (from 0) is answered by its nth handler,
// further ones by the last.
type mirror struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	// window ends a window of the stall watch that began last in this process.
	window chan time.Time
}

// windowKey is the context's key for a request's own window.
type windowKey struct{}

// windows gives each watch a channel of its own, which nothing but the handler
// of its request sends on.
func (m *mirror) windows(time.Duration) (<-chan time.Time, func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.window = make(chan time.Time)
	return m.window, func() {}
}

// hang ends window after window until the client gives up; between, unless nil,
// is called before each end.
func hang(r *http.Request, between func()) {
	window, _ := r.Context().Value(windowKey{}).(chan time.Time)
	for {
		if between != nil {
			between()
		}
		select {
		case window <- time.Time{}:
		case <-r.Context().Done():
			return
		}
	}
}

func newMirror(t *testing.T, handlers ...http.HandlerFunc) *mirror {
	m := &mirror{}
	m.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		n := len(m.requests)
		m.requests = append(m.requests, r)
		window := m.window
		m.mu.Unlock()
		r = r.WithContext(context.WithValue(r.Context(), windowKey{}, window))
		handlers[min(n, len(handlers)-1)](w, r)
	}))
	// Handlers that wait end with the test even where the server does not
	// notice that its client is gone (Wine).
	ctx, cancel := context.WithCancel(context.Background())
	m.Server.Config.BaseContext = func(net.Listener) context.Context { return ctx }
	m.Start()
	t.Cleanup(func() { cancel(); m.Close() })
	return m
}

func (m *mirror) seen() []*http.Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.requests
}

// serve answers as a file server does, with ranges.
func serve(b []byte, tag string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if tag != "" {
			w.Header().Set("ETag", tag)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	}
}

// cut sends n bytes of b, claims all, and breaks the connection.
func cut(b []byte, n int, tag string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := 0
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &start); err == nil {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, len(b)-1, len(b)))
		}
		if tag != "" {
			w.Header().Set("ETag", tag)
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(b)-start))
		if start > 0 {
			w.WriteHeader(http.StatusPartialContent)
		}
		w.Write(b[start:min(start+n, len(b))]) //nolint:errcheck // the client may be gone
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

// flipped changes one bit in the middle.
func flipped() []byte {
	b := bytes.Clone(content)
	b[len(b)/2] ^= 4
	return b
}

// chunked sends b without saying how long it is.
func chunked(b []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.(http.Flusher).Flush()
		w.Write(b) //nolint:errcheck // the client may be gone
	}
}

// stall sends n bytes and then nothing until the client gives up.
func stall(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		w.Write(content[:n]) //nolint:errcheck // the client may be gone
		w.(http.Flusher).Flush()
		hang(r, nil)
	}
}

// trickle sends a byte in each window until the client gives up.
func trickle(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	i := 0
	hang(r, func() {
		w.Write(content[i : i+1]) //nolint:errcheck // the client may be gone
		w.(http.Flusher).Flush()
		i++
	})
}

type setup struct {
	t     *testing.T
	cache string
	store *store.Store
	clock *fakeClock
	o     Options
	a     Artifact
}

func newSetup(t *testing.T, mirrors ...*mirror) *setup {
	s := &setup{t: t, cache: t.TempDir(), clock: &fakeClock{now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}}
	s.store = store.New(s.cache)
	s.o = Options{Store: s.store, AllowHTTP: true, Clock: s.clock, Random: func() float64 { return 0.5 }, Stall: 20 * time.Second}
	s.a = Artifact{Name: "net.weights", Size: int64(len(content)), SHA256: sum(content)}
	for _, m := range mirrors {
		s.o.windows = m.windows
		s.a.Mirrors = append(s.a.Mirrors, m.URL+"/files/net.weights?sig=secret")
	}
	return s
}

// interrupted puts there what a killed fetch could have left: data in a file of
// size bytes, and a state unless it is "".
func (s *setup) interrupted(data, state string, size int) {
	s.t.Helper()
	file, statePath := s.store.Partial(s.a.SHA256)
	err := os.MkdirAll(filepath.Dir(file), 0o700)
	if err == nil {
		err = os.WriteFile(file, []byte(data), 0o600)
	}
	if err == nil {
		err = os.Truncate(file, int64(size))
	}
	if err == nil && state != "" {
		err = os.WriteFile(statePath, []byte(state), 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// good checks the path that a fetch gave.
func (s *setup) good(path string, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, content) || path != s.store.Path(s.a.SHA256) {
		s.t.Fatalf("%s holds %d bytes, %v", path, len(got), err)
	}
	s.left(false)
}

// left checks that nothing is in the store but whole files, locks and, where
// kept, the two files that the next fetch continues from.
func (s *setup) left(kept bool) {
	s.t.Helper()
	parts := 0
	err := filepath.WalkDir(filepath.Join(s.cache, "store"), func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		switch dir := filepath.Base(filepath.Dir(p)); {
		case dir == "lock" || p == s.store.Path(s.a.SHA256):
		case dir == "partial" && kept:
			parts++
		default:
			s.t.Errorf("left behind: %s", p)
		}
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	if kept && parts != 2 {
		s.t.Errorf("%d files to continue from", parts)
	}
}

func (s *setup) kind(err error, want step.Kind) {
	s.t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != want {
		s.t.Fatalf("got %T %v, want kind %s", err, err, want)
	}
	text := err.Error()
	if strings.Contains(text, "secret") || strings.Contains(text, "\n") || !strings.Contains(text, "net.weights") {
		s.t.Errorf("message %q", text)
	}
	if _, err := os.Stat(s.store.Path(s.a.SHA256)); !os.IsNotExist(err) {
		s.t.Errorf("the target is there after a failure: %v", err)
	}
}

const half = 3 << 19

// TestFaults is the fault table: what a server does and what comes of it.
// page answers with a web page, as a hotel's network does.
func page(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		w.Write([]byte("<html>please pay</html>")) //nolint:errcheck // the client may be gone
	}
}

func TestFaults(t *testing.T) {
	whole := serve(content, `"a"`)
	for _, c := range []struct {
		name     string
		handlers []http.HandlerFunc
		// want is "" for success.
		want step.Kind
		says string
		// requests made in all; 0 for "do not care".
		requests int
		kept     bool
	}{
		{name: "whole", handlers: []http.HandlerFunc{whole}, requests: 1},
		{name: "chunked, no length", handlers: []http.HandlerFunc{chunked(content)}, requests: 1},
		{name: "cut once", handlers: []http.HandlerFunc{cut(content, half, `"a"`), whole}, requests: 2},
		{name: "cut again and again, a piece each time", handlers: []http.HandlerFunc{cut(content, half/4, `"a"`)}},
		{name: "cut before the first byte, always", handlers: []http.HandlerFunc{cut(content, 0, "")}, want: step.NoNetwork, requests: 4, says: "cut off"},
		{name: "cut, then no ranges", handlers: []http.HandlerFunc{cut(content, half, `"a"`), chunked(content)}, requests: 2},
		{name: "stalls after half, then whole", handlers: []http.HandlerFunc{stall(half), whole}, requests: 2},
		{name: "stalls at once, always", handlers: []http.HandlerFunc{stall(0)}, want: step.NoNetwork, requests: 4, says: "stalled"},
		{name: "trickles", handlers: []http.HandlerFunc{trickle, trickle, whole}, requests: 3},
		{name: "one bit flipped", handlers: []http.HandlerFunc{serve(flipped(), "")}, want: step.HashMismatch, requests: 1, says: "another file: sha256"},
		{name: "truncated file", handlers: []http.HandlerFunc{serve(content[:half], "")}, want: step.HashMismatch, requests: 1, says: "another size"},
		{name: "truncated, no length", handlers: []http.HandlerFunc{chunked(content[:half])}, want: step.NoNetwork, requests: 4, says: "ended after"},
		{name: "oversize", handlers: []http.HandlerFunc{serve(append(bytes.Clone(content), 1), "")}, want: step.HashMismatch, requests: 1, says: "another size"},
		{name: "oversize, no length", handlers: []http.HandlerFunc{chunked(append(bytes.Clone(content), other...))}, want: step.HashMismatch, requests: 1, says: "more bytes"},
		{name: "a login page", handlers: []http.HandlerFunc{chunked([]byte("<html>please pay</html>"))}, want: step.NoNetwork, requests: 4, says: "ended after 23"},
		{name: "a login page that says what it is", handlers: []http.HandlerFunc{page(200)}, want: step.NoNetwork, requests: 1, says: "requires a login"},
		{name: "a network that wants a login", handlers: []http.HandlerFunc{page(511)}, want: step.NoNetwork, requests: 1, says: "requires a login"},
		{name: "the file, called a page", handlers: []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Length", strconv.Itoa(len(content)))
			w.Write(content) //nolint:errcheck // the client may be gone
		}}, requests: 1},
		{name: "cut after half, then 500", handlers: []http.HandlerFunc{cut(content, half, ""), status(500)}, want: step.NoNetwork, requests: 5, kept: true, says: "need not be fetched again"},
		{name: "cut after half, then a login page", handlers: []http.HandlerFunc{cut(content, half, ""), chunked([]byte("<html>"))}, want: step.NoNetwork, says: "ended after 6"},
		{name: "length too long", handlers: []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(content)+5))
			w.Write(content) //nolint:errcheck // the client may be gone
		}}, want: step.HashMismatch, requests: 1, says: "another size"},
		{name: "length right, body short", handlers: []http.HandlerFunc{cut(content, len(content)-1, ""), whole}, requests: 2},
		{name: "redirect loop", handlers: []http.HandlerFunc{redirect("/again")}, want: step.Other, requests: 6, says: "redirects more than 5 times"},
		{name: "redirect to another host by http", handlers: []http.HandlerFunc{redirect("http://other.invalid/x")}, want: step.Other, requests: 1, says: "redirects to another host, other.invalid"},
		{name: "redirect to a file", handlers: []http.HandlerFunc{redirect("file:///etc/passwd")}, want: step.Other, requests: 1, says: "redirects from http to file"},
		{name: "redirect with a password", handlers: []http.HandlerFunc{redirect("https://me:secret@other.invalid/x")}, want: step.Other, requests: 1, says: "user name"},
		{name: "403", handlers: []http.HandlerFunc{status(403)}, want: step.Other, requests: 1, says: "answers 403"},
		{name: "404", handlers: []http.HandlerFunc{status(404)}, want: step.NotFound, requests: 1, says: "answers 404"},
		{name: "500 for ever", handlers: []http.HandlerFunc{status(500)}, want: step.NoNetwork, requests: 4, says: "answers 500"},
		{name: "500 once", handlers: []http.HandlerFunc{status(500), whole}, requests: 2},
		{name: "429 for ever", handlers: []http.HandlerFunc{status(429)}, want: step.NoNetwork, requests: 4, says: "answers 429"},
		{name: "429 once", handlers: []http.HandlerFunc{status(429, "Retry-After", "1"), whole}, requests: 2},
		{name: "410", handlers: []http.HandlerFunc{status(410)}, want: step.NotFound, requests: 1, says: "answers 410"},
		{name: "204", handlers: []http.HandlerFunc{status(204)}, want: step.Other, requests: 1, says: "answers 204"},
		{name: "206 unasked", handlers: []http.HandlerFunc{status(206, "Content-Range", "bytes 0-1/2")}, want: step.Other, requests: 1},
		{name: "another range", handlers: []http.HandlerFunc{cut(content, half, ""), status(206, "Content-Range", "bytes 0-9/10"), whole}, requests: 3},
		{name: "another range, always", handlers: []http.HandlerFunc{cut(content, half, ""), status(206, "Content-Range", "nonsense")}, want: step.Other},
		{name: "416", handlers: []http.HandlerFunc{cut(content, half, ""), status(416), whole}, requests: 3},
		{name: "changed midway, told by ETag", handlers: []http.HandlerFunc{cut(other, half, `"old"`), whole}, requests: 2},
		{name: "changed midway, not told", handlers: []http.HandlerFunc{cut(other, half, ""), whole, whole}, requests: 3},
		{name: "compressed all the same", handlers: []http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(content) //nolint:errcheck // the client may be gone
		}}, want: step.Other, requests: 1, says: "encoding"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMirror(t, c.handlers...)
			s := newSetup(t, m)
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
			if n := len(m.seen()); c.requests > 0 && n != c.requests {
				t.Errorf("%d requests, want %d", n, c.requests)
			}
		})
	}
}

// TestStallTimer: the same with the timer of the system, which is short here.
func TestStallTimer(t *testing.T) {
	m := newMirror(t, stall(0))
	s := newSetup(t, m)
	s.o.windows, s.o.Stall = nil, time.Millisecond
	_, err := Fetch(t.Context(), s.a, s.o)
	s.kind(err, step.NoNetwork)
	if !strings.Contains(err.Error(), "stalled: fewer than 1 B within 1ms") {
		t.Error(err)
	}
}

func TestResumeAsksForTheRest(t *testing.T) {
	for _, c := range []struct{ tag, ifRange string }{{`"v1"`, `"v1"`}, {`W/"v1"`, ""}, {"", ""}} {
		m := newMirror(t, cut(content, half, c.tag), serve(content, c.tag))
		s := newSetup(t, m)
		s.good(Fetch(t.Context(), s.a, s.o))
		second := m.seen()[1]
		// What the cut connection still delivered may be less than was sent.
		if r := second.Header.Get("Range"); !strings.HasPrefix(r, "bytes=") || r == "bytes=0-" {
			t.Errorf("Range %q", r)
		}
		if got := second.Header.Get("If-Range"); got != c.ifRange {
			t.Errorf("If-Range %q, want %q", got, c.ifRange)
		}
	}
}

func TestMirrorsInOrder(t *testing.T) {
	gone, changed := newMirror(t, status(404)), newMirror(t, serve(flipped(), ""))
	half1 := newMirror(t, cut(content, half, ""), status(500))
	good := newMirror(t, serve(content, ""))
	s := newSetup(t, gone, changed, half1, good)
	s.good(Fetch(t.Context(), s.a, s.o))
	if r := good.seen()[0].Header.Get("Range"); r == "" {
		t.Error("the fourth mirror does not go on where the third was cut")
	}
	unused := newMirror(t, serve(content, ""))
	s.a.Mirrors = append(s.a.Mirrors, unused.URL)
	if len(unused.seen()) != 0 {
		t.Error("asked a mirror that was not needed")
	}

	// A spoilt half from one mirror must not spoil the next one's file.
	bad := newMirror(t, cut(other, half, ""), status(404))
	s = newSetup(t, bad, good)
	s.good(Fetch(t.Context(), s.a, s.o))

	// All fail: every answer is named.
	s = newSetup(t, gone, changed)
	_, err := Fetch(t.Context(), s.a, s.o)
	s.kind(err, step.HashMismatch)
	if !strings.Contains(err.Error(), "answers 404, ") || !strings.Contains(err.Error(), "another file") {
		t.Error(err)
	}
}

func TestRetryAfterAndBackoff(t *testing.T) {
	m := newMirror(t, status(429, "Retry-After", "7"),
		status(503, "Retry-After", "Sun, 01 Nov 2026 12:01:07 GMT", "Date", "Sun, 01 Nov 2026 12:00:07 GMT"),
		status(500), serve(content, ""))
	s := newSetup(t, m)
	s.good(Fetch(t.Context(), s.a, s.o))
	// 7 s; then until the date; then 2 s, three quarters of it with chance at one
	// half.
	want := []time.Duration{7 * time.Second, time.Minute, 1500 * time.Millisecond}
	if fmt.Sprint(s.clock.slept) != fmt.Sprint(want) {
		t.Errorf("waited %v, want %v", s.clock.slept, want)
	}

	// A server that wants an hour is left for the next one.
	busy, good := newMirror(t, status(429, "Retry-After", "3600")), newMirror(t, serve(content, ""))
	s = newSetup(t, busy, good)
	s.good(Fetch(t.Context(), s.a, s.o))
	if len(s.clock.slept) != 0 || len(busy.seen()) != 1 {
		t.Errorf("waited %v, %d requests", s.clock.slept, len(busy.seen()))
	}
	s = newSetup(t, busy)
	_, err := Fetch(t.Context(), s.a, s.o)
	s.kind(err, step.NoNetwork)
	if !strings.Contains(err.Error(), "asks to wait 1h0m0s") {
		t.Error(err)
	}
}

func TestUnreachable(t *testing.T) {
	m := newMirror(t, status(200))
	m.Close()
	s := newSetup(t, m)
	_, err := Fetch(t.Context(), s.a, s.o)
	s.kind(err, step.NoNetwork)
	s.left(false)
	if !strings.Contains(err.Error(), "was not reached") || !strings.Contains(err.Error(), "HTTPS_PROXY") {
		t.Error(err)
	}
}

func TestCacheIsHashedAgain(t *testing.T) {
	m := newMirror(t, serve(content, ""))
	s := newSetup(t, m)
	s.good(Fetch(t.Context(), s.a, s.o))
	s.good(Fetch(t.Context(), s.a, s.o))
	if n := len(m.seen()); n != 1 {
		t.Fatalf("%d requests for two fetches", n)
	}
	// Bit-rot: same size, one bit. Then a short file.
	for _, rot := range [][]byte{flipped(), content[:100]} {
		path := s.store.Path(s.a.SHA256)
		if err := os.WriteFile(path, rot, 0o600); err != nil {
			t.Fatal(err)
		}
		var notes []string
		s.o.Progress = func(p Progress) { notes = append(notes, p.Note) }
		s.good(Fetch(t.Context(), s.a, s.o))
		if !strings.Contains(strings.Join(notes, "\n"), "had changed on the disk") {
			t.Error("nobody was told")
		}
	}
	if n := len(m.seen()); n != 3 {
		t.Errorf("%d requests", n)
	}
	// Offline, a rotten file is as good as none.
	if err := os.WriteFile(s.store.Path(s.a.SHA256), flipped(), 0o600); err != nil {
		t.Fatal(err)
	}
	s.o.Offline = true
	_, err := Fetch(t.Context(), s.a, s.o)
	s.kind(err, Offline)
	if !strings.Contains(err.Error(), string(s.a.SHA256)) || !strings.Contains(err.Error(), "--offline") {
		t.Error(err)
	}
	if n := len(m.seen()); n != 3 {
		t.Error("asked the network although offline")
	}
}

func TestStateThatCannotBeTrusted(t *testing.T) {
	known := func(n int) string {
		return fmt.Sprintf(`{"version":2,"size":3145745,"piece":8388608,"got":[%d]}`, n)
	}
	for _, c := range []struct {
		name, state, data string
		size              int // of the file; 0 for what it should be
		requests          int
		from              int // where it goes on
	}{
		{name: "no state", data: string(content[:half]), requests: 1},
		{name: "cut state", state: `{"version":2,"mir`, data: string(content[:half]), requests: 1},
		{name: "state with the rest of a longer one", state: known(half) + "\n7]}", data: string(content[:half]), requests: 1, from: half},
		{name: "another version", state: strings.Replace(known(half), `"version":2`, `"version":9`, 1), data: string(content[:half]), requests: 1},
		{name: "another size", state: strings.Replace(known(7), "3145745", "7", 1), data: string(content[:half]), requests: 1},
		{name: "other pieces", state: strings.Replace(known(7), "8388608", "7", 1), data: string(content[:half]), requests: 1},
		{name: "more pieces", state: strings.Replace(known(7), "[", "[1,", 1), data: string(content[:half]), requests: 1},
		{name: "more than a piece has", state: known(len(content) + 1), data: string(content[:half]), requests: 1},
		{name: "fewer than none", state: known(-1), data: string(content[:half]), requests: 1},
		{name: "header in the validator", state: strings.Replace(known(half), "{", `{"validator":"\"a\"\r\nX: y",`, 1), data: string(content[:half]), requests: 1},
		{name: "longer than the file", state: known(len(content)), data: string(content) + "x", size: len(content) + 1, requests: 1},
		{name: "file shorter than the state says", state: known(half), data: string(content[:half]), size: half - 1, requests: 1},
		{name: "right so far", state: known(half), data: string(content[:half]), requests: 1, from: half},
		{name: "wrong bytes", state: known(half), data: string(other[:half]), requests: 2, from: half},
		{name: "whole but wrong", state: known(len(content)), data: string(other), requests: 1},
		{name: "whole and right", state: known(len(content)), data: string(content)},
		{name: "empty", state: known(0), requests: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMirror(t, serve(content, ""))
			s := newSetup(t, m)
			if c.size == 0 {
				c.size = len(content)
			}
			s.interrupted(c.data, c.state, c.size)
			s.good(Fetch(t.Context(), s.a, s.o))
			if len(m.seen()) != c.requests {
				t.Fatalf("%d requests, want %d", len(m.seen()), c.requests)
			}
			want := ""
			if c.from > 0 {
				want = fmt.Sprintf("bytes=%d-", c.from)
			}
			if c.requests > 0 && m.seen()[0].Header.Get("Range") != want {
				t.Errorf("asked for %q, want %q", m.seen()[0].Header.Get("Range"), want)
			}
		})
	}
}

func TestManyAtOnce(t *testing.T) {
	var open atomic.Int32
	var most atomic.Int32
	m := newMirror(t, func(w http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), open.Add(1)))
		defer open.Add(-1)
		serve(content, "")(w, r)
	})
	s := newSetup(t, m)
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	for range cap(errs) {
		wg.Go(func() {
			o := s.o
			o.Store = store.New(s.cache)
			_, err := Fetch(t.Context(), s.a, o)
			errs <- err
		})
	}
	wg.Wait()
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := len(m.seen()); n != 1 || most.Load() != 1 {
		t.Errorf("%d requests, %d at once", n, most.Load())
	}
	s.left(false)
}

func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m := newMirror(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
		w.Write(content[:half]) //nolint:errcheck // the client may be gone
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	}, serve(content, ""))
	s := newSetup(t, m)
	_, err := Fetch(ctx, s.a, s.o)
	s.kind(err, step.Cancelled)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s.good(Fetch(t.Context(), s.a, s.o))
}

// TestStoppedWhileHashing: a file that was whole already is not hashed to its
// end when nobody wants it any more; the next run takes it as it is.
func TestStoppedWhileHashing(t *testing.T) {
	m := newMirror(t, status(500))
	s := newSetup(t, m)
	s.interrupted(string(content), fmt.Sprintf(`{"version":2,"size":%d,"piece":8388608,"got":[%d]}`, len(content), len(content)), len(content))
	ctx, cancel := context.WithCancel(t.Context())
	s.o.Progress = func(p Progress) {
		if p.Phase == Verifying {
			cancel()
		}
	}
	_, err := Fetch(ctx, s.a, s.o)
	s.kind(err, step.Cancelled)
	s.left(true)
	s.good(Fetch(t.Context(), s.a, s.o))
	if n := len(m.seen()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// TestTwoProcesses: one fetches, the other waits and takes what is there then.
func TestTwoProcesses(t *testing.T) {
	come := make(chan struct{}, 1)
	goOn := make(chan struct{})
	m := newMirror(t, func(w http.ResponseWriter, r *http.Request) {
		come <- struct{}{}
		select {
		case <-goOn:
		case <-r.Context().Done():
		}
		serve(content, "")(w, r)
	})
	s := newSetup(t, m)
	one := childCommand(t, s.a.Mirrors[0], s.cache, s.a.Size, s.a.SHA256)
	if err := one.Start(); err != nil {
		t.Fatal(err)
	}
	<-come
	two := childCommand(t, s.a.Mirrors[0], s.cache, s.a.Size, s.a.SHA256)
	out, err := two.StdoutPipe()
	if err == nil {
		err = two.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if lines := bufio.NewScanner(out); !lines.Scan() || !strings.HasPrefix(lines.Text(), "waiting 0 another process") {
		t.Errorf("the second says %q", lines.Text())
	}
	close(goOn)
	if err := errors.Join(one.Wait(), two.Wait()); err != nil {
		t.Error(err)
	}
	if n := len(m.seen()); n != 1 {
		t.Errorf("%d requests", n)
	}
	s.good(Fetch(t.Context(), s.a, s.o))
}

// fullDisk fails after n bytes as a full disk does.
type fullDisk struct {
	partial
	mu   sync.Mutex
	room int
}

func (f *fullDisk) WriteAt(p []byte, at int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(p) > f.room {
		n, err := f.partial.WriteAt(p[:f.room], at)
		f.room -= n
		return n, errors.Join(err, &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC})
	}
	n, err := f.partial.WriteAt(p, at)
	f.room -= n
	return n, err
}

func TestFullDisk(t *testing.T) {
	m := newMirror(t, serve(content, ""))
	s := newSetup(t, m, newMirror(t, serve(content, "")))
	s.o.create = func(path string) (partial, error) {
		f, err := openPartial(path)
		return &fullDisk{partial: f, room: 1 << 20}, err
	}
	_, err := Fetch(t.Context(), s.a, s.o)
	s.kind(err, step.DiskFull)
	s.left(false)
	if !strings.Contains(err.Error(), "disk is full") || !errors.Is(err, syscall.ENOSPC) {
		t.Error(err)
	}
	if n := len(m.seen()); n != 1 {
		t.Errorf("%d requests: another mirror does not make room", n)
	}
	s.o.create = nil
	s.good(Fetch(t.Context(), s.a, s.o))
}

// mounted gives a folder on a small tmpfs.
func mounted(t *testing.T, options string) string {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("mounting a tmpfs needs root on Linux")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("a tmpfs cannot be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	return dir
}

func TestSmallTmpfs(t *testing.T) {
	s := newSetup(t, newMirror(t, serve(content, "")))
	s.cache = mounted(t, "size=1m")
	s.store = store.New(s.cache)
	s.o.Store = s.store
	_, err := Fetch(t.Context(), s.a, s.o)
	s.kind(err, step.DiskFull)
	s.left(false)
}

func TestReadOnlyFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a folder's mode does not keep anybody from writing there on Windows")
	}
	s := newSetup(t, newMirror(t, serve(content, "")))
	if os.Geteuid() == 0 {
		s.cache = mounted(t, "ro,size=1m")
	} else if err := os.Chmod(s.cache, 0o500); err != nil {
		t.Fatal(err)
	}
	s.store = store.New(s.cache)
	s.o.Store = s.store
	_, err := Fetch(t.Context(), s.a, s.o)
	s.kind(err, step.ReadOnly)
	s.left(false)
}

func TestBadArtifacts(t *testing.T) {
	s := newSetup(t, newMirror(t, status(500)))
	for _, c := range []struct {
		change func(*Artifact)
		http   bool
	}{
		{func(a *Artifact) { a.Size = 0 }, true},
		{func(a *Artifact) { a.SHA256 = "" }, true},
		{func(a *Artifact) { a.SHA256 = store.Sum(strings.Repeat("A", 64)) }, true},
		{func(a *Artifact) { a.SHA256 = "../../../../../../etc/passwd" }, true},
		{func(a *Artifact) { a.Mirrors = nil }, true},
		{func(a *Artifact) { a.Mirrors = []string{"https://u:secret@h.invalid/"} }, true},
		{func(a *Artifact) { a.Mirrors = []string{"file:///etc/passwd"} }, true},
		{func(a *Artifact) { a.Mirrors = []string{"://"} }, true},
		{func(a *Artifact) {}, false},
	} {
		a, o := s.a, s.o
		c.change(&a)
		o.AllowHTTP = c.http
		if _, err := Fetch(t.Context(), a, o); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

func TestImport(t *testing.T) {
	s := newSetup(t, newMirror(t, status(500)))
	dir := t.TempDir()
	write := func(b []byte) string {
		p := filepath.Join(dir, "given")
		if err := os.WriteFile(p, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, b := range [][]byte{flipped(), content[:half], nil} {
		_, err := Import(t.Context(), s.a, s.store, write(b))
		s.kind(err, step.HashMismatch)
		s.left(false)
	}
	if _, err := Import(t.Context(), s.a, s.store, dir); err == nil {
		t.Error("a folder was imported")
	}
	if _, err := Import(t.Context(), s.a, s.store, filepath.Join(dir, "nothing")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	given := write(content)
	s.good(Import(t.Context(), s.a, s.store, given))
	s.good(Import(t.Context(), s.a, s.store, given)) // again
	if _, err := os.Stat(given); err != nil {
		t.Error("the given file is gone")
	}
	s.o.Offline = true
	s.good(Fetch(t.Context(), s.a, s.o))
}

func TestPlace(t *testing.T) {
	s := newSetup(t, newMirror(t, serve(content, "")))
	if _, err := Fetch(t.Context(), s.a, s.o); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(s.cache, "models", "net.weights")
	for range 2 { // the second time onto itself
		if err := s.store.Place(t.Context(), s.a.SHA256, to); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, content) {
			t.Fatal(err)
		}
		if list, err := os.ReadDir(filepath.Dir(to)); err != nil || len(list) != 1 {
			t.Errorf("left behind: %v, %v", list, err)
		}
	}
	// What cannot be placed leaves the old file.
	if err := s.store.Place(t.Context(), sum(other), to); err == nil {
		t.Error("placed a file that is not there")
	}
	if got, err := os.ReadFile(to); err != nil || !bytes.Equal(got, content) {
		t.Error("the old file is gone")
	}
}

// The test program starts itself again as a client that can be killed, sees
// other proxies, or whose memory is measured.
const (
	childVar    = "DEPLOYCTL_DOWNLOAD_CHILD"  // mirror cache size sha256
	smallPieces = "DEPLOYCTL_DOWNLOAD_PIECES" // set: parts of 256 KiB
)

func TestMain(m *testing.M) {
	if v := os.Getenv(childVar); v != "" {
		os.Exit(child(strings.Fields(v)))
	}
	os.Exit(m.Run())
}

func child(args []string) int {
	size, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil {
		return 2
	}
	o := Options{Store: store.New(args[1]), AllowHTTP: true, Tries: 1, Progress: func(p Progress) {
		fmt.Println(p.Phase, p.Done, p.Note)
	}}
	if os.Getenv(smallPieces) != "" {
		o.partsFrom, o.pieceSize, o.ramp = 1, piece, time.Millisecond
	}
	_, err = Fetch(context.Background(), Artifact{Name: "net.weights", Size: size, SHA256: store.Sum(args[3]), Mirrors: args[:1]}, o)
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	if text, err := os.ReadFile("/proc/self/status"); err == nil {
		for _, l := range strings.Split(string(text), "\n") {
			if strings.HasPrefix(l, "VmHWM:") {
				fmt.Println(l)
			}
		}
	}
	return 0
}

func childCommand(t testing.TB, mirror, cache string, size int64, sum store.Sum, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(append(os.Environ(), fmt.Sprintf("%s=%s %s %d %s", childVar, mirror, cache, size, sum)), env...)
	return cmd
}

// killable starts a child; kill is the signal that nothing can catch, and waits
// for its end.
func killable(t *testing.T, cmd *exec.Cmd) (out io.Reader, kill func()) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out, func() {
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child was not killed")
		}
	}
}

func TestKilledAndResumed(t *testing.T) {
	m := newMirror(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"a"`)
		stall(half)(w, r)
	}, serve(content, `"a"`))
	s := newSetup(t, m)
	out, kill := killable(t, childCommand(t, s.a.Mirrors[0], s.cache, s.a.Size, s.a.SHA256))
	told(t, out, half) // and what is told is saved already
	kill()
	s.good(Fetch(t.Context(), s.a, s.o))
	second := m.seen()[1]
	if second.Header.Get("Range") != fmt.Sprintf("bytes=%d-", half) || second.Header.Get("If-Range") != `"a"` {
		t.Errorf("asked for %q if %q", second.Header.Get("Range"), second.Header.Get("If-Range"))
	}
}

func TestProxy(t *testing.T) {
	proxy := newMirror(t, serve(content, ""))
	s := newSetup(t, proxy)
	clean := []string{"HTTPS_PROXY=", "https_proxy=", "http_proxy=", "no_proxy=", "ALL_PROXY="}
	cmd := childCommand(t, "http://files.invalid/net.weights", s.cache, s.a.Size, s.a.SHA256, append(clean, "HTTP_PROXY="+proxy.URL, "NO_PROXY=")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.left(false)
	if r := proxy.seen()[0]; r.URL.String() != "http://files.invalid/net.weights" {
		t.Errorf("the proxy was asked for %s", r.URL)
	}
	s = newSetup(t, proxy)
	cmd = childCommand(t, "http://files.invalid/net.weights", s.cache, s.a.Size, s.a.SHA256, append(clean, "HTTP_PROXY="+proxy.URL, "NO_PROXY=files.invalid")...)
	if out, err := cmd.CombinedOutput(); err == nil || !bytes.Contains(out, []byte("was not reached")) {
		t.Errorf("NO_PROXY: %v: %s", err, out)
	}
	if n := len(proxy.seen()); n != 1 {
		t.Errorf("%d requests at the proxy", n)
	}
}

// bigSize is that of the file whose rate and memory are measured.
const bigSize = 250_000_000

// bigFile is a file server with a file of that size; ranges says whether it
// knows ranges.
func bigFile(t testing.TB, ranges bool) (url string, want store.Sum) {
	path := filepath.Join(t.TempDir(), "big")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	for left := bigSize; left > 0 && err == nil; {
		n := min(left, len(content))
		_, err = io.MultiWriter(h, f).Write(content[:n])
		left -= n
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	m := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if w.Header().Set("ETag", `"big"`); !ranges {
			r.Header.Del("Range")
		}
		http.ServeFile(w, r, path)
	}))
	t.Cleanup(m.Close)
	return m.URL, sumOf(h)
}

// TestMemory: 250 MB in a process that never holds more than 64 MB.
func TestMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc/self/status")
	}
	for _, ranges := range []bool{false, true} {
		address, want := bigFile(t, ranges)
		out, err := childCommand(t, address, t.TempDir(), bigSize, want).Output()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		peak(t, out)
	}
}

func peak(t *testing.T, out []byte) {
	t.Helper()
	var err error
	kb := 0
	sc := bufio.NewScanner(bytes.NewReader(out))
	for sc.Scan() {
		if v, ok := strings.CutPrefix(sc.Text(), "VmHWM:"); ok {
			if kb, err = strconv.Atoi(strings.Fields(v)[0]); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("peak memory %d kB", kb)
	if kb == 0 || kb > 64<<10 {
		t.Errorf("peak memory %d kB, at most 65536 kB are allowed", kb)
	}
}

// BenchmarkBesideCurl fetches 250 MB over loopback, once with curl and once
// with this package, again and again in turns, each in a process of its own:
// from a server without ranges and from one with. Hash and sync to the disk are
// included for deployctl and not for curl. It reports the medians of the rates
// and of the processor times, and how the quotient of the rates is spread.
//
//	go test ./installers/download -run '^$' -bench BesideCurl -benchtime 17x
func BenchmarkBesideCurl(b *testing.B) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		b.Skip("curl is not installed")
	}
	for _, ranges := range []bool{false, true} {
		b.Run(fmt.Sprintf("ranges=%v", ranges), func(b *testing.B) {
			address, want := bigFile(b, ranges)
			var dir string
			run := func(cmd *exec.Cmd) (rate, cpu float64) {
				began := time.Now()
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				rate = bigSize / 1e6 / time.Since(began).Seconds()
				return rate, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds() * 1000
			}
			var ours, theirs, oursCPU, theirsCPU, quotients []float64
			for b.Loop() {
				dir = b.TempDir()
				c, cCPU := run(exec.Command(curl, "-sS", "--noproxy", "*", "-o", filepath.Join(dir, "f"), address))
				d, dCPU := run(childCommand(b, address, dir, bigSize, want))
				ours, theirs, quotients = append(ours, d), append(theirs, c), append(quotients, d/c)
				oursCPU, theirsCPU = append(oursCPU, dCPU), append(theirsCPU, cCPU)
				if err := os.RemoveAll(dir); err != nil {
					b.Fatal(err)
				}
			}
			for _, l := range [][]float64{ours, theirs, oursCPU, theirsCPU, quotients} {
				slices.Sort(l)
			}
			n := len(ours)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(ours[n/2], "MB/s")
			b.ReportMetric(theirs[n/2], "curl-MB/s")
			b.ReportMetric(oursCPU[n/2], "cpu-ms")
			b.ReportMetric(theirsCPU[n/2], "curl-cpu-ms")
			b.ReportMetric(quotients[0], "x-0min")
			b.ReportMetric(quotients[n/4], "x-1quarter")
			b.ReportMetric(quotients[n/2], "x-2median")
			b.ReportMetric(quotients[n-1], "x-3max")
		})
	}
}

// BenchmarkSlowConnections fetches 250 MB from a server that gives each
// connection 25 MB/s.
//
//	go test ./installers/download -run '^$' -bench SlowConnections -benchtime 3x
func BenchmarkSlowConnections(b *testing.B) {
	const rate = 25e6
	address, want := bigFile(b, true)
	file := strings.TrimPrefix(address, "http://")
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Scheme, r.URL.Host, r.RequestURI = "http", file, ""
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer resp.Body.Close() //nolint:errcheck // only read
		for k, v := range resp.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(resp.StatusCode)
		began, sent := time.Now(), 0.0
		for buf := make([]byte, 64<<10); err == nil; {
			var n int
			n, err = resp.Body.Read(buf)
			if _, werr := w.Write(buf[:n]); werr != nil {
				return
			}
			sent += float64(n)
			time.Sleep(time.Duration(sent/rate*1e9) - time.Since(began))
		}
	}))
	defer slow.Close()
	for _, parts := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("parts=%d", parts), func(b *testing.B) {
			b.SetBytes(bigSize)
			for b.Loop() {
				o := Options{Store: store.New(b.TempDir()), AllowHTTP: true, Parts: parts}
				if _, err := Fetch(b.Context(), Artifact{Name: "big", Size: bigSize, SHA256: want, Mirrors: []string{slow.URL}}, o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-1/2", "bytes 5-9/*", "bytes */10", "bytes 1-0/2", "bytes -1-2/3", "bytes 99999999999999999999-1/2", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		first, last, total, ok := contentRange(s)
		if ok && (first < 0 || last < first || total >= 0 && last >= total) {
			t.Errorf("%q: %d-%d/%d", s, first, last, total)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"7", "-1", "9999999999999999999", "Sun, 01 Nov 2026 12:01:07 GMT", "soon", ""} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		if d := retryAfter(http.Header{"Retry-After": {s}}, now); d < 0 {
			t.Errorf("%q: %v", s, d)
		}
	})
}
