// Package download fetches one artifact whose size and SHA-256 are known, from
// mirrors in order, into the store. It owns resuming, retrying, and judging
// what servers answer. It must never hand out bytes that do not match the hash,
// call a host that is not a mirror or a redirect of one, or write elsewhere
// than in the store.
//
// Rules: RFC 9110 (ranges 14, If-Range 13.1.5, Retry-After 10.2.3).
//
// Why no library: cavaliergopher/grab (read: v3 at 3cddff62) continues a
// download by Range without If-Range, does not look at Content-Range, writes
// under the final name, reads the whole file again for the hash, and knows
// neither mirrors, retries nor stalls; each would have to be built around it.
// hashicorp/go-retryablehttp retries until the headers are there, but the body
// is where a large download fails. What is left to write is what this package
// is about.
package download

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Artifact is one published file.
type Artifact struct {
	// Name is what people call it: yolov3.weights.
	Name string
	// Size in bytes, exact, above 0.
	Size   int64
	SHA256 store.Sum
	// Mirrors are tried in order: https, or http where Options allow it.
	Mirrors []string
}

// Check reports the first thing that is wrong with the artifact.
func (a Artifact) Check(allowHTTP bool) error {
	switch {
	case a.Name == "":
		return lang.Errorf("an artifact without a name")
	case a.Size <= 0:
		return lang.Errorf("artifact %s: its size is not known", a.Name)
	case !a.SHA256.Valid():
		return lang.Errorf("artifact %s: its sha256 is not 64 lower-case hexadecimal digits", a.Name)
	case len(a.Mirrors) == 0:
		return lang.Errorf("artifact %s: it has no mirror", a.Name)
	}
	for _, m := range a.Mirrors {
		u, err := url.Parse(m)
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !allowHTTP) {
			return lang.Errorf("artifact %s: %s is not an https address without a user name", a.Name, show(m))
		}
	}
	return nil
}

// Phase is what a fetch is doing.
type Phase string

// The phases.
const (
	Waiting     Phase = "waiting" // another process fetches the same file
	Downloading Phase = "download"
	Retrying    Phase = "retry" // Note says why and how long it waits
	Verifying   Phase = "verify"
)

// Progress is a moment of a fetch.
type Progress struct {
	Phase Phase
	// Done of Total bytes are on this machine.
	Done, Total int64
	// Mirror is host and path, without query or password.
	Mirror string
	Note   string
}

