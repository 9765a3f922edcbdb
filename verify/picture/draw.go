package picture

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"path/filepath"
	"strings"
	"unicode"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/detect"
)

// Draw returns a copy of the picture with the boxes (in its pixels), each in
// the color of its class with a label "name 97 %". Stronger boxes
// are drawn over weaker ones.
func Draw(img *image.NRGBA, boxes []detect.Box, names []string) (*image.NRGBA, error) {
	out := image.NewNRGBA(img.Rect)
	copy(out.Pix, img.Pix)
	w, h := out.Rect.Dx(), out.Rect.Dy()
	short := float64(min(w, h))
	size := math.Min(math.Max(short/38, 11), 48)
	line := max(2, int(math.Round(short/200)))

	parsed, err := opentype.Parse(gobold.TTF)
	if err != nil {
		return nil, lang.Errorf("read the embedded font: %w", err)
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		return nil, lang.Errorf("prepare the embedded font: %w", err)
	}
	defer face.Close() //nolint:errcheck // holds memory only

	sorted := append([]detect.Box(nil), boxes...)
	detect.Sort(sorted)
	place := func(b detect.Box) image.Rectangle {
		return image.Rect(round(b.X), round(b.Y), round(b.X+b.W), round(b.Y+b.H)).Intersect(out.Rect)
	}
	// All frames first: no label is crossed by another box's line.
	for i := len(sorted) - 1; i >= 0; i-- {
		if r := place(sorted[i]); !r.Empty() {
			frame(out, r, line, Color(sorted[i].Class))
		}
	}
	for i := len(sorted) - 1; i >= 0; i-- {
		b := sorted[i]
		if r := place(b); !r.Empty() {
			label(out, face, r, Color(b.Class), fmt.Sprintf("%s %.0f %%", Label(names, b.Class), 100*b.Score))
		}
	}
	return out, nil
}

func round(v float64) int { return int(math.Round(v)) }

// frame draws the four sides inside r, with a faint dark edge outside that
// keeps them visible on a background of the same color.
func frame(img *image.NRGBA, r image.Rectangle, line int, tint color.NRGBA) {
	sides := func(r image.Rectangle, n int, c color.Color) {
		n = min(n, (min(r.Dx(), r.Dy())+1)/2)
		for _, s := range []image.Rectangle{
			image.Rect(r.Min.X, r.Min.Y, r.Max.X, r.Min.Y+n),
			image.Rect(r.Min.X, r.Max.Y-n, r.Max.X, r.Max.Y),
			image.Rect(r.Min.X, r.Min.Y+n, r.Min.X+n, r.Max.Y-n),
			image.Rect(r.Max.X-n, r.Min.Y+n, r.Max.X, r.Max.Y-n),
		} {
			draw.Draw(img, s.Intersect(img.Rect), image.NewUniform(c), image.Point{}, draw.Over)
		}
	}
	sides(r.Inset(-1), 1, color.NRGBA{A: 110})
	sides(r, line, tint)
	if r.Dx() > 4*line && r.Dy() > 4*line {
		sides(r.Inset(line), 1, color.NRGBA{A: 60})
	}
}

// label writes the text on a plate of the box's color: above the box where
// there is room, else inside its top; shifted left at the right edge.
func label(img *image.NRGBA, face font.Face, r image.Rectangle, tint color.NRGBA, text string) {
	m := face.Metrics()
	pad := max(2, m.Height.Ceil()/5)
	width := font.MeasureString(face, text).Ceil() + 2*pad
	height := m.Ascent.Ceil() + m.Descent.Ceil() + pad
	x := min(r.Min.X, img.Rect.Max.X-width)
	x = max(x, 0)
	y := r.Min.Y - height
	if y < 0 {
		y = r.Min.Y
	}
	plate := image.Rect(x, y, x+width, y+height).Intersect(img.Rect)
	draw.Draw(img, plate, image.NewUniform(tint), image.Point{}, draw.Over)
	ink := color.NRGBA{A: 255}
	if luminance(tint) < 0.4 {
		ink = color.NRGBA{255, 255, 255, 255}
	}
	d := font.Drawer{
		Dst: img, Src: image.NewUniform(ink), Face: face,
		Dot: fixed.P(x+pad, y+pad/2+m.Ascent.Ceil()),
	}
	d.DrawString(text)
}

// Label is the class's name as it can be shown: without control characters,
// short; "class 7" where there is no name.
func Label(names []string, class int) string {
	if class < 0 || class >= len(names) {
		return fmt.Sprintf("class %d", class)
	}
	name := strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, names[class]))
	if r := []rune(name); len(r) > 32 {
		name = string(r[:31]) + "…"
	}
	if name == "" {
		return fmt.Sprintf("class %d", class)
	}
	return name
}

// Color is a class's color: hues a golden angle apart, so that neighboring
// classes differ most.
func Color(class int) color.NRGBA {
	hue := math.Mod(float64(class)*137.50776405003785+20, 360)
	const s, v = 0.78, 0.98
	f := func(n float64) uint8 {
		k := math.Mod(n+hue/60, 6)
		return uint8(math.Round(255 * (v - v*s*math.Max(0, math.Min(math.Min(k, 4-k), 1)))))
	}
	return color.NRGBA{f(5), f(3), f(1), 255}
}

// luminance is relative luminance without gamma, 0…1: enough to choose ink.
func luminance(c color.NRGBA) float64 {
	return (0.2126*float64(c.R) + 0.7152*float64(c.G) + 0.0722*float64(c.B)) / 255
}

// encoders write a picture by the ending of its file's name.
var encoders = map[string]func(io.Writer, image.Image) error{
	".png": func(w io.Writer, img image.Image) error {
		return (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(w, img)
	},
	".jpg":  encodeJPEG,
	".jpeg": encodeJPEG,
}

func encodeJPEG(w io.Writer, img image.Image) error {
	return jpeg.Encode(w, img, &jpeg.Options{Quality: 92})
}

// Writes reports whether Save knows the form that a file's name ends in.
func Writes(file string) bool { return encoders[ending(file)] != nil }

func ending(file string) string { return strings.ToLower(filepath.Ext(file)) }

// Save writes the picture, whole or not at all, as PNG or JPEG, as the file's
// name ends.
func Save(file string, img image.Image) error {
	encode := encoders[ending(file)]
	if encode == nil {
		return lang.Errorf("write picture %s: its name does not end in .png, .jpg or .jpeg", file)
	}
	b := img.Bounds()
	return cache.Write(file, int64(b.Dx()*b.Dy()*4), func(w io.Writer) error { return encode(w, img) })
}
