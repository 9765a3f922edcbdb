//go:build nativeworker

package main

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"
)

// library is a library that was loaded.
type library interface {
	// version is its release.
	version() string
	// batchNorm is engine.Answer's BatchNorm, "" for the usual.
	batchNorm() string
	// open loads the network of a job.
	open(j job) (network, error)
	// executed says what ran the layers of that network, nil where the library
	// does not say.
	executed(j job) (*device, error)
}

// network is a network that was loaded.
type network interface {
	// pass computes the job's heads for one picture, float32 [1, 3, height, width].
	// took are the seconds of the computation alone.
	pass(picture []float32) (heads []head, took float64, err error)
	close()
}

// head is one result: float32, row-major, [1, C, H, W].
type head struct {
	shape  []int
	values []float32
}

// work is a whole worker: it does the job on standard input with the library
// that its argument names. name is the engine's, pairs are the backends with
// their targets that it has.
func work(name string, pairs []string, load func(file string) (library, error)) {
	serve(name+" worker", func(j job, a *answer) error {
		if len(os.Args) != 2 {
			return errors.New("usage: worker LIBRARY")
		}
		l, err := load(os.Args[1])
		if err != nil {
			return err
		}
		a.Versions[name] = l.version()
		known := false
		for _, pair := range pairs {
			known = known || pair == j.Backend+"/"+j.Target
		}
		if !known {
			return fmt.Errorf("unknown backend and target %s/%s", j.Backend, j.Target)
		}
		if len(j.Inputs) == 0 {
			return nil // only asked whether everything loads
		}
		if j.Warmup+j.Runs < 1 || len(j.Heads) == 0 {
			return errors.New("job without runs or heads")
		}
		a.BatchNorm = l.batchNorm()
		a.Backend, a.Target, a.Threads = j.Backend, j.Target, j.Threads
		first, err := readInput(j.Inputs[0], j.Width, j.Height)
		if err != nil {
			return err
		}
		begin := time.Now()
		n, err := l.open(j)
		if err != nil {
			return err
		}
		a.LoadSeconds = time.Since(begin).Seconds()
		r := runner{network: n, job: j, first: first}
		err = passes(j, a, &r.seen, r.forward, func() {})
		n.close()
		if err != nil {
			return err
		}
		if a.Device, err = l.executed(j); err != nil || j.Target == processorTarget {
			return err
		}
		return onProcessor(l, j, a, first)
	})
}

// processorTarget is the processor in single precision.
const processorTarget = "cpu"

// onProcessor runs the network once more on the processor in single precision, for a
// target that is another.
func onProcessor(l library, j job, a *answer, first []float32) error {
	j.Target = processorTarget
	n, err := l.open(j)
	if err != nil {
		return err
	}
	defer n.close()
	r := runner{network: n, job: j, first: first}
	tensors, took, err := r.forward(0, "processor")
	if err != nil {
		return err
	}
	_, again, err := r.forward(0, "")
	a.Processor, a.ProcessorS = tensors, math.Min(took, again)
	return err
}

// runner keeps what the passes of one job share.
type runner struct {
	network
	job   job
	first []float32 // the first input
	seen  watch
}

// forward runs the network once. keep begins the names of the files that the heads
// are written to, "" for none.
func (r *runner) forward(input int, keep string) ([]tensor, float64, error) {
	j := r.job
	data := r.first
	if input > 0 {
		var err error
		if data, err = readInput(j.Inputs[input], j.Width, j.Height); err != nil {
			return nil, 0, err
		}
	}
	heads, took, err := r.pass(data)
	if err != nil {
		return nil, 0, err
	}
	if len(heads) != len(j.Heads) {
		return nil, 0, fmt.Errorf("the network gives %d results, not %d", len(heads), len(j.Heads))
	}
	if input == 0 {
		var values [][]float32
		for _, h := range heads {
			values = append(values, h.values)
		}
		r.seen.add(values, nil)
	}
	if keep == "" {
		return nil, took, nil
	}
	var tensors []tensor
	for i, h := range heads {
		file := filepath.Join(j.OutDir, fmt.Sprintf("%s-%d.f32", keep, j.Heads[i]))
		if err := writeTensor(file, h.values); err != nil {
			return nil, 0, err
		}
		tensors = append(tensors, tensor{Kind: "head", Layer: j.Heads[i], Shape: h.shape, File: file, Input: input})
	}
	return tensors, took, nil
}

// sizes are the dimensions of a result with their product. Nothing of the library
// is trusted with a size that no network has.
func sizes(dims []int64) (shape []int, count int, err error) {
	count = 1
	for _, d := range dims {
		if d < 1 || d > 1<<20 || count > 1<<28 {
			return nil, 0, fmt.Errorf("a result has the shape %v", dims)
		}
		shape = append(shape, int(d))
		count *= int(d)
	}
	return shape, count, nil
}
