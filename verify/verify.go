// Package verify proves that this machine runs a network: it takes a real
// YOLOv3 (or the user's own), runs it on every engine asked for, each in a
// child process, compares the raw numbers with a pure-Go reference, measures,
// and draws what was found. It owns the order of these things and the result
// value; it must never install anything, and never load a foreign library into
// this process.
package verify

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/durable/inuse"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/recipes/near"
	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/convert"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/detect"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/judge"
	"github.com/deployctl/deployctl/verify/picture"
)

// Levels of proof.
const (
	LevelLoad    = 1 // the engines' libraries load
	LevelCheck   = 2 // one checked forward pass, timed on a few runs
	LevelCompare = 3 // timed on many runs and compared across engines
)

// Options are everything Run depends on. Paths are absolute.
type Options struct {
	// Config, Weights and Names are the user's Darknet files; all empty: the
	// official weights if they are in the cache, else the self-test model, of the
	// family that Model names, "" for YOLOv3.
	Config, Weights, Names, Model string
	// ONNX is a model of the user's own (.onnx) that is run in the network's place; ""
	// for none. It has no weights beside it and no reference but the engines.
	ONNX string
	// Image is the user's picture (PNG or JPEG); empty: the embedded scene.
	Image string
	// Size is the network's input, width and height in pixels; 0: as the
	// configuration says.
	Size int
	// Cache is deployctl's cache folder; Picture the PNG or JPEG to write, "" for
	// none.
	Cache, Picture string
	// Pictures is a folder for a picture of its own for each network and image,
	// used without Picture; "" for none.
	Pictures string
	// Level is 1, 2 or 3; 0 is 2.
	Level int
	// Engines to prove, in order. With none, the reference alone runs.
	Engines []engine.Engine
	// Process starts the workers.
	Process engine.Process
	// Target is what every engine is asked to use; empty is the processor ("cpu").
	// Backend is the engine's part for it; empty is what the engine declares.
	Backend, Target string
	// Settings are switches of the engines (engine.Spec.Settings); one that an engine
	// does not have is not given to it.
	Settings map[string]string
	// Threads limits an engine's threads; 0 is its own choice.
	Threads int
	// Runs is the number of timed runs after Warmup untimed ones; 0 and 0 is
	// the level's choice. The first run counts as a warm-up.
	Warmup, Runs int
	// Limit is the most time one engine's child may take; 0 is 5 minutes.
	Limit time.Duration
	// PeakGFLOPS is the processor's theoretical single-precision peak, for
	// engines that measure none; 0 unknown.
	PeakGFLOPS float64
	// CPUFeatures explain a worker killed by an illegal instruction.
	CPUFeatures []string
	// Format is what the engines are given, where it is not what they prefer; nil for
	// that.
	Format *convert.Format
	// Fresh computes the reference anew.
	Fresh    bool
	Progress engine.Progress
}

// tick is how often waiting is reported.
const tick = 200 * time.Millisecond

func (o *Options) defaults() error {
	if err := o.checkFiles(); err != nil {
		return err
	}
	if o.Level == 0 {
		o.Level = LevelCheck
	}
	if o.Level < LevelLoad || o.Level > LevelCompare {
		return &InputError{lang.F("there is no level %d; the levels are 1, 2 and 3", o.Level)}
	}
	if o.Runs < 0 || o.Warmup < 0 || o.Threads < 0 || o.Size < 0 {
		return &InputError{lang.T("runs, warm-up, threads and size cannot be negative")}
	}
	if o.ONNX == "" && o.Size%32 != 0 {
		if o.Size < 32 {
			return &InputError{lang.F("--size %d is not a multiple of 32: use 32", o.Size)}
		}
		return &InputError{lang.F("--size %d is not a multiple of 32: use %d or %d", o.Size, o.Size/32*32, o.Size/32*32+32)}
	}
	if o.Runs == 0 {
		o.Runs = map[int]int{LevelCheck: 5, LevelCompare: 20}[o.Level]
	}
	if o.Warmup == 0 {
		o.Warmup = map[int]int{LevelCheck: 1, LevelCompare: 2}[o.Level]
	}
	if o.Target == "" {
		o.Target = "cpu"
	}
	for _, e := range o.Engines {
		spec := e.Spec()
		if _, ok := spec.Target(o.Backend, o.Target); !ok {
			return &InputError{lang.F("%s does not offer %s; it has %s", spec.Name, strings.Trim(o.Backend+"/"+o.Target, "/"), strings.Join(spec.TargetNames(), ", "))}
		}
	}
	if o.Limit == 0 {
		o.Limit = 5 * time.Minute
	}
	if o.Progress == nil {
		o.Progress = engine.Silent{}
	}
	return nil
}

