package verify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/cache"
	"github.com/deployctl/deployctl/verify/convert"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engine"
)

// Model is a network in a format that was written of Darknet's files.
type Model struct {
	Format engine.Format `json:"format"`
	// Version is which version of the format it is, "" where there is one.
	Version string `json:"version,omitempty"`
	// Files are absolute, the one that an engine is given first, and SHA256 their
	// sums in the same order.
	Files   []string `json:"files"`
	SHA256  []string `json:"sha256"`
	Input   Port     `json:"input"`
	Outputs []Port   `json:"outputs"`
}

// Port is a model's input or output: its name and its shape.
type Port struct {
	Name  string `json:"name"`
	Shape []int  `json:"shape"`
}

// describe is the model that a network's files in a format are.
func describe(net *darknet.Network, format convert.Format, files, sums []string) *Model {
	shape := func(c, h, w int) []int {
		switch {
		case format.ChannelsLast:
			return []int{1, h, w, c}
		case format.NoBatch:
			return []int{c, h, w}
		}
		return []int{1, c, h, w}
	}
	m := &Model{
		Format: format.Name, Version: format.Version, Files: files, SHA256: sums,
		Input: Port{format.Input, shape(net.Channels, net.Height, net.Width)},
	}
	for i, name := range format.Outputs(net) {
		out := net.Layers[net.Heads()[i]].Out
		m.Outputs = append(m.Outputs, Port{name, shape(out.C, out.H, out.W)})
	}
	return m
}

// Convert writes the network that the options name in a format, into the cache. It
// is not compared with anything: Run does that.
func Convert(ctx context.Context, o Options, format convert.Format) (*Model, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	if err := writable(o.Cache); err != nil {
		return nil, err
	}
	m, v, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	converted, _, err := newOracle(o, m, v).convert(ctx, o.Progress, format)
	return converted, err
}

// modelFile describes a converted model; it is in a folder with it, and written
// last.
type modelFile struct {
	Key string `json:"key"`
	// SHA256 are the sums of the model's files, in the order of their names.
	SHA256 []string `json:"sha256"`
	// Seal shows that this cache's owner converted it (cache.Seal of Key and SHA256).
	Seal string `json:"seal"`
}

// converted is the folder of the cache for converted models.
const converted = "converted"

// convert gives the network in a format, from the cache or made anew, and the time
// that making it took. The key holds everything that decides what is in the files.
func (o *oracle) convert(ctx context.Context, progress engine.Progress, format convert.Format) (model *Model, took float64, err error) {
	self, err := program()
	if err != nil {
		return nil, 0, err
	}
	key := hashBytes([]byte(format.Name), []byte(format.Version), []byte(o.model.weights.SHA256), o.model.config, []byte(self))
	dir, err := cache.Secure(o.cache, converted, key[:32])
	if err != nil {
		return nil, 0, err
	}
	var files []string
	for _, name := range format.Files {
		files = append(files, filepath.Join(dir, name))
	}
	if sums := o.kept(dir, files, key); sums != nil {
		return describe(o.model.net, format, files, sums), 0, nil
	}
	begin := time.Now()
	progress.Start(lang.F("convert the network to %s", lang.T(format.Display)), -1)
	defer progress.Done()
	if err := ctx.Err(); err != nil {
		return nil, 0, lang.Errorf("convert the network: %w", context.Cause(ctx))
	}
	if err := o.load(); err != nil {
		return nil, 0, err
	}
	write := func(name string, write func(io.Writer) error) error {
		return cache.Write(filepath.Join(dir, name), darknet.WeightsSize(o.model.net), write)
	}
	if err := format.Write(write, o.model.net, o.weights); err != nil {
		return nil, 0, err
	}
	m := modelFile{Key: key}
	if m.SHA256, err = sums(files); err != nil {
		return nil, 0, err
	}
	if m.Seal, err = cache.Seal(o.cache, sealed(key, m.SHA256)...); err != nil {
		return nil, 0, err
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, 0, lang.Errorf("describe the converted network: %w", err)
	}
	return describe(o.model.net, format, files, m.SHA256), time.Since(begin).Seconds(), cache.WriteBytes(filepath.Join(dir, "model.json"), raw)
}

