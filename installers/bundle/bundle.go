// Package bundle owns the one file that carries all that a lockfile names to a
// machine without a network. It must never put a byte into the store that the
// lockfile inside does not name by size and SHA-256, and must take either the
// whole bundle or nothing.
//
// A bundle is a plain tar, since packages and archives are compressed already:
//
//	deployctl.lock.json   first
//	deployctl             the program itself, where it was asked for
//	sha256/abcd…          every file of the lockfile, in order of its hash
//
// Names are sorted and times are zero, so that one lockfile gives one bundle, to
// the byte. What an archive may contain is the archive package's to judge.
package bundle

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/archive"
	"github.com/deployctl/deployctl/installers/lockfile"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

const (
	program = "deployctl"
	folder  = "sha256"
)

// Error says why a file is no bundle that can be used.
type Error struct {
	File string
	Why  string
	Err  error
	Next string // "" for the usual
}

// Error is one sentence.
func (e *Error) Error() string {
	text := lang.F("the bundle %s was not taken: %s", e.File, e.Why)
	if e.Err != nil {
		text = lang.F("%s: %s", text, e.Err.Error())
	}
	return lang.F("%s; %s", text, cmp.Or(e.Next, lang.T("copy it again, or make it again with deployctl bundle create")))
}

// Unwrap gives the cause, if any.
func (e *Error) Unwrap() error { return e.Err }

// place is a file's name in the bundle.
func place(l *lockfile.Lock, f step.Fetch) string {
	if l.Program != nil && f.SHA256 == l.Program.SHA256 {
		return program
	}
	return folder + "/" + f.SHA256
}

// Create writes the bundle of a lock, whose files must be in the store. The file
// appears whole or not at all. tell, unless nil, is told how many bytes of how
// many are written.
func Create(ctx context.Context, l *lockfile.Lock, s *store.Store, name string, tell func(done, total int64)) error {
	text, err := l.Encode()
	if err != nil {
		return err
	}
	return store.Explain(name, durable.Write(name, 0o644, func(w io.Writer) error { return write(ctx, l, text, s, w, tell) }))
}

func write(ctx context.Context, l *lockfile.Lock, text []byte, s *store.Store, out io.Writer, tell func(done, total int64)) error {
	t := tar.NewWriter(out)
	header := func(name string, mode, size int64) error {
		return t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: size, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR})
	}
	if err := header(lockfile.Name, 0o644, int64(len(text))); err != nil {
		return lang.Errorf("write the bundle: %w", err)
	}
	if _, err := t.Write(text); err != nil {
		return lang.Errorf("write the bundle: %w", err)
	}
	all := l.All()
	if l.Program != nil {
		// Before the others, so that tar finds it without reading them.
		all = append([]step.Fetch{*l.Program}, all...)
	}
	if tell == nil {
		tell = func(int64, int64) {}
	}
	tell(0, l.Bytes())
	var done int64
	written := map[string]bool{}
	for _, f := range all {
		name, mode := place(l, f), int64(0o644)
		if written[name] {
			continue
		}
		written[name] = true
		if name == program {
			mode = 0o755
		}
		path, err := s.Get(ctx, store.Sum(f.SHA256), f.Size)
		if err != nil {
			return lang.Errorf("take %s out of the store: %w", f.Name, err)
		}
		in, err := os.Open(path)
		if err != nil {
			return store.Explain(path, err)
		}
		err = header(name, mode, f.Size)
		if err == nil {
			_, err = io.Copy(t, in)
		}
		if err = errors.Join(err, in.Close()); err != nil {
			return lang.Errorf("write %s into the bundle: %w", f.Name, store.Explain(path, err))
		}
		done += f.Size
		tell(done, l.Bytes())
	}
	if err := t.Close(); err != nil {
		return lang.Errorf("write the bundle: %w", err)
	}
	return nil
}

// Is reports whether a file begins as a bundle does; one that is cut short later
// is a bundle, too.
func Is(name string) bool {
	_, _, err := head(name)
	return err == nil
}

// cutShort is that a file of the lockfile is not in the bundle.
func cutShort(name string, f step.Fetch) *Error {
	return &Error{File: name, Why: lang.F("%s is in its lockfile and not in it: it is cut short", f.Name)}
}

// List reads the lockfile of a bundle, and sees that all its files are there, by
// name and size; Import hashes them. One that is cut short is an *Error.
func List(name string) (*lockfile.Lock, error) {
	l, _, err := head(name)
	if err != nil {
		return nil, err
	}
	f, err := host.Open(name)
	if err != nil {
		return nil, lang.Errorf("open the bundle: %w", err)
	}
	defer f.Close() //nolint:errcheck // read-only
	sizes := map[string]int64{}
	for t := tar.NewReader(f); ; {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, &Error{File: name, Why: lang.T("it is cut short or damaged"), Err: err}
		}
		sizes[h.Name] = h.Size
	}
	for _, f := range l.All() {
		if size, ok := sizes[place(l, f)]; !ok || size != f.Size {
			return nil, cutShort(name, f)
		}
	}
	return l, nil
}

