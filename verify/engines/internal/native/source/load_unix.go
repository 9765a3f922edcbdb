//go:build nativeworker && !windows

package main

import (
	"unsafe"

	"github.com/ebitengine/purego"
)

func open(library string) (uintptr, error) {
	return purego.Dlopen(library, purego.RTLD_NOW|purego.RTLD_LOCAL)
}

func symbol(library uintptr, name string) (uintptr, error) { return purego.Dlsym(library, name) }

// pathname is a path in the library's characters (ORTCHAR_T).
func pathname(s string) unsafe.Pointer { return unsafe.Pointer(cstring(s)) }
