//go:build gocvworker
// +build gocvworker

package main

import (
	"io/ioutil"
	"strings"
)

// libraries are the files whose code is mapped into this process (proc(5)).
func libraries() ([]string, error) {
	maps, err := ioutil.ReadFile("/proc/self/maps")
	if err != nil {
		return nil, err
	}
	var list []string
	seen := map[string]bool{}
	for _, line := range strings.Split(string(maps), "\n") {
		// address perms offset dev inode path; only the path may hold spaces.
		f := strings.Fields(line)
		if len(f) < 6 || !strings.Contains(f[1], "x") {
			continue
		}
		at := strings.Index(line, "/")
		if at < 0 || seen[line[at:]] || !strings.Contains(line[at:], ".so") {
			continue
		}
		seen[line[at:]] = true
		list = append(list, line[at:])
	}
	return list, nil
}
