package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// account is a user that the proof runs as.
type account struct {
	name string
	uid  int
	env  []string
	base string // a cache that this user filled
}

// other is the user that plants things; nobody of that number need exist.
const other, user = 54321, 54322

// plant is a cache that was damaged or that somebody else wrote to.
type plant struct {
	name, what string
	spoil      func(cache folder) error
	args       []string
	// reason is a pattern of what must be said; "": it must pass, without what
	// was planted.
	reason string
	// asUser is the reason where only root can take away what was planted.
	asUser string
	// used: the worker and the reference that lie there may be used.
	used bool
	// model: the proof is of the published network, whose weights lie in the cache.
	model bool
}

// folder is the cache of a case.
type folder struct {
	dir, mark string // mark is a file that a planted worker makes
	uid       int
}

func (f folder) path(name string) string { return filepath.Join(f.dir, name) }

// away is where a file is kept outside the cache.
func (f folder) away(file string) string { return filepath.Join(f.dir+"-away", filepath.Base(file)) }

// one finds the only file of a pattern.
func (f folder) one(pattern string) (string, error) {
	list, err := filepath.Glob(f.path(pattern))
	if err != nil || len(list) != 1 {
		return "", fmt.Errorf("%s: %d files: %w", pattern, len(list), err)
	}
	return list[0], nil
}

// on does something to the only file of a pattern.
func on(pattern string, do func(f folder, file string) error) func(folder) error {
	return func(f folder) error {
		file, err := f.one(pattern)
		if err != nil {
			return err
		}
		return do(f, file)
	}
}

func mode(m os.FileMode) func(folder, string) error {
	return func(_ folder, file string) error { return os.Chmod(file, m) }
}

// given is what another user owns.
func given(_ folder, file string) error { return os.Lchown(file, other, -1) }

// grouped is what a group of others may write to.
func grouped(f folder, file string) error {
	return errors.Join(os.Lchown(file, f.uid, other), os.Chmod(file, 0o770))
}

// linked is a link of another user's to a copy that is that user's, too.
func linked(f folder, file string) error {
	away := f.away(file)
	return errors.Join(os.Rename(file, away), os.Lchown(away, other, other), os.Symlink(away, file), os.Lchown(file, other, other))
}

// joined is a second name of a file that another user owns and may change.
func joined(f folder, file string) error {
	away := f.away(file)
	return errors.Join(os.Rename(file, away), os.Lchown(away, other, other), os.Chmod(away, 0o755), os.Link(away, file))
}

func cut(_ folder, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	return os.Truncate(file, info.Size()/2)
}

// replaced is a file in place of a folder.
func replaced(f folder, dir string) error {
	return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600), os.Lchown(dir, f.uid, f.uid))
}

// forgedWorker is a program of somebody else's; its manifest matches.
func forgedWorker(f folder, file string) error {
	text := fmt.Appendf(nil, "#!/bin/sh\ntouch %s\n", f.mark)
	sum := sha256.Sum256(text)
	manifest := filepath.Join(filepath.Dir(file), "manifest.json")
	raw, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	m["sha256"] = hex.EncodeToString(sum[:])
	if raw, err = json.Marshal(m); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(file, text, 0o755), os.WriteFile(manifest, raw, 0o600))
}

// forgedReference has another value; its own hash matches.
func forgedReference(_ folder, file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	line, values, _ := bytes.Cut(raw, []byte("\n"))
	var m map[string]any
	if err := json.Unmarshal(line, &m); err != nil {
		return err
	}
	values[3] ^= 0x80 // the sign of the first
	sum := sha256.Sum256(values)
	m["sha256"] = hex.EncodeToString(sum[:])
	if line, err = json.Marshal(m); err != nil {
		return err
	}
	return os.WriteFile(file, append(append(line, '\n'), values...), 0o600)
}

// weights puts a file of the right size in place of the published weights.
func weights(change func(folder, string) error) func(folder) error {
	return func(f folder) error {
		dir, file := f.path("models"), f.path("models/yolov3.weights")
		err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(file, nil, 0o600), os.Truncate(file, 248007048),
			os.Lchown(dir, f.uid, f.uid), os.Lchown(file, f.uid, f.uid))
		if err != nil || change == nil {
			return err
		}
		return change(f, file)
	}
}

