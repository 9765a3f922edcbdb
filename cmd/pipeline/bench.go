package pipeline

import (
	"context"
	"io"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/cmd/formats"
	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/bench"
	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engines"
)

// BenchOptions are what Bench depends on.
type BenchOptions struct {
	// VerifyOptions name the engines and, for a network of the user's own, its files.
	VerifyOptions
	// Models, Sizes, Targets and Threads are lists with commas; "" is one of each.
	Models, Sizes, Targets, Threads string
	// Precisions are a list of fp32, fp16 and bf16, or any; "" is fp32.
	Precisions string
	Rounds     int
	// Chart is the SVG file to write, Compare a report to compare with; "" for none.
	Chart, Compare string
	// Version is deployctl's own.
	Version string
}

// Bench measures the engines of this machine against each other.
func Bench(ctx context.Context, o BenchOptions) error {
	format, err := checkFormat(formats.Bench, o.Format)
	if err != nil {
		return err
	}
	w, err := o.work()
	if err != nil {
		return err
	}
	var old *bench.Report
	if o.Compare != "" {
		if old, err = bench.Read(o.Compare); err != nil {
			return &UsageError{err}
		}
	}
	report, err := onMachine(ctx, o, func(ctx context.Context, plan bench.Plan) (*bench.Report, error) {
		plan.Cases = bench.Cases(plan.Options.Engines, w.networks, w.targets, w.threads)
		return bench.Run(ctx, plan)
	})
	if err != nil {
		return err
	}
	if o.Chart != "" {
		if err := durable.Write(o.Chart, 0o644, func(w io.Writer) error { return bench.Chart(w, report) }); err != nil {
			return lang.Errorf("write the chart %s: %w", o.Chart, err)
		}
	}
	d := &formats.Document{Command: formats.Bench, Bench: report, Version: o.Version, Time: report.Time}
	if old != nil {
		d.Changes = bench.Changes(bench.Compare(report, old), old)
	}
	return format.Write(out(o.Console, format), d)
}

// work is what the flags ask for.
type work struct {
	networks []bench.Network
	targets  []string
	threads  []int
}

// work reads the lists of the flags.
func (o BenchOptions) work() (w work, err error) {
	if w.threads, err = numbers("--threads", o.Threads); err != nil {
		return w, err
	}
	sizes, err := numbers("--size", o.Sizes)
	if err != nil {
		return w, err
	}
	if len(sizes) == 0 {
		sizes = []int{0}
	}
	models := values(o.Models)
	switch {
	case len(models) > 0 && o.Config+o.Weights != "":
		return w, usagef("--model names networks that deployctl knows; leave it out to measure one of your own")
	case len(models) == 0:
		models = []string{""}
	}
	for _, size := range sizes {
		if err := checkSize(size); err != nil {
			return w, err
		}
	}
	for _, model := range models {
		if model != "" && !slices.Contains(darknet.Families(), model) {
			return w, unknown("--model", model, darknet.Families())
		}
		for _, size := range sizes {
			w.networks = append(w.networks, bench.Network{Model: model, Size: size})
		}
	}
	for _, target := range values(o.Targets) {
		if !slices.Contains(engines.Targets(), target) {
			return w, unknown("--target", target, engines.Targets())
		}
	}
	if w.targets, err = precise(values(o.Targets), o.Precisions); err != nil {
		return w, err
	}
	o.Target = "cpu" // of specs, which asks for engines that have it; the list has its own
	_, err = o.specs()
	return w, err
}

// checkSize refuses an input size that the networks do not have: they halve it five times
// and join what they doubled again.
func checkSize(size int) error {
	if size%32 == 0 {
		return nil
	}
	if size < 32 {
		return usagef("--size %d is not a multiple of 32: use 32", size)
	}
	return usagef("--size %d is not a multiple of 32: use %d or %d", size, size/32*32, size/32*32+32)
}

// precise are the targets in each of the precisions asked for: cpu, cpu_fp16, cpu_bf16.
// What no engine has is left out, unless nothing remains.
func precise(targets []string, precisions string) ([]string, error) {
	known := []string{"fp32", "fp16", "bf16"}
	asked := values(precisions)
	switch {
	case precisions == "any":
		asked = known
	case len(asked) == 0:
		return targets, nil
	}
	if len(targets) == 0 {
		targets = []string{"cpu"}
	}
	var list []string
	for _, p := range asked {
		if !slices.Contains(known, p) {
			return nil, unknown("--precision", p, append(known, "any"))
		}
		for _, t := range targets {
			if p != "fp32" {
				t += "_" + p
			}
			if slices.Contains(engines.Targets(), t) && !slices.Contains(list, t) {
				list = append(list, t)
			}
		}
	}
	if len(list) == 0 {
		return nil, usagef("--precision %s: no engine has it on %s", precisions, strings.Join(targets, ", "))
	}
	return list, nil
}

// onMachine finds the engines of this machine and measures with them.
func onMachine(ctx context.Context, o BenchOptions, measure func(ctx context.Context, plan bench.Plan) (*bench.Report, error)) (*bench.Report, error) {
	o.Target = "cpu"
	return heed(ctx, func() (*bench.Report, error) {
		h, j, err := o.machine(ctx)
		if err != nil {
			return nil, err
		}
		plan := bench.Plan{Rounds: o.Rounds, Runs: o.Runs, Processors: processors(j.Facts)}
		if plan.Options, err = o.options(h, j); err != nil {
			return nil, err
		}
		plan.Note = func(text string) { o.Console.Note("%s", text) }
		report, err := measure(ctx, plan)
		if err != nil {
			return nil, asUsage(o.VerifyOptions, err)
		}
		report.Machine, report.Version = machineLine(j.Facts), o.Version
		return report, nil
	})
}

// processors are those that this process may use.
func processors(f *facts.Facts) int {
	if n := int(math.Ceil(f.CPU.Cores)); n > 0 {
		return n
	}
	return runtime.NumCPU()
}

// machineLine describes a machine by its processor and its system.
func machineLine(f *facts.Facts) string {
	parts := []string{f.CPU.Model}
	if n := processors(f); n == 1 {
		parts = append(parts, lang.T("1 core"))
	} else {
		parts = append(parts, lang.F("%d cores", n))
	}
	if f.OS.Name != "" {
		parts = append(parts, f.OS.Name)
	}
	return strings.Join(parts, lang.T(", "))
}

// values are the parts of a list with commas.
func values(list string) []string {
	var parts []string
	for part := range strings.SplitSeq(list, ",") {
		if part = strings.TrimSpace(part); part != "" {
			parts = append(parts, part)
		}
	}
	return parts
}

// numbers are the parts of a list of positive numbers with commas.
func numbers(flag, list string) ([]int, error) {
	var parts []int
	for _, part := range values(list) {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return nil, usagef("%s %s: %q is not a number above 0", flag, list, part)
		}
		parts = append(parts, n)
	}
	return parts, nil
}
