package verify

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/internal/nets"
	"github.com/deployctl/deployctl/verify/judge"
	"github.com/deployctl/deployctl/verify/reference"
)

// ReferenceName is the reference engine's name in results.
const ReferenceName = "reference"

// headFile is the first line of a file of cached reference heads; the values
// follow as float32, little-endian.
type headFile struct {
	Key     string  `json:"key"`
	SHA256  string  `json:"sha256"` // of the values
	Seconds float64 `json:"seconds"`
	Layers  []int   `json:"layers"`
	Shapes  [][]int `json:"shapes"`
	// Seal shows that this cache's owner computed them (cache.Seal of Key and
	// SHA256).
	Seal string `json:"seal"`
}

// maxHeads bounds what is read back.
const maxHeads = 1 << 30

func (h *headFile) len() (int, bool) {
	total := 0
	for _, s := range h.Shapes {
		n, err := engine.Tensor{Shape: s}.Elements()
		if err != nil || total+n > maxHeads/4 {
			return 0, false
		}
		total += n
	}
	return total, total > 0 && len(h.Layers) == len(h.Shapes)
}

// truth is the reference's answer: the heads in float64, and in the precision
// that is judged, whose rounding shows what noise must be expected.
type truth struct {
	heads   []judge.Tensor
	noise   []judge.Tensor
	second  []judge.Tensor // of the other input, in float32
	reused  bool
	seconds float64
}

// oracle runs the reference, or finds what an earlier run left.
type oracle struct {
	model   *model
	judged  judge.Precision
	second  []float32 // the other input
	cache   string    // entries are in its folder "reference"
	fresh   bool
	weights *darknet.Weights // loaded when first needed
}

func newOracle(o Options, m *model, v *view) *oracle {
	return &oracle{
		model: m, judged: judge.PrecisionOf(o.Target), second: v.second,
		cache: o.Cache, fresh: o.Fresh || o.Level == LevelCompare,
	}
}

// heads gives the reference's raw heads for one input. The key holds the
// content of everything that decides them: the weights, the configuration, the
// input, this program, and what its arithmetic gives on this processor.
func (o *oracle) heads(ctx context.Context, input []float32) (truth, error) {
	print, err := fingerprint(ctx)
	if err != nil {
		return truth{}, err
	}
	self, err := program()
	if err != nil {
		return truth{}, err
	}
	key := hashBytes([]byte(o.model.weights.SHA256), o.model.config, engine.AppendFloats(nil, input), engine.AppendFloats(nil, o.second), []byte(print), []byte(self), []byte(o.judged))
	dir, err := cache.Secure(o.cache, "reference")
	if err != nil {
		return truth{}, err
	}
	file := filepath.Join(dir, key[:32]+".heads")
	if !o.fresh {
		if t, ok := readHeads(o.cache, file, key); ok {
			return t, nil
		}
	}
	t, err := o.compute(ctx, input)
	if err != nil {
		return truth{}, err
	}
	return t, writeHeads(o.cache, file, key, t)
}

// compute runs the reference. Its time is that of the run in float32.
func (o *oracle) compute(ctx context.Context, input []float32) (truth, error) {
	single, err := o.run(ctx, input, reference.Options{})
	if err != nil {
		return truth{}, err
	}
	exact, err := o.run(ctx, input, reference.Options{Float64: true})
	if err != nil {
		return truth{}, err
	}
	second, err := o.run(ctx, o.second, reference.Options{})
	if err != nil {
		return truth{}, err
	}
	t := truth{heads: exact.heads, noise: single.heads, second: second.heads, seconds: single.seconds}
	if o.judged == judge.FP16 || o.judged == judge.BF16 {
		short, err := o.run(ctx, input, reference.Options{Half: o.judged == judge.FP16, BFloat16: o.judged == judge.BF16})
		if err != nil {
			return truth{}, err
		}
		t.noise = short.heads
	}
	return t, nil
}

// load reads the weights when they are first needed.
func (o *oracle) load() error {
	if o.weights != nil {
		return nil
	}
	w, err := darknet.LoadWeights(o.model.weights.Path, o.model.net)
	if err != nil {
		return err
	}
	if w.SHA256 != o.model.weights.SHA256 {
		return lang.Errorf("%s changed while it was read; run again", o.model.weights.Path)
	}
	for i, v := range w.Data {
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return lang.Errorf("%s: %w: value %d of %d is %v; the training diverged or the file is damaged",
				o.model.weights.Path, ErrWeights, i, len(w.Data), v)
		}
	}
	o.weights = w
	return nil
}

func (o *oracle) run(ctx context.Context, input []float32, opts reference.Options) (truth, error) {
	if err := o.load(); err != nil {
		return truth{}, err
	}
	begin := time.Now()
	e, err := reference.New(o.model.net, o.weights, opts)
	if err != nil {
		return truth{}, err
	}
	out, err := e.Forward(ctx, input)
	if err != nil {
		return truth{}, err
	}
	t := truth{seconds: seconds(time.Since(begin))}
	for _, h := range out {
		t.heads = append(t.heads, judge.Tensor{Layer: h.Layer, Shape: []int{1, h.Shape.C, h.Shape.H, h.Shape.W}, Data: h.Data})
	}
	return t, nil
}

// program is the hash of this program's file: another build of the reference
// may compute differently.
var program = sync.OnceValues(func() (string, error) {
	file, err := os.Executable()
	if err != nil {
		return "", lang.Errorf("find this program's file: %w", err)
	}
	sum, err := darknet.HashFile(file)
	if err != nil {
		return "", lang.Errorf("hash this program's file: %w", err)
	}
	return sum, nil
})

