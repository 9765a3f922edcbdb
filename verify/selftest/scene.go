package selftest

import (
	"bytes"
	_ "embed"
	"image"
	"image/color"
	"image/draw"
	"image/png"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

//go:embed scene.png
var sceneFile []byte

// Object is one thing the calibrated heads find in Scene at 416×416.
type Object struct {
	Class int // COCO, see darknet.COCONames
	// X, Y are left and top, W, H the extent, in pixels of Scene.
	X, Y, W, H float64
	// Score is objectness × class probability, 0…1.
	Score float64
}

// Scene is the picture the self-test weights are calibrated on: a street,
// 832×832 pixels, opaque. Twice the network's size, so that reducing it is
// the mean of four pixels, which every sound resampler agrees about.
func Scene() (image.Image, error) {
	img, err := png.Decode(bytes.NewReader(sceneFile))
	if err != nil {
		return nil, lang.Errorf("decode the self-test scene embedded in this program: %w", err)
	}
	return img, nil
}

// SecondScene is a different picture of the same size: Scene mirrored, with
// its colors inverted. An engine that answers it as it answered Scene has
// not looked.
func SecondScene() (image.Image, error) {
	src, err := Scene()
	if err != nil {
		return nil, err
	}
	b := src.Bounds()
	dst := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	for y := range b.Dy() {
		for x := range b.Dx() {
			c := color.RGBAModel.Convert(src.At(b.Max.X-1-x, b.Min.Y+y)).(color.RGBA)
			dst.SetRGBA(x, y, color.RGBA{255 - c.R, 255 - c.G, 255 - c.B, 255})
		}
	}
	return dst, nil
}

// Expected are the objects of Scene that a family's weights know, best score first.
// The boxes are those of the drawing; what the network finds at 416×416 agrees
// within a pixel.
func Expected(family string) ([]Object, error) {
	_, c, err := load(family)
	if err != nil {
		return nil, err
	}
	var out []Object
	for _, t := range c.objects {
		out = append(out, t.Object)
	}
	return out, nil
}

// Input is a picture of twice Size as the network reads it at Size: the mean of
// each 2×2 pixels, [1, 3, Size, Size], RGB, 0…1.
func Input(img image.Image) ([]float32, error) {
	b := img.Bounds()
	if b.Dx() != 2*Size || b.Dy() != 2*Size {
		return nil, lang.Errorf("self-test picture is %d×%d pixels, not %d×%d", b.Dx(), b.Dy(), 2*Size, 2*Size)
	}
	rgba := image.NewRGBA(image.Rect(0, 0, 2*Size, 2*Size))
	draw.Draw(rgba, rgba.Rect, img, b.Min, draw.Src)
	out := make([]float32, 3*Size*Size)
	for y := range Size {
		for x := range Size {
			at := rgba.PixOffset(2*x, 2*y)
			for c := range 3 {
				p := rgba.Pix[at+c:]
				sum := int(p[0]) + int(p[4]) + int(p[rgba.Stride]) + int(p[rgba.Stride+4])
				out[(c*Size+y)*Size+x] = float32(sum) / (4 * 255)
			}
		}
	}
	return out, nil
}
