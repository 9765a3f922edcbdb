package selftest

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"image/png"
	"math"
	"os"
	"slices"
	"sort"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/reference"
)

var update = flag.Bool("update", false, "draw the scene, measure and solve again, and write scene.png and the calibrations")

// TestCalibration: the embedded files give the objects that were drawn, found
// by the reference engine at 416×416, and nothing else.
func TestCalibration(t *testing.T) {
	if *update {
		drawScene(t)
	}
	for _, family := range darknet.Families() {
		t.Run(family, func(t *testing.T) {
			if *update {
				recalibrate(t, family)
			}
			if testing.Short() && family != darknet.YOLOv3Tiny {
				t.Skip("-short: arithmetic of a large network")
			}
			calibrated(t, family)
		})
	}
}

func calibrated(t *testing.T, family string) {
	net, w, err := Generate(family)
	if err != nil {
		t.Fatal(err)
	}
	img, err := Scene()
	if err != nil {
		t.Fatal(err)
	}
	input, err := Input(img)
	if err != nil {
		t.Fatal(err)
	}
	e, err := reference.New(net, w, reference.Options{})
	if err != nil {
		t.Fatal(err)
	}
	heads, err := e.Forward(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Expected(family)
	if err != nil {
		t.Fatal(err)
	}
	got := decode(net, heads, 0.1)
	for i := range got { // to pixels of the scene
		got[i].X, got[i].Y, got[i].W, got[i].H = got[i].X*2, got[i].Y*2, got[i].W*2, got[i].H*2
	}
	for _, o := range got {
		t.Logf("found %-13s %.4f at %.1f,%.1f %.1f×%.1f", darknet.COCONames()[o.Class], o.Score, o.X, o.Y, o.W, o.H)
	}
	if len(got) != len(want) {
		t.Fatalf("found %d boxes, want %d", len(got), len(want))
	}
	for i, o := range got {
		if o.Class != want[i].Class || iou(o, want[i]) < 0.99 || math.Abs(o.Score-want[i].Score) > 1e-3 {
			t.Errorf("box %d is %+v, want %+v", i, o, want[i])
		}
	}
	for i, h := range heads {
		var sum, square, most float64
		for _, v := range h.Data {
			sum += float64(v)
			square += float64(v) * float64(v)
			most = math.Max(most, math.Abs(float64(v)))
		}
		n := float64(len(h.Data))
		t.Logf("head %d: mean %.3f, rms %.3f, largest %.2f", i, sum/n, math.Sqrt(square/n), most)
		if rms := math.Sqrt(square / n); !(rms > 0.5 && rms < 20) || most > 100 {
			t.Errorf("head %d is not of order one: rms %g, largest %g", i, rms, most)
		}
	}
}

// decode is the test's own reading of the heads: boxes in pixels of the
// network's input whose best class scores at least threshold, best first.
func decode(net *darknet.Network, heads []reference.Output, threshold float64) []Object {
	sigmoid := func(v float32) float64 { return 1 / (1 + math.Exp(-float64(v))) }
	var out []Object
	for i, h := range heads {
		y := net.Layers[net.Yolos()[i]].Yolo
		plane := h.Shape.H * h.Shape.W
		stride := float64(net.Width) / float64(h.Shape.W)
		for a, m := range y.Mask {
			for p := range plane {
				at := func(k int) float32 { return h.Data[(a*(5+y.Classes)+k)*plane+p] }
				for c := range y.Classes {
					score := sigmoid(at(4)) * sigmoid(at(5+c))
					if score < threshold {
						continue
					}
					bw, bh := y.Anchors[m][0]*math.Exp(float64(at(2))), y.Anchors[m][1]*math.Exp(float64(at(3)))
					cx := (float64(p%h.Shape.W) + sigmoid(at(0))*y.ScaleXY - (y.ScaleXY-1)/2) * stride
					cy := (float64(p/h.Shape.W) + sigmoid(at(1))*y.ScaleXY - (y.ScaleXY-1)/2) * stride
					out = append(out, Object{Class: c, X: cx - bw/2, Y: cy - bh/2, W: bw, H: bh, Score: score})
				}
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Score > out[j].Score })
	return out
}

func iou(a, b Object) float64 {
	w := math.Min(a.X+a.W, b.X+b.W) - math.Max(a.X, b.X)
	h := math.Min(a.Y+a.H, b.Y+b.H) - math.Max(a.Y, b.Y)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h / (a.W*a.H + b.W*b.H - w*h)
}

// drawScene draws the street and writes the file.
func drawScene(t *testing.T) {
	img, _ := street(2 * Size)
	var file bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("scene.png", file.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	sceneFile = file.Bytes()
}

// recalibrate measures layer by layer, solves, and writes the family's file, which
// the next build of the test reads.
func recalibrate(t *testing.T, family string) {
	img, objects := street(2 * Size)
	input, err := Input(img)
	if err != nil {
		t.Fatal(err)
	}
	net, err := darknet.Family(family, Size)
	if err != nil {
		t.Fatal(err)
	}
	c := &calibration{means: map[int][]float32{}, variances: map[int][]float32{}}
	assign(t, net, c, objects)
	w := generate(net)
	features := measure(t, net, w, c, input)
	c.quieten(net, w)
	for h := range net.Heads() {
		solve(t, net, w, c, h, features[h])
	}
	data := c.encode(net)
	if err := os.WriteFile(family+".bin", data, 0o644); err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	w = generate(net)
	c.apply(net, w)
	if _, err := w.WriteTo(sum); err != nil {
		t.Fatal(err)
	}
	t.Logf("wrote %s.bin (%d bytes); its weights' SHA-256 is %x", family, len(data), sum.Sum(nil))
}

// assign gives each object the anchor whose shape is nearest, the cell of its
// centre, and a score of its own.
func assign(t *testing.T, net *darknet.Network, c *calibration, objects []Object) {
	type choice struct {
		target
		area float64
	}
	var all []choice
	taken := map[[4]int]bool{}
	for _, o := range objects {
		best, off, ch := 0.0, 0.0, choice{target: target{Object: o}, area: o.W * o.H}
		for h, y := range net.Yolos() {
			l := &net.Layers[y]
			stride := float64(net.Width / l.In.W)
			for a, m := range l.Yolo.Mask {
				anchor := l.Yolo.Anchors[m]
				if v := iou(Object{W: o.W / 2, H: o.H / 2}, Object{W: anchor[0], H: anchor[1]}); v > best {
					best = v
					ch.head, ch.anchor = h, a
					x, y := (o.X+o.W/2)/2/stride, (o.Y+o.H/2)/2/stride
					ch.cellX, ch.cellY = int(x), int(y)
					off = max(math.Abs(within(l.Yolo, x)), math.Abs(within(l.Yolo, y)))
				}
			}
		}
		if off > edge || taken[[4]int{ch.head, ch.anchor, ch.cellX, ch.cellY}] {
			t.Logf("class %d is left out: it lies on the edge of its cell, or another has the cell", o.Class)
			continue
		}
		taken[[4]int{ch.head, ch.anchor, ch.cellX, ch.cellY}] = true
		all = append(all, ch)
	}
	// Larger things score higher, as one is used to.
	sort.Slice(all, func(i, j int) bool { return all[i].area > all[j].area })
	for i, ch := range all {
		ch.Score = 0.99 - 0.012*float64(i)
		t.Logf("class %d: head %d anchor %d cell %d,%d score %.3f", ch.Class, ch.head, ch.anchor, ch.cellX, ch.cellY, ch.Score)
		c.objects = append(c.objects, ch.target)
	}
}

// edge is the largest value that places an object within its cell: with more, it
// would lie on the cell's edge, where float32 is coarse.
const edge = 5

// within is the value of a head that puts an object at x, counted in cells.
func within(y *darknet.YoloParams, x float64) float64 {
	p := (x - math.Floor(x) + (y.ScaleXY-1)/2) / y.ScaleXY
	return math.Log(p / (1 - p))
}

// measure runs the network layer by layer, sets each batch-norm to the mean and
// variance of its channel on the scene, rounded as they will be stored, and
// returns the inputs of the heads.
func measure(t *testing.T, net *darknet.Network, w *darknet.Weights, c *calibration, input []float32) [][]float32 {
	outs := make([][]float32, len(net.Layers))
	var features [][]float32
	for i := range net.Layers {
		l := &net.Layers[i]
		ins := [][]float32{input}
		if i > 0 {
			ins = nil
			for _, j := range l.Inputs {
				ins = append(ins, outs[j])
			}
		}
		switch l.Kind {
		case darknet.Convolutional:
			if !l.Conv.BatchNorm {
				features = append(features, ins[0])
				continue
			}
			raw := convolve(t, l, w.Layer(i), ins[0])
			v := w.Layer(i)
			plane := l.Out.H * l.Out.W
			for f := range v.Means {
				x := raw[f*plane : (f+1)*plane]
				var sum, square float64
				for _, e := range x {
					sum += float64(e)
				}
				mean := sum / float64(plane)
				for _, e := range x {
					square += (float64(e) - mean) * (float64(e) - mean)
				}
				v.Means[f], v.Variances[f] = short(mean), short(square/float64(plane))
				if v.Variances[f] < 1e-7 {
					t.Fatalf("layer %d filter %d hardly varies over the scene: %g", i, f, v.Variances[f])
				}
				s := float64(v.Scales[f]) / math.Sqrt(float64(v.Variances[f])+reference.OpenCVEpsilon.Value)
				for k, e := range x {
					y := (float64(e)-float64(v.Means[f]))*s + float64(v.Biases[f])
					switch {
					case l.Conv.Activation == darknet.Mish:
						y *= math.Tanh(math.Log1p(math.Exp(y)))
					case y < 0:
						y *= 0.1
					}
					x[k] = float32(y)
				}
			}
			c.means[i], c.variances[i] = v.Means, v.Variances
			outs[i] = raw
		case darknet.Shortcut:
			outs[i] = slices.Clone(ins[0])
			for k, v := range ins[1] {
				outs[i][k] += v
			}
		case darknet.Route:
			for _, in := range ins {
				part := len(in) / max(l.Route.Groups, 1)
				outs[i] = append(outs[i], in[part*l.Route.GroupID:part*(l.Route.GroupID+1)]...)
			}
		case darknet.Maxpool:
			outs[i] = alone(t, *l, darknet.LayerWeights{}, ins[0])
		case darknet.Upsample:
			outs[i] = make([]float32, l.Out.Len())
			for k := range outs[i] {
				x, y, ch := k%l.Out.W, k/l.Out.W%l.Out.H, k/(l.Out.W*l.Out.H)
				outs[i][k] = ins[0][(ch*l.In.H+y/2)*l.In.W+x/2]
			}
		}
	}
	return features
}

// short keeps the upper half of a float32, rounded.
func short(v float64) float32 {
	return math.Float32frombits((math.Float32bits(float32(v)) + 0x8000) &^ 0xffff)
}

// convolve is the bare convolution of one layer.
func convolve(t *testing.T, l *darknet.Layer, v darknet.LayerWeights, in []float32) []float32 {
	conv := *l.Conv
	conv.BatchNorm, conv.Activation = false, darknet.Linear
	one := *l
	one.Conv = &conv
	return alone(t, one, v, in)
}

// alone is what one layer makes of its input, by the reference engine.
func alone(t *testing.T, l darknet.Layer, v darknet.LayerWeights, in []float32) []float32 {
	net := &darknet.Network{Name: "one layer", Channels: l.In.C, Height: l.In.H, Width: l.In.W}
	l.Index, l.Inputs = 0, []int{-1}
	net.Layers = []darknet.Layer{l}
	w := darknet.NewWeights(net)
	copy(w.Layer(0).Kernel, v.Kernel)
	e, err := reference.New(net, w, reference.Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Layers(t.Context(), in, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	return out[0].Data
}

// solve finds the rows of one head. Objectness is a ridge regression over all
// cells in which background is free to be as low as it likes; the rest are the
// smallest changes to the random rows that give the objects' cells their values.
func solve(t *testing.T, net *darknet.Network, w *darknet.Weights, c *calibration, h int, features []float32) {
	layer := net.Heads()[h]
	l, v := &net.Layers[layer], w.Layer(layer)
	y := net.Layers[net.Yolos()[h]].Yolo
	ch, cells := l.In.C, l.In.H*l.In.W
	stride := float64(net.Width / l.In.W)

	mean := make([]float64, ch)
	x := mat.NewDense(cells, ch, nil) // centred features
	for k := range ch {
		for p := range cells {
			mean[k] += float64(features[k*cells+p]) / float64(cells)
		}
		for p := range cells {
			x.Set(p, k, float64(features[k*cells+p])-mean[k])
		}
	}
	store := func(filter int, row *mat.VecDense, at float64) { // at: output at the mean
		r := headRow{layer: layer, filter: filter, kernel: make([]float32, ch)}
		b := at
		for k := range ch {
			r.kernel[k] = float32(row.AtVec(k))
			b -= float64(r.kernel[k]) * mean[k]
		}
		r.bias = float32(b)
		c.rows = append(c.rows, r)
	}
	for a := range y.Mask {
		var mine []target
		for _, o := range c.objects {
			if o.head == h && o.anchor == a {
				mine = append(mine, o)
			}
		}
		if len(mine) == 0 {
			continue
		}
		const classLogit = 6.0
		classP := 1 / (1 + math.Exp(-classLogit))
		logit := func(p float64) float64 { return math.Log(p / (1 - p)) }
		at := map[int]float64{} // wanted objectness by cell
		for _, o := range mine {
			at[o.cellY*l.In.W+o.cellX] = logit(o.Score / classP)
		}
		row, base := objectness(t, x, at)
		var out mat.VecDense
		out.MulVec(x, row)
		worst := math.Inf(-1)
		for p := range cells {
			if _, ok := at[p]; !ok {
				worst = math.Max(worst, out.AtVec(p)+base)
			}
		}
		t.Logf("head %d anchor %d: objectness of the background at most %.2f, norm of the row %.2f", h, a, worst, mat.Norm(row, 2))

		// The smallest change: Δ = Fᵀ(F·Fᵀ)⁻¹(wanted − now), F the objects' cells.
		f := mat.NewDense(len(mine)+1, ch, nil)
		for i, o := range mine {
			f.SetRow(i, x.RawRowView(o.cellY*l.In.W+o.cellX))
		}
		f = mat.DenseCopyOf(f.Slice(0, len(mine), 0, ch))
		var gram mat.Dense
		gram.Mul(f, f.T())
		adjust := func(filter int, base float64, wanted []float64) {
			row := mat.NewVecDense(ch, nil)
			for k := range ch {
				row.SetVec(k, float64(v.Kernel[filter*ch+k]))
			}
			var now, alpha, delta mat.VecDense
			now.MulVec(f, row)
			diff := mat.NewVecDense(len(mine), nil)
			for i := range mine {
				diff.SetVec(i, wanted[i]-base-now.AtVec(i))
			}
			if err := alpha.SolveVec(&gram, diff); err != nil {
				t.Fatal(err)
			}
			delta.MulVec(f.T(), &alpha)
			row.AddVec(row, &delta)
			store(filter, row, base)
		}
		first := a * (5 + y.Classes)
		wanted := make([]float64, len(mine))
		for k := range 4 {
			for i, o := range mine {
				switch k {
				case 0:
					wanted[i] = within(y, (o.X+o.W/2)/2/stride)
				case 1:
					wanted[i] = within(y, (o.Y+o.H/2)/2/stride)
				case 2:
					wanted[i] = math.Log(o.W / 2 / y.Anchors[y.Mask[a]][0])
				case 3:
					wanted[i] = math.Log(o.H / 2 / y.Anchors[y.Mask[a]][1])
				}
				if math.Abs(wanted[i]) > edge {
					t.Fatalf("class %d: value %d would have to be %g", o.Class, k, wanted[i])
				}
			}
			adjust(first+k, 0, wanted)
		}
		store(first+4, row, base)
		classes := map[int]bool{}
		for _, o := range mine {
			classes[o.Class] = true
		}
		for _, class := range slices.Sorted(func(yield func(int) bool) {
			for k := range classes {
				if !yield(k) {
					return
				}
			}
		}) {
			for i, o := range mine {
				if wanted[i] = offClass; o.Class == class {
					wanted[i] = classLogit
				}
			}
			adjust(first+5+class, offClass/2, wanted)
		}
	}
}

// objectness finds a row and a value at the mean so that row·x+value is at[p]
// in the cells of at and no more than quiet elsewhere.
func objectness(t *testing.T, x *mat.Dense, at map[int]float64) (*mat.VecDense, float64) {
	const (
		quiet  = -7.5
		strong = 300.0 // how much more an object's cell counts
		ridge  = 2.0
	)
	cells, ch := x.Dims()
	goal := make([]float64, cells)
	weight := make([]float64, cells)
	for p := range cells {
		goal[p], weight[p] = quiet, 1
		if v, ok := at[p]; ok {
			goal[p], weight[p] = v, strong
		}
	}
	var sol *mat.VecDense
	for range 12 {
		// One more column for the value at the mean, without a penalty.
		a := mat.NewSymDense(ch+1, nil)
		b := mat.NewVecDense(ch+1, nil)
		scaled := mat.NewDense(cells, ch+1, nil)
		for p := range cells {
			s := math.Sqrt(weight[p])
			for k, v := range x.RawRowView(p) {
				scaled.Set(p, k, v*s)
			}
			scaled.Set(p, ch, s)
			for k, v := range x.RawRowView(p) {
				b.SetVec(k, b.AtVec(k)+weight[p]*goal[p]*v)
			}
			b.SetVec(ch, b.AtVec(ch)+weight[p]*goal[p])
		}
		a.SymOuterK(1, scaled.T())
		for k := range ch {
			a.SetSym(k, k, a.At(k, k)+ridge)
		}
		var chol mat.Cholesky
		if !chol.Factorize(a) {
			t.Fatal("the objectness regression is singular")
		}
		sol = mat.NewVecDense(ch+1, nil)
		if err := chol.SolveVecTo(sol, b); err != nil {
			t.Fatal(err)
		}
		var out mat.VecDense
		out.MulVec(x, sol.SliceVec(0, ch))
		for p := range cells {
			if _, ok := at[p]; ok {
				continue
			}
			// Lower than quiet is as good as quiet; higher weighs more each round.
			v := out.AtVec(p) + sol.AtVec(ch)
			goal[p] = math.Min(quiet, v)
			if v > quiet+1.5 {
				weight[p] = math.Min(weight[p]*2, strong)
			}
		}
	}
	row := mat.VecDenseCopyOf(sol.SliceVec(0, ch))
	// What ridge left undone at the objects' cells, exactly: shift and stretch is
	// not enough for several, so correct with the smallest change.
	var ids []int
	for p := range at {
		ids = append(ids, p)
	}
	slices.Sort(ids)
	f := mat.NewDense(len(ids), ch, nil)
	diff := mat.NewVecDense(len(ids), nil)
	for i, p := range ids {
		f.SetRow(i, x.RawRowView(p))
		diff.SetVec(i, at[p]-sol.AtVec(ch)-mat.Dot(row, x.RowView(p)))
	}
	var gram mat.Dense
	gram.Mul(f, f.T())
	var alpha, delta mat.VecDense
	if err := alpha.SolveVec(&gram, diff); err != nil {
		t.Fatal(fmt.Errorf("objects look alike: %w", err))
	}
	delta.MulVec(f.T(), &alpha)
	row.AddVec(row, &delta)
	return row, sol.AtVec(ch)
}