// checkFiles refuses files that do not go together, and a network that deployctl does not
// know.
func (o *Options) checkFiles() error {
	switch {
	case o.Config != "" && o.Weights == "":
		return &InputError{lang.T("a configuration without weights cannot be run; give --weights too")}
	case o.Weights == "" && o.Names != "":
		return &InputError{lang.T("names without weights have no use; give --weights too")}
	case o.Model != "" && o.Weights != "":
		return &InputError{lang.T("--model names a network that deployctl knows; leave it out to run weights of your own")}
	case o.Model != "" && o.ONNX == "" && !slices.Contains(darknet.Families(), o.Model):
		return &InputError{near.Unknown("--model", o.Model, darknet.Families()).Error()}
	}
	return nil
}

// format is what an engine is given; ok is false for Darknet's own files.
func (o *Options) format(spec engine.Spec) (f convert.Format, ok bool) {
	if o.Format != nil {
		return *o.Format, true
	}
	return convert.Named(spec.Formats[0])
}

// settings are those that the engine has.
func (o *Options) settings(spec engine.Spec) map[string]string {
	var own map[string]string
	for _, s := range spec.Settings {
		if v, ok := o.Settings[s.Name]; ok {
			if own == nil {
				own = map[string]string{}
			}
			own[s.Name] = v
		}
	}
	return own
}

// Ahead puts into the cache what Run will need and no engine has a part in: the
// self-test's weights and the reference's heads. It is for the time in which a
// package manager is at work; Run does again what could not be done, and says why.
func Ahead(ctx context.Context, o Options) error {
	if err := o.defaults(); err != nil || o.Level != LevelCheck || o.Fresh {
		return err
	}
	if err := writable(o.Cache); err != nil {
		return err
	}
	m, v, err := prepare(ctx, o)
	if err != nil {
		return err
	}
	_, err = newOracle(o, m, v).heads(ctx, v.first)
	return err
}

// Run proves. An error means that no proof could be attempted (bad input, no
// room, cancelled); an engine that fails is part of the Result.
func Run(ctx context.Context, o Options) (*Result, error) {
	r, err := run(ctx, o)
	if err != nil {
		return r, err
	}
	if _, err := cache.Prune(o.Cache, cache.Pruning{Limit: cache.Limit}, time.Now()); err != nil {
		r.Notes = append(r.Notes, lang.F("the cache could not be tidied: %v", err))
	}
	return r, nil
}

