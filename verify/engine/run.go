package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Process starts child processes and kills the whole group when the context
// ends; host.World is one.
type Process interface {
	Run(ctx context.Context, cmd host.Command) (host.Output, error)
}

// Progress is told of work that takes long. Calls come from one goroutine at a
// time. Done ends what Start began, also after a failure.
type Progress interface {
	// Start begins a named piece of work. total is in the unit of Add; -1 when
	// it is not known: Add then only says that the work goes on.
	Start(name string, total int64)
	Add(n int64)
	Done()
}

// Silent is a Progress that shows nothing.
type Silent struct{}

// Start, Add and Done do nothing.
func (Silent) Start(string, int64) {}

// Add does nothing.
func (Silent) Add(int64) {}

// Done does nothing.
func (Silent) Done() {}

// Engine is one way to run a network in a child process.
type Engine interface {
	// Spec is what it declares.
	Spec() Spec
	// Prepare finds or builds the worker program. An *Unavailable error says
	// that this machine lacks something; the caller may go on without.
	Prepare(ctx context.Context, progress Progress) (Worker, error)
}

// Worker is a program that takes a Job on standard input.
type Worker struct {
	// Engine is the engine's name; Version its binding's version (gocv v0.31.0).
	Engine, Version string
	Argv            []string
	// Env is added to the inherited environment. It must change nothing about
	// which files are loaded: the proof is of what the user's programs load.
	Env []string
	// ThreadsEnv names variables set to Job.Threads when that is not 0, for
	// libraries whose threads can be limited in no other way.
	ThreadsEnv []string
	// Inspect, when not nil, corrects an answer by what the engine wrote to its
	// log: a library that falls back to the CPU says so only there.
	Inspect func(*Answer)
	// Converter makes the file that the engine reads, nil where deployctl writes it.
	Converter *Converter
	// Runs says what explanations of a death call the engine's library.
	Runs Runs
	// Copy is the copy of the engine's library that the worker was linked with,
	// nil when there is none to compare with.
	Copy *Copy
	// Notes are remarks on how the program was made, which change no state.
	Notes []string
	// Built: the program was compiled by this call of Prepare and not found.
	Built bool
	// BuildTime is how long that took.
	BuildTime time.Duration
}

// Converter is a tool of an engine's own that makes its file of one that deployctl
// writes. It runs in a child process.
type Converter struct {
	// From is what it reads, Format what it makes; Display is what that is called in
	// sentences.
	From, Format Format
	Display      string
	// Version is all that decides what comes out: the tool's release.
	Version string
	// File is the name of the file that it makes.
	File string
	// Argv is the tool. It gets two more arguments: the file to read and the one to
	// write.
	Argv []string
}

// Failed is the message of its failure for Runs.Remedy, which looks for words in it: in
// English, whatever the user's language is.
func (c *Converter) Failed(said string) string {
	return "its converter to " + c.Display + " failed: " + said
}

// Unavailable says why an engine cannot be had on this machine and what to do.
type Unavailable struct {
	Engine string
	Why    string // one sentence
	Fix    string // next action
	Log    string // path of the full output, "" when there is none
	// Broken: everything needed is there and does not work together, as
	// opposed to something that is missing.
	Broken bool
	Err    error
}

func (u *Unavailable) Error() string {
	s := lang.F("%s is not available: %s", u.Engine, u.Why)
	if u.Fix != "" {
		s += lang.T("; ") + u.Fix
	}
	if u.Log != "" {
		s = lang.F("%s (full output: %s)", s, u.Log)
	}
	return s
}

func (u *Unavailable) Unwrap() error { return u.Err }

// ErrAnswer marks an answer that is malformed or does not fit the job.
var ErrAnswer = lang.New("unusable answer")

// AnswerError is a worker that ended well but did not answer well.
type AnswerError struct {
	Engine, Text string
	// Fix is the next action, "" where none is known.
	Fix string
	Err error
}

func (e *AnswerError) Error() string { return e.Engine + ": " + e.Text }

func (e *AnswerError) Unwrap() error { return e.Err }

// maxLog is how much of a worker's standard error is kept.
const maxLog = 64 << 10

