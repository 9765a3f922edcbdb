package judge

import (
	"math"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/detect"
)

// RowThreshold is what OpenCV's region layer sets smaller class scores to zero
// below (modules/dnn/src/layers/region_layer.cpp: thresh, 0.2 by default; the
// cfg's own "thresh" replaces it).
const RowThreshold = 0.2

// rows compares the engine's own decoding with ours of the same heads, in every
// pass that was kept.
func (v *Verdict) rows(c Case, engine map[int]Tensor, tol Tolerance, off []bool, comparable bool) {
	v.decoded(c, c.Rows, tol, func(i int) (Tensor, bool) {
		// Where the engine gave no heads that can be decoded, the reference's stand
		// in for them. A wrong head has been told already.
		if !comparable {
			return c.Reference[i], true
		}
		return engine[c.Reference[i].Layer], !off[i]
	}, func(layer int, fields string) string {
		return lang.F("layer %d: its raw head is right but its own decoding is off in %s", layer, fields)
	})
	for _, pass := range []struct {
		heads, rows []Tensor
		text        func(layer int, fields string) string
	}{
		{c.Other, c.OtherRows, func(layer int, fields string) string {
			return lang.F("for another input, layer %d: its own decoding of its raw head is off in %s", layer, fields)
		}},
		{c.Last, c.LastRows, func(layer int, fields string) string {
			return lang.F("in the last timed run, layer %d: its own decoding of its raw head is off in %s", layer, fields)
		}},
		{c.Repeat, c.RepeatRows, func(layer int, fields string) string {
			return lang.F("when the first input is given again, layer %d: its own decoding of its raw head is off in %s", layer, fields)
		}},
	} {
		heads := byLayer(pass.heads)
		v.decoded(c, pass.rows, tol, func(i int) (Tensor, bool) {
			t := heads[c.Reference[i].Layer]
			return t, unusable(t, c.Reference[i]) == ""
		}, pass.text)
	}
}

// decoded compares the rows of one pass. head gives what they were decoded from
// and whether they are to be judged, text the reason where they differ.
func (v *Verdict) decoded(c Case, rows []Tensor, tol Tolerance, head func(i int) (Tensor, bool), text func(layer int, fields string) string) {
	if len(rows) == 0 {
		return
	}
	got := byLayer(rows)
	for i, yolo := range c.Net.Yolos() {
		if i >= len(c.Reference) {
			return
		}
		raw, judged := head(i)
		if !judged {
			continue
		}
		want, err := detect.Decode(c.Net, yolo, raw.Data)
		if err != nil {
			v.fail(err.Error())
			return
		}
		t, ok := got[yolo]
		width := 5 + want.Classes
		if !ok {
			v.fail(lang.F("the rows of layer %d are missing", yolo))
			continue
		}
		if s := t.Shape; len(t.Data) != len(want.Data) || len(s) < 2 || s[len(s)-1] != width {
			v.fail(lang.F("the rows of layer %d have the shape %v, not [%d %d]", yolo, t.Shape, want.Len(), width))
			continue
		}
		if fields := compareRows(c.Net, yolo, t.Data, want, tol); fields != "" {
			v.fail(text(yolo, fields))
		}
	}
}

// compareRows names the fields that differ.
func compareRows(net *darknet.Network, yolo int, got []float32, want detect.Rows, tol Tolerance) string {
	p := net.Layers[yolo].Yolo
	threshold := RowThreshold
	if p.Thresh != nil {
		threshold = *p.Thresh
	}
	width := 5 + want.Classes
	var place, size, object, class bool
	limit := math.Max(tol.RelL2*5, 1e-3)
	for i := range want.Len() {
		w, g := want.Row(i), got[i*width:(i+1)*width]
		anchor := p.Anchors[p.Mask[i%len(p.Mask)]]
		for k := range width {
			e, r := float64(g[k]), float64(w[k])
			switch {
			case k < 2:
				place = place || !(math.Abs(e-r) <= limit)
			case k < 4:
				size = size || !sameSize(e, r, limit, overflows(anchor[k-2], [2]int{net.Width, net.Height}[k-2]))
			case k == 4:
				object = object || !(math.Abs(e-r) <= tol.Score)
			case e == 0 && r > threshold+tol.Score:
				class = class || !suppressed(want, i, k-5, p.NMSThresh, tol)
			case e == 0:
				// Smaller scores become zero, NaN is none.
				class = class || math.IsNaN(r)
			default:
				class = class || !(math.Abs(e-r) <= tol.Score)
			}
		}
	}
	var list []string
	for _, f := range []struct {
		off  bool
		text string
	}{{place, lang.T("place (grid or scale_x_y)")}, {size, lang.T("size (anchors or their mask)")}, {object, lang.T("objectness")}, {class, lang.T("class scores")}} {
		if f.off {
			list = append(list, f.text)
		}
	}
	return strings.Join(list, lang.T(", "))
}

