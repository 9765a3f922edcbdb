package verify

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"path/filepath"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/output"
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
		return &InputError{lang.F("--picture %s: a picture is written as PNG or JPEG; end its name in .png, .jpg or .jpeg", o.Picture)}
	}
	f := o.pictureFile()
	place, err := f.Place(o.Picture)
	if err != nil {
		return refused(err)
	}
	if !picture.Writes(place) {
		return &InputError{lang.F("--picture %s is a link to %s, which does not end in .png, .jpg or .jpeg", o.Picture, place)}
	}
	if err := f.Check(place); err != nil {
		return refused(err)
	}
	o.Picture = place
	return refused(f.Writable(place))
}

func (o *Options) pictureFile() output.File {
	return output.File{Flag: "--picture", Kind: "a picture", Is: picture.Is, Inputs: []output.Input{
		{Flag: "--image", File: o.Image}, {Flag: "--weights", File: o.Weights}, {Flag: "--cfg", File: o.Config}, {Flag: "--names", File: o.Names},
	}}
}

// refused marks a name that cannot be used as an option that does not fit.
func refused(err error) error {
	var e *output.Error
	if errors.As(err, &e) {
		return &InputError{e.Text}
	}
	return err
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
