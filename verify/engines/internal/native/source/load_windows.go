//go:build nativeworker

package main

import (
	"syscall"
	"unsafe"
)

// open searches the library's own folder for what it needs, and the system's
// (LOAD_WITH_ALTERED_SEARCH_PATH).
func open(library string) (uintptr, error) {
	name, err := syscall.UTF16PtrFromString(library)
	if err != nil {
		return 0, err
	}
	const alteredSearchPath = 8
	handle, _, err := syscall.NewLazyDLL("kernel32.dll").NewProc("LoadLibraryExW").Call(uintptr(unsafe.Pointer(name)), 0, alteredSearchPath)
	if handle == 0 {
		return 0, err
	}
	return handle, nil
}

func symbol(library uintptr, name string) (uintptr, error) {
	return syscall.GetProcAddress(syscall.Handle(library), name)
}

// pathname is a path in the library's characters (ORTCHAR_T).
func pathname(s string) unsafe.Pointer {
	p, err := syscall.UTF16PtrFromString(s)
	if err != nil {
		return nil
	}
	return unsafe.Pointer(p)
}