// Execute runs one job. limit is the deadline of the whole child; cpu are the
// processor's feature names, used only to explain a death. The error is a
// *Death when the child died or hung, an *AnswerError when what it said cannot
// be used or it reported a failure, and ctx's error when the caller gave up.
func Execute(ctx context.Context, p Process, w Worker, job Job, limit time.Duration, cpu []string) (Answer, error) {
	job.Schema = Schema
	job.AnswerFile = filepath.Join(job.OutDir, "answer.json")
	input, err := json.Marshal(job)
	if err != nil {
		return Answer{}, lang.Errorf("write job for %s: %w", w.Engine, err)
	}
	env := append([]string(nil), w.Env...)
	if job.Threads > 0 {
		for _, name := range w.ThreadsEnv {
			env = append(env, fmt.Sprintf("%s=%d", name, job.Threads))
		}
	}
	runCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	spawned := float64(time.Now().UnixNano()) / 1e9
	out, err := p.Run(runCtx, host.Command{Argv: w.Argv, Env: env, Stdin: input, Dir: job.OutDir})
	if ctx.Err() != nil {
		return Answer{}, lang.Errorf("run %s: %w", w.Engine, context.Cause(ctx))
	}
	if err != nil || out.Exit != 0 || out.Signal != "" {
		d := Translate(w, out, err, limit, cpu)
		d.blame(ctx, p, w)
		return Answer{}, d
	}
	a, err := readAnswer(w.Engine, job)
	if a.Began > 0 && !math.IsInf(a.Began, 0) {
		// A clock that was set meanwhile must not give nonsense.
		a.StartSeconds = math.Min(math.Max(a.Began-spawned, 0), limit.Seconds())
	}
	if a.Log == "" {
		a.Log = printed(out)
	}
	if w.Inspect != nil {
		w.Inspect(&a)
	}
	var own *AnswerError
	if errors.As(err, &own) && own.Err == nil && w.Runs.Remedy != nil {
		own.Fix = w.Runs.Remedy(own.Text)
	}
	return a, err
}

// printed is the end of what a worker wrote to its streams, standard error last.
func printed(out host.Output) string {
	return tail(slices.Concat(out.Stdout, out.Stderr), maxLog)
}

// maxAnswer is the longest answer that is read; a real one has a few kilobytes.
const maxAnswer = 4 << 20

// readAnswer reads and checks the file that the worker left.
func readAnswer(engine string, job Job) (Answer, error) {
	bad := func(text string) error { return &AnswerError{Engine: engine, Text: text, Err: ErrAnswer} }
	info, err := os.Lstat(job.AnswerFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Answer{}, bad(lang.T("the worker ended without an answer; run deployctl verify --fresh"))
	case err != nil:
		return Answer{}, bad(lang.F("the worker's answer cannot be read: %v", err))
	case !info.Mode().IsRegular():
		return Answer{}, bad(lang.T("the worker's answer is not a regular file"))
	case info.Size() > maxAnswer:
		return Answer{}, bad(lang.T("the worker's answer is longer than deployctl reads"))
	}
	raw, err := os.ReadFile(job.AnswerFile)
	if err != nil {
		return Answer{}, bad(lang.F("the worker's answer cannot be read: %v", err))
	}
	return decodeAnswer(engine, raw, job, bad)
}

