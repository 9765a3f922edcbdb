//go:build unix

package engine

import "syscall"

// AddressSpace is the most memory that this process and its children may map,
// in bytes (RLIMIT_AS, getrlimit(2)); 0 for no limit.
func AddressSpace() uint64 {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_AS, &r); err != nil || r.Cur >= 1<<60 {
		return 0
	}
	return uint64(r.Cur) //nolint:unconvert // int64 on FreeBSD
}

// OpenFiles is how many files this process may have open (RLIMIT_NOFILE); 0 for
// no limit.
func OpenFiles() uint64 {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil || r.Cur >= 1<<60 {
		return 0
	}
	return uint64(r.Cur) //nolint:unconvert // int64 on FreeBSD
}
