package host

import (
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

func statfs(name string) (Disk, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(name, &s); err != nil {
		return Disk{}, &os.PathError{Op: "statfs", Path: name, Err: err}
	}
	var kind strings.Builder
	for _, c := range s.Fstypename {
		if c == 0 {
			break
		}
		kind.WriteByte(byte(c))
	}
	const readOnly = 1 // MNT_RDONLY, sys/mount.h
	return Disk{
		Total: s.Blocks * uint64(s.Bsize), Free: s.Bavail * uint64(s.Bsize),
		Kind: kind.String(), ReadOnly: s.Flags&readOnly != 0, NoInodes: s.Files > 0 && s.Ffree == 0,
	}, nil
}

// killMarked: macOS shows no other process's environment, so the process group
// is all that can be reached.
func killMarked(string) {}

func (live) Memory() (Memory, error) {
	total, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return Memory{}, lang.Errorf("sysctl hw.memsize: %w", err)
	}
	return Memory{Total: total}, nil
}
