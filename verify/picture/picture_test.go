package picture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/detect"
)

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func gradient(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, color.NRGBA{uint8(x * 255 / max(1, w-1)), uint8(y * 255 / max(1, h-1)), 40, 255})
		}
	}
	return img
}

func encoded(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestLoad(t *testing.T) {
	img := gradient(7, 5)
	got, err := Load(write(t, "a.png", encoded(t, img)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Pix, img.Pix) || got.Rect != img.Rect {
		t.Fatal("a PNG does not come back as it was")
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	if got, err = Load(write(t, "misnamed.png", b.Bytes())); err != nil || got.Rect != img.Rect {
		t.Fatalf("JPEG: %v %v", got, err)
	}
	// A transparent picture lies on white.
	if got, err = Load(write(t, "t.png", encoded(t, image.NewNRGBA(image.Rect(0, 0, 1, 1))))); err != nil || got.NRGBAAt(0, 0) != (color.NRGBA{255, 255, 255, 255}) {
		t.Fatalf("transparent: %v %v", got, err)
	}
}

// bomb is a PNG header that claims a size.
func bomb(w, h uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
	b = binary.BigEndian.AppendUint32(b, w)
	b = binary.BigEndian.AppendUint32(b, h)
	b = append(b, 8, 2, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:]))
}

func TestLoadRejects(t *testing.T) {
	whole := encoded(t, gradient(64, 64))
	for _, c := range []struct {
		name string
		data []byte
		kind error
	}{
		{"text.png", []byte("hello, I am a text\n"), ErrFormat},
		{"empty.jpg", nil, ErrFormat},
		{"gif.png", []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), ErrFormat},
		{"cut-header.png", whole[:20], ErrFormat},
		{"cut.png", whole[:len(whole)/2], ErrDamage},
		{"bomb.png", bomb(29_999, 29_999), ErrLarge},
		{"long.png", bomb(2_000_000, 1), ErrLarge},
		{"huge.png", bomb(math.MaxInt32, math.MaxInt32), ErrLarge},
	} {
		path := write(t, c.name, c.data)
		_, err := Load(path)
		var e *Error
		if !errors.As(err, &e) || !(errors.Is(err, c.kind) || c.name == "huge.png" && errors.Is(err, ErrFormat)) {
			t.Errorf("%s: %v, want %v", c.name, err, c.kind)
			continue
		}
		if !strings.Contains(err.Error(), path) {
			t.Errorf("%s: the message does not name the file: %v", c.name, err)
		}
	}
	if _, err := Load(t.TempDir()); !errors.Is(err, ErrFormat) {
		t.Errorf("folder: %v", err)
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.png")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	var b bytes.Buffer
	if err := png.Encode(&b, gradient(3, 3)); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(bomb(29_999, 29_999))
	f.Add([]byte("\xff\xd8\xff\xe0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := Decode(bytes.NewReader(data), "fuzz")
		if err == nil && (img.Rect.Dx() < 1 || img.Rect.Dx() > MaxSide) {
			t.Fatalf("accepted %v", img.Rect)
		}
	})
}

func TestInputIdentity(t *testing.T) {
	img := gradient(32, 32)
	got, box := Input(img, 32, 32)
	for i, v := range Planes(img) {
		if got[i] != v {
			t.Fatalf("value %d: %v, want %v", i, got[i], v)
		}
	}
	if box.OffsetX != 0 || box.InnerW != 32 {
		t.Fatalf("%+v", box)
	}
	back, err := FromPlanes(got, 32, 32)
	if err != nil || !bytes.Equal(back.Pix, img.Pix) {
		t.Fatalf("planes do not come back: %v", err)
	}
}

func TestInputLetterbox(t *testing.T) {
	// 64×32 on 32×32: 32×16 in the middle, 8 grey lines above and below.
	got, box := Input(gradient(64, 32), 32, 32)
	if box.InnerW != 32 || box.InnerH != 16 || box.OffsetY != 8 {
		t.Fatalf("%+v", box)
	}
	at := func(c, y, x int) float32 { return got[(c*32+y)*32+x] }
	for c := range 3 {
		for x := range 32 {
			for _, y := range []int{0, 7, 24, 31} {
				if at(c, y, x) != 0.5 {
					t.Fatalf("channel %d, line %d: %v, want grey", c, y, at(c, y, x))
				}
			}
		}
	}
	// Corner on corner, and even steps between: red grows from 0 to 1 along x.
	if at(0, 8, 0) != 0 || at(0, 8, 31) != 1 || at(1, 8, 0) != 0 || at(1, 23, 0) != 1 {
		t.Fatalf("corners: %v %v %v %v", at(0, 8, 0), at(0, 8, 31), at(1, 8, 0), at(1, 23, 0))
	}
	for x := range 32 {
		if want := float64(x) / 31; math.Abs(float64(at(0, 12, x))-want) > 1.0/255 {
			t.Fatalf("red at %d: %v, want %v", x, at(0, 12, x), want)
		}
	}
	// One pixel becomes a plane of its colour, not a division by zero.
	one, _ := Input(gradient(1, 1), 32, 32)
	for i, v := range one[:32*32] {
		if v != 0 {
			t.Fatalf("one pixel: value %d is %v", i, v)
		}
	}
}

func TestDraw(t *testing.T) {
	img := gradient(416, 416)
	boxes := []detect.Box{
		{Class: 16, Score: 0.97, X: 100, Y: 100, W: 200, H: 150},
		{Class: 0, Score: 0.6, X: -20, Y: -20, W: 90, H: 90},
		{Class: 3, Score: 0.6, X: 380, Y: 300, W: 100, H: 300},
		{Class: 1, Score: 0.5, X: 1000, Y: 1000, W: 5, H: 5}, // outside: no panic
		{Class: 1, Score: 0.5, X: 50, Y: 350, W: 0.1, H: 0.1},
	}
	out, err := Draw(img, boxes, []string{"person\x1b[31m", "bicycle"})
	if err != nil {
		t.Fatal(err)
	}
	if got := out.NRGBAAt(100, 200); got != Color(16) {
		t.Errorf("left side is %v, want %v", got, Color(16))
	}
	if got := out.NRGBAAt(200, 175); got != img.NRGBAAt(200, 175) {
		t.Errorf("the inside changed: %v", got)
	}
	if got := out.NRGBAAt(102, 96); got == img.NRGBAAt(102, 96) {
		t.Error("there is no label above the box")
	}
	if bytes.Equal(img.Pix, gradient(416, 416).Pix) == false {
		t.Error("the original was drawn on")
	}
	path := filepath.Join(t.TempDir(), "new", "out.png")
	if err := Save(path, out); err != nil {
		t.Fatal(err)
	}
	if back, err := Load(path); err != nil || !bytes.Equal(back.Pix, out.Pix) {
		t.Errorf("saved picture differs: %v", err)
	}
}

func TestLabel(t *testing.T) {
	names := []string{"person\x1b[31m\n", "", strings.Repeat("x", 99)}
	for class, want := range map[int]string{0: "person[31m", 1: "class 1", 7: "class 7", -1: "class -1"} {
		if got := Label(names, class); got != want {
			t.Errorf("Label(%d) = %q, want %q", class, got, want)
		}
	}
	if got := []rune(Label(names, 2)); len(got) != 32 {
		t.Errorf("long name has %d characters", len(got))
	}
}

func TestColorsDiffer(t *testing.T) {
	seen := map[color.NRGBA]int{}
	for c := range 80 {
		if other, ok := seen[Color(c)]; ok {
			t.Errorf("classes %d and %d have one colour", other, c)
		}
		seen[Color(c)] = c
	}
}

// TestStretched: with letter_box=0 the picture fills the whole input, and boxes
// come back to where they were.
func TestStretched(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 64, 32))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	boxed, _ := Input(img, 32, 32)
	full, box := Stretched(img, 32, 32)
	if boxed[0] == 1 || full[0] != 1 || full[len(full)-1] != 1 {
		t.Errorf("first pixel letterboxed %v, stretched %v", boxed[0], full[0])
	}
	if b := box.ToPicture(detect.Box{X: 0.25, Y: 0.5, W: 0.5, H: 0.25}); b.X != 16 || b.Y != 16 || b.W != 32 || b.H != 8 {
		t.Errorf("%+v", b)
	}
}
