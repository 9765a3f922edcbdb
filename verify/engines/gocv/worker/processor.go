//go:build gocvworker
// +build gocvworker

package main

import (
	"fmt"
	"path/filepath"
	"time"

	"gocv.io/x/gocv"
)

// onProcessor runs the network once more on the processor. Results that are the
// same to the last bit were computed by the same code, whatever target OpenCV
// was asked for. The time is the better of two runs.
func onProcessor(j job, names []string, blob gocv.Mat) ([]tensor, float64, error) {
	net := gocv.ReadNet(j.Weights, j.Config)
	if err := lastException(); err != nil || net.Empty() {
		return nil, 0, fmt.Errorf("load the network for the processor: %v", err)
	}
	if err := net.SetPreferableBackend(gocv.NetBackendType(backends["opencv"])); err != nil {
		return nil, 0, fmt.Errorf("choose backend opencv: %v", err)
	}
	if err := net.SetPreferableTarget(gocv.NetTargetType(targets["cpu"])); err != nil {
		return nil, 0, fmt.Errorf("choose target cpu: %v", err)
	}
	var out []tensor
	var best float64
	for i := 0; i < 2; i++ {
		start := time.Now()
		net.SetInput(blob, "")
		mats := net.ForwardLayers(names)
		took := time.Since(start).Seconds()
		if err := lastException(); err != nil || len(mats) != len(names) {
			return nil, 0, fmt.Errorf("forward pass on the processor: %d of %d layers: %v", len(mats), len(names), err)
		}
		if i == 0 || took < best {
			best = took
		}
		for k, layer := range j.Heads {
			if i > 0 {
				break
			}
			data, err := mats[k].DataPtrFloat32()
			if err != nil {
				return nil, 0, fmt.Errorf("read layer %s: %v", names[k], err)
			}
			t := tensor{Kind: "head", Layer: layer, Shape: mats[k].Size(), File: filepath.Join(j.OutDir, "processor-"+names[k]+".f32")}
			if err := writeTensor(t.File, data); err != nil {
				return nil, 0, err
			}
			out = append(out, t)
		}
		for k := range mats {
			mats[k].Close()
		}
	}
	return out, best, nil
}
