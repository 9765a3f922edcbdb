// Package store owns the folder of fetched files, named by the SHA-256 of their
// bytes: finding one, locking it against other processes, and putting it in
// place. It must never hand out a file whose bytes it has not hashed since it
// was asked, and never know where a file comes from.
//
// Layout, beneath the cache folder:
//
//	store/sha256/ab/abcd…   whole, verified files
//	store/partial/abcd….part and .json   what an interrupted fetch left
//	store/lock/abcd…        lock files; empty, and never removed (removing one
//	                        would let two processes hold two files of one name)
package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/doctor/durable/inuse"
	"github.com/deployctl/deployctl/doctor/host/ownership"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Store is one such folder. The zero Store is not usable; see New.
type Store struct{ dir string }

// New names the store of a cache folder. It touches nothing.
func New(cache string) *Store { return &Store{filepath.Join(cache, "store")} }

// Sum is a file's name: the lower-case hexadecimal SHA-256 of its bytes.
type Sum string

// Valid reports whether it is 64 lower-case hexadecimal digits. Everything here
// that makes a path out of a Sum needs a valid one.
func (s Sum) Valid() bool {
	return len(s) == 64 && strings.Trim(string(s), "0123456789abcdef") == ""
}

// Folder is where everything in the store lies.
func (s *Store) Folder() string { return s.dir }

// Path is where the whole file is, or would be.
func (s *Store) Path(sum Sum) string {
	return filepath.Join(s.dir, "sha256", string(sum[:2]), string(sum))
}

// Partial are the two files of an interrupted fetch.
func (s *Store) Partial(sum Sum) (data, state string) {
	base := filepath.Join(s.dir, "partial", string(sum))
	return base + ".part", base + ".json"
}

// ErrAbsent says that the store has no such file.
var ErrAbsent = lang.New("not in the store")

// CorruptError says that a stored file's bytes have changed since they were put
// there. The file is gone when Get returns it.
type CorruptError struct {
	Path string
	Sum  Sum
}

// Error is one sentence.
func (e *CorruptError) Error() string {
	return lang.F("%s had changed on the disk and was removed", e.Path)
}

// OpenPartial opens one of Partial's files for reading and writing, with flags
// of package os besides. A link in its place is refused: whoever made it would
// choose the file that is overwritten.
func OpenPartial(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|noFollow|flags, 0o600)
	if err == nil {
		return f, nil
	}
	if info, lerr := os.Lstat(path); lerr == nil && info.Mode()&fs.ModeSymlink != 0 {
		return nil, &step.Failure{Kind: step.Untrusted, Err: err, Cause: lang.F("%s is a symbolic link, and deployctl writes only to files of its own", path),
			Next: lang.T("remove the link, then run this again")}
	}
	return nil, err
}

// safe refuses, for root, a store that another user could change. It is asked
// at every use: a folder's owner may have changed since the last one.
func (s *Store) safe() error {
	if err := ownership.RootOnly(s.dir); err != nil {
		return &step.Failure{Kind: step.Untrusted, Err: err, Cause: err.Error(), Next: lang.T("set XDG_CACHE_HOME to a folder that only root can write to, then run this again")}
	}
	return nil
}

// Get gives the path of a file after hashing its bytes now: a disk may have
// changed them since they were put there. The error is ErrAbsent,
// a *CorruptError, or the reason why it could not be read.
func (s *Store) Get(ctx context.Context, sum Sum, size int64) (string, error) {
	if err := s.safe(); err != nil {
		return "", err
	}
	path := s.Path(sum)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", ErrAbsent
	case err != nil:
		return "", Explain(path, err)
	}
	if info.Mode().IsRegular() && info.Size() == size {
		got, err := Hash(ctx, path)
		if err != nil {
			return "", err
		}
		if got == sum {
			return path, nil
		}
	}
	// RemoveAll, since a damaged file system or a person may have put a folder there.
	if err := os.RemoveAll(path); err != nil {
		return "", Explain(path, err)
	}
	return "", &CorruptError{path, sum}
}

// Hash reads a file once.
func Hash(ctx context.Context, path string) (Sum, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", Explain(path, err)
	}
	h := sha256.New()
	_, err = io.CopyBuffer(h, stopping{ctx, f}, make([]byte, 1<<20))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return "", Explain(path, err)
	}
	return Sum(hex.EncodeToString(h.Sum(nil))), nil
}

// stopping ends a long read when ctx does.
type stopping struct {
	ctx context.Context
	r   io.Reader
}

