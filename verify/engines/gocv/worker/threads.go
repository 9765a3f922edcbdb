//go:build gocvworker
// +build gocvworker

package main

/*
#cgo CXXFLAGS: -std=c++11
#cgo !customenv,!windows pkg-config: opencv4

int deployctl_threads(int n);
*/
import "C"

// setThreads limits OpenCV's threads (0 keeps its default) and returns how many
// it will use. gocv has this call only since v0.32.1, and the variable
// OPENCV_FOR_THREADS_NUM has no effect on builds with TBB, Debian's for one.
func setThreads(n int) int { return int(C.deployctl_threads(C.int(n))) }
