//go:build unix

package store

import "syscall"

// noFollow makes opening fail where the last part of the path is a link.
const noFollow = syscall.O_NOFOLLOW
