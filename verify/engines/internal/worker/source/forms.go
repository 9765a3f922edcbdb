//go:build gocvworker || nativeworker
// +build gocvworker nativeworker

// A worker reads one job as JSON on standard input and writes one answer as JSON
// to the file that the job names, because libraries print to both streams. The
// forms are verify/engine's Job and Answer, repeated here because these files are
// compiled alone on the machine that is being proven, with whatever Go that
// machine has (1.13 or newer). So: no generics, no os.ReadFile.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/ioutil"
	"math"
	"os"
	"runtime"
	"time"
)

const schema = 2

type job struct {
	Schema  int      `json:"schema"`
	Config  string   `json:"config"`
	Weights string   `json:"weights"`
	Model   string   `json:"model"`
	Outputs []string `json:"outputs"`
	Inputs  []string `json:"inputs"`
	Width   int      `json:"width"`
	Height  int      `json:"height"`
	Heads   []int    `json:"heads"`
	Shapes  [][]int  `json:"shapes"`
	Yolos   []int    `json:"yolos"`
	OutDir  string   `json:"out_dir"`
	Answer  string   `json:"answer_file"`
	Backend string   `json:"backend"`
	Target  string   `json:"target"`
	Threads int      `json:"threads"`
	// Settings are the engine's switches.
	Settings map[string]string `json:"settings"`
	Warmup   int               `json:"warmup"`
	Runs     int               `json:"runs"`
}

type answer struct {
	Schema      int               `json:"schema"`
	Versions    map[string]string `json:"versions"`
	Backend     string            `json:"backend"`
	Target      string            `json:"target"`
	Threads     int               `json:"threads"`
	BatchNorm   string            `json:"batch_norm,omitempty"`
	Began       float64           `json:"began"`
	LoadSeconds float64           `json:"load_s"`
	RunSeconds  []float64         `json:"run_s"`
	OtherSecs   []float64         `json:"other_s"`
	Outputs     []tensor          `json:"outputs"`
	Others      []tensor          `json:"others"`
	Repeat      []tensor          `json:"repeat"`
	Last        []tensor          `json:"last"`
	RunDiff     []float64         `json:"run_diff"`
	RunMost     []float64         `json:"run_most"`
	RunRows     []int             `json:"run_rows"`
	Device      *device           `json:"device,omitempty"`
	Processor   []tensor          `json:"processor,omitempty"`
	ProcessorS  float64           `json:"processor_s,omitempty"`
	Peak        float64           `json:"peak_gflops,omitempty"`
	PeakAll     float64           `json:"peak_all_gflops,omitempty"`
	PeakDevice  float64           `json:"peak_device_gflops,omitempty"`
	Calibration []float64         `json:"calibration_s,omitempty"`
	Memory      int64             `json:"memory_bytes,omitempty"`
	Libraries   []string          `json:"libraries,omitempty"`
	Log         string            `json:"log,omitempty"`
	Error       string            `json:"error,omitempty"`
}

type tensor struct {
	Kind  string `json:"kind"`
	Layer int    `json:"layer"`
	Shape []int  `json:"shape"`
	File  string `json:"file"`
	Input int    `json:"input"`
}

// device is verify/engine's Device.
type device struct {
	Pairs  []string          `json:"pairs"`
	OpenCL *opencl           `json:"opencl"`
	CUDA   *cuda             `json:"cuda"`
	Built  map[string]string `json:"built"`
	Layers map[string]int    `json:"layers"`
}

type opencl struct {
	Have    bool   `json:"have"`
	Use     bool   `json:"use"`
	Name    string `json:"name"`
	Vendor  string `json:"vendor"`
	Version string `json:"version"`
	Type    string `json:"type"`
	Any     bool   `json:"any"`
}

type cuda struct {
	Count        int      `json:"count"`
	Names        []string `json:"names"`
	Capabilities []string `json:"capabilities"`
}

// serve does the job on standard input. What goes wrong before there is a place
// for the answer goes to standard error, after the worker's name.
func serve(name string, run func(j job, a *answer) error) {
	a := answer{
		Schema:   schema,
		Began:    float64(time.Now().UnixNano()) / 1e9,
		Versions: map[string]string{"go": runtime.Version()},
	}
	var j job
	if err := json.NewDecoder(os.Stdin).Decode(&j); err != nil {
		fmt.Fprintf(os.Stderr, "%s: read job: %v\n", name, err)
		os.Exit(1)
	}
	err := fmt.Errorf("job has schema %d, this worker speaks %d", j.Schema, schema)
	if j.Schema == schema {
		err = run(j, &a)
	}
	if err != nil {
		a.Error = err.Error()
	}
	a.Memory = memory()
	// Now, when also what is loaded at first use (OpenCL, CUDA) is there.
	if a.Libraries, err = libraries(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: list the loaded libraries: %v\n", name, err)
	}
	if err := reply(j.Answer, &a); err != nil {
		fmt.Fprintf(os.Stderr, "%s: write answer: %v\n", name, err)
		os.Exit(1)
	}
}

// reply writes the answer whole or not at all.
func reply(file string, a *answer) error {
	raw, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := ioutil.WriteFile(file+".part", raw, 0600); err != nil {
		return err
	}
	return os.Rename(file+".part", file)
}

// passes makes all the forward passes of a job. forward runs the input of that
// index and keeps what comes out in files whose names begin with keep, or nowhere
// where that is ""; it gives every result of the first input to watch. measure is
// called before, between and after the timed runs.
func passes(j job, a *answer, w *watch, forward func(input int, keep string) ([]tensor, float64, error), measure func()) error {
	measure()
	for i := 0; i < j.Warmup+j.Runs; i++ {
		keep := ""
		if i == 0 {
			keep = "first"
		} else if i == j.Warmup+j.Runs-1 {
			keep = "last"
		}
		out, took, err := forward(0, keep)
		if err != nil {
			return err
		}
		if i == 0 {
			a.Outputs = out
		}
		if keep == "last" {
			a.Last = out
		}
		a.RunSeconds = append(a.RunSeconds, took)
		measure()
	}
	for i := 1; i < len(j.Inputs); i++ {
		out, took, err := forward(i, fmt.Sprintf("other%d", i))
		if err != nil {
			return err
		}
		a.OtherSecs = append(a.OtherSecs, took)
		a.Others = append(a.Others, out...)
	}
	out, took, err := forward(0, "repeat")
	if err != nil {
		return err
	}
	a.OtherSecs = append(a.OtherSecs, took)
	a.Repeat, a.RunDiff, a.RunMost, a.RunRows = out, w.diffs, w.most, w.rows
	return nil
}

// readInput reads a picture's three planes, float32.
func readInput(file string, width, height int) ([]float32, error) {
	raw, err := ioutil.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read input: %v", err)
	}
	if width < 1 || height < 1 || len(raw) != width*height*12 {
		return nil, fmt.Errorf("input %s has %d bytes, a %dx%d picture has %d", file, len(raw), width, height, width*height*12)
	}
	data := make([]float32, len(raw)/4)
	for i := range data {
		data[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[i*4:]))
	}
	return data, nil
}

func writeTensor(file string, data []float32) error {
	raw := make([]byte, len(data)*4)
	for i, v := range data {
		binary.LittleEndian.PutUint32(raw[i*4:], math.Float32bits(v))
	}
	if err := ioutil.WriteFile(file, raw, 0644); err != nil {
		return fmt.Errorf("write output: %v", err)
	}
	return nil
}