func run(ctx context.Context, o Options) (*Result, error) {
	begin := time.Now()
	if err := o.defaults(); err != nil {
		return nil, err
	}
	if err := o.CheckPicture(); err != nil {
		return nil, err
	}
	if err := writable(o.Cache); err != nil {
		return nil, err
	}
	r := &Result{Schema: Schema, Level: o.Level}
	if o.ONNX != "" && o.Level != LevelLoad {
		if err := r.agree(ctx, o); err != nil {
			return nil, err
		}
		r.TotalSeconds = seconds(time.Since(begin))
		return r, nil
	}
	if o.Level == LevelLoad {
		if err := r.load(ctx, o); err != nil {
			return nil, err
		}
		r.State = r.state()
		r.TotalSeconds = seconds(time.Since(begin))
		return r, nil
	}

	o.Progress.Start(lang.T("prepare the network"), -1)
	m, v, err := prepare(ctx, o)
	o.Progress.Done()
	if err != nil {
		return nil, err
	}
	if err := CheckLimits(m.net.Params()); err != nil {
		return nil, err
	}
	r.Network = Network{
		Name: m.net.Name, Layers: len(m.net.Layers), Params: m.net.Params(), GFLOP: m.net.GFLOP(),
		Width: m.net.Width, Height: m.net.Height, Config: o.Config,
	}
	r.Weights, r.Image = m.weights, o.Image
	if r.Published, err = published(o, m); err != nil {
		return nil, err
	}
	for i, k := range m.net.Ignored {
		if i == 5 {
			r.Notes = append(r.Notes, lang.F("%d more keys had no effect", len(m.net.Ignored)-i))
			break
		}
		r.Notes = append(r.Notes, lang.F("line %d: the key %s had no effect here; an engine may see it differently", k.Line, k.Key))
	}

	or := newOracle(o, m, v)
	alone := o.Level == LevelCompare || len(o.Engines) == 0
	workers, t, inference, err := compute(ctx, o, or, v.first, alone)
	if err != nil {
		return nil, err
	}
	r.Reference = Reference{t.reused, t.seconds}

	best := -1
	for i := range workers {
		e, boxes, err := prove(ctx, o, m, v, or, t, workers[i])
		if err != nil {
			return nil, err
		}
		if boxes != nil && (best < 0 || r.Engines[best].State != OK && e.State == OK) {
			best = i
		}
		e.place(v, m, boxes)
		e.publishedHere(r.Published, v.img.Rect.Dx(), v.img.Rect.Dy())
		r.Engines = append(r.Engines, e)
		r.noted(workers[i])
		inference += e.busy + workers[i].built.Seconds() + e.ConvertSeconds
	}
	mine, boxes := ownResult(m, t, alone)
	mine.place(v, m, boxes)
	mine.publishedHere(r.Published, v.img.Rect.Dx(), v.img.Rect.Dy())
	r.Engines = append(r.Engines, mine)
	if best < 0 {
		best = len(r.Engines) - 1
	}
	r.State = r.state()
	r.rank(o.Level)
	r.remarks()

	if r.Picture, err = o.draw(m, v, r.Engines[best].Boxes); err != nil {
		return nil, err
	}
	r.TotalSeconds = seconds(time.Since(begin))
	r.OverheadSeconds = math.Max(0, r.TotalSeconds-inference)
	return r, nil
}

// compute makes what engines are run with and compared with: the workers and
// the reference's heads. waited is the time spent on the reference alone.
//
// The reference needs a few seconds and a compiler about a minute on one
// processor: they run side by side, where nothing is timed. alone: the
// reference's own figure counts, so it gets the machine.
func compute(ctx context.Context, o Options, or *oracle, input []float32, alone bool) (workers []ready, t truth, waited float64, err error) {
	type reply struct {
		t   truth
		err error
	}
	done := make(chan reply, 1)
	refCtx, stop := context.WithCancel(ctx)
	defer stop()
	refer := func() {
		t, err := or.heads(refCtx, input)
		done <- reply{t, err}
	}
	if !alone {
		go refer()
	}
	workers, err = prepareEngines(ctx, o)
	if err != nil {
		stop()
		if !alone {
			<-done
		}
		return nil, truth{}, 0, err
	}
	if alone {
		go refer()
	}
	waiting := time.Now()
	ref := wait(o.Progress, lang.T("run the reference"), done)
	if ref.err != nil && ctx.Err() != nil {
		return nil, truth{}, 0, lang.Errorf("run the reference: %w", context.Cause(ctx))
	}
	return workers, ref.t, time.Since(waiting).Seconds(), ref.err
}

// writable finds out early that nothing could be stored later.
func writable(dir string) error {
	if _, err := cache.Secure(dir); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return cache.Explain(dir, 0, err)
	}
	return cache.Explain(dir, 0, errors.Join(f.Close(), os.Remove(f.Name())))
}

// prepare reads the picture while the weights, 248 MB, are hashed.
func prepare(ctx context.Context, o Options) (*model, *view, error) {
	type reply struct {
		img *image.NRGBA
		err error
	}
	done := make(chan reply, 1)
	go func() {
		img, err := scene(o)
		done <- reply{img, err}
	}()
	m, err := resolve(ctx, o)
	r := <-done
	if err == nil {
		err = r.err
	}
	if err != nil {
		return nil, nil, err
	}
	v, err := look(o, m.net, r.img)
	return m, v, err
}

