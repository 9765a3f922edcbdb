//go:build gocvworker || nativeworker
// +build gocvworker nativeworker

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
		if at < 0 || !strings.Contains(line[at:], ".so") {
			continue
		}
		// A package upgraded meanwhile has replaced the file.
		file := strings.TrimSuffix(line[at:], " (deleted)")
		if !seen[file] {
			seen[file] = true
			list = append(list, file)
		}
	}
	return list, nil
}
