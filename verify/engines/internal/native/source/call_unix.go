//go:build nativeworker && !windows

package main

import "github.com/ebitengine/purego"

func syscallN(function uintptr, args []uintptr) uintptr {
	result, _, _ := purego.SyscallN(function, args...)
	return result
}
