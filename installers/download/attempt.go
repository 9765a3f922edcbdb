package download

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/renameio/v2/maybe"

	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
)

// chunk is the most that is read, hashed and written at a time.
const chunk = 256 << 10

// partial is the file that a fetch writes to.
type partial interface {
	io.Writer
	io.ReaderAt
	io.Seeker
	io.Closer
	Truncate(int64) error
	Stat() (fs.FileInfo, error)
}

func openPartial(path string) (partial, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}

func partialDir(s *store.Store, sum store.Sum) string {
	data, _ := s.Partial(sum)
	return filepath.Dir(data)
}

// state is what must be known to continue a partial file. It is written before
// the first byte.
type state struct {
	Version int    `json:"version"`
	Mirror  string `json:"mirror"`
	Size    int64  `json:"size"`
	// Validator is a strong ETag or a Last-Modified date for If-Range.
	Validator string `json:"validator,omitempty"`
}

// read gives the state of an earlier fetch. One that cannot be read, or is of
// another size, is none: then the fetch starts over.
func (f *fetch) read() (state, bool) {
	_, path := f.Store.Partial(f.a.SHA256)
	data, err := os.ReadFile(path)
	if err != nil {
		return state{}, false
	}
	var s state
	if json.Unmarshal(data, &s) != nil || s.Version != 1 || s.Size != f.a.Size || strings.ContainsAny(s.Validator, "\r\n") {
		return state{}, false
	}
	return s, true
}

func (f *fetch) write(s state) error {
	_, path := f.Store.Partial(f.a.SHA256)
	data, err := json.Marshal(s)
	if err == nil {
		err = maybe.WriteFile(path, data, 0o600)
	}
	return store.Explain(path, err)
}

// forget removes the state, so that the bytes that come now are not taken for a
// continuation should they end early.
func (f *fetch) forget() error {
	_, path := f.Store.Partial(f.a.SHA256)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return store.Explain(path, err)
	}
	return nil
}

// validator gives what If-Range may carry: a weak ETag must not be used there,
// a date may (RFC 9110, 13.1.5).
func validator(h http.Header) string {
	if tag := h.Get("ETag"); strings.HasPrefix(tag, `"`) && len(tag) < 200 {
		return tag
	}
	if date := h.Get("Last-Modified"); date != "" {
		if _, err := http.ParseTime(date); err == nil {
			return date
		}
	}
	return ""
}

// attempt makes one request and reads its body. kept is how many bytes the
// next attempt can go on from. On success the partial file is whole and its
// hash is right. The error is an *answer where the mirror is to blame.
func (f *fetch) attempt(ctx context.Context, mirror string) (kept int64, err error) {
	data, statePath := f.Store.Partial(f.a.SHA256)
	if err := store.MkdirAll(filepath.Dir(data)); err != nil {
		return 0, err
	}
	file, err := f.create(data)
	if err != nil {
		return 0, store.Explain(data, err)
	}
	t := &transfer{fetch: f, mirror: mirror, file: file}
	err = t.run(ctx)
	if info, serr := file.Stat(); serr == nil {
		kept = info.Size()
	}
	if cerr := file.Close(); cerr != nil && err == nil {
		err = store.Explain(data, cerr)
	}
	if err == nil {
		return kept, nil
	}
	var disk *step.Failure
	_, serr := os.Stat(statePath)
	// A full disk is not kept full, and bytes that nothing is known about are
	// no beginning of anything.
	if kept == 0 || serr != nil || errors.As(err, &disk) && disk.Kind == step.DiskFull {
		kept, err = 0, errors.Join(err, f.Store.Discard(f.a.SHA256))
	}
	return kept, err
}

// transfer is one attempt.
type transfer struct {
	*fetch
	mirror string
	file   partial
	out    *writer
	have   int64 // bytes that were there before
}

func (t *transfer) run(ctx context.Context) error {
	data, _ := t.Store.Partial(t.a.SHA256)
	prior, known := t.read()
	info, err := t.file.Stat()
	if err != nil {
		return store.Explain(data, err)
	}
	t.out = newWriter(t.file)
	if t.have = info.Size(); !known || t.have > t.a.Size {
		t.have = 0
	}
	// What is there is hashed first; it also says whether it can be read.
	t.tell(Downloading, 0, show(t.mirror), "")
	if err := t.restore(ctx); err != nil {
		return store.Explain(data, err)
	}
	if t.have == t.a.Size {
		return t.judge() // killed after the last byte
	}

	watch, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(watch, http.MethodGet, t.mirror, nil)
	if err != nil {
		return &answer{kind: step.Other, text: "is not an address"}
	}
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "deployctl")
	if t.have > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", t.have))
		if prior.Mirror == show(t.mirror) && prior.Validator != "" {
			req.Header.Set("If-Range", prior.Validator)
		}
	}
	var counted atomic.Int64
	stopWatch := t.watch(cancel, &counted)
	err = t.exchange(watch, req, &counted)
	stopWatch()
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(watch), errStalled) {
		err = &answer{kind: step.NoNetwork, again: true,
			text: fmt.Sprintf("stalled: fewer than %s within %s", step.Bytes(t.MinBytes), t.Stall)}
	}
	return err
}

