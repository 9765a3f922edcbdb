package pipeline

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/verify"
	"github.com/deployctl/deployctl/verify/engines"
)

// TestProofRunsInTheHostsEnvironment: after an install the host has what a new
// shell would have, and the proof must run in that, not in this process's.
func TestProofRunsInTheHostsEnvironment(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: asks a Unix tool for its environment")
	}
	printenv, err := exec.LookPath("printenv")
	if err != nil {
		t.Fatal(err)
	}
	h := host.Overlay(host.Live(), map[string]string{"PKG_CONFIG_PATH": "/opt/new/lib/pkgconfig"})
	o, err := VerifyOptions{Engine: verify.ReferenceName, Target: "cpu"}.options(h, &judge.Judgement{Facts: &facts.Facts{}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := o.Process.Run(t.Context(), host.Command{Argv: []string{printenv, "PKG_CONFIG_PATH"}})
	if err != nil || strings.TrimSpace(string(out.Stdout)) != "/opt/new/lib/pkgconfig" {
		t.Errorf("%q, %v", out.Stdout, err)
	}
}

// TestHeedEndsWithItsContext: work that never comes back, as a system call on a
// dead file system does, is left behind; work that ends in order is waited for.
func TestHeedEndsWithItsContext(t *testing.T) {
	stuck := make(chan struct{})
	defer close(stuck)
	ctx, cancel := context.WithCancelCause(t.Context())
	begin := time.Now()
	cancel(errors.New("interrupt"))
	_, err := heed(ctx, func() (int, error) { <-stuck; return 1, nil })
	if took := time.Since(begin); err == nil || !strings.Contains(err.Error(), "interrupt") || took > 10*ending {
		t.Errorf("stuck: %v after %v", err, took)
	}
	got, err := heed(ctx, func() (int, error) { time.Sleep(ending / 20); return 7, nil })
	if got != 7 || err != nil {
		t.Errorf("in order: %d, %v", got, err)
	}
	if got, err := heed(t.Context(), func() (int, error) { return 8, nil }); got != 8 || err != nil {
		t.Errorf("not stopped: %d, %v", got, err)
	}
}

// TestEngines: one engine, several, or all that the machine has; what is left out
// of all is said, and one that was named must be there.
func TestEngines(t *testing.T) {
	f := &facts.Facts{Components: map[string][]facts.Instance{
		"onnxruntime": {{Version: "1.20.1", Active: true, Attrs: map[string]string{"lib": "/x/libonnxruntime.so.1"}}},
		"opencv":      {{Version: "4.6.0", Active: true, Attrs: map[string]string{"lib": "/x/libopencv_core.so.406"}}},
		"libtorch":    {{Version: "2.5.1", Active: true, Attrs: map[string]string{"lib": "/x/libtorch.so"}}},
	}}
	gocv := map[string]string{"gocv": "0.31.0"}
	for _, c := range []struct {
		engine, target string
		chosen         map[string]string
		want, note     string // want: the engines, or the error
	}{
		{"", "cpu", gocv, engines.Default(runtime.GOOS).Name, ""},
		{"onnxruntime", "cpu", nil, "onnxruntime", ""},
		{"onnxruntime,gocv", "cpu", gocv, "onnxruntime gocv", ""},
		{"reference,gocv", "cpu", gocv, "gocv", ""},
		{"all", "cpu", gocv, "gocv onnxruntime opencv libtorch", ""},
		{"all", "cpu", nil, "onnxruntime opencv libtorch", "gocv is left out: no gocv release"},
		{"all", "opencl", gocv, "gocv opencv", ""},
		{"all", "opencl", nil, "opencv", "gocv is left out"},
		{"gocv,onnxruntime", "cpu", nil, "no gocv release is known", ""},
		{"gocv,abacus", "cpu", gocv, `--engine abacus is unknown`, ""},
	} {
		var text strings.Builder
		o := VerifyOptions{Engine: c.engine, Target: c.target, Console: &console.Console{Out: &text, Err: &text}}
		options, err := o.options(host.Live(), &judge.Judgement{Facts: f, Chosen: c.chosen})
		var names []string
		for _, e := range options.Engines {
			names = append(names, e.Spec().Name)
		}
		got := strings.Join(names, " ")
		if err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, c.want) || !strings.Contains(text.String(), c.note) || c.note == "" && strings.Contains(text.String(), "gocv is left out") {
			t.Errorf("--engine %s --target %s: %s; %s", c.engine, c.target, got, &text)
		}
	}
	// Where there is none at all, the error is about the first, and no note repeats it.
	var text strings.Builder
	o := VerifyOptions{Engine: "all", Target: "cpu", Console: &console.Console{Out: &text, Err: &text}}
	_, err := o.options(host.Live(), &judge.Judgement{Facts: &facts.Facts{}})
	if err == nil || !strings.Contains(err.Error(), "gocv") || strings.Contains(text.String(), "gocv is left out") || !strings.Contains(text.String(), "opencv is left out") {
		t.Errorf("a bare machine: %v; %s", err, &text)
	}
}

// verify --recipe proves the recipe's engine, not gocv by that recipe.
func TestVerifyByRecipe(t *testing.T) {
	for _, c := range []struct{ engine, recipe, want string }{
		{"", "", ""},
		{"", "darknet", "darknet"},
		{"", "onnxruntime", "onnxruntime"},
		{"", "ncnn", ""}, // deployctl does not run ncnn's C++ library
		{"gocv", "darknet", "gocv"},
	} {
		o := VerifyOptions{Engine: c.engine, Recipe: Selection{Name: c.recipe}}
		if got, err := o.byRecipe(t.Context()); got != c.want || err != nil {
			t.Errorf("--engine %q --recipe %q: %q, %v, want %q", c.engine, c.recipe, got, err, c.want)
		}
	}
}
