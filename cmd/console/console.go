// Package console owns the user's terminal: the three streams, whether they
// are one, color, width, progress and questions. It must never decide what is
// said, only how it is drawn.
package console

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Console is where a command reads and writes. The zero value of the flags is
// a machine: no color, no bars, no questions.
type Console struct {
	In io.Reader
	// Out is for documents: JSON, archives, scripts. Text for people is written
	// to Text, and by Note to Err.
	Out, Err io.Writer
	// OutTTY and ErrTTY: the stream is a terminal a person looks at.
	InTTY, OutTTY, ErrTTY bool
	Color                 bool
	// ASCII: the reader's locale has no other characters.
	ASCII bool
	// Quiet leaves out notes and progress; Verbose tells of each child process.
	Quiet, Verbose bool
	// Width of the terminal in columns, 0 when there is none.
	Width int
	Now   func() time.Time

	// errWidth is Width for Err, where bars are drawn.
	errWidth int
	// throttle is the least time between two drawings of a bar; 0 means 100 ms.
	throttle time.Duration
	// alive is how often a task tells a log that it goes on; 0 means 15 s.
	alive time.Duration
	mu    sync.Mutex
	shown *Task // whose bar is on the last line of Err, nil for none
}

// System returns the console of this process. NO_COLOR (https://no-color.org),
// CLICOLOR_FORCE and TERM=dumb are obeyed.
func System() *Console {
	c := &Console{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Now: time.Now,
		InTTY:  term.IsTerminal(int(os.Stdin.Fd())),
		OutTTY: term.IsTerminal(int(os.Stdout.Fd())),
		ErrTTY: term.IsTerminal(int(os.Stderr.Fd())),
	}
	if c.OutTTY {
		if w, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
			c.Width = w
		}
	}
	if c.ErrTTY {
		if w, _, err := term.GetSize(int(os.Stderr.Fd())); err == nil {
			c.errWidth = w
		}
	}
	forced := os.Getenv("CLICOLOR_FORCE") != "" && os.Getenv("CLICOLOR_FORCE") != "0"
	c.ASCII = !UnicodeLocale(os.Getenv) || !unicodeConsole(c.OutTTY)
	c.Color = (c.OutTTY && os.Getenv("TERM") != "dumb" || forced) && os.Getenv("NO_COLOR") == ""
	return c
}

// Text is Out for text that people read: nothing in it reaches a terminal as a
// command.
func (c *Console) Text() io.Writer { return &printable{to: c.Out, color: &c.Color, ascii: c.ASCII} }

// Page shows a text through the pager that PAGER names, or less, where the text is
// longer than the terminal; an administrator's is written as it is, because PAGER may
// name what another user can write. cat, or an empty PAGER, turns it off.
func (c *Console) Page(ctx context.Context, text string) error {
	argv := []string{"less"}
	if named, ok := os.LookupEnv("PAGER"); ok {
		argv = strings.Fields(named)
	}
	out, lines := os.Stdout, 0
	if c.OutTTY { // only this process's own output is one
		_, lines, _ = term.GetSize(int(out.Fd())) // 0 for none
	}
	if len(argv) == 0 || os.Geteuid() == 0 || lines == 0 || strings.Count(text, "\n") < lines {
		_, err := io.WriteString(c.Text(), text)
		return err
	}
	var clean strings.Builder
	if _, err := io.WriteString(&printable{to: &clean, color: &c.Color, ascii: c.ASCII}, text); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(clean.String()), out, c.Err
	if os.Getenv("LESS") == "" {
		cmd.Env = append(os.Environ(), "LESS=FRX") // stay only where it is long; keep colors
	}
	if err := cmd.Start(); err != nil {
		_, err := io.WriteString(c.Text(), text)
		return err
	}
	if err := cmd.Wait(); err != nil {
		return lang.Errorf("the pager %s failed: %w. Set PAGER to another one, or to cat", argv[0], err)
	}
	return nil
}

// Note writes a line for people to Err, unless the console is quiet.
func (c *Console) Note(format string, args ...any) {
	if !c.Quiet {
		c.Fail(format, args...)
	}
}