// wait reports while the reply is not there yet.
func wait[T any](p engine.Progress, name string, done <-chan T) T {
	select {
	case v := <-done:
		return v
	default:
	}
	p.Start(name, -1)
	defer p.Done()
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case v := <-done:
			return v
		case <-t.C:
			p.Add(1)
		}
	}
}

// ready is an engine that was prepared, or why it could not be.
type ready struct {
	spec   engine.Spec
	target engine.Target
	worker engine.Worker
	failed *engine.Unavailable
	// built is the time Prepare took when it compiled something or tried to.
	built time.Duration
}

// prepareEngines finds or builds every worker. What is wrong with one engine
// is kept; what is wrong with the cache or the context ends the proof.
func prepareEngines(ctx context.Context, o Options) ([]ready, error) {
	var list []ready
	for _, e := range o.Engines {
		begin := time.Now()
		w, err := e.Prepare(ctx, o.Progress)
		var u *engine.Unavailable
		if err != nil && !errors.As(err, &u) {
			return nil, err
		}
		r := ready{spec: e.Spec(), worker: w, failed: u}
		r.target, _ = r.spec.Target(o.Backend, o.Target) // defaults has checked it
		if w.Built || u != nil {
			r.built = time.Since(begin)
		}
		list = append(list, r)
	}
	return list, nil
}

// begun is the part of an engine's result that is known before it runs.
func (w ready) begun() Engine {
	e := Engine{Name: w.spec.Name, Version: w.worker.Version, Backend: w.target.Backend, Target: w.target.Name, State: Unknown, spec: w.spec}
	if u := w.failed; u != nil {
		e.Why, e.Fix, e.Log = u.Why, u.Fix, u.Log
		if u.Broken {
			e.State = Fail
		}
		e.Reasons = []string{e.Why}
		return e
	}
	e.BuildSeconds = seconds(w.worker.BuildTime)
	return e
}

// load is level 1: every worker starts, which loads its libraries, and says
// its versions.
func (r *Result) load(ctx context.Context, o Options) error {
	workers, err := prepareEngines(ctx, o)
	if err != nil {
		return err
	}
	for _, w := range workers {
		e := w.begun()
		if w.failed == nil {
			dir, done, err := cache.Scratch(o.Cache)
			if err != nil {
				return err
			}
			a, err := engine.Execute(ctx, o.Process, w.worker, engine.Job{OutDir: dir, Backend: w.target.Backend, Target: w.target.Name}, o.Limit, o.CPUFeatures)
			err = errors.Join(e.died(ctx, err), done())
			if err != nil {
				return err
			}
			e.Versions, e.Libraries = a.Versions, a.Libraries
			if e.State == OK {
				e.available(w, a)
				e.loaded(w.worker.Copy)
			}
		}
		r.Engines = append(r.Engines, e)
		r.noted(w)
	}
	return nil
}

// noted adds the remarks on how a worker was made.
func (r *Result) noted(w ready) {
	for _, n := range w.worker.Notes {
		r.Notes = append(r.Notes, w.spec.Name+": "+n)
	}
}

// died turns a worker's end into a state. It returns an error only when the
// caller gave up.
func (e *Engine) died(ctx context.Context, err error) error {
	if err == nil {
		e.State = OK
		return nil
	}
	if ctx.Err() != nil {
		return err
	}
	e.State, e.Why = Fail, err.Error()
	var d *engine.Death
	var a *engine.AnswerError
	switch {
	case errors.As(err, &d):
		e.Why, e.Fix = d.Why, d.Fix
	case errors.As(err, &a):
		e.Why, e.Fix = a.Text, a.Fix
	}
	e.Reasons = []string{e.Why}
	return nil
}

