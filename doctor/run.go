// Package doctor looks: it runs the probes over a host under deadlines and
// gathers facts. It must never change the machine: no file outside deployctl's
// cache, no download. What the facts mean is decided in doctor/judge.
package doctor

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/deployctl/deployctl/doctor/closure"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe"
)

// The deadlines of the design's contract.
const (
	ProbeTimeout = 3 * time.Second
	TotalTimeout = 10 * time.Second
)

// Probe runs the probes side by side over a host and gathers what they find.
// It returns within TotalTimeout whatever the probes do: one that is late,
// fails or panics leaves a facts.Problem for what it provides.
func Probe(ctx context.Context, h *host.Host, probes []probe.Probe) *facts.Facts {
	ctx, cancel := context.WithTimeout(ctx, TotalTimeout)
	defer cancel()
	h = host.Memo(h)

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
		f.Merge(a.found)
		if a.err != nil {
			f.Problems = append(f.Problems, facts.Problem{Probe: p.Name, Covers: p.Provides, Error: a.err.Error()})
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
	if h.OS != "linux" || len(f.Components) == 0 {
		return
	}
	a := runOne(ctx, h, probe.Probe{Name: "closure", Run: func(ctx context.Context, h *host.Host) (facts.Facts, error) {
		// A late walk must not write into what is judged by then.
		own := facts.Facts{Components: map[string][]facts.Instance{}}
		for name, list := range f.Components {
			own.Components[name] = slices.Clone(list)
		}
		return own, closure.Fill(ctx, h, &own)
	}})
	f.Timings = append(f.Timings, facts.Timing{Probe: "closure", Took: a.took})
	if a.err == nil {
		f.Components = a.found.Components
		return
	}
	f.Problems = append(f.Problems, facts.Problem{Probe: "closure", Error: a.err.Error()})
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
		defer func() {
			if r := recover(); r != nil {
				done <- answer{err: fmt.Errorf("the %s probe crashed (a bug in deployctl, please report it): %v\n%s", p.Name, r, debug.Stack())}
			}
		}()
		found, err := p.Run(ctx, h)
		done <- answer{found: found, err: err}
	}()
	var a answer
	select {
	case a = <-done:
	case <-ctx.Done():
		// A probe that obeys its context may answer in this very moment.
		select {
		case a = <-done:
		default:
			a.err = ctx.Err()
		}
	}
	if errors.Is(a.err, context.DeadlineExceeded) {
		a.err = fmt.Errorf("the %s probe had no answer within %s: %w", p.Name, timeout, a.err)
	}
	a.took = time.Since(start)
	return a
}
