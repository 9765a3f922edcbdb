package files

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

	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/store"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Digest names the content of a file ("sha256:…", of its bytes) or a folder
// ("tree:…"). A tree's digest is the SHA-256 over one line an entry, in lexical
// order: path beneath it, kind, permission to execute, and the bytes' SHA-256
// or the link's target. Times and owners do not count.
func Digest(ctx context.Context, path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return "", store.Explain(path, err)
	}
	buf := make([]byte, 1<<20)
	if !info.IsDir() {
		line, err := entry(path, info, buf)
		return "sha256:" + line, err
	}
	h := sha256.New()
	err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || name == path {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(path, name)
		if err != nil {
			return err
		}
		what := "folder"
		if !d.IsDir() {
			if what, err = entry(name, info, buf); err != nil {
				return err
			}
		}
		fmt.Fprintf(h, "%q %s\n", filepath.ToSlash(rel), what)
		return nil
	})
	if err != nil {
		var held *step.Failure
		if errors.As(store.Explain(path, err), &held) && held.Kind == step.Locked {
			return "", held
		}
		return "", lang.Errorf("take the digest of %s: %w", path, err)
	}
	return "tree:" + hex.EncodeToString(h.Sum(nil)), nil
}

// entry is what a file is: its bytes' hash for a regular one.
func entry(name string, info fs.FileInfo, buf []byte) (string, error) {
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(name)
		return fmt.Sprintf("link %q", to), err
	case !info.Mode().IsRegular():
		return "special " + info.Mode().Type().String(), nil
	}
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	_, err = io.CopyBuffer(h, struct{ io.Reader }{f}, buf)
	if err := errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	if info.Mode()&0o111 != 0 && filepath.Separator == '/' {
		sum += " x"
	}
	return sum, nil
}
