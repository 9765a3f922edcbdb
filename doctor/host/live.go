package host

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/cpuid/v2"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// killGrace is how long a killed process's pipes may stay open before they are
// closed under it: a grandchild that kept them must not keep us.
const killGrace = 500 * time.Millisecond

// Live returns the machine this process runs on.
func Live() *Host {
	self, err := os.Executable()
	if err != nil {
		self = "" // probes that need a child then say that none can be started
	}
	dir, err := os.Getwd()
	if err != nil {
		dir = "" // it was removed; then there is no project in it
	}
	return &Host{World: live{}, OS: runtime.GOOS, Arch: runtime.GOARCH, Self: self, Dir: dir}
}

type live struct{}

// await runs f on its own goroutine so that a read that blocks for ever (a dead
// network mount, a device) costs a goroutine, not the deadline.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type answer struct {
		v     T
		err   error
		crash any
	}
	var zero T
	if err := ctx.Err(); err != nil {
		return zero, err
	}
	if ctx.Done() == nil {
		return f()
	}
	ch := make(chan answer, 1)
	go func() {
		var a answer
		// On this goroutine a panic would end the process; the caller's is
		// recovered from where the probe was started.
		defer func() {
			a.crash = recover()
			ch <- a
		}()
		a.v, a.err = f()
	}()
	select {
	case a := <-ch:
		if a.crash != nil {
			panic(a.crash)
		}
		return a.v, a.err
	case <-ctx.Done():
		return zero, ctx.Err()
	}
}

type content struct {
	data      []byte
	truncated bool
}

