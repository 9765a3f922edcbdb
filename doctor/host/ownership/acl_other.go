//go:build unix && !linux

package ownership

// hasACL: elsewhere the group's bits of the mode are the group's own.
func hasACL(string) bool { return false }
