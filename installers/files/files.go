// Package files owns the mechanisms that bring files to a machine: fetching
// into the store, unpacking an archive, placing a file. Each leaves its result
// whole or not at all, and can be taken back. It must never write over a file
// that is not its own, and never use bytes whose size and hash were not checked
// just before.
package files

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/doctor/durable/inuse"
	"github.com/deployctl/deployctl/installers/archive"
	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Fetch is the mechanism "fetch": an artifact into the store. The store is a
// cache: nothing of it is taken back.
type Fetch struct {
	Options download.Options
	// Index fetches the files of projects; nil where there are none.
	Index Index
}

// Index brings a file of a project (step.Fetch.Project) into the store.
type Index func(ctx context.Context, file step.Fetch, o download.Options) error

// get brings a file into the store: from its mirrors, or from its project's
// index.
func get(ctx context.Context, file step.Fetch, o download.Options, index Index) error {
	if file.Project == "" {
		_, err := download.Fetch(ctx, Artifact(file), o)
		return err
	}
	if index == nil {
		return lang.Errorf("fetch %s: nothing here asks an index for files of %s", file.Name, file.Project)
	}
	return index(ctx, file, o)
}

// State is empty: a cache is nobody's state.
func (Fetch) State(context.Context, step.Step) (map[string]string, error) { return nil, nil }

// Done reports whether the store has the file. The bytes are hashed.
func (f Fetch) Done(ctx context.Context, s step.Step) (bool, error) {
	file, err := step.As[*step.Fetch](s)
	if err != nil {
		return false, err
	}
	return f.here(ctx, *file)
}

func (f Fetch) here(ctx context.Context, file step.Fetch) (bool, error) {
	if !store.Sum(file.SHA256).Valid() {
		return false, step.ErrNotPlanned
	}
	_, err := f.Options.Store.Get(ctx, store.Sum(file.SHA256), file.Size)
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
	file, err := step.As[*step.Fetch](s)
	if err != nil {
		return err
	}
	o := f.Options
	o.AllowHTTP = o.AllowHTTP || file.Trusted
	o.Progress = func(p download.Progress) {
		phase := step.Downloading
		if p.Phase == download.Waiting {
			phase = step.Waiting
		}
		tell(step.Progress{Phase: phase, Percent: -1, Bytes: p.Done, Total: p.Total, Message: p.Note})
	}
	return get(ctx, *file, o, f.Index)
}

// Sweep leaves what was fetched so far: the next fetch goes on with it.
func (Fetch) Sweep(step.Step) error { return nil }

// Room is the store, for what is not there yet.
func (f Fetch) Room(s step.Step) (string, int64) {
	file, ok := s.With.(*step.Fetch)
	if !ok || f.Options.Store == nil {
		return "", 0
	}
	return f.Options.Store.Folder(), missing(f.Options.Store, *file)
}

// Describe names the addresses and the file's hash.
func (Fetch) Describe(s step.Step) (label, text string) {
	f, err := step.As[*step.Fetch](s)
	if err != nil {
		return "does", ""
	}
	if f.Project != "" {
		return "does", lang.F("fetches %s of the project %s (%d bytes, sha256 %s) from the Python package index that pip is set up with", f.Name, f.Project, f.Size, f.SHA256)
	}
	return "does", lang.F("fetches %s (%d bytes, sha256 %s)", step.Clean(strings.Join(f.Mirrors, lang.T(", or ")), 500), f.Size, f.SHA256)
}

// Export leaves the file to the steps that use it.
func (Fetch) Export(step.Step) mechanism.Script { return mechanism.Script{Skip: true} }

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
		return Remains(ctx, s.Take)
	}
	u, err := step.As[*step.Unpack](s)
	if err != nil {
		return nil, err
	}
	if u.Work {
		// All of it: later steps put their files beside the sources.
		return Takes(ctx, []step.Take{{Name: filepath.Dir(u.Into), Version: Scratch}})
	}
	return Takes(ctx, []step.Take{{Name: u.Into}})
}

