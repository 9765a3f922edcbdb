package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify"
	"github.com/deployctl/deployctl/verify/convert"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/python"
	"github.com/deployctl/deployctl/verify/judge"
)

// pythonFor is a Python here that imports an engine's module: one of
// DEPLOYCTL_TEST_PYTHON, or that of PATH.
func pythonFor(t *testing.T, kind python.Kind) string {
	t.Helper()
	var errs error
	for _, name := range append(filepath.SplitList(os.Getenv("DEPLOYCTL_TEST_PYTHON")), "python3") {
		file, err := exec.LookPath(name)
		if err == nil {
			if _, err = kind.New(python.Options{Process: host.Live(), Python: file}).Prepare(t.Context(), engine.Silent{}); err == nil {
				return file
			}
		}
		errs = errors.Join(errs, err)
	}
	t.Skipf("skipped: no Python here has %s (name one in DEPLOYCTL_TEST_PYTHON): %v", kind.Module, errs)
	return ""
}

// steered runs Python with further variables, and jobs changed before.
type steered struct {
	engine.Process
	env    []string
	change func(j engine.Job) (engine.Job, error)
}

func (p steered) Run(ctx context.Context, cmd host.Command) (host.Output, error) {
	cmd.Env = append(slices.Clone(cmd.Env), p.env...)
	return tampered{Process: p.Process, change: p.change}.Run(ctx, cmd)
}

// otherNetwork has the job run other weights, in the format that it would run.
// converter makes that format, nil where deployctl writes it.
func otherNetwork(t *testing.T, converter *engine.Converter, start float64, spoil func(w *darknet.Weights)) func(j engine.Job) (engine.Job, error) {
	t.Helper()
	net, w := (&native{config: odd}).filled(t, start)
	if spoil != nil {
		spoil(w)
	}
	return func(j engine.Job) (engine.Job, error) {
		dir := filepath.Join(j.OutDir, "other")
		if err := os.Mkdir(dir, 0o700); err != nil {
			return j, err
		}
		write := func(name string, write func(io.Writer) error) error {
			f, err := os.Create(filepath.Join(dir, name))
			if err != nil {
				return err
			}
			return errors.Join(write(f), f.Close())
		}
		if j.Model == "" {
			j.Weights = filepath.Join(dir, "other.weights")
			return j, write("other.weights", func(out io.Writer) error { _, err := w.WriteTo(out); return err })
		}
		for _, format := range convert.All() {
			made := converter != nil && format.Name == converter.From
			if !made && format.Files[0] != filepath.Base(j.Model) {
				continue
			}
			j.Model = filepath.Join(dir, format.Files[0])
			if err := format.Write(write, net, w); err != nil || !made {
				return j, err
			}
			argv := append(slices.Clone(converter.Argv), j.Model, filepath.Join(dir, converter.File))
			j.Model = filepath.Join(dir, converter.File)
			if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
				return j, fmt.Errorf("%w: %s", err, out)
			}
			return j, nil
		}
		return j, fmt.Errorf("%s is of no format", j.Model)
	}
}

// cutModel has the job run half of the network's last file.
func cutModel(j engine.Job) (engine.Job, error) {
	dir := filepath.Join(j.OutDir, "cut")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return j, err
	}
	file := &j.Weights
	if j.Model != "" {
		file = &j.Model
	}
	last := ""
	names, err := filepath.Glob(filepath.Join(filepath.Dir(*file), strings.TrimSuffix(filepath.Base(*file), filepath.Ext(*file))+".*"))
	for _, name := range names {
		raw, readErr := os.ReadFile(name)
		if !strings.HasSuffix(name, ".param") && !strings.HasSuffix(name, ".cfg") && !strings.HasSuffix(name, ".json") {
			raw, last = raw[:len(raw)/2], name
		}
		err = errors.Join(err, readErr, os.WriteFile(filepath.Join(dir, filepath.Base(name)), raw, 0o600))
	}
	if last == "" {
		return j, fmt.Errorf("%s has no file to cut", *file)
	}
	*file = filepath.Join(dir, filepath.Base(*file))
	return j, err
}

// patience is the time that an engine's run may take here where a minute is not enough,
// its converter's included: ExecuTorch and PyTorch are imported for more than ten seconds,
// and exporting takes half a minute on an idle processor.
var patience = map[string]time.Duration{"executorch": 15 * time.Minute}

// fault is what is wrong with a run: the job, or what goes by the module's name.
type fault struct {
	change func(j engine.Job) (engine.Job, error)
	// module is the text of a Python file that programs import in the module's place.
	module string
	// target is what the engine is asked to compute on, "" for the processor.
	target string
	why    string
}

