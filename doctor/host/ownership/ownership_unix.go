//go:build unix

package ownership

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// RootOnly reports, when this process is root, why another user could change
// what lies at path or below it: nil when nobody else can. Folders that do not
// exist yet are fine if those above them are. For other users it returns nil.
func RootOnly(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	existing, err := chain(path)
	if err != nil {
		return err
	}
	// The folders that links lead to count like those the path names.
	real, err := filepath.EvalSymlinks(existing)
	if err != nil || real == existing {
		return err
	}
	_, err = chain(real)
	return err
}

// chain checks the path and every folder above it, and returns the deepest one
// that exists.
func chain(path string) (existing string, err error) {
	existing = "/"
	for i, c := range path + "/" {
		if c != '/' || i == 0 || strings.HasSuffix(path[:i], "/") {
			continue
		}
		info, err := os.Lstat(path[:i])
		if errors.Is(err, fs.ErrNotExist) {
			return existing, nil
		}
		if err != nil {
			return "", err
		}
		if err := safe(path[:i], info); err != nil {
			return "", err
		}
		existing = path[:i]
	}
	return existing, nil
}

func safe(path string, info fs.FileInfo) error {
	// In a sticky folder (/tmp) others cannot rename or remove what is root's.
	sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0
	why := fault(path, info)
	if why == "" || sticky && owner(info) == "" {
		return nil
	}
	return &UnsafeError{path, why}
}

// Private says why another user than this one and root could change a file or
// the entries of a folder, "" when none can. Links are followed where they are
// this user's own or root's.
func Private(path string) (why string, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		if why := owner(info); why != "" {
			return why, nil
		}
		if info, err = os.Stat(path); err != nil {
			return "", err
		}
	}
	return fault(path, info), nil
}

// fault is the rule: what belongs to this user or to root, and only they may
// write to. A link's own mode means nothing.
func fault(path string, info fs.FileInfo) string {
	if why := owner(info); why != "" {
		return why
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode(); {
	case mode&fs.ModeSymlink != 0:
		return ""
	case mode&0o002 != 0:
		return "every user may write to it"
	case mode&0o020 != 0 && (!ok || hasACL(path) || !ownGroup(int(st.Gid))):
		return "its group may write to it"
	}
	return ""
}

// owner says why a file's owner could change it, "" where that is this user or
// root.
func owner(info fs.FileInfo) string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "its owner is unknown"
	}
	if uid := int(st.Uid); uid != 0 && uid != os.Geteuid() {
		return fmt.Sprintf("it belongs to another user (uid %d)", uid)
	}
	return ""
}

// ownGroup reports whether a group has no other members than this user:
// distributions that make such a group for each user also let it write (umask
// 002). Root's group is root's own.
func ownGroup(gid int) bool {
	euid := os.Geteuid()
	if euid == 0 && gid == 0 {
		return true
	}
	if gid != os.Getegid() {
		return false
	}
	u, errU := user.LookupId(strconv.Itoa(euid))
	g, errG := user.LookupGroupId(strconv.Itoa(gid))
	return errU == nil && errG == nil && u.Username == g.Name
}