// Fail writes a line to Err that must be seen: an error. A bar that is shown is cleared
// first and comes back below the line.
func (c *Console) Fail(format string, args ...any) {
	if false {
		_ = fmt.Sprintf(format, args...) // so that go vet checks the arguments
	}
	c.mu.Lock()
	t := c.shown
	c.mu.Unlock()
	if t != nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		if !t.finished {
			_ = t.bar.Clear() // see start
		}
	}
	_, _ = io.WriteString(c.Err, c.printable(fmt.Sprintf(lang.T(format), args...))+"\n") // a closed stderr does not make it fail
}

// Confirm asks a yes-or-no question; anything but y or yes is no. Without a
// terminal to ask on it answers no.
func (c *Console) Confirm(ctx context.Context, question string) (bool, error) {
	if !c.InTTY {
		return false, nil
	}
	if _, err := fmt.Fprintf(c.Err, "%s [y/N] ", c.printable(question)); err != nil {
		return false, err
	}
	type line struct {
		text string
		err  error
	}
	ch := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(c.In).ReadString('\n')
		ch <- line{text, err}
	}()
	select {
	case <-ctx.Done():
		c.Note("")
		return false, ctx.Err()
	case l := <-ch:
		if l.err != nil && !errors.Is(l.err, io.EOF) {
			return false, lang.Errorf("read the answer: %w", l.err)
		}
		answer := strings.ToLower(strings.TrimSpace(l.text))
		return answer == "y" || answer == "yes", nil
	}
}

// Task is one piece of long work being shown. Its methods may be called from
// several goroutines.
type Task struct {
	c     *Console
	name  string
	total int64
	bytes bool
	began time.Time

	mu       sync.Mutex
	bar      *progressbar.ProgressBar
	finished bool
	// at is how far the task is. from is how far it was when it began: that was
	// not done now, and is left out of the rate and of the remaining time.
	at, from int64
	moved    bool
	stop     chan struct{}
	wg       sync.WaitGroup
}

// Start begins to show a task: a bar with the time gone and the time left when
// total is positive, a spinner with the time otherwise. Without a terminal its end
// is told, in one line, and every 15 s before that it goes on.
func (c *Console) Start(name string, total int64) *Task { return c.start(name, total, false) }

// StartBytes is Start for work counted in bytes: the bar also shows sizes and
// rate, and the line at the end says them.
func (c *Console) StartBytes(name string, total int64) *Task { return c.start(name, total, true) }

func (c *Console) start(name string, total int64, bytes bool) *Task {
	name = c.printable(name)
	t := &Task{c: c, name: name, total: total, bytes: bytes, began: c.Now(), stop: make(chan struct{})}
	if !c.ErrTTY || c.Quiet {
		t.every(cmp.Or(c.alive, 15*time.Second), t.goesOn)
		return t
	}
	if total <= 0 {
		total = -1
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(c.Err),
		progressbar.OptionSetDescription(c.fit(name, total, bytes)),
		progressbar.OptionSetWidth(24),
		progressbar.OptionEnableColorCodes(false),
		progressbar.OptionSetPredictTime(total > 0),
		progressbar.OptionSetElapsedTime(true),
		progressbar.OptionThrottle(cmp.Or(c.throttle, 100*time.Millisecond)),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSpinnerType(14),
		progressbar.OptionSetSpinnerChangeInterval(0), // turned below: the package's own turner outlives the task
		progressbar.OptionFullWidth(),
		progressbar.OptionShowBytes(bytes),
	}
	if c.ASCII {
		options = append(options, progressbar.OptionSpinnerType(9), progressbar.OptionSetTheme(progressbar.ThemeASCII))
	}
	if bytes {
		options = append(options, progressbar.OptionShowCount(), progressbar.OptionShowTotalBytes(total > 0))
	}
	t.bar = progressbar.NewOptions64(total, options...)
	c.mu.Lock()
	c.shown = t
	c.mu.Unlock()
	if total < 0 {
		// A spinner turns by itself: the work below may be silent for a minute.
		_ = t.bar.RenderBlank() // a progress line that cannot be drawn stops nothing
		t.every(150*time.Millisecond, func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			_ = t.bar.RenderBlank() // see start; Add draws only what has moved
		})
	}
	return t
}

