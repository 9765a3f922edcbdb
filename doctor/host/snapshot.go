package host

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// A snapshot is a gzipped tar: snapshot.json holds the recording without the
// bytes of files, which lie beside it under files/, so that a person can read
// what is about to be sent.

const (
	snapshotIndex = "snapshot.json"
	// Limits on a snapshot that somebody else sent.
	maxSnapshot        = 256 << 20
	maxSnapshotEntries = 100_000
)

// snapshotFile is the form of one archive's index.
type snapshotFile struct {
	*Recording
	// Blobs maps recorded paths to names in the archive.
	Blobs map[string]string `json:"blobs"`
}

// WriteSnapshot writes the recording as one archive. The bytes depend on the
// recording alone.
func WriteSnapshot(w io.Writer, r *Recording) error {
	index := snapshotFile{Recording: &Recording{}, Blobs: map[string]string{}}
	*index.Recording = *r
	index.Files = map[string]File{}
	names := make([]string, 0, len(r.Files))
	for name := range r.Files {
		names = append(names, name)
	}
	slices.Sort(names)
	gz := gzip.NewWriter(w)
	tw := tar.NewWriter(gz)
	blob := func(name string, data []byte) error {
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: r.Time, Format: tar.FormatPAX}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		_, err := tw.Write(data)
		return err
	}
	type pending struct {
		name string
		data []byte
	}
	var blobs []pending
	for i, name := range names {
		f := r.Files[name]
		if len(f.Data) > 0 {
			at := fmt.Sprintf("files/%04d-%s", i, blobName(name))
			index.Blobs[name] = at
			blobs = append(blobs, pending{at, f.Data})
		}
		index.Files[name] = File{Truncated: f.Truncated, Err: f.Err}
	}
	data, err := json.MarshalIndent(index, "", " ")
	if err != nil {
		return lang.Errorf("encode the snapshot: %w", err)
	}
	// The index comes first, so that a reader need not seek.
	if err := blob(snapshotIndex, data); err != nil {
		return lang.Errorf("write the snapshot: %w", err)
	}
	for _, b := range blobs {
		if err := blob(b.name, b.data); err != nil {
			return lang.Errorf("write the snapshot: %w", err)
		}
	}
	if err := errors.Join(tw.Close(), gz.Close()); err != nil {
		return lang.Errorf("write the snapshot: %w", err)
	}
	return nil
}

var unsafeName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^A-Za-z0-9._+-]+`) })

func blobName(p string) string {
	return unsafeName().ReplaceAllString(path.Base(strings.ReplaceAll(p, `\`, "/")), "_")
}

// ReadSnapshot reads an archive that WriteSnapshot wrote. It unpacks into
// memory alone and refuses what is larger than a snapshot can be.
func ReadSnapshot(r io.Reader) (*Recording, error) {
	gz, err := gzip.NewReader(r)
	if err != nil {
		return nil, lang.Errorf("not a deployctl snapshot (not gzip): %w", err)
	}
	limited := &io.LimitedReader{R: gz, N: maxSnapshot}
	tr := tar.NewReader(limited)
	var index *snapshotFile
	blobs := map[string][]byte{}
	for n := 0; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, lang.Errorf("not a deployctl snapshot: %w", err)
		}
		if n >= maxSnapshotEntries {
			return nil, lang.Errorf("the snapshot has more than %d files", maxSnapshotEntries)
		}
		if h.Size > maxSnapshot {
			return nil, lang.Errorf("%s in the snapshot has %d bytes: %w", h.Name, h.Size, ErrTooLarge)
		}
		data, err := io.ReadAll(tr)
		if err != nil && limited.N == 0 {
			return nil, lang.Errorf("the snapshot has more than %d MiB: %w", maxSnapshot>>20, ErrTooLarge)
		}
		if err != nil {
			return nil, lang.Errorf("read %s in the snapshot: %w", h.Name, err)
		}
		if h.Name != snapshotIndex {
			blobs[h.Name] = data
			continue
		}
		index = &snapshotFile{Recording: NewRecording("", "", time.Time{})}
		if err := json.Unmarshal(data, index); err != nil {
			return nil, lang.Errorf("read %s in the snapshot: %w", snapshotIndex, err)
		}
	}
	if index == nil {
		return nil, lang.Errorf("not a deployctl snapshot: %s is missing", snapshotIndex)
	}
	if index.Schema != RecordingSchema {
		return nil, lang.Errorf("the snapshot has schema %d, this deployctl reads %d: use the deployctl that is as new as the one that made it", index.Schema, RecordingSchema)
	}
	for name, at := range index.Blobs {
		f, ok := index.Files[name]
		data, have := blobs[at]
		if !ok || !have {
			return nil, lang.Errorf("the snapshot is damaged: %s is missing", at)
		}
		f.Data = data
		index.Files[name] = f
	}
	return index.Recording, nil
}

// Identity is what a recording must not tell of its owner.
type Identity struct {
	User, HostName, Home string
}

// Names that say nothing about anybody and stand in many texts.
var commonNames = []string{"root", "user", "admin", "administrator", "localhost", "home", "test", "ubuntu", "debian", "runner", "vagrant"}

var secretName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(token|secret|passw|credential|api_?key|private_?key|auth)`)
})

// secret is one form of what must not leave the machine, and its replacement.
type secret struct {
	form *regexp.Regexp
	with string
}