func decodeAnswer(engine string, raw []byte, job Job, bad func(text string) error) (Answer, error) {
	var a Answer
	if len(bytes.TrimSpace(raw)) == 0 {
		return a, bad(lang.T("the worker's answer is empty; run deployctl verify --fresh"))
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return a, bad(lang.F("the worker's answer is not JSON (%v): it begins %q", err, clip(string(raw), 60)))
	}
	if a.Error != "" {
		return a, &AnswerError{Engine: engine, Text: oneLine(a.Error)}
	}
	if a.Schema != Schema {
		return a, bad(lang.F("the worker answered with schema %d, this deployctl uses %d; run deployctl verify --fresh", a.Schema, Schema))
	}
	if len(a.RunSeconds) != job.Warmup+job.Runs {
		return a, bad(lang.F("the worker timed %d runs, not %d", len(a.RunSeconds), job.Warmup+job.Runs))
	}
	if want := job.Warmup + job.Runs + 1; len(job.Inputs) > 0 && len(a.RunDiff) != want {
		return a, bad(lang.F("the worker compared %d runs with the first, not %d", len(a.RunDiff), want))
	}
	if len(a.RunMost) > 0 && len(a.RunMost) != len(a.RunDiff) {
		return a, bad(lang.F("the worker compared the values of %d runs with the first, not of %d", len(a.RunMost), len(a.RunDiff)))
	}
	if len(a.RunRows) > 0 && len(a.RunRows) != len(a.RunDiff) {
		return a, bad(lang.F("the worker compared the boxes of %d runs with the first, not of %d", len(a.RunRows), len(a.RunDiff)))
	}
	last := 0
	if len(job.Inputs) > 0 && job.Warmup+job.Runs > 1 {
		last = 1
	}
	for _, s := range append([]float64{a.LoadSeconds, a.ProcessorSeconds}, a.RunSeconds...) {
		if math.IsNaN(s) || math.IsInf(s, 0) || s < 0 {
			return a, bad(lang.F("the worker reports a time of %v s", s))
		}
	}
	for _, s := range append([]float64{a.Peak, a.PeakAll, a.PeakDevice}, a.Calibration...) {
		if math.IsNaN(s) || math.IsInf(s, 0) || s < 0 {
			return a, bad(lang.F("the worker measured a peak or a calibration of %v", s))
		}
	}
	for _, set := range []struct {
		name   string
		list   []Tensor
		inputs int
	}{{"outputs", a.Outputs, 1}, {"others", a.Others, len(job.Inputs) - 1}, {"repeat", a.Repeat, 1}, {"last", a.Last, last}, {"processor", a.Processor, 0}} {
		if want := set.inputs * len(job.Heads); countHeads(set.list) < want {
			return a, bad(lang.F("the worker wrote %d raw heads under %q, not %d", countHeads(set.list), set.name, want))
		}
		for _, t := range set.list {
			if filepath.Dir(filepath.Clean(t.File)) != filepath.Clean(job.OutDir) {
				return a, bad(lang.F("the worker names a tensor outside the folder it was given: %s", t.File))
			}
		}
	}
	return a, nil
}

func countHeads(list []Tensor) int {
	n := 0
	for _, t := range list {
		if t.Kind == "head" {
			n++
		}
	}
	return n
}

// maxElements bounds one tensor; the largest head of a 4096-pixel network is
// below it.
const maxElements = 1 << 27

// Elements is the number of values the shape means, or an error for a shape
// that means none.
func (t Tensor) Elements() (int, error) {
	n := 1
	for _, d := range t.Shape {
		if d < 1 || n > maxElements/d {
			return 0, lang.Errorf("tensor of layer %d has shape %v: %w", t.Layer, t.Shape, ErrAnswer)
		}
		n *= d
	}
	if len(t.Shape) == 0 {
		return 0, lang.Errorf("tensor of layer %d has no shape: %w", t.Layer, ErrAnswer)
	}
	return n, nil
}

// Load reads the tensor's file, which must have exactly the shape's size.
func (t Tensor) Load() ([]float32, error) {
	n, err := t.Elements()
	if err != nil {
		return nil, err
	}
	data, err := ReadFloats(t.File, n)
	if err != nil {
		return nil, lang.Errorf("tensor of layer %d: %w", t.Layer, err)
	}
	return data, nil
}

// ReadFloats reads a file of exactly n little-endian float32 values.
func ReadFloats(file string, n int) ([]float32, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, lang.Errorf("read tensor: %w", err)
	}
	defer f.Close() //nolint:errcheck // read-only
	info, err := f.Stat()
	if err != nil {
		return nil, lang.Errorf("read tensor: %w", err)
	}
	if info.Size() != int64(n)*4 {
		return nil, lang.Errorf("%s has %d bytes, %d values need %d: %w", file, info.Size(), n, int64(n)*4, ErrAnswer)
	}
	raw := make([]byte, n*4)
	if _, err := io.ReadFull(f, raw); err != nil {
		return nil, lang.Errorf("read tensor %s: %w", file, err)
	}
	return Floats(raw), nil
}

// Floats reads little-endian float32 values.
func Floats(raw []byte) []float32 {
	data := make([]float32, len(raw)/4)
	for i := range data {
		data[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[i*4:]))
	}
	return data
}

// AppendFloats appends the values as little-endian float32 bytes.
func AppendFloats(raw []byte, data []float32) []byte {
	for _, v := range data {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return raw
}

// tail is the end of the text, cut at a line where it must be cut.
func tail(b []byte, limit int) string {
	if len(b) <= limit {
		return string(b)
	}
	b = b[len(b)-limit:]
	if i := bytes.IndexByte(b, '\n'); i >= 0 && i+1 < len(b) {
		b = b[i+1:]
	}
	return string(b)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func clip(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n]) + "…"
}
