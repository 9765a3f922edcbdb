package installers

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// TestLiveStopPassesSudoBy: sudo (with use_pty, Debian's default) hands a signal
// that it is sent to the whole group of the command, dpkg included. So the
// command itself is signalled, beneath sudo and its monitor.
func TestLiveStopPassesSudoBy(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sudo := write("sudo", `trap 'echo sudo was hit' INT
if [ -z "$MONITOR" ]; then MONITOR=1 "$0" "$@"; exit $?; fi
shift 2
"$@"
exit $?
`)
	apt := write("apt-get", "trap 'echo apt was asked; exit 0' INT\necho ready\nwhile :; do sleep 0.01; done\n")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var once sync.Once
	var lines []string
	elevated := []string{sudo, "-n", "--"}
	exit, err := Live{Poll: time.Millisecond, Grace: time.Minute}.Stream(ctx,
		Job{Argv: append(slices.Clone(elevated), apt), Log: filepath.Join(dir, "log"), Elevated: elevated},
		func(l string) {
			lines = append(lines, l)
			if l == "ready" {
				once.Do(cancel)
			}
		})
	if exit != 0 || err == nil || !slices.Equal(lines, []string{"ready", "apt was asked"}) {
		t.Errorf("exit %d, %v, %q", exit, err, lines)
	}
}
