package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/deployctl/deployctl/doctor/durable"
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/bench"
	"github.com/deployctl/deployctl/verify/engines"
)

// TuneOptions are what Tune depends on.
type TuneOptions struct {
	// BenchOptions name the engines and the network; Model, Size and Target are one
	// each.
	BenchOptions
	// Apply is the Markdown file to write the setting and its lines to, "" for none.
	Apply string
}

// Tune finds the fastest setting for a network on this machine.
func Tune(ctx context.Context, o TuneOptions) error {
	if err := textOrJSON(o.Format); err != nil {
		return err
	}
	o.Models, o.Sizes, o.Targets = o.Model, "", o.Target
	if o.Size > 0 {
		o.Sizes = fmt.Sprint(o.Size)
	}
	w, err := o.work()
	if err != nil {
		return err
	}
	if !slices.Contains(engines.Targets(), o.Target) {
		return unknown("--target", o.Target, engines.Targets())
	}
	var advice *bench.Advice
	_, err = onMachine(ctx, o.BenchOptions, func(ctx context.Context, plan bench.Plan) (*bench.Report, error) {
		var err error
		if advice, err = bench.Tune(ctx, plan, plan.Options.Engines, w.networks[0], w.targets); err != nil {
			return nil, err
		}
		return advice.Report, nil
	})
	if err != nil {
		return err
	}
	if o.Apply != "" {
		if err := durable.Write(o.Apply, 0o644, func(w io.Writer) error { return bench.Snippets(w, advice) }); err != nil {
			return lang.Errorf("write %s: %w", o.Apply, err)
		}
	}
	if o.Format == "json" {
		return writeJSON(o.Console, advice)
	}
	var out bytes.Buffer
	if err := bench.Explain(&out, advice); err != nil {
		return err
	}
	_, err = o.Console.Text().Write(out.Bytes())
	return err
}
