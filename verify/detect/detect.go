// Package detect owns what happens after the network: raw heads become rows,
// rows become boxes, boxes that mean the same thing are thinned out, and boxes
// on the network's input become boxes on the picture. It is the same for every
// engine, so that engines differ only in their raw heads. It must never run a
// network or draw.
package detect

import (
	"math"
	"sort"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/darknet"
)

// Thresholds used throughout.
const (
	// Show is the least score of a box that is drawn and listed; the value of
	// Darknet's own demonstration (README, -thresh).
	Show = 0.5
	// Compare is the least score of a box that two engines must agree on.
	Compare = 0.25
	// Suppress is the overlap (IoU) beyond which the weaker of two boxes of one
	// class goes; Darknet's value (examples/detector.c, nms).
	Suppress = 0.45
)

// Rows are the decoded candidates of one or more heads, row-major
// [N][5+Classes]: centre x, centre y, width, height as fractions of the
// network's input, objectness, then each class's probability times objectness.
// The order is that of OpenCV's region layer: by cell (row by row), then anchor.
type Rows struct {
	Classes int
	Data    []float32
}

// Len is the number of rows.
func (r Rows) Len() int { return len(r.Data) / (5 + r.Classes) }

// Row is a view of row i.
func (r Rows) Row(i int) []float32 {
	n := 5 + r.Classes
	return r.Data[i*n : (i+1)*n]
}

// Decode turns the raw output of the convolution before a yolo layer
// ([anchors·(5+classes), H, W]) into rows.
func Decode(net *darknet.Network, yolo int, head []float32) (Rows, error) {
	if yolo < 0 || yolo >= len(net.Layers) || net.Layers[yolo].Kind != darknet.Yolo {
		return Rows{}, lang.Errorf("decode: layer %d of %s is not a yolo layer", yolo, net.Name)
	}
	l := &net.Layers[yolo]
	p := l.Yolo
	per := 5 + p.Classes
	if len(head) != l.In.Len() {
		return Rows{}, lang.Errorf("decode: the head of layer %d has %d values, not %v", yolo, len(head), l.In)
	}
	out := Rows{p.Classes, make([]float32, len(head))}
	plane := l.In.H * l.In.W
	for a := range p.Mask {
		for cell := range plane {
			decodeRow(net, l, a, cell, head[a*per*plane+cell:], out.Row(cell*len(p.Mask)+a))
		}
	}
	return out, nil
}

// decodeRow decodes one anchor of one cell; src begins at its first value, the
// next ones lie a plane apart.
func decodeRow(net *darknet.Network, l *darknet.Layer, anchor, cell int, src, row []float32) {
	p := l.Yolo
	scale := p.ScaleXY
	if scale == 0 {
		scale = 1
	}
	h, w := l.In.H, l.In.W
	plane := h * w
	size := p.Anchors[p.Mask[anchor]]
	at := func(k int) float64 { return float64(src[k*plane]) }
	row[0] = float32((float64(cell%w) + sigmoid(at(0))*scale - (scale-1)/2) / float64(w))
	row[1] = float32((float64(cell/w) + sigmoid(at(1))*scale - (scale-1)/2) / float64(h))
	row[2] = float32(math.Exp(at(2)) * size[0] / float64(net.Width))
	row[3] = float32(math.Exp(at(3)) * size[1] / float64(net.Height))
	object := sigmoid(at(4))
	row[4] = float32(object)
	for c := range p.Classes {
		row[5+c] = float32(object * sigmoid(at(5+c)))
	}
}

// Scan is Candidates of Decode's rows for one head, unsorted, without decoding
// the rows that cannot reach the threshold; nearly all of them.
func Scan(net *darknet.Network, yolo int, head []float32, threshold float64) ([]Box, error) {
	if yolo < 0 || yolo >= len(net.Layers) || net.Layers[yolo].Kind != darknet.Yolo {
		return nil, lang.Errorf("decode: layer %d of %s is not a yolo layer", yolo, net.Name)
	}
	l := &net.Layers[yolo]
	if len(head) != l.In.Len() {
		return nil, lang.Errorf("decode: the head of layer %d has %d values, not %v", yolo, len(head), l.In)
	}
	per := 5 + l.Yolo.Classes
	plane := l.In.H * l.In.W
	var list []Box
	row := Rows{l.Yolo.Classes, make([]float32, per)}
	for cell := range plane {
		for a := range l.Yolo.Mask {
			src := a*per*plane + cell
			if !(float64(float32(sigmoid(float64(head[src+4*plane])))) >= threshold) {
				continue
			}
			decodeRow(net, l, a, cell, head[src:], row.Data)
			list = append(list, Candidates([]Rows{row}, threshold)...)
		}
	}
	return list, nil
}

func sigmoid(v float64) float64 { return 1 / (1 + math.Exp(-v)) }

// Box is one detection. X and Y are its left and top edge; the unit is that of
// the space it is in: fractions of the network's input, or picture pixels.
type Box struct {
	Class      int
	Score      float64
	X, Y, W, H float64
}