// readHeads reports false for anything but a whole file that this user wrote
// and that nobody changed.
func readHeads(root, file, key string) (truth, bool) {
	if cache.Trusted(root, file) != nil {
		return truth{}, false
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return truth{}, false
	}
	line, values, ok := bytes.Cut(raw, []byte("\n"))
	var h headFile
	if !ok || json.Unmarshal(line, &h) != nil || h.Key != key {
		return truth{}, false
	}
	n, ok := h.len()
	if !ok || len(values) != n*4 {
		return truth{}, false
	}
	if sum := sha256.Sum256(values); hex.EncodeToString(sum[:]) != h.SHA256 || !cache.Sealed(root, h.Seal, "reference", key, h.SHA256) {
		return truth{}, false
	}
	cache.Touch(file)
	t := truth{reused: true, seconds: h.Seconds}
	for i, s := range h.Shapes {
		n, err := engine.Tensor{Shape: s}.Elements()
		if err != nil {
			return truth{}, false
		}
		t.heads = append(t.heads, judge.Tensor{Layer: h.Layers[i], Shape: s, Data: engine.Floats(values[:n*4])})
		values = values[n*4:]
	}
	// The noise follows the heads, then come those of the other input.
	if len(t.heads)%3 != 0 {
		return truth{}, false
	}
	n = len(t.heads) / 3
	t.heads, t.noise, t.second = t.heads[:n], t.heads[n:2*n], t.heads[2*n:]
	return t, true
}

func writeHeads(root, file, key string, t truth) error {
	h := headFile{Key: key, Seconds: t.seconds}
	var values []byte
	for _, x := range slices.Concat(t.heads, t.noise, t.second) {
		h.Layers = append(h.Layers, x.Layer)
		h.Shapes = append(h.Shapes, x.Shape)
		values = engine.AppendFloats(values, x.Data)
	}
	sum := sha256.Sum256(values)
	h.SHA256 = hex.EncodeToString(sum[:])
	var err error
	if h.Seal, err = cache.Seal(root, "reference", key, h.SHA256); err != nil {
		return err
	}
	line, err := json.Marshal(h)
	if err != nil {
		return lang.Errorf("describe reference heads: %w", err)
	}
	return cache.Write(file, int64(len(values)), func(w io.Writer) error {
		b := bufio.NewWriter(w)
		_, err := b.Write(append(line, '\n'))
		if err == nil {
			_, err = b.Write(values)
		}
		return errors.Join(err, b.Flush())
	})
}

// probe is a network of a few thousand operations with every kind of layer.
func probe() string {
	return nets.Net(32, 32,
		nets.Conv(8, 3, 2, "leaky", "batch_normalize=1", "pad=1"),
		nets.Conv(8, 3, 1, "mish", "batch_normalize=1", "pad=1"),
		"[shortcut]\nfrom=-2\nactivation=linear\n",
		"[maxpool]\nsize=2\nstride=2\n",
		nets.Conv(8, 1, 1, "linear"),
		"[upsample]\nstride=2\n",
		"[route]\nlayers=-1,2\n",
		nets.Conv(6, 1, 1, "linear"),
		nets.Yolo("0", "10,10", 1, 1))
}

// fingerprint is a hash of what the reference makes of a tiny network: cached
// heads of a deployctl whose reference computed differently are not reused.
func fingerprint(ctx context.Context) (string, error) {
	net, err := darknet.ParseConfig(strings.NewReader(probe()), "fingerprint")
	if err != nil {
		return "", err
	}
	w := darknet.NewWeights(net)
	r := nets.Randoms(1)
	next := func() float32 { return float32(r.Unit()) }
	for i := range w.Data {
		w.Data[i] = next() - 0.4
	}
	for i := range net.Layers {
		v := w.Layer(i).Variances
		for f := range v {
			v[f] = 1e-4 + next()
		}
	}
	input := make([]float32, 3*32*32)
	for i := range input {
		input[i] = next()
	}
	// One thread: the sum's order must not depend on the number of processors.
	e, err := reference.New(net, w, reference.Options{Threads: 1})
	if err != nil {
		return "", err
	}
	out, err := e.Forward(ctx, input)
	if err != nil {
		return "", err
	}
	return hashBytes(engine.AppendFloats(nil, out[0].Data)), nil
}

// suspects computes what known mistakes would give. Each costs a reference
// run, so this is for an engine that is known to be wrong.
func (o *oracle) suspects(ctx context.Context, v *view) ([]judge.Suspect, error) {
	var list []judge.Suspect
	bright := make([]float32, len(v.first))
	for i, x := range v.first {
		bright[i] = x * 255
	}
	for _, s := range []struct {
		text  string
		input []float32
		opts  reference.Options
	}{
		{lang.T("its input is not scaled: it reads 0…255 where 0…1 is given"), bright, reference.Options{}},
		{lang.T("it uses a batch-norm epsilon of 1e-5 instead of 1e-6"), v.first, reference.Options{Epsilon: &reference.ForkEpsilon}},
		{lang.T("it adds the batch-norm epsilon to the standard deviation, as Darknet's CPU code does, not to the variance"), v.first, reference.Options{Epsilon: &reference.DarknetEpsilon}},
	} {
		t, err := o.run(ctx, s.input, s.opts)
		if err != nil {
			return nil, err
		}
		list = append(list, judge.Suspect{Text: s.text, Heads: t.heads})
	}
	return list, nil
}
