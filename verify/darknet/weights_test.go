package darknet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// twoConvs has 2·3·1+2 = 8 floats, then 3·2·9+4·3 = 66.
func twoConvs(t testing.TB) *Network {
	t.Helper()
	n, err := ParseConfig(strings.NewReader("[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=2\nactivation=linear\n"+
		"[maxpool]\nsize=2\nstride=2\n[convolutional]\nfilters=3\nsize=3\npad=1\nbatch_normalize=1\nactivation=leaky\n"), "two.cfg")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// file is a weights file: header, then floats 0, 1, 2 …
func file(major, minor, revision int32, seen []byte, floats int) []byte {
	var b []byte
	for _, v := range []int32{major, minor, revision} {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	b = append(b, seen...)
	for i := range floats {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(i)))
	}
	return b
}

var (
	seen32 = []byte{7, 0, 0, 0}
	seen64 = []byte{7, 0, 0, 0, 1, 0, 0, 0}
)

func TestReadWeights(t *testing.T) {
	n := twoConvs(t)
	cases := map[string]struct {
		data []byte
		want Header
	}{
		"0.2, 64 bits": {file(0, 2, 5, seen64, 74), Header{0, 2, 5, 1<<32 + 7}},
		"1.0, 64 bits": {file(1, 0, 0, seen64, 74), Header{1, 0, 0, 1<<32 + 7}},
		"0.1, 32 bits": {file(0, 1, 0, seen32, 74), Header{0, 1, 0, 7}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int64{-1, int64(len(c.data))} {
				w, err := ReadWeights(iotest.HalfReader(bytes.NewReader(c.data)), size, n, "x.weights")
				if err != nil {
					t.Fatal(err)
				}
				if w.Header != c.want {
					t.Errorf("header %+v, want %+v", w.Header, c.want)
				}
				// Order in the file: biases, scales, means, variances, kernel.
				a, b := w.Layer(0), w.Layer(2)
				for what, v := range map[string][2]float32{
					"biases 0": {a.Biases[1], 1}, "kernel 0": {a.Kernel[0], 2}, "last of 0": {a.Kernel[5], 7},
					"biases 2": {b.Biases[0], 8}, "scales": {b.Scales[0], 11}, "means": {b.Means[0], 14},
					"variances": {b.Variances[2], 19}, "kernel 2": {b.Kernel[0], 20}, "last": {b.Kernel[53], 73},
				} {
					if v[0] != v[1] {
						t.Errorf("%s is %g, want %g", what, v[0], v[1])
					}
				}
				if a.Scales != nil || w.Layer(1).Kernel != nil || len(b.Kernel) != 54 {
					t.Error("views where there should be none")
				}
				var out bytes.Buffer
				if k, err := w.WriteTo(&out); err != nil || k != int64(len(c.data)) || !bytes.Equal(out.Bytes(), c.data) {
					t.Errorf("written again it differs: %d bytes, %v", k, err)
				}
			}
		})
	}
}

func TestWeightsErrors(t *testing.T) {
	n := twoConvs(t)
	whole := file(0, 2, 0, seen64, 74)
	cases := map[string]struct {
		data             []byte
		want             error
		expected, actual int64 // with the size known
		stream           int64 // actual when it is not
	}{
		"empty":               {nil, ErrTruncated, 316, 0, 0},
		"half a header":       {whole[:10], ErrTruncated, 316, 10, 10},
		"without its seen":    {whole[:18], ErrTruncated, 316, 18, 18},
		"header only":         {whole[:20], ErrTruncated, 316, 20, 20},
		"a byte short":        {whole[:315], ErrTruncated, 316, 315, 315},
		"a byte long":         {append(whole[:316:316], 1), ErrOversized, 316, 317, -1},
		"twice":               {append(whole[:316:316], whole...), ErrOversized, 316, 632, -1},
		"old header, short":   {file(0, 1, 0, seen32, 73), ErrTruncated, 312, 308, 308},
		"transposed":          {file(1001, 0, 0, seen64, 74), ErrHeader, 0, 0, 0},
		"text":                {bytes.Repeat([]byte("<html>"), 60), ErrHeader, 0, 0, 0},
		"negative":            {file(-1, 2, 0, seen64, 74), ErrHeader, 0, 0, 0},
		"weights of the wide": {file(0, 2, 0, seen64, 200), ErrOversized, 316, 820, -1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			for _, known := range []bool{true, false} {
				size, actual := int64(len(c.data)), c.actual
				if !known {
					size, actual = -1, c.stream
				}
				_, err := ReadWeights(bytes.NewReader(c.data), size, n, "x.weights")
				var we *WeightsError
				if !errors.As(err, &we) || !errors.Is(err, c.want) {
					t.Fatalf("known %v: %v, want %v", known, err, c.want)
				}
				if we.Expected != c.expected || we.Actual != actual || !strings.HasPrefix(err.Error(), "x.weights: ") {
					t.Errorf("known %v: expected %d, actual %d, want %d, %d: %v", known, we.Expected, we.Actual, c.expected, actual, err)
				}
			}
		})
	}
	broken := errors.New("cable cut")
	for _, at := range []int{0, 17, 100} {
		r := io.MultiReader(bytes.NewReader(whole[:at]), iotest.ErrReader(broken))
		if _, err := ReadWeights(r, -1, n, "x.weights"); !errors.Is(err, broken) {
			t.Errorf("broken at %d: %v", at, err)
		}
	}
}

