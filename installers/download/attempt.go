package download

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

const (
	// chunk is the most that is read from the network and written at a time.
	chunk = 256 << 10
	// hashChunk is the most that is read back and hashed at a time.
	hashChunk = 512 << 10
	// earlyStep is how many bytes are written before the disk is asked to begin.
	earlyStep = 8 << 20
	// tick is how often progress is told and the state saved.
	tick = 100 * time.Millisecond
)

// partial is the file that a fetch writes to.
type partial interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Truncate(int64) error
	Stat() (fs.FileInfo, error)
}

func openPartial(path string) (partial, error) {
	return store.OpenPartial(path, 0)
}

// validator gives what If-Range may carry (RFC 9110, 13.1.5), "" for nothing: a
// strong ETag; or a date, where it is at least a second older than the answer,
// so that no second change can carry it (8.8.2.2).
func validator(h http.Header) string {
	if tag := h.Get("ETag"); strings.HasPrefix(tag, `"`) && len(tag) < 200 {
		return tag
	}
	changed, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		return ""
	}
	if now, err := http.ParseTime(h.Get("Date")); err != nil || now.Sub(changed) < time.Second {
		return ""
	}
	return h.Get("Last-Modified")
}

// attempt asks a mirror for what is missing, in as many parts as it and
// f.parts allow. kept is how many bytes the next attempt can go on from. On
// success the partial file is whole and its hash is right. The error is an
// *answer where the mirror is to blame.
func (f *fetch) attempt(ctx context.Context, mirror string) (int64, error) {
	data, _ := f.Store.Partial(f.a.SHA256)
	if err := store.MkdirAll(filepath.Dir(data)); err != nil {
		return 0, err
	}
	t := &transfer{fetch: f, mirror: mirror, events: make(chan event), sum: sha256.New()}
	t.pieces = newPieces(f.a.Size, f.pieceSize)
	if prior, known := f.read(); known {
		t.kept = prior.total()
		copy(t.pieces.got, prior.Got)
		if prior.Mirror == show(mirror) {
			t.validator = prior.Validator
		}
	}
	var err error
	if t.file, err = f.create(data); err != nil {
		return 0, store.Explain(data, err)
	}
	err = t.run(ctx)
	if t.state != nil {
		err = first(err, t.state.Close())
	}
	if err = first(err, t.file.Close()); err == nil {
		return t.kept, nil
	}
	// A full disk is not kept full, and bytes that nothing is known about are
	// no beginning of anything.
	var disk *step.Failure
	if t.kept == 0 || errors.As(err, &disk) && disk.Kind == step.DiskFull {
		return 0, errors.Join(err, f.Store.Discard(f.a.SHA256))
	}
	return t.kept, err
}

// first is the first error of two.
func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// transfer is one attempt.
type transfer struct {
	*fetch
	mirror string
	file   partial
	pieces *pieces
	// events: a worker has something to say to run.
	events chan event
	// validator is of the version that the bytes are of, "" when not known.
	validator string
	// several: parts are fetched; else everything in one stream. Set before
	// there is a second worker.
	several bool
	// mixed: the bytes do not all come from one answer.
	mixed bool
	// state is the state file, nil while the attempt is not worth continuing.
	state *os.File
	kept  int64 // bytes that the state file knows of
	sum   hash.Hash
	// hashed gives the end of the hasher; nil before it begins.
	hashed chan error
}

// event is that the first answer was accepted, or that a worker has ended.
type event struct {
	ended bool
	err   error
}

