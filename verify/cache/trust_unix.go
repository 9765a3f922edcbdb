//go:build unix

package cache

import "os"

// ownOnly reports whether nobody else can read the file.
func ownOnly(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 == 0
}