// Done reports whether the folder is there (it appears whole or not at all) or
// is not needed any more; for a removal, whether it is gone.
func (Unpack) Done(_ context.Context, s step.Step) (bool, error) {
	if s.Action == step.Remove || s.Action == step.Tidy {
		return Removed(s.Take)
	}
	u, err := step.As[*step.Unpack](s)
	if err != nil {
		return false, err
	}
	for _, dir := range []string{u.Product, u.Into} {
		if dir == "" {
			continue
		}
		if there, err := Exists(dir); err != nil || there {
			return there, err
		}
	}
	return false, nil
}

// Do unpacks, or removes. The errors are those of archive.Extract.
func (m Unpack) Do(ctx context.Context, s step.Step, tell func(step.Progress)) error {
	tell(step.Progress{Phase: step.Installing, Percent: -1, Message: s.Title})
	if s.Action == step.Remove || s.Action == step.Tidy {
		return Remove(ctx, s.Take)
	}
	u, err := step.As[*step.Unpack](s)
	if err != nil {
		return err
	}
	path, err := m.Store.Get(ctx, store.Sum(u.SHA256), u.Size)
	if err != nil {
		return lang.Errorf("take the archive out of the store: %w", err)
	}
	o := archive.Options{Strip: u.Strip}
	if len(u.Files) > 0 {
		o.Pick = func(name string) string { return u.Files[name] }
	}
	res, err := archive.Extract(ctx, path, archive.Format(u.Format), u.Into, o)
	if err != nil {
		return err
	}
	if n := len(u.Files); n > 0 && res.Files != n {
		return errors.Join(lang.Errorf("the archive holds %d of the %d files that were wanted", res.Files, n), RemoveTree(u.Into))
	}
	return nil
}

// Sweep removes a folder that is not whole.
func (Unpack) Sweep(s step.Step) error {
	var into []string
	if u, ok := s.With.(*step.Unpack); ok {
		into = []string{u.Into}
	}
	return SweepPartial(s, into...)
}

// Room is beside the folder.
func (Unpack) Room(s step.Step) (string, int64) {
	if u, ok := s.With.(*step.Unpack); ok {
		return Beside(u.Into, s.Cost.DiskBytes)
	}
	return "", 0
}

// Beside is the folder of a path and the bytes that the path needs there: none
// when it is there, since it appears whole or not at all.
func Beside(path string, bytes int64) (string, int64) {
	if _, err := os.Lstat(path); err == nil {
		bytes = 0
	}
	return filepath.Dir(path), bytes
}

// Describe names the folder.
func (Unpack) Describe(s step.Step) (label, text string) {
	u, ok := s.With.(*step.Unpack)
	switch {
	case !ok:
		return "does", lang.T("nothing")
	case len(u.Files) == 1:
		return "does", lang.F("takes 1 file out of the archive into %s", u.Into)
	case len(u.Files) > 0:
		return "does", lang.F("takes %d files out of the archive into %s", len(u.Files), u.Into)
	}
	return "does", lang.F("unpacks into %s", u.Into)
}

// Export is the same archive and folder; of a removal, the folders that only
// other steps needed.
func (Unpack) Export(s step.Step) mechanism.Script {
	var x mechanism.Script
	if u, ok := s.With.(*step.Unpack); ok && s.Action == step.Install {
		if x.With = u; !u.Work {
			x.Undo = lang.F("remove the folder %s", step.Clean(u.Into, 300))
		}
		return x
	}
	for _, t := range s.Take {
		if t.Version == Scratch {
			x.Remove = append(x.Remove, t.Name)
		}
	}
	return x
}

// Place is the mechanism "place": a file of the store at a path.
type Place struct{ Store *store.Store }

// State is the file's digest.
func (Place) State(ctx context.Context, s step.Step) (map[string]string, error) {
	if s.Action == step.Remove {
		return Takes(ctx, s.Take)
	}
	f, err := step.As[*step.Place](s)
	if err != nil {
		return nil, err
	}
	return Takes(ctx, []step.Take{{Name: f.Path}})
}

// Done reports whether the file is there with the right bytes; for a removal,
// whether it is gone.
func (p Place) Done(ctx context.Context, s step.Step) (bool, error) {
	if s.Action == step.Remove {
		return Removed(s.Take)
	}
	f, err := step.As[*step.Place](s)
	if err != nil {
		return false, err
	}
	state, err := p.State(ctx, s)
	return err == nil && state[f.Path] == "sha256:"+f.SHA256, err
}