func plants() []plant {
	const distrust = `cannot be trusted`
	return []plant{
		{name: "untouched", what: "nothing was changed", used: true},
		{name: "fresh", what: "--fresh, with a sound cache", args: []string{"--fresh"}},
		{name: "forged", what: "a worker with a matching manifest, a reference with a matching hash", spoil: files(forgedWorker, forgedReference)},
		{name: "cut", what: "half a worker, half a reference", spoil: files(cut, cut)},
		{name: "given", what: "a worker and a reference that another user owns", spoil: files(given, given)},
		{name: "open", what: "the same that all may write to", spoil: files(mode(0o777), mode(0o666))},
		{name: "joined", what: "the same as hard links to another user's files", spoil: files(joined, joined)},
		{name: "linked", what: "the same as another user's symbolic links", spoil: files(linked, linked)},
		{name: "folders-given", what: "their folders belong to another user", spoil: folders(given), asUser: distrust},
		{name: "folders-open", what: "all may write to their folders", spoil: folders(mode(0o777))},
		{name: "folders-grouped", what: "a group may write to their folders", spoil: folders(grouped)},
		{name: "folders-linked", what: "their folders are another user's symbolic links", spoil: folders(linked)},
		{name: "folders-file", what: "files in place of their folders", spoil: folders(replaced)},
		{name: "secret-open", what: "a key that all may read", spoil: on("secret", mode(0o644))},
		{name: "secret-given", what: "a key that another user owns and knows", spoil: on("secret", given)},
		{name: "secret-cut", what: "half a key", spoil: on("secret", cut)},
		{name: "cache-open", what: "a cache that all may write to", spoil: func(f folder) error { return os.Chmod(f.dir, 0o777) }, reason: distrust},
		{name: "cache-given", what: "a cache that another user owns", spoil: func(f folder) error { return errors.Join(os.Chmod(f.dir, 0o755), os.Lchown(f.dir, other, -1)) }, reason: distrust + "|permission denied"},
		{name: "weights-forged", what: "other weights in place of the published ones", spoil: weights(nil), model: true, reason: `is not the published file`},
		{name: "weights-open", what: "published weights that all may write to", spoil: weights(mode(0o666)), model: true, reason: distrust},
		{name: "weights-given", what: "published weights that another user owns", spoil: weights(given), model: true, reason: distrust},
		{name: "weights-linked", what: "published weights behind another user's symbolic link", spoil: weights(linked), model: true, reason: distrust},
		{name: "weights-joined", what: "published weights that are a hard link to another user's file", spoil: weights(joined), model: true, reason: distrust},
	}
}

// files does something to the worker and to the reference.
func files(worker, reference func(folder, string) error) func(folder) error {
	return func(f folder) error {
		return errors.Join(on("workers/gocv/*/worker", worker)(f), on("reference/*.heads", reference)(f))
	}
}

// folders does something to the folders they lie in.
func folders(do func(folder, string) error) func(folder) error {
	return func(f folder) error { return errors.Join(on("workers", do)(f), on("reference", do)(f)) }
}

// accounts are root and a user, each with a cache filled by a proof. Who is not
// root cannot give files away.
func (s *suite) accounts(ctx context.Context) ([]account, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("planted caches are tried as root, who can give files to others: run it as root, or choose other cases with -only")
	}
	list := []account{{name: "root", env: []string{"GOCACHE=" + s.goCache, "GOMODCACHE=" + s.goModules}}}
	home := filepath.Join(s.dir, "user")
	list = append(list, account{name: "user", uid: user, env: []string{
		"HOME=" + home, "GOCACHE=" + filepath.Join(home, "build"), "GOMODCACHE=" + filepath.Join(home, "modules"), "TMPDIR=" + home,
	}})
	// The user needs the module that the worker is compiled from; root's own
	// cache is closed to others.
	marks := filepath.Join(s.dir, "marks")
	err := errors.Join(os.Mkdir(home, 0o755), os.Mkdir(marks, 0o755), os.Chmod(marks, 0o777))
	for _, part := range []string{"gocv.io", "cache/download/gocv.io"} {
		to := filepath.Join(home, "modules", filepath.Dir(part))
		err = errors.Join(err, os.MkdirAll(to, 0o755))
		if out, cpErr := exec.CommandContext(ctx, "cp", "-a", filepath.Join(s.goModules, part), to).CombinedOutput(); cpErr != nil {
			err = errors.Join(err, fmt.Errorf("copy %s: %w: %s", part, cpErr, out))
		}
	}
	err = errors.Join(err, linkTree(ctx, s.goCache, filepath.Join(home, "build")), hand(ctx, home, user), os.Chmod(s.dir, 0o755))
	for _, file := range []string{s.small.config, s.small.weights} {
		err = errors.Join(err, os.Chmod(file, 0o644))
	}
	if err != nil {
		return nil, fmt.Errorf("make a user to run as: %w", err)
	}
	for i := range list {
		a := &list[i]
		a.base = filepath.Join(s.dir, "cache-"+a.name)
		r, err := s.run(s.as(ctx, *a, a.base, s.small))
		if err != nil {
			return nil, err
		}
		if got, ok := r.green(); !ok {
			return nil, fmt.Errorf("a new cache as %s: %s", a.name, got)
		}
	}
	return list, nil
}