// Forms of secrets and of identifying numbers wherever they stand.
var secrets = sync.OnceValue(func() []secret {
	return []secret{
		{regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)`), "REDACTED-PRIVATE-KEY"},
		{regexp.MustCompile(`://[^/\s:@]+:[^/\s@]+@`), "://REDACTED@"},
		{regexp.MustCompile(`\b(gh[pousr]_|github_pat_|glpat-|xox[abprs]-|npm_|hf_|sk-)[A-Za-z0-9_-]{16,}`), "REDACTED-TOKEN"},
		{regexp.MustCompile(`\bA(KIA|SIA)[0-9A-Z]{16}\b`), "REDACTED-TOKEN"},
		{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}`), "REDACTED-TOKEN"},
		{regexp.MustCompile(`(?i)\b(bearer|basic) [A-Za-z0-9+/._=-]{16,}`), "$1 REDACTED-TOKEN"},
		{regexp.MustCompile(`\bGPU-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "GPU-00000000-0000-0000-0000-000000000000"},
		{regexp.MustCompile(`\b[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}\b`), "somebody@example.invalid"},
		{regexp.MustCompile(`(?i)\b([0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b`), "00:00:00:00:00:00"},
		{regexp.MustCompile(`(?im)^(\s*serial( number)?\s*:\s*)\S+`), "${1}REDACTED"},
	}
})

// pair is a name of the owner and its replacement.
type pair struct {
	form *regexp.Regexp
	with string
}

// pairs are the names of the owner and the tokens that stand for them in texts of an
// operating system (GOOS).
func (id Identity) pairs(goos string) (pairs []pair) {
	home, user := "/home/user", "user"
	switch goos {
	case "windows":
		home = `C:\Users\user`
	case "darwin":
		home = "/Users/user"
	}
	add := func(name, with string, word bool) {
		if len(name) < 3 || slices.Contains(commonNames, strings.ToLower(name)) || name == "/" || name == "/root" {
			return
		}
		form := regexp.QuoteMeta(name)
		if word {
			form = `\b` + form + `\b`
		}
		pairs = append(pairs, pair{regexp.MustCompile("(?i)" + form), strings.ReplaceAll(with, "$", "$$")})
	}
	add(id.Home, home, false)
	add(strings.ReplaceAll(id.Home, `\`, "/"), strings.ReplaceAll(home, `\`, "/"), false)
	// Escaped, as in JSON files.
	add(strings.ReplaceAll(id.Home, `\`, `\\`), strings.ReplaceAll(home, `\`, `\\`), false)
	add(id.HostName, "host", true)
	add(id.User, user, true)
	return pairs
}

// RedactText replaces in a text what Redact replaces in a recording of an operating
// system (GOOS).
func RedactText(text, goos string, id Identity) string { return redacted(text, id.pairs(goos)) }

func redacted(text string, pairs []pair) string {
	for _, p := range pairs {
		text = p.form.ReplaceAllString(text, p.with)
	}
	for _, x := range secrets() {
		text = x.form.ReplaceAllString(text, x.with)
	}
	return text
}

// Redact replaces what identifies the owner: user and host names, home paths
// and secrets become stable tokens, the same everywhere, so that paths still
// agree with one another and the recording can be replayed.
func (r *Recording) Redact(id Identity) {
	pairs := id.pairs(r.OS)
	text := func(s string) string { return redacted(s, pairs) }
	blob := func(data []byte) []byte {
		if bytes.IndexByte(data, 0) < 0 {
			return []byte(text(string(data)))
		}
		// In a binary file offsets matter: the same length, filled up.
		for _, p := range pairs {
			data = p.form.ReplaceAllFunc(data, func(found []byte) []byte {
				return bytes.Repeat([]byte("x"), len(found))
			})
		}
		return data
	}
	r.Dir = text(r.Dir)
	for k, v := range r.Env {
		if v == nil {
			continue
		}
		s := text(*v)
		if secretName().MatchString(k) {
			s = "REDACTED"
		}
		r.Env[k] = &s
	}
	r.Files = remap(r.Files, text, func(f File) File { f.Data, f.Err = blob(f.Data), text(f.Err); return f })
	r.Dirs = remap(r.Dirs, text, func(l Listing) Listing {
		l.Err = text(l.Err)
		l.Entries = slices.Clone(l.Entries)
		for i := range l.Entries {
			l.Entries[i].Name = text(l.Entries[i].Name)
		}
		return l
	})
	r.Stats = remap(r.Stats, text, func(s StatAnswer) StatAnswer { s.Err, s.Info.Alias = text(s.Err), text(s.Info.Alias); return s })
	r.Resolved = remap(r.Resolved, text, func(p PathAnswer) PathAnswer { p.Path, p.Err = text(p.Path), text(p.Err); return p })
	r.Disks = remap(r.Disks, text, func(d DiskAnswer) DiskAnswer { d.Err = text(d.Err); return d })
	r.Registry = remap(r.Registry, text, func(k KeyAnswer) KeyAnswer {
		k.Err = text(k.Err)
		values := map[string]Value{}
		for name, v := range k.Key.Values {
			v.String = text(v.String)
			values[text(name)] = v
		}
		k.Key.Values = values
		return k
	})
	r.Runs = remap(r.Runs, text, func(a RunAnswer) RunAnswer {
		a.Err = text(a.Err)
		a.Output.Stdout, a.Output.Stderr = blob(a.Output.Stdout), blob(a.Output.Stderr)
		return a
	})
}

func remap[T any](m map[string]T, key func(string) string, value func(T) T) map[string]T {
	out := make(map[string]T, len(m))
	for k, v := range m {
		out[key(k)] = value(v)
	}
	return out
}
