//go:build gocvworker || nativeworker
// +build gocvworker nativeworker

package main

import (
	"syscall"
	"unsafe"
)

// memory is the largest working set of this process in bytes, 0 for unknown
// (PROCESS_MEMORY_COUNTERS of K32GetProcessMemoryInfo).
func memory() int64 {
	var counters struct {
		size, faults uint32
		peak, now    uintptr
		others       [6]uintptr
	}
	counters.size = uint32(unsafe.Sizeof(counters))
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		return 0
	}
	info := syscall.NewLazyDLL("kernel32.dll").NewProc("K32GetProcessMemoryInfo")
	if ok, _, _ := info.Call(uintptr(self), uintptr(unsafe.Pointer(&counters)), uintptr(counters.size)); ok == 0 {
		return 0
	}
	return int64(counters.peak)
}
