// Package picture owns pictures: reading a user's file without trusting it,
// turning it into the network's input, and drawing what was found. It must
// never run a network or judge a box.
package picture

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	"image/draw"
	_ "image/jpeg" // one of the two forms that Load reads
	_ "image/png"
	"io"
	"math"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/detect"
	"github.com/deployctl/deployctl/verify/input"
)

// Limits that keep a small file from becoming a huge picture. A larger picture
// adds nothing for a network of 416 or 608 pixels.
const (
	MaxPixels = 80_000_000
	MaxSide   = 30_000
	MaxBytes  = 256 << 20
)

// What can be wrong with a picture; test with errors.Is.
var (
	ErrFormat = lang.New("not a picture")
	ErrLarge  = lang.New("too large")
	ErrDamage = lang.New("damaged")
)

// Error names the file that is no usable picture.
type Error struct {
	File string
	Kind error
	Text string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v: %s", e.File, e.Kind, e.Text) }

// Is matches the kind.
func (e *Error) Is(target error) bool { return target == e.Kind }

func (e *Error) Unwrap() error { return e.Err }

// Load reads a PNG or JPEG file and turns it as its orientation note (Exif)
// says, as OpenCV's imread does: what the network sees, and what boxes are drawn
// on, is what a viewer shows. All errors about the content are *Error.
func Load(file string) (*image.NRGBA, error) {
	f, _, err := input.Open(file, MaxBytes)
	var refused *input.Error
	if errors.As(err, &refused) {
		kind := ErrFormat
		if errors.Is(refused.Kind, input.ErrLarge) {
			kind = ErrLarge
		}
		return nil, &Error{File: file, Kind: kind, Text: refused.Text, Err: err}
	}
	if err != nil {
		return nil, lang.Errorf("read picture: %w", err)
	}
	defer f.Close() //nolint:errcheck // read-only
	return Decode(f, file)
}

// Is reports whether a file begins like a PNG or JPEG picture with a header that
// can be read.
func Is(file string) bool {
	f, _, err := input.Open(file, math.MaxInt64)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // read-only
	_, _, err = image.DecodeConfig(bufio.NewReader(io.LimitReader(f, MaxBytes)))
	return err == nil
}

// Decode is Load for an open file; name is used in messages.
func Decode(r io.ReadSeeker, name string) (*image.NRGBA, error) {
	config, format, err := image.DecodeConfig(bufio.NewReader(io.LimitReader(r, MaxBytes)))
	if err != nil {
		text := lang.T("its beginning is neither that of a PNG nor of a JPEG; give a .png or .jpg file")
		if format != "" || !errors.Is(err, image.ErrFormat) {
			text = lang.F("its header cannot be read (%v)", err)
		}
		return nil, &Error{name, ErrFormat, text, err}
	}
	if config.Width < 1 || config.Height < 1 {
		return nil, &Error{File: name, Kind: ErrFormat, Text: lang.T("it has no pixels")}
	}
	if config.Width > MaxSide || config.Height > MaxSide || config.Width*config.Height > MaxPixels {
		return nil, &Error{File: name, Kind: ErrLarge,
			Text: lang.F("it says %d×%d pixels; at most %d million and %d on a side are read", config.Width, config.Height, MaxPixels/1_000_000, MaxSide)}
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, lang.Errorf("read picture %s: %w", name, err)
	}
	turn := orientation(io.LimitReader(r, MaxBytes))
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, lang.Errorf("read picture %s: %w", name, err)
	}
	img, _, err := image.Decode(bufio.NewReader(io.LimitReader(r, MaxBytes)))
	if err != nil {
		return nil, &Error{name, ErrDamage, lang.F("it begins like a %s picture but cannot be decoded (%v)", format, err), err}
	}
	return upright(opaque(img), turn), nil
}

// opaque copies any image to 8-bit RGB on white, at the origin.
func opaque(img image.Image) *image.NRGBA {
	b := img.Bounds()
	out := image.NewNRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	draw.Draw(out, out.Bounds(), img, b.Min, draw.Over)
	return out
}

