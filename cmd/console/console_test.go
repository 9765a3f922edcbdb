package console

import (
	"bytes"
	"context"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func test(in string, tty bool) (*Console, *bytes.Buffer, *bytes.Buffer) {
	var out, errOut bytes.Buffer
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return &Console{
		In: strings.NewReader(in), Out: &out, Err: &errOut, InTTY: tty, OutTTY: tty, ErrTTY: tty,
		Now: func() time.Time { now = now.Add(61 * time.Second); return now },
	}, &out, &errOut
}

func TestConfirm(t *testing.T) {
	for in, want := range map[string]bool{
		"y\n": true, "Y\n": true, "yes\n": true, " yes \n": true,
		"n\n": false, "\n": false, "": false, "yep\n": false, "no\ny\n": false,
	} {
		c, out, errOut := test(in, true)
		got, err := c.Confirm(t.Context(), "Apply?")
		if err != nil || got != want {
			t.Errorf("Confirm(%q) = %v, %v; want %v", in, got, err, want)
		}
		if out.Len() > 0 || !strings.Contains(errOut.String(), "Apply? [y/N] ") {
			t.Errorf("the question went to %q / %q", out, errOut)
		}
	}
	c, _, errOut := test("y\n", false)
	if got, err := c.Confirm(t.Context(), "Apply?"); got || err != nil || errOut.Len() > 0 {
		t.Errorf("without a terminal: %v, %v, %q; want no, and no question", got, err, errOut)
	}
}

// TestConfirmIsInterrupted: Ctrl-C at the prompt is a no, at once.
func TestConfirmIsInterrupted(t *testing.T) {
	c, _, _ := test("", true)
	r, w := io.Pipe()
	defer w.Close() //nolint:errcheck // never fails
	c.In = r
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := c.Confirm(ctx, "Apply?"); got || !errors.Is(err, context.Canceled) {
		t.Errorf("Confirm = %v, %v", got, err)
	}
}

func TestTasks(t *testing.T) {
	c, out, errOut := test("", false)
	task := c.Start("compile", -1)
	task.Add(1)
	task.Done("3 files")
	task.Done("again")
	if got := errOut.String(); got != "  compile: 3 files  (1 min 01 s)\n" {
		t.Errorf("without a terminal: %q", got)
	}
	if out.Len() > 0 {
		t.Errorf("progress went to standard output: %q", out)
	}

	c, _, errOut = test("", true)
	task = c.Start("fetch", 100)
	task.Set(50)
	task.Done("")
	if got := errOut.String(); !strings.Contains(got, "fetch") || !strings.HasSuffix(got, "  fetch  (1 min 01 s)\n") {
		t.Errorf("on a terminal: %q", got)
	}
}

// drawn gives what a terminal was sent, bar by bar.
func drawn(errOut *bytes.Buffer) []string {
	var lines []string
	for _, l := range strings.FieldsFunc(errOut.String(), func(r rune) bool { return r == '\r' || r == '\n' }) {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	return lines
}

// TestGoesOn: without a terminal a long task tells that it goes on, and no more
// once it has ended.
func TestGoesOn(t *testing.T) {
	c, _, _ := test("", false)
	lines := make(chan string)
	c.Err, c.alive = lineWriter(lines), time.Millisecond
	task := c.Start("install", 1000)
	task.Set(420)
	for !strings.HasPrefix(<-lines, "  install: 42 %  (") { // the first may come before Set
	}
	go task.Done("")
	for line := range lines {
		if strings.HasSuffix(line, "so far)\n") {
			continue
		}
		if !strings.HasPrefix(line, "  install  (") {
			t.Errorf("at the end: %q", line)
		}
		break
	}
}

// lineWriter hands over what is written.
type lineWriter chan string

func (w lineWriter) Write(p []byte) (int, error) { w <- string(p); return len(p), nil }

// TestLate: what is quick is not told.
func TestLate(t *testing.T) {
	c, _, errOut := test("", false)
	c.Late("look")()
	if errOut.Len() > 0 {
		t.Errorf("told %q", errOut)
	}
}

func TestBytes(t *testing.T) {
	for _, c := range []struct {
		name   string
		set    []int64
		result string
		want   string
	}{
		{"all of it", []int64{0, 61e6, 122e6}, "", "  fetch f: 122 MB  (1 min 01 s, 2.0 MB/s)\n"},
		{"with a result", []int64{0, 122e6}, "whole", "  fetch f: whole, 122 MB  (1 min 01 s, 2.0 MB/s)\n"},
		{"a part from before", []int64{61e6, 122e6}, "", "  fetch f: 122 MB, 61.0 MB of it from before  (1 min 01 s, 1.0 MB/s)\n"},
		{"not all of it", []int64{0, 61e6}, "", "  fetch f: 61.0 MB of 122 MB  (1 min 01 s, 1.0 MB/s)\n"},
		{"started over", []int64{61e6, 100e6, 0, 122e6}, "", "  fetch f: 122 MB  (1 min 01 s, 2.0 MB/s)\n"},
		{"nothing to do", []int64{122e6}, "", "  fetch f: 122 MB, 122 MB of it from before  (1 min 01 s)\n"},
		{"nothing", []int64{0}, "", "  fetch f  (1 min 01 s)\n"},
	} {
		for _, tty := range []bool{false, true} {
			con, _, errOut := test("", tty)
			con.throttle = 1
			task := con.StartBytes("fetch f", 122e6)
			for _, n := range c.set {
				task.Set(n)
			}
			task.Done(c.result)
			if got := errOut.String(); !strings.HasSuffix(got, c.want) || !tty && got != c.want {
				t.Errorf("%s, terminal %v: %q, want %q", c.name, tty, got, c.want)
			}
		}
	}
}

// TestBar: a terminal shows sizes, rate, the time gone and the time left, of
// what is left to do.
func TestBar(t *testing.T) {
	c, _, errOut := test("", true)
	c.throttle = 1
	// Windows' clock stands still for up to 16 ms, and nothing is drawn twice at one time.
	tick := func() { time.Sleep(20 * time.Millisecond) }
	task := c.StartBytes("fetch f", 248e6)
	task.Set(100e6)
	tick()
	task.Set(137e6)
	c.Note("a mirror failed")
	tick()
	task.Set(174e6)
	lines := drawn(errOut)
	bar := regexp.MustCompile(`^fetch f +(\d+)% \|█* *\| \((\d+)/148 MB, \d[\d.]* .?B/s\) \[\d+s:\d+s\]$`)
	var seen []string
	for _, l := range lines {
		if m := bar.FindStringSubmatch(l); m != nil {
			seen = append(seen, m[1]+"% "+m[2])
		} else if l == "a mirror failed" {
			seen = append(seen, l)
		}
	}
	if got := strings.Join(seen, ", "); !strings.HasSuffix(got, "25% 37, a mirror failed, 50% 74") {
		t.Errorf("drawn: %s\n%s", got, strings.Join(lines, "\n"))
	}
	task.Done("")
}

// TestSpinnerIsDrawn: work that says nothing is on the screen from its first
// moment, and its sign moves.
func TestSpinnerIsDrawn(t *testing.T) {
	c, _, errOut := test("", true)
	c.throttle, c.errWidth = time.Nanosecond, 40
	task := c.Start("compile the gocv worker (v0.31.0 on OpenCV 4.6.0)", -1)
	time.Sleep(400 * time.Millisecond) // two turns and a bit
	task.Done("")
	if n := strings.Count(errOut.String(), "compile"); n < 3 {
		t.Errorf("drawn %d times in all: %q", n, errOut)
	}
	// One line each, for on a second one it could not be drawn over.
	for _, drawn := range strings.FieldsFunc(errOut.String(), func(r rune) bool { return r == '\r' || r == '\n' }) {
		if n := utf8.RuneCountInString(drawn); n > 40 && !strings.HasSuffix(drawn, " s)") {
			t.Errorf("%d columns: %q", n, drawn)
		}
	}
}