// goesOn tells a log, which may be watched or have a limit on silence, that the
// task is at work, and how far it is.
func (t *Task) goesOn() {
	t.mu.Lock()
	far := ""
	if t.total > 0 {
		far = fmt.Sprintf(": %d %%", 100*t.at/t.total)
	}
	t.mu.Unlock()
	t.c.Note("  %s%s  (%s so far)", t.name, far, short(t.c.Now().Sub(t.began)))
}

// every does something again and again until the task ends.
func (t *Task) every(pause time.Duration, do func()) {
	t.wg.Go(func() {
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for {
			select {
			case <-t.stop:
				return
			case <-tick.C:
				do()
			}
		}
	})
}

// Late is a task that is shown only when it takes more than a second. End it.
func (c *Console) Late(name string) (end func()) {
	began := make(chan *Task, 1)
	timer := time.AfterFunc(time.Second, func() { began <- c.Start(name, -1) })
	return func() {
		if !timer.Stop() {
			(<-began).Done("")
		}
	}
}

// fit cuts a name so that it and what is drawn beside it take one line: a
// longer one could not be drawn over.
func (c *Console) fit(name string, total int64, bytes bool) string {
	beside := 16 // the sign and the time of a spinner
	switch {
	case bytes:
		beside = 56
	case total > 0:
		beside = 32
	}
	if c.errWidth == 0 || utf8.RuneCountInString(name) <= c.errWidth-beside {
		return name
	}
	return step.Clean(name, max(8, c.errWidth-beside))
}

// Set moves the task to an absolute value. Counted in bytes, the first one is
// where it begins, and so is one that is less than before: the work starts over.
// From there on the bar shows what is left to do.
func (t *Task) Set(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.set(n)
}

// Add moves the task on.
func (t *Task) Add(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.moved = true
	t.set(t.at + n)
}

func (t *Task) set(n int64) {
	if t.finished {
		return
	}
	begins := t.bytes && (!t.moved && n > 0 || n < t.at)
	t.at, t.moved = n, true
	if begins {
		t.from = n
	}
	if t.bar == nil {
		return
	}
	if begins && n < t.total {
		t.bar.Reset()
		t.bar.ChangeMax64(t.total - n)
	}
	_ = t.bar.Set64(n - t.from) // see start
}

// Done ends the task and leaves one line with its result, its size and rate
// where it was counted in bytes, and its time.
func (t *Task) Done(result string) {
	t.mu.Lock()
	if t.finished {
		t.mu.Unlock()
		return
	}
	t.finished = true
	close(t.stop)
	t.mu.Unlock()
	t.wg.Wait()
	t.c.mu.Lock()
	if t.c.shown == t {
		t.c.shown = nil
	}
	t.c.mu.Unlock()
	if t.bar != nil {
		_ = t.bar.Clear() // see start
	}
	took := t.c.Now().Sub(t.began)
	text, times := t.name, short(took)
	if t.bytes && t.at > 0 {
		result = strings.TrimPrefix(result+", "+t.size(), ", ")
		if now := t.at - t.from; now > 0 && took > 0 {
			times += ", " + step.Bytes(int64(float64(now)/took.Seconds())) + "/s"
		}
	}
	if result != "" {
		text += ": " + result
	}
	t.c.Note("  %s  (%s)", text, times)
}

// size says how much there is, how much of that was there before, and of how
// much, as far as these differ.
func (t *Task) size() string {
	text := step.Bytes(t.at)
	if t.at < t.total {
		text += lang.F(" of %s", step.Bytes(t.total))
	}
	if t.from > 0 {
		text += lang.F(", %s of it from before", step.Bytes(t.from))
	}
	return text
}

func short(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return lang.F("%d min %02d s", int(d.Minutes()), int(d.Seconds())%60)
}
