//go:build unix

package installers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

type process struct {
	cmd      *exec.Cmd
	elevated []string
}

func start(job Job, out *os.File) (*process, error) {
	cmd := exec.Command(job.Argv[0], job.Argv[1:]...)
	cmd.Stdout, cmd.Stderr = out, out // stdin is the null device: nobody answers
	if cmd.Dir = "/"; job.Dir != "" {
		cmd.Dir = job.Dir
	}
	if len(job.Env) > 0 {
		cmd.Env = append(os.Environ(), job.Env...)
	}
	if job.Hold != nil {
		cmd.ExtraFiles = []*os.File{job.Hold}
	}
	// Its own group: the terminal's Ctrl-C must not reach dpkg in the middle of
	// a package, and a kill must reach every child.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !job.Alone, Setsid: job.Alone}
	if job.Owned {
		dieWithParent(cmd.SysProcAttr)
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd: cmd, elevated: job.Elevated}, nil
}

// apart puts a command into a process group of its own, which the terminal's
// Ctrl-C does not reach.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func (p *process) wait() (int, error) {
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			return 128 + int(ws.Signal()), nil // as a shell reports it
		}
		return exit.ExitCode(), nil
	}
	return p.cmd.ProcessState.ExitCode(), err
}

// interrupt signals the leader alone: apt-get then finishes the dpkg run it is
// in and stops. A SIGINT to the whole group would stop dpkg between two files of
// a package, and that is what sudo makes of one that it is sent itself.
func (p *process) interrupt() error { return p.signal(syscall.SIGINT, "INT", p.leader()) }

func (p *process) kill() error {
	targets := []int{-p.cmd.Process.Pid}
	// sudo gives the command a session, and so a group, of its own.
	if g, err := syscall.Getpgid(p.leader()); err == nil && g != p.cmd.Process.Pid {
		targets = append(targets, -g)
	}
	return p.signal(syscall.SIGKILL, "KILL", targets...)
}

// leader is the command itself: beneath sudo, which stays, once or twice. doas
// and pkexec become the command. Where /proc does not tell, it is what was
// started.
func (p *process) leader() int {
	pid := p.cmd.Process.Pid
	if len(p.elevated) == 0 {
		return pid
	}
	children := map[int]int{} // by parent; sudo has one
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return pid
	}
	names := map[int]string{}
	for _, file := range stats {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		var child, parent int
		open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
		if open < 0 || end < open {
			continue
		}
		var state string
		if _, err := fmt.Sscan(string(data[:open])+string(data[end+1:]), &child, &state, &parent); err != nil {
			continue
		}
		children[parent], names[child] = child, string(data[open+1:end])
	}
	for range 3 {
		child, ok := children[pid]
		if !ok || names[pid] != filepath.Base(p.elevated[0]) {
			break
		}
		pid = child
	}
	return pid
}

func (p *process) signal(sig syscall.Signal, name string, targets ...int) error {
	var refused []string
	for _, t := range targets {
		err := syscall.Kill(t, sig)
		switch {
		case errors.Is(err, syscall.EPERM) && len(p.elevated) > 0:
			refused = append(refused, strconv.Itoa(t))
		case err != nil && !errors.Is(err, syscall.ESRCH):
			return err
		}
	}
	if len(refused) == 0 {
		return nil
	}
	// The command belongs to root: ask the way it was started. A bare Debian has
	// no kill but the shell's own; the words are numbers and a constant.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	argv := append(append([]string(nil), p.elevated...), "/bin/sh", "-c", "kill -s "+name+" -- "+strings.Join(refused, " "))
	if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return lang.Errorf("signal process %s as root: %w: %.200s", strings.Join(refused, ", "), err, out)
	}
	return nil
}

// close has nothing to give back: a process group is no resource of ours.
func (p *process) close() error { return nil }

// left is for Windows: package managers of other systems wait for what they start.
func (p *process) left() bool { return false }
