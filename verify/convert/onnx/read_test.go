package onnx

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/deployctl/deployctl/verify/darknet"
	"github.com/deployctl/deployctl/verify/internal/nets"
)

// written is a small model of this package's.
func written(t testing.TB) []byte {
	t.Helper()
	net, err := darknet.ParseConfig(strings.NewReader(nets.Net(64, 96, nets.Conv(7, 1, 1, "leaky"), nets.Yolo("0", "6,5", 2, 1))), "small")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Write(&out, net, darknet.NewWeights(net), Oldest); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func reread(t *testing.T, raw []byte) *Model {
	t.Helper()
	file := filepath.Join(t.TempDir(), "m.onnx")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestRead reads a model, gives its input another name, and fixes it again.
func TestRead(t *testing.T) {
	raw := written(t)
	m := reread(t, raw)
	in, height, width, err := m.Picture()
	if err != nil || in.Name != Input || height != 64 && height != 96 || width == 0 || len(m.Outputs) != 1 || !m.Outputs[0].Float() || !slices.Contains(m.Operators, "Conv") {
		t.Fatalf("%+v %d×%d %v", m, width, height, err)
	}
	other := reread(t, bytes.ReplaceAll(raw, []byte("\x0a\x05"+Input), []byte("\x0a\x05image"[:7])))
	if other.Inputs[0].Name != "image" {
		t.Fatalf("the test did not rename the input: %+v", other.Inputs)
	}
	fixed, err := other.Fixed(128, 160)
	if err != nil {
		t.Fatal(err)
	}
	again := reread(t, fixed)
	in, height, width, err = again.Picture()
	if err != nil || in.Name != Input || height != 128 || width != 160 || again.Nodes != m.Nodes+1 || !slices.Contains(again.Operators, "Identity") {
		t.Errorf("%+v %d×%d %v", again, width, height, err)
	}
}

// TestNotRead refuses what is no model, or one that cannot be run.
func TestNotRead(t *testing.T) {
	raw := written(t)
	for name, text := range map[string][]byte{
		"empty": nil, "a page": []byte("<html>404</html>"), "cut short": raw[:len(raw)/2],
	} {
		file := filepath.Join(t.TempDir(), "m.onnx")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(file); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	m := reread(t, raw)
	for name, v := range map[string][]Value{
		"two inputs":    {m.Inputs[0], m.Inputs[0]},
		"channels last": {{Name: "x", Type: float, Shape: []int{1, 64, 64, 3}}},
		"integers":      {{Name: "x", Type: 7, Shape: []int{1, 3, 64, 64}}},
		"a batch":       {{Name: "x", Type: float, Shape: []int{8, 3, 64, 64}}},
		"no shape":      {{Name: "x", Type: float}},
	} {
		m.Inputs = v
		if _, _, _, err := m.Picture(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	outside := protowire.AppendVarint(protowire.AppendTag(nil, tensorLocation, protowire.VarintType), external)
	graph := protowire.AppendBytes(protowire.AppendTag(nil, graphInitializer, protowire.BytesType), outside)
	model := &Model{raw: protowire.AppendBytes(protowire.AppendTag(nil, modelGraph, protowire.BytesType), graph)}
	if err := model.parse(); err == nil || !strings.Contains(err.Error(), "file of their own") {
		t.Errorf("weights in another file: %v", err)
	}
}

// FuzzRead feeds the reader damaged models.
func FuzzRead(f *testing.F) {
	f.Add(written(f))
	f.Add([]byte{0x3a, 0x02, 0x5a, 0x00})
	f.Fuzz(func(_ *testing.T, raw []byte) {
		m := &Model{raw: raw}
		if m.parse() != nil {
			return
		}
		_, _ = m.Fixed(32, 32) // an error is an answer
	})
}
