package parallel_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/deployctl/deployctl/doctor/internal/parallel"
)

func TestEachSurvivesACrash(t *testing.T) {
	var done, now, most atomic.Int32
	err := parallel.Each(20, 3, func(i int) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		if i == 7 {
			panic("the seventh")
		}
		done.Add(1)
	})
	if err == nil || !strings.Contains(err.Error(), "the seventh") || !strings.Contains(err.Error(), "parallel_test.go") {
		t.Errorf("error %v, want the panic and where it happened", err)
	}
	if done.Load() != 19 || most.Load() > 3 {
		t.Errorf("%d of the other 19 ended, %d at once", done.Load(), most.Load())
	}
	if err := parallel.Each(5, 2, func(int) {}); err != nil {
		t.Error(err)
	}
}
