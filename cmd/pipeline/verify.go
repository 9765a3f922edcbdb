package pipeline

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify"
	"github.com/deployctl/deployctl/verify/convert"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines"
	"github.com/deployctl/deployctl/verify/engines/gocv"
	"github.com/deployctl/deployctl/verify/input"
	"github.com/deployctl/deployctl/verify/picture"
)

// VerifyOptions are what Verify depends on.
type VerifyOptions struct {
	Console *console.Console
	Folders Folders
	Recipe  Selection
	// Engine names the engines, with commas between them; all are those of this
	// machine, and "" is the recipe's.
	Engine string
	// Config, Weights, Names and Image are the user's files, "" for none.
	Config, Weights, Names, Image string
	// Model is one of darknet's families, "" for YOLOv3, or an ONNX file of the user's.
	Model                string
	Size                 int
	Target               string
	Threads, Runs, Level int
	// Limit is the longest that the engine may run; 0 is 5 minutes.
	Limit time.Duration
	// Fresh uses no reference and no worker of the cache.
	Fresh bool
	// Picture is the file to draw, "" for one in the cache.
	Picture string
	Format  string // one of formats.Names
	Version string // deployctl's own
	// modules gives the one Go module proxy that the worker may be compiled from
	// with a release of gocv; nil leaves that to the Go command.
	modules func(ctx context.Context, release string) (string, error)
	// reads is the format that the engine is to read, and readers those that can, of
	// which the first one here runs; nil for what Engine says.
	reads   *convert.Format
	readers []engine.Spec
}

// proof is a finished verify with the exit code it stands for.
type proof struct {
	result *verify.Result
	exit   int
	facts  *facts.Facts // of the machine
}

func (p proof) write(c *console.Console) error { return verify.Render(c.Text(), p.result, c.Color) }

// Verify proves the set-up of this machine.
func Verify(ctx context.Context, o VerifyOptions) error {
	format, err := checkFormat(formats.Verify, o.Format)
	if err != nil {
		return err
	}
	if o.Engine, err = o.byRecipe(ctx); err != nil {
		return err
	}
	if err := cmp.Or(o.checkOwn(), o.checkEngine()); err != nil {
		return err
	}
	if err := verify.CheckLimits(0); err != nil {
		return err
	}
	if err := o.checkPicture(); err != nil {
		return err
	}
	var d *formats.Document
	return annotated(o.Console, format, func() error {
		p, err := prove(ctx, o, func() (*host.Host, *judge.Judgement, error) { return o.machine(ctx) })
		if err != nil {
			return err
		}
		d = o.document(format, p)
		if format.Live {
			err = p.write(o.Console)
		} else {
			err = format.Write(o.Console.Out, d)
		}
		if err != nil {
			return err
		}
		return verdict(p.exit)
	}, func() *formats.Document { return d })
}

// byRecipe is the engine to prove: where none is named, the one of the recipe that is.
func (o VerifyOptions) byRecipe(ctx context.Context) (string, error) {
	if o.Engine != "" || o.Recipe.Name == "" {
		return o.Engine, nil
	}
	r, _, err := o.Recipe.load(ctx, o.Folders, runtime.GOOS)
	if err != nil || r.Verify == nil || !canRun(r.Verify.Engine) {
		return "", err
	}
	return r.Verify.Engine, nil
}

// document is a proof, for a format.
func (o VerifyOptions) document(format formats.Format, p proof) *formats.Document {
	return &formats.Document{
		Command: "verify", Proof: p.result, Facts: p.facts, Picture: drawn(o.Console, format, p.result), Version: o.Version, Time: p.result.Time, Exit: p.exit,
	}
}

// own reports whether the model is a file of the user's: the networks that have names
// have no ending.
func (o VerifyOptions) own() bool { return strings.EqualFold(filepath.Ext(o.Model), ".onnx") }

// checkOwn refuses what a model of the user's own has no use for.
func (o VerifyOptions) checkOwn() error {
	if !o.own() {
		return nil
	}
	for _, f := range []struct{ name, value string }{{"cfg", o.Config}, {"weights", o.Weights}, {"names", o.Names}, {"picture", o.Picture}} {
		if f.value != "" {
			return usagef("--%s has no use with an ONNX model of your own: leave it out", f.name)
		}
	}
	if o.Engine == verify.ReferenceName {
		return usagef("the reference does not run ONNX models: name engines, or use --engine all")
	}
	specs, err := o.specs()
	if err != nil {
		return err
	}
	for _, s := range specs {
		if !s.Takes(engine.ONNX) {
			return usagef("%s does not read ONNX models: leave it out of --engine", s.Name)
		}
	}
	return nil
}

// machine looks at this machine and judges it by the recipe. Without a name that is
// gocv's where gocv runs: the release of gocv is chosen by it.
func (o VerifyOptions) machine(ctx context.Context) (*host.Host, *judge.Judgement, error) {
	if o.Recipe.Name == "" {
		specs, err := o.specs()
		if err != nil {
			return nil, nil, err
		}
		if slices.ContainsFunc(specs, func(s engine.Spec) bool { return s.Name == gocv.Name }) {
			o.Recipe.Name = gocv.Spec().Recipe
		}
	}
	r, t, err := o.Recipe.load(ctx, o.Folders, runtime.GOOS)
	if err != nil {
		return nil, nil, err
	}
	h, f, err := lookAnew(ctx, host.Live())
	if err != nil {
		return nil, nil, err
	}
	return h, judge.Evaluate(r, t, f), nil
}

