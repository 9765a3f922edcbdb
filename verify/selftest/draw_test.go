package selftest

import (
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/vector"
)

// canvas draws anti-aliased shapes in units of a 416-pixel square, whatever
// its size, and notes the bounds of what is drawn as an object.
type canvas struct {
	img            *image.RGBA
	scale          float64
	minX, minY     float64
	maxX, maxY     float64
	objects        []Object
	originX, origY float64
	zoom           float64
}

type point struct{ x, y float64 }

func newCanvas(size int) *canvas {
	return &canvas{img: image.NewRGBA(image.Rect(0, 0, size, size)), scale: float64(size) / 416, zoom: 1}
}

// at moves the origin and magnifies what is drawn inside do.
func (c *canvas) at(x, y, zoom float64, do func()) {
	ox, oy, z := c.originX, c.origY, c.zoom
	c.originX, c.origY, c.zoom = ox+x*z, oy+y*z, z*zoom
	do()
	c.originX, c.origY, c.zoom = ox, oy, z
}

// object draws one thing and records its tight box.
func (c *canvas) object(class int, do func()) {
	c.minX, c.minY, c.maxX, c.maxY = math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	do()
	x, y := math.Floor(c.minX), math.Floor(c.minY)
	c.objects = append(c.objects, Object{Class: class, X: x, Y: y, W: math.Ceil(c.maxX) - x, H: math.Ceil(c.maxY) - y})
}

func (c *canvas) place(p point) (float32, float32) {
	x, y := (c.originX+p.x*c.zoom)*c.scale, (c.origY+p.y*c.zoom)*c.scale
	c.minX, c.maxX = math.Min(c.minX, x), math.Max(c.maxX, x)
	c.minY, c.maxY = math.Min(c.minY, y), math.Max(c.maxY, y)
	return float32(x), float32(y)
}

func rgb(v uint32) color.RGBA {
	return color.RGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255}
}

func (c *canvas) poly(col uint32, pts ...point) {
	r := vector.NewRasterizer(c.img.Rect.Dx(), c.img.Rect.Dy())
	r.DrawOp = draw.Over
	for i, p := range pts {
		x, y := c.place(p)
		if i == 0 {
			r.MoveTo(x, y)
		} else {
			r.LineTo(x, y)
		}
	}
	r.ClosePath()
	r.Draw(c.img, c.img.Rect, image.NewUniform(rgb(col)), image.Point{})
}

func (c *canvas) rect(col uint32, x, y, w, h float64) {
	c.poly(col, point{x, y}, point{x + w, y}, point{x + w, y + h}, point{x, y + h})
}

// arc is the outline of an ellipse from angle a to b, in turns.
func arc(cx, cy, rx, ry, a, b float64) []point {
	n := 64
	pts := make([]point, 0, n+1)
	for i := 0; i <= n; i++ {
		s, co := math.Sincos(2 * math.Pi * (a + (b-a)*float64(i)/float64(n)))
		pts = append(pts, point{cx + rx*co, cy + ry*s})
	}
	return pts
}

func (c *canvas) disc(col uint32, cx, cy, rx, ry float64) {
	c.poly(col, arc(cx, cy, rx, ry, 0, 1)...)
}

// round is a rectangle with corners of radius r.
func (c *canvas) round(col uint32, x, y, w, h, r float64) {
	var pts []point
	pts = append(pts, arc(x+w-r, y+h-r, r, r, 0, 0.25)...)
	pts = append(pts, arc(x+r, y+h-r, r, r, 0.25, 0.5)...)
	pts = append(pts, arc(x+r, y+r, r, r, 0.5, 0.75)...)
	pts = append(pts, arc(x+w-r, y+r, r, r, 0.75, 1)...)
	c.poly(col, pts...)
}

