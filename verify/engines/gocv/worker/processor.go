//go:build gocvworker
// +build gocvworker

package main

import "fmt"

// onProcessor runs the network once more on the processor. Results that are the
// same to the last bit were computed by the same code, whatever target OpenCV
// was asked for. The time is the better of two runs.
func onProcessor(j job) ([]tensor, float64, error) {
	n, err := open(j, backends["opencv"], targets["cpu"])
	if err != nil {
		return nil, 0, fmt.Errorf("on the processor: %v", err)
	}
	out, first, err := n.forward(0, "processor")
	if err != nil {
		return nil, 0, fmt.Errorf("on the processor: %v", err)
	}
	_, second, err := n.forward(0, "")
	if err != nil {
		return nil, 0, fmt.Errorf("on the processor: %v", err)
	}
	if first < second {
		second = first
	}
	return out, second, nil
}
