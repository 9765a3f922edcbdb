package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/doctor/facts"
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
	Rounds                          int
	// Chart is the SVG file to write, Compare a report to compare with; "" for none.
	Chart, Compare string
	// Version is deployctl's own.
	Version string
}

// Bench measures the engines of this machine against each other.
func Bench(ctx context.Context, o BenchOptions) error {
	if !slices.Contains([]string{"text", "json", "csv", "markdown"}, o.Format) {
		return usagef("--format %s is unknown: use text, json, csv or markdown", o.Format)
	}
	plan, err := o.plan()
	if err != nil {
		return err
	}
	var old *bench.Report
	if o.Compare != "" {
		if old, err = bench.Read(o.Compare); err != nil {
			return &UsageError{err}
		}
	}
	report, err := o.measure(ctx, plan)
	if err != nil {
		return err
	}
	if o.Chart != "" {
		if err := durable.Write(o.Chart, 0o644, func(w io.Writer) error { return bench.Chart(w, report) }); err != nil {
			return fmt.Errorf("write the chart %s: %w", o.Chart, err)
		}
	}
	return o.write(report, old)
}

// plan is what the flags say, without the engines, which are found on the machine.
func (o BenchOptions) plan() (bench.Plan, error) {
	p := bench.Plan{Rounds: o.Rounds, Runs: o.Runs}
	var err error
	if p.Threads, err = numbers("--threads", o.Threads); err != nil {
		return p, err
	}
	sizes, err := numbers("--size", o.Sizes)
	if err != nil {
		return p, err
	}
	if len(sizes) == 0 {
		sizes = []int{0}
	}
	models := values(o.Models)
	switch {
	case len(models) > 0 && o.Config+o.Weights != "":
		return p, usagef("--model names networks that deployctl knows; leave it out to measure one of your own")
	case len(models) == 0:
		models = []string{""}
	}
	for _, model := range models {
		if model != "" && !slices.Contains(darknet.Families(), model) {
			return p, usagef("--model %s is unknown: use %s", model, strings.Join(darknet.Families(), ", "))
		}
		for _, size := range sizes {
			p.Networks = append(p.Networks, bench.Network{Model: model, Size: size})
		}
	}
	p.Targets = values(o.Targets)
	for _, target := range p.Targets {
		if !slices.Contains(engines.Targets(), target) {
			return p, usagef("--target %s is unknown: use %s", target, strings.Join(engines.Targets(), ", "))
		}
	}
	return p, nil
}

// measure finds the engines and measures them.
func (o BenchOptions) measure(ctx context.Context, plan bench.Plan) (*bench.Report, error) {
	o.Target = "cpu" // of specs, which asks for engines that have it; the plan has its own
	if _, err := o.specs(); err != nil {
		return nil, err
	}
	return heed(ctx, func() (*bench.Report, error) {
		h, j, err := o.machine(ctx)
		if err != nil {
			return nil, err
		}
		if plan.Options, err = o.options(h, j); err != nil {
			return nil, err
		}
		plan.Processors = processors(j.Facts)
		plan.Note = func(text string) { o.Console.Note("%s", text) }
		report, err := bench.Run(ctx, plan)
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
		parts = append(parts, "1 core")
	} else {
		parts = append(parts, fmt.Sprintf("%d cores", n))
	}
	if f.OS.Name != "" {
		parts = append(parts, f.OS.Name)
	}
	return strings.Join(parts, ", ")
}

// write writes the report in the form asked for, and the comparison after it.
func (o BenchOptions) write(r, old *bench.Report) error {
	if o.Format == "json" {
		return writeJSON(o.Console, r)
	}
	var out bytes.Buffer
	err := map[string]func(io.Writer, *bench.Report) error{"text": bench.Text, "csv": bench.CSV, "markdown": bench.Markdown}[o.Format](&out, r)
	if err == nil && old != nil && o.Format != "csv" {
		err = bench.Changes(&out, bench.Compare(r, old), old)
	}
	if err != nil {
		return err
	}
	_, err = o.Console.Text().Write(out.Bytes())
	return err
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