// Open opens a file that has an end: no device, no pipe, no folder. It does not
// block.
func Open(name string) (*os.File, error) {
	// O_NONBLOCK: opening a FIFO must not wait for its writer.
	f, err := os.OpenFile(name, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = &fs.PathError{Op: "read", Path: name, Err: syscall.EISDIR}
	case info.Mode()&fs.ModeCharDevice != 0:
		err = &fs.PathError{Op: "read", Path: name, Err: errDevice}
	case !info.Mode().IsRegular():
		err = &fs.PathError{Op: "read", Path: name, Err: ErrNotRegular}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (live) ReadFile(ctx context.Context, name string, limit int64) ([]byte, bool, error) {
	c, err := await(ctx, func() (content, error) {
		f, err := Open(name)
		if err != nil {
			return content{}, err
		}
		defer f.Close() //nolint:errcheck // read-only
		data, err := io.ReadAll(io.LimitReader(f, limit+1))
		if err != nil {
			return content{}, err
		}
		if int64(len(data)) > limit {
			return content{data[:limit], true}, nil
		}
		return content{data, false}, nil
	})
	return c.data, c.truncated, err
}

func (live) ReadAt(ctx context.Context, name string, at int64, n int) ([]byte, error) {
	return await(ctx, func() ([]byte, error) {
		f, err := Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // read-only
		return piece(f, at, n)
	})
}

func piece(f *os.File, at int64, n int) ([]byte, error) {
	data := make([]byte, n)
	got, err := f.ReadAt(data, at)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return data[:got], nil
}

func (live) Search(ctx context.Context, name, marker string, limit int64, want int) ([]byte, error) {
	return await(ctx, func() ([]byte, error) {
		f, err := Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // read-only
		return searchIn(ctx, f, limit, marker, want)
	})
}

// searchIn streams r, up to limit bytes, in pieces that overlap by the marker's length, so that a
// marker across two pieces is found too.
func searchIn(ctx context.Context, r io.Reader, limit int64, marker string, want int) ([]byte, error) {
	if marker == "" || want <= 0 {
		return nil, nil
	}
	r = io.LimitReader(r, limit)
	buf := make([]byte, 0, int(min(limit, 1<<20))+len(marker))
	for {
		// await has given up on us by then; the disk should be spared too.
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n, err := io.ReadFull(r, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return nil, err
		}
		if at := bytes.Index(buf, []byte(marker)); at >= 0 {
			found := append([]byte(nil), buf[at:min(len(buf), at+want)]...)
			if len(found) < want && !last {
				rest, err := io.ReadAll(io.LimitReader(r, int64(want-len(found))))
				if err != nil {
					return nil, err
				}
				found = append(found, rest...)
			}
			return found, nil
		}
		if last {
			return nil, nil
		}
		keep := min(len(buf), len(marker)-1)
		buf = buf[:copy(buf, buf[len(buf)-keep:])]
	}
}

func (live) ReadDir(ctx context.Context, name string) ([]Entry, error) {
	return await(ctx, func() ([]Entry, error) {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // read-only
		list, err := f.ReadDir(MaxEntries + 1)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if len(list) > MaxEntries {
			return nil, lang.Errorf("list %s: %w", name, ErrTooLarge)
		}
		entries := make([]Entry, len(list))
		for i, e := range list {
			entries[i] = Entry{Name: e.Name(), Dir: e.IsDir(), Link: e.Type()&fs.ModeSymlink != 0}
		}
		sort.Slice(entries, func(a, b int) bool { return entries[a].Name < entries[b].Name })
		return entries, nil
	})
}

func (live) Stat(ctx context.Context, name string) (Info, error) {
	return await(ctx, func() (Info, error) {
		info, err := os.Stat(name)
		if err != nil {
			return Info{}, err
		}
		out := Info{
			Size:    info.Size(),
			Dir:     info.IsDir(),
			Exec:    executable(name, info),
			ModTime: info.ModTime().UTC(),
		}
		if out.Exec && out.Size == 0 {
			out.Alias = alias(name)
		}
		if info.Mode()&fs.ModeDevice != 0 {
			out.Denied, out.Group = denied(name, info)
		}
		return out, nil
	})
}

func (live) Resolve(ctx context.Context, name string) (string, error) {
	return await(ctx, func() (string, error) {
		real, err := filepath.EvalSymlinks(name)
		if err != nil && strings.HasSuffix(err.Error(), "too many links") { // it has no other mark
			err = &fs.PathError{Op: "resolve", Path: name, Err: syscall.ELOOP}
		}
		return real, err
	})
}

func (live) Getenv(name string) (string, bool) { return os.LookupEnv(name) }

func (live) Now() time.Time { return time.Now() }

func (live) Disk(ctx context.Context, name string) (Disk, error) {
	return await(ctx, func() (Disk, error) {
		for {
			d, err := statfs(name)
			if !errors.Is(err, fs.ErrNotExist) {
				return d, err
			}
			parent := filepath.Dir(name)
			if parent == name {
				return d, err
			}
			name = parent
		}
	})
}

func (live) CPUID() (CPUID, error) {
	c := cpuid.CPU
	features := make([]string, 0, 64)
	for _, f := range c.FeatureSet() {
		features = append(features, strings.ToLower(f))
	}
	sort.Strings(features)
	return CPUID{
		Vendor: c.VendorID.String(), Model: c.BrandName, Family: c.Family, ModelNum: c.Model, Stepping: c.Stepping,
		Features: features, Logical: runtime.NumCPU(), Physical: c.PhysicalCores, Hz: c.Hz, BoostHz: c.BoostFreq,
		L1D: max(c.Cache.L1D, 0), L2: max(c.Cache.L2, 0), L3: max(c.Cache.L3, 0),
	}, nil
}

// Run starts the process in a group of its own and, when ctx ends, kills the
// group and anything that left the group but still carries our mark.
func (live) Run(ctx context.Context, cmd Command) (_ Output, err error) {
	if len(cmd.Argv) == 0 || !filepath.IsAbs(cmd.Argv[0]) {
		return Output{}, lang.Errorf("run %q: the command needs an absolute path", cmd.Argv)
	}
	done := Trace(ctx, cmd.Argv)
	defer func() { done(err) }()
	mark := newMark()
	c := exec.CommandContext(ctx, cmd.Argv[0], cmd.Argv[1:]...)
	c.Env = append(append(os.Environ(), cmd.Env...), mark)
	c.Dir = cmd.Dir
	if cmd.Stdin != nil {
		c.Stdin = bytes.NewReader(cmd.Stdin)
	}
	var stdout, stderr capture
	c.Stdout, c.Stderr = &stdout, &stderr
	c.WaitDelay = killGrace
	group := newGroup(c)
	c.Cancel = func() error { return group.kill() }
	if err := c.Start(); err != nil {
		return Output{}, lang.Errorf("start %s: %w", cmd.Argv[0], err)
	}
	if err := group.started(); err != nil {
		killErr := c.Process.Kill()
		return Output{}, errors.Join(lang.Errorf("contain %s: %w", cmd.Argv[0], err), killErr, c.Wait())
	}
	waitErr := c.Wait()
	// Also after a normal end: a child it left behind must not outlive the probe.
	group.finish(mark, ctx.Err() != nil)
	out := Output{
		Stdout: stdout.buf.Bytes(), Stderr: stderr.buf.Bytes(),
		Exit: c.ProcessState.ExitCode(), Signal: signalName(c.ProcessState),
		Truncated: stdout.truncated || stderr.truncated,
	}
	if err := ctx.Err(); err != nil {
		return out, lang.Errorf("%s was stopped: %w", filepath.Base(cmd.Argv[0]), context.Cause(ctx))
	}
	var exit *exec.ExitError
	if waitErr != nil && !errors.As(waitErr, &exit) && !errors.Is(waitErr, exec.ErrWaitDelay) {
		return out, lang.Errorf("run %s: %w", cmd.Argv[0], waitErr)
	}
	return out, nil
}

// capture keeps the first MaxOutput bytes and swallows the rest, so that a
// process with endless output neither blocks nor fills memory. The buffer is
// not embedded: its ReadFrom would pass by the limit.
type capture struct {
	buf       bytes.Buffer
	truncated bool
}

func (c *capture) Write(p []byte) (int, error) {
	kept := p[:min(len(p), MaxOutput-c.buf.Len())]
	c.truncated = c.truncated || len(kept) < len(p)
	if n, err := c.buf.Write(kept); err != nil {
		return n, err
	}
	return len(p), nil
}
