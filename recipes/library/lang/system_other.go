//go:build !windows

package lang

// System names no language: only on Windows is there one beside the environment.
func System() []string { return nil }