// restore hashes the bytes that are there and cuts off the rest.
func (t *transfer) restore(ctx context.Context) error {
	if err := t.file.Truncate(t.have); err != nil {
		return err
	}
	r := io.NewSectionReader(t.file, 0, t.have)
	if _, err := io.CopyBuffer(t.out.sum, reading{ctx, r}, make([]byte, chunk)); err != nil {
		return err
	}
	t.out.from = t.have
	_, err := t.file.Seek(t.have, io.SeekStart)
	return err
}

var errStalled = errors.New("stalled")

// watch cancels the request when a whole window brought too little.
func (t *transfer) watch(cancel context.CancelCauseFunc, counted *atomic.Int64) (stop func()) {
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(t.Stall)
		defer tick.Stop()
		var before int64
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				now := counted.Load()
				if now-before < t.MinBytes {
					cancel(errStalled)
					return
				}
				before = now
			}
		}
	}()
	return func() { close(done); <-ended }
}

// exchange sends the request and judges the headers.
func (t *transfer) exchange(ctx context.Context, req *http.Request, counted *atomic.Int64) error {
	resp, err := t.client.Do(req)
	if err != nil {
		return unreachable(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read-only; what matters was read
	if err := t.accept(resp); err != nil {
		return err
	}
	if enc := resp.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return &answer{kind: step.Other, text: "sends the file in another encoding, " + step.Clean(enc, 20)}
	}
	// Only a server that has said the right length is worth continuing: a login
	// page's bytes would spoil all that follow.
	if resp.ContentLength >= 0 {
		if err := t.fetch.write(state{Version: 1, Mirror: show(t.mirror), Size: t.a.Size, Validator: validator(resp.Header)}); err != nil {
			return err
		}
	}
	if err := t.body(ctx, resp.Body, counted); err != nil {
		return err
	}
	return t.judge()
}

// unreachable is a request that had no answer.
func unreachable(err error) error {
	var a *answer
	if errors.As(err, &a) {
		return a // the redirect policy's
	}
	// url.Error repeats the whole address with its query.
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return &answer{kind: step.NoNetwork, text: "was not reached", err: err, again: true}
}

// accept judges status and length, and starts over where the server sends the
// file from its beginning.
func (t *transfer) accept(resp *http.Response) error {
	switch code := resp.StatusCode; {
	case code == http.StatusOK && resp.ContentLength >= 0 && resp.ContentLength != t.a.Size:
		// Also what a hotel's login page looks like; what was fetched before is
		// kept for the next mirror.
		return &answer{kind: step.HashMismatch, text: fmt.Sprintf("has a file of another size (%d bytes where %d are expected)", resp.ContentLength, t.a.Size)}
	case code == http.StatusOK:
		// No ranges there, or If-Range told of another version.
		if t.have > 0 {
			t.have = 0
			t.out.sum.Reset()
			if err := t.forget(); err != nil {
				return err
			}
			if err := t.restore(context.WithoutCancel(resp.Request.Context())); err != nil {
				data, _ := t.Store.Partial(t.a.SHA256)
				return store.Explain(data, err)
			}
		}
	case code == http.StatusPartialContent && t.have > 0:
		first, last, total, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || first != t.have || total >= 0 && total != t.a.Size || last != t.a.Size-1 ||
			resp.ContentLength >= 0 && resp.ContentLength != t.a.Size-t.have {
			return &answer{kind: step.Other, text: "sends another range than the one asked for", again: true, restart: true}
		}
	case code == http.StatusRequestedRangeNotSatisfiable && t.have > 0:
		return &answer{kind: step.Other, text: "has no such range: the file there is shorter", again: true, restart: true}
	case code == http.StatusNotFound || code == http.StatusGone:
		return &answer{kind: step.NotFound, text: fmt.Sprintf("answers %d", code)}
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		a := &answer{kind: step.NoNetwork, text: fmt.Sprintf("answers %d", code), again: true}
		if a.after = retryAfter(resp.Header.Get("Retry-After"), t.Clock.Now()); a.after > 0 {
			a.text += " and asks to wait " + a.after.Round(time.Second).String()
		}
		return a
	default:
		return &answer{kind: step.Other, text: fmt.Sprintf("answers %d", code)}
	}
	return nil
}

// contentRange reads "bytes first-last/total" (RFC 9110, 14.4); total is -1
// for "*".
func contentRange(s string) (first, last, total int64, ok bool) {
	rest, found := strings.CutPrefix(s, "bytes ")
	if !found {
		return 0, 0, 0, false
	}
	span, size, found := strings.Cut(rest, "/")
	a, b, dash := strings.Cut(span, "-")
	if !found || !dash {
		return 0, 0, 0, false
	}
	number := func(s string) (int64, bool) {
		if s == "" || strings.Trim(s, "0123456789") != "" {
			return 0, false
		}
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil
	}
	first, ok1 := number(a)
	last, ok2 := number(b)
	total, ok3 := int64(-1), size == "*"
	if !ok3 {
		total, ok3 = number(size)
	}
	return first, last, total, ok1 && ok2 && ok3 && first <= last && (total < 0 || last < total)
}

// retryAfter reads seconds or a date; 0 for neither or the past.
func retryAfter(s string, now time.Time) time.Duration {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Duration(min(max(n, 0), 1<<31)) * time.Second
	}
	if t, err := http.ParseTime(s); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

// body copies at most the missing bytes, and one more to notice too many. What
// came before a failure is on the disk when it returns.
func (t *transfer) body(ctx context.Context, body io.Reader, counted *atomic.Int64) error {
	err := t.receive(ctx, body, counted)
	if werr := t.out.flush(); werr != nil {
		data, _ := t.Store.Partial(t.a.SHA256)
		return store.Explain(data, werr)
	}
	return err
}

func (t *transfer) receive(ctx context.Context, body io.Reader, counted *atomic.Int64) error {
	missing := t.a.Size - t.have
	var got int64
	told := t.Clock.Now()
	var pieces [inFlight][]byte
	for i := range pieces {
		pieces[i] = make([]byte, chunk)
	}
	for i := 0; ; i++ {
		piece := pieces[i%inFlight]
		n, err := body.Read(piece[:min(chunk, missing-got+1)])
		counted.Add(int64(n))
		if got+int64(n) > missing {
			return &answer{kind: step.HashMismatch, text: "sends more bytes than the file has", restart: true}
		}
		if n > 0 {
			t.out.add(piece[:n])
			got += int64(n)
			if t.out.failed.Load() {
				return nil // flush says why
			}
		}
		if now := t.Clock.Now(); now.Sub(told) >= 100*time.Millisecond {
			told = now
			t.tell(Downloading, t.have+got, show(t.mirror), "")
		}
		switch {
		case err == nil:
		case ctx.Err() != nil && !errors.Is(context.Cause(ctx), errStalled):
			return ctx.Err()
		case err != io.EOF:
			return &answer{kind: step.NoNetwork, text: fmt.Sprintf("was cut off after %d of %d bytes", t.have+got, t.a.Size), err: err, again: true}
		case got < missing:
			return &answer{kind: step.NoNetwork, text: fmt.Sprintf("ended after %d of %d bytes", t.have+got, t.a.Size), again: true}
		default:
			t.tell(Downloading, t.a.Size, show(t.mirror), "")
			return nil
		}
	}
}

// judge compares the hash of all bytes.
func (t *transfer) judge() error {
	sum := sumOf(t.out.sum)
	if sum == t.a.SHA256 {
		return nil
	}
	a := &answer{kind: step.HashMismatch, text: fmt.Sprintf("has another file: sha256 %s…, expected %s…", sum[:12], t.a.SHA256[:12]), restart: true}
	if t.have > 0 {
		// Pieces of two versions, or a disk that changed the first one: worth
		// one attempt from the beginning.
		a.again = true
	}
	return a
}

// writer hashes and writes in two goroutines, while the next piece is read from
// the network: the hash takes about as long as all the rest.
type writer struct {
	w    partial
	from int64 // where in the file the first piece goes
	sum  hash.Hash
	// Nil until the first piece.
	hashing, writing chan []byte
	hashed           chan struct{}
	written          chan error
	err              error
	// failed: the disk takes no more, so that nothing more need be fetched.
	failed atomic.Bool
}

func newWriter(w partial) *writer { return &writer{w: w, sum: sha256.New()} }

// earlyStep is how many bytes are written before the disk is asked to begin.
const earlyStep = 16 << 20

// inFlight is how many pieces may be on their way in each goroutine: one at
// work, two waiting, and one that the caller is filling.
const inFlight = 4

// add takes over a piece; the caller may use its memory again when it has added
// inFlight-1 others, or after flush.
func (x *writer) add(piece []byte) {
	if x.hashing == nil {
		x.hashing, x.writing = make(chan []byte, inFlight-2), make(chan []byte, inFlight-2)
		x.hashed, x.written = make(chan struct{}), make(chan error, 1)
		go func() {
			defer close(x.hashed)
			for p := range x.hashing {
				x.sum.Write(p) //nolint:errcheck // a hash cannot fail
			}
		}()
		go func() {
			var failed error
			at := x.from
			begun := at
			for p := range x.writing {
				if failed != nil {
					continue // the rest is taken, so that nobody waits
				}
				if _, failed = x.w.Write(p); failed != nil {
					x.failed.Store(true)
				}
				if at += int64(len(p)); at-begun >= earlyStep {
					early(x.w, begun, at-begun)
					begun = at
				}
			}
			x.written <- failed
		}()
	}
	x.hashing <- piece
	x.writing <- piece
}

// flush waits until everything is hashed and written and gives the first
// failure.
func (x *writer) flush() error {
	if x.hashing != nil {
		close(x.hashing)
		close(x.writing)
		<-x.hashed
		x.err = <-x.written
		x.hashing = nil
	}
	return x.err
}

func sumOf(h hash.Hash) store.Sum { return store.Sum(hex.EncodeToString(h.Sum(nil))) }

// reading ends a long read when ctx does.
type reading struct {
	ctx context.Context
	r   io.Reader
}

func (r reading) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