// run starts the workers, saves and tells how far they are, and compares the
// hash. One worker begins alone: its answer says whether there can be others,
// and they come one by one, so that a mirror that is fast enough is not asked
// for more than one part at once. A worker that fails is not replaced, and no
// other is added then; those there are take over what it left.
func (t *transfer) run(ctx context.Context) error {
	before := t.pieces.total()
	t.mixed = before > 0
	t.tell(Downloading, before, show(t.mirror), "")
	defer context.AfterFunc(ctx, t.pieces.end)()
	if before == t.a.Size {
		t.hash() // killed after the last byte
		return t.judge(ctx)
	}
	t.several = t.parts > 1
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	ticks := time.NewTicker(tick)
	defer ticks.Stop()
	more := time.NewTicker(t.ramp)
	defer more.Stop()

	running, started, begun := 0, 0, false
	start := func(lead bool) {
		running++
		started++
		go func() { t.events <- event{true, t.work(working, lead)} }()
	}
	var failed error
	fail := func(err error) {
		if err == nil || failed != nil && final(failed) {
			return
		}
		failed = err
		if final(err) {
			cancel()
		}
	}
	start(true)
	for running > 0 {
		select {
		case e := <-t.events:
			if !e.ended {
				begun = true
				continue
			}
			if running--; running > 0 && refused(e.err) {
				t.parts = max(1, t.parts-1)
			}
			fail(e.err)
		case <-more.C:
			if begun && t.several && started < t.parts && failed == nil {
				start(false)
			}
		case <-ticks.C:
			// Saved first: what is told is not lost by a kill.
			n := t.pieces.total()
			if begun && n != t.kept {
				fail(t.save())
			}
			t.tell(Downloading, n, show(t.mirror), "")
		}
	}
	fail(t.save())
	whole := t.pieces.total() == t.a.Size
	if whole && (failed == nil || !final(failed)) {
		t.tell(Downloading, t.a.Size, show(t.mirror), "")
		return t.judge(ctx)
	}
	t.pieces.end()
	if t.hashed != nil {
		fail(<-t.hashed)
	}
	return failed
}

// final tells an error that ends the attempt, whatever other workers do: the
// disk's, the user's wish, or that the bytes are of no use.
func final(err error) bool {
	var a *answer
	return !errors.As(err, &a) || a.restart
}

// refused tells that a mirror does not want as many requests at once.
func refused(err error) bool {
	var a *answer
	return errors.As(err, &a) && a.fewer
}

// hash begins to hash what is there without a gap, as it grows. It is read back
// from the system's cache of the file. Pieces are fetched in order, so that
// little is left to hash when the last byte comes.
func (t *transfer) hash() {
	t.hashed = make(chan error, 1)
	go func() { t.hashed <- t.follow() }()
}

func (t *transfer) follow() error {
	buf := make([]byte, hashChunk)
	for at := int64(0); at < t.a.Size; {
		gap, ok := t.pieces.wait(min(at+hashChunk, t.a.Size))
		if !ok {
			return nil
		}
		n, err := t.file.ReadAt(buf[:min(hashChunk, gap-at)], at)
		if n == 0 && err != nil {
			data, _ := t.Store.Partial(t.a.SHA256)
			return store.Explain(data, err)
		}
		t.sum.Write(buf[:n]) //nolint:errcheck // a hash cannot fail
		at += int64(n)
	}
	return nil
}

// judge compares the hash of all bytes.
func (t *transfer) judge(ctx context.Context) error {
	t.tell(Verifying, t.a.Size, "", "")
	if err := <-t.hashed; err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err // it may have stopped the hasher
	}
	sum := sumOf(t.sum)
	if sum == t.a.SHA256 {
		return nil
	}
	return &answer{kind: step.HashMismatch, restart: true,
		text: lang.F("has another file: sha256 %s…, expected %s…", sum[:12], t.a.SHA256[:12]),
		// Pieces of two versions, or a disk that changed the first one: worth
		// one attempt from the beginning.
		again: t.mixed}
}

// work fetches range after range until none is left or one fails.
func (t *transfer) work(ctx context.Context, lead bool) error {
	buf := make([]byte, chunk)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		from, to, ok := t.pieces.claim(t.several)
		if !ok {
			return nil
		}
		p := &part{transfer: t, from: from, to: to, lead: lead, buf: buf}
		err := p.run(ctx)
		t.pieces.release(p.from, p.to)
		if err != nil {
			return err
		}
		lead = false
	}
}

// part is one request.
type part struct {
	*transfer
	from, to int64 // the bytes wanted
	// lead: it is the first of the attempt, and alone.
	lead    bool
	buf     []byte
	counted atomic.Int64 // bytes received
}

// ranged tells whether less than the whole file is asked for.
func (p *part) ranged() bool { return p.from > 0 || p.to < p.a.Size }

