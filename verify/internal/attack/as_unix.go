//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// runAs makes a command run as another user, without that user's groups.
func runAs(c *exec.Cmd, uid int) {
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
}
