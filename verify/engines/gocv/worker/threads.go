//go:build gocvworker && gocv_threads
// +build gocvworker,gocv_threads

package main

import "gocv.io/x/gocv"

// setThreads limits OpenCV's threads; 0 keeps its default. gocv has this call
// since v0.32.1.
func setThreads(n int) int {
	if n > 0 {
		gocv.SetNumThreads(n)
	}
	return gocv.GetNumThreads()
}
