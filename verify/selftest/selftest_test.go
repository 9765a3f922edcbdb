package selftest

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"testing"

	"github.com/deployctl/deployctl/verify/darknet"
)

// TestWeightsHash: the bytes are the same on every platform.
func TestWeightsHash(t *testing.T) {
	net, w, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	n, err := w.WriteTo(sum)
	if err != nil {
		t.Fatal(err)
	}
	if n != 248_007_048 || n != darknet.WeightsSize(net) {
		t.Errorf("the file has %d bytes, YOLOv3's has 248007048", n)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != SHA256 {
		t.Errorf("SHA-256 is %s, pinned is %s", got, SHA256)
	}
}

// TestEnsure: files are made once, kept when right, replaced when wrong.
func TestEnsure(t *testing.T) {
	dir := t.TempDir()
	f, err := Ensure(t.Context(), dir)
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
	if w.SHA256 != SHA256 {
		t.Errorf("weights on disk have SHA-256 %s", w.SHA256)
	}
	first, err := os.Stat(f.Weights)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Ensure(t.Context(), dir); err != nil {
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
	if _, err := Ensure(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if sum, err := darknet.HashFile(f.Weights); err != nil || sum != SHA256 {
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
		if _, _, err := Generate(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEnsure is a first run: 248 MB generated and written.
func BenchmarkEnsure(b *testing.B) {
	for b.Loop() {
		dir := b.TempDir()
		if _, err := Ensure(b.Context(), dir); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := os.RemoveAll(dir); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
