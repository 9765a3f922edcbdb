// Package selftest owns the networks deployctl proves a machine with when no
// trained weights are there: the architecture and cost of YOLOv3 and its relatives,
// weights generated from a fixed seed, and a drawn scene in which they find known
// objects.
//
// The weights are calibrated, not trained. They know one picture: the
// batch-norm statistics are those of the scene, and the rows of the heads that
// matter were solved for the scene's cells. On any other picture
// the boxes mean nothing; the arithmetic is as hard as the real thing.
//
// It must never read a clock, a random source or the platform's libm: every
// byte is the same on every system, and a test pins the hashes.
//
// scene.png and a calibration for each network are written by
//
//	go test ./verify/selftest -run TestCalibration -update
package selftest

import (
	"bytes"
	"context"
	"embed"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/darknet"
)

// Size is the input width and height the heads are calibrated for.
const Size = 416

// sums are the SHA-256 of the weights files of Generate's results.
var sums = map[string]string{
	darknet.YOLOv3:     "fe2a1d0606bf6318ff6b3878335bb7798e2be462d1b1db001cc117d0ac4cea0a",
	darknet.YOLOv3Tiny: "995146648693f687b8a134aaab047ec168b4e711bdf1625f656934a5e59427b6",
	darknet.YOLOv3SPP:  "bb8a754349f8a880e187f1a00d10b3497cfdfa85af3130a25042c01497df49d0",
	darknet.YOLOv4:     "9fc48443929cb3ba526241a1f1d18271fe21373c80a0e628fca977013ef15285",
	darknet.YOLOv4Tiny: "3f50005e6dd483984ed6c6246b6c3f535ba1907a8b1f4ee9634af832adc48b73",
}

// SHA256 is the hash of a family's weights file, "" for a family without one.
func SHA256(family string) string { return sums[family] }

// seed of all generated numbers. Another seed needs another calibration.
const seed = 0x7959_4f4c_4f76_3331

//go:generate go test . -run TestCalibration -update

//go:embed *.bin
var calibrations embed.FS

// Generate makes the weights of one of darknet's families, at Size, on all
// processors. YOLOv3 has 62,001,757 floats.
func Generate(family string) (*darknet.Network, *darknet.Weights, error) {
	net, cal, err := load(family)
	if err != nil {
		return nil, nil, err
	}
	w := generate(net)
	cal.apply(net, w)
	return net, w, nil
}

// load is a family's network with what was measured and solved for it.
func load(family string) (*darknet.Network, *calibration, error) {
	net, err := darknet.Family(family, Size)
	if err != nil {
		return nil, nil, lang.Errorf("self-test network: %w", err)
	}
	file, err := calibrations.ReadFile(family + ".bin")
	if err != nil {
		return nil, nil, lang.Errorf("self-test network: %w", err)
	}
	cal, err := readCalibration(net, file)
	return net, cal, err
}

// Files are the self-test model on disk, in the forms every engine reads.
type Files struct{ Config, Weights, Names string }

// Ensure puts a family's model into dir (made if need be) unless it is there already:
// files whose content is right are kept. Weights that are there are hashed,
// YOLOv3's 248 MB; new ones are written beside and renamed, so that two processes or a
// crash leave no half file. There is no fsync: it is a cache that is hashed
// before each use.
func Ensure(ctx context.Context, family, dir string) (Files, error) {
	f := Files{filepath.Join(dir, "selftest.cfg"), filepath.Join(dir, "selftest.weights"), filepath.Join(dir, "selftest.names")}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return f, lang.Errorf("store self-test model: %w", err)
	}
	cfg, err := darknet.FamilyConfig(family, Size)
	if err != nil {
		return f, lang.Errorf("store self-test model: %w", err)
	}
	for path, text := range map[string]string{f.Config: cfg, f.Names: strings.Join(darknet.COCONames(), "\n") + "\n"} {
		if old, err := os.ReadFile(path); err == nil && string(old) == text {
			continue
		}
		if err := replace(path, func(out *os.File) error { _, err := out.WriteString(text); return err }); err != nil {
			return f, err
		}
	}
	if err := ctx.Err(); err != nil {
		return f, err
	}
	// Any trouble with the old file is a reason to write a new one.
	if sum, err := darknet.HashFile(f.Weights); err == nil && sum == SHA256(family) {
		return f, nil
	}
	_, w, err := Generate(family)
	if err != nil {
		return f, err
	}
	if err := ctx.Err(); err != nil {
		return f, err
	}
	return f, replace(f.Weights, func(out *os.File) error { _, err := w.WriteTo(out); return err })
}

