package selftest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/verify/darknet"
)

// families are those that are tested: all, or with -short the default one and the
// smallest of the others, since the race detector makes arithmetic slow.
func families() []string {
	if testing.Short() {
		return []string{darknet.YOLOv3, darknet.YOLOv4Tiny}
	}
	return darknet.Families()
}

// TestWeightsHash: the bytes are the same on every platform.
func TestWeightsHash(t *testing.T) {
	for _, family := range families() {
		net, w, err := Generate(family)
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.New()
		n, err := w.WriteTo(sum)
		if err != nil {
			t.Fatal(err)
		}
		if n != darknet.WeightsSize(net) || family == darknet.YOLOv3 && n != 248_007_048 {
			t.Errorf("%s: the file has %d bytes", family, n)
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != SHA256(family) {
			t.Errorf("%s: SHA-256 is %s, pinned is %s", family, got, SHA256(family))
		}
	}
}

// TestEnsure: files are made once, kept when right, replaced when wrong.
func TestEnsure(t *testing.T) {
	dir := t.TempDir()
	f, err := Ensure(t.Context(), darknet.YOLOv3, dir)
	if err != nil {
		t.Fatal(err)
	}
	net, err := darknet.LoadConfig(f.Config)
	if err != nil {
		t.Fatal(err)
	}
	w, err := darknet.LoadWeights(f.Weights, net)
	if err != nil {
		t.Fatal(err)
	}
	if w.SHA256 != SHA256(darknet.YOLOv3) {
		t.Errorf("weights on disk have SHA-256 %s", w.SHA256)
	}
	first, err := os.Stat(f.Weights)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Ensure(t.Context(), darknet.YOLOv3, dir); err != nil {
		t.Fatal(err)
	}
	second, err := os.Stat(f.Weights)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(first, second) {
		t.Error("right weights were written again")
	}
	// One flipped bit in the middle, size unchanged.
	file, err := os.OpenFile(f.Weights, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	one := make([]byte, 1)
	if _, err := file.ReadAt(one, 100_000_000); err != nil {
		t.Fatal(err)
	}
	one[0] ^= 4
	if _, err := file.WriteAt(one, 100_000_000); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Ensure(t.Context(), darknet.YOLOv3, dir); err != nil {
		t.Fatal(err)
	}
	if sum, err := darknet.HashFile(f.Weights); err != nil || sum != SHA256(darknet.YOLOv3) {
		t.Errorf("damaged weights were not replaced: %s, %v", sum, err)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) != 3 {
		t.Errorf("the folder holds %d files, want 3: %v", len(left), left)
	}
}

func BenchmarkGenerate(b *testing.B) {
	for b.Loop() {
		if _, _, err := Generate(darknet.YOLOv3); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEnsure is a first run: 248 MB generated and written.
func BenchmarkEnsure(b *testing.B) {
	for b.Loop() {
		dir := b.TempDir()
		if _, err := Ensure(b.Context(), darknet.YOLOv3, dir); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := os.RemoveAll(dir); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// TestDamagedCalibration: every cut of the embedded file, and a wrong start, is told.
func TestDamagedCalibration(t *testing.T) {
	net, _, err := load(darknet.YOLOv3)
	if err != nil {
		t.Fatal(err)
	}
	calibrationFile, err := calibrations.ReadFile(darknet.YOLOv3 + ".bin")
	if err != nil {
		t.Fatal(err)
	}
	n := len(calibrationFile)
	for _, cut := range []int{0, 5, len(calibrationMagic), len(calibrationMagic) + 1, 200, n / 2, n - 4, n - 1} {
		if _, err := readCalibration(net, calibrationFile[:cut]); !errors.Is(err, errCalibration) {
			t.Errorf("cut to %d bytes: %v", cut, err)
		}
	}
	longer := append(slices.Clone(calibrationFile), 0)
	if _, err := readCalibration(net, longer); !errors.Is(err, errCalibration) {
		t.Errorf("a byte more: %v", err)
	}
	class := slices.Clone(calibrationFile)
	class[len(calibrationMagic)+2] = 200 // the first object's class
	if _, err := readCalibration(net, class); !errors.Is(err, errCalibration) {
		t.Errorf("class 200: %v", err)
	}
}

// TestParametersMatter: no layer's statistics or biases are trivial, so that an
// engine that leaves one out cannot pass.
func TestParametersMatter(t *testing.T) {
	for _, family := range families() {
		t.Run(family, func(t *testing.T) { parametersMatter(t, family) })
	}
}

func parametersMatter(t *testing.T, family string) {
	net, w, err := Generate(family)
	if err != nil {
		t.Fatal(err)
	}
	varied := func(v []float32) bool {
		low, high := slices.Min(v), slices.Max(v)
		return high-low > 0.1 && !slices.ContainsFunc(v, func(x float32) bool { return x != x || x-x != 0 })
	}
	for i := range net.Layers {
		v := w.Layer(i)
		if v.Kernel == nil {
			continue
		}
		if !varied(v.Biases) || slices.Max(v.Kernel) <= 0 || slices.Min(v.Kernel) >= 0 {
			t.Errorf("layer %d: biases or kernel are trivial", i)
		}
		if v.Scales == nil {
			continue
		}
		if !varied(v.Scales) || slices.Min(v.Scales) >= 0 {
			t.Errorf("layer %d: scales are trivial", i)
		}
		if !varied(v.Means) || slices.Min(v.Variances) <= 0 || slices.Max(v.Variances) < 0.1 || slices.Min(v.Variances) > 0.02 {
			t.Errorf("layer %d: means %g…%g, variances %g…%g", i, slices.Min(v.Means), slices.Max(v.Means), slices.Min(v.Variances), slices.Max(v.Variances))
		}
	}
}

func TestScenes(t *testing.T) {
	a, err := Scene()
	if err != nil {
		t.Fatal(err)
	}
	b, err := SecondScene()
	if err != nil {
		t.Fatal(err)
	}
	first, err := Input(a)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Input(b)
	if err != nil {
		t.Fatal(err)
	}
	if len(first) != 3*Size*Size || slices.Min(first) < 0 || slices.Max(first) > 1 {
		t.Errorf("%d values in %g…%g", len(first), slices.Min(first), slices.Max(first))
	}
	// Mirrored and inverted: each value is one less its mirror image.
	for i, v := range second {
		row := i - i%Size
		if d := v + first[row+Size-1-i%Size] - 1; d > 1e-6 || d < -1e-6 {
			t.Fatalf("value %d is off by %g", i, d)
		}
	}
	if _, err := Input(image.NewRGBA(image.Rect(0, 0, Size, Size))); err == nil {
		t.Error("a picture of another size was taken")
	}
	objects, err := Expected(darknet.YOLOv3)
	if err != nil {
		t.Fatal(err)
	}
	heads := map[int]bool{}
	_, cal, err := load(darknet.YOLOv3)
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range objects {
		heads[cal.objects[i].head] = true
		if o.X < 0 || o.Y < 0 || o.X+o.W > 2*Size || o.Y+o.H > 2*Size || (i > 0 && o.Score >= objects[i-1].Score) {
			t.Errorf("object %d: %+v", i, o)
		}
		for _, p := range objects[:i] {
			if iou(o, p) > 0.2 {
				t.Errorf("%+v and %+v overlap too much for an unambiguous suppression", o, p)
			}
		}
	}
	if len(objects) < 5 || len(heads) != 3 {
		t.Errorf("%d objects on %d heads", len(objects), len(heads))
	}
}

func TestEnsureFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Ensure(t.Context(), darknet.YOLOv3, filepath.Join(file, "cache")); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file where the folder should be: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := Ensure(ctx, darknet.YOLOv3, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "selftest.weights")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("cancelled, and yet there are weights: %v", err)
	}
	broken := errors.New("no space left")
	if err := replace(filepath.Join(dir, "x"), func(*os.File) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("full disk: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "x*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