// Clock is the time that waiting is counted by.
type Clock interface {
	Now() time.Time
	// Sleep returns ctx.Err() when ctx ends first.
	Sleep(ctx context.Context, d time.Duration) error
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Options say where to and how.
type Options struct {
	Store *store.Store
	// Client does the requests; nil for NewClient(). Its redirect policy is
	// replaced by this package's.
	Client *http.Client
	// Offline: what is not in the store is an error that names it.
	Offline bool
	// AllowHTTP lets mirrors be plain http, and redirect to one another on this
	// machine; the hash still decides. For tests and for mirrors inside a
	// company.
	AllowHTTP bool
	// Progress is called from one goroutine at a time; nil for none.
	Progress func(Progress)
	// Stall: an attempt that brings fewer than MinBytes within this time is
	// given up; 0 means 30 s. MinBytes 0 means 1 KiB for each second of it.
	Stall    time.Duration
	MinBytes int64
	// Parts is how many parts of a file of 32 MiB and more are fetched at once,
	// where the mirror can send ranges and says which version they are of; 0
	// means 4, 1 turns it off.
	Parts int
	// Tries is how often in a row a mirror may fail without bringing anything;
	// 0 means 4.
	Tries int
	// MaxWait is the longest Retry-After obeyed; 0 means 2 minutes. A server
	// that asks for more is left for the next mirror.
	MaxWait time.Duration
	// Clock and Random (0 to 1, for jitter) are the system's when nil.
	Clock  Clock
	Random func() float64

	// create opens the partial file; tests put a failing disk here.
	create func(path string) (partial, error)
	// partsFrom is the size from which on parts are used, pieceSize that of a
	// piece, both in bytes; tests make them small.
	partsFrom, pieceSize int64
	// windows tells when each window of Stall ends, until stop is called; tests
	// end them when a server has done its part.
	windows func(time.Duration) (ends <-chan time.Time, stop func())
	// ramp is how long it takes until another part is fetched at once.
	ramp time.Duration
}

const (
	maxRedirects = 5
	// maxAttempts bounds all attempts on one mirror, also those that bring
	// something: a server that cuts after every megabyte must end some time.
	maxAttempts = 200
	firstPause  = 500 * time.Millisecond
	longPause   = 30 * time.Second
)

// NewClient is the client for large files: proxies by HTTPS_PROXY, HTTP_PROXY
// and NO_PROXY, deadlines for connecting and for the headers, none for the body
// (Stall watches that). It speaks HTTP/1.1, where each part has a connection of
// its own; over HTTP/2 all would share one.
func NewClient() *http.Client {
	dialer := &net.Dialer{Timeout: 15 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{Transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		MaxIdleConnsPerHost:   8,
		TLSHandshakeTimeout:   15 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		IdleConnTimeout:       30 * time.Second,
		// A compressed body would have another size and hash.
		DisableCompression: true,
		ReadBufferSize:     256 << 10,
	}}
}

// Offline is the kind of an error that only --offline causes.
const Offline step.Kind = "offline"

// Try is one mirror's answer.
type Try struct {
	Mirror string // host and path
	Err    error
}

// Error says that an artifact could not be had. Kind is step.NoNetwork,
// step.NotFound, step.HashMismatch, step.DiskFull, step.ReadOnly,
// step.Cancelled, Offline or step.Other.
type Error struct {
	Kind     step.Kind
	Artifact Artifact
	Tries    []Try
	// Have is how many bytes are kept for the next time.
	Have int64
	// Err is what ended it, when that is not a mirror's answer.
	Err error
}

// Error is one sentence: the artifact, each mirror's answer, and what to do.
func (e *Error) Error() string {
	if e.Kind == Offline {
		return lang.F("%s (%s, sha256 %s) is not in the cache and --offline prevents downloading it; run this once with a network, or import the file",
			e.Artifact.Name, step.Bytes(e.Artifact.Size), e.Artifact.SHA256)
	}
	var why []string
	for _, t := range e.Tries {
		why = append(why, fmt.Sprintf("%s %v", t.Mirror, t.Err))
	}
	if e.Err != nil {
		why = append(why, e.Err.Error())
	}
	text := lang.F("%s could not be fetched: %s", e.Artifact.Name, strings.Join(why, lang.T(", ")))
	next := map[step.Kind]string{
		step.NoNetwork:    lang.T("check the network and the proxy (HTTPS_PROXY, NO_PROXY), then run this again"),
		step.NotFound:     lang.T("import the file from somewhere else"),
		step.HashMismatch: lang.T("the mirror has another file: import it from somewhere else, or report it"),
		step.Other:        lang.T("run this again later, or import the file"),
	}[e.Kind]
	if next != "" {
		text = lang.F("%s; %s", text, next)
	}
	if e.Have > 0 {
		text = lang.F("%s (%s of %s are kept and need not be fetched again)", text, step.Bytes(e.Have), step.Bytes(e.Artifact.Size))
	}
	return text
}

// Unwrap gives the cause and the mirrors' errors.
func (e *Error) Unwrap() []error {
	var list []error
	if e.Err != nil {
		list = append(list, e.Err)
	}
	for _, t := range e.Tries {
		list = append(list, t.Err)
	}
	return list
}

// Fetch gives the path of the artifact in the store: from there when its bytes,
// hashed now, are right, else from the first mirror that delivers. Another
// process that fetches the same file is waited for. The error is an *Error, or
// that the artifact is not described well.
func Fetch(ctx context.Context, a Artifact, o Options) (string, error) {
	if err := a.Check(o.AllowHTTP); err != nil {
		return "", err
	}
	f := &fetch{Options: o, a: a}
	f.defaults()
	path, err := f.stored(ctx)
	if path != "" || err != nil {
		return path, err
	}
	if o.Offline {
		return "", &Error{Kind: Offline, Artifact: a}
	}
	if f.own {
		defer f.client.CloseIdleConnections()
	}
	unlock, err := o.Store.Lock(ctx, a.SHA256, func() { f.tell(Waiting, 0, "", lang.T("another process is fetching the same file")) })
	if err != nil {
		return "", f.failed(ctx, err)
	}
	path, err = f.locked(ctx)
	if uerr := unlock(); uerr != nil && err == nil {
		err = f.failed(ctx, uerr)
	}
	return path, err
}

type fetch struct {
	Options
	a      Artifact
	client *http.Client
	own    bool // client is nobody else's
	tries  []Try
	// parts is how many parts the mirror at hand may be asked for at once.
	parts int
}

func (f *fetch) defaults() {
	if f.Stall == 0 {
		f.Stall = 30 * time.Second
	}
	if f.MinBytes == 0 {
		f.MinBytes = max(1, int64(f.Stall.Seconds()*1024))
	}
	if f.Tries == 0 {
		f.Tries = 4
	}
	if f.MaxWait == 0 {
		f.MaxWait = 2 * time.Minute
	}
	if f.Clock == nil {
		f.Clock = systemClock{}
	}
	if f.Random == nil {
		f.Random = rand.Float64
	}
	if f.Parts == 0 {
		f.Parts = 4
	}
	if f.create == nil {
		f.create = openPartial
	}
	if f.partsFrom == 0 {
		f.partsFrom = 4 * pieceSize
	}
	if f.windows == nil {
		f.windows = func(d time.Duration) (<-chan time.Time, func()) {
			t := time.NewTicker(d)
			return t.C, t.Stop
		}
	}
	if f.ramp == 0 {
		f.ramp = 250 * time.Millisecond
	}
	if f.pieceSize == 0 {
		f.pieceSize = pieceSize
	}
	c := f.Client
	if c == nil {
		c = NewClient()
	}
	f.own = f.Client == nil
	mine := *c // the caller's client keeps its own policy
	mine.CheckRedirect = f.redirect
	f.client = &mine
}

func (f *fetch) tell(p Phase, done int64, mirror, note string) {
	if f.Progress != nil {
		f.Progress(Progress{Phase: p, Done: done, Total: f.a.Size, Mirror: mirror, Note: note})
	}
}

// stored answers from the store; "" and nil when it has nothing usable.
func (f *fetch) stored(ctx context.Context) (string, error) {
	path, err := f.Store.Get(ctx, f.a.SHA256, f.a.Size)
	var corrupt *store.CorruptError
	switch {
	case err == nil:
		return path, nil
	case errors.As(err, &corrupt):
		f.tell(Downloading, 0, "", corrupt.Error())
		return "", nil
	case errors.Is(err, store.ErrAbsent):
		return "", nil
	}
	return "", f.failed(ctx, err)
}

// failed wraps what ended the fetch.
func (f *fetch) failed(ctx context.Context, err error) error {
	e := &Error{Kind: step.Other, Artifact: f.a, Tries: f.tries, Err: err}
	var disk *step.Failure
	switch {
	case ctx.Err() != nil:
		e.Kind, e.Err = step.Cancelled, lang.Errorf("stopped: %w", context.Cause(ctx))
	case errors.As(err, &disk):
		e.Kind = disk.Kind
	}
	if s, known := f.read(); known {
		e.Have = s.total()
	}
	return e
}

// locked fetches while this process alone does so.
func (f *fetch) locked(ctx context.Context) (string, error) {
	// Whoever held the lock may have put it there meanwhile.
	if path, err := f.stored(ctx); path != "" || err != nil {
		return path, err
	}
	kinds := map[step.Kind]bool{}
	for _, mirror := range f.a.Mirrors {
		path, err := f.mirror(ctx, mirror)
		if err == nil {
			return path, nil
		}
		var answer *answer
		if !errors.As(err, &answer) {
			return "", f.failed(ctx, err) // the disk, or stopped
		}
		f.tries = append(f.tries, Try{show(mirror), answer})
		kinds[answer.kind] = true
	}
	err := f.failed(ctx, nil)
	var e *Error
	if errors.As(err, &e) {
		// The kind that a person can do most about comes first.
		for _, k := range []step.Kind{step.NoNetwork, step.HashMismatch, step.Other, step.NotFound} {
			if kinds[k] {
				e.Kind = k
				break
			}
		}
	}
	return "", err
}

// answer is what is wrong with a mirror's answer.
type answer struct {
	kind step.Kind
	text string
	err  error
	// again: the same mirror may do better; after is its own wish for a pause.
	again bool
	after time.Duration
	// restart: what was fetched so far is of no use.
	restart bool
	// fewer: the mirror does not want as many requests at once.
	fewer bool
}

func (a *answer) Error() string {
	if a.err != nil {
		return lang.F("%s: %s", a.text, a.err.Error())
	}
	return a.text
}

func (a *answer) Unwrap() error { return a.err }

// mirror tries one mirror until it delivers or is not worth another attempt.
func (f *fetch) mirror(ctx context.Context, mirror string) (string, error) {
	idle, restarted, best := 0, false, int64(0)
	if f.parts = f.Parts; f.a.Size < f.partsFrom {
		f.parts = 1
	}
	for try := 1; ; try++ {
		kept, err := f.attempt(ctx, mirror)
		if err == nil {
			return f.publish(ctx)
		}
		var a *answer
		if !errors.As(err, &a) {
			return "", err
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		again := a.again
		if a.restart {
			if derr := f.Store.Discard(f.a.SHA256); derr != nil {
				return "", derr
			}
			// Once: pieces of two versions may not fit together. Twice says
			// that the mirror is no good.
			again = again && !restarted
			restarted, kept, f.parts = true, 0, 1
		}
		if idle++; kept > best {
			idle, best = 0, kept
		}
		if !again || idle >= f.Tries || try >= maxAttempts || a.after > f.MaxWait {
			return "", err
		}
		pause := max(f.pause(idle), a.after)
		f.tell(Retrying, kept, show(mirror), lang.F("%s; trying again in %s", a, pause.Round(100*time.Millisecond)))
		if err := f.Clock.Sleep(ctx, pause); err != nil {
			return "", err
		}
	}
}

// pause doubles with every attempt in vain; half of it is left to chance, so
// that many machines cut off together do not come back together.
func (f *fetch) pause(idle int) time.Duration {
	d := firstPause << min(max(idle-1, 0), 10)
	d = min(d, longPause)
	return d/2 + time.Duration(f.Random()*float64(d/2))
}

// redirect is the policy: few, never from https to http, and to another host
// only by https, so that nobody on the way can send the request elsewhere.
func (f *fetch) redirect(req *http.Request, via []*http.Request) error {
	last := via[len(via)-1].URL
	switch {
	case len(via) > maxRedirects:
		return &answer{kind: step.Other, text: lang.F("redirects more than %d times", maxRedirects)}
	case req.URL.User != nil:
		return &answer{kind: step.Other, text: lang.T("redirects to an address with a user name")}
	case req.URL.Scheme == "https":
		return nil
	case req.URL.Scheme != "http", last.Scheme == "https":
		return &answer{kind: step.Other, text: lang.F("redirects from %s to %s", last.Scheme, step.Clean(req.URL.Scheme, 20))}
	case req.URL.Host != last.Host && !(f.AllowHTTP && loopback(req.URL)):
		return &answer{kind: step.Other, text: lang.F("redirects to another host, %s, without https", step.Clean(req.URL.Host, 80))}
	}
	return nil
}

func loopback(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return ip != nil && ip.IsLoopback()
}

// show is an address for messages: neither password nor query, which may be a
// signature.
func show(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return lang.T("an address that cannot be read")
	}
	return step.Clean(u.Host+u.EscapedPath(), 200)
}

// publish moves the finished file into its place in the store. The state goes
// first: were it left by a kill between the two, nobody would come back for it.
func (f *fetch) publish(ctx context.Context) (string, error) {
	data, state := f.Store.Partial(f.a.SHA256)
	if err := os.Remove(state); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", store.Explain(state, err)
	}
	path, err := f.Store.Publish(data, f.a.SHA256)
	if err != nil {
		return "", errors.Join(err, f.Store.Discard(f.a.SHA256))
	}
	return path, nil
}

