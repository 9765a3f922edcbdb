package picture

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"image"
	"io"
)

// Orientation is how a stored picture must be turned to be seen as it was
// taken: the values of Exif's tag 0x0112 (Exif 2.32, section 4.6.4), which name
// where the stored first row and first column belong.
type Orientation int

// The orientations. Those from Transposed on exchange width and height.
const (
	Upright        Orientation = 1
	FlippedAcross  Orientation = 2 // left and right exchanged
	HalfTurn       Orientation = 3
	FlippedDown    Orientation = 4 // top and bottom exchanged
	Transposed     Orientation = 5 // rows are columns
	QuarterRight   Orientation = 6 // turn it clockwise to see it
	AntiTransposed Orientation = 7
	QuarterLeft    Orientation = 8 // turn it counterclockwise to see it
)

// maxExif is the longest Exif note that is looked at. A JPEG segment has at most
// 64 KiB; a PNG chunk may have more, and the tag is at its beginning.
const maxExif = 1 << 16

// orientation reads the note of a JPEG or PNG file. A file without one, or with
// one that makes no sense, is upright: that is how every viewer shows it.
func orientation(r io.Reader) Orientation {
	b := bufio.NewReader(r)
	head, err := b.Peek(8)
	var note []byte
	switch {
	case err != nil:
		return Upright
	case head[0] == 0xff && head[1] == 0xd8:
		note = jpegNote(b)
	case string(head) == "\x89PNG\r\n\x1a\n":
		note = pngNote(b)
	}
	if o := tag(note); o >= Upright && o <= QuarterLeft {
		return o
	}
	return Upright
}

// jpegNote is the TIFF structure in the first APP1 segment that begins "Exif"
// (JPEG: ITU-T T.81, annex B).
func jpegNote(b *bufio.Reader) []byte {
	if _, err := b.Discard(2); err != nil {
		return nil
	}
	for {
		marker, err := b.ReadByte()
		if err != nil || marker != 0xff {
			return nil
		}
		for marker == 0xff { // fill bytes
			if marker, err = b.ReadByte(); err != nil {
				return nil
			}
		}
		if marker == 0x01 || marker >= 0xd0 && marker <= 0xd7 {
			continue // markers without a length
		}
		if marker == 0xda || marker == 0xd9 { // the picture itself, the end
			return nil
		}
		var size [2]byte
		if _, err := io.ReadFull(b, size[:]); err != nil {
			return nil
		}
		n := int(binary.BigEndian.Uint16(size[:])) - 2
		if n < 0 {
			return nil
		}
		if marker != 0xe1 {
			if _, err := b.Discard(n); err != nil {
				return nil
			}
			continue
		}
		data := make([]byte, n)
		if _, err := io.ReadFull(b, data); err != nil {
			return nil
		}
		if note, ok := bytes.CutPrefix(data, []byte("Exif\x00\x00")); ok {
			return note
		}
	}
}

// pngNote is the content of the eXIf chunk (PNG, third edition, section 11.3.3.6).
func pngNote(b *bufio.Reader) []byte {
	if _, err := b.Discard(8); err != nil {
		return nil
	}
	for {
		var head [8]byte
		if _, err := io.ReadFull(b, head[:]); err != nil {
			return nil
		}
		n := binary.BigEndian.Uint32(head[:4])
		if string(head[4:]) != "eXIf" {
			if string(head[4:]) == "IEND" || n > MaxBytes {
				return nil
			}
			if _, err := b.Discard(int(n) + 4); err != nil {
				return nil
			}
			continue
		}
		data := make([]byte, min(n, maxExif))
		if _, err := io.ReadFull(b, data); err != nil {
			return nil
		}
		return data
	}
}

// tag is the orientation in a TIFF structure's first directory, 0 for none
// (TIFF 6.0, section 2).
func tag(note []byte) Orientation {
	if len(note) < 8 {
		return 0
	}
	var order binary.ByteOrder
	switch string(note[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0
	}
	at := int64(order.Uint32(note[4:]))
	if at+2 > int64(len(note)) {
		return 0
	}
	entries := note[at+2:]
	for range order.Uint16(note[at:]) {
		if len(entries) < 12 {
			return 0
		}
		const short = 3
		if order.Uint16(entries) == 0x0112 && order.Uint16(entries[2:]) == short && order.Uint32(entries[4:]) == 1 {
			return Orientation(order.Uint16(entries[8:]))
		}
		entries = entries[12:]
	}
	return 0
}

// upright turns the picture as the note says.
func upright(img *image.NRGBA, o Orientation) *image.NRGBA {
	if o <= Upright || o > QuarterLeft {
		return img
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	outW, outH := w, h
	if o >= Transposed {
		outW, outH = h, w
	}
	out := image.NewNRGBA(image.Rect(0, 0, outW, outH))
	for y := range outH {
		for x := range outW {
			fromX, fromY := x, y
			switch o {
			case FlippedAcross:
				fromX = w - 1 - x
			case HalfTurn:
				fromX, fromY = w-1-x, h-1-y
			case FlippedDown:
				fromY = h - 1 - y
			case Transposed:
				fromX, fromY = y, x
			case QuarterRight:
				fromX, fromY = y, h-1-x
			case AntiTransposed:
				fromX, fromY = w-1-y, h-1-x
			case QuarterLeft:
				fromX, fromY = w-1-y, x
			}
			copy(out.Pix[y*out.Stride+x*4:][:4], img.Pix[fromY*img.Stride+fromX*4:][:4])
		}
	}
	return out
}
