//go:build nativeworker

package main

import "unsafe"

// invoke calls a function that gives a pointer or an integer. Its arguments are
// integers and pointers; those that lie in Go's memory stay where they are until
// it returns.
//
//go:uintptrescapes
func invoke(function uintptr, args ...uintptr) unsafe.Pointer {
	result := syscallN(function, args)
	return *(*unsafe.Pointer)(unsafe.Pointer(&result))
}

// cstring is a string that ends with a zero byte. It lies on the heap, where its
// address stays the same: on a stack, which may be moved, it would not, hence noinline.
//
//go:noinline
func cstring(s string) *byte {
	b := append([]byte(s), 0)
	return &b[0]
}

// gostring copies a string of the library, "" where p is NULL.
func gostring(p unsafe.Pointer) string {
	if p == nil {
		return ""
	}
	n := 0
	for *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}
