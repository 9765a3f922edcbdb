package host

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// absent are the errors, besides fs.ErrNotExist, with which the system says that
// a path names nothing to read: it is a folder, leads through a file, to a drive without a disk or a
// server that is not there, is no possible name, or is a link to itself.
var absent = []error{
	syscall.EISDIR, syscall.ELOOP, syscall.ENOTDIR, windows.ERROR_DIRECTORY, windows.ERROR_INVALID_NAME, windows.ERROR_BAD_PATHNAME, windows.ERROR_INVALID_DRIVE,
	windows.ERROR_NOT_READY, windows.ERROR_BAD_NETPATH, windows.ERROR_BAD_NET_NAME, windows.ERROR_FILENAME_EXCED_RANGE,
	windows.ERROR_CANT_RESOLVE_FILENAME,
}
