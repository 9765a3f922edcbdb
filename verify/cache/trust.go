package cache

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/deployctl/deployctl/doctor/host/ownership"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// UnsafeError is a file or folder of the cache that another user could have
// written: what is in it cannot be believed, and a program in it must not be
// run.
type UnsafeError struct{ Path, Why string }

func (e *UnsafeError) Error() string {
	return lang.F("%s cannot be trusted: %s. Make it yours alone (chmod go-w, chown), or name another folder with --cache", e.Path, e.Why)
}

// Trusted reports nil when path and every folder from the cache's root down to
// it can be changed by this user and the administrator only. Links are followed
// where they are this user's own. On Windows nothing is checked: the folders of
// a user's profile are private there.
func Trusted(root, path string) error {
	rel, err := filepath.Rel(root, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return lang.Errorf("%s is not in the cache folder %s", path, root)
	}
	at := root
	if err := private(at); err != nil {
		return err
	}
	if rel == "." {
		return nil
	}
	for _, name := range strings.Split(rel, string(filepath.Separator)) {
		at = filepath.Join(at, name)
		if err := private(at); err != nil {
			return err
		}
	}
	return nil
}

// Secure makes a folder of the cache and returns its path. A folder on the way
// that another user could change, or a file in its place, is removed first, with
// all that is in it; the
// root itself is not deployctl's to remove and is an *UnsafeError.
func Secure(root string, parts ...string) (string, error) {
	if err := MkdirAll(root); err != nil {
		return "", err
	}
	if err := private(root); err != nil {
		return "", err
	}
	at := root
	for _, name := range parts {
		at = filepath.Join(at, name)
		err := private(at)
		var unsafe *UnsafeError
		switch {
		case errors.As(err, &unsafe):
			if err := os.RemoveAll(at); err != nil {
				return "", errors.Join(unsafe, err)
			}
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", Explain(at, 0, err)
		}
		if info, err := os.Stat(at); err == nil && !info.IsDir() {
			if err := os.Remove(at); err != nil {
				return "", Explain(at, 0, err)
			}
		}
		if err := os.Mkdir(at, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", Explain(at, 0, err)
		}
	}
	return at, nil
}

// private reports nil when only this user and root can change the file or the
// folder's entries.
func private(path string) error {
	why, err := ownership.Private(path)
	if err == nil && why != "" {
		return &UnsafeError{path, why}
	}
	return err
}

// secretSize is that of SHA-256, as RFC 2104 advises for a key.
const secretSize = sha256.Size

// Seal is a proof that this cache's owner wrote something: a keyed hash (HMAC)
// of the parts. The key is made at random in the cache's root and can be read
// by this user only, so an entry that was planted or edited by anybody else has
// no valid seal, whatever its own manifest says. Whoever can read the key can
// also replace deployctl; against that, no file in the cache can help.
//
// Recomputing an entry would show as much, but a reference takes as long as the
// proof itself; --fresh does it.
func Seal(root string, parts ...string) (string, error) {
	key, err := secret(root)
	if err != nil {
		return "", err
	}
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p) //nolint:errcheck // a hash cannot fail
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Sealed reports whether a seal is the one that Seal gives.
func Sealed(root, seal string, parts ...string) bool {
	want, err := Seal(root, parts...)
	return err == nil && hmac.Equal([]byte(want), []byte(seal))
}

// secret reads the cache's key, and makes it the first time. A key that others
// could know or have put there is replaced, which invalidates all seals.
func secret(root string) ([]byte, error) {
	file := filepath.Join(root, "secret")
	for range 3 { // another process may make or remove it meanwhile
		if err := Trusted(root, file); err == nil && ownOnly(file) {
			key, err := os.ReadFile(file)
			if err == nil && len(key) == secretSize {
				return key, nil
			}
		}
		if err := private(root); err != nil {
			return nil, err
		}
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, Explain(file, 0, err)
		}
		if err := newSecret(root, file); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, Explain(file, secretSize, err)
		}
	}
	return nil, lang.Errorf("%s: the cache's key changes while it is read", file)
}

// newSecret links a finished file into place, so that nobody reads half a key
// and of two processes one wins.
func newSecret(root, file string) error {
	f, err := os.CreateTemp(root, ".secret-*") // mode 0600
	if err != nil {
		return err
	}
	key := make([]byte, secretSize)
	_, _ = rand.Read(key) // never fails (crypto/rand, Go 1.24)
	_, err = f.Write(key)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), file)
	}
	return errors.Join(err, os.Remove(f.Name()))
}
