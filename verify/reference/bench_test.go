package reference

import (
	"testing"

	"github.com/deployctl/deployctl/verify/darknet"
)

// BenchmarkForward416 is one pass of YOLOv3 at 416×416, all threads, with
// small non-zero weights (denormals and zeros would change the time).
func BenchmarkForward416(b *testing.B) {
	net, err := darknet.Family(darknet.YOLOv3, 416)
	if err != nil {
		b.Fatal(err)
	}
	w := darknet.NewWeights(net)
	for i := range w.Data {
		w.Data[i] = float32(i*7919%1009)/1009 - 0.49
	}
	for i := range net.Layers {
		for k := range w.Layer(i).Variances {
			w.Layer(i).Variances[k] = 100
		}
	}
	input := make([]float32, 3*416*416)
	for i := range input {
		input[i] = float32(i%251) / 251
	}
	for _, mode := range []struct {
		name string
		opts Options
	}{{"float32", Options{}}, {"float64", Options{Float64: true}}} {
		b.Run(mode.name, func(b *testing.B) {
			e, err := New(net, w, mode.opts)
			if err != nil {
				b.Fatal(err)
			}
			b.ResetTimer()
			for b.Loop() {
				if _, err := e.Forward(b.Context(), input); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(net.GFLOP()*float64(b.N)/b.Elapsed().Seconds(), "GFLOP/s")
		})
	}
}
