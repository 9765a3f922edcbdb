package host

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
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
	const readOnly = 1 // ST_RDONLY, statfs(2)
	return Disk{
		Total: s.Blocks * size, Free: s.Bavail * size,
		Kind: fsNames[int64(s.Type)], ReadOnly: s.Flags&readOnly != 0,
	}, nil
}

// killMarked ends every process whose environment carries the mark.
func killMarked(mark string) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return // no /proc: the process group is all that can be reached
	}
	needle := []byte(mark)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		env, err := os.ReadFile("/proc/" + e.Name() + "/environ")
		if err == nil && bytes.Contains(env, needle) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
		}
	}
}