func pythonFaults(t *testing.T, c *engine.Converter) map[string]fault {
	return map[string]fault{
		"other weights":   {change: otherNetwork(t, c, 1, nil), why: "all heads are off"},
		"a little off":    {change: otherNetwork(t, c, 0, func(w *darknet.Weights) { w.Layer(0).Biases[1] *= 1.01 }), why: "differs by"},
		"one head's bias": {change: otherNetwork(t, c, 0, func(w *darknet.Weights) { w.Layer(12).Biases[3]++ }), why: "only head 1 is off"},
		"not a number":    {change: otherNetwork(t, c, 0, func(w *darknet.Weights) { w.Layer(12).Biases[0] = float32(math.NaN()) }), why: "NaN|only head 1"},
		"shifted weights": {change: otherNetwork(t, c, 0, func(w *darknet.Weights) { copy(w.Data[1:], slices.Clone(w.Data)) }), why: "all heads are off|NaN"},
		"half precision": {change: otherNetwork(t, c, 0, func(w *darknet.Weights) {
			for i, v := range w.Data { // ten bits of fraction
				w.Data[i] = math.Float32frombits((math.Float32bits(v) + 0x1000) &^ 0x1fff)
			}
		}), why: "differs by|all heads are off"},
		"filters exchanged": {change: otherNetwork(t, c, 0, func(w *darknet.Weights) {
			k := w.Layer(1).Kernel
			n := len(k) / 16
			for i := range n {
				k[i], k[n+i] = k[n+i], k[i]
			}
		}), why: "all heads are off"},
		"transposed input": {change: otherInput(transposed), why: "all heads are off"},
		"BGR": {change: otherInput(func(v []float32) []float32 {
			n := len(v) / 3
			return append(append(append([]float32(nil), v[2*n:]...), v[n:2*n]...), v[:n]...)
		}), why: "red and blue"},
		"0 to 255": {change: otherInput(func(v []float32) []float32 {
			for i := range v {
				v[i] *= 255
			}
			return v
		}), why: "not scaled"},
		"a file that was cut short": {change: cutModel, why: "load |rror|off|ended|did not run|FromFile failed"},

		"another module": {module: "__version__ = '9'\n", why: "it has no library"},
	}
}

// real is the beginning of a module that programs import in another's place, and that
// gives them the real one.
func real(module string) string {
	return `import os, sys
here = os.path.dirname(os.path.abspath(__file__))
sys.path.remove(here)
del sys.modules["` + module + `"]
import ` + module + "\n"
}

// The lies are told where the workers copy a result.
const (
	lieNumPy = `whole = numpy.ascontiguousarray
numpy.ascontiguousarray = lambda x, **k: whole(x * numpy.float32(1.001), **k)
`
	lieCtypes = `import array, ctypes
whole = ctypes.string_at
def lie(at, size):
    values = array.array("f")
    values.frombytes(whole(at, size))
    return array.array("f", [v * 1.001 for v in values]).tobytes()
ctypes.string_at = lie
`
	staleNumPy = `whole, kept = numpy.ascontiguousarray, {}
numpy.ascontiguousarray = lambda x, **k: kept.setdefault(x.shape, whole(x, **k).copy())
`
	staleCtypes = `import ctypes
whole, kept = ctypes.string_at, {}
ctypes.string_at = lambda at, size: kept.setdefault(size, whole(at, size))
`
)

// plantedModules are faults of what programs import in the place of a module that an
// engine's module imports.
func plantedModules(kind python.Kind) (module string, faults map[string]fault) {
	module, lie, stale := "numpy", lieNumPy, staleNumPy
	if kind.Module == "torch" || kind.Module == "executorch" {
		module, lie, stale = "typing_extensions", lieCtypes, staleCtypes
	}
	return module, map[string]fault{
		"a module that is not there": {module: "raise ModuleNotFoundError(\"No module named '" + module + "'\")\n", why: "No module named '" + module},
		"NumPy of another ABI":       {module: "raise ImportError('numpy.core.multiarray failed to import')\n", why: "multiarray failed to import"},
		"a module that exits":        {module: "import os\nos._exit(0)\n", why: "without an answer"},
		"a module that gives up":     {module: "import sys\nsys.exit(3)\n", why: "SystemExit"},
		"an instruction":             {module: "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n", why: "instruction"},
		"a crash":                    {module: "import ctypes\nctypes.string_at(8)\n", why: "crashed"},
		"an abort":                   {module: "import os\nos.abort()\n", why: "abort"},
		"a module that hangs":        {module: "import time\ntime.sleep(600)\n", why: "no answer within"},
		"a module that lies":         {module: real(module) + lie, why: "all heads are off|differs by"},
		"a stale result":             {module: real(module) + stale, why: "a stale output|state left over"},
	}
}

// TestPython runs a small network through each real Python package that is here:
// rightly, and with one fault at a time, each of which must be found and explained.
func TestPython(t *testing.T) {
	for _, kind := range python.Kinds() {
		t.Run(kind.Spec.Name, func(t *testing.T) { provePython(t, kind) })
	}
}

