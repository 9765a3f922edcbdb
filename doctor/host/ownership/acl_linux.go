package ownership

import "syscall"

// hasACL reports whether an access list lets others in; the group's bits of the
// mode are then the list's mask (acl(5)).
func hasACL(path string) bool {
	n, err := syscall.Getxattr(path, "system.posix_acl_access", nil)
	return err == nil && n > 0
}