// Import puts a file that is on this machine already into the store, after
// checking that it is the artifact. The file stays where it is.
func Import(ctx context.Context, a Artifact, s *store.Store, file string) (string, error) {
	in, err := os.Open(file)
	if err != nil {
		return "", lang.Errorf("import %s: %w", a.Name, err)
	}
	path, err := importFile(ctx, a, s, in)
	if cerr := in.Close(); cerr != nil && err == nil {
		err = lang.Errorf("import %s: %w", a.Name, cerr)
	}
	return path, err
}

func importFile(ctx context.Context, a Artifact, s *store.Store, in *os.File) (string, error) {
	info, err := in.Stat()
	switch {
	case err != nil:
		return "", lang.Errorf("import %s: %w", a.Name, err)
	case !info.Mode().IsRegular():
		return "", lang.Errorf("import %s: %s is not a regular file", a.Name, in.Name())
	case info.Size() != a.Size:
		return "", &Error{Kind: step.HashMismatch, Artifact: a,
			Err: lang.Errorf("%s has %d bytes and not %d: it is cut short or another file", in.Name(), info.Size(), a.Size)}
	}
	unlock, err := s.Lock(ctx, a.SHA256, nil)
	if err != nil {
		return "", err
	}
	path, err := copyIn(ctx, a, s, in)
	return path, errors.Join(err, unlock())
}

func copyIn(ctx context.Context, a Artifact, s *store.Store, in io.Reader) (string, error) {
	if path, err := s.Get(ctx, a.SHA256, a.Size); err == nil {
		return path, nil
	}
	if err := s.Discard(a.SHA256); err != nil {
		return "", err
	}
	data, _ := s.Partial(a.SHA256)
	if err := store.MkdirAll(filepath.Dir(data)); err != nil {
		return "", err
	}
	out, err := store.OpenPartial(data, os.O_TRUNC)
	if err != nil {
		return "", store.Explain(data, err)
	}
	h := sha256.New()
	_, err = io.CopyBuffer(io.MultiWriter(h, out), io.LimitReader(reading{ctx, in}, a.Size+1), make([]byte, chunk))
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if sum := sumOf(h); err == nil && sum != a.SHA256 {
		err = &Error{Kind: step.HashMismatch, Artifact: a, Err: lang.Errorf("the file given has the sha256 %s and not %s", sum, a.SHA256)}
	}
	if err != nil {
		return "", errors.Join(store.Explain(data, err), s.Discard(a.SHA256))
	}
	return s.Publish(data, a.SHA256)
}
