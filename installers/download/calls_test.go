package download

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/deployctl/deployctl/installers/step"
)

// counting is a transport that writes down every request and every address that
// is looked up, and sends them all to one server.
type counting struct {
	*http.Transport
	mu            sync.Mutex
	calls, dialed []string
}

func newCounting(server *httptest.Server) *counting {
	c := &counting{Transport: &http.Transport{}}
	if server.TLS != nil {
		c.TLSClientConfig = server.Client().Transport.(*http.Transport).TLSClientConfig
	}
	c.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c.mu.Lock()
		c.dialed = append(c.dialed, address)
		c.mu.Unlock()
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	return c
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.calls = append(c.calls, r.Method+" "+r.URL.Host+r.URL.Path)
	c.mu.Unlock()
	return c.Transport.RoundTrip(r)
}

// only checks and forgets the calls and the addresses, each told once.
func (c *counting) only(t *testing.T, calls, dialed []string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range []struct{ got, want []string }{{c.calls, calls}, {c.dialed, dialed}} {
		slices.Sort(l.got)
		if got := slices.Compact(l.got); !slices.Equal(got, l.want) {
			t.Errorf("calls to %q, want %q", got, l.want)
		}
	}
	c.calls, c.dialed = nil, nil
	c.CloseIdleConnections()
}

// TestNoOtherCalls: nothing is asked for but the artifact, by GET, at its
// mirrors in order; nothing at all for what is in the store.
func TestNoOtherCalls(t *testing.T) {
	for _, parts := range []int{1, 4} {
		m := newMirror(t, status(404), serve(content, `"a"`))
		s := newParts(t)
		s.o.Parts = parts
		c := newCounting(m.Server)
		s.o.Client = &http.Client{Transport: c}
		s.a.Mirrors = []string{"http://one.example/a/f", "http://two.example/b/f", "http://three.example/c/f"}

		s.o.Offline = true
		_, err := Fetch(t.Context(), s.a, s.o)
		s.kind(err, Offline)
		c.only(t, nil, nil)

		s.o.Offline = false
		s.good(Fetch(t.Context(), s.a, s.o))
		c.only(t, []string{"GET one.example/a/f", "GET two.example/b/f"}, []string{"one.example:80", "two.example:80"})

		s.good(Fetch(t.Context(), s.a, s.o))
		c.only(t, nil, nil)
	}
}

// TestRedirectsByHTTPS: to another host, but never to http, where another host
// is not even looked up.
func TestRedirectsByHTTPS(t *testing.T) {
	where := ""
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/f" {
			serve(content, `"a"`)(w, r)
			return
		}
		http.Redirect(w, r, where, http.StatusFound)
	}))
	t.Cleanup(server.Close)
	s := newSetup(t)
	s.o.AllowHTTP = false
	c := newCounting(server)
	s.o.Client = &http.Client{Transport: c}
	s.a.Mirrors = []string{"https://example.com/start"}

	where = "http://example.com/f"
	_, err := Fetch(t.Context(), s.a, s.o)
	s.kind(err, step.Other)
	if !strings.Contains(err.Error(), "redirects from https to http") {
		t.Error(err)
	}
	c.only(t, []string{"GET example.com/start"}, []string{"example.com:443"})

	where = "https://127.0.0.1:444/f"
	s.good(Fetch(t.Context(), s.a, s.o))
	c.only(t, []string{"GET 127.0.0.1:444/f", "GET example.com/start"}, []string{"127.0.0.1:444", "example.com:443"})
}
