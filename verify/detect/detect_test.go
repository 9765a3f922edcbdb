package detect

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/darknet"
)

// tiny is a 64×32 network whose only yolo layer has a 2×1 grid, two of three
// anchors and two classes.
func tiny(t *testing.T, extra string) *darknet.Network {
	t.Helper()
	net, err := darknet.ParseConfig(strings.NewReader(`[net]
width=64
height=32
channels=3
[convolutional]
filters=14
size=32
stride=32
activation=linear
[yolo]
mask=0,2
anchors=8,4, 1,1, 16,12
classes=2
num=3
`+extra), "tiny")
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// logit is the inverse of the sigmoid.
func logit(p float64) float32 { return float32(math.Log(p / (1 - p))) }

func near(t *testing.T, what string, got []float32, want ...float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
	for i := range got {
		if math.Abs(float64(got[i])-want[i]) > 1e-6 {
			t.Fatalf("%s: %v, want %v", what, got, want)
		}
	}
}

func TestDecodeByHand(t *testing.T) {
	net := tiny(t, "")
	head := make([]float32, 14*2) // all zero: every sigmoid is a half
	// Second anchor (16×12), second cell: channel 7+k, plane of 2, cell 1.
	set := func(k int, v float32) { head[(7+k)*2+1] = v }
	set(0, logit(0.25))
	set(1, logit(0.75))
	set(2, float32(math.Log(2)))   // 2 × 16 of 64 pixels = 1/2
	set(3, float32(math.Log(0.5))) // 0.5 × 12 of 32 pixels = 3/16
	set(4, logit(0.8))
	set(5, logit(0.5))
	set(6, logit(0.9))
	rows, err := Decode(net, 1, head)
	if err != nil {
		t.Fatal(err)
	}
	if rows.Len() != 4 {
		t.Fatalf("%d rows, want 2 cells × 2 anchors", rows.Len())
	}
	near(t, "cell 0, anchor 8×4", rows.Row(0), 0.25, 0.5, 8.0/64, 4.0/32, 0.5, 0.25, 0.25)
	near(t, "cell 0, anchor 16×12", rows.Row(1), 0.25, 0.5, 16.0/64, 12.0/32, 0.5, 0.25, 0.25)
	near(t, "cell 1, anchor 8×4", rows.Row(2), 0.75, 0.5, 8.0/64, 4.0/32, 0.5, 0.25, 0.25)
	near(t, "cell 1, anchor 16×12", rows.Row(3), (1+0.25)/2, 0.75, 0.5, 3.0/16, 0.8, 0.4, 0.72)

	// scale_x_y=1.2 at the middle changes nothing, at 0.25 it moves by −0.05.
	rows, err = Decode(tiny(t, "scale_x_y=1.2\n"), 1, head)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "scaled middle", rows.Row(0)[:2], 0.25, 0.5)
	near(t, "scaled cell", rows.Row(3)[:2], (1+0.25*1.2-0.1)/2, 0.75*1.2-0.1)

	boxes := Candidates([]Rows{rows}, 0.5)
	if len(boxes) != 1 || boxes[0].Class != 1 || math.Abs(boxes[0].Score-0.72) > 1e-6 {
		t.Fatalf("candidates at 0.5: %+v", boxes)
	}
	// At 0.3 the same row gives a box for its other class as well.
	if boxes = Candidates([]Rows{rows}, 0.3); len(boxes) != 2 || boxes[1].Class != 0 {
		t.Fatalf("candidates at 0.3: %+v", boxes)
	}
}

