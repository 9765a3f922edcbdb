// Package models owns the list of published model files and where they lie on
// this machine: models/ beneath the cache folder, where verify looks for
// yolov3.weights. It must never run a model, and never leave a file there whose
// bytes are not the published ones.
//
// Not run against the real mirrors: the tests use a server on this machine with
// files of their own.
package models

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"

	"github.com/deployctl/deployctl/installers/download"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/recipes/near"
)

//go:embed models.yaml
var list []byte

// Model is one published file.
type Model struct {
	Name string `yaml:"name"`
	// File is its name in the models folder.
	File    string    `yaml:"file"`
	About   string    `yaml:"about"`
	Size    int64     `yaml:"size"` // bytes
	SHA256  store.Sum `yaml:"sha256"`
	Mirrors []string  `yaml:"mirrors"`
}

// Artifact is the model as something to fetch.
func (m Model) Artifact() download.Artifact {
	return download.Artifact{Name: m.File, Size: m.Size, SHA256: m.SHA256, Mirrors: m.Mirrors}
}

// Path is where the model lies, or would, beneath a cache folder.
func (m Model) Path(cache string) string { return filepath.Join(cache, "models", m.File) }

// Here reports whether a file of the model's size is in its place. The bytes
// are not looked at; Pull and verify do that.
func (m Model) Here(cache string) bool {
	info, err := os.Stat(m.Path(cache))
	return err == nil && info.Mode().IsRegular() && info.Size() == m.Size
}

// Known is the embedded list.
func Known() ([]Model, error) { return Parse(list) }

// plain is what a name may look like: it becomes a file's name.
var plain = lazyregexp.New(`^[a-z0-9][a-z0-9._-]{0,60}$`)

// Parse reads a list. Every entry needs a name of its own, a size, a sha256 and
// an https mirror.
func Parse(data []byte) ([]Model, error) {
	var doc struct {
		Models []Model `yaml:"models"`
	}
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict()).Decode(&doc); err != nil {
		return nil, lang.Errorf("read the list of models: %w", err)
	}
	seen := map[string]bool{}
	for _, m := range doc.Models {
		if !plain.MatchString(m.Name) || !plain.MatchString(m.File) {
			return nil, lang.Errorf("read the list of models: %q in %q is not a plain name", step.Clean(m.Name, 60), step.Clean(m.File, 60))
		}
		if seen[m.Name] || seen["file "+m.File] {
			return nil, lang.Errorf("read the list of models: %s or its file is there twice", m.Name)
		}
		seen[m.Name], seen["file "+m.File] = true, true
		if err := m.Artifact().Check(false); err != nil {
			return nil, lang.Errorf("read the list of models: %w", err)
		}
	}
	return doc.Models, nil
}

// UnknownError names a model that is not in the list.
type UnknownError struct {
	Name  string
	Known []string
}

// Error is one sentence with the names that are known.
func (e *UnknownError) Error() string {
	return near.Unknown(lang.T("the model"), step.Clean(e.Name, 60), e.Known).Error()
}

// Find gives the model with a name; the error is an *UnknownError.
func Find(all []Model, name string) (Model, error) {
	e := &UnknownError{Name: name}
	for _, m := range all {
		if m.Name == name {
			return m, nil
		}
		e.Known = append(e.Known, m.Name)
	}
	return Model{}, e
}

// Pull puts a model in its place beneath the cache folder and gives its path:
// from there when the bytes are right, from the store, or from a mirror.
// o.Store is set here. The errors are those of download.Fetch and of writing.
func Pull(ctx context.Context, m Model, cache string, o download.Options) (string, error) {
	path := m.Path(cache)
	if m.Here(cache) {
		sum, err := store.Hash(ctx, path)
		if err != nil {
			return "", lang.Errorf("look at the model that is there: %w", err)
		}
		if sum == m.SHA256 {
			return path, nil
		}
	}
	o.Store = store.New(cache)
	if _, err := download.Fetch(ctx, m.Artifact(), o); err != nil {
		return "", err
	}
	return path, o.Store.Place(ctx, m.SHA256, path)
}

// ErrChanged marks a model whose bytes are not the published ones.
var ErrChanged = lang.New("not the published file")

// Verify reads the model's file in the cache and compares it with the published one.
// The error is fs.ErrNotExist where there is none, and ErrChanged where it differs.
func Verify(ctx context.Context, m Model, cache string) error {
	path := m.Path(cache)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return lang.Errorf("verify %s: %w", m.Name, err)
	case info.Size() != m.Size:
		return lang.Errorf("%s has %d bytes, not %d: %w", path, info.Size(), m.Size, ErrChanged)
	}
	sum, err := store.Hash(ctx, path)
	if err != nil {
		return lang.Errorf("verify %s: %w", m.Name, err)
	}
	if sum != m.SHA256 {
		return lang.Errorf("%s has the SHA-256 %s, not %s: %w", path, sum, m.SHA256, ErrChanged)
	}
	return nil
}

// StrangeError says that a file is none of the models.
type StrangeError struct {
	Path   string
	Size   int64
	SHA256 store.Sum // "" when its size alone told
	// Like is the model of the same size, if any.
	Like string
}

// Error is one sentence.
func (e *StrangeError) Error() string {
	if e.Like != "" {
		return lang.F("%s has the size of %s and other bytes (sha256 %s): it is damaged or was trained by someone else; use it with --weights", e.Path, e.Like, e.SHA256)
	}
	return lang.F("%s has %d bytes, which is the size of none of the published models: it is cut short or another file; use it with --weights", e.Path, e.Size)
}

// Import puts a file that was brought here by hand in the place of the model
// that it is, whatever its name. The file stays where it is. The error is a
// *StrangeError when it is none.
func Import(ctx context.Context, all []Model, cache, file string) (Model, string, error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Model{}, "", lang.Errorf("there is no file %s", file)
	case err != nil:
		return Model{}, "", lang.Errorf("import a model: %w", err)
	case !info.Mode().IsRegular():
		return Model{}, "", lang.Errorf("%s is not a regular file", file)
	}
	strange := &StrangeError{Path: file, Size: info.Size()}
	for _, m := range all {
		if m.Size != info.Size() {
			continue
		}
		if strange.SHA256 == "" {
			if strange.SHA256, err = store.Hash(ctx, file); err != nil {
				return Model{}, "", lang.Errorf("import a model: %w", err)
			}
		}
		if strange.Like = m.Name; strange.SHA256 != m.SHA256 {
			continue
		}
		s := store.New(cache)
		if _, err := download.Import(ctx, m.Artifact(), s, file); err != nil {
			return m, "", err
		}
		return m, m.Path(cache), s.Place(ctx, m.SHA256, m.Path(cache))
	}
	return Model{}, "", strange
}
