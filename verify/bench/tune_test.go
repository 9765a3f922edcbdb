package bench

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify"
	"github.com/deployctl/deployctl/verify/engine"
)

// switched is an engine with two switches.
type switched struct{ named }

func (s switched) Spec() engine.Spec {
	spec := s.named.Spec()
	spec.Settings = []engine.Setting{{Name: "fusion", Values: []string{"on", "off"}}, {Name: "layout", Values: []string{"plain", "packed", "odd"}}}
	spec.Code = func(c engine.Choice) []engine.Code {
		return []engine.Code{{Language: "C++", Lines: []string{"use(" + c.Settings["layout"] + ");"}}}
	}
	return spec
}

// tuned makes the seconds of a pass depend on everything that is tuned.
func tuned(_ context.Context, o verify.Options) (*verify.Result, error) {
	name := o.Engines[0].Spec().Name
	seconds := map[string]float64{"plain": 0.8, "fast": 0.4}[name]
	if o.Threads == 1 {
		seconds *= 1.8
	}
	seconds *= map[string]float64{"": 1, "packed": 0.5, "odd": 0.99}[o.Settings["layout"]]
	if o.Settings["fusion"] == "off" {
		seconds *= 1.5
	}
	e := verify.Engine{Name: name, Version: "1", State: verify.OK, MedianSeconds: seconds, Times: []float64{seconds, seconds}}
	if name == "broken" {
		e.State, e.Why = verify.Unknown, "it is not here"
	}
	return &verify.Result{Network: verify.Network{Name: "net", Width: 416, GFLOP: 10}, Engines: []verify.Engine{e}}, nil
}

// TestTune: the fastest engine with the switch that helps, and not those that do
// not; the gain is over the first engine as it is.
func TestTune(t *testing.T) {
	list := []engine.Engine{named("plain"), named("broken"), switched{"fast"}}
	a, err := Tune(t.Context(), Plan{Rounds: 2, Runs: 2, Processors: 2, Run: tuned, machine: still}, list, Network{Model: "net"}, []string{"cpu"})
	if err != nil {
		t.Fatal(err)
	}
	r := a.Recommended
	if r.Engine != "fast" || len(r.Settings) != 1 || r.Settings["layout"] != "packed" || r.Median != 0.2 || r.Threads == 1 {
		t.Errorf("%+v", r)
	}
	if a.Before.Engine != "plain" || a.Before.Threads != 0 || a.Gain != 4 || a.Least != 4 || a.Most != 4 {
		t.Errorf("%+v, gain %g in %g to %g", a.Before, a.Gain, a.Least, a.Most)
	}
	a.Machine, a.Version = "a machine", "1.2"
	var text, page bytes.Buffer
	if err := Explain(&text, a); err != nil {
		t.Fatal(err)
	}
	if err := Snippets(&page, a); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Recommended: fast (layout=packed)", "4.00 times as fast as plain (800 ms), between 4.00 and 4.00 in 2 rounds", "C++:\n  use(packed);", "broken, net at 416: it is not here"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in:\n%s", want, text.String())
		}
	}
	if !strings.Contains(page.String(), "```cpp\nuse(packed);\n```") {
		t.Errorf("%s", page.String())
	}
}

// TestNothingFaster: the first engine stays where nothing is faster, and an error
// says why where no engine runs.
func TestNothingFaster(t *testing.T) {
	plan := Plan{Rounds: 1, Runs: 1, Processors: 1, Run: tuned, machine: still}
	a, err := Tune(t.Context(), plan, []engine.Engine{named("plain")}, Network{Model: "net"}, []string{"cpu"})
	if err != nil || a.Recommended.Engine != "plain" || a.Gain != 1 {
		t.Errorf("%+v, %v", a, err)
	}
	_, err = Tune(t.Context(), plan, []engine.Engine{named("broken")}, Network{Model: "net"}, []string{"cpu"})
	if err == nil || !strings.Contains(err.Error(), "it is not here") {
		t.Errorf("%v", err)
	}
}

// shorter is an engine that also has half precision and bfloat16 on the processor.
type shorter struct{ named }

func (s shorter) Spec() engine.Spec {
	spec := s.named.Spec()
	spec.Targets = append(spec.Targets, engine.Target{Name: "cpu_fp16"}, engine.Target{Name: "cpu_bf16"})
	return spec
}

// TestTunePrecision: a shorter precision is recommended where it was asked for, is
// faster, and is within its bar; not where the engine did not follow.
func TestTunePrecision(t *testing.T) {
	for _, c := range []struct {
		name, want string
		off        float64 // of bfloat16's results
		targets    []string
	}{
		{"asked for", "cpu_bf16", 5e-3, []string{"cpu", "cpu_fp16", "cpu_bf16"}},
		{"not asked for", "cpu", 5e-3, []string{"cpu"}},
		{"above the bar", "cpu", 3e-2, []string{"cpu", "cpu_fp16", "cpu_bf16"}},
	} {
		asked := 0 // for what it does not follow
		run := func(_ context.Context, o verify.Options) (*verify.Result, error) {
			e := verify.Engine{Name: "short", Version: "1", State: verify.OK, RelL2: []verify.Number{1e-6}, MedianSeconds: 0.4, Times: []float64{0.4}}
			switch o.Target {
			case "cpu_fp16":
				e.State, e.Why, e.Precision = verify.Fail, "computed in single precision", "fp32"
				asked++
			case "cpu_bf16":
				e.RelL2, e.Precision, e.MedianSeconds, e.Times = []verify.Number{verify.Number(c.off)}, "bf16", 0.2, []float64{0.2}
			}
			return &verify.Result{Network: verify.Network{Name: "net", Width: 416, GFLOP: 10}, Engines: []verify.Engine{e}}, nil
		}
		a, err := Tune(t.Context(), Plan{Rounds: 1, Runs: 1, Processors: 4, Run: run, machine: still}, []engine.Engine{shorter{"short"}}, Network{Model: "net"}, c.targets)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := Explain(&text, a); err != nil {
			t.Fatal(err)
		}
		if asked > 1 || strings.Count(text.String(), "computed in single precision") != asked {
			t.Errorf("%s: asked %d times:\n%s", c.name, asked, &text)
		}
		if a.Recommended.Target != c.want || a.Before.Target != "cpu" {
			t.Errorf("%s: %+v, before %+v", c.name, a.Recommended, a.Before)
		}
		for _, r := range a.Tried {
			if r.Target == "cpu_fp16" && (r.Network != "net" || r.Ran != "fp32" || r.Precision != "fp16" || r.State != verify.Fail) {
				t.Errorf("%s: %+v", c.name, r)
			}
		}
	}
}
