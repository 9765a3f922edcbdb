package verify

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/gocv"
	"github.com/deployctl/deployctl/verify/judge"
	"github.com/deployctl/deployctl/verify/picture"
	"github.com/deployctl/deployctl/verify/reference"
)

var update = flag.Bool("update", false, "write the golden files")

const small = `[net]
width=64
height=64
channels=3
decay=0.0005
[convolutional]
batch_normalize=1
filters=8
size=3
stride=4
pad=1
activation=leaky
[convolutional]
batch_normalize=1
filters=8
size=3
stride=4
pad=1
activation=leaky
[convolutional]
filters=14
size=1
stride=1
activation=linear
[yolo]
mask=0,1
anchors=10,12, 30,20
classes=2
num=2
[route]
layers=-3
[upsample]
stride=2
[route]
layers=-1
[convolutional]
filters=14
size=1
stride=1
activation=linear
[yolo]
mask=0,1
anchors=6,5, 14,18
classes=2
num=2
`

// files is a small model and a picture on disk.
type files struct{ config, weights, names, image string }

func write(t testing.TB, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newFiles(t testing.TB) files {
	t.Helper()
	dir := t.TempDir()
	net, err := darknet.ParseConfig(strings.NewReader(small), "small")
	if err != nil {
		t.Fatal(err)
	}
	w := darknet.NewWeights(net)
	for i := range w.Data {
		w.Data[i] = float32(math.Sin(float64(i)*12.9898)) * 0.8
	}
	for i := range net.Layers {
		for k := range w.Layer(i).Variances {
			w.Layer(i).Variances[k] = 0.5 + float32(k)/8
		}
	}
	f := files{
		config: write(t, filepath.Join(dir, "small.cfg"), []byte(small)),
		names:  write(t, filepath.Join(dir, "small.names"), []byte("cat\ndog\n")),
		image:  filepath.Join(dir, "scene.png"), weights: filepath.Join(dir, "small.weights"),
	}
	out, err := os.Create(f.weights)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteTo(out); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	img := image.NewNRGBA(image.Rect(0, 0, 120, 90))
	for y := range 90 {
		for x := range 120 {
			img.SetNRGBA(x, y, color.NRGBA{uint8(x * 2), uint8(y * 2), uint8(x * y), 255})
		}
	}
	if err := picture.Save(f.image, img); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f files) options(t testing.TB, engines ...engine.Engine) Options {
	return Options{
		Config: f.config, Weights: f.weights, Names: f.names, Image: f.image,
		Cache: t.TempDir(), Engines: engines, Process: worker{}, Runs: 3,
	}
}

// fake is an engine whose worker is the process below.
type fake struct {
	name string
	err  error
	copy *engine.Copy
	// remedy knows what to do about messages.
	remedy func(string) string
}

// Spec is gocv's under the engine's own name.
func (f fake) Spec() engine.Spec {
	s := gocv.Spec()
	s.Name = f.name
	return s
}

func (f fake) Prepare(context.Context, engine.Progress) (engine.Worker, error) {
	return engine.Worker{Engine: f.name, Version: "v1", Argv: []string{"/worker"}, Copy: f.copy, Runs: engine.Runs{Remedy: f.remedy}}, f.err
}

// worker answers jobs in this process, with the reference's arithmetic and the
// mistakes it is told to make.
type worker struct {
	spoil func(a *engine.Answer)
	input func(v []float32) []float32
	opts  reference.Options // its arithmetic
	out   *host.Output
	err   error
	job   func(j engine.Job) // sees every job
}

func (w worker) Run(ctx context.Context, cmd host.Command) (host.Output, error) {
	if w.err != nil {
		return host.Output{}, w.err
	}
	if w.out != nil {
		return *w.out, nil
	}
	var j engine.Job
	if err := json.Unmarshal(cmd.Stdin, &j); err != nil {
		return host.Output{}, err
	}
	if w.job != nil {
		w.job(j)
	}
	a := engine.Answer{Schema: engine.Schema, Versions: map[string]string{"opencv": "4.6.0"}, Backend: j.Backend, Target: j.Target, LoadSeconds: 0.01}
	if len(j.Inputs) > 0 {
		if err := w.answer(ctx, j, &a); err != nil {
			return host.Output{}, err
		}
	}
	if w.spoil != nil {
		w.spoil(&a)
	}
	raw, err := json.Marshal(a)
	if err != nil {
		return host.Output{}, err
	}
	return host.Output{}, os.WriteFile(j.AnswerFile, raw, 0o600)
}

func (w worker) answer(ctx context.Context, j engine.Job, a *engine.Answer) error {
	net, err := darknet.LoadConfig(j.Config)
	if err != nil {
		return err
	}
	weights, err := darknet.LoadWeights(j.Weights, net)
	if err != nil {
		return err
	}
	e, err := reference.New(net, weights, w.opts)
	if err != nil {
		return err
	}
	forward := func(input int, keep string) ([]engine.Tensor, error) {
		data, err := engine.ReadFloats(j.Inputs[input], 3*j.Width*j.Height)
		if err != nil {
			return nil, err
		}
		if w.input != nil {
			data = w.input(data)
		}
		heads, err := e.Forward(ctx, data)
		if err != nil {
			return nil, err
		}
		var list []engine.Tensor
		for _, h := range heads {
			t := engine.Tensor{Kind: "head", Layer: h.Layer, Shape: []int{1, h.Shape.C, h.Shape.H, h.Shape.W}, Input: input,
				File: filepath.Join(j.OutDir, fmt.Sprintf("%s-%d", keep, h.Layer))}
			if err := os.WriteFile(t.File, engine.AppendFloats(nil, h.Data), 0o600); err != nil {
				return nil, err
			}
			list = append(list, t)
		}
		return list, nil
	}
	for i := range j.Warmup + j.Runs {
		a.RunSeconds = append(a.RunSeconds, 0.5+float64(i%2)/100)
	}
	if a.Outputs, err = forward(0, "first"); err != nil {
		return err
	}
	if a.Others, err = forward(1, "other"); err != nil {
		return err
	}
	if a.Last, err = forward(0, "last"); err != nil {
		return err
	}
	a.RunDiff = make([]float64, j.Warmup+j.Runs+1)
	a.Repeat, err = forward(0, "repeat")
	return err
}

func TestRun(t *testing.T) {
	f := newFiles(t)
	o := f.options(t, fake{name: "gocv"})
	o.Picture = filepath.Join(t.TempDir(), "out", "boxes.png")
	o.Process = worker{spoil: func(a *engine.Answer) { a.Peak = 100 }}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.State != OK || len(r.Engines) != 2 {
		t.Fatalf("%+v", r)
	}
	e := r.Engines[0]
	if e.Name != "gocv" || e.State != OK || len(e.RelL2) != 2 || !(e.RelL2[0] < 1e-6) || e.Runs != 3 || e.MinSeconds != 0.5 || e.GFLOPS <= 0 || e.PeakShare <= 0 {
		t.Errorf("engine: %+v", e)
	}
	if len(e.Boxes) == 0 || e.Boxes[0].Class != "cat" && e.Boxes[0].Class != "dog" {
		t.Errorf("boxes: %+v", e.Boxes)
	}
	for _, b := range e.Boxes {
		if b.X < 0 || b.Y < 0 || b.X+b.W > 120.001 || b.Y+b.H > 90.001 {
			t.Errorf("box outside the picture: %+v", b)
		}
	}
	if r.Weights.Kind != User || len(r.Weights.SHA256) != 64 || r.Network.Name != "small" || r.Network.Layers != 9 {
		t.Errorf("%+v %+v", r.Network, r.Weights)
	}
	if img, err := picture.Load(r.Picture); err != nil || img.Rect.Dx() != 120 {
		t.Errorf("picture: %v", err)
	}
	if r.Reference.Reused {
		t.Error("nothing was there to reuse")
	}
	left, err := os.ReadDir(filepath.Join(o.Cache, "run"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}

	// Once more: the reference comes from the cache, with the same verdict.
	again, err := Run(t.Context(), o)
	if err != nil || !again.Reference.Reused || again.State != OK {
		t.Fatalf("again: %+v, %v", again, err)
	}
	// A damaged cache is computed anew.
	heads, err := filepath.Glob(filepath.Join(o.Cache, "reference", "*.heads"))
	if err != nil || len(heads) != 1 {
		t.Fatalf("%v %v", heads, err)
	}
	raw, err := os.ReadFile(heads[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, damage := range [][]byte{raw[:len(raw)-1], append(append([]byte(nil), raw[:len(raw)-1]...), raw[len(raw)-1]^1), nil, []byte("{}\n")} {
		write(t, heads[0], damage)
		if r, err := Run(t.Context(), o); err != nil || r.Reference.Reused || r.State != OK {
			t.Errorf("damaged cache: %+v, %v", r, err)
		}
	}
	// Fresh does not look at it.
	o.Fresh = true
	if r, err := Run(t.Context(), o); err != nil || r.Reference.Reused {
		t.Errorf("fresh: %v", err)
	}
}

// TestAhead: what was made ahead is what the proof then finds.
func TestAhead(t *testing.T) {
	f := newFiles(t)
	o := f.options(t, fake{name: "gocv"})
	for _, c := range []struct {
		name   string
		change func(*Options)
		reused bool
	}{
		{"another level", func(o *Options) { o.Level = LevelCompare }, false},
		{"made anew", func(o *Options) { o.Fresh = true }, false},
		{"another target", func(o *Options) { o.Target = "opencl_fp16" }, false},
		{"the proof's own", func(*Options) {}, true},
	} {
		o.Cache = t.TempDir()
		ahead := o
		c.change(&ahead)
		if err := Ahead(t.Context(), ahead); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if r, err := Run(t.Context(), o); err != nil || r.Reference.Reused != c.reused {
			t.Errorf("%s: %+v %v", c.name, r, err)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	o.Cache = t.TempDir()
	if err := Ahead(stopped, o); err == nil {
		t.Error("a stopped one says nothing")
	}
}

// TestJSON pins the keys of the published form.
func TestJSON(t *testing.T) {
	f := newFiles(t)
	r, err := Run(t.Context(), f.options(t, fake{name: "gocv"}))
	if err != nil {
		t.Fatal(err)
	}
	r.Engines[0].RelL2[0] = Number(math.Inf(1)) // must not break the document
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	need := func(v any, keys string) map[string]any {
		t.Helper()
		m, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("%v is no object", v)
		}
		for _, k := range strings.Fields(keys) {
			if _, ok := m[k]; !ok {
				t.Errorf("key %q is missing in %v", k, m)
			}
		}
		return m
	}
	need(doc, "schema network weights engines picture")
	need(doc["network"], "name layers params gflop width height")
	need(doc["weights"], "kind sha256")
	e := need(doc["engines"].([]any)[0], "name version backend target state rel_l2 max_abs boxes load_s first_s median_s p95_s gflops peak_share")
	need(e["boxes"].([]any)[0], "class score x y w h")
	if e["rel_l2"].([]any)[0] != nil {
		t.Error("infinity is not null")
	}
	var back Result
	if err := json.Unmarshal(raw, &back); err != nil || !math.IsNaN(float64(back.Engines[0].RelL2[0])) {
		t.Errorf("read back: %v", err)
	}
}

func TestReferenceAlone(t *testing.T) {
	f := newFiles(t)
	r, err := Run(t.Context(), f.options(t))
	if err != nil {
		t.Fatal(err)
	}
	if r.State != OK || len(r.Engines) != 1 || r.Engines[0].Name != ReferenceName || r.Engines[0].FirstSeconds <= 0 {
		t.Fatalf("%+v", r)
	}
}

func TestLevels(t *testing.T) {
	f := newFiles(t)
	o := f.options(t, fake{name: "gocv"})
	o.Level = LevelLoad
	r, err := Run(t.Context(), o)
	if err != nil || r.State != OK || r.Engines[0].Versions["opencv"] != "4.6.0" || r.Engines[0].Runs != 0 {
		t.Errorf("level 1: %+v, %v", r, err)
	}
	o.Level, o.Engines = LevelCompare, []engine.Engine{fake{name: "gocv"}, fake{name: "other"}}
	r, err = Run(t.Context(), o)
	if err != nil || r.Fastest == "" || r.Gain < 1 || len(r.Engines) != 3 {
		t.Errorf("level 3: %+v, %v", r, err)
	}
	o.Level = 4
	var in *InputError
	if _, err = Run(t.Context(), o); !errors.As(err, &in) {
		t.Errorf("level 4: %v", err)
	}
}

// TestWorkerTrouble: what one engine does wrong is part of the result, and the
// reference's picture is there all the same.
func TestWorkerTrouble(t *testing.T) {
	f := newFiles(t)
	for _, c := range []struct {
		name   string
		engine fake
		proc   worker
		state  State
		words  string
	}{
		{"missing tool", fake{name: "gocv", err: &engine.Unavailable{Engine: "gocv", Why: "g++ is missing", Fix: "install it"}}, worker{}, Unknown, "g++ is missing"},
		{"misfit", fake{name: "gocv", err: &engine.Unavailable{Engine: "gocv", Why: "gocv does not fit", Broken: true}}, worker{}, Fail, "does not fit"},
		{"crash", fake{name: "gocv"}, worker{out: &host.Output{Exit: -1, Signal: "segmentation fault"}}, Fail, "crashed"},
		{"hang", fake{name: "gocv"}, worker{err: fmt.Errorf("stopped: %w", context.DeadlineExceeded)}, Fail, "no answer within"},
		{"nonsense", fake{name: "gocv"}, worker{out: &host.Output{Stdout: []byte("hello")}}, Fail, "without an answer"},
		{"its own error", fake{name: "gocv"}, worker{spoil: func(a *engine.Answer) { a.Error = "no layer conv_81" }}, Fail, "no layer conv_81"},
		{"tensor file missing", fake{name: "gocv"}, worker{spoil: func(a *engine.Answer) { a.Outputs[0].File += "x" }}, Fail, "cannot be read"},
		{"tensor shape wrong", fake{name: "gocv"}, worker{spoil: func(a *engine.Answer) { a.Outputs[0].Shape[1]++ }}, Fail, "cannot be read"},
		{"fallback", fake{name: "gocv"}, worker{spoil: func(a *engine.Answer) { a.Target = "opencl" }}, Fail, "ran on opencv/opencl"},
		{"stale", fake{name: "gocv"}, worker{spoil: func(a *engine.Answer) {
			a.Others = a.Outputs
		}}, Fail, "stale"},
		{"channels swapped", fake{name: "gocv"}, worker{input: func(v []float32) []float32 {
			n := len(v) / 3
			return append(append(append([]float32(nil), v[2*n:]...), v[n:2*n]...), v[:n]...)
		}}, Fail, "red and blue"},
		{"not scaled", fake{name: "gocv"}, worker{input: func(v []float32) []float32 {
			out := append([]float32(nil), v...)
			for i := range out {
				out[i] *= 255
			}
			return out
		}}, Fail, "not scaled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := f.options(t, c.engine)
			o.Process = c.proc
			o.Picture = filepath.Join(o.Cache, "out.png")
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			e := r.Engines[0]
			if r.State != c.state || e.State != c.state || !strings.Contains(e.Why, c.words) {
				t.Fatalf("state %s/%s, why %q; want %s, %q", r.State, e.State, e.Why, c.state, c.words)
			}
			if _, err := os.Stat(r.Picture); err != nil {
				t.Error(err)
			}
			var text strings.Builder
			if err := Render(&text, r, false); err != nil || !strings.Contains(text.String(), c.words) {
				t.Errorf("the reason is not shown: %v\n%s", err, &text)
			}
		})
	}
}

func TestBadInput(t *testing.T) {
	f := newFiles(t)
	dir := t.TempDir()
	raw, err := os.ReadFile(f.weights)
	if err != nil {
		t.Fatal(err)
	}
	nan := append([]byte(nil), raw...)
	copy(nan[100:], []byte{0, 0, 0xc0, 0x7f})
	file := func(name string, data []byte) string { return write(t, filepath.Join(dir, name), data) }
	for _, c := range []struct {
		name  string
		edit  func(o *Options)
		is    error // errors.Is
		words []string
	}{
		{"truncated weights", func(o *Options) { o.Weights = file("cut.weights", raw[:len(raw)-5]) }, darknet.ErrTruncated, []string{"cut.weights"}},
		{"oversized weights", func(o *Options) { o.Weights = file("long.weights", append(raw[:len(raw):len(raw)], 1, 2, 3, 4)) }, darknet.ErrOversized, []string{"long.weights"}},
		{"empty weights", func(o *Options) { o.Weights = file("empty.weights", nil) }, darknet.ErrTruncated, []string{"empty.weights"}},
		{"NaN weights", func(o *Options) { o.Weights = file("nan.weights", nan) }, ErrWeights, []string{"nan.weights"}},
		{"missing weights", func(o *Options) { o.Weights = filepath.Join(dir, "none.weights") }, os.ErrNotExist, []string{"none.weights"}},
		{"folder as weights", func(o *Options) { o.Weights = dir }, nil, []string{dir, "not a regular file"}},
		{"weights of an unknown size without configuration", func(o *Options) { o.Config, o.Names = "", "" }, nil, []string{"small.weights", "--cfg"}},
		{"unknown layer", func(o *Options) { o.Config = file("u.cfg", []byte(small+"[warp]\nx=1\n")) }, darknet.ErrUnknown, []string{"u.cfg:"}},
		{"cycle", func(o *Options) { o.Config = file("c.cfg", []byte(small+"[route]\nlayers=9\n")) }, darknet.ErrCycle, []string{"c.cfg:"}},
		{"configuration that is a picture", func(o *Options) { o.Config = f.image }, darknet.ErrSyntax, []string{"scene.png"}},
		{"no yolo layer", func(o *Options) {
			cfg := "[net]\nwidth=64\nheight=64\n[convolutional]\nfilters=1\nsize=1\nstride=1\nactivation=linear\n"
			o.Config, o.Weights = file("n.cfg", []byte(cfg)), file("n.weights", make([]byte, 16+4*4))
		}, nil, []string{"n.cfg", "no [yolo] layer"}},
		{"configuration alone", func(o *Options) { o.Weights = "" }, nil, []string{"--weights"}},
		{"names alone", func(o *Options) { o.Weights, o.Config = "", "" }, nil, []string{"--weights"}},
		{"wrong number of names", func(o *Options) { o.Names = file("three.names", []byte("a\nb\nc\n")) }, nil, []string{"three.names", "3 names", "2 classes"}},
		{"binary names", func(o *Options) { o.Names = f.weights }, nil, []string{"binary"}},
		{"picture that is text", func(o *Options) { o.Image = file("t.png", []byte("not a picture")) }, picture.ErrFormat, []string{"t.png"}},
		{"picture cut short", func(o *Options) {
			png, err := os.ReadFile(f.image)
			if err != nil {
				t.Fatal(err)
			}
			o.Image = file("cut.png", png[:len(png)/2])
		}, picture.ErrDamage, []string{"cut.png"}},
		{"no picture", func(o *Options) { o.Image = filepath.Join(dir, "none.png") }, os.ErrNotExist, []string{"none.png"}},
		{"odd size", func(o *Options) { o.Size = 417 }, nil, []string{"417", "multiple of 32"}},
		{"negative runs", func(o *Options) { o.Runs = -1 }, nil, []string{"negative"}},
		{"unwritable cache", func(o *Options) { o.Cache = filepath.Join(f.names, "cache") }, nil, []string{f.names, "cannot be written"}},
		{"unwritable picture", func(o *Options) { o.Picture = filepath.Join(f.names, "out.png") }, nil, []string{f.names, "cannot be written"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := f.options(t, fake{name: "gocv"})
			c.edit(&o)
			_, err := Run(t.Context(), o)
			if err == nil {
				t.Fatal("accepted")
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v is not %v", err, c.is)
			}
			for _, w := range c.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("no %q in: %v", w, err)
				}
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "goroutine") {
				t.Errorf("not one sentence: %v", err)
			}
		})
	}
}

// TestFullDisk writes to the device that is always full.
func TestFullDisk(t *testing.T) {
	out, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("there is no /dev/full here: %v", err)
	}
	defer out.Close() //nolint:errcheck // nothing was written
	_, werr := out.Write([]byte("x"))
	err = cache.Explain("/cache/models", 248_007_048, fmt.Errorf("store self-test model: %w", werr))
	if !errors.Is(err, cache.ErrFull) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"/cache/models", "248.0 MB", "disk is full"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
}

func TestCancel(t *testing.T) {
	f := newFiles(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, f.options(t, fake{name: "gocv"})); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
}

func TestSizeChangesTheConfiguration(t *testing.T) {
	f := newFiles(t)
	o := f.options(t, fake{name: "gocv"})
	o.Size = 96
	r, err := Run(t.Context(), o)
	if err != nil || r.State != OK || r.Network.Width != 96 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, text := range []string{
		"[net]\n width = 416 \nheight=416\n[yolo]\nwidth=1\n",
		"[net]\nbatch=1\n[yolo]\nheight=1\n",
		"# c\n[net]\r\nheight=416\r\n\r\n[yolo]\n",
	} {
		out, err := resizeConfig([]byte(text), 608)
		if err != nil {
			t.Fatal(err)
		}
		head, rest, _ := strings.Cut(string(out), "[yolo]")
		if strings.Count(strings.ReplaceAll(head, " ", ""), "width=608") != 1 || strings.Count(head, "height=608") != 1 || strings.Contains(rest, "608") {
			t.Errorf("%q became %q", text, out)
		}
	}
	if _, err := resizeConfig([]byte("[net]\n"), 608); err == nil {
		t.Error("a configuration without layers was accepted")
	}
}

func TestGreyPictureStillHasADifferentInput(t *testing.T) {
	grey := make([]float32, 3*16)
	for i := range grey {
		grey[i] = float32(i%16) / 16
	}
	second, swapped := different(grey)
	if swapped || second[3] != 1-grey[3] {
		t.Errorf("swapped %v, %v", swapped, second)
	}
}

func TestFingerprintIsStable(t *testing.T) {
	a, err := fingerprint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := fingerprint(t.Context()); err != nil || a != b {
		t.Errorf("%s, %s, %v", a, b, err)
	}
}

func TestQuantile(t *testing.T) {
	v := []float64{4, 1, 3, 2, 5}
	for q, want := range map[float64]float64{0: 1, 0.5: 3, 1: 5, 0.95: 4.8, 0.25: 2} {
		if got := Quantile(v, q); math.Abs(got-want) > 1e-12 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if Quantile([]float64{7}, 0.95) != 7 {
		t.Error("one value")
	}
}

// TestRender compares with golden files; -update writes them.
func TestRender(t *testing.T) {
	good := Engine{
		Name: "gocv", Version: "v0.31.0", spec: gocv.Spec(), Versions: map[string]string{"opencv": "4.6.0"}, Backend: "opencv", Target: "cpu", State: OK,
		RelL2: []Number{7.8e-6, 4.8e-6, 4.7e-6}, Limits: []judge.Limit{{RelL2: 7.5e-5, MaxAbs: 0.0017}, {RelL2: 5.6e-5, MaxAbs: 0.002}},
		LoadSeconds: 0.153, FirstSeconds: 0.917, MinSeconds: 0.64, MedianSeconds: 0.66, P95Seconds: 0.7, Runs: 4,
		GFLOPS: 99.8, PeakShare: 0.43, Boxes: []Box{{"bus", 5, 0.99, 456, 372, 340, 208}, {"person", 0, 0.966, 412, 560, 90, 242}},
	}
	ref := Engine{Name: ReferenceName, Version: "pure Go", Backend: "go", Target: "cpu", State: OK, RelL2: []Number{0}, Boxes: good.Boxes}
	base := Result{
		Schema: 1, Level: 2, State: OK, Network: Network{Name: "yolov3", Layers: 107, Params: 62001757, GFLOP: 65.864, Width: 416, Height: 416},
		Weights: Weights{Kind: SelfTest}, Reference: Reference{Reused: true, Seconds: 2.9},
		Engines: []Engine{good, ref}, Picture: "/home/me/boxes.png", TotalSeconds: 5.1, OverheadSeconds: 0.412,
	}
	bad := base
	broken := good
	broken.State, broken.Name, broken.Why = Fail, "evil\x1b[2J", "all heads are off"
	broken.Reasons = []string{"all heads are off", "head 0 differs by 0.5", "3 boxes are found that the reference does not have"}
	broken.RelL2 = []Number{Number(math.Inf(1))}
	bad.State, bad.Engines = Fail, []Engine{broken, {Name: "onnxruntime", Backend: "cpu", Target: "cpu", State: Unknown, Why: "it is not installed", Reasons: []string{"it is not installed"}, Fix: "npm install onnxruntime-node"}, ref}
	bad.Weights = Weights{Kind: User, Path: "/m/my.weights"}
	bad.Image, bad.Picture, bad.Notes = "/m/dog.jpg", "", []string{"times vary"}
	compare := base
	other := good
	other.Name, other.MedianSeconds, other.Version, other.Versions = "onnxruntime", 0.35, "1.30", nil
	compare.Level, compare.Engines, compare.Fastest, compare.Gain = 3, []Engine{good, other, ref}, "onnxruntime", 1.9
	load := Result{Level: 1, State: OK, Engines: []Engine{{Name: "gocv", Version: "v0.31.0", spec: gocv.Spec(), Versions: map[string]string{"opencv": "4.6.0"}, Backend: "opencv", Target: "cpu", State: OK}}}
	for name, c := range map[string]struct {
		r     Result
		color bool
	}{"ok": {base, false}, "ok-color": {base, true}, "fail": {bad, false}, "compare": {compare, false}, "load": {load, false}} {
		t.Run(name, func(t *testing.T) {
			var got strings.Builder
			if err := Render(&got, &c.r, c.color); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "render."+name+".golden")
			if *update {
				if err := cache.WriteBytes(file, []byte(got.String())); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != string(want) {
				t.Errorf("got\n%s\nwant\n%s", &got, want)
			}
			if !c.color && strings.Contains(got.String(), "\x1b") {
				t.Error("an escape sequence without colour")
			}
		})
	}
}

// TestLeftoversOfAKilledRunGo: the next run removes them, whatever their age.
func TestLeftoversOfAKilledRunGo(t *testing.T) {
	o := newFiles(t).options(t, fake{name: "gocv"})
	dir := filepath.Join(o.Cache, "run", "job-1")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir+".lock", nil)
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(left) != 0 {
		t.Fatalf("%v, %v", left, err)
	}
}
