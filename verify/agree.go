package verify

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/convert/onnx"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/judge"
	"github.com/deployctl/deployctl/verify/picture"
)

// A model of the user's own has no reference: its engines are compared with one
// another, and the majority is right.

// openSize is the input's height and width in pixels where neither the model nor the
// user says: what most detection models are trained with.
const openSize = 640

// agreement is the relative L2 up to which two engines have the same result. Correct
// engines differ by about 1e-5 in single precision; half precision keeps 11 bits.
func agreement(p judge.Precision) float64 {
	if p == judge.FP32 {
		return 1e-3
	}
	return 2e-2
}

// own is the user's model as it is run.
type own struct {
	model   *onnx.Model
	outputs []string // those of float32
	file    string   // of the model with its input fixed
	dir     string
	height  int
	width   int
	inputs  [][]float32
}

// vote is what one engine computed: the outputs in the model's order.
type vote struct {
	at int // its place in Result.Engines
	// first and other are of the two pictures, processor of the first in single
	// precision on the processor.
	first, other, processor []judge.Tensor
}

// agree runs the user's model on every engine and compares them.
func (r *Result) agree(ctx context.Context, o Options) (err error) {
	dir, done, err := cache.Scratch(o.Cache)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	m, err := r.open(o, dir)
	if err != nil {
		return err
	}
	workers, err := prepareEngines(ctx, o)
	if err != nil {
		return err
	}
	var votes []vote
	for _, w := range workers {
		e := w.begun()
		if w.failed == nil {
			v, err := e.vote(ctx, o, m, w)
			if err != nil {
				return err
			}
			if v != nil {
				v.at = len(r.Engines)
				votes = append(votes, *v)
			}
		}
		r.Engines = append(r.Engines, e)
		r.noted(w)
	}
	r.count(votes, m, judge.PrecisionOf(o.Target))
	for i := range r.Engines {
		r.Engines[i].Boxes = []Box{}
		if r.Engines[i].RelL2 == nil {
			r.Engines[i].RelL2, r.Engines[i].MaxAbs = []Number{}, []Number{}
		}
	}
	r.State = r.state()
	r.rank(o.Level)
	r.remarks()
	return nil
}

// open reads the model and lays out what all engines are given.
func (r *Result) open(o Options, dir string) (*own, error) {
	model, err := onnx.Read(o.ONNX)
	if err != nil {
		return nil, err
	}
	_, height, width, err := model.Picture()
	if err != nil {
		return nil, &InputError{err.Error()}
	}
	name := filepath.Base(o.ONNX)
	for _, side := range []*int{&height, &width} {
		switch {
		case *side == 0 && o.Size == 0:
			*side = openSize
		case *side == 0:
			*side = o.Size
		case o.Size != 0 && o.Size != *side:
			return nil, &InputError{lang.F("--size %d does not fit %s: its input is %d×%d. Leave --size out", o.Size, name, width, height)}
		}
	}
	if max(height, width) > darknet.MaxSide {
		return nil, &InputError{lang.F("the input of %s is %d×%d, and at most %d×%d can be run", name, width, height, darknet.MaxSide, darknet.MaxSide)}
	}
	m := &own{model: model, dir: dir, file: filepath.Join(dir, "model.onnx"), height: height, width: width}
	for _, v := range model.Outputs {
		if v.Float() {
			m.outputs = append(m.outputs, v.Name)
			continue
		}
		r.Notes = append(r.Notes, lang.F("the output %s is not compared: it is not float32", v.Name))
	}
	if len(m.outputs) == 0 {
		return nil, &InputError{lang.F("%s has no output of float32, and nothing else can be compared", name)}
	}
	fixed, err := model.Fixed(height, width)
	if err != nil {
		return nil, err
	}
	if err := cache.WriteBytes(m.file, fixed); err != nil {
		return nil, err
	}
	img, err := scene(o)
	if err != nil {
		return nil, err
	}
	first, _ := picture.Input(img, width, height)
	second, _ := different(first)
	m.inputs = [][]float32{first, second}
	r.Network = Network{Name: strings.TrimSuffix(name, filepath.Ext(name)), Layers: model.Nodes, Width: width, Height: height, Config: o.ONNX}
	r.Weights, r.Image = Weights{Kind: Own, Path: o.ONNX}, o.Image
	r.Weights.SHA256, err = darknet.HashFile(o.ONNX)
	return m, err
}

// vote runs the model on one engine. nil: it did not live to answer.
func (e *Engine) vote(ctx context.Context, o Options, m *own, w ready) (v *vote, err error) {
	dir, done, err := cache.Scratch(o.Cache)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	job := engine.Job{
		Model: m.file, Outputs: m.outputs, Width: m.width, Height: m.height, Shapes: [][]int{}, Yolos: []int{}, Settings: o.settings(w.spec),
		OutDir: dir, Backend: w.target.Backend, Target: w.target.Name, Threads: o.Threads, Warmup: o.Warmup, Runs: o.Runs,
	}
	for i := range m.outputs {
		job.Heads = append(job.Heads, i)
	}
	for i, input := range m.inputs {
		name := filepath.Join(dir, fmt.Sprintf("input%d.f32", i))
		job.Inputs = append(job.Inputs, name)
		if err := cache.WriteBytes(name, engine.AppendFloats(nil, input)); err != nil {
			return nil, err
		}
	}
	if c := w.worker.Converter; c != nil {
		job.Model = filepath.Join(m.dir, e.Name+"-"+c.File)
		if err := o.translate(ctx, w.worker, m.file, job.Model, dir); err != nil {
			return nil, e.died(ctx, err)
		}
	}
	e.Settings = job.Settings
	o.Progress.Start(lang.F("run %s", e.Name), -1)
	a, err := engine.Execute(ctx, o.Process, w.worker, job, o.Limit, o.CPUFeatures)
	o.Progress.Done()
	e.Libraries, e.Versions, e.Threads, e.Log = a.Libraries, a.Versions, a.Threads, strings.TrimSpace(a.Log)
	if err := e.died(ctx, err); err != nil || e.State != OK {
		return nil, err
	}
	e.Backend, e.Target = a.Backend, a.Target
	e.stats(a, o.Warmup, 0)
	return e.computed(o, w, a)
}

