package verify

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify/convert"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/onnxruntime"
)

// TestConvertedOnce: a converted network is made once, and anew where it could be
// another's or is no longer whole.
func TestConvertedOnce(t *testing.T) {
	o := newFiles(t).options(t)
	if err := o.defaults(); err != nil {
		t.Fatal(err)
	}
	m, v, err := prepare(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	make := func() (string, float64) {
		t.Helper()
		model, took, err := newOracle(o, m, v).convert(t.Context(), engine.Silent{}, convert.All()[0])
		if err != nil {
			t.Fatal(err)
		}
		return model.Files[0], took
	}
	file, took := make()
	first, err := os.ReadFile(file)
	if err != nil || took == 0 {
		t.Fatalf("%v, %v s", err, took)
	}
	if _, took := make(); took != 0 {
		t.Error("it was made again")
	}
	about := filepath.Join(filepath.Dir(file), "model.json")
	for name, damage := range map[string]func() error{
		"changed":                func() error { return os.WriteFile(file, append(first[:len(first)-1:len(first)-1], 7), 0o600) },
		"cut short":              func() error { return os.Truncate(file, 10) },
		"gone":                   func() error { return os.Remove(file) },
		"nothing about it":       func() error { return os.Remove(about) },
		"another seal":           func() error { return reseal(about) },
		"all may write it":       func() error { return os.Chmod(file, 0o666) },
		"all may write about it": func() error { return os.Chmod(about, 0o666) },
		"all may write there":    func() error { return os.Chmod(filepath.Dir(file), 0o777) },
	} {
		if runtime.GOOS == "windows" && strings.Contains(name, "all may write") {
			continue // modes mean nothing there
		}
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		again, took := make()
		if raw, err := os.ReadFile(again); err != nil || took == 0 || string(raw) != string(first) {
			t.Errorf("%s: %v, %v s", name, err, took)
		}
	}
	o.Fresh = true
	if _, took := make(); took == 0 {
		t.Error("--fresh used the one of the cache")
	}
}

// reseal makes the description one that this cache's owner did not write.
func reseal(about string) error {
	raw, err := os.ReadFile(about)
	if err != nil {
		return err
	}
	at := strings.Index(string(raw), `"seal":"`) + len(`"seal":"`)
	flipped := byte('0')
	if raw[at] == '0' {
		flipped = '1'
	}
	raw[at] = flipped
	return os.WriteFile(about, raw, 0o600)
}

// TestFormat: an engine that reads ONNX is given a model with the names of its
// heads, and one that reads Darknet's files is not.
func TestFormat(t *testing.T) {
	for _, spec := range []engine.Spec{fake{name: "gocv"}.Spec(), onnxruntime.Spec()} {
		var model string
		var outputs []string
		o := newFiles(t).options(t, formatted{spec})
		o.Process = worker{job: func(j engine.Job) { model, outputs = j.Model, j.Outputs }}
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		e := r.Engines[0]
		reads := spec.Formats[0] == engine.ONNX
		if (model != "") != reads || (len(outputs) == 2) != reads || (e.ConvertSeconds > 0) != reads || e.State != OK || e.Backend != spec.Targets[0].Backend {
			t.Errorf("%s: model %q, outputs %q, %v s, %s %q on %s", spec.Name, model, outputs, e.ConvertSeconds, e.State, e.Reasons, e.Backend)
		}
	}
}

// formatted is an engine of that declaration whose worker is this process.
type formatted struct{ spec engine.Spec }

func (f formatted) Spec() engine.Spec { return f.spec }

func (f formatted) Prepare(ctx context.Context, p engine.Progress) (engine.Worker, error) {
	return fake{name: f.spec.Name}.Prepare(ctx, p)
}

// TestProcessorAskedFor: an engine that was asked for the processor and says that
// it ran layers elsewhere failed, whatever its numbers.
func TestProcessorAskedFor(t *testing.T) {
	for _, c := range []struct {
		layers map[string]int
		state  State
	}{
		{map[string]int{"CPUExecutionProvider": 12}, OK},
		{map[string]int{"CPUExecutionProvider": 2, "CUDAExecutionProvider": 10}, Fail},
		{map[string]int{"CUDAExecutionProvider": 12}, Fail},
		{nil, OK},
	} {
		o := newFiles(t).options(t, formatted{onnxruntime.Spec()})
		o.Process = worker{spoil: func(a *engine.Answer) { a.Device = &engine.Device{Layers: c.layers} }}
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if e := r.Engines[0]; e.State != c.state || c.state == Fail && !strings.Contains(e.Why, "CUDAExecutionProvider") {
			t.Errorf("%v: %s %q", c.layers, e.State, e.Why)
		}
		var text strings.Builder
		if err := Render(&text, r, false); err != nil {
			t.Fatal(err)
		}
		if shown := strings.Contains(text.String(), "ran all layers on CPUExecutionProvider\n"); shown != (c.state == OK && c.layers != nil) {
			t.Errorf("%v: %s", c.layers, &text)
		}
	}
}

// TestTargetsAreTheEngines: an engine is not asked for what it does not have.
func TestTargetsAreTheEngines(t *testing.T) {
	o := newFiles(t).options(t, formatted{onnxruntime.Spec()})
	o.Target = "opencl"
	var input *InputError
	if _, err := Run(t.Context(), o); !errors.As(err, &input) || !strings.Contains(err.Error(), "onnxruntime does not offer opencl; it has cpu") {
		t.Errorf("%v", err)
	}
}

// TestOwnRemedy: what the engine says of its failure comes with what to do.
func TestOwnRemedy(t *testing.T) {
	o := newFiles(t).options(t, fake{name: "gocv", remedy: func(text string) string {
		if strings.Contains(text, "too old") {
			return "install a newer one"
		}
		return ""
	}})
	for message, fix := range map[string]string{"the library is too old": "install a newer one", "something": ""} {
		o.Process = worker{spoil: func(a *engine.Answer) { a.Error = message }}
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if e := r.Engines[0]; e.State != Fail || e.Why != message || e.Fix != fix {
			t.Errorf("%s: %s %q, %q", message, e.State, e.Why, e.Fix)
		}
	}
}

// tooled is an engine whose own tool makes its file.
type tooled struct{ fake }

func (f tooled) Prepare(ctx context.Context, p engine.Progress) (engine.Worker, error) {
	w, err := f.fake.Prepare(ctx, p)
	w.Converter = &engine.Converter{From: engine.ONNX, Format: engine.MNN, Display: "MNN", Version: "3.6.1", File: "model.mnn", Argv: []string{"/tool"}}
	return w, err
}

// tool copies the file that it is given, or fails; other programs are workers.
type tool struct {
	worker
	calls *int
	out   host.Output
	write bool
}

func (p tool) Run(ctx context.Context, cmd host.Command) (host.Output, error) {
	if cmd.Argv[0] != "/tool" {
		return p.worker.Run(ctx, cmd)
	}
	*p.calls++
	raw, err := os.ReadFile(cmd.Argv[1])
	if err == nil && p.write {
		err = os.WriteFile(cmd.Argv[2], raw, 0o600)
	}
	return p.out, err
}

// TestConvertedByATool: a file that an engine's own tool makes is made once; a tool
// that fails is a failure of that engine with its reason.
func TestConvertedByATool(t *testing.T) {
	calls, model := 0, ""
	o := newFiles(t).options(t, tooled{fake{name: "mnn"}})
	run := func(p tool) Engine {
		t.Helper()
		p.worker.job = func(j engine.Job) { model = j.Model }
		p.calls = &calls
		o.Process = p
		r, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return r.Engines[0]
	}
	if e := run(tool{out: host.Output{Exit: 1, Stderr: []byte("Traceback\nImportError: no converter\n")}}); e.State != Fail || !strings.Contains(e.Why, "its converter to MNN failed") || !strings.Contains(e.Why, "no converter") || e.Fix == "" {
		t.Errorf("a tool that fails: %s %q, %q", e.State, e.Why, e.Fix)
	}
	if e := run(tool{}); e.State != Fail || !strings.Contains(e.Why, "wrote no file") {
		t.Errorf("a tool that writes nothing: %s %q", e.State, e.Why)
	}
	if model != "" {
		t.Errorf("the engine ran %s", model)
	}
	calls = 0
	for i := range 2 {
		e := run(tool{write: true})
		if e.State != OK || filepath.Base(model) != "model.mnn" || (e.ConvertSeconds > 0) != (i == 0) || calls != 1 || e.Model.Format != engine.MNN {
			t.Errorf("%s %q: %s, converted %d times, %v s", e.State, e.Reasons, model, calls, e.ConvertSeconds)
		}
	}
}
