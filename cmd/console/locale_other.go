//go:build !windows

package console

// unicodeConsole: only Windows has consoles with a code page of their own.
func unicodeConsole(bool) bool { return true }