// prove runs one engine and judges it. boxes are in fractions of the input,
// nil when it gave none to speak of.
func prove(ctx context.Context, o Options, m *model, v *view, or *oracle, ref truth, w ready) (Engine, []detect.Box, error) {
	e := w.begun()
	if w.failed != nil {
		return e, nil, nil //nolint:nilerr // begun has it
	}
	dir, done, err := cache.Scratch(o.Cache)
	if err != nil {
		return e, nil, err
	}
	boxes, err := e.prove(ctx, o, m, v, or, ref, w, dir)
	return e, boxes, errors.Join(err, done())
}

func (e *Engine) prove(ctx context.Context, o Options, m *model, v *view, or *oracle, ref truth, w ready, dir string) ([]detect.Box, error) {
	job, err := writeJob(dir, o, m, v, w.target)
	if err == nil {
		err = e.convert(ctx, o, m, or, w, &job)
	}
	var died *engine.Death
	var unanswered *engine.AnswerError
	if errors.As(err, &died) || errors.As(err, &unanswered) {
		return nil, e.died(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	job.Settings = o.settings(w.spec)
	e.Settings = job.Settings
	o.Progress.Start(lang.F("run %s", e.Name), -1)
	type reply struct {
		a   engine.Answer
		err error
	}
	done := make(chan reply, 1)
	go func() {
		a, err := engine.Execute(ctx, o.Process, w.worker, job, o.Limit, o.CPUFeatures)
		done <- reply{a, err}
	}()
	// No ticks here: drawing a spinner would disturb what is being timed.
	r := <-done
	o.Progress.Done()
	e.Libraries = r.a.Libraries
	e.Versions, e.Threads, e.Log = r.a.Versions, r.a.Threads, strings.TrimSpace(r.a.Log)
	if r.err != nil {
		err := e.died(ctx, r.err)
		if r.a.Device != nil {
			e.available(w, r.a)
		}
		return nil, err
	}
	e.Backend, e.Target = r.a.Backend, r.a.Target
	e.stats(r.a, o.Warmup, m.net.GFLOP())

	c := judge.Case{
		Net: m.net, Precision: judge.PrecisionOf(o.Target), Reference: ref.heads, Noise: ref.noise, OtherReference: ref.second, RunDiff: r.a.RunDiff, RunMost: r.a.RunMost, RunRows: r.a.RunRows,
		OtherSwapped: v.swapped, Expected: m.expected,
		Asked: w.target.Pair(), Ran: e.Backend + "/" + e.Target,
	}
	for _, part := range []struct {
		from        []engine.Tensor
		heads, rows *[]judge.Tensor
	}{{r.a.Outputs, &c.Heads, &c.Rows}, {r.a.Others, &c.Other, &c.OtherRows}, {r.a.Repeat, &c.Repeat, &c.RepeatRows}, {r.a.Last, &c.Last, &c.LastRows}} {
		for _, t := range part.from {
			to := part.heads
			if t.Kind == "rows" {
				to = part.rows
			}
			data, err := t.Load()
			if err != nil {
				return nil, e.died(ctx, lang.Errorf("its output cannot be read: %w", err))
			}
			*to = append(*to, judge.Tensor{Layer: t.Layer, Shape: t.Shape, Data: data})
		}
	}
	c.Peak = bound(o, r.a)
	if e.MinSeconds > 0 {
		c.Rate = m.net.GFLOP() / e.MinSeconds
	}
	verdict := judge.Judge(c)
	e.Arithmetic = usual(c.Precision)
	if !verdict.OK {
		if c, verdict, err = or.concede(ctx, v.first, o.Target, r.a, c, verdict, &e.Arithmetic); err != nil {
			return nil, err
		}
	}
	if verdict.AllHeadsOff {
		suspects, err := or.suspects(ctx, v)
		if err != nil {
			return nil, err
		}
		judge.Identify(&verdict, c, suspects)
	}
	e.Limits = verdict.Limits
	for i := range verdict.RelL2 {
		e.RelL2 = append(e.RelL2, Number(verdict.RelL2[i]))
		e.MaxAbs = append(e.MaxAbs, Number(verdict.MaxAbs[i]))
	}
	e.State = OK
	if !verdict.OK {
		e.State, e.Why, e.Reasons = Fail, verdict.Reasons[0], verdict.Reasons
	}
	if err := e.used(w, r.a, c, m.net.GFLOP()); err != nil {
		return nil, e.died(ctx, lang.Errorf("its output cannot be read: %w", err))
	}
	e.loaded(w.worker.Copy)
	if verdict.Boxes == nil {
		return []detect.Box{}, nil
	}
	return verdict.Boxes, nil
}

// convert gives the job the network in the format that the engine reads, where that
// is not Darknet's.
func (e *Engine) convert(ctx context.Context, o Options, m *model, or *oracle, w ready, job *engine.Job) error {
	format, ok := o.format(w.spec)
	if w.worker.Converter != nil {
		var err error
		if format, err = or.made(ctx, o, w.worker); err != nil {
			return err
		}
		ok = true
	}
	if !ok {
		return nil
	}
	model, took, err := or.convert(ctx, o.Progress, format)
	if err != nil {
		return err
	}
	e.Model, e.ConvertSeconds = model, took
	job.Outputs, job.Model = format.Outputs(m.net), model.Files[0]
	return nil
}

// writeJob lays out what the worker reads.
func writeJob(dir string, o Options, m *model, v *view, target engine.Target) (engine.Job, error) {
	job := engine.Job{
		Config: filepath.Join(dir, "network.cfg"), Weights: m.weights.Path,
		Width: m.net.Width, Height: m.net.Height, Heads: m.net.Heads(), Shapes: [][]int{}, Yolos: m.net.Yolos(),
		OutDir: dir, Backend: target.Backend, Target: target.Name, Threads: o.Threads, Warmup: o.Warmup, Runs: o.Runs,
	}
	for _, h := range job.Heads {
		s := m.net.Layers[h].Out
		job.Shapes = append(job.Shapes, []int{1, s.C, s.H, s.W})
	}
	files := map[string][]byte{job.Config: m.config}
	for i, input := range [][]float32{v.first, v.second} {
		name := filepath.Join(dir, fmt.Sprintf("input%d.f32", i))
		job.Inputs = append(job.Inputs, name)
		files[name] = engine.AppendFloats(nil, input)
	}
	for name, data := range files {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			return job, cache.Explain(name, int64(len(data)), err)
		}
	}
	return job, nil
}

// ownResult presents the reference as an engine, so that a machine with nothing
// else has a result. alone: it ran undisturbed, so its time means something.
func ownResult(m *model, t truth, alone bool) (Engine, []detect.Box) {
	v := judge.Judge(judge.Case{Net: m.net, Precision: judge.FP32, Reference: t.heads, Noise: t.noise, Heads: t.heads, Expected: m.expected})
	e := Engine{Name: ReferenceName, Version: "pure Go", Backend: "go", Target: "cpu", State: OK, Reasons: v.Reasons}
	if !v.OK {
		e.State, e.Why = Fail, v.Reasons[0]
	}
	for range t.heads {
		e.RelL2, e.MaxAbs = append(e.RelL2, 0), append(e.MaxAbs, 0)
	}
	if alone && !t.reused {
		e.stats(engine.Answer{RunSeconds: []float64{t.seconds}}, 0, m.net.GFLOP())
	}
	return e, v.Boxes
}

// place turns boxes on the network's input into boxes on the picture.
func (e *Engine) place(v *view, m *model, boxes []detect.Box) {
	e.Boxes = []Box{}
	for _, b := range boxes {
		p := v.box.ToPicture(b)
		e.Boxes = append(e.Boxes, Box{picture.Label(m.names, b.Class), b.Class, b.Score, p.X, p.Y, p.W, p.H})
	}
	if e.RelL2 == nil {
		e.RelL2, e.MaxAbs = []Number{}, []Number{}
	}
}

// draw writes the picture with boxes, where one is wanted, and returns its name.
func (o *Options) draw(m *model, v *view, boxes []Box) (string, error) {
	file := o.Picture
	if file == "" && o.Pictures != "" {
		file = filepath.Join(o.Pictures, pictureName(m, o.Image, v.img))
	}
	if file == "" {
		return "", nil
	}
	// Once more: a minute has passed since the options were checked.
	if err := refused(o.pictureFile().Check(file)); err != nil {
		return "", err
	}
	var list []detect.Box
	for _, b := range boxes {
		list = append(list, detect.Box{Class: b.ID, Score: b.Score, X: b.X, Y: b.Y, W: b.W, H: b.H})
	}
	img, err := picture.Draw(v.img, list, m.names)
	if err != nil {
		return "", err
	}
	return save(file, img)
}

// save writes a picture; beside it, under another name, where a viewer has the one of
// that name open: no proof is lost over that. It returns the file's name.
func save(file string, img image.Image) (string, error) {
	err := picture.Save(file, img)
	for i := 2; i < 10 && inuse.Is(err); i++ {
		ext := filepath.Ext(file)
		other := fmt.Sprintf("%s-%d%s", strings.TrimSuffix(file, ext), i, ext)
		if err = picture.Save(other, img); err == nil {
			return other, nil
		}
	}
	return file, err
}

// rank names the fastest engine that is right.
func (r *Result) rank(level int) {
	if level < LevelCompare {
		return
	}
	var good []Engine
	for _, e := range r.Engines {
		if e.State == OK && e.MedianSeconds > 0 {
			good = append(good, e)
		}
	}
	if len(good) < 2 {
		return
	}
	sort.SliceStable(good, func(i, j int) bool { return good[i].MedianSeconds < good[j].MedianSeconds })
	r.Fastest = good[0].Name
	r.Gain = good[len(good)-1].MedianSeconds / good[0].MedianSeconds
}

// noisy is the spread of the calibration above which a machine was busy. Each of
// its times is the best of three tries, which on an idle machine differ by less
// than 5 %; a program beside it that takes one of two processors doubles them.
const noisy = 1.25

// on says on what an engine ran.
func on(e Engine) string {
	switch {
	case e.Target != "cpu":
		return lang.F("on %s", e.Target)
	case e.Threads == 1:
		return lang.T("with 1 thread")
	}
	return lang.F("with %d threads", e.Threads)
}

// bound is the rate of plain multiply-adds that no engine can exceed here: that
// of all processors, since engines may have more threads than they say, and that
// of the target, since some layers run here and some there. 0 is not known: half
// precision has rates of its own.
func bound(o Options, a engine.Answer) float64 {
	switch {
	case o.Target == "cpu" && a.PeakAll > 0:
		return a.PeakAll
	case o.Target == "cpu":
		return o.PeakGFLOPS
	case a.PeakDevice > 0 && judge.PrecisionOf(o.Target) == judge.FP32:
		return a.PeakAll + a.PeakDevice
	}
	return 0
}

// remarks notes what a reader of the figures should know.
func (r *Result) remarks() {
	for _, e := range r.Engines {
		if e.PeakGFLOPS > 0 {
			r.Notes = append(r.Notes, lang.F("%s: its share is of %.0f GFLOP/s, the rate of multiply-adds measured here along with its runs, %s",
				e.Name, e.PeakGFLOPS, on(e)))
		}
		switch {
		case e.CalibrationSpread > noisy:
			r.Notes = append(r.Notes, lang.F("%s: the machine was busy with something else: the same known work took up to %.1f times as long between its runs, so the times are upper bounds",
				e.Name, e.CalibrationSpread))
		case e.CalibrationSpread > 0 && e.Runs >= 3 && e.P95Seconds > 1.5*e.MinSeconds:
			r.Notes = append(r.Notes, lang.F("%s: times vary from %s to %s, though the same known work took the same time between them: the engine varies, not the machine",
				e.Name, Duration(e.MinSeconds), Duration(e.P95Seconds)))
		}
	}
	if r.Weights.Kind == SelfTest {
		r.Notes = append(r.Notes, lang.T("self-test weights are calibrated on one scene, not trained: on other pictures their boxes mean nothing"))
	}
}

// Quantile is the value below which a share q of the values lies, linear
// between neighbors.
func Quantile(values []float64, q float64) float64 {
	s := append([]float64(nil), values...)
	sort.Float64s(s)
	at := q * float64(len(s)-1)
	i := int(at)
	if i+1 >= len(s) {
		return s[len(s)-1]
	}
	return s[i] + (at-float64(i))*(s[i+1]-s[i])
}
