// Package files owns the mechanisms that bring files to a machine: fetching
// into the store, unpacking an archive, placing a file. Each leaves its result
// whole or not at all, and can be taken back. It must never write over a file
// that is not its own, and never use bytes whose size and hash were not checked
// just before.
package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/deployctl/deployctl/installers/archive"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
)

// Fetch is the mechanism "fetch": an artifact into the store. The store is a
// cache: nothing of it is taken back.
type Fetch struct{ Options download.Options }

// State is empty: a cache is nobody's state.
func (Fetch) State(context.Context, step.Step) (map[string]string, error) { return nil, nil }

// Done reports whether the store has the file. The bytes are hashed.
func (f Fetch) Done(ctx context.Context, s step.Step) (bool, error) {
	if s.Fetch == nil || !store.Sum(s.Fetch.SHA256).Valid() {
		return false, errors.New("this is no step that deployctl planned")
	}
	_, err := f.Options.Store.Get(ctx, store.Sum(s.Fetch.SHA256), s.Fetch.Size)
	var corrupt *store.CorruptError
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, store.ErrAbsent), errors.As(err, &corrupt):
		return false, nil
	}
	return false, err
}

// Do fetches the file. The errors are those of download.Fetch.
func (f Fetch) Do(ctx context.Context, s step.Step, tell func(step.Progress)) error {
	o := f.Options
	o.AllowHTTP = o.AllowHTTP || s.Fetch.Trusted
	o.Progress = func(p download.Progress) {
		phase := step.Downloading
		if p.Phase == download.Waiting {
			phase = step.Waiting
		}
		tell(step.Progress{Phase: phase, Percent: -1, Bytes: p.Done, Total: p.Total, Message: p.Note})
	}
	_, err := download.Fetch(ctx, Artifact(*s.Fetch), o)
	return err
}

// Artifact is a step's file as something to fetch.
func Artifact(f step.Fetch) download.Artifact {
	return download.Artifact{Name: f.Name, Size: f.Size, SHA256: store.Sum(f.SHA256), Mirrors: f.Mirrors}
}

// Unpack is the mechanism "unpack": an archive of the store into a folder.
type Unpack struct{ Store *store.Store }

// Scratch is the version of a folder that only later steps need: whatever is
// in it, it may be removed.
const Scratch = "scratch"

// State is the folder's digest, or Scratch.
func (Unpack) State(ctx context.Context, s step.Step) (map[string]string, error) {
	if s.Action == step.Remove || s.Action == step.Tidy {
		return Takes(ctx, s.Take)
	}
	if s.Unpack == nil {
		return nil, errors.New("this is no step that deployctl planned")
	}
	if s.Unpack.Work {
		// All of it: later steps put their files beside the sources.
		return Takes(ctx, []step.Take{{Name: filepath.Dir(s.Unpack.Into), Version: Scratch}})
	}
	return Takes(ctx, []step.Take{{Name: s.Unpack.Into}})
}

// Done reports whether the folder is there (it appears whole or not at all) or
// is not needed any more; for a removal, whether it is gone.
func (Unpack) Done(_ context.Context, s step.Step) (bool, error) {
	if s.Action == step.Remove || s.Action == step.Tidy {
		return Gone(s.Take)
	}
	if s.Unpack == nil {
		return false, errors.New("this is no step that deployctl planned")
	}
	for _, dir := range []string{s.Unpack.Product, s.Unpack.Into} {
		if dir == "" {
			continue
		}
		if there, err := exists(dir); err != nil || there {
			return there, err
		}
	}
	return false, nil
}

// Do unpacks, or removes. The errors are those of archive.Extract.
func (u Unpack) Do(ctx context.Context, s step.Step, tell func(step.Progress)) error {
	tell(step.Progress{Phase: step.Installing, Percent: -1, Message: s.Title})
	if s.Action == step.Remove || s.Action == step.Tidy {
		return Remove(ctx, s.Take)
	}
	path, err := u.Store.Get(ctx, store.Sum(s.Unpack.SHA256), s.Unpack.Size)
	if err != nil {
		return fmt.Errorf("take the archive out of the store: %w", err)
	}
	o := archive.Options{Strip: s.Unpack.Strip}
	if len(s.Unpack.Files) > 0 {
		o.Pick = func(name string) string { return s.Unpack.Files[name] }
	}
	res, err := archive.Extract(ctx, path, archive.Format(s.Unpack.Format), s.Unpack.Into, o)
	if err != nil {
		return err
	}
	if n := len(s.Unpack.Files); n > 0 && res.Files != n {
		return errors.Join(fmt.Errorf("the archive holds %d of the %d files that were wanted", res.Files, n), RemoveTree(s.Unpack.Into))
	}
	return nil
}

