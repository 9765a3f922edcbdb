//go:build gocvworker && !gocv_exceptions
// +build gocvworker,!gocv_exceptions

package main

// lastException: gocv before v0.41.0 lets a C++ exception end the process, so
// there is none to ask for.
func lastException() error { return nil }