func (p *part) run(ctx context.Context) error {
	watched, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(watched, http.MethodGet, p.mirror, nil)
	if err != nil {
		return &answer{kind: step.Other, text: lang.T("is not an address")}
	}
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "deployctl")
	if p.ranged() {
		// RFC 9110, 14.1.2; the last byte is included.
		last := ""
		if p.to < p.a.Size {
			last = strconv.FormatInt(p.to-1, 10)
		}
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%s", p.from, last))
		if p.validator != "" {
			req.Header.Set("If-Range", p.validator)
		}
	}
	stop := p.watch(cancel)
	err = p.exchange(watched, req)
	stop()
	if err != nil && ctx.Err() == nil && errors.Is(context.Cause(watched), errStalled) {
		err = &answer{kind: step.NoNetwork, again: true,
			text: lang.F("stalled: fewer than %s within %s", step.Bytes(p.MinBytes), p.Stall)}
	}
	return err
}

var errStalled = lang.New("stalled")

// watch cancels the request when a whole window brought too little. Its ticker
// counts by the monotonic clock, which nobody sets.
func (p *part) watch(cancel context.CancelCauseFunc) (stop func()) {
	done := make(chan struct{})
	ended := make(chan struct{})
	window, end := p.windows(p.Stall)
	go func() {
		defer close(ended)
		defer end()
		var before int64
		for {
			select {
			case <-done:
				return
			case <-window:
				now := p.counted.Load()
				if now-before < p.MinBytes {
					cancel(errStalled)
					return
				}
				before = now
			}
		}
	}()
	return func() { close(done); <-ended }
}

// exchange sends the request, judges the headers and takes the body.
func (p *part) exchange(ctx context.Context, req *http.Request) error {
	resp, err := p.client.Do(req)
	if err != nil {
		return unreachable(err)
	}
	defer resp.Body.Close() //nolint:errcheck // read-only; what matters was read
	if err := p.accept(resp); err != nil {
		return err
	}
	if enc := resp.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return &answer{kind: step.Other, text: lang.F("sends the file in another encoding, %s", step.Clean(enc, 20))}
	}
	if p.lead {
		if err := p.begin(resp); err != nil {
			return err
		}
	}
	return p.body(ctx, resp.Body)
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
	return &answer{kind: step.NoNetwork, text: lang.T("was not reached"), err: err, again: true}
}

// changed is that the mirror has another version than the bytes so far.
func changed() error {
	return &answer{kind: step.HashMismatch, text: lang.T("changed the file midway"), again: true, restart: true}
}

// ErrWebPage is an answer that is not the server's.
var ErrWebPage = lang.New("a web page came in its place, of a network that requires a login (open any http page in a browser) or of a proxy that blocks it")

// WebPage reports whether an answer is a web page, or says itself that the
// network wants a login (RFC 6585, 6). No file that deployctl fetches is a page;
// a server that calls a file so must still be believed where its length is right.
func WebPage(resp *http.Response) bool {
	kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return resp.StatusCode == http.StatusNetworkAuthenticationRequired ||
		resp.StatusCode == http.StatusOK && err == nil && (kind == "text/html" || kind == "application/xhtml+xml")
}

// accept judges status, length, range and validator.
func (p *part) accept(resp *http.Response) error {
	v := validator(resp.Header)
	switch code := resp.StatusCode; {
	case code == http.StatusOK && !p.lead:
		// The version is another one, or ranges are not for everybody.
		if v != "" && v != p.validator || resp.ContentLength >= 0 && resp.ContentLength != p.a.Size {
			return changed()
		}
		return &answer{kind: step.Other, text: lang.T("does not send parts any more"), again: true, fewer: true}
	case resp.ContentLength != p.a.Size && WebPage(resp):
		return &answer{kind: step.NoNetwork, text: lang.T("was not reached"), err: ErrWebPage}
	case code == http.StatusOK && resp.ContentLength >= 0 && resp.ContentLength != p.a.Size:
		// What was fetched before is kept for the next mirror.
		return &answer{kind: step.HashMismatch, text: lang.F("has a file of another size (%d bytes where %d are expected)", resp.ContentLength, p.a.Size)}
	case code == http.StatusOK:
		return nil
	case code == http.StatusPartialContent && p.ranged():
		first, last, total, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || first != p.from || total >= 0 && total != p.a.Size || last != p.to-1 ||
			resp.ContentLength >= 0 && resp.ContentLength != p.to-p.from {
			return &answer{kind: step.Other, text: lang.T("sends another range than the one asked for"), again: true, restart: true}
		}
		// A date may be left out of an answer to If-Range (RFC 9110, 15.3.7).
		if v != "" && p.validator != "" && v != p.validator {
			return changed()
		}
		return nil
	case code == http.StatusRequestedRangeNotSatisfiable && p.ranged():
		return &answer{kind: step.Other, text: lang.T("has no such range: the file there is shorter"), again: true, restart: true}
	case code == http.StatusNotFound || code == http.StatusGone:
		return &answer{kind: step.NotFound, text: lang.F("answers %d", code)}
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		a := &answer{kind: step.NoNetwork, text: lang.F("answers %d", code), again: true}
		a.fewer = code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable
		if a.after = retryAfter(resp.Header, p.Clock.Now()); a.after > 0 {
			a.text = lang.F("answers %d and asks to wait %s", code, a.after.Round(time.Second))
		}
		return a
	default:
		return &answer{kind: step.Other, text: lang.F("answers %d", code)}
	}
}