// replace writes a file beside path and renames it into place.
func replace(path string, write func(*os.File) error) error {
	out, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*")
	if err != nil {
		return lang.Errorf("store self-test model: %w", err)
	}
	err = errors.Join(write(out), out.Chmod(0o644), out.Close())
	if err == nil {
		err = os.Rename(out.Name(), path)
	}
	if err != nil {
		return lang.Errorf("store self-test model: %w", errors.Join(err, os.Remove(out.Name())))
	}
	return nil
}

// Streams of random numbers, one for each use, so that a change of one leaves
// the others alone.
const (
	streamKernel = iota + 1
	streamGain
	streamBias
	streamScale
)

// random is splitmix64 (Steele, Lea and Flood 2014): two numbers in one step,
// any start reached at once, integer arithmetic only.
type random uint64

func newRandom(layer, stream, filter int) random {
	r := random(seed ^ uint64(layer)<<48 ^ uint64(stream)<<40 ^ uint64(filter)<<8)
	r.next() // spreads the counters over all bits
	return random(r.next())
}

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// between is uniform in low…high. The conversions forbid fusing the product and
// the sum, which arm64 would do and amd64 not.
func (r *random) between(low, high float64) float64 {
	unit := float64(r.next()>>11) * 0x1p-53
	return low + float64(unit*(high-low))
}

// fill writes uniform numbers in −bound…bound: a whole number times one
// float32, so there is exactly one rounding to agree about.
func (r *random) fill(dst []float32, bound float64) {
	step := float32(bound * 0x1p-31)
	for len(dst) >= 2 {
		z := r.next()
		dst[0] = float32(float32(int32(z)) * step)
		dst[1] = float32(float32(int32(z>>32)) * step)
		dst = dst[2:]
	}
	if len(dst) == 1 {
		dst[0] = float32(float32(int32(r.next())) * step)
	}
}

// What a row of a head gives without calibration: the spread of its output
// over the scene, and its bias.
const (
	offObjectness = -6.5 // e^-6.5: one in 700, far below any threshold
	offClass      = -6.0
)

// generate makes everything but the calibrated part: kernels, biases, scales;
// means 0 and variances 1.
func generate(net *darknet.Network) *darknet.Weights {
	w := darknet.NewWeights(net)
	type job struct{ layer, from, to int }
	jobs := make(chan job, 4096)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for j := range jobs {
				for f := j.from; f < j.to; f++ {
					filter(net, w, j.layer, f)
				}
			}
		})
	}
	for i := range net.Layers {
		if net.Layers[i].Kind != darknet.Convolutional {
			continue
		}
		for f := 0; f < net.Layers[i].Conv.Filters; f += 64 {
			jobs <- job{i, f, min(f+64, net.Layers[i].Conv.Filters)}
		}
	}
	close(jobs)
	wg.Wait()
	return w
}