// line is a stroke with round ends.
func (c *canvas) line(col uint32, width float64, pts ...point) {
	for i := 0; i+1 < len(pts); i++ {
		a, b := pts[i], pts[i+1]
		t := math.Atan2(b.y-a.y, b.x-a.x) / (2 * math.Pi)
		out := append(arc(a.x, a.y, width/2, width/2, t+0.25, t+0.75), arc(b.x, b.y, width/2, width/2, t-0.25, t+0.25)...)
		c.poly(col, out...)
	}
}

func (c *canvas) ring(col uint32, cx, cy, r, width float64) {
	outer := arc(cx, cy, r, r, 0, 1)
	inner := arc(cx, cy, r-width, r-width, 1, 0)
	c.poly(col, append(outer, inner...)...)
}

// street draws the scene and returns it with its objects' boxes in pixels.
func street(size int) (*image.RGBA, []Object) {
	c := newCanvas(size)
	// Sky in bands, sun, clouds, far hills.
	for i := range 26 {
		t := float64(i) / 25
		mix := func(a, b float64) uint32 { return uint32(a + (b-a)*t) }
		c.rect(mix(0x7c, 0xe4)<<16|mix(0xbd, 0xf1)<<8|mix(0xe8, 0xf4), 0, float64(i)*8.5, 416, 9)
	}
	c.disc(0xfff0c2, 352, 44, 27, 27)
	c.disc(0xffdf7e, 352, 44, 20, 20)
	for _, p := range []struct{ x, y, s float64 }{{74, 40, 1}, {226, 62, 0.8}, {298, 24, 0.55}} {
		c.at(p.x, p.y, p.s, func() {
			c.disc(0xffffff, -20, 4, 17, 11)
			c.disc(0xffffff, 0, -4, 20, 16)
			c.disc(0xffffff, 22, 3, 18, 12)
			c.round(0xffffff, -37, 3, 77, 13, 6)
		})
	}
	c.disc(0xa9cfa0, 80, 236, 150, 72)
	c.disc(0x9bc593, 330, 240, 170, 84)
	// Houses.
	house := func(x, w, top float64, wall, roof, door uint32, cols, rows int) {
		const base = 232
		c.rect(wall, x, top, w, base-top)
		c.rect(0x000000|wall-0x0c0c0c, x+w-7, top, 7, base-top)
		c.poly(roof, point{x - 5, top}, point{x + w/2, top - 27}, point{x + w + 5, top})
		c.rect(roof-0x101010, x-5, top-2, w+10, 4)
		step := w / float64(cols)
		for r := range rows {
			for k := range cols {
				wx, wy := x+step*(float64(k)+0.5)-6, top+11+float64(r)*29
				c.rect(0xfaf6ec, wx-1.5, wy-1.5, 15, 19)
				c.rect(0x86b4cf, wx, wy, 12, 16)
				c.poly(0xa9cfe2, point{wx, wy + 16}, point{wx, wy + 8}, point{wx + 8, wy}, point{wx + 12, wy})
				c.rect(0xfaf6ec, wx+5.4, wy, 1.2, 16)
			}
		}
		c.round(door, x+w/2-8, base-28, 16, 30, 3)
		c.disc(0xf7e3a1, x+w/2+4.5, base-13, 1.3, 1.3)
	}
	house(-14, 78, 138, 0xe9b98f, 0x9c4f3e, 0x5e7f73, 3, 2)
	house(72, 70, 112, 0xf1dca8, 0x6f7f93, 0x9c4f3e, 3, 3)
	house(246, 76, 128, 0xd99a86, 0x7a4b3c, 0x44617c, 3, 2)
	house(330, 92, 104, 0xbfd3d6, 0x5f6d80, 0x8a5a44, 4, 3)
	tree := func(x, s float64) {
		c.at(x, 234, s, func() {
			c.rect(0x7b5a3f, -3.5, -38, 7, 40)
			c.disc(0x4f8f58, -13, -44, 16, 15)
			c.disc(0x5a9d62, 11, -48, 18, 17)
			c.disc(0x67ab6d, -2, -62, 18, 17)
			c.disc(0x78b97b, -7, -66, 8, 7)
		})
	}
	tree(160, 1.15)
	tree(232, 0.9)
	// Far pavement, kerb, road with markings, near pavement.
	c.rect(0xcfc8bb, 0, 230, 416, 20)
	for x := -10.0; x < 416; x += 26 {
		c.poly(0xc2baac, point{x, 250}, point{x + 1.3, 250}, point{x + 9.3, 230}, point{x + 8, 230})
	}
	c.rect(0xa9a297, 0, 248, 416, 5)
	c.rect(0x5d636b, 0, 253, 416, 93)
	c.rect(0x555b63, 0, 253, 416, 4)
	for x := 6.0; x < 416; x += 62 {
		c.poly(0xf0ead6, point{x + 4, 297}, point{x + 38, 297}, point{x + 35, 302}, point{x, 302})
	}
	c.rect(0xb3aca0, 0, 345, 416, 6)
	c.rect(0xd8d1c4, 0, 351, 416, 65)
	for x := -40.0; x < 450; x += 44 {
		c.poly(0xcac2b4, point{x, 416}, point{x + 1.8, 416}, point{x + 27.8, 351}, point{x + 26, 351})
	}
	c.rect(0xcac2b4, 0, 380, 416, 1.6)

	shadow := func(x, y, w, h float64, ground uint32) { c.disc(ground, x, y, w, h) }
	wheel := func(x, y, r float64) {
		c.disc(0x23262b, x, y, r, r)
		c.disc(0xc9ced4, x, y, r*0.58, r*0.58)
		c.disc(0x8a9199, x, y, r*0.42, r*0.42)
		c.disc(0xdfe3e7, x, y, r*0.15, r*0.15)
	}

	// Bird in the sky.
	c.object(14, func() {
		c.at(176, 33, 1, func() {
			c.poly(0x3d4653, point{-13, -7}, point{-6, -6}, point{0, 1}, point{7, -7}, point{15, -9}, point{8, -2}, point{3, 5}, point{-3, 5}, point{-7, -1})
			c.poly(0x3d4653, point{-3, 2}, point{3, 2}, point{9, 5.5}, point{2, 7}, point{-5, 6}, point{-12, 8}, point{-10, 4})
			c.poly(0xe59a3c, point{8.4, 4.2}, point{13, 5.6}, point{8.4, 6.4})
		})
	})
	// Bus in the far lane.
	shadow(313, 292, 84, 4, 0x4c5158)
	c.object(5, func() {
		c.at(228, 186, 1, func() {
			c.round(0xd9483b, 0, 0, 170, 92, 9)
			c.round(0xe05b4d, 3, 2, 164, 12, 6)
			c.rect(0xf6efe2, 0, 56, 170, 5)
			c.rect(0xb93a30, 0, 78, 170, 8)
			for i := range 4 {
				x := 9 + float64(i)*29
				c.round(0x2e4a5e, x, 18, 25, 30, 3)
				c.poly(0x4d7389, point{x + 3, 46}, point{x + 3, 32}, point{x + 16, 20}, point{x + 22, 20})
			}
			c.round(0x2e4a5e, 127, 18, 17, 62, 3)
			c.rect(0xd9483b, 134.8, 18, 1.6, 62)
			c.round(0x2e4a5e, 149, 18, 21, 34, 4)
			c.poly(0x4d7389, point{152, 50}, point{152, 36}, point{164, 20}, point{168, 20})
			c.round(0xffe9a8, 162, 66, 8, 8, 3)
			c.round(0x8c2b24, 0, 66, 4, 10, 1.5)
			wheel(38, 90, 14)
			wheel(128, 90, 14)
		})
	})
	// Traffic light on its pole, on the far pavement.
	c.rect(0x4a4f57, 198.4, 168, 3.6, 82)
	c.rect(0x4a4f57, 195, 246, 10.4, 4)
	c.object(9, func() {
		c.at(200.2, 124, 1, func() {
			c.round(0x2b2f36, -8.5, 0, 17, 46, 4)
			c.disc(0xe9473d, 0, 9, 5.4, 5.4)
			c.disc(0xf59a90, -1.5, 7.3, 1.7, 1.7)
			c.disc(0x6b5a22, 0, 23, 5.4, 5.4)
			c.disc(0x24553a, 0, 37, 5.4, 5.4)
		})
	})
	// Stop sign.
	c.rect(0x868d95, 21.6, 209, 2.8, 41)
	c.object(11, func() {
		c.at(23, 195, 1, func() {
			oct := func(r float64) []point {
				var pts []point
				for i := range 8 {
					s, co := math.Sincos(math.Pi/8 + math.Pi/4*float64(i))
					pts = append(pts, point{r * co, r * s})
				}
				return pts
			}
			c.poly(0xf7f4ee, oct(15.4)...)
			c.poly(0xc9302c, oct(13.7)...)
			// The letters S T O P in strokes.
			white := func(pts ...point) { c.line(0xf7f4ee, 1.5, pts...) }
			white(point{-6.6, -3}, point{-9, -3.4}, point{-9.6, -1.6}, point{-7, 0.6}, point{-7.4, 2.8}, point{-9.8, 2.6})
			white(point{-5, -3.2}, point{-1.2, -3.2})
			white(point{-3.1, -3.2}, point{-3.1, 3})
			c.ring(0xf7f4ee, 2, 0, 3.5, 1.4)
			white(point{6.8, 3}, point{6.8, -3.2}, point{9.2, -3}, point{9.6, -1}, point{8.6, 0.4}, point{6.8, 0.4})
		})
	})
	// Car in the near lane.
	shadow(107, 335, 76, 4.5, 0x4c5158)
	c.object(2, func() {
		c.at(28, 268, 1, func() {
			c.poly(0x2f6fb0, point{30, 26}, point{48, 5}, point{58, 0}, point{100, 0}, point{111, 4}, point{132, 27})
			c.poly(0x2a3c4d, point{38, 25}, point{52, 8}, point{60, 5}, point{76, 5}, point{76, 26})
			c.poly(0x2a3c4d, point{81, 5}, point{98, 5}, point{106, 8}, point{122, 26}, point{81, 26})
			c.poly(0x5d7f97, point{46, 25}, point{60, 8}, point{66, 8}, point{55, 25})
			c.poly(0x5d7f97, point{88, 25}, point{96, 8}, point{101, 8}, point{97, 25})
			c.poly(0x3a7fc4, point{4, 34}, point{12, 28}, point{34, 25}, point{130, 25}, point{152, 31}, point{158, 38}, point{158, 54}, point{152, 58}, point{6, 58}, point{0, 52}, point{0, 40})
			c.rect(0x2f6fb0, 1, 47, 156, 9)
			c.rect(0x2f6fb0, 78, 27, 1.4, 25)
			c.round(0x1f4d7d, 84, 32, 9, 2.4, 1.2)
			c.round(0x1f4d7d, 40, 32, 9, 2.4, 1.2)
			c.round(0xfff2c4, 148, 35, 9, 8, 3)
			c.round(0xc3352d, 0, 38, 5, 8, 2)
			wheel(33, 56, 14)
			wheel(125, 56, 14)
		})
	})
	// Bicycle leaning on the near pavement.
	shadow(62, 404, 44, 3, 0xbcb4a6)
	c.object(1, func() {
		c.at(18, 351, 1, func() {
			for _, x := range []float64{19, 71} {
				c.ring(0x2b2f36, x, 34, 19, 2.6)
				for k := range 8 {
					s, co := math.Sincos(math.Pi * float64(k) / 8)
					c.line(0x9aa1a8, 0.5, point{x - 16.4*co, 34 - 16.4*s}, point{x + 16.4*co, 34 + 16.4*s})
				}
				c.disc(0x2b2f36, x, 34, 2.6, 2.6)
			}
			frame := uint32(0x1f9d7a)
			c.line(frame, 2.8, point{19, 34}, point{32, 12}, point{62, 12}, point{42, 35}, point{19, 34})
			c.line(frame, 2.8, point{42, 35}, point{31, 8})
			c.line(frame, 2.8, point{71, 34}, point{61, 6})
			c.line(0x2b2f36, 2.6, point{61, 6}, point{59, 1.3}, point{68, 1.3}, point{70, 4})
			c.round(0x2b2f36, 23, 4, 16, 4.4, 2)
			c.ring(0x2b2f36, 42, 35, 5.6, 2)
			c.line(0x2b2f36, 2, point{42, 35}, point{46, 42})
			c.line(0x2b2f36, 2.4, point{43, 42.6}, point{49, 42.6})
		})
	})
	// Person walking.
	shadow(227, 403, 24, 3, 0xbcb4a6)
	c.object(0, func() {
		c.at(226, 280, 1, func() {
			c.line(0x2f3e55, 10, point{-3, 66}, point{-9, 92}, point{-14, 114})
			c.line(0x3a4c68, 10.5, point{3, 66}, point{9, 91}, point{12, 114})
			c.round(0x2b2f36, -20, 114, 16, 7, 3)
			c.round(0x2b2f36, 7, 114, 17, 7, 3)
			c.line(0xd98b2b, 8, point{-7, 32}, point{-15, 48}, point{-16, 62})
			c.disc(0xe8b48c, -16, 66, 4, 4.4)
			c.round(0xf2a33c, -12, 25, 24, 46, 8)
			c.rect(0xd98b2b, -12, 62, 24, 4)
			c.line(0xffb957, 8, point{8, 32}, point{15, 47}, point{20, 58})
			c.disc(0xe8b48c, 21, 61, 4, 4.2)
			c.rect(0xdca57c, -3.5, 19, 7, 8)
			c.disc(0xe8b48c, 0.5, 12, 9.4, 11)
			c.poly(0x4b3226, append(arc(0, 10.5, 10.4, 10.5, 0.42, 0.97), point{3, 7}, point{-5, 8}, point{-6, 14})...)
			c.disc(0x2b2f36, 5, 12, 1.1, 1.3)
		})
	})
	// Dog, on a lead.
	shadow(303, 404, 29, 2.6, 0xbcb4a6)
	c.line(0x7d2f2a, 0.9, point{247, 341}, point{266, 360}, point{286, 372}, point{317, 374})
	c.object(16, func() {
		c.at(274, 356, 1, func() {
			c.line(0x9a6234, 4.4, point{6, 22}, point{1.8, 14}, point{2.4, 7})
			for _, p := range []struct{ x, f float64 }{{11, -1}, {41, 2}} {
				c.line(0x84522a, 5.2, point{p.x + 4, 30}, point{p.x + 5 + p.f, 45.4})
			}
			c.round(0xb4763f, 4, 17, 46, 18, 9)
			for _, p := range []struct{ x, f float64 }{{9, -2}, {42, 1}} {
				c.line(0xb4763f, 5.8, point{p.x, 30}, point{p.x + p.f, 45.4})
			}
			c.poly(0xb4763f, point{38, 19}, point{44, 7}, point{54, 9}, point{50, 28})
			c.round(0x7d2f2a, 41, 16, 11, 3.4, 1.4)
			c.disc(0xb4763f, 50, 9.4, 8.4, 7.6)
			c.round(0xc88d55, 51, 8.4, 14.5, 8, 3.6)
			c.disc(0x2b2f36, 64.4, 10.2, 2.2, 1.9)
			c.disc(0x2b2f36, 53.6, 7, 1.2, 1.3)
			c.poly(0x84522a, point{43, 3.4}, point{49, 1.6}, point{48.6, 13}, point{43.4, 15}, point{41.4, 8})
		})
	})
	return c.img, c.objects
}
