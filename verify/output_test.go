package verify

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/picture"
)

// untouchable is an engine that must not be asked.
type untouchable struct{ fake }

func (untouchable) Prepare(context.Context, engine.Progress) (engine.Worker, error) {
	panic("something ran")
}

// TestPictureReplacesNothing: neither an input by any of its names, nor what is
// not a picture; and this is said before anything runs.
func TestPictureReplacesNothing(t *testing.T) {
	f := newFiles(t)
	dir := filepath.Dir(f.image)
	link := func(to, name string, make func(string, string) error) string {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := make(to, name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	photo := filepath.Join(dir, "photo.jpg") // weights and other files whose names end like a picture's
	weights := filepath.Join(dir, "weights.png")
	for from, to := range map[string]string{f.weights: weights, f.image: photo} {
		data, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		write(t, to, data)
	}
	notes := write(t, filepath.Join(dir, "notes.png"), []byte("not a picture"))
	for _, c := range []struct{ name, picture, words string }{
		{"the photo itself", f.image, "is the file given with --image"},
		{"the photo by a longer path", filepath.Join(dir, "..", filepath.Base(dir), "scene.png"), "is the file given with --image"},
		{"the photo by a symbolic link", link(f.image, "soft.png", os.Symlink), "is the file given with --image"},
		{"the photo by a hard link", link(f.image, "hard.png", os.Link), "is the file given with --image"},
		{"the weights", f.weights, "end its name in .png"},
		{"the configuration", f.config, "end its name in .png"},
		{"the names", f.names, "end its name in .png"},
		{"the weights by a symbolic link", link(f.weights, "w.png", os.Symlink), "does not end in .png"},
		{"the weights by a hard link", link(f.weights, "wh.png", os.Link), "is the file given with --weights"},
		{"the configuration by a hard link", link(f.config, "c.jpg", os.Link), "is the file given with --cfg"},
		{"the names by a hard link", link(f.names, "n.jpeg", os.Link), "is the file given with --names"},
		{"other weights that are named like a picture", weights, "is not a picture"},
		{"a text", notes, "is not a picture"},
		{"a link to a text", link(notes, "l.png", os.Symlink), "is not a picture"},
		{"a link that leads nowhere", link(filepath.Join(dir, "none.png"), "d.png", os.Symlink), "leads nowhere"},
		{"a folder", link("", "folder.png", func(_, n string) error { return os.Mkdir(n, 0o700) }), "it is a folder"},
		{"below a file", filepath.Join(notes, "a.png"), "cannot be written"},
		{"no ending", filepath.Join(dir, "picture"), "end its name in .png"},
		{"an unknown ending", filepath.Join(dir, "picture.gif"), "end its name in .png"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := f.options(t, untouchable{})
			o.Picture = c.picture
			before := content(t, dir)
			var refused *InputError
			if _, err := Run(t.Context(), o); !errors.As(err, &refused) || !strings.Contains(err.Error(), c.words) {
				t.Errorf("%v", err)
			}
			if after := content(t, dir); after != before {
				t.Errorf("the folder changed:\n%s\n%s", before, after)
			}
		})
	}
	for _, c := range []struct{ name, picture string }{
		{"a new PNG", filepath.Join(dir, "new.png")}, {"a new JPEG in a new folder", filepath.Join(dir, "out", "new.JPG")},
		{"a picture of before", photo}, {"an empty file", write(t, filepath.Join(dir, "empty.png"), nil)},
		{"a picture of before by a link", link(photo, "to-photo.jpg", os.Symlink)},
	} {
		o := f.options(t, fake{name: "gocv"})
		o.Picture = c.picture
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		data, err := os.ReadFile(r.Picture)
		if err != nil || bytes.HasPrefix(data, []byte("\xff\xd8")) != (strings.ToLower(filepath.Ext(c.picture)) == ".jpg") {
			t.Errorf("%s: %.4q, %v", c.name, data, err)
		}
	}
	if info, err := os.Lstat(filepath.Join(dir, "to-photo.jpg")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v", err)
	}
}

// content lists a folder with what its files hold.
func content(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		b.WriteString(e.Name() + " " + e.Type().String())
		if e.Type().IsRegular() {
			data, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			b.WriteString(" " + hashBytes(data))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// TestTurnedPhoto: a photo that is stored lying on its side gives the same
// input, boxes and drawn picture as the same photo stored upright.
func TestTurnedPhoto(t *testing.T) {
	f := newFiles(t)
	upright, err := picture.Load(f.image)
	if err != nil {
		t.Fatal(err)
	}
	w, h := upright.Rect.Dx(), upright.Rect.Dy()
	stored := image.NewNRGBA(image.Rect(0, 0, h, w)) // Exif's 6: its first row is the right side
	for y := range h {
		for x := range w {
			stored.SetNRGBA(y, w-1-x, upright.NRGBAAt(x, y))
		}
	}
	turned := filepath.Join(t.TempDir(), "turned.png")
	if err := picture.Save(turned, stored); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(turned)
	if err != nil {
		t.Fatal(err)
	}
	const header = 8 + 25
	note := "eXIfMM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(len(note)-4)), note...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE([]byte(note)))
	write(t, turned, slices.Concat(data[:header], chunk, data[header:]))
	var results []*Result
	var drawn [][]byte
	for _, file := range []string{f.image, turned} {
		o := f.options(t, fake{name: "gocv"})
		o.Image, o.Picture = file, filepath.Join(t.TempDir(), "boxes.png")
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		pixels, err := os.ReadFile(r.Picture)
		if err != nil {
			t.Fatal(err)
		}
		results, drawn = append(results, r), append(drawn, pixels)
	}
	for i := range results[0].Engines {
		a, b := results[0].Engines[i], results[1].Engines[i]
		if a.State != OK || len(a.Boxes) == 0 || !slices.Equal(a.Boxes, b.Boxes) {
			t.Errorf("%s: %v upright, %v turned", a.Name, a.Boxes, b.Boxes)
		}
	}
	if !bytes.Equal(drawn[0], drawn[1]) {
		t.Error("the drawn pictures differ")
	}
}

// TestEachNetworkAndImageHasItsPicture: none replaces that of another, and the
// same again replaces its own.
func TestEachNetworkAndImageHasItsPicture(t *testing.T) {
	f := newFiles(t)
	pictures := filepath.Join(t.TempDir(), "verify")
	seen := map[string]string{}
	run := func(name string, change func(o *Options)) {
		t.Helper()
		o := f.options(t, fake{name: "gocv"})
		o.Pictures = pictures
		change(&o)
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if !picture.Is(r.Picture) || filepath.Dir(r.Picture) != pictures {
			t.Errorf("%s: %s", name, r.Picture)
		}
		if was, ok := seen[r.Picture]; ok && was != name {
			t.Errorf("%s replaces the picture of %s", name, was)
		}
		seen[r.Picture] = name
	}
	run("first", func(*Options) {})
	run("first", func(*Options) {})
	run("another size", func(o *Options) { o.Size = 96 })
	other := newFiles(t)
	img, err := picture.Load(f.image)
	if err != nil {
		t.Fatal(err)
	}
	img.Pix[0] ^= 1
	if err := picture.Save(other.image, img); err != nil {
		t.Fatal(err)
	}
	run("another image of the same name", func(o *Options) { o.Image = other.image })
	run("the embedded scene", func(o *Options) { o.Image = "" })
	data, err := os.ReadFile(other.weights)
	if err != nil {
		t.Fatal(err)
	}
	data[30] ^= 1
	write(t, other.weights, data)
	run("other weights of the same name", func(o *Options) { o.Weights = other.weights })
	if len(seen) != 5 {
		t.Errorf("%v", seen)
	}
}
