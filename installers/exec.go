package installers

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Job is a command that changes the machine.
type Job struct {
	Argv []string
	// Dir is where it runs, "" for this process's folder; Env (K=V) is added to
	// this process's environment.
	Dir string
	Env []string
	// Log receives everything the command prints, appended.
	Log string
	// Owned: the command shall not outlive this process (a build; a package
	// manager must, see Live). Hold is inherited by it and its children, so that
	// a lock on it lasts as long as any of them; not on Windows, where all of
	// them die with their job.
	Owned bool
	Hold  *os.File
	// Alone: without a terminal, on which a package's script could ask (debconf
	// does, where sudo has dropped DEBIAN_FRONTEND). Not on Windows.
	Alone bool
	// Done, if not nil, says whether what the command is for is done. While it is not,
	// and the command has ended well but left programs behind that it started, these are
	// waited for: setup programs of Windows hand their work to another one and leave.
	// Not on other systems, and not for UAC.
	Done func() bool
	// UAC: start it as administrator by Windows' question. Nothing that it
	// prints reaches the log, it inherits nothing, and neither stopping nor
	// killing it need succeed: it belongs to somebody more powerful.
	UAC bool
	// Elevated is how to signal the command when it runs as another user
	// (sudo -n --); empty when it runs as this one.
	Elevated []string
}

// Executor runs a job and hands over its output line by line. When ctx ends it
// asks the command to stop, gives it time to leave things consistent, then
// kills its whole process group. A non-zero exit is not an error; err is
// ctx.Err() when ctx ended, even when the command then finished by itself.
type Executor interface {
	Stream(ctx context.Context, job Job, onLine func(string)) (exit int, err error)
}

// Live runs commands on this machine.
//
// Output goes to the log file, not through a pipe, and the file is followed:
// should deployctl be killed, the package manager keeps a valid standard
// output and finishes what it began instead of dying of SIGPIPE half way.
type Live struct {
	// Grace is how long a command may take to stop after it was asked to;
	// 0 means 2 minutes, enough for dpkg to finish what it is unpacking.
	Grace time.Duration
	// Poll is how often the log is looked at; 0 means 100 ms.
	Poll time.Duration
	// Linger is how long programs that a command left behind are waited for at most
	// (Job.Done); 0 means 5 minutes.
	Linger time.Duration
}

const maxLine = 64 << 10

// follower reads what was appended to a file and cuts it into lines.
type follower struct {
	f      *os.File
	offset int64
	rest   []byte
	onLine func(string)
}

// follow hands over every line that is complete by now; at the end also the
// last one.
func (t *follower) follow(end bool) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := t.f.ReadAt(buf, t.offset)
		t.offset += int64(n)
		t.rest = append(t.rest, buf[:n]...)
		for {
			i := bytes.IndexAny(t.rest, "\n\r")
			if i < 0 {
				break
			}
			t.emit(t.rest[:i])
			t.rest = t.rest[i+1:]
		}
		if len(t.rest) > maxLine { // a line without end is cut, not kept
			t.emit(t.rest[:maxLine])
			t.rest = nil
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return lang.Errorf("follow the log: %w", err)
		}
	}
	if end {
		t.emit(t.rest)
		t.rest = nil
	}
	return nil
}

func (t *follower) emit(line []byte) {
	if len(line) > 0 {
		t.onLine(string(line))
	}
}

// Stream implements Executor.
func (l Live) Stream(ctx context.Context, job Job, onLine func(string)) (int, error) {
	if err := ctx.Err(); err != nil {
		return -1, err
	}
	out, err := os.OpenFile(job.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return -1, lang.Errorf("open the log of %s: %w", job.Argv[0], err)
	}
	in, err := os.Open(job.Log)
	if err != nil {
		return -1, lang.Errorf("follow the log of %s: %w", job.Argv[0], errors.Join(err, out.Close()))
	}
	exit, err := l.stream(ctx, job, out, in, onLine)
	for _, f := range []*os.File{out, in} {
		if cerr := f.Close(); cerr != nil && err == nil {
			err = lang.Errorf("close the log of %s: %w", job.Argv[0], cerr)
		}
	}
	return exit, err
}

func (l Live) stream(ctx context.Context, job Job, out, in *os.File, onLine func(string)) (_ int, err error) {
	traced := host.Trace(ctx, job.Argv)
	defer func() { traced(err) }()
	info, err := out.Stat()
	if err != nil {
		return -1, lang.Errorf("follow the log of %s: %w", job.Argv[0], err)
	}
	tail := &follower{f: in, offset: info.Size(), onLine: onLine}
	proc, err := start(job, out)
	if err != nil {
		return -1, lang.Errorf("start %s: %w", job.Argv[0], err)
	}
	defer func() { err = errors.Join(err, proc.close()) }()
	done := make(chan struct{})
	var exit int
	var waitErr error
	go func() {
		defer close(done)
		exit, waitErr = proc.wait()
	}()
	grace, poll := l.Grace, l.Poll
	if grace == 0 {
		grace = 2 * time.Minute
	}
	if poll == 0 {
		poll = 100 * time.Millisecond
	}
	ticker := time.NewTicker(poll)
	defer ticker.Stop()
	stop := ctx.Done()
	var kill <-chan time.Time
	var tailErr error
	for running := true; running; {
		select {
		case <-done:
			running = false
		case <-ticker.C:
			if err := tail.follow(false); err != nil && tailErr == nil {
				tailErr = err
			}
		case <-stop:
			stop = nil
			timer := time.NewTimer(grace)
			defer timer.Stop()
			kill = timer.C
			if err := proc.interrupt(); err != nil {
				onLine("deployctl: could not ask the command to stop: " + err.Error())
			}
		case <-kill:
			kill = nil
			if err := proc.kill(); err != nil {
				onLine("deployctl: could not kill the command: " + err.Error())
			}
		}
	}
	if job.Done != nil && exit == 0 && waitErr == nil {
		l.linger(ctx, job, proc, onLine)
	}
	if err := tail.follow(true); err != nil && tailErr == nil {
		tailErr = err
	}
	if waitErr != nil {
		return exit, lang.Errorf("wait for %s: %w", job.Argv[0], waitErr)
	}
	if ctx.Err() != nil {
		return exit, ctx.Err()
	}
	return exit, tailErr
}

// linger waits while a command's job is not done and programs that it started are at
// work. One that stays for good, as a tray icon does, ends the wait by its limit.
func (l Live) linger(ctx context.Context, job Job, proc *process, onLine func(string)) {
	limit := time.NewTimer(cmp.Or(l.Linger, 5*time.Minute))
	defer limit.Stop()
	for told := false; proc.left() && !job.Done(); {
		if !told {
			onLine("deployctl: " + job.Argv[0] + " has ended, and programs that it started are still at work: waiting for them")
			told = true
		}
		select {
		case <-ctx.Done():
			return
		case <-limit.C:
			return
		case <-time.After(time.Second):
		}
	}
}
