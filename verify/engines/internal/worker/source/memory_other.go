//go:build (gocvworker || nativeworker) && !linux && !windows
// +build gocvworker nativeworker
// +build !linux
// +build !windows

package main

import "syscall"

// memory is the largest resident set of this process in bytes, 0 for unknown:
// getrusage(2), which on macOS counts bytes.
func memory() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return int64(usage.Maxrss)
}
