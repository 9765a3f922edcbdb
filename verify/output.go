package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/input"
	"github.com/deployctl/deployctl/verify/picture"
)

// CheckPicture refuses, before anything runs, a picture that could not be
// written, or that would replace an input or a file that is not a picture. It
// resolves links, so that what a link points to is what is replaced.
func (o *Options) CheckPicture() error {
	if o.Picture == "" {
		return nil
	}
	if !picture.Writes(o.Picture) {
		return &InputError{fmt.Sprintf("--picture %s: a picture is written as PNG or JPEG; end its name in .png, .jpg or .jpeg", o.Picture)}
	}
	place, err := destination(o.Picture)
	if err != nil {
		return err
	}
	if !picture.Writes(place) {
		return &InputError{fmt.Sprintf("--picture %s is a link to %s, which does not end in .png, .jpg or .jpeg", o.Picture, place)}
	}
	if err := o.spare(place); err != nil {
		return err
	}
	o.Picture = place
	return writableAt(place)
}

// destination is the file that a name means, links followed.
func destination(file string) (string, error) {
	info, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return file, nil
	case err != nil:
		return "", &InputError{fmt.Sprintf("--picture %s cannot be written: %v", file, cause(err))}
	case info.Mode()&fs.ModeSymlink == 0:
		return file, nil
	}
	place, err := filepath.EvalSymlinks(file)
	if err != nil {
		return "", &InputError{fmt.Sprintf("--picture %s is a link that leads nowhere: name another file, or remove it", file)}
	}
	return place, nil
}

func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// spare refuses to replace an input, by whatever name, or a file that is not a
// picture.
func (o *Options) spare(place string) error {
	there, err := os.Stat(place)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &InputError{fmt.Sprintf("--picture %s cannot be written: %v", place, cause(err))}
	}
	for _, in := range []struct{ flag, file string }{
		{"--image", o.Image}, {"--weights", o.Weights}, {"--cfg", o.Config}, {"--names", o.Names},
	} {
		if in.file == "" {
			continue
		}
		if info, err := os.Stat(in.file); err == nil && os.SameFile(info, there) {
			return &InputError{fmt.Sprintf("--picture %s is the file given with %s: name another file", place, in.flag)}
		}
	}
	if !there.Mode().IsRegular() {
		return &InputError{fmt.Sprintf("--picture %s cannot be written: %s", place, input.Kind(there.Mode()))}
	}
	// An empty file holds nothing that could be lost; mktemp makes such.
	if there.Size() > 0 && !picture.Is(place) {
		return &InputError{fmt.Sprintf("--picture %s exists and is not a picture: name another file, or remove it", place)}
	}
	return nil
}

// writableAt finds out early that a file could not be written later.
func writableAt(file string) error {
	dir := filepath.Dir(file)
	for {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			return &InputError{fmt.Sprintf("--picture %s cannot be written: %s is not a folder", file, dir)}
		}
		if err == nil {
			break
		}
		if up := filepath.Dir(dir); !errors.Is(err, fs.ErrNotExist) || up == dir {
			return &InputError{fmt.Sprintf("--picture %s cannot be written: %v", file, cause(err))}
		} else {
			dir = up
		}
	}
	f, err := os.CreateTemp(dir, ".deployctl-*")
	if err != nil {
		return &InputError{fmt.Sprintf("--picture %s cannot be written: %v", file, cause(err))}
	}
	return cache.Explain(file, 0, errors.Join(f.Close(), os.Remove(f.Name())))
}

// pictureName is the file in the cache for a network's boxes on a picture: one
// for each two of them.
func pictureName(m *model, image string, img *image.NRGBA) string {
	h := sha256.Sum256([]byte(m.weights.SHA256 + hashBytes(m.config, img.Pix)))
	scene := "scene"
	if image != "" {
		scene = strings.TrimSuffix(filepath.Base(image), filepath.Ext(image))
	}
	return fmt.Sprintf("%s-%s-%s.png", fileWord(m.net.Name), fileWord(scene), hex.EncodeToString(h[:4]))
}

// fileWord is a name without what file systems or shells could mind.
func fileWord(s string) string {
	const most = 40
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, s)
	return s[:min(len(s), most)]
}
