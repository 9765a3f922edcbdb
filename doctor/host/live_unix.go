//go:build unix

package host

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"syscall"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

const nonblock = syscall.O_NONBLOCK

func executable(_ string, info fs.FileInfo) bool { return info.Mode()&0o111 != 0 }

// denied reports whether this process may not open a device to read and write, and
// the group of the device. access(2) knows of ACLs, which logind gives to whoever
// sits at the machine.
func denied(name string, info fs.FileInfo) (bool, uint32) {
	const readWrite = 4 | 2 // R_OK, W_OK
	if !errors.Is(syscall.Access(name, readWrite), syscall.EACCES) {
		return false, 0
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return true, st.Gid
	}
	return true, 0
}

// RegistryKey: there is no registry outside Windows.
func (live) RegistryKey(_ context.Context, key, _ string) (Key, error) {
	return Key{}, lang.Errorf("registry key %s: %w", key, ErrUnsupported)
}

// group is the process group that a command runs in.
type group struct{ cmd *exec.Cmd }

func newGroup(c *exec.Cmd) *group {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return &group{c}
}

// started: the kernel put the process into its group before it ran.
func (g *group) started() error { return nil }

func (g *group) kill() error {
	if err := syscall.Kill(-g.cmd.Process.Pid, syscall.SIGKILL); err != nil {
		if errors.Is(err, syscall.ESRCH) {
			return os.ErrProcessDone
		}
		return err
	}
	return nil
}

// finish kills what is left of the group. The group id stays reserved while a
// member lives, and when none does the signal reaches nobody: the leader was
// reaped a moment ago and its number is not reused at once.
func (g *group) finish(mark string, killed bool) {
	_ = g.kill() // ESRCH is the good case: nobody is left
	if killed {
		// Only then: a scan of all processes is too dear for every command.
		killMarked(mark)
	}
}

func signalName(s *os.ProcessState) string {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return ws.Signal().String()
	}
	return ""
}

// newMark is an environment entry by which a descendant is known again even
// after it left the process group (setsid).
func newMark() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	return "DEPLOYCTL_CHILD=" + hex.EncodeToString(b[:])
}

// alias: only Windows has app execution aliases.
func alias(string) string { return "" }