// linkTree makes a folder with the same files, which take no space, so that what
// root compiled is not compiled once more.
func linkTree(ctx context.Context, from, to string) error {
	if out, err := exec.CommandContext(ctx, "cp", "-al", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("link %s: %w: %s", from, err, out)
	}
	return nil
}

// hand gives the folders below one to a user; the files may be root's, too.
func hand(ctx context.Context, dir string, uid int) error {
	if out, err := exec.CommandContext(ctx, "find", dir, "-type", "d", "-exec", "chown", fmt.Sprintf("%d:%d", uid, uid), "{}", "+").CombinedOutput(); err != nil {
		return fmt.Errorf("give %s away: %w: %s", dir, err, out)
	}
	return nil
}

// as is deployctl verify with a cache, as a user. A user's cache lies in a
// folder of root's, so it must be there already.
func (s *suite) as(ctx context.Context, a account, cache string, m model, args ...string) *exec.Cmd {
	if err := os.Mkdir(cache, 0o700); err == nil {
		_ = os.Chown(cache, a.uid, a.uid) // the proof will say that it cannot be used
	}
	c := s.command(ctx, m, append([]string{"--cache", cache}, args...)...)
	c.Env, c.Dir = append(c.Env, a.env...), "/"
	runAs(c, a.uid)
	return c
}

// planted tries one cache as one user.
func (s *suite) planted(ctx context.Context, a account, p plant) (row, error) {
	begin := time.Now()
	out := row{name: a.name + "-" + p.name, what: p.what}
	cache := filepath.Join(s.dir, "cache-"+out.name)
	f := folder{dir: cache, mark: filepath.Join(s.dir, "marks", out.name), uid: a.uid}
	if text, err := exec.CommandContext(ctx, "cp", "-a", a.base, cache).CombinedOutput(); err != nil {
		return out, fmt.Errorf("copy a cache: %w: %s", err, text)
	}
	if err := os.Mkdir(cache+"-away", 0o755); err != nil {
		return out, fmt.Errorf("make a folder for %s: %w", out.name, err)
	}
	if p.spoil != nil {
		if err := p.spoil(f); err != nil {
			return out, fmt.Errorf("%s: %w", out.name, err)
		}
	}
	m := s.small
	if p.model {
		m = model{}
	}
	r, err := s.run(s.as(ctx, a, cache, m, p.args...))
	if err != nil {
		return out, err
	}
	if a.uid != 0 && p.asUser != "" {
		p.reason = p.asUser
	}
	out.got, out.ok = p.judge(r)
	if _, err := os.Lstat(f.mark); err == nil {
		out.got, out.ok = "the planted worker was run", false
	}
	out.took = time.Since(begin)
	return out, errors.Join(os.RemoveAll(cache), os.RemoveAll(cache+"-away"))
}

func (p plant) judge(r report) (string, bool) {
	if p.reason != "" {
		return r.red(p.reason)
	}
	got, ok := r.green()
	switch {
	case !ok:
		return got, false
	case r.reused && !p.used:
		return "the reference that lay there was used", false
	case !r.built && !p.used:
		return "the worker that lay there was used", false
	case p.used && (!r.reused || r.built):
		return "a sound cache was not used", false
	case p.used:
		return got + ", from the cache", true
	}
	return got + ", both made anew", true
}