// computed reads what the engine computed and judges what can be judged alone.
func (e *Engine) computed(o Options, w ready, a engine.Answer) (*vote, error) {
	var lists [4][]judge.Tensor
	for i, from := range [][]engine.Tensor{a.Outputs, a.Others, a.Repeat, a.Processor} {
		for _, t := range from {
			data, err := t.Load()
			if err != nil {
				e.reject(lang.F("its output cannot be read: %v", err), "")
				return nil, nil
			}
			lists[i] = append(lists[i], judge.Tensor{Layer: t.Layer, Shape: t.Shape, Data: data})
		}
	}
	first, other, repeat, processor := lists[0], lists[1], lists[2], lists[3]
	for _, list := range [][]judge.Tensor{first, other} {
		for _, t := range list {
			if slices.ContainsFunc(t.Data, func(v float32) bool { return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) }) {
				e.reject(lang.T("a result is not a number (NaN or infinite)"), "")
				return nil, nil
			}
		}
	}
	if worst, _, why := apart(first, repeat); why != "" || worst > agreement(judge.PrecisionOf(o.Target)) {
		e.reject(lang.T("it computed something else when it ran on the same picture again"), "")
	}
	if err := e.used(w, a, judge.Case{Heads: first, Other: other}, math.Inf(1)); err != nil {
		return nil, err
	}
	e.loaded(w.worker.Copy)
	if w.target.Name == "cpu" {
		processor = first
	}
	return &vote{first: first, other: other, processor: processor}, nil
}

// apart compares what two engines computed of the same input: the largest relative L2
// of an output, and the place of that output. why: they cannot be compared.
func apart(a, b []judge.Tensor) (worst float64, at int, why string) {
	if len(a) != len(b) {
		return 0, 0, lang.F("it has %d outputs, not %d", len(a), len(b))
	}
	for i := range a {
		if !slices.Equal(a[i].Shape, b[i].Shape) {
			return math.Inf(1), i, lang.F("it has the shape %v, not %v", a[i].Shape, b[i].Shape)
		}
		if d, _ := judge.Distance(a[i].Data, b[i].Data); d > worst {
			worst, at = d, i
		}
	}
	return worst, at, ""
}

// count finds the engines that agree in single precision, takes the one of them that
// is nearest to the others as the reference, and judges every engine by it.
func (r *Result) count(votes []vote, m *own, precision judge.Precision) {
	name := func(i int) string { return r.Engines[votes[i].at].Name }
	together := func(i, k int) (float64, bool) {
		worst, _, why := apart(votes[i].processor, votes[k].processor)
		return worst, why == "" && worst <= agreement(judge.FP32)
	}
	best, with, nearest := -1, 0, math.Inf(1)
	for i := range votes {
		friends, far := 0, 0.0
		for k := range votes {
			if d, ok := together(i, k); ok {
				friends, far = friends+1, far+d
			}
		}
		if friends > with || friends == with && far < nearest {
			best, with, nearest = i, friends, far
		}
	}
	if len(votes) < 2 || 2*with <= len(votes) {
		why, fix := lang.T("there is nothing to compare its results with: no other engine ran the model"), lang.T("Install a second engine that reads ONNX: deployctl doctor --recipe onnxruntime --fix, or --recipe openvino.")
		if len(votes) > 1 {
			why, fix = lang.T("the engines disagree, and no majority says which is right"), lang.T("Compare with one more engine.")
		}
		for _, v := range votes {
			r.Engines[v.at].doubt(why, fix)
		}
		return
	}
	for k := range votes {
		if _, ok := together(best, k); ok {
			r.Majority = append(r.Majority, name(k))
		}
	}
	for _, v := range votes {
		r.Engines[v.at].compare(v, votes[best], m, agreement(precision), name(best), with)
	}
}

// compare judges an engine by the reference that the majority chose.
func (e *Engine) compare(v, reference vote, m *own, limit float64, chosen string, with int) {
	for i, right := range reference.processor {
		rel, most := math.NaN(), math.NaN()
		if i < len(v.first) && slices.Equal(v.first[i].Shape, right.Shape) {
			rel, most = judge.Distance(v.first[i].Data, right.Data)
		}
		e.RelL2, e.MaxAbs, e.Limits = append(e.RelL2, Number(rel)), append(e.MaxAbs, Number(most)), append(e.Limits, judge.Limit{RelL2: limit})
	}
	for _, pair := range [][2][]judge.Tensor{{v.first, reference.processor}, {v.other, reference.other}} {
		worst, at, why := apart(pair[0], pair[1])
		if why == "" && worst <= limit {
			continue
		}
		if why == "" {
			why = lang.F("it differs by %.1e, and %.1e is the limit", worst, limit)
		}
		e.reject(lang.F("its output %s is not that of %s, with which %d engines agree: %s", m.outputs[at], chosen, with, why), "")
		return
	}
}
