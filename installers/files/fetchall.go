package files

import (
	"context"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// FetchAll is the mechanism "fetch-all": many files into the store in one step,
// each also by a name where a reader wants one. Both places are a cache:
// nothing of it is taken back.
type FetchAll struct {
	Options download.Options
	// Index fetches the files of projects; nil where there are none.
	Index Index
}

// together is how many files are fetched at once: enough that small files do
// not wait for one another's round trips, few enough for any mirror.
const together = 4

// State is empty: a cache is nobody's state.
func (FetchAll) State(context.Context, step.Step) (map[string]string, error) { return nil, nil }

// Done reports whether all files are in the store and have their names. The
// bytes are hashed.
func (f FetchAll) Done(ctx context.Context, s step.Step) (bool, error) {
	list, err := step.As[step.Files](s)
	if err != nil {
		return false, err
	}
	for _, file := range list {
		done, err := Fetch(f).here(ctx, file)
		if err != nil || !done {
			return false, err
		}
		if file.Path == "" {
			continue
		}
		if there, err := Exists(file.Path); err != nil || !there {
			return false, err
		}
	}
	return true, nil
}

// Do fetches what is missing and gives each file its name. It stops at the
// first file that cannot be had; the errors are those of download.Fetch.
func (f FetchAll) Do(ctx context.Context, s step.Step, tell func(step.Progress)) error {
	list, err := step.As[step.Files](s)
	if err != nil {
		return err
	}
	return f.Fetch(ctx, list, tell)
}

// Fetch is Do for a list of files.
func (f FetchAll) Fetch(ctx context.Context, list []step.Fetch, tell func(step.Progress)) error {
	if f.Options.Client == nil {
		f.Options.Client = download.NewClient() // one for all keeps connections
	}
	sum := &progress{done: make([]int64, len(list)), tell: tell}
	for _, file := range list {
		sum.total += file.Size
	}
	tell(step.Progress{Phase: step.Downloading, Percent: -1, Total: sum.total})
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(together)
	for i, file := range list {
		work.Go(func() error { return f.one(ctx, file, func(n int64) { sum.set(i, n) }) })
	}
	return work.Wait()
}

func (f FetchAll) one(ctx context.Context, file step.Fetch, tell func(int64)) error {
	o := f.Options
	o.AllowHTTP = o.AllowHTTP || file.Trusted
	o.Parts = 1 // there are several files at once already
	o.Progress = func(p download.Progress) { tell(p.Done) }
	if err := get(ctx, file, o, f.Index); err != nil {
		return err
	}
	tell(file.Size)
	if file.Path == "" {
		return nil
	}
	return o.Store.Place(ctx, store.Sum(file.SHA256), file.Path)
}

// Sweep leaves what was fetched so far: the next fetch goes on with it.
func (FetchAll) Sweep(step.Step) error { return nil }

// Room is the store, for what is not there yet.
func (f FetchAll) Room(s step.Step) (string, int64) {
	list, ok := s.With.(step.Files)
	if !ok || f.Options.Store == nil {
		return "", 0
	}
	var bytes int64
	for _, file := range list {
		bytes += missing(f.Options.Store, file)
	}
	return f.Options.Store.Folder(), bytes
}

// missing is how much of a file is still to be fetched.
func missing(s *store.Store, file step.Fetch) int64 {
	if !store.Sum(file.SHA256).Valid() || Stored(s, file) {
		return 0
	}
	part, _ := s.Partial(store.Sum(file.SHA256))
	if info, err := os.Lstat(part); err == nil {
		return max(0, file.Size-info.Size())
	}
	return file.Size
}

// Describe says how much comes from where.
func (FetchAll) Describe(s step.Step) (label, text string) {
	list, err := step.As[step.Files](s)
	if err != nil {
		return "does", "nothing"
	}
	hosts := map[string]bool{}
	var size int64
	for _, f := range list {
		size += f.Size
		for _, m := range f.Mirrors {
			if u, err := url.Parse(m); err == nil {
				hosts[u.Host] = true
			}
		}
	}
	return "does", lang.F("fetches what is not here yet of %s (%d bytes), each by its sha256, from %s", lang.Count(len(list), "file"), size,
		step.Clean(strings.Join(slices.Sorted(maps.Keys(hosts)), lang.T(", ")), 300))
}

// Export refuses: the files are a lockfile's.
func (FetchAll) Export(step.Step) mechanism.Script {
	return mechanism.Script{Refuse: mechanism.FromLockfile()}
}

// Stored reports whether the store has a file of the size by that name. The
// bytes are not looked at: it is good for an estimate.
func Stored(s *store.Store, f step.Fetch) bool {
	info, err := os.Lstat(s.Path(store.Sum(f.SHA256)))
	return err == nil && info.Mode().IsRegular() && info.Size() == f.Size
}

// progress adds up files that are fetched at the same time.
type progress struct {
	mu    sync.Mutex
	done  []int64
	sum   int64
	total int64
	tell  func(step.Progress)
}

func (p *progress) set(i int, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sum += n - p.done[i]
	p.done[i] = n
	p.tell(step.Progress{Phase: step.Downloading, Percent: -1, Bytes: p.sum, Total: p.total})
}
