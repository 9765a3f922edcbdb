package verify

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/gocv"
	"github.com/deployctl/deployctl/verify/engines/gocv/gocvtest"
)

// headCfg is a network with two heads that end in what is given; upsample
// between them.
func headCfg(tail string) string {
	return strings.ReplaceAll(small, "filters=14\nsize=1\nstride=1\nactivation=linear", "filters=14\nsize=1\nstride=1\n"+tail)
}

// heads are all the ways in which a convolution before [yolo] can end.
func heads() map[string]string {
	list := map[string]string{}
	for _, act := range []string{"linear", "leaky", "relu", "logistic", "swish", "mish"} {
		list[act] = "activation=" + act
		list["batch normalization, "+act] = "batch_normalize=1\nactivation=" + act
	}
	return list
}

// writeNet writes a configuration with weights that give boxes.
func writeNet(t *testing.T, cfg string) (config, weights string) {
	t.Helper()
	net, err := darknet.ParseConfig(strings.NewReader(cfg), "net")
	if err != nil {
		t.Fatal(err)
	}
	w := darknet.NewWeights(net)
	for i := range w.Data {
		w.Data[i] = float32(math.Sin(float64(i)*12.9898)) * 0.8
	}
	for i := range net.Layers {
		for k := range w.Layer(i).Variances {
			w.Layer(i).Variances[k] = 0.5 + float32(k)/8
		}
	}
	dir := t.TempDir()
	config, weights = write(t, filepath.Join(dir, "net.cfg"), []byte(cfg)), filepath.Join(dir, "net.weights")
	f, err := os.Create(weights)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return config, weights
}

// TestLiveHeads: whatever follows the convolution before [yolo] is part of the
// head, in OpenCV as in the reference.
func TestLiveHeads(t *testing.T) {
	live := gocvtest.Live(t)
	for name, tail := range heads() {
		t.Run(name, func(t *testing.T) {
			config, weights := writeNet(t, headCfg(tail))
			r, err := Run(t.Context(), Options{Config: config, Weights: weights, Cache: live.Cache, Process: live.Process, Engines: []engine.Engine{gocv.New(live)}, Runs: 2})
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Engines[0]; got.State != OK || len(got.RelL2) != 2 {
				t.Errorf("%s: %v", got.State, strings.Join(got.Reasons, "\n"))
			}
		})
	}
}

// TestLiveThreshold: OpenCV decodes with the thresh of [yolo], 0 included, and
// its decoding is judged by it.
func TestLiveThreshold(t *testing.T) {
	live := gocvtest.Live(t)
	for _, line := range []string{"", "thresh=0\n", "thresh=0.6\n", "nms_threshold=0\n"} {
		config, weights := writeNet(t, strings.ReplaceAll(small, "classes=2\n", "classes=2\n"+line))
		r, err := Run(t.Context(), Options{Config: config, Weights: weights, Cache: live.Cache, Process: live.Process, Engines: []engine.Engine{gocv.New(live)}, Runs: 2})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Engines[0]; got.State != OK {
			t.Errorf("%q: %v", line, strings.Join(got.Reasons, "\n"))
		}
	}
}

// TestLiveLetterBox: OpenCV gives what the reference does for both ways to lay
// a picture on the input, and the boxes lie on the picture.
func TestLiveLetterBox(t *testing.T) {
	live := gocvtest.Live(t)
	f := newFiles(t)
	for _, box := range []int{0, 1} {
		config, weights := writeNet(t, strings.Replace(small, "channels=3", fmt.Sprintf("channels=3\nletter_box=%d", box), 1))
		r, err := Run(t.Context(), Options{Config: config, Weights: weights, Image: f.image, Cache: live.Cache, Process: live.Process, Engines: []engine.Engine{gocv.New(live)}, Runs: 2})
		if err != nil {
			t.Fatal(err)
		}
		got := r.Engines[0]
		if got.State != OK || len(got.Boxes) == 0 {
			t.Errorf("letter_box=%d: %s, %d boxes: %v", box, got.State, len(got.Boxes), got.Reasons)
		}
		for _, b := range got.Boxes {
			if b.X < 0 || b.Y < 0 || b.X+b.W > 120.001 || b.Y+b.H > 90.001 {
				t.Errorf("letter_box=%d: box outside the picture: %+v", box, b)
			}
		}
	}
}