// Do places or removes the file. Another file of the name is somebody else's
// and stays: the failure is Changed.
func (p Place) Do(ctx context.Context, s step.Step, _ func(step.Progress)) error {
	if s.Action == step.Remove {
		return Remove(ctx, s.Take)
	}
	f, err := step.As[*step.Place](s)
	if err != nil {
		return err
	}
	if there, err := Exists(f.Path); err != nil || there {
		if err == nil {
			err = &step.Failure{Kind: step.Changed, Cause: lang.F("%s is there already and is another file", f.Path), Next: lang.T("move it away if it is not wanted, then run deployctl again")}
		}
		return err
	}
	if _, err := p.Store.Get(ctx, store.Sum(f.SHA256), f.Size); err != nil {
		return lang.Errorf("take the file out of the store: %w", err)
	}
	return p.Store.Place(ctx, store.Sum(f.SHA256), f.Path)
}

// Sweep removes a file that is not whole.
func (Place) Sweep(s step.Step) error {
	if f, ok := s.With.(*step.Place); ok {
		// The store's name for it is the same, of a file.
		if err := os.Remove(durable.Partial(f.Path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return store.Explain(f.Path, err)
		}
	}
	return SweepPartial(s)
}

// Room is the file's folder.
func (Place) Room(s step.Step) (string, int64) {
	if f, ok := s.With.(*step.Place); ok {
		return Beside(f.Path, s.Cost.DiskBytes)
	}
	return "", 0
}

// Describe names the file.
func (Place) Describe(s step.Step) (label, text string) {
	if f, ok := s.With.(*step.Place); ok {
		return "does", lang.F("puts a file at %s", f.Path)
	}
	return "does", lang.T("nothing")
}

// Export is the same file.
func (Place) Export(s step.Step) mechanism.Script {
	f, ok := s.With.(*step.Place)
	if !ok {
		return mechanism.Script{}
	}
	return mechanism.Script{With: f, Undo: lang.F("remove the file %s", step.Clean(f.Path, 300))}
}

func Exists(path string) (bool, error) {
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
		there, err := Exists(t.Name)
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

// Remains is Takes for a removal. What an earlier one renamed and could not remove,
// because a program came to hold it, is still there.
func Remains(ctx context.Context, takes []step.Take) (map[string]string, error) {
	state, err := Takes(ctx, takes)
	for _, t := range takes {
		if _, there := state[t.Name]; there || err != nil {
			continue
		}
		var half bool
		if half, err = Exists(durable.Partial(t.Name)); half {
			state[t.Name] = t.Version
		}
	}
	return state, err
}

// Removed reports whether nothing remains of what is to be taken back.
func Removed(takes []step.Take) (bool, error) {
	for _, t := range takes {
		for _, name := range []string{t.Name, durable.Partial(t.Name)} {
			if there, err := Exists(name); err != nil || there {
				return false, err
			}
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
			return &step.Failure{Kind: step.Changed, Cause: lang.F("%s was changed since deployctl made it", t.Name), Next: lang.T("look at it and remove it by hand if it is not wanted")}
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
	going := durable.Partial(path)
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
	// A folder of which a file is in use stays whole: Windows refuses to rename most of
	// these, but not those of loaded DLLs, nor any on some network drives.
	err = inuse.Held(archive.Files(path))
	// The name goes first.
	if err == nil {
		err = durable.Rename(path, going)
	}
	if inuse.Is(err) {
		by, next := inuse.Advice(archive.Files(path)...)
		return &step.Failure{Kind: step.Locked, Err: err, Cause: lang.F("%s %s", path, by), Next: lang.F("%s, then run this again", next)}
	}
	if err != nil {
		return store.Explain(path, err)
	}
	return archive.RemovePartial(going)
}

// SweepPartial removes what a killed run may have left unfinished of folders, and
// of what the step takes back.
func SweepPartial(s step.Step, folders ...string) error {
	for _, t := range s.Take {
		folders = append(folders, t.Name)
	}
	for _, p := range folders {
		if !filepath.IsAbs(p) {
			continue
		}
		if err := archive.RemovePartial(durable.Partial(p)); err != nil {
			return err
		}
	}
	return nil
}
