//go:build gocvworker || nativeworker
// +build gocvworker nativeworker

package main

import (
	"io/ioutil"
	"strconv"
	"strings"
)

// memory is the largest resident set of this process in bytes, 0 for unknown
// (proc(5), VmHWM). getrusage would count what its parent had at the fork, too.
func memory() int64 {
	status, err := ioutil.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(status), "\n") {
		f := strings.Fields(line)
		if len(f) == 3 && f[0] == "VmHWM:" && f[2] == "kB" {
			n, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				return 0
			}
			return n * 1024
		}
	}
	return 0
}
