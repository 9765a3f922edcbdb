package download

import (
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
