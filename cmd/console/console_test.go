package console

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
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
