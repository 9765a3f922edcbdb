package verify

import (
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/judge"
)

// TestMajority compares engines that computed given values of a model of the user's.
func TestMajority(t *testing.T) {
	right := []float32{1, 2, 3, 4}
	near := []float32{1.00001, 2, 3, 4}
	wrong := []float32{1, 2, 3, 4.1}
	half := []float32{1.001, 2.001, 3.002, 4}
	tensor := func(shape []int, v []float32) []judge.Tensor { return []judge.Tensor{{Shape: shape, Data: v}} }
	flat := []int{1, 4}
	for name, c := range map[string]struct {
		first, processor [][]float32 // processor nil: first
		shapes           [][]int     // nil: all flat
		precision        judge.Precision
		states           []State
		majority         int
		why              string
	}{
		"two agree":                {first: [][]float32{right, near}, states: []State{OK, OK}, majority: 2},
		"one of three is off":      {first: [][]float32{wrong, near, right}, states: []State{Fail, OK, OK}, majority: 2, why: "with which 2 engines agree: it differs by"},
		"two against two":          {first: [][]float32{wrong, wrong, right, near}, states: []State{Unknown, Unknown, Unknown, Unknown}, why: "no majority"},
		"one alone":                {first: [][]float32{right}, states: []State{Unknown}, why: "no other engine"},
		"another shape":            {first: [][]float32{right, right, right}, shapes: [][]int{flat, flat, {4, 1}}, states: []State{OK, OK, Fail}, majority: 2, why: "it has the shape [4 1], not [1 4]"},
		"half precision":           {first: [][]float32{half, half}, processor: [][]float32{right, near}, precision: judge.FP16, states: []State{OK, OK}, majority: 2},
		"a GPU that is wrong":      {first: [][]float32{{1, 2, 3, 5}, right}, processor: [][]float32{right, right}, precision: judge.FP16, states: []State{Fail, OK}, majority: 2, why: "differs by"},
		"agreed on another answer": {first: [][]float32{wrong, wrong, right}, states: []State{OK, OK, Fail}, majority: 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Result{}
			var votes []vote
			for i, first := range c.first {
				shape, processor := flat, first
				if c.shapes != nil {
					shape = c.shapes[i]
				}
				if c.processor != nil {
					processor = c.processor[i]
				}
				votes = append(votes, vote{at: i, first: tensor(shape, first), other: tensor(shape, right), processor: tensor(shape, processor)})
				r.Engines = append(r.Engines, Engine{Name: string(rune('a' + i)), State: OK})
			}
			precision := c.precision
			if precision == "" {
				precision = judge.FP32
			}
			r.count(votes, &own{outputs: []string{"boxes"}}, precision)
			var states []State
			var whys []string
			for _, e := range r.Engines {
				states, whys = append(states, e.State), append(whys, e.Why)
			}
			if !slices.Equal(states, c.states) || len(r.Majority) != c.majority || !strings.Contains(strings.Join(whys, "\n"), c.why) {
				t.Errorf("%v, majority %v, %q", states, r.Majority, whys)
			}
		})
	}
}