// suppressed reports whether a sound engine may call the score of a row's class
// zero because a stronger box overlaps it: OpenCV's region layer thins the boxes
// of its own layer where [yolo] has an nms_threshold.
func suppressed(rows detect.Rows, i, class int, limit *float64, tol Tolerance) bool {
	if limit == nil || *limit <= 0 {
		return false
	}
	box := func(row []float32) detect.Box {
		w, h := float64(row[2]), float64(row[3])
		return detect.Box{X: float64(row[0]) - w/2, Y: float64(row[1]) - h/2, W: w, H: h}
	}
	mine := rows.Row(i)
	for j := range rows.Len() {
		row := rows.Row(j)
		if j != i && float64(row[5+class]) >= float64(mine[5+class])-tol.Score && detect.IoU(box(row), box(mine)) >= *limit-(1-tol.IoU) {
			return true
		}
	}
	return false
}

// overflows is the least width, in parts of the input, that a sound engine may
// call infinite: it is exp(t)·anchor/input, and exp(t) or the product can be too
// large for float32 where the result is not.
func overflows(anchor float64, input int) float64 {
	return math.MaxFloat32 * math.Min(1, anchor) / float64(max(input, 1))
}

// sameSize compares two widths or heights. Infinite ones equal those that can
// become infinite only.
func sameSize(e, r, limit, overflow float64) bool {
	if math.IsInf(e, 1) || math.IsInf(r, 1) {
		return math.Min(e, r) >= overflow*(1-limit)
	}
	return math.Abs(e-r) <= limit*math.Max(1e-2, math.Abs(r))
}

// moves is how far two boxes that mean the same may be apart.
type moves struct {
	iou, score float64
	// edge is how far each side may be off whatever the box's size, cell the same
	// for what the center moves, grow the part of its width by which a side may be
	// off, and vast the width from which the other's may be infinite; an infinite
	// box is none.
	edge, cell, grow, vast float64
}

// moves are those of the precision, or those that the limits of the heads
// permit, where they are larger: a score is the product of two logistic
// functions, which are at most 1/4 steep, a center one of them in its cell, and
// a width an exponential.
func (v *Verdict) moves(c Case, tol Tolerance) moves {
	m := moves{iou: tol.IoU, score: tol.Score, edge: (1 - tol.IoU) * pixel(c.Net), vast: math.Inf(1)}
	if c.Precision == INT8 { // its limits are those of the boxes
		return m
	}
	slack := 0.0
	for i, l := range v.Limits {
		if c.Precision == FP16 {
			// Ten times its noise is so wide that the boxes are the sharper measure.
			_, noise := Distance(c.Noise[i].Data, c.Reference[i].Data)
			l.MaxAbs = 2 * noise
		}
		slack = math.Max(slack, l.MaxAbs)
	}
	m.score = math.Max(m.score, slack/2)
	for _, i := range c.Net.Yolos() {
		l := &c.Net.Layers[i]
		m.cell = math.Max(m.cell, slack/4*math.Max(1, l.Yolo.ScaleXY)/float64(max(1, min(l.In.W, l.In.H))))
	}
	m.grow = math.Expm1(slack) / 2
	m.vast = math.MaxFloat32 * math.Exp(-slack)
	return m
}

// pixel is one of the input's, in parts of it.
func pixel(net *darknet.Network) float64 { return 1 / float64(max(net.Width, net.Height, 1)) }

// unmatched are the boxes of list that have no counterpart.
func (m moves) unmatched(list, among []detect.Box) []detect.Box {
	var out []detect.Box
	for _, b := range list {
		found := max(b.W, b.H) >= m.vast
		for i := 0; !found && i < len(among); i++ {
			a := among[i]
			found = a.Class == b.Class && math.Abs(a.Score-b.Score) <= m.score && (detect.IoU(a, b) >= m.iou || m.near(a, b))
		}
		if !found {
			out = append(out, b)
		}
	}
	return out
}

// near compares sides, not areas: boxes without an area, or thinner than a
// pixel, may share nothing of it and still be the same.
func (m moves) near(a, b detect.Box) bool {
	x := math.Max(math.Abs(a.X-b.X), math.Abs(a.X+a.W-b.X-b.W))
	y := math.Max(math.Abs(a.Y-b.Y), math.Abs(a.Y+a.H-b.Y-b.H))
	slack := m.edge + m.cell
	return x <= slack+m.grow*math.Max(a.W, b.W) && y <= slack+m.grow*math.Max(a.H, b.H)
}