func TestLoadWeights(t *testing.T) {
	n := twoConvs(t)
	path := filepath.Join(t.TempDir(), "w.weights")
	if _, err := LoadWeights(path, n); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(path, file(0, 2, 0, seen64, 74), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := LoadWeights(path, n)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := HashFile(path)
	if err != nil || len(sum) != 64 || sum != w.SHA256 {
		t.Errorf("hash while reading %q, of the file %q, %v", w.SHA256, sum, err)
	}
	if _, err := HashFile(path + ".none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("hash of nothing: %v", err)
	}
	if _, err := LoadWeights(filepath.Dir(path), n); err == nil {
		t.Error("a folder is no weights file")
	}
}

func TestOfficial(t *testing.T) {
	if name, ok := Official("523e4e69e1d015393a1b0a441cef1d9c7659e3eb2d7e15f793f060a21b32f297"); !ok || name != YOLOv3 {
		t.Errorf("yolov3.weights is %q, %v", name, ok)
	}
	if name, ok := Official(strings.Repeat("0", 64)); ok {
		t.Errorf("zeros are %q", name)
	}
}

// full is a writer with room for so many bytes.
type full int

func (f *full) Write(p []byte) (int, error) {
	if len(p) > int(*f) {
		k := int(*f)
		*f = 0
		return k, errors.New("no space left")
	}
	*f -= full(len(p))
	return len(p), nil
}

func TestWriteFails(t *testing.T) {
	w := NewWeights(twoConvs(t))
	for _, room := range []full{0, 19, 20, 100, 315} {
		r := room
		if k, err := w.WriteTo(&r); err == nil || k != int64(room) {
			t.Errorf("room for %d: wrote %d, %v", room, k, err)
		}
	}
}

func TestSwapFloats(t *testing.T) {
	v := []float32{math.Float32frombits(0x01020304)}
	swapFloats(v)
	if math.Float32bits(v[0]) != 0x04030201 {
		t.Errorf("%#x", math.Float32bits(v[0]))
	}
}

// FuzzWeights: any bytes give weights that write back the same, or a WeightsError.
func FuzzWeights(f *testing.F) {
	f.Add(file(0, 2, 0, seen64, 74))
	f.Add(file(0, 1, 0, seen32, 74))
	f.Add(file(0, 2, 0, seen64, 73))
	f.Add(file(2000, 1, 0, seen64, 0))
	f.Add([]byte{})
	n := twoConvs(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := ReadWeights(bytes.NewReader(data), -1, n, "fuzz")
		if err != nil {
			var we *WeightsError
			if !errors.As(err, &we) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		var out bytes.Buffer
		if _, err := w.WriteTo(&out); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Bytes(), data) {
			t.Error("read and written, the bytes differ")
		}
	})
}

// BenchmarkLoadWeights is YOLOv3's 248 MB from the page cache, hashed.
func BenchmarkLoadWeights(b *testing.B) {
	n, err := Family(YOLOv3, 416)
	if err != nil {
		b.Fatal(err)
	}
	path := filepath.Join(b.TempDir(), "w")
	out, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := NewWeights(n).WriteTo(out); err != nil {
		b.Fatal(err)
	}
	if err := out.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(WeightsSize(n))
	for b.Loop() {
		if _, err := LoadWeights(path, n); err != nil {
			b.Fatal(err)
		}
	}
}
