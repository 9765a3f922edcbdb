package host

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

var fsNames = map[int64]string{
	0xef53: "ext4", 0x01021994: "tmpfs", 0x794c7630: "overlay", 0x9123683e: "btrfs", 0x58465342: "xfs",
	0x6969: "nfs", 0x2fc12fc1: "zfs", 0x65735546: "fuse", 0x01021997: "9p", 0xff534d42: "cifs", 0xf2f52010: "f2fs",
}

func statfs(name string) (Disk, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(name, &s); err != nil {
		return Disk{}, &os.PathError{Op: "statfs", Path: name, Err: err}
	}
	size := uint64(s.Bsize)
	const readOnly = 1             // ST_RDONLY, statfs(2)
	kind := fsNames[int64(s.Type)] //nolint:unconvert // int32 on 32-bit systems
	return Disk{
		ID: fileSystem(name, kind, s.Blocks), Total: s.Blocks * size, Free: s.Bavail * size,
		Kind: kind, ReadOnly: s.Flags&readOnly != 0, NoInodes: s.Files > 0 && s.Ffree == 0,
	}, nil
}

// fileSystem tells file systems apart by their device. The subvolumes of btrfs
// have a device each and share their space.
func fileSystem(name, kind string, blocks uint64) string {
	var s syscall.Stat_t
	switch {
	case kind == "btrfs":
		return fmt.Sprintf("btrfs %d", blocks)
	case syscall.Stat(name, &s) != nil:
		return ""
	}
	return strconv.FormatUint(s.Dev, 10)
}

// killMarked ends every process whose environment carries the mark, and returns
// when two scans in a row saw none: a process in the middle of an exec shows no
// environment for a moment, and one that was killed dies a moment later.
func killMarked(mark string) {
	const scans = 50
	for n, clean := 0, 0; n < scans && clean < 2; n++ {
		if killScan([]byte(mark)) {
			clean = 0
		} else {
			clean++
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// killScan signals the marked processes and reports whether there were any.
func killScan(mark []byte) (any bool) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return false // no /proc: the process group is all that can be reached
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		env, err := os.ReadFile("/proc/" + e.Name() + "/environ")
		if err == nil && bytes.Contains(env, mark) {
			any = true
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
		}
	}
	return any
}

// Memory asks sysinfo(2), which works without /proc. What it calls free leaves
// out the page cache, so Available stays unknown.
func (live) Memory() (Memory, error) {
	var s syscall.Sysinfo_t
	if err := syscall.Sysinfo(&s); err != nil {
		return Memory{}, lang.Errorf("sysinfo: %w", err)
	}
	unit := max(uint64(s.Unit), 1)
	return Memory{Total: uint64(s.Totalram) * unit, Swap: uint64(s.Totalswap) * unit}, nil //nolint:unconvert // uint32 on 32-bit systems
}
