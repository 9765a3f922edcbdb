package download

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// early asks the system to begin writing a range of the file to the disk, so
// that the fsync at the end finds little to do. It promises nothing, and a file
// system that cannot loses nothing: the fsync decides.
func early(f partial, offset, n int64) {
	if file, ok := f.(*os.File); ok {
		_ = unix.SyncFileRange(int(file.Fd()), offset, n, unix.SYNC_FILE_RANGE_WRITE)
	}
}

// allocate gets room for the first size bytes of the file. A file system that
// cannot promise room loses nothing but the early warning.
func allocate(f partial, size int64) error {
	file, ok := f.(*os.File)
	if !ok {
		return nil
	}
	err := unix.Fallocate(int(file.Fd()), 0, 0, size)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG) {
		return &os.PathError{Op: "allocate", Path: file.Name(), Err: err}
	}
	return nil
}
