package verify

import (
	"encoding/json"
	"math"
	"slices"
	"time"

	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/judge"
)

// Schema is the version of the JSON form.
const Schema = 1

// State is how a check came out; the words are the finding states.
type State string

// The states a proof can have.
const (
	OK      State = "ok"
	Fail    State = "fail"
	Unknown State = "unknown" // could not be checked
)

// Number is a float that may be missing or not finite: both are null in JSON,
// which has no other word for them.
type Number float64

// MarshalJSON writes null for what JSON cannot say.
func (n Number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads null as not a number.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	*n = Number(f)
	return nil
}

// Result is a proof: what ran, what came out, how fast.
type Result struct {
	Schema int `json:"schema"`
	report.Made
	Level   int     `json:"level"`
	State   State   `json:"state"`
	Network Network `json:"network"`
	Weights Weights `json:"weights"`
	// Image is the picture looked at; "" for the embedded scene.
	Image string `json:"image,omitempty"`
	// Published is what others published for this network, these weights and this
	// picture, which every engine was held to; null for nothing.
	Published *Published `json:"published,omitempty"`
	Reference Reference  `json:"reference"`
	// Engines are in the order asked for; the reference itself comes last.
	Engines []Engine `json:"engines"`
	// Majority are the engines that agree on a model of the user's own; null for
	// networks with a reference.
	Majority []string `json:"majority,omitempty"`
	// Picture is the file with the boxes drawn in, "" when none was wanted or
	// no engine ran.
	Picture string `json:"picture"`
	// Fastest names the fastest engine that is right, Gain how many times
	// faster it is than the slowest other one; level 3 with two or more.
	Fastest string  `json:"fastest,omitempty"`
	Gain    float64 `json:"gain,omitempty"`
	// Notes are remarks that change no state.
	Notes []string `json:"notes,omitempty"`
	// TotalSeconds is the whole run; OverheadSeconds is what is left of it
	// without compiling, loading, inference and the reference.
	TotalSeconds    float64 `json:"total_s"`
	OverheadSeconds float64 `json:"overhead_s"`
}

// Network is what was run.
type Network struct {
	Name   string  `json:"name"`
	Layers int     `json:"layers"`
	Params int     `json:"params"`
	GFLOP  float64 `json:"gflop"`
	Width  int     `json:"width"`
	Height int     `json:"height"`
	Config string  `json:"config,omitempty"`
}

// Kinds of weights.
const (
	SelfTest = "self-test" // generated and calibrated, not trained
	Official = "official"  // known by hash
	User     = "user"
	Own      = "own" // in the model of the user's own that was run
)

// Weights are where the parameters came from.
type Weights struct {
	Kind   string `json:"kind"`
	SHA256 string `json:"sha256"`
	Path   string `json:"path,omitempty"`
}

// Reference says how the numbers to compare with were had.
type Reference struct {
	// Reused: read from the cache, where an earlier run with the same weights,
	// configuration, input and reference arithmetic left them.
	Reused  bool    `json:"reused"`
	Seconds float64 `json:"seconds"`
}

