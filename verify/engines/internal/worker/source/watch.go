//go:build gocvworker || nativeworker
// +build gocvworker nativeworker

package main

import "math"

// watch compares every run of the first input with the first of them, outside
// the time that is measured.
type watch struct {
	first [][]float32
	diffs []float64
	most  []float64 // the largest difference of any one value
	// rows counts the values of the engine's own decoding that are others than
	// in the first run though all heads are the same, to the last bit.
	rows []int
}

// add compares a run's heads, and rows where the engine decodes. It appends the
// largest relative L2 of any head, -1 where a value is not finite.
func (w *watch) add(heads, rows [][]float32) {
	worst, most := 0.0, 0.0
	for i, data := range heads {
		if len(w.first) == i {
			w.first = append(w.first, append([]float32(nil), data...))
		}
		d := distance(data, w.first[i])
		for k := 0; d > 0 && k < len(data); k++ {
			most = math.Max(most, math.Abs(float64(data[k])-float64(w.first[i][k])))
		}
		if d < 0 || worst < 0 {
			worst = -1
		} else {
			worst = math.Max(worst, d)
		}
	}
	changed := 0
	for k, data := range rows {
		i := len(heads) + k
		if len(w.first) == i {
			w.first = append(w.first, append([]float32(nil), data...))
		}
		if worst == 0 {
			changed += others(data, w.first[i])
		}
	}
	w.diffs, w.most, w.rows = append(w.diffs, worst), append(w.most, most), append(w.rows, changed)
}

// others counts the values of data that are not those of first, bit by bit.
func others(data, first []float32) int {
	n := len(data) - len(first)
	if n != 0 {
		return len(data) + len(first)
	}
	for k, v := range data {
		if math.Float32bits(v) != math.Float32bits(first[k]) {
			n++
		}
	}
	return n
}

func distance(data, first []float32) float64 {
	if len(data) != len(first) {
		return -1
	}
	var diff, norm float64
	for k, v := range data {
		d := float64(v) - float64(first[k])
		diff += d * d
		norm += float64(first[k]) * float64(first[k])
	}
	switch {
	case math.IsNaN(diff) || math.IsInf(diff, 0) || math.IsInf(norm, 0):
		return -1
	case diff == 0:
		return 0
	case norm == 0:
		return math.Sqrt(diff)
	}
	return math.Sqrt(diff / norm)
}
