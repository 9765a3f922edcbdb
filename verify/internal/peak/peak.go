// Package peak measures what this machine can do at most: multiply-adds of
// single-precision numbers in registers, and bytes moved in memory. Engines are
// compared with it, and a repeated measurement shows that something else was using
// the machine. It must never run anything else, and never guess from a clock rate.
package peak

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// The rates are each the best of tries pieces of work. A piece is short: what is
// wanted is what the processor can do, not what it does when it is interrupted.
const (
	tries  = 8
	rounds = 400_000 // of multiply-adds in 12 registers: about 2 ms
)

// GFLOPS is the rate of multiply-adds, two operations each, that threads reach
// together, in 10⁹ a second; 0 where this architecture has no probe.
func GFLOPS(threads int) float64 {
	loop := fastest()
	if loop == nil || threads < 1 {
		return 0
	}
	best := 0.0
	for range tries {
		took := together(threads, func() { loop.run(rounds) })
		best = max(best, float64(threads)*float64(loop.operations)*rounds/took/1e9)
	}
	return best
}

// Work is the time in seconds that one thread needs for a known piece of work, the
// best of three tries; 0 where this architecture has no probe. It grows when another
// program uses the same core, or when the processor slows down.
func Work() float64 {
	loop := fastest()
	if loop == nil {
		return 0
	}
	best := 0.0
	for range 3 {
		if took := together(1, func() { loop.run(4 * rounds) }); best == 0 || took < best {
			best = took
		}
	}
	return best
}

// Bandwidth is the rate at which threads together copy memory that fits no cache,
// bytes read and bytes written counted, in 10⁹ bytes a second.
func Bandwidth(threads int) float64 {
	const size = 64 << 20 // bytes for each thread, read once and written once
	from, to := make([][]byte, threads), make([][]byte, threads)
	for i := range from {
		from[i], to[i] = make([]byte, size), make([]byte, size)
	}
	best := 0.0
	for range 3 {
		var next atomic.Int32
		took := together(threads, func() {
			mine := next.Add(1) - 1
			copy(to[mine], from[mine])
		})
		best = max(best, float64(threads)*2*size/took/1e9)
	}
	return best
}

// together runs work on threads of the operating system at once, and gives the
// seconds until the last has ended.
func together(threads int, work func()) float64 {
	var ready, done sync.WaitGroup
	begin := make(chan struct{})
	ready.Add(threads)
	for range threads {
		done.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			ready.Done()
			<-begin
			work()
		})
	}
	ready.Wait()
	start := time.Now()
	close(begin)
	done.Wait()
	return time.Since(start).Seconds()
}

// loop is one way to multiply and add: run does rounds of operations each. Twelve
// sums that do not wait for one another keep two units of a latency of up to six
// cycles busy.
type loop struct {
	run        func(rounds int64)
	operations int // in one round
}
