//go:build unix && !linux

package installers

import "syscall"

// dieWithParent does nothing here: the lock on the work folder makes a later
// run wait for what this one left.
func dieWithParent(*syscall.SysProcAttr) {}