// ending is how long a proof that was stopped may take to end in order.
const ending = 3 * time.Second

// heed runs work that changes nothing but the cache, and ends with it when ctx
// does. Work that does not end in time is left behind: it may be in a system
// call that nothing interrupts, on a network file system for example.
func heed[T any](ctx context.Context, work func() (T, error)) (T, error) {
	type reply struct {
		value T
		err   error
	}
	done := make(chan reply, 1)
	go func() {
		v, err := work()
		done <- reply{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-done:
		return r.value, r.err
	case <-time.After(ending):
		var none T
		return none, lang.Errorf("the proof was stopped: %w", context.Cause(ctx))
	}
}

// files are the options that name files, absolute.
func (o VerifyOptions) files() (verify.Options, error) {
	options := verify.Options{Config: o.Config, Weights: o.Weights, Names: o.Names, Image: o.Image, Picture: o.Picture}
	if o.own() {
		options.ONNX = o.Model
	}
	for _, p := range []*string{&options.Config, &options.Weights, &options.Names, &options.Image, &options.Picture, &options.ONNX} {
		if *p == "" {
			continue
		}
		abs, err := filepath.Abs(*p)
		if err != nil {
			return options, lang.Errorf("find %s: %w", *p, err)
		}
		*p = abs
	}
	return options, nil
}

// checkPicture refuses a picture that must not be written, before anything runs.
func (o VerifyOptions) checkPicture() error {
	options, err := o.files()
	if err != nil {
		return err
	}
	return asUsage(o, options.CheckPicture())
}

// asUsage marks an error as one of usage where what the user gave is at fault.
func asUsage(o VerifyOptions, err error) error {
	if err != nil && badInput(o, err) {
		return &UsageError{err}
	}
	return err
}

// lookAnew probes the host as a shell opened now would see it: that is where
// the user's next program runs, and this shell may be older than an install.
func lookAnew(ctx context.Context, h *host.Host) (*host.Host, *facts.Facts, error) {
	f, err := look(ctx, h, false)
	if err != nil {
		return nil, nil, err
	}
	anew, err := later(ctx, h, f.OS.User)
	if err != nil || anew == nil {
		return h, f, err
	}
	f, err = look(ctx, anew, false)
	return anew, f, err
}

// asked are verify's options as far as the user decides them.
func (o VerifyOptions) asked() (verify.Options, error) {
	options, err := o.files()
	options.Size, options.Cache, options.Level = o.Size, o.Folders.Cache, o.Level
	if !o.own() {
		options.Model = o.Model
	}
	options.Target, options.Threads, options.Runs, options.Limit, options.Fresh = o.Target, o.Threads, o.Runs, o.Limit, o.Fresh
	return options, err
}

// options are verify's for the machine that was judged: the engine is built and
// run in the environment of the host.
func (o VerifyOptions) options(h *host.Host, j *judge.Judgement) (verify.Options, error) {
	options, err := o.asked()
	if err != nil {
		return options, err
	}
	options.Process = h
	options.PeakGFLOPS, options.CPUFeatures = j.Facts.CPU.PeakGFLOPS, j.Facts.CPU.Features
	options.Progress = &progress{console: o.Console}
	options.Pictures = filepath.Join(o.Folders.Cache, "verify")
	if o.Engine == verify.ReferenceName {
		options.Fresh = true // asked for alone, it runs again, whatever the cache has
		return options, nil
	}
	specs, err := o.specs()
	if err != nil {
		return options, err
	}
	m := engine.Machine{
		Facts: j.Facts, Chosen: j.Chosen, Process: h, Getenv: h.Getenv, Cache: o.Folders.Cache, Fresh: o.Fresh, Proxy: o.modules,
	}
	for _, f := range j.Findings {
		if f.State == judge.Fail || f.State == judge.Unknown {
			m.Blocker = f.Title + ": " + f.Found
			break
		}
	}
	options.Format = o.reads
	var missing error
	var left []string // the engines that are not here, and why
	for _, spec := range specs {
		e, err := spec.Find(m)
		switch {
		case err == nil:
			options.Engines = append(options.Engines, e)
			if o.reads != nil {
				return options, nil
			}
		case o.reads != nil:
			missing = errors.Join(missing, err)
		case o.Engine == allEngines:
			missing = cmp.Or(missing, err)
			left = append(left, lang.F("%s is left out: %v", spec.Name, err))
		default:
			return options, err
		}
	}
	if len(options.Engines) == 0 && len(left) > 0 {
		left = left[1:] // the error says it of the first
	}
	for _, line := range left {
		o.Console.Note("%s", line)
	}
	switch {
	case len(options.Engines) > 0:
		return options, nil
	case o.reads != nil:
		return options, lang.Errorf("nothing was written: no engine here can check the result. Install one, or use --unchecked.\n%w", missing)
	}
	return options, missing
}

// allEngines are those that this machine has.
const allEngines = "all"

// specs are the engines asked for, with commas between their names; without one it
// is the first.
func (o VerifyOptions) specs() ([]engine.Spec, error) {
	if o.reads != nil {
		return o.readers, nil
	}
	switch o.Engine {
	case "":
		return []engine.Spec{engines.Default(runtime.GOOS)}, nil
	case allEngines:
		list := slices.DeleteFunc(engines.All(), func(s engine.Spec) bool {
			return !slices.Contains(s.TargetNames(), o.Target) || o.own() && !s.Takes(engine.ONNX)
		})
		return list, nil
	}
	var list []engine.Spec
	for name := range strings.SplitSeq(o.Engine, ",") {
		if name == verify.ReferenceName {
			continue // it runs beside every engine
		}
		spec, ok := engines.Named(name)
		if !ok {
			return nil, unknown("--engine", name, append(engines.Names(), allEngines, verify.ReferenceName))
		}
		if slices.ContainsFunc(list, func(s engine.Spec) bool { return s.Name == name }) {
			return nil, usagef("--engine names %s twice", name)
		}
		list = append(list, spec)
	}
	return list, nil
}

// checkEngine refuses a model, an engine or a target that there is not, before anything
// runs.
func (o VerifyOptions) checkEngine() error {
	if o.Model != "" && !o.own() && !slices.Contains(darknet.Families(), o.Model) {
		return unknown("--model", o.Model, darknet.Families())
	}
	names := engines.Targets()
	if o.Engine != verify.ReferenceName {
		specs, err := o.specs()
		if err != nil {
			return err
		}
		for _, s := range specs {
			if slices.Contains(names, o.Target) && !slices.Contains(s.TargetNames(), o.Target) {
				return usagef("%s does not compute on %s: use one of %s", s.Name, o.Target, strings.Join(s.TargetNames(), ", "))
			}
		}
		if len(specs) == 1 {
			names = specs[0].TargetNames()
		}
	}
	if !slices.Contains(names, o.Target) {
		return unknown("--target", o.Target, names)
	}
	return nil
}

// prove runs the engines that the options name on a machine that was judged, in
// the environment of its host. A signal ends it, looking at the machine included.
func prove(ctx context.Context, o VerifyOptions, machine func() (*host.Host, *judge.Judgement, error)) (proof, error) {
	var known *facts.Facts
	result, err := heed(ctx, func() (*verify.Result, error) {
		h, j, err := machine()
		if err != nil {
			return nil, err
		}
		known = j.Facts
		options, err := o.options(h, j)
		if err != nil {
			return nil, err
		}
		r, err := verify.Run(ctx, options)
		return r, asUsage(o, err)
	})
	if err != nil {
		return proof{}, err
	}
	result.Made = Made(o.Console, o.Version)
	exit := judge.ExitOK
	switch result.State {
	case verify.Fail:
		exit = judge.ExitFail
	case verify.Unknown:
		exit = judge.ExitUnknown
	}
	return proof{result, exit, known}, nil
}

// canRun reports whether there is an engine of the name. Recipes name engines
// that are still to come, too.
func canRun(name string) bool {
	_, ok := engines.Named(name)
	return ok || name == verify.ReferenceName
}

// withoutGo reports whether the engine's worker is compiled with Go, and the machine
// has none and the recipe does not ask for it.
func withoutGo(name string, r *recipes.Recipe, f *facts.Facts) bool {
	spec, _ := engines.Named(name)
	_, have := f.Active("go")
	return spec.GoModule != "" && !have && !slices.ContainsFunc(r.Requirements, func(q recipes.Requirement) bool {
		return q.Component != nil && q.Component.Name == "go"
	})
}

// badInput reports whether what the user gave is at fault, not the machine: the
// same error over a file in deployctl's own cache is none of theirs.
func badInput(o VerifyOptions, err error) bool {
	var option *verify.InputError
	if errors.As(err, &option) {
		return true
	}
	if o.Config+o.Weights+o.Names+o.Image == "" && o.Size == 0 && !o.own() {
		return false
	}
	var config *darknet.ConfigError
	var weights *darknet.WeightsError
	var image *picture.Error
	var file *input.Error
	return errors.As(err, &file) || errors.As(err, &config) || errors.As(err, &weights) || errors.As(err, &image) ||
		errors.Is(err, verify.ErrWeights) || errors.Is(err, fs.ErrNotExist)
}

func trimV(s string) string {
	if len(s) > 0 && s[0] == 'v' {
		return s[1:]
	}
	return s
}

// progress draws verify's progress.
type progress struct {
	console *console.Console
	task    *console.Task
}

func (p *progress) Start(name string, total int64) { p.task = p.console.Start(name, total) }
func (p *progress) Add(n int64)                    { p.task.Add(n) }
func (p *progress) Done()                          { p.task.Done("") }

var _ engine.Progress = (*progress)(nil)
