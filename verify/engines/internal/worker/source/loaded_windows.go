//go:build gocvworker || nativeworker
// +build gocvworker nativeworker

package main

import (
	"syscall"
	"unsafe"
)

// libraries are the modules of this process (EnumProcessModules, which
// kernel32.dll exports under this name since Windows 7).
func libraries() ([]string, error) {
	kernel := syscall.NewLazyDLL("kernel32.dll")
	enum, name := kernel.NewProc("K32EnumProcessModules"), kernel.NewProc("GetModuleFileNameW")
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		return nil, err
	}
	modules := make([]syscall.Handle, 4096)
	size := uint32(len(modules)) * uint32(unsafe.Sizeof(modules[0]))
	var needed uint32
	if ok, _, err := enum.Call(uintptr(self), uintptr(unsafe.Pointer(&modules[0])), uintptr(size), uintptr(unsafe.Pointer(&needed))); ok == 0 {
		return nil, err
	}
	if needed < size {
		modules = modules[:needed/uint32(unsafe.Sizeof(modules[0]))]
	}
	var list []string
	for _, m := range modules {
		buf := make([]uint16, 32768) // the longest path
		n, _, err := name.Call(uintptr(m), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
		if n == 0 {
			return list, err
		}
		list = append(list, syscall.UTF16ToString(buf[:n]))
	}
	return list, nil
}
