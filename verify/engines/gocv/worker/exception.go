//go:build gocvworker && gocv_exceptions
// +build gocvworker,gocv_exceptions

package main

import "gocv.io/x/gocv"

// lastException returns the C++ exception that gocv caught since the last
// call. gocv catches them since v0.41.0.
func lastException() error {
	err := gocv.LastExceptionError()
	gocv.ClearLastException()
	return err
}
