//go:build unix

package installers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
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
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if job.Owned {
		dieWithParent(cmd.SysProcAttr)
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd: cmd, elevated: job.Elevated}, nil
}

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
// in and stops, and sudo passes the signal on. A SIGINT to the whole group
// would stop dpkg between two files of a package.
func (p *process) interrupt() error { return p.signal(syscall.SIGINT, "INT", p.cmd.Process.Pid) }

func (p *process) kill() error { return p.signal(syscall.SIGKILL, "KILL", -p.cmd.Process.Pid) }

func (p *process) signal(sig syscall.Signal, name string, target int) error {
	err := syscall.Kill(target, sig)
	if err == nil || errors.Is(err, syscall.ESRCH) {
		return nil
	}
	if !errors.Is(err, syscall.EPERM) || len(p.elevated) == 0 {
		return err
	}
	// The command belongs to root: ask the way it was started.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	argv := append(append([]string(nil), p.elevated...), "/bin/kill", "-s", name, "--", strconv.Itoa(target))
	if out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput(); err != nil {
		return fmt.Errorf("signal process %d as root: %w: %.200s", target, err, out)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