func (s stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

// Lock takes the lock of one file, waiting until whoever holds it lets go or
// ctx ends. The system gives it back when the process dies. waiting, unless
// nil, is called once when it is held by somebody else.
func (s *Store) Lock(ctx context.Context, sum Sum, waiting func()) (unlock func() error, err error) {
	if err := s.safe(); err != nil {
		return nil, err
	}
	path := filepath.Join(s.dir, "lock", string(sum))
	if err := MkdirAll(filepath.Dir(path)); err != nil {
		return nil, err
	}
	l := flock.New(path, flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	if err == nil && !ok {
		if waiting != nil {
			waiting()
		}
		ok, err = l.TryLockContext(ctx, 100*time.Millisecond)
	}
	if err != nil || !ok {
		return nil, lang.Errorf("wait for another process that fetches the same file: %w", Explain(path, err))
	}
	return l.Unlock, nil
}

// Publish moves a file, written and hashed by the caller, to its place: synced
// before, renamed, the folder synced after, so that a power cut leaves either
// nothing or the whole file.
func (s *Store) Publish(temp string, sum Sum) (string, error) {
	path := s.Path(sum)
	if err := MkdirAll(filepath.Dir(path)); err != nil {
		return "", err
	}
	f, err := os.OpenFile(temp, os.O_RDWR, 0)
	if err != nil {
		return "", Explain(temp, err)
	}
	if err = errors.Join(f.Sync(), f.Close()); err != nil {
		return "", Explain(temp, err)
	}
	return path, Explain(path, durable.Rename(temp, path))
}

// Place puts a stored file at another path: the same bytes by a hard link where
// the file system can, else a copy. What was there before is replaced in one
// rename; on failure it is untouched. The temporary file has one name, so that
// what a kill leaves is found and removed by the next call; the store's lock on
// the file keeps two calls apart.
func (s *Store) Place(ctx context.Context, sum Sum, path string) error {
	dir := filepath.Dir(path)
	if err := MkdirAll(dir); err != nil {
		return err
	}
	unlock, err := s.Lock(ctx, sum, nil)
	if err != nil {
		return err
	}
	temp := durable.Partial(path)
	if err = remove(temp); err == nil {
		if os.Link(s.Path(sum), temp) != nil {
			err = copyFile(ctx, s.Path(sum), temp)
		}
	}
	if err == nil {
		err = durable.Rename(temp, path)
	}
	// Also after success: renaming one hard link of a file onto another one
	// does nothing and leaves the first (rename(2)).
	return Explain(path, errors.Join(err, remove(temp), unlock()))
}

// remove removes a file that need not be there.
func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func copyFile(ctx context.Context, from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	_, err = io.CopyBuffer(out, stopping{ctx, in}, make([]byte, 1<<20))
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close(), in.Close())
}

// Discard removes what an interrupted fetch left.
func (s *Store) Discard(sum Sum) error {
	data, state := s.Partial(sum)
	for _, p := range []string{data, state} {
		if err := remove(p); err != nil {
			return Explain(p, err)
		}
	}
	return nil
}

// MkdirAll makes a folder for this user only.
func MkdirAll(dir string) error { return Explain(dir, os.MkdirAll(dir, 0o700)) }

// Explain turns a failure to write at path into a *step.Failure where the cause
// is the disk (full, read-only, no permission), and wraps any other. nil stays
// nil, and a failure that is explained already stays as it is.
func Explain(path string, err error) error {
	var known *step.Failure
	if err == nil || errors.As(err, &known) {
		return err
	}
	cause := err
	var p *fs.PathError
	var l *os.LinkError
	if errors.As(err, &p) {
		cause = p.Err
	} else if errors.As(err, &l) {
		cause = l.Err
	}
	errno := func(codes ...syscall.Errno) bool {
		for _, c := range codes {
			if errors.Is(err, c) {
				return true
			}
		}
		return false
	}
	windows := runtime.GOOS == "windows"
	switch {
	// 112 ERROR_DISK_FULL, 39 ERROR_HANDLE_DISK_FULL (winerror.h).
	case errno(syscall.ENOSPC, syscall.EDQUOT), windows && errno(112, 39):
		return &step.Failure{Kind: step.DiskFull, Err: err, Cause: lang.F("%s cannot be written: the disk is full", path),
			Next: lang.T("free some disk space or use another cache folder, then run this again")}
	// 32 ERROR_SHARING_VIOLATION, 33 ERROR_LOCK_VIOLATION.
	case windows && errno(32, 33):
		file := path
		if p != nil && filepath.IsAbs(p.Path) {
			file = p.Path
		}
		by, next := inuse.Advice(file)
		return &step.Failure{Kind: step.Locked, Err: err, Cause: lang.F("%s %s", file, by), Next: lang.F("%s, then run this again", next)}
	// 19 ERROR_WRITE_PROTECT.
	case errors.Is(err, fs.ErrPermission), errno(syscall.EROFS), windows && errno(19):
		return &step.Failure{Kind: step.ReadOnly, Err: err, Cause: lang.F("%s cannot be written: %s", path, cause.Error()),
			Next: lang.T("make the folder writable or use another cache folder, then run this again")}
	}
	return fmt.Errorf("%s: %w", path, cause)
}