// sealed is what the seal of a converted model covers.
func sealed(key string, sums []string) []string { return append([]string{converted, key}, sums...) }

// sums are the SHA-256 of the files.
func sums(files []string) ([]string, error) {
	var list []string
	for _, file := range files {
		sum, err := darknet.HashFile(file)
		if err != nil {
			return nil, err
		}
		list = append(list, sum)
	}
	return list, nil
}

// kept gives the sums of the files where they are those that this user made for the
// key, nil where they are not.
func (o *oracle) kept(dir string, files []string, key string) []string {
	about := filepath.Join(dir, "model.json")
	if o.fresh {
		return nil
	}
	for _, file := range append([]string{about}, files...) {
		if cache.Trusted(o.cache, file) != nil {
			return nil
		}
	}
	raw, err := os.ReadFile(about)
	var m modelFile
	if err != nil || json.Unmarshal(raw, &m) != nil || m.Key != key {
		return nil
	}
	list, err := sums(files)
	if err != nil || !slices.Equal(list, m.SHA256) || !cache.Sealed(o.cache, m.Seal, sealed(key, list)...) {
		return nil
	}
	cache.Touch(dir)
	return list
}

// made is the format of a file that an engine's own tool makes. Its writing runs that
// tool in a child process, with the engine's deadline.
func (o *oracle) made(ctx context.Context, opts Options, w engine.Worker) (convert.Format, error) {
	c := w.Converter
	from, ok := convert.Named(c.From)
	if !ok {
		return convert.Format{}, lang.Errorf("convert the network: deployctl does not write %s", c.From)
	}
	source, _, err := o.convert(ctx, opts.Progress, from)
	if err != nil {
		return convert.Format{}, err
	}
	format := convert.Format{Name: c.Format, Display: c.Display, Version: c.Version, Input: from.Input, Outputs: from.Outputs, Files: []string{c.File}}
	format.Write = func(file convert.File, _ *darknet.Network, _ *darknet.Weights) (err error) {
		dir, done, err := cache.Scratch(o.cache)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, done()) }()
		target := filepath.Join(dir, c.File)
		if err := opts.translate(ctx, w, source.Files[0], target, dir); err != nil {
			return err
		}
		f, err := os.Open(target)
		if err != nil {
			return &engine.AnswerError{Engine: w.Engine, Text: lang.F("its converter to %s wrote no file: %v", c.Display, err), Err: engine.ErrAnswer}
		}
		err = file(c.File, func(to io.Writer) error { _, err := io.Copy(to, f); return err })
		return errors.Join(err, f.Close())
	}
	return format, nil
}

// translate has an engine's own tool make the file that it reads.
func (o *Options) translate(ctx context.Context, w engine.Worker, source, target, dir string) error {
	limited, cancel := context.WithTimeout(ctx, o.Limit)
	defer cancel()
	out, err := o.Process.Run(limited, host.Command{Argv: append(slices.Clone(w.Converter.Argv), source, target), Env: w.Env, Dir: dir})
	if ctx.Err() != nil {
		return lang.Errorf("convert the network: %w", context.Cause(ctx))
	}
	if err == nil && out.Exit == 0 && out.Signal == "" {
		return nil
	}
	d := engine.Translate(w, out, err, o.Limit, o.CPUFeatures)
	d.Why = lang.F("its converter to %s failed: %s", w.Converter.Display, d.Why)
	if w.Runs.Remedy != nil {
		d.Fix = cmp.Or(w.Runs.Remedy(w.Converter.Failed(d.Said)), d.Fix)
	}
	return d
}
