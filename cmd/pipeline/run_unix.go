//go:build unix

package pipeline

import (
	"os"
	"os/exec"
	"syscall"
)

// ownGroup makes a command stop as a whole when the context ends. On a terminal it
// stays in this process's group: there it may read, and Ctrl-C reaches it by itself.
func ownGroup(cmd *exec.Cmd, terminal bool) {
	if terminal {
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		return
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}

// exitCodeOf is a shell's exit code: 128 and the signal's number for a signal.
func exitCodeOf(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