// Engine is what one engine did. Times are in seconds; per-run figures are of
// batch 1. A figure that was not measured is 0 here and null in JSON.
type Engine struct {
	Name     string            `json:"name"`
	Version  string            `json:"version"`
	Versions map[string]string `json:"versions,omitempty"`
	Backend  string            `json:"backend"`
	Target   string            `json:"target"`
	Threads  int               `json:"threads,omitempty"`
	State    State             `json:"state"`
	// Precision is what the processor computed in, where a shorter one than single was
	// asked for: fp32 where the engine did not follow. "": not asked for, or not known.
	Precision judge.Precision `json:"precision,omitempty"`
	// Why is one sentence, the likely cause; Reasons is everything found.
	Why     string   `json:"why,omitempty"`
	Reasons []string `json:"reasons,omitempty"`
	Fix     string   `json:"fix,omitempty"`
	Log     string   `json:"log,omitempty"`
	// Device is what the engine says of the hardware, ProcessorSeconds the time
	// that it needs on the processor; where the target is another.
	Device           *engine.Device `json:"device,omitempty"`
	ProcessorSeconds float64        `json:"processor_s,omitempty"`
	// Libraries are the shared libraries that the engine loaded, as the
	// operating system lists them; null where it lists none.
	Libraries []string `json:"libraries"`
	// Own are those of them that are the engine's library itself.
	Own []string `json:"-"`
	// RelL2 and MaxAbs compare each raw head with the reference; null where
	// there was nothing to compare.
	RelL2  []Number `json:"rel_l2"`
	MaxAbs []Number `json:"max_abs"`
	// Arithmetic says in a sentence what arithmetic the limits were derived for.
	Arithmetic string `json:"arithmetic,omitempty"`
	// Limits are what RelL2 and MaxAbs were judged by, head by head: a multiple
	// of the noise that the reference itself shows.
	Limits []judge.Limit `json:"limits"`
	Boxes  []Box         `json:"boxes"`
	// BuildSeconds is compiling the worker, 0 when it was in the cache.
	BuildSeconds float64 `json:"build_s,omitempty"`
	// Settings are the engine's switches that were set.
	Settings map[string]string `json:"settings,omitempty"`
	// Model is the network as the engine read it, where it cannot read Darknet's files.
	Model *Model `json:"model,omitempty"`
	// ConvertSeconds is making the network's file in a format that the engine
	// reads, 0 when it was in the cache or is not needed.
	ConvertSeconds float64 `json:"convert_s,omitempty"`
	// StartSeconds is loading the engine's shared libraries, LoadSeconds
	// reading the network and its weights.
	StartSeconds  float64 `json:"start_s,omitempty"`
	LoadSeconds   float64 `json:"load_s"`
	FirstSeconds  float64 `json:"first_s"`
	MinSeconds    float64 `json:"min_s"`
	MedianSeconds float64 `json:"median_s"`
	P95Seconds    float64 `json:"p95_s"`
	// Times are those of the steady runs, in order.
	Times []float64 `json:"-"`
	// MemoryBytes is the most memory that the worker had at once; 0 where the system
	// does not say.
	MemoryBytes int64 `json:"memory_bytes"`
	// Runs is how many steady runs the figures are of.
	Runs   int     `json:"runs"`
	GFLOPS float64 `json:"gflops"`
	// PeakGFLOPS is the rate of multiply-adds that was measured beside the runs, on
	// the same target with as many threads, and PeakShare is GFLOPS over it; 0
	// where it was not measured.
	PeakGFLOPS float64 `json:"peak_gflops"`
	PeakShare  float64 `json:"peak_share"`
	// CalibrationSpread is how much longer the same known work took at most,
	// between the runs, than at least: 1.1 is 10 % longer. 0: not measured.
	CalibrationSpread float64 `json:"calibration_spread"`
	busy              float64 // start, load and all forward passes
	spec              engine.Spec
}

// Box is a detection in pixels of the picture: left, top, width, height.
type Box struct {
	Class string  `json:"class"`
	ID    int     `json:"id"`
	Score float64 `json:"score"`
	X     float64 `json:"x"`
	Y     float64 `json:"y"`
	W     float64 `json:"w"`
	H     float64 `json:"h"`
}

// state judges the whole: a failure counts, then a success, then doubt. The
// reference alone proves a machine only when no other engine was asked for.
func (r *Result) state() State {
	worst := OK
	others := 0
	for _, e := range r.Engines {
		if e.Name == ReferenceName {
			if e.State != OK {
				return Fail
			}
			continue
		}
		others++
		switch {
		case e.State == Fail:
			return Fail
		case e.State == Unknown:
			worst = Unknown
		}
	}
	if others == 0 {
		return OK
	}
	return worst
}

// stats fills the figures from an answer.
func (e *Engine) stats(a engine.Answer, warmup int, gflop float64) {
	e.StartSeconds, e.LoadSeconds, e.MemoryBytes = a.StartSeconds, a.LoadSeconds, a.Memory
	if len(a.RunSeconds) == 0 {
		return
	}
	e.FirstSeconds = a.RunSeconds[0]
	steady := append([]float64(nil), a.RunSeconds[min(warmup, len(a.RunSeconds)-1):]...)
	e.Times, e.Runs = steady, len(steady)
	e.MinSeconds, e.MedianSeconds, e.P95Seconds = Quantile(steady, 0), Quantile(steady, 0.5), Quantile(steady, 0.95)
	if e.MedianSeconds > 0 {
		e.GFLOPS = gflop / e.MedianSeconds
	}
	switch {
	case a.PeakDevice > 0:
		e.PeakGFLOPS = a.PeakDevice
	case e.Target == "cpu":
		e.PeakGFLOPS = a.Peak
	}
	if e.PeakGFLOPS > 0 {
		e.PeakShare = e.GFLOPS / e.PeakGFLOPS
	}
	if len(a.Calibration) > 1 && slices.Min(a.Calibration) > 0 {
		e.CalibrationSpread = slices.Max(a.Calibration) / slices.Min(a.Calibration)
	}
	for _, s := range append(append([]float64{a.StartSeconds, a.LoadSeconds}, a.RunSeconds...), a.OtherSeconds...) {
		e.busy += s
	}
}

// seconds rounds a duration to what is worth keeping.
func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1e6) / 1e6 }
