//go:build gocvworker
// +build gocvworker

package main

/*
double deployctl_work(int threads, long rounds, double *flop, float *sink);
double deployctl_work_opencl(long rounds, double *flop);
*/
import "C"

import (
	"math"
	"runtime"
	"strings"
)

// meter measures how fast the machine is, before, between and after the runs:
// a piece of known work that is done again and again.
type meter struct {
	threads, all int
	opencl       bool
	rounds       C.long
	clRounds     C.long
	sink         C.float
	a            *answer
}

// piece is how long a piece of work should take in seconds: long against the
// start of threads, short against a run.
const piece = 0.002

// newMeter finds how much work fits in a piece.
func newMeter(j job, a *answer) *meter {
	m := &meter{threads: a.Threads, all: runtime.NumCPU(), a: a, opencl: strings.HasPrefix(j.Target, "opencl"), rounds: 1000, clRounds: 16}
	if m.threads < 1 {
		m.threads = 1
	}
	if m.all < m.threads {
		m.all = m.threads
	}
	for m.rounds < 1<<30 && m.best(m.threads, 3) < piece {
		m.rounds *= 2
	}
	for m.opencl && m.clRounds < 1<<20 {
		if took, _ := m.device(); took < 0 || took > piece {
			break
		}
		m.clRounds *= 2
	}
	return m
}

// best is the shortest of so many tries, which is what other programs disturb
// least. It notes the rate.
func (m *meter) best(threads, tries int) float64 {
	best := math.Inf(1)
	for i := 0; i < tries; i++ {
		var flop C.double
		took := float64(C.deployctl_work(C.int(threads), m.rounds, &flop, &m.sink))
		if took <= 0 {
			continue
		}
		best = math.Min(best, took)
		rate := float64(flop) / took / 1e9
		if threads == m.threads {
			m.a.Peak = math.Max(m.a.Peak, rate)
		}
		m.a.PeakAll = math.Max(m.a.PeakAll, rate)
	}
	return best
}

func (m *meter) device() (took, rate float64) {
	var flop C.double
	took = float64(C.deployctl_work_opencl(m.clRounds, &flop))
	if took > 0 {
		rate = float64(flop) / took / 1e9
	}
	return took, rate
}

// measure does the known work once more.
func (m *meter) measure() {
	if took := m.best(m.threads, 3); !math.IsInf(took, 0) {
		m.a.Calibration = append(m.a.Calibration, took)
	}
	if m.all > m.threads {
		m.best(m.all, 1)
	}
	if m.opencl {
		_, rate := m.device()
		m.a.PeakDevice = math.Max(m.a.PeakDevice, rate)
	}
}
