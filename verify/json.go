package verify

import (
	"encoding/json"
	"math"
)

// measured is a figure for JSON: null where nothing was measured. No time, rate
// or count of runs that was measured is 0.
func measured[T int | int64 | float64](v T) *T {
	if f := float64(v); f == 0 || math.IsNaN(f) || math.IsInf(f, 0) {
		return nil
	}
	return &v
}

// MarshalJSON writes null for figures that were not measured.
func (e Engine) MarshalJSON() ([]byte, error) {
	type plain Engine
	return json.Marshal(struct {
		plain
		Threads          *int     `json:"threads"`
		ProcessorSeconds *float64 `json:"processor_s"`
		BuildSeconds     *float64 `json:"build_s"`
		ConvertSeconds   *float64 `json:"convert_s"`
		StartSeconds     *float64 `json:"start_s"`
		LoadSeconds      *float64 `json:"load_s"`
		FirstSeconds     *float64 `json:"first_s"`
		MinSeconds       *float64 `json:"min_s"`
		MedianSeconds    *float64 `json:"median_s"`
		P95Seconds       *float64 `json:"p95_s"`
		GFLOPS           *float64 `json:"gflops"`
		PeakGFLOPS       *float64 `json:"peak_gflops"`
		PeakShare        *float64 `json:"peak_share"`
		Spread           *float64 `json:"calibration_spread"`
		MemoryBytes      *int64   `json:"memory_bytes"`
	}{
		plain(e), measured(e.Threads), measured(e.ProcessorSeconds), measured(e.BuildSeconds), measured(e.ConvertSeconds), measured(e.StartSeconds),
		measured(e.LoadSeconds), measured(e.FirstSeconds), measured(e.MinSeconds), measured(e.MedianSeconds),
		measured(e.P95Seconds), measured(e.GFLOPS), measured(e.PeakGFLOPS), measured(e.PeakShare), measured(e.CalibrationSpread), measured(e.MemoryBytes),
	})
}

// MarshalJSON writes null for what level 1 does not have: a network, its
// weights, a reference and what is left of the time without them.
func (r Result) MarshalJSON() ([]byte, error) {
	type plain Result
	if r.Engines == nil {
		r.Engines = []Engine{}
	}
	form := struct {
		plain
		Network         *Network   `json:"network"`
		Weights         *Weights   `json:"weights"`
		Reference       *Reference `json:"reference"`
		Gain            *float64   `json:"gain"`
		TotalSeconds    *float64   `json:"total_s"`
		OverheadSeconds *float64   `json:"overhead_s"`
	}{plain: plain(r), Gain: measured(r.Gain), TotalSeconds: measured(r.TotalSeconds)}
	if r.Level != LevelLoad {
		form.Network, form.Weights, form.Reference, form.OverheadSeconds = &r.Network, &r.Weights, &r.Reference, &r.OverheadSeconds
	}
	return json.Marshal(form)
}