// head reads the lockfile and its size.
func head(name string) (*lockfile.Lock, int64, error) {
	f, err := host.Open(name) // a pipe without a writer would block
	if err != nil {
		return nil, 0, lang.Errorf("open the bundle: %w", err)
	}
	defer f.Close() //nolint:errcheck // read-only
	t := tar.NewReader(f)
	h, err := t.Next()
	switch {
	case err != nil:
		return nil, 0, &Error{File: name, Why: lang.T("it is not a tar file"), Err: err}
	case h.Name != lockfile.Name || h.Typeflag != tar.TypeReg:
		return nil, 0, &Error{File: name, Why: lang.F("it does not begin with %s", lockfile.Name)}
	}
	l, err := lockfile.Read(t)
	if err != nil {
		var bad *lockfile.Error
		if errors.As(err, &bad) {
			return nil, 0, &Error{File: name, Why: bad.Why, Err: bad.Err, Next: lang.T("use the deployctl that made it, or make it again with deployctl bundle create")}
		}
		return nil, 0, &Error{File: name, Why: lang.T("its lockfile is cut short"), Err: err}
	}
	return l, h.Size, nil
}

// Remembered is where the lock of an imported bundle is kept beneath the cache
// folder, one for each recipe.
func Remembered(cache, recipe string) string {
	return filepath.Join(cache, "locks", recipe+".json")
}

// Import puts a bundle's files into the store of a cache folder and remembers
// its lock, after every size and hash was compared; on any difference nothing is
// kept. It needs no root and no network. The error is an *Error, a
// *step.Failure (the disk), or ctx's.
func Import(ctx context.Context, name, cache string, tell func(done, total int64)) (*lockfile.Lock, error) {
	if err := store.MkdirAll(cache); err != nil {
		return nil, err
	}
	// Two at once would unpack into the same folder.
	lock := flock.New(filepath.Join(cache, "import.lock"))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, store.Explain(lock.Path(), err)
	}
	if !ok {
		return nil, &step.Failure{Kind: step.Locked, Cause: lang.F("another deployctl is importing a bundle into %s", cache), Next: lang.T("run this again when it is done")}
	}
	l, err := locked(ctx, name, cache, tell)
	return l, errors.Join(err, lock.Unlock())
}

func locked(ctx context.Context, name, cache string, tell func(done, total int64)) (*lockfile.Lock, error) {
	l, text, err := head(name)
	if err != nil {
		return nil, err
	}
	temp := filepath.Join(cache, "import")
	if err := os.RemoveAll(temp); err != nil { // a killed run's
		return nil, store.Explain(temp, err)
	}
	all := l.All()
	// The lockfile says how large all is: more is refused as soon as it comes.
	// A tar's own headers and padding count, too: up to 1 KiB each.
	// A few entries too many are let through, to be named one by one.
	limits := archive.Limits{Files: len(all) + 16, Bytes: text + l.Bytes() + int64(len(all)+1)<<10 + 1<<20}
	if _, err = archive.Extract(ctx, name, archive.Tar, temp, archive.Options{Limits: limits}); err != nil {
		var refused *archive.Refused
		if errors.As(err, &refused) {
			why := lang.T(string(refused.Why))
			if refused.Entry != "" {
				why += fmt.Sprintf(" (%q)", step.Clean(refused.Entry, 120))
			}
			err = &Error{File: name, Why: why, Err: refused.Err}
		}
		return nil, err
	}
	err = take(ctx, name, l, temp, cache, tell)
	return l, errors.Join(err, store.Explain(temp, os.RemoveAll(temp)))
}

// take checks what was unpacked and moves it into the store.
func take(ctx context.Context, name string, l *lockfile.Lock, temp, cache string, tell func(done, total int64)) error {
	wanted := map[string]step.Fetch{}
	for _, f := range l.All() {
		wanted[place(l, f)] = f
	}
	if tell == nil {
		tell = func(int64, int64) {}
	}
	tell(0, l.Bytes())
	found := map[string]string{} // hash → path
	var done int64
	err := filepath.WalkDir(temp, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(temp, path)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if rel == lockfile.Name {
			return nil
		}
		f, ok := wanted[rel]
		info, err := e.Info()
		switch {
		case err != nil:
			return err
		case !ok || !info.Mode().IsRegular():
			return &Error{File: name, Why: lang.F("%q in it is not in its lockfile", step.Clean(rel, 120))}
		case info.Size() != f.Size:
			return &Error{File: name, Why: lang.F("%s in it has %d bytes and not %d", f.Name, info.Size(), f.Size)}
		}
		sum, err := store.Hash(ctx, path)
		if err != nil {
			return err
		}
		if string(sum) != f.SHA256 {
			return &Error{File: name, Why: lang.F("%s in it has the sha256 %s and not %s", f.Name, sum, f.SHA256)}
		}
		found[f.SHA256] = path
		done += f.Size
		tell(done, l.Bytes())
		return nil
	})
	if err != nil {
		return store.Explain(temp, err)
	}
	for _, f := range wanted {
		if found[f.SHA256] == "" {
			return cutShort(name, f)
		}
	}
	s := store.New(cache)
	for sum, path := range found {
		if err := put(ctx, s, store.Sum(sum), path); err != nil {
			return err
		}
	}
	return l.Save(Remembered(cache, l.Recipe.Name))
}

// put moves a file that was just hashed into the store, while nobody fetches it.
func put(ctx context.Context, s *store.Store, sum store.Sum, path string) error {
	unlock, err := s.Lock(ctx, sum, nil)
	if err != nil {
		return err
	}
	if err = store.Explain(path, os.Chmod(path, 0o600)); err == nil { // as the store's own
		_, err = s.Publish(path, sum)
	}
	return errors.Join(err, unlock())
}