// Scan must find exactly what decoding everything finds.
func TestScanIsDecodeAndCandidates(t *testing.T) {
	net := tiny(t, "scale_x_y=1.1\n")
	rng := rand.New(rand.NewPCG(5, 6))
	head := make([]float32, 28)
	for range 500 {
		for i := range head {
			head[i] = float32(rng.NormFloat64() * 3)
		}
		if rng.IntN(5) == 0 {
			head[rng.IntN(28)] = float32(math.NaN())
		}
		rows, err := Decode(net, 1, head)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Scan(net, 1, head, 0.3)
		if err != nil {
			t.Fatal(err)
		}
		Sort(got)
		if want := Candidates([]Rows{rows}, 0.3); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	if _, err := Scan(net, 0, head, 0.3); err == nil {
		t.Error("a convolution was decoded")
	}
	if _, err := Scan(net, 1, head[1:], 0.3); err == nil {
		t.Error("a short head was decoded")
	}
}

func TestDecodeRejects(t *testing.T) {
	net := tiny(t, "")
	if _, err := Decode(net, 0, make([]float32, 28)); err == nil {
		t.Error("a convolution was decoded")
	}
	if _, err := Decode(net, 1, make([]float32, 27)); err == nil {
		t.Error("a short head was decoded")
	}
}

func TestCandidatesSkipNonFinite(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	rows := Rows{1, []float32{
		nan, 0, 1, 1, 0.9, 0.9,
		0, 0, inf, 1, 0.9, 0.9,
		0, 0, 1, 1, nan, nan,
		0.5, 0.5, 0.5, 0.5, 0.9, 0.8,
	}}
	if got := Candidates([]Rows{rows}, 0.25); len(got) != 1 || got[0].X != 0.25 {
		t.Fatalf("got %+v", got)
	}
}

func TestIoU(t *testing.T) {
	a := Box{X: 0, Y: 0, W: 2, H: 2}
	for _, c := range []struct {
		name string
		b    Box
		want float64
	}{
		{"itself", a, 1},
		{"half beside", Box{X: 1, Y: 0, W: 2, H: 2}, 2.0 / 6},
		{"corner", Box{X: 1, Y: 1, W: 2, H: 2}, 1.0 / 7},
		{"inside", Box{X: 0.5, Y: 0.5, W: 1, H: 1}, 0.25},
		{"touching", Box{X: 2, Y: 0, W: 2, H: 2}, 0},
		{"apart", Box{X: 9, Y: 9, W: 2, H: 2}, 0},
		{"empty", Box{X: 1, Y: 1}, 0},
	} {
		if got := IoU(a, c.b); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if IoU(a, c.b) != IoU(c.b, a) {
			t.Errorf("%s: not symmetric", c.name)
		}
	}
}

func TestThin(t *testing.T) {
	list := []Box{
		{Class: 0, Score: 0.6, X: 0, Y: 0, W: 10, H: 10},
		{Class: 0, Score: 0.9, X: 1, Y: 0, W: 10, H: 10},  // IoU 9/11 with the first
		{Class: 1, Score: 0.7, X: 1, Y: 0, W: 10, H: 10},  // another class stays
		{Class: 0, Score: 0.5, X: 8, Y: 0, W: 10, H: 10},  // IoU 3/17 with the second
		{Class: 0, Score: 0.4, X: 30, Y: 0, W: 10, H: 10}, // apart
	}
	var scores []float64
	for _, b := range Thin(list, Suppress) {
		scores = append(scores, b.Score)
	}
	if want := []float64{0.9, 0.7, 0.5, 0.4}; !reflect.DeepEqual(scores, want) {
		t.Fatalf("kept %v, want %v", scores, want)
	}
	if Thin(nil, Suppress) != nil {
		t.Fatal("nothing became something")
	}
}

// Whatever the order of the input, the result is the same, sorted, and no two
// boxes of one class overlap by more than the limit.
func TestThinProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 11))
	for range 200 {
		list := make([]Box, rng.IntN(30))
		for i := range list {
			list[i] = Box{
				Class: rng.IntN(3), Score: float64(rng.IntN(4)) / 4,
				X: float64(rng.IntN(5)), Y: float64(rng.IntN(5)), W: float64(1 + rng.IntN(5)), H: float64(1 + rng.IntN(5)),
			}
		}
		kept := Thin(list, Suppress)
		shuffled := append([]Box(nil), list...)
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if again := Thin(shuffled, Suppress); !reflect.DeepEqual(kept, again) {
			t.Fatalf("order matters:\n%v\n%v", kept, again)
		}
		for i, a := range kept {
			for _, b := range kept[i+1:] {
				if a.Score < b.Score {
					t.Fatal("not sorted")
				}
				if a.Class == b.Class && IoU(a, b) > Suppress {
					t.Fatalf("%v and %v overlap", a, b)
				}
			}
		}
	}
}

func TestLetterbox(t *testing.T) {
	// Darknet's dog.jpg, 768×576, on 416×416: 416×312 with 52 grey lines above.
	l := NewLetterbox(768, 576, 416, 416)
	if l.InnerW != 416 || l.InnerH != 312 || l.OffsetX != 0 || l.OffsetY != 52 {
		t.Fatalf("%+v", l)
	}
	got := l.ToPicture(Box{X: 0, Y: 52.0 / 416, W: 1, H: 312.0 / 416})
	if math.Abs(got.X)+math.Abs(got.Y)+math.Abs(got.W-768)+math.Abs(got.H-576) > 1e-9 {
		t.Fatalf("the whole picture became %+v", got)
	}
	// A box over the edge is cut off.
	got = l.ToPicture(Box{X: -0.5, Y: -0.5, W: 2, H: 2})
	if got.X != 0 || got.Y != 0 || got.W != 768 || got.H != 576 {
		t.Fatalf("over the edge: %+v", got)
	}
	// A picture of the network's size is taken as it is.
	if l = NewLetterbox(416, 416, 416, 416); l.InnerW != 416 || l.InnerH != 416 || l.OffsetX != 0 || l.OffsetY != 0 {
		t.Fatalf("identity: %+v", l)
	}
	// A sliver keeps at least one pixel.
	if l = NewLetterbox(10000, 1, 416, 416); l.InnerH != 1 {
		t.Fatalf("sliver: %+v", l)
	}
}

// TestOverlap: nms_threshold of the configuration decides which boxes stay.
func TestOverlap(t *testing.T) {
	cfg := func(own string) *darknet.Network {
		net, err := darknet.ParseConfig(strings.NewReader("[net]\nwidth=32\nheight=32\nchannels=3\n[convolutional]\nfilters=6\nsize=1\nstride=32\nactivation=linear\n[yolo]\nmask=0\nanchors=10,10\nclasses=1\nnum=1\n"+own), "t")
		if err != nil {
			t.Fatal(err)
		}
		return net
	}
	two := []Box{{Score: 0.9, W: 1, H: 1}, {Score: 0.8, X: 0.25, W: 1, H: 1}}  // IoU 0.6
	touch := []Box{{Score: 0.9, W: 1, H: 1}, {Score: 0.8, X: 0.9, W: 1, H: 1}} // IoU 0.05
	if got := Thin(touch, Overlap(cfg("nms_threshold=0\n"))); len(got) != 1 {
		t.Errorf("a threshold of 0 that is given is not a default: %d boxes stay", len(got))
	}
	for own, kept := range map[string]int{"": 1, "nms_threshold=0.7\n": 2, "nms_threshold=0.3\n": 1} {
		if got := Thin(two, Overlap(cfg(own))); len(got) != kept {
			t.Errorf("%q: %d boxes stay, want %d", own, len(got), kept)
		}
	}
}