// Place is the mechanism "place": a file of the store at a path.
type Place struct{ Store *store.Store }

// State is the file's digest.
func (Place) State(ctx context.Context, s step.Step) (map[string]string, error) {
	if s.Action == step.Remove {
		return Takes(ctx, s.Take)
	}
	if s.Place == nil {
		return nil, errors.New("this is no step that deployctl planned")
	}
	return Takes(ctx, []step.Take{{Name: s.Place.Path}})
}

// Done reports whether the file is there with the right bytes; for a removal,
// whether it is gone.
func (p Place) Done(ctx context.Context, s step.Step) (bool, error) {
	if s.Action == step.Remove {
		return Gone(s.Take)
	}
	state, err := p.State(ctx, s)
	return err == nil && state[s.Place.Path] == "sha256:"+s.Place.SHA256, err
}

// Do places or removes the file. Another file of the name is somebody else's
// and stays: the failure is Changed.
func (p Place) Do(ctx context.Context, s step.Step, _ func(step.Progress)) error {
	if s.Action == step.Remove {
		return Remove(ctx, s.Take)
	}
	if there, err := exists(s.Place.Path); err != nil || there {
		if err == nil {
			err = &step.Failure{Kind: step.Changed, Cause: s.Place.Path + " is there already and is another file", Next: "move it away if it is not wanted, then run deployctl again"}
		}
		return err
	}
	if _, err := p.Store.Get(ctx, store.Sum(s.Place.SHA256), s.Place.Size); err != nil {
		return fmt.Errorf("take the file out of the store: %w", err)
	}
	return p.Store.Place(ctx, store.Sum(s.Place.SHA256), s.Place.Path)
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, store.Explain(path, err)
	}
	return true, nil
}

// Takes is the state of what a removal names: those that are there, with what
// they are now.
func Takes(ctx context.Context, takes []step.Take) (map[string]string, error) {
	state := map[string]string{}
	for _, t := range takes {
		there, err := exists(t.Name)
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		if t.Version == Scratch {
			state[t.Name] = Scratch
			continue
		}
		if state[t.Name], err = Digest(ctx, t.Name); err != nil {
			return nil, err
		}
	}
	return state, nil
}

// Gone reports whether none of what is to be taken back is there.
func Gone(takes []step.Take) (bool, error) {
	for _, t := range takes {
		if there, err := exists(t.Name); err != nil || there {
			return false, err
		}
	}
	return true, nil
}

// Remove removes each file or folder that still is what it was made as. One
// that somebody changed is kept, and the failure is Changed; nothing is removed
// then.
func Remove(ctx context.Context, takes []step.Take) error {
	now, err := Takes(ctx, takes)
	if err != nil {
		return err
	}
	for _, t := range takes {
		if v, there := now[t.Name]; there && v != t.Version {
			return &step.Failure{Kind: step.Changed, Cause: t.Name + " was changed since deployctl made it", Next: "look at it and remove it by hand if it is not wanted"}
		}
	}
	for _, t := range takes {
		if err := RemoveTree(t.Name); err != nil {
			return err
		}
		// deployctl's own folder goes with the last thing in it.
		if own := filepath.Dir(t.Name); filepath.Base(own) == "deployctl" {
			if left, err := os.ReadDir(own); err == nil && len(left) == 0 {
				if err := os.Remove(own); err != nil {
					return store.Explain(own, err)
				}
			}
		}
	}
	return nil
}

// RemoveTree removes a file or folder. A folder is renamed first: what a kill
// leaves then has the name of something unfinished, not of something whole.
func RemoveTree(path string) error {
	going := archive.Partial(path)
	if err := archive.RemovePartial(going); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return store.Explain(path, err)
	case !info.IsDir():
		return store.Explain(path, os.Remove(path))
	}
	if err := os.Rename(path, going); err != nil {
		return store.Explain(path, err)
	}
	return archive.RemovePartial(going)
}

// Sweep removes what a killed run may have left unfinished of a step's files:
// nobody may come back to the step.
func Sweep(s step.Step) error {
	var paths []string
	for _, t := range s.Take {
		paths = append(paths, t.Name)
	}
	if s.Unpack != nil {
		paths = append(paths, s.Unpack.Into)
	}
	if s.Build != nil {
		paths = append(paths, s.Build.Product)
	}
	if s.Place != nil {
		// The store's name for it is the same, of a file.
		if err := os.Remove(archive.Partial(s.Place.Path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return store.Explain(s.Place.Path, err)
		}
	}
	for _, p := range paths {
		if !filepath.IsAbs(p) {
			continue // a setting
		}
		if err := archive.RemovePartial(archive.Partial(p)); err != nil {
			return err
		}
	}
	return nil
}