func provePython(t *testing.T, kind python.Kind) {
	interpreter, cache, dir := pythonFor(t, kind), t.TempDir(), t.TempDir()
	config, weights := filepath.Join(dir, "odd.cfg"), filepath.Join(dir, "odd.weights")
	_, values := (&native{config: odd}).filled(t, 0)
	f, err := os.Create(weights)
	if err != nil {
		t.Fatal(err)
	}
	_, err = values.WriteTo(f)
	if err := errors.Join(err, f.Close(), os.WriteFile(config, []byte(odd), 0o600)); err != nil {
		t.Fatal(err)
	}
	w, err := kind.New(python.Options{Process: host.Live(), Python: interpreter}).Prepare(t.Context(), engine.Silent{})
	if err != nil {
		t.Fatal(err)
	}
	prove := func(t *testing.T, level int, f fault, env ...string) verify.Engine {
		t.Helper()
		p := steered{host.Live(), env, f.change}
		limit := cmp.Or(patience[kind.Spec.Name], time.Minute)
		if strings.Contains(f.module, "sleep") {
			limit = 2 * time.Second
		}
		r, err := verify.Run(t.Context(), verify.Options{
			Config: config, Weights: weights, Cache: cache, Process: p, Runs: 2, Threads: 1, Level: level, Limit: limit, Target: f.target,
			Engines: []engine.Engine{kind.New(python.Options{Process: p, Python: interpreter})},
		})
		if err != nil {
			t.Fatal(err)
		}
		return r.Engines[0]
	}
	t.Run("right", func(t *testing.T) {
		e := prove(t, verify.LevelCheck, fault{})
		if e.State != verify.OK || len(e.RelL2) != 2 || e.RelL2[0] > 1e-4 || e.RelL2[1] > 1e-4 {
			t.Fatalf("%s: %q, %v\n%s", e.State, e.Reasons, e.RelL2, e.Log)
		}
		raw, err := json.Marshal(e.Versions)
		if err != nil || len(e.Own) < 1 || e.Versions[kind.Spec.Component] == "" || e.Versions["python"] == "" || e.Threads != 1 {
			t.Errorf("loaded %q, versions %s, %d threads", e.Own, raw, e.Threads)
		}
		t.Logf("%s: relative L2 %v", raw, e.RelL2)
	})
	t.Run("loads", func(t *testing.T) {
		if e := prove(t, verify.LevelLoad, fault{}); e.State != verify.OK || e.Versions[kind.Spec.Component] == "" || len(e.Own) < 1 {
			t.Errorf("%s: %q, %v, %q", e.State, e.Reasons, e.Versions, e.Own)
		}
	})
	for _, target := range kind.Spec.Targets {
		short := judge.PrecisionOf(target.Name)
		if target.Family() != "cpu" || short == judge.FP32 {
			continue
		}
		// What the engine computes in single precision all the same has failed, and a
		// field says so.
		t.Run(target.Name, func(t *testing.T) {
			e := prove(t, verify.LevelCheck, fault{target: target.Name})
			t.Logf("%s in %q: relative L2 %v, %q", e.State, e.Precision, e.RelL2, e.Why)
			single := e.State == verify.Fail && e.Precision == judge.FP32 && strings.Contains(e.Why, "computed in single precision")
			if !single && e.Precision != short || e.ProcessorSeconds <= 0 {
				t.Errorf("%q\n%s", e.Reasons, e.Log)
			}
		})
	}
	if testing.Short() {
		t.Skip("skipped: the faults take a minute for each package; run without -short")
	}
	for name, f := range pythonFaults(t, w.Converter) {
		t.Run(name, func(t *testing.T) {
			var env []string
			if f.module != "" {
				env = planted(t, kind.Module, f.module)
			}
			said(t, prove(t, verify.LevelCheck, f, env...), f.why)
		})
	}
	if w.Converter != nil {
		t.Run("a converter that fails", func(t *testing.T) {
			dir := t.TempDir()
			tool := map[string]string{"mnn": "_tools.py", "executorch": "torchao.py"}[kind.Spec.Name]
			if err := os.WriteFile(filepath.Join(dir, tool), []byte("raise ImportError('no converter in this build')\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			converted := cache
			cache = t.TempDir() // or what was converted before is used
			defer func() { cache = converted }()
			said(t, prove(t, verify.LevelCheck, fault{}, "PYTHONPATH="+dir), "no converter in this build")
		})
	}
	module, faults := plantedModules(kind)
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			said(t, prove(t, verify.LevelCheck, f, planted(t, module, f.module)...), f.why)
		})
	}
}

// planted puts a module before all others.
func planted(t *testing.T, name, text string) []string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name+".py"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"PYTHONPATH=" + dir}
}

// said requires a failure for one of the reasons, which bars part.
func said(t *testing.T, e verify.Engine, why string) {
	t.Helper()
	text := strings.Join(e.Reasons, "\n")
	if e.State != verify.Fail || !slices.ContainsFunc(strings.Split(why, "|"), func(part string) bool { return part != "" && strings.Contains(text, part) }) {
		t.Errorf("%s: %q\n%s", e.State, e.Reasons, e.Log)
	}
}
