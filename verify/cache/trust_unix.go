//go:build unix

package cache

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// private reports nil when only this user and root can change the file or the
// folder's entries.
func private(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if err := owned(path, info); err != nil {
			return err
		}
		if info, err = os.Stat(path); err != nil {
			return err
		}
	}
	if err := owned(path, info); err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode().Perm(); {
	case mode&0o002 != 0:
		return &UnsafeError{path, "every user may write to it"}
	case mode&0o020 != 0 && (!ok || hasACL(path) || !ownGroup(int(st.Gid))):
		return &UnsafeError{path, "its group may write to it"}
	}
	return nil
}

func owned(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return &UnsafeError{path, "its owner is not known"}
	}
	if uid := int(st.Uid); uid != 0 && uid != os.Geteuid() {
		return &UnsafeError{path, fmt.Sprintf("it belongs to another user (uid %d)", uid)}
	}
	return nil
}

// ownGroup reports whether a group is this user's private one: distributions
// that make such groups also let them write (umask 002).
func ownGroup(gid int) bool {
	if gid != os.Getegid() {
		return false
	}
	u, errU := user.LookupId(strconv.Itoa(os.Geteuid()))
	g, errG := user.LookupGroupId(strconv.Itoa(gid))
	return errU == nil && errG == nil && u.Username == g.Name
}

// ownOnly reports whether nobody else can read the file.
func ownOnly(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 == 0
}
