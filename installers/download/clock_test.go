package download

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"
)

// setClock is a clock that somebody sets each time it is looked at.
type setClock struct {
	*fakeClock
	by time.Duration
}

func (c *setClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(c.by)
	return c.now
}

const year = 365 * 24 * time.Hour

// TestClockSet: whatever becomes of this machine's clock during a fetch, it
// waits as long as the server asked for and goes on where it was.
func TestClockSet(t *testing.T) {
	busy := status(503, "Retry-After", "Mon, 01 Jan 2001 00:01:00 GMT", "Date", "Mon, 01 Jan 2001 00:00:00 GMT")
	whole := serve(content, `"a"`)
	for _, by := range []time.Duration{-10 * year, -time.Hour, time.Hour, 10 * year} {
		for _, c := range []struct {
			name     string
			handlers []http.HandlerFunc
			requests int
			waits    time.Duration
		}{
			{name: "cut", handlers: []http.HandlerFunc{cut(content, half, `"a"`), whole}, requests: 2, waits: 375 * time.Millisecond},
			{name: "asked to wait", handlers: []http.HandlerFunc{busy, whole}, requests: 2, waits: time.Minute},
			{name: "stalls", handlers: []http.HandlerFunc{stall(half), whole}, requests: 2, waits: 375 * time.Millisecond},
			{name: "nothing wrong", handlers: []http.HandlerFunc{whole}, requests: 1},
		} {
			t.Run(fmt.Sprint(c.name, by), func(t *testing.T) {
				m := newMirror(t, c.handlers...)
				s := newSetup(t, m)
				s.o.Clock = &setClock{s.clock, by}
				s.good(Fetch(t.Context(), s.a, s.o))
				if n := len(m.seen()); n != c.requests {
					t.Errorf("%d requests, want %d", n, c.requests)
				}
				var slept time.Duration
				for _, d := range s.clock.slept {
					slept += d
				}
				if slept != c.waits {
					t.Errorf("waited %s, want %s", slept, c.waits)
				}
			})
		}
		t.Run(fmt.Sprint("parts", by), func(t *testing.T) {
			m := newMirror(t, serve(content, `"a"`))
			s := newParts(t, m)
			s.o.Clock = &setClock{s.clock, by}
			s.good(Fetch(t.Context(), s.a, s.o))
			if n := len(m.seen()); n != pieceSum {
				t.Errorf("%d requests", n)
			}
		})
	}
}

// TestFilesOfAnotherTime: what an interrupted fetch left, and a file in the
// store, are what they are, from the future as from 1970.
func TestFilesOfAnotherTime(t *testing.T) {
	for _, when := range []time.Time{time.Unix(0, 0), time.Now().Add(50 * year)} {
		m := newMirror(t, serve(content, ""))
		s := newSetup(t, m)
		s.interrupted(string(content[:half]), fmt.Sprintf(`{"version":2,"size":%d,"piece":8388608,"got":[%d]}`, len(content), half), len(content))
		data, state := s.store.Partial(s.a.SHA256)
		for _, p := range []string{data, state} {
			if err := os.Chtimes(p, when, when); err != nil {
				t.Fatal(err)
			}
		}
		s.good(Fetch(t.Context(), s.a, s.o))
		if r := m.seen()[0].Header.Get("Range"); r != fmt.Sprintf("bytes=%d-", half) {
			t.Errorf("asked for %q", r)
		}
		if err := os.Chtimes(s.store.Path(s.a.SHA256), when, when); err != nil {
			t.Fatal(err)
		}
		s.good(Fetch(t.Context(), s.a, s.o))
		if n := len(m.seen()); n != 1 {
			t.Errorf("%d requests", n)
		}
	}
}

func TestRetryAfterDate(t *testing.T) {
	noon := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		after, date string
		now         time.Time
		want        time.Duration
	}{
		{"Sun, 01 Nov 2026 12:01:07 GMT", "Sun, 01 Nov 2026 12:01:00 GMT", noon.Add(-10 * year), 7 * time.Second},
		{"Sun, 01 Nov 2026 12:01:07 GMT", "Sun, 01 Nov 2026 12:01:00 GMT", noon.Add(10 * year), 7 * time.Second},
		{"Sun, 01 Nov 2026 12:01:07 GMT", "", noon, 67 * time.Second},
		{"Sun, 01 Nov 2026 12:01:07 GMT", "yesterday", noon, 67 * time.Second},
		{"Sun, 01 Nov 2026 12:01:07 GMT", "", noon.Add(time.Hour), 0},
		{"Sun, 01 Nov 2026 12:01:07 GMT", "Sun, 01 Nov 2026 13:00:00 GMT", noon, 0},
		{"7", "Sun, 01 Nov 2026 13:00:00 GMT", noon, 7 * time.Second},
		{"-7", "", noon, 0},
		{"soon", "", noon, 0},
		{"", "", noon, 0},
	} {
		h := http.Header{"Retry-After": {c.after}}
		if c.date != "" {
			h.Set("Date", c.date)
		}
		if got := retryAfter(h, c.now); got != c.want {
			t.Errorf("%q at %q, here %s: %s, want %s", c.after, c.date, c.now, got, c.want)
		}
	}
}

// TestValidator: what is strong enough for If-Range, also of a server whose
// clock was set.
func TestValidator(t *testing.T) {
	const before, at, after = "Sun, 01 Nov 2026 11:59:59 GMT", "Sun, 01 Nov 2026 12:00:00 GMT", "Sun, 01 Nov 2026 12:00:01 GMT"
	for _, c := range []struct{ tag, modified, date, want string }{
		{`"a"`, before, at, `"a"`},
		{`W/"a"`, before, at, before},
		{"a", "", at, ""},
		{"", before, at, before},
		{"", at, at, ""},
		{"", after, at, ""},
		{"", before, "", ""},
		{"", "today", at, ""},
		{"", "", "", ""},
	} {
		h := http.Header{}
		for k, v := range map[string]string{"ETag": c.tag, "Last-Modified": c.modified, "Date": c.date} {
			if v != "" {
				h.Set(k, v)
			}
		}
		if got := validator(h); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestResumeByDate: a date serves as well as an ETag.
func TestResumeByDate(t *testing.T) {
	changed := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	m := newMirror(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Last-Modified", changed.Format(http.TimeFormat))
		cut(content, half, "")(w, r)
	}, func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", changed, bytes.NewReader(content))
	})
	s := newSetup(t, m)
	s.good(Fetch(t.Context(), s.a, s.o))
	if got := m.seen()[1].Header.Get("If-Range"); got != "Thu, 02 Jan 2020 03:04:05 GMT" {
		t.Errorf("If-Range %q", got)
	}
}
