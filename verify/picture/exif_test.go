package picture

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"slices"
	"testing"
)

// note is an Exif note with one other entry before the orientation.
func note(order binary.AppendByteOrder, o uint16) []byte {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	for _, e := range [][2]uint16{{0x010f, 7}, {0x0112, o}} {
		b = order.AppendUint16(b, e[0])
		b = order.AppendUint16(b, 3)
		b = order.AppendUint32(b, 1)
		b = order.AppendUint16(b, e[1])
		b = order.AppendUint16(b, 0)
	}
	return order.AppendUint32(b, 0)
}

// withSegment puts an APP1 segment behind a JPEG's beginning and its first
// segment, as cameras do after JFIF's.
func withSegment(data, segment []byte) []byte {
	app := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(len(segment)+2))
	return slices.Concat(data[:2], app, segment, data[2:])
}

func withChunk(data []byte, name string, content []byte) []byte {
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
	chunk = append(append(chunk, name...), content...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	const header = 8 + 25 // signature, IHDR
	return slices.Concat(data[:header], chunk, data[header:])
}

// tints are colors that JPEG keeps apart.
var tints = []color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 255, 255}, {0, 0, 0, 255}, {255, 255, 0, 255}}

// blocks is a picture of blocks of 16×16 pixels, one for each letter.
func blocks(rows ...string) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, 16*len(rows[0]), 16*len(rows)))
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			img.SetNRGBA(x, y, tints[rows[y/16][x/16]-'a'])
		}
	}
	return img
}

// read gives the letters back.
func read(img *image.NRGBA) []string {
	var rows []string
	for y := 8; y < img.Rect.Dy(); y += 16 {
		row := ""
		for x := 8; x < img.Rect.Dx(); x += 16 {
			best, least := 0, 1<<30
			for i, c := range tints {
				p := img.NRGBAAt(x, y)
				d := 0
				for _, v := range []int{int(p.R) - int(c.R), int(p.G) - int(c.G), int(p.B) - int(c.B)} {
					d += v * v
				}
				if d < least {
					best, least = i, d
				}
			}
			row += string(rune('a' + best))
		}
		rows = append(rows, row)
	}
	return rows
}

// TestOrientation: a scene "ab cd ef" that was stored in each of the eight ways
// is seen as it was taken. The stored forms follow from where Exif says that
// the first row and column belong.
func TestOrientation(t *testing.T) {
	scene := []string{"ab", "cd", "ef"}
	stored := map[uint16][]string{
		1: {"ab", "cd", "ef"},
		2: {"ba", "dc", "fe"}, // row 0 top, column 0 right
		3: {"fe", "dc", "ba"}, // bottom, right
		4: {"ef", "cd", "ab"}, // bottom, left
		5: {"ace", "bdf"},     // left, top
		6: {"bdf", "ace"},     // right, top
		7: {"fdb", "eca"},     // right, bottom
		8: {"eca", "fdb"},     // left, bottom
		0: {"ab", "cd", "ef"}, // not an orientation
		9: {"ab", "cd", "ef"}, // not an orientation
	}
	for o, rows := range stored {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, blocks(rows...), &jpeg.Options{Quality: 95}); err != nil {
			t.Fatal(err)
		}
		exif := func(order binary.AppendByteOrder) []byte { return append([]byte("Exif\x00\x00"), note(order, o)...) }
		for name, data := range map[string][]byte{
			"JPEG, little-endian":      withSegment(b.Bytes(), exif(binary.LittleEndian)),
			"JPEG, big-endian":         withSegment(b.Bytes(), exif(binary.BigEndian)),
			"JPEG, after another APP1": withSegment(withSegment(b.Bytes(), exif(binary.BigEndian)), []byte("http://ns.adobe.com/xap/1.0/\x00<x/>")),
			"PNG":                      withChunk(encoded(t, blocks(rows...)), "eXIf", note(binary.BigEndian, o)),
			"PNG, after another chunk": withChunk(withChunk(encoded(t, blocks(rows...)), "eXIf", note(binary.LittleEndian, o)), "tEXt", []byte("a\x00b")),
		} {
			img, err := Load(write(t, "photo", data))
			if err != nil {
				t.Fatalf("%d, %s: %v", o, name, err)
			}
			if got := read(img); !slices.Equal(got, scene) {
				t.Errorf("%d, %s: %q", o, name, got)
			}
		}
	}
}

// TestNoteWithoutSense: a note that cannot be read leaves the picture upright.
func TestNoteWithoutSense(t *testing.T) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, blocks("ab", "cd", "ef"), nil); err != nil {
		t.Fatal(err)
	}
	good := note(binary.LittleEndian, 6)
	far := slices.Clone(good)
	binary.LittleEndian.PutUint32(far[4:], 1<<31)
	many := slices.Clone(good[:24])
	binary.LittleEndian.PutUint16(many[8:], 65535)
	kind := slices.Clone(good)
	kind[24] = 2 // ASCII
	for i, n := range [][]byte{nil, []byte("II"), good[:20], far, many, kind, []byte("XX*\x00\x08\x00\x00\x00\x01\x00")} {
		for name, data := range map[string][]byte{
			"JPEG": withSegment(b.Bytes(), append([]byte("Exif\x00\x00"), n...)),
			"PNG":  withChunk(encoded(t, blocks("ab", "cd", "ef")), "eXIf", n),
		} {
			img, err := Load(write(t, fmt.Sprint(i), data))
			if err != nil || img.Rect.Dx() != 32 {
				t.Errorf("%d, %s: %v, %v", i, name, img.Rect, err)
			}
		}
	}
}

func FuzzOrientation(f *testing.F) {
	f.Add(note(binary.LittleEndian, 6))
	f.Add(note(binary.BigEndian, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, head := range []string{"", "\xff\xd8\xff\xe1\x00\x40Exif\x00\x00", "\x89PNG\r\n\x1a\n\x00\x00\x00\x40eXIf"} {
			if o := orientation(bytes.NewReader(append([]byte(head), data...))); o < Upright || o > QuarterLeft {
				t.Errorf("%d", o)
			}
		}
	})
}

// TestSaveFollowsTheEnding: the content is what the name says.
func TestSaveFollowsTheEnding(t *testing.T) {
	for name, want := range map[string]string{"a.png": "png", "b.PNG": "png", "c.jpg": "jpeg", "d.JPEG": "jpeg"} {
		file := write(t, name, nil)
		if err := Save(file, blocks("ab", "cd", "ef")); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, format, err := image.DecodeConfig(bytes.NewReader(data)); err != nil || format != want || !Is(file) {
			t.Errorf("%s is %s, %v", name, format, err)
		}
	}
	for _, name := range []string{"a", "a.gif", "a.weights", "png", ".png.txt"} {
		if Writes(name) || Save(write(t, "x"+name, nil), blocks("a")) == nil {
			t.Errorf("%s is written", name)
		}
	}
}
