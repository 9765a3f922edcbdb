package main

import "golang.org/x/sys/windows"

func open(library string) (uintptr, error) {
	// The driver's own folder holds what it needs.
	h, err := windows.LoadLibraryEx(library, 0, windows.LOAD_LIBRARY_SEARCH_DEFAULT_DIRS|windows.LOAD_LIBRARY_SEARCH_DLL_LOAD_DIR)
	return uintptr(h), err
}

func symbol(lib uintptr, name string) (uintptr, error) {
	return windows.GetProcAddress(windows.Handle(lib), name)
}
