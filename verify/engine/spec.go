package engine

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
)

// Format is the form in which an engine reads a network.
type Format string

// The formats. A network comes as Darknet's files and is converted where an
// engine cannot read those.
const (
	Darknet Format = "darknet" // Job.Config and Job.Weights
	ONNX    Format = "onnx"    // Job.Model and Job.Outputs
	// TorchScript is a module whose forward returns the heads as a tuple, in the order
	// of Job.Heads.
	TorchScript Format = "torchscript" // Job.Model
	// NCNN is the text; the weights are in the same folder. MNN is made of ONNX by MNN's
	// own converter. Both have Job.Outputs.
	NCNN Format = "ncnn" // Job.Model
	MNN  Format = "mnn"  // Job.Model
	// OpenVINO is OpenVINO's intermediate representation: the file with the operations;
	// that with the constants is in the same folder.
	OpenVINO Format = "openvino" // Job.Model and Job.Outputs
	// TensorFlow is a frozen graph, channels-last: Job.Model and Job.Outputs.
	TensorFlow Format = "tensorflow"
	// ExecuTorch is made of TorchScript by ExecuTorch's own tools.
	ExecuTorch Format = "executorch" // Job.Model
	// CoreML is a model of Apple's. No engine here reads it.
	CoreML Format = "coreml"
	// MACE are the files that MACE's own converter reads. No engine here does.
	MACE Format = "mace"
)

// Target is something that an engine can compute on. Its precision is that of its
// name (judge.PrecisionOf).
type Target struct {
	// Name is the protocol's word (cpu, cuda_fp16), Backend the engine's own for
	// the part of it that has this target.
	Name, Backend string
	// Layers is the engine's word for the target where it says on what its layers
	// ran, "" where it has none.
	Layers string
	// Drivers begin the names of the files, in lower case, of which one must have
	// been loaded where the target was used; nil for none.
	Drivers []string
}

// Setting is a switch that changes how fast an engine is, and its results by rounding
// at most.
type Setting struct {
	Name string
	// Values are what it can be set to, the default first.
	Values []string
}

// Choice is how an engine is to be run.
type Choice struct {
	Target Target
	// Threads is 0 for the engine's own choice.
	Threads  int
	Settings map[string]string
}

// Code are lines of a program.
type Code struct {
	Language string // Go, C++, Python
	Lines    []string
}

// Limited are the lines that limit threads, each with %d for their number, by
// language. It is for engines that have nothing else to choose; without a number there
// are no lines.
func (c Choice) Limited(lines ...Code) []Code {
	if c.Threads == 0 {
		return nil
	}
	var list []Code
	for _, l := range lines {
		one := Code{Language: l.Language}
		for _, line := range l.Lines {
			one.Lines = append(one.Lines, strings.ReplaceAll(line, "%d", strconv.Itoa(c.Threads)))
		}
		list = append(list, one)
	}
	return list
}

// ChildCommand is the command with which deployctl starts itself as a worker; the
// engine's name and the library follow.
const ChildCommand = "worker"

// Spec is what an engine declares.
type Spec struct {
	// Name is the engine's short name: gocv, onnxruntime …
	Name string
	// Library is the name of the library that does the work, for sentences, and
	// Component what it is called in the facts and in Answer.Versions.
	Library, Component string
	// Recipe provides what the engine needs.
	Recipe string
	// Formats are those it reads, the preferred one first, and Converts what its own
	// converter makes the first of them of, "" for an engine without one; File is the
	// name of the file that it makes.
	Formats  []Format
	Converts Format
	File     string
	// Targets are what it can compute on, the default first.
	Targets []Target
	// Settings are the engine's switches that change how fast it is.
	Settings []Setting
	// Code are the lines that use a choice of target, threads and settings in a
	// program of the user's; nil where there are none.
	Code func(c Choice) []Code
	// Missing says what a target lacks on this machine, "" when nothing. refused:
	// the engine does not list it. nil: every target is always there.
	Missing func(asked Target, d Device, refused bool) (why, fix string)
	// GoModule is the module that its worker is compiled from with Go, and Modules the
	// files that this takes, for a release of what the worker is compiled with; "" and
	// nil for a worker that takes none.
	GoModule string
	Modules  func(release string) []Module
	// Child is the worker as a part of this program, for systems on which it starts
	// itself (ChildCommand); nil where the worker is a program of
	// its own.
	Child func()
	// Find finds the engine on a machine that was looked at. An error is a sentence
	// that says what is missing, and what to do.
	Find func(m Machine) (Engine, error)
}

// Module is one file of a Go module with go.sum's hash of it.
type Module struct {
	Path, Version string
	Ext           string // mod or zip
	Sum           string // h1:…
}

// Machine is where an engine is looked for.
type Machine struct {
	Facts *facts.Facts
	// Chosen are the versions that the tables chose for this machine, by component.
	Chosen map[string]string
	// Blocker is the first requirement of the recipe that is not satisfied, in a
	// sentence; "" for none.
	Blocker string
	Process Process
	// Getenv reads the environment that Process gives its children.
	Getenv func(string) (string, bool)
	// Cache is deployctl's cache folder.
	Cache string
	// Fresh compiles workers even if there are some.
	Fresh bool
	// Proxy gives the one Go module proxy that a worker may be compiled from, for
	// a release of what it is compiled with; nil leaves that to the Go command.
	Proxy func(ctx context.Context, release string) (string, error)
}

// Target is the target of that name, with the backend where that is not "".
func (s Spec) Target(backend, name string) (Target, bool) {
	i := slices.IndexFunc(s.Targets, func(t Target) bool { return t.Name == name && (backend == "" || t.Backend == backend) })
	if i < 0 {
		return Target{Name: name, Backend: backend}, false
	}
	return s.Targets[i], true
}

// Takes reports whether the engine can be given a file of that format.
func (s Spec) Takes(f Format) bool { return slices.Contains(s.Formats, f) || s.Converts == f }

// TargetNames are the names of the targets, each once.
func (s Spec) TargetNames() []string {
	var list []string
	for _, t := range s.Targets {
		if !slices.Contains(list, t.Name) {
			list = append(list, t.Name)
		}
	}
	return list
}

// Pair is backend/target, as Answer and Device name them.
func (t Target) Pair() string { return t.Backend + "/" + t.Name }

// Family is the kind of a target: cuda of cuda_fp16.
func (t Target) Family() string {
	return strings.TrimSuffix(strings.TrimSuffix(t.Name, "_fp16"), "_bf16")
}