// Candidates are the boxes of all rows and classes that score at least
// threshold, strongest first. Like Darknet, a row gives a box for every class
// that reaches the threshold. Rows with a non-finite box give none.
func Candidates(rows []Rows, threshold float64) []Box {
	var list []Box
	for _, r := range rows {
		for i := range r.Len() {
			row := r.Row(i)
			// A class's score is at most the objectness; a NaN fails too.
			if !(float64(row[4]) >= threshold) {
				continue
			}
			w, h := float64(row[2]), float64(row[3])
			b := Box{X: float64(row[0]) - w/2, Y: float64(row[1]) - h/2, W: w, H: h}
			if !finite(b.X, b.Y, b.W, b.H) {
				continue
			}
			for c, s := range row[5:] {
				if float64(s) >= threshold {
					b.Class, b.Score = c, float64(s)
					list = append(list, b)
				}
			}
		}
	}
	Sort(list)
	return list
}

func finite(v ...float64) bool {
	for _, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}

// Sort orders boxes strongest first; equals by class, then by place, so that
// the order is the same in every run.
func Sort(list []Box) {
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i], list[j]
		switch {
		case a.Score != b.Score:
			return a.Score > b.Score
		case a.Class != b.Class:
			return a.Class < b.Class
		case a.Y != b.Y:
			return a.Y < b.Y
		case a.X != b.X:
			return a.X < b.X
		case a.W != b.W:
			return a.W < b.W
		}
		return a.H < b.H
	})
}

// IoU is the area two boxes share over the area they cover together, 0…1.
func IoU(a, b Box) float64 {
	w := math.Min(a.X+a.W, b.X+b.W) - math.Max(a.X, b.X)
	h := math.Min(a.Y+a.H, b.Y+b.H) - math.Max(a.Y, b.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	both := w * h
	union := a.W*a.H + b.W*b.H - both
	if union <= 0 {
		return 0
	}
	return both / union
}

// Thin keeps, of boxes of one class that overlap by more than limit, the
// strongest (non-maximum suppression). The result is sorted.
func Thin(list []Box, limit float64) []Box {
	list = append([]Box(nil), list...)
	Sort(list)
	var kept []Box
	for _, b := range list {
		keep := true
		for _, k := range kept {
			if k.Class == b.Class && IoU(k, b) > limit {
				keep = false
				break
			}
		}
		if keep {
			kept = append(kept, b)
		}
	}
	return kept
}

// Overlap is the limit to Thin a network's boxes with: what its [yolo] sections
// say (nms_threshold; the last that says so, as the boxes of all are thinned
// together), or Suppress.
func Overlap(net *darknet.Network) float64 {
	limit := Suppress
	for _, i := range net.Yolos() {
		if own := net.Layers[i].Yolo.NMSThresh; own != nil {
			limit = *own
		}
	}
	return limit
}

// Letterbox says how a picture was laid on the network's input: scaled evenly,
// centred, the rest grey. All in pixels.
type Letterbox struct {
	PictureW, PictureH int // the picture
	NetW, NetH         int // the network's input
	// InnerW, InnerH is the scaled picture, OffsetX, OffsetY its corner.
	InnerW, InnerH, OffsetX, OffsetY int
}

// NewLetterbox follows Darknet's letterbox_image (src/image.c): the side that
// is relatively longer fills the input, the other keeps the proportion, rounded
// down.
func NewLetterbox(pictureW, pictureH, netW, netH int) Letterbox {
	l := Letterbox{PictureW: pictureW, PictureH: pictureH, NetW: netW, NetH: netH}
	if netW*pictureH < netH*pictureW {
		l.InnerW, l.InnerH = netW, max(1, pictureH*netW/pictureW)
	} else {
		l.InnerW, l.InnerH = max(1, pictureW*netH/pictureH), netH
	}
	l.OffsetX, l.OffsetY = (netW-l.InnerW)/2, (netH-l.InnerH)/2
	return l
}

// ToPicture maps a box from fractions of the network's input to pixels of the
// picture, cut off at the picture's edges.
func (l Letterbox) ToPicture(b Box) Box {
	sx := float64(l.PictureW) / float64(l.InnerW)
	sy := float64(l.PictureH) / float64(l.InnerH)
	x0 := (b.X*float64(l.NetW) - float64(l.OffsetX)) * sx
	y0 := (b.Y*float64(l.NetH) - float64(l.OffsetY)) * sy
	x1 := x0 + b.W*float64(l.NetW)*sx
	y1 := y0 + b.H*float64(l.NetH)*sy
	x0, x1 = clamp(x0, l.PictureW), clamp(x1, l.PictureW)
	y0, y1 = clamp(y0, l.PictureH), clamp(y1, l.PictureH)
	b.X, b.Y, b.W, b.H = x0, y0, x1-x0, y1-y0
	return b
}

func clamp(v float64, limit int) float64 { return math.Min(math.Max(v, 0), float64(limit)) }
