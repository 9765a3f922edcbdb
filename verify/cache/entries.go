package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Limit is how much workers, references and converted models may take together;
// the longest unused go first. A worker has 5 to 15 MB, the reference of one
// picture and network about 5 MB, a converted YOLOv3 248 MB.
const Limit int64 = 1_000_000_000

const (
	// unused is how long an entry may lie unused.
	unused = 90 * 24 * time.Hour
	// busy is how long a used entry is left alone: another deployctl may be
	// about to run it.
	busy = time.Hour
)

// Kind is what an entry of the cache is.
type Kind string

// The kinds. Only the first four are removed without being asked for.
const (
	Leftover  Kind = "leftover" // of a run or a compilation that was killed
	Worker    Kind = "worker"
	Reference Kind = "reference"
	Converted Kind = "converted model"
	SelfTest  Kind = "self-test model"
	Download  Kind = "download" // published models and fetched files
	Log       Kind = "log"
	Other     Kind = "other"
)

// Entry is one thing that can be removed by itself.
type Entry struct {
	Kind Kind      `json:"kind"`
	Path string    `json:"path"`
	Size int64     `json:"size"`
	Used time.Time `json:"used"`
}

// Touch notes that an entry is used now. It is a note only: an entry that
// cannot be touched is pruned earlier.
func Touch(path string) {
	now := time.Now()
	_ = os.Chtimes(path, now, now) // see above
}

// List returns what is in the cache, the longest unused first. A cache that is
// not there is empty.
func List(root string) ([]Entry, error) {
	top, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, lang.Errorf("list the cache: %w", err)
	}
	var list []Entry
	for _, e := range top {
		found, err := entries(filepath.Join(root, e.Name()), e.Name())
		if err != nil {
			return nil, lang.Errorf("list the cache: %w", err)
		}
		list = append(list, found...)
	}
	slices.SortStableFunc(list, func(a, b Entry) int { return a.Used.Compare(b.Used) })
	return list, nil
}

// entries are those of one name in the root.
func entries(path, name string) ([]Entry, error) {
	switch name {
	case "secret": // of no size, and every seal depends on it
		return nil, nil
	case "workers":
		engines, err := children(path)
		var list []Entry
		for _, e := range engines {
			found, inner := each(e, func(name string) Kind {
				switch {
				case strings.HasSuffix(name, ".lock"):
					return "" // never removed: two processes could then hold one lock
				case strings.Contains(name, ".build-"):
					return Leftover
				}
				return Worker
			})
			list, err = append(list, found...), errors.Join(err, inner)
		}
		return list, err
	case "reference", "converted":
		kind := map[string]Kind{"reference": Reference, "converted": Converted}[name]
		return each(path, func(name string) Kind {
			if strings.HasPrefix(name, ".") {
				return Leftover
			}
			return kind
		})
	case "run":
		return each(path, func(name string) Kind {
			if strings.HasSuffix(name, ".lock") {
				return ""
			}
			return Leftover
		})
	case "models":
		return each(path, func(name string) Kind {
			if name == "self-test" {
				return SelfTest
			}
			return Download
		})
	case "store", "goproxy", "runtimes":
		return one(path, Download)
	case "logs":
		return one(path, Log)
	}
	return one(path, Other)
}

func children(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var list []string
	for _, e := range entries {
		list = append(list, filepath.Join(dir, e.Name()))
	}
	return list, err
}

// each makes an entry of every name in a folder that has a kind.
func each(dir string, kind func(name string) Kind) ([]Entry, error) {
	names, err := children(dir)
	var list []Entry
	for _, path := range names {
		k := kind(filepath.Base(path))
		if k == "" {
			continue
		}
		found, inner := one(path, k)
		list, err = append(list, found...), errors.Join(err, inner)
	}
	return list, err
}

// one measures a file or a folder. What vanishes meanwhile is not there.
func one(path string, kind Kind) ([]Entry, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	e := Entry{Kind: kind, Path: path, Used: info.ModTime()}
	err = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				e.Size += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return []Entry{e}, err
}

// made: deployctl makes it again by itself, in seconds.
func (k Kind) made() bool { return k == Worker || k == Reference || k == Converted }

// Pruning says what Prune removes.
type Pruning struct {
	// Limit for workers, references and converted models together; the longest unused go first.
	Limit int64
	// All removes what deployctl makes again by itself: workers, references,
	// converted models, the self-test model and logs. Downloads removes what it would fetch again.
	All, Downloads bool
}

// Prune removes leftovers, what was not used for 90 days, and what is beyond
// the limit, and returns what it removed. What was used within the last hour or
// is locked by another process stays.
func Prune(root string, p Pruning, now time.Time) ([]Entry, error) {
	list, err := List(root)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	if err := private(root); err != nil {
		return nil, err
	}
	var total int64
	for _, e := range list {
		if e.Kind.made() {
			total += e.Size
		}
	}
	var removed []Entry
	for _, e := range list {
		made := e.Kind.made()
		drop := e.Kind == Leftover ||
			made && (p.All || now.Sub(e.Used) > unused || total > p.Limit && now.Sub(e.Used) > busy) ||
			(e.Kind == SelfTest || e.Kind == Log) && p.All || e.Kind == Download && p.Downloads
		if !drop {
			continue
		}
		gone, rerr := remove(e, now)
		err = errors.Join(err, rerr)
		if gone {
			removed = append(removed, e)
		}
		if gone && made {
			total -= e.Size
		}
	}
	return removed, err
}

// remove takes an entry away unless a process that is at work has its lock. An
// entry without a lock file that is young may be about to get one.
func remove(e Entry, now time.Time) (bool, error) {
	name, _, _ := strings.Cut(e.Path, ".build-")
	file := name + ".lock"
	if _, err := os.Lstat(file); err == nil {
		lock := flock.New(file)
		ok, err := lock.TryLock()
		if err != nil {
			return false, Explain(file, 0, err)
		}
		if !ok {
			return false, nil
		}
		defer lock.Unlock() //nolint:errcheck // the process's end would do as well
	} else if e.Kind == Leftover && now.Sub(e.Used) < busy {
		return false, nil
	}
	if err := os.RemoveAll(e.Path); err != nil {
		return false, lang.Errorf("prune the cache: %w", err)
	}
	if e.Kind == Leftover && name == e.Path {
		// The lock of a run has a name of its own that nobody asks for again.
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return true, lang.Errorf("prune the cache: %w", err)
		}
	}
	return true, nil
}

// Scratch makes a folder of its own in root/run for one job. done removes it; a
// process that is killed leaves it to the next Prune, which sees by the lock
// that nobody is at work in it.
func Scratch(root string) (dir string, done func() error, err error) {
	run, err := Secure(root, "run")
	if err != nil {
		return "", nil, err
	}
	dir, err = os.MkdirTemp(run, "job-*")
	if err != nil {
		return "", nil, Explain(run, 0, err)
	}
	lock := flock.New(dir + ".lock")
	if ok, err := lock.TryLock(); err != nil || !ok {
		return "", nil, errors.Join(Explain(lock.Path(), 0, err), os.RemoveAll(dir))
	}
	return dir, func() error {
		return errors.Join(os.RemoveAll(dir), lock.Unlock(), ignoreMissing(os.Remove(lock.Path())))
	}, nil
}