// Planes is the picture as three planes (red, green, blue) in 0…1.
func Planes(img *image.NRGBA) []float32 {
	w, h := img.Rect.Dx(), img.Rect.Dy()
	out := make([]float32, 3*w*h)
	for y := range h {
		line := img.Pix[y*img.Stride:]
		for x := range w {
			for c := range 3 {
				out[(c*h+y)*w+x] = float32(line[x*4+c]) / 255
			}
		}
	}
	return out
}

// FromPlanes is the inverse of Planes, rounding and clamping.
func FromPlanes(data []float32, w, h int) (*image.NRGBA, error) {
	if w < 1 || h < 1 || len(data) != 3*w*h {
		return nil, lang.Errorf("%d values do not make a picture of %d×%d", len(data), w, h)
	}
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		line := img.Pix[y*img.Stride:]
		for x := range w {
			for c := range 3 {
				v := float64(data[(c*h+y)*w+x])
				line[x*4+c] = uint8(math.Round(255 * math.Min(math.Max(v, 0), 1)))
			}
			line[x*4+3] = 255
		}
	}
	return img, nil
}

// Input lays the picture on the network's input as Darknet does: scaled evenly
// until it fits (bilinear, corner on corner), centred, the rest 0.5 grey. A
// picture that already has the network's size is taken pixel by pixel. The
// result is [1, 3, netH, netW], RGB, 0…1.
func Input(img *image.NRGBA, netW, netH int) ([]float32, detect.Letterbox) {
	return lay(img, detect.NewLetterbox(img.Rect.Dx(), img.Rect.Dy(), netW, netH))
}

// Stretched is Input for a network that wants the whole input filled
// (letter_box=0): each side is scaled by itself.
func Stretched(img *image.NRGBA, netW, netH int) ([]float32, detect.Letterbox) {
	return lay(img, detect.Letterbox{
		PictureW: img.Rect.Dx(), PictureH: img.Rect.Dy(), NetW: netW, NetH: netH, InnerW: netW, InnerH: netH,
	})
}

// lay scales a picture onto the input as the letterbox says.
func lay(img *image.NRGBA, box detect.Letterbox) ([]float32, detect.Letterbox) {
	netW, netH := box.NetW, box.NetH
	src := Planes(img)
	if box.InnerW == box.PictureW && box.InnerH == box.PictureH && box.InnerW == netW && box.InnerH == netH {
		return src, box
	}
	out := make([]float32, 3*netW*netH)
	for i := range out {
		out[i] = 0.5
	}
	xs := steps(box.PictureW, box.InnerW)
	ys := steps(box.PictureH, box.InnerH)
	for c := range 3 {
		plane := src[c*box.PictureW*box.PictureH:]
		for y, sy := range ys {
			upper := plane[sy.from*box.PictureW:][:box.PictureW]
			lower := plane[sy.to*box.PictureW:][:box.PictureW]
			dst := out[(c*netH+y+box.OffsetY)*netW+box.OffsetX:][:box.InnerW]
			for x, sx := range xs {
				a := upper[sx.from]*(1-sx.part) + upper[sx.to]*sx.part
				b := lower[sx.from]*(1-sx.part) + lower[sx.to]*sx.part
				dst[x] = a*(1-sy.part) + b*sy.part
			}
		}
	}
	return out, box
}

// step is where an output pixel lies between two input pixels.
type step struct {
	from, to int
	part     float32
}

// steps maps the first and last output pixel to the first and last input
// pixel, as Darknet's resize_image (src/image.c) does.
func steps(in, out int) []step {
	list := make([]step, out)
	scale := 0.0
	if out > 1 {
		scale = float64(in-1) / float64(out-1)
	}
	for i := range list {
		at := float64(i) * scale
		from := min(int(at), in-1)
		list[i] = step{from, min(from+1, in-1), float32(at - float64(from))}
	}
	return list
}