// filter generates one filter of one layer.
func filter(net *darknet.Network, w *darknet.Weights, layer, f int) {
	l, v := &net.Layers[layer], w.Layer(layer)
	n := len(v.Kernel) / l.Conv.Filters
	row := v.Kernel[f*n : (f+1)*n]
	gain := newRandom(layer, streamGain, f)
	bias := newRandom(layer, streamBias, f)
	kernel := newRandom(layer, streamKernel, f)
	// Uniform in ±√3·s has spread s; inputs have a mean square of about ½.
	bound := math.Sqrt(6 / float64(n))
	if l.Conv.BatchNorm {
		g := gain.between(0.5, 1.5)
		if f%16 == layer%16 {
			// A few quiet channels: their variance is a few thousandths, so
			// that an engine with another batch-norm epsilon, or none, shows
			// in the heads (by 0.4 %) and still finds the objects.
			g = float64(g * 0.05)
		}
		kernel.fill(row, float64(bound*g))
		v.Biases[f] = float32(bias.between(-0.3, 0.3))
		v.Variances[f] = 1
		scale := newRandom(layer, streamScale, f)
		s := scale.between(0.7, 1.3)
		if layer+1 < len(net.Layers) && net.Layers[layer+1].Kind == darknet.Shortcut {
			// The end of a residual branch speaks softly, or 23 sums would
			// grow without bound and magnify rounding.
			s = float64(s * 0.45)
		}
		if scale.next()%8 == 0 {
			s = -s
		}
		v.Scales[f] = float32(s)
		return
	}
	switch k := f % 85; {
	case k < 2: // x, y within the cell
		kernel.fill(row, bound)
		v.Biases[f] = float32(bias.between(-0.5, 0.5))
	case k < 4: // width, height: a factor e^t of the anchor
		kernel.fill(row, float64(bound*0.3))
		v.Biases[f] = float32(bias.between(-0.2, 0.2))
	case k == 4: // objectness
		kernel.fill(row, float64(bound*0.3))
		v.Biases[f] = float32(bias.between(offObjectness-0.5, offObjectness+0.5))
	default: // classes
		kernel.fill(row, float64(bound*2))
		v.Biases[f] = float32(bias.between(-1, 1))
	}
}

// calibration is what was measured and solved on the scene.
type calibration struct {
	objects []target
	// means and variances of every batch-normalised layer, by layer index.
	means, variances map[int][]float32
	rows             []headRow
}

// target is one object and the cell that finds it.
type target struct {
	Object
	head, anchor int // index into Heads, index into that yolo layer's mask
	cellX, cellY int
}

// headRow replaces one filter of a head.
type headRow struct {
	layer, filter int
	bias          float32
	kernel        []float32
}

// apply puts the calibration into generated weights.
func (c *calibration) apply(net *darknet.Network, w *darknet.Weights) {
	for i := range net.Layers {
		if v := w.Layer(i); v.Means != nil {
			copy(v.Means, c.means[i])
			copy(v.Variances, c.variances[i])
		}
	}
	c.quieten(net, w)
	for _, r := range c.rows {
		v := w.Layer(r.layer)
		v.Biases[r.filter] = r.bias
		copy(v.Kernel[r.filter*len(r.kernel):], r.kernel)
	}
}

// quieten turns the classes of the anchors that find objects down, so that an
// object has one label. All other rows keep their spread: they are what makes
// a wrong weight visible.
func (c *calibration) quieten(net *darknet.Network, w *darknet.Weights) {
	done := map[[2]int]bool{}
	for _, t := range c.objects {
		if done[[2]int{t.head, t.anchor}] {
			continue
		}
		done[[2]int{t.head, t.anchor}] = true
		v := w.Layer(net.Heads()[t.head])
		n := len(v.Kernel) / len(v.Biases)
		for f := t.anchor*85 + 5; f < (t.anchor+1)*85; f++ {
			v.Biases[f] = float32(v.Biases[f] + offClass)
			for k, x := range v.Kernel[f*n : (f+1)*n] {
				v.Kernel[f*n+k] = x * 0.125 // exact: a power of two
			}
		}
	}
}

