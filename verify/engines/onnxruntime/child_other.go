//go:build !windows

package onnxruntime

// child is nil: the worker is a program of its own. Without cgo a program can only
// load a library through glibc's loader, and then no longer starts on Alpine.
func child() func() { return nil }
