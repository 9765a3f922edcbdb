package pipeline

import (
	"os"
	"os/exec"
)

// ownGroup: on Windows, Ctrl-C reaches every program of the console by itself, and
// what the context ends is the command alone.
func ownGroup(*exec.Cmd, bool) {}

// exitCodeOf is the command's exit code, an NTSTATUS as a negative number.
func exitCodeOf(state *os.ProcessState) int { return state.ExitCode() }
