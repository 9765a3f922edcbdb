//go:build unix

package host

import "syscall"

// absent are the errors, besides fs.ErrNotExist, with which the system says that
// a path names nothing: it leads through a file, is a folder where a file is
// asked for, is a link to itself, or is longer than a path can be.
var absent = []error{syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP, syscall.ENAMETOOLONG}
