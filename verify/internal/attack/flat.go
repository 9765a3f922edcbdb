package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/deployctl/deployctl/verify"
)

// sample is what a process holds at a time.
type sample struct {
	pid                   int
	memory                int64 // bytes in memory
	files, threads, after int   // after: milliseconds since the start
}

// flat makes many timed runs of the small network in one proof and watches the
// worker meanwhile: memory, open files and threads may not grow, and nothing may
// be left afterwards.
func (s *suite) flat(ctx context.Context, n int) error {
	// Once before, so that the worker is compiled.
	if r, err := s.run(s.command(ctx, s.small)); err != nil || r.state != verify.OK {
		return fmt.Errorf("the first run: %s: %w", r.said(), err)
	}
	c := s.command(ctx, s.small, "--runs", strconv.Itoa(n))
	type end struct {
		r   report
		err error
	}
	done := make(chan end, 1)
	begin := time.Now()
	go func() {
		r, err := s.run(c)
		done <- end{r, err}
	}()
	var list []sample
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var e end
	for running := true; running; {
		select {
		case e = <-done:
			running = false
		case <-tick.C:
			if x, ok := watch(filepath.Join(s.dir, "cache", "workers")); ok {
				x.after = int(time.Since(begin).Milliseconds())
				list = append(list, x)
			}
		}
	}
	if e.err != nil || e.r.state != verify.OK {
		return fmt.Errorf("%d runs: %s: %w", n, e.r.said(), e.err)
	}
	if len(list) < 20 {
		return fmt.Errorf("the worker was seen %d times only: make more runs", len(list))
	}
	return s.judgeFlat(n, list)
}

// judgeFlat compares the second quarter of the time with what follows up to nine
// tenths: before, the engine fills its own pools; at the end, the worker computes
// the other input and writes its answer.
func (s *suite) judgeFlat(n int, list []sample) error {
	early, late := list[len(list)/4:len(list)/2], list[len(list)*6/10:len(list)*9/10]
	most := func(part []sample, f func(sample) int64) int64 {
		var m int64
		for _, x := range part {
			m = max(m, f(x))
		}
		return m
	}
	grown := false
	for _, q := range []struct {
		name  string
		f     func(sample) int64
		slack int64
	}{
		{"bytes of memory", func(x sample) int64 { return x.memory }, 2 << 20}, // an allocator's own whims
		{"open files", func(x sample) int64 { return int64(x.files) }, 0},
		{"threads", func(x sample) int64 { return int64(x.threads) }, 0},
	} {
		a, b := most(early, q.f), most(late, q.f)
		fmt.Printf("%s: %d in the second quarter of %d runs, %d later\n", q.name, a, n, b)
		grown = grown || b > a+q.slack
	}
	if _, ok := watch(filepath.Join(s.dir, "cache", "workers")); ok {
		return fmt.Errorf("the worker still runs")
	}
	left, err := os.ReadDir(filepath.Join(s.dir, "cache", "run"))
	if err != nil {
		return fmt.Errorf("look for what was left: %w", err)
	}
	fmt.Printf("left over: no process, %d files of a run\n", len(left))
	if len(left) > 0 || grown {
		return fmt.Errorf("something grows or is left over")
	}
	return nil
}

// watch finds the worker by the file it runs and reads what it holds. A process
// that ends meanwhile was not seen.
func watch(workers string) (sample, bool) {
	list, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return sample{}, false
	}
	for _, exe := range list {
		target, err := os.Readlink(exe)
		if err != nil || !strings.HasPrefix(target, workers) || filepath.Base(target) != "worker" {
			continue
		}
		dir := filepath.Dir(exe)
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		files, err := os.ReadDir(filepath.Join(dir, "fd"))
		if err != nil {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, "status"))
		if err != nil {
			continue
		}
		x := sample{pid: pid, files: len(files)}
		for line := range strings.Lines(string(raw)) {
			f := strings.Fields(line)
			if len(f) < 2 || !slices.Contains([]string{"VmRSS:", "Threads:"}, f[0]) {
				continue
			}
			v, err := strconv.Atoi(f[1])
			if err != nil {
				continue
			}
			if f[0] == "Threads:" {
				x.threads = v
			} else {
				x.memory = int64(v) << 10
			}
		}
		return x, x.memory > 0
	}
	return sample{}, false
}