// The form of a calibration's file, little-endian: magic; uint16 number of objects,
// each class, head, anchor, cell x, cell y as uint16 and x, y, w, h, score as
// float32; for each batch-normalised layer in order the means, then the
// variances, as the upper half of a float32 each; uint16 number of rows, each
// layer and filter as uint16, bias and kernel as float32. Nothing follows.
const calibrationMagic = "deployctl self-test 1\n"

func (c *calibration) encode(net *darknet.Network) []byte {
	b := []byte(calibrationMagic)
	le := binary.LittleEndian
	float := func(v float64) { b = le.AppendUint32(b, math.Float32bits(float32(v))) }
	b = le.AppendUint16(b, uint16(len(c.objects)))
	for _, t := range c.objects {
		for _, v := range []int{t.Class, t.head, t.anchor, t.cellX, t.cellY} {
			b = le.AppendUint16(b, uint16(v))
		}
		for _, v := range []float64{t.X, t.Y, t.W, t.H, t.Score} {
			float(v)
		}
	}
	for i := range net.Layers {
		for _, half := range [][]float32{c.means[i], c.variances[i]} {
			for _, v := range half {
				b = le.AppendUint16(b, uint16(math.Float32bits(v)>>16))
			}
		}
	}
	b = le.AppendUint16(b, uint16(len(c.rows)))
	for _, r := range c.rows {
		b = le.AppendUint16(b, uint16(r.layer))
		b = le.AppendUint16(b, uint16(r.filter))
		float(float64(r.bias))
		for _, v := range r.kernel {
			float(float64(v))
		}
	}
	return b
}

var errCalibration = lang.New("self-test calibration embedded in this program is damaged; install deployctl again")

func readCalibration(net *darknet.Network, file []byte) (*calibration, error) {
	rest, ok := bytes.CutPrefix(file, []byte(calibrationMagic))
	if !ok {
		return nil, errCalibration
	}
	short := false
	take := func(n int) []byte {
		if short || len(rest) < n {
			short = true
			return make([]byte, n)
		}
		p := rest[:n]
		rest = rest[n:]
		return p
	}
	u16 := func() int { return int(binary.LittleEndian.Uint16(take(2))) }
	f32 := func() float32 { return math.Float32frombits(binary.LittleEndian.Uint32(take(4))) }
	c := &calibration{means: map[int][]float32{}, variances: map[int][]float32{}}
	heads := net.Heads()
	for n := u16(); n > 0 && !short; n-- {
		t := target{Object: Object{Class: u16()}, head: u16(), anchor: u16(), cellX: u16(), cellY: u16()}
		t.X, t.Y, t.W, t.H, t.Score = float64(f32()), float64(f32()), float64(f32()), float64(f32()), float64(f32())
		if t.head >= len(heads) || t.anchor >= 3 || t.Class >= 80 {
			return nil, errCalibration
		}
		c.objects = append(c.objects, t)
	}
	for i := range net.Layers {
		l := &net.Layers[i]
		if l.Kind != darknet.Convolutional || !l.Conv.BatchNorm {
			continue
		}
		halves := [2][]float32{make([]float32, l.Conv.Filters), make([]float32, l.Conv.Filters)}
		for _, half := range halves {
			for f := range half {
				half[f] = math.Float32frombits(uint32(u16()) << 16)
			}
		}
		c.means[i], c.variances[i] = halves[0], halves[1]
	}
	for n := u16(); n > 0 && !short; n-- {
		r := headRow{layer: u16(), filter: u16(), bias: f32()}
		if r.layer >= len(net.Layers) || net.Layers[r.layer].Kind != darknet.Convolutional || r.filter >= net.Layers[r.layer].Conv.Filters {
			return nil, errCalibration
		}
		r.kernel = make([]float32, net.Layers[r.layer].In.C)
		for k := range r.kernel {
			r.kernel[k] = f32()
		}
		c.rows = append(c.rows, r)
	}
	if short || len(rest) != 0 {
		return nil, errCalibration
	}
	return c, nil
}
