package cache

import "os"

// private checks only that the path is there: the cache lies in the user's
// profile, whose access list keeps others out.
func private(path string) error {
	_, err := os.Lstat(path)
	return err
}

func ownOnly(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular()
}
