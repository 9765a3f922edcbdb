// Package compile owns how an engine's worker becomes a program in the cache: it
// is compiled once from source that this program carries, by one process at a
// time, kept with a seal, and trusted only while nobody else could have changed
// it. What is compiled and with which flags is the engine's own.
package compile

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/engine"
)

// Program is a worker that is compiled on this machine.
type Program struct {
	// Engine names the folder in the cache and the worker in messages.
	Engine string
	// Cache is deployctl's cache folder; programs are in Cache/workers/Engine.
	Cache string
	// Recipe lists everything that decides what the program becomes.
	Recipe []string
	// Fresh compiles it even if there is one.
	Fresh bool
	// Build compiles it to the file Exe() in dir.
	Build func(ctx context.Context, dir string, progress engine.Progress) error
}

// manifest lies beside a finished worker. It is written last, so a folder
// without one is not finished.
type manifest struct {
	Key    string `json:"key"`
	SHA256 string `json:"sha256"`
	// Recipe repeats what the key was made from, for people.
	Recipe []string  `json:"recipe"`
	Built  time.Time `json:"built"`
	Took   float64   `json:"took_s"`
	// Seal shows that this cache's owner built it (cache.Seal of Key and SHA256).
	Seal string `json:"seal"`
}

// Exe is the name of the program's file.
func Exe() string {
	if runtime.GOOS == "windows" {
		return "worker.exe"
	}
	return "worker"
}

// Prepare finds the program in the cache or compiles it. took is 0 when it was
// there.
func (p Program) Prepare(ctx context.Context, progress engine.Progress) (exe string, took time.Duration, err error) {
	sum := sha256.Sum256([]byte(strings.Join(p.Recipe, "\x00")))
	key := hex.EncodeToString(sum[:])[:20]
	dir := filepath.Join(p.Cache, "workers", p.Engine, key)

	// What another user could have put there is removed, not run.
	if _, err := cache.Secure(p.Cache, "workers", p.Engine); err != nil {
		return "", 0, err
	}
	if exe, ok := p.cached(dir, key); ok && !p.Fresh {
		return exe, 0, nil
	}
	lock := flock.New(dir + ".lock")
	if err := p.acquire(ctx, lock, progress); err != nil {
		return "", 0, err
	}
	exe, took, err = p.locked(ctx, dir, key, progress)
	if unlockErr := lock.Unlock(); err == nil && unlockErr != nil {
		err = lang.Errorf("unlock %s: %w", lock.Path(), unlockErr)
	}
	return exe, took, err
}

// locked builds while no other process does. Another may have finished while
// this one waited; took is 0 then.
func (p Program) locked(ctx context.Context, dir, key string, progress engine.Progress) (string, time.Duration, error) {
	if exe, ok := p.cached(dir, key); ok && !p.Fresh {
		return exe, 0, nil
	}
	// Under the lock nobody else uses these: leftovers of a killed build, or a
	// damaged worker.
	stale, err := filepath.Glob(dir + ".build-*")
	if err != nil {
		return "", 0, lang.Errorf("look for unfinished builds: %w", err)
	}
	for _, old := range append(stale, dir) {
		if err := os.RemoveAll(old); err != nil {
			return "", 0, cache.Explain(old, 0, err)
		}
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), key+".build-*")
	if err != nil {
		return "", 0, cache.Explain(filepath.Dir(dir), 0, err)
	}
	begin := time.Now()
	err = p.Build(ctx, tmp, progress)
	took := time.Since(begin)
	if err == nil {
		err = p.finish(tmp, dir, key, took)
	}
	if err != nil {
		return "", 0, errors.Join(err, os.RemoveAll(tmp))
	}
	return filepath.Join(dir, Exe()), took, nil
}

func (p Program) finish(tmp, dir, key string, took time.Duration) error {
	sum, err := hashFile(filepath.Join(tmp, Exe()))
	if err != nil {
		return lang.Errorf("hash the worker: %w", err)
	}
	seal, err := cache.Seal(p.Cache, p.Engine, key, sum)
	if err != nil {
		return err
	}
	m, err := json.MarshalIndent(manifest{key, sum, p.Recipe, time.Now().UTC(), took.Seconds(), seal}, "", "  ")
	if err != nil {
		return lang.Errorf("describe the worker: %w", err)
	}
	if err := cache.WriteBytes(filepath.Join(tmp, "manifest.json"), m); err != nil {
		return err
	}
	return cache.Explain(dir, 0, durable.Rename(tmp, dir))
}

// cached reports a finished worker whose bytes are those that were built here,
// by this user, and that no other user can change before it runs.
func (p Program) cached(dir, key string) (string, bool) {
	file := filepath.Join(dir, "manifest.json")
	if cache.Trusted(p.Cache, file) != nil || cache.Trusted(p.Cache, filepath.Join(dir, Exe())) != nil {
		return "", false
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", false
	}
	var m manifest
	if json.Unmarshal(raw, &m) != nil || m.Key != key || !cache.Sealed(p.Cache, m.Seal, p.Engine, key, m.SHA256) {
		return "", false
	}
	exe := filepath.Join(dir, Exe())
	sum, err := hashFile(exe)
	cache.Touch(dir)
	return exe, err == nil && sum == m.SHA256
}

func hashFile(name string) (string, error) {
	raw, err := os.ReadFile(name) // a worker has 4 MB
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}

// acquire waits for a build of the same worker by another process.
func (p Program) acquire(ctx context.Context, lock *flock.Flock, progress engine.Progress) error {
	ok, err := lock.TryLock()
	if err != nil {
		return cache.Explain(lock.Path(), 0, err)
	}
	if ok {
		return nil
	}
	progress.Start(lang.F("another deployctl is compiling the %s worker", p.Engine), -1)
	defer progress.Done()
	_, err = lock.TryLockContext(ctx, 200*time.Millisecond)
	if err != nil {
		return lang.Errorf("wait for another deployctl that compiles the %s worker: %w", p.Engine, err)
	}
	return nil
}

// Source reads the files of a worker, each by its own name, without their tests.
func Source(trees ...fs.FS) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, tree := range trees {
		err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.go") {
				return err
			}
			text, err := fs.ReadFile(tree, name)
			files[d.Name()] = text
			return err
		})
		if err != nil {
			return nil, lang.Errorf("read the worker's source: %w", err)
		}
	}
	return files, nil
}

// Write writes the files of a worker's module to dir.
func Write(dir string, files map[string][]byte) error {
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return cache.Explain(filepath.Join(dir, name), int64(len(text)), err)
		}
	}
	return nil
}

// Sum is a hash of files with their names.
func Sum(files map[string][]byte) string {
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	sum := sha256.New()
	for _, name := range names {
		fmt.Fprintf(sum, "%s %d\n", name, len(files[name])) //nolint:errcheck // a hash cannot fail
		sum.Write(files[name])                              //nolint:errcheck // a hash cannot fail
	}
	return hex.EncodeToString(sum.Sum(nil))
}
