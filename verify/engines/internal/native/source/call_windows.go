//go:build nativeworker

package main

import "syscall"

// syscallN needs no module on Windows: Go itself calls functions by address there.
func syscallN(function uintptr, args []uintptr) uintptr {
	result, _, _ := syscall.SyscallN(function, args...)
	return result
}