// begin follows the first accepted answer: it makes the file as long as it will
// be, and lets the hasher and the other workers go.
func (p *part) begin(resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		// No ranges there, or If-Range told of another version: it sends all.
		p.several, p.mixed = false, false
		p.pieces.reset()
		p.pieces.release(p.from, p.to)
		p.from, p.to, _ = p.pieces.claim(false)
		p.validator = ""
		if err := p.forget(); err != nil {
			return err
		}
	}
	if v := validator(resp.Header); v != "" {
		p.validator = v
	}
	// Without one nobody can tell whether all parts are of one version.
	p.several = p.several && p.validator != ""
	p.mixed = p.mixed || p.ranged()

	data, state := p.Store.Partial(p.a.SHA256)
	if err := reserve(p.file, p.a.Size); err != nil {
		return store.Explain(data, err)
	}
	// Only a server that has said the right length is worth continuing: a login
	// page's bytes would spoil all that follow.
	if resp.ContentLength >= 0 {
		var err error
		if p.state, err = store.OpenPartial(state, 0); err != nil {
			return store.Explain(state, err)
		}
		if err := p.save(); err != nil {
			return err
		}
	}
	p.hash()
	p.events <- event{}
	return nil
}

// reserve makes the file as long as it will be, with room on the disk where the
// system can promise that: a disk that is too small is noticed before anything
// is fetched.
func reserve(f partial, size int64) error {
	info, err := f.Stat()
	if err == nil && info.Size() != size {
		err = f.Truncate(size)
	}
	if err == nil {
		err = allocate(f, size)
	}
	return err
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

// retryAfter reads seconds or a date (RFC 9110, 10.2.3); 0 for neither or the
// past. A date is compared with the server's own Date, so that a clock that is
// wrong here does no harm; with now where the server gives none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	s := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return time.Duration(min(max(n, 0), 1<<31)) * time.Second
	}
	until, err := http.ParseTime(s)
	if err != nil {
		return 0
	}
	if theirs, err := http.ParseTime(h.Get("Date")); err == nil {
		now = theirs
	}
	return max(0, until.Sub(now))
}

// body writes the wanted bytes to their place, and reads one more to notice too
// many.
func (p *part) body(ctx context.Context, body io.Reader) error {
	at, begun := p.from, p.from
	for {
		n, err := body.Read(p.buf[:min(chunk, p.to-at+1)])
		p.counted.Add(int64(n))
		if at+int64(n) > p.to {
			return &answer{kind: step.HashMismatch, text: lang.T("sends more bytes than the file has"), restart: true}
		}
		if n > 0 {
			if _, err := p.file.WriteAt(p.buf[:n], at); err != nil {
				data, _ := p.Store.Partial(p.a.SHA256)
				return store.Explain(data, err)
			}
			p.pieces.add(at, int64(n))
			if at += int64(n); at-begun >= earlyStep {
				early(p.file, begun, at-begun)
				begun = at
			}
		}
		switch {
		case err == nil:
		case ctx.Err() != nil && !errors.Is(context.Cause(ctx), errStalled):
			return ctx.Err()
		case err != io.EOF:
			return &answer{kind: step.NoNetwork, text: lang.F("was cut off after %d of %d bytes", p.pieces.total(), p.a.Size), err: err, again: true}
		case at < p.to:
			return &answer{kind: step.NoNetwork, text: lang.F("ended after %d of %d bytes", p.pieces.total(), p.a.Size), again: true}
		default:
			return nil
		}
	}
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
