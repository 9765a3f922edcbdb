// Package doctor looks: it runs the probes over a host under deadlines and
// gathers facts. It must never change the machine: no file outside deployctl's
// cache, no download. What the facts mean is decided in doctor/judge.
package doctor

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/deployctl/deployctl/doctor/closure"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/internal/parallel"
	"github.com/deployctl/deployctl/doctor/probe"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// The deadlines of the design's contract.
const (
	ProbeTimeout = 3 * time.Second
	TotalTimeout = 10 * time.Second
	// Grace is how long a probe may take after its deadline, or after the user
	// stopped it, to kill the processes it started and to hand over what it has
	// found: a process's pipes alone may stay open for half a second.
	Grace = time.Second
)

// Probe runs the probes side by side over a host and gathers what they find.
// It returns within TotalTimeout whatever the probes do: one that is late,
// fails or panics leaves a facts.Problem for what it provides.
func Probe(ctx context.Context, h *host.Host, probes []probe.Probe) *facts.Facts {
	ctx, cancel := context.WithTimeout(ctx, TotalTimeout-Grace)
	defer cancel()
	h, done := host.Memo(h)
	defer done()

	f := &facts.Facts{Schema: facts.Schema, Disks: []facts.Disk{}, GPUs: []facts.GPU{}, Components: map[string][]facts.Instance{}}
	answers := make([]answer, len(probes))
	var wg sync.WaitGroup
	for i, p := range probes {
		wg.Go(func() { answers[i] = runOne(ctx, h, p) })
	}
	wg.Wait()
	// Merged in the order of the list, so that the result does not depend on
	// which probe was quicker.
	for i, p := range probes {
		a := answers[i]
		for i := range a.found.Problems {
			if a.found.Problems[i].Probe == "" {
				a.found.Problems[i].Probe = p.Name
			}
		}
		a.found.Clean()
		f.Merge(a.found)
		if a.err != nil {
			f.Problems = append(f.Problems, facts.Problem{Probe: p.Name, Covers: p.Provides, Error: facts.Text(a.err.Error()), Late: errors.Is(a.err, context.DeadlineExceeded)})
		}
		f.Timings = append(f.Timings, facts.Timing{Probe: p.Name, Took: a.took})
	}
	f.Sort()
	libraries(ctx, h, f)
	return f
}

// libraries looks at what the libraries of the copies found need; it comes last
// because it begins with what the probes found.
func libraries(ctx context.Context, h *host.Host, f *facts.Facts) {
	if len(f.Components) == 0 {
		return
	}
	a := runOne(ctx, h, probe.Probe{Name: "closure", Run: func(ctx context.Context, h *host.Host) (facts.Facts, error) {
		// A late walk must not write into what is judged by then.
		own := facts.Facts{OS: f.OS, Components: map[string][]facts.Instance{}}
		for name, list := range f.Components {
			own.Components[name] = slices.Clone(list)
		}
		return own, closure.Fill(ctx, h, &own)
	}})
	f.Timings = append(f.Timings, facts.Timing{Probe: "closure", Took: a.took})
	if a.found.Components != nil { // also what a walk that was stopped has seen
		f.Components = a.found.Components
	}
	if a.err == nil {
		return
	}
	f.Problems = append(f.Problems, facts.Problem{Probe: "closure", Error: facts.Text(a.err.Error())})
}

type answer struct {
	found facts.Facts
	err   error
	took  time.Duration
}

func runOne(ctx context.Context, h *host.Host, p probe.Probe) answer {
	timeout := p.Timeout
	if timeout == 0 {
		timeout = ProbeTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	start := time.Now()
	done := make(chan answer, 1) // buffered: a late probe must not leak its goroutine too
	go func() {
		var a answer
		if crash := parallel.Catch(func() { a.found, a.err = p.Run(ctx, h) }); crash != nil {
			a = answer{err: lang.Errorf("the %s probe %w", p.Name, crash)}
		}
		done <- a
	}()
	var a answer
	select {
	case a = <-done:
	case <-ctx.Done():
		select {
		case a = <-done:
		case <-time.After(Grace):
			a.err = ctx.Err()
		}
	}
	if a.err == nil {
		a.err = ctx.Err() // what it did not come to is unknown, whatever it says
	}
	if a.err == nil && slices.Contains(h.Late, p.Name) { // it did not ask all that it had to when this was recorded
		a.err = context.DeadlineExceeded
	}
	if errors.Is(a.err, context.DeadlineExceeded) {
		a.err = lang.Errorf("the %s probe did not finish within %s: %w", p.Name, timeout, a.err)
	}
	a.took = time.Since(start)
	return a
}
