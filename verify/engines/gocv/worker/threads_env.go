//go:build gocvworker && !gocv_threads
// +build gocvworker,!gocv_threads

package main

// setThreads has nothing to call in gocv before v0.32.1: the parent sets
// OPENCV_FOR_THREADS_NUM, which OpenCV reads when it starts.
func setThreads(n int) int { return n }
