package mace

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/deployctl/deployctl/verify/convert/internal/converttest"
	"github.com/deployctl/deployctl/verify/convert/onnx"
	"github.com/deployctl/deployctl/verify/internal/nets"
)

// TestDeployment: the deployment file, read by a YAML reader, describes the model that
// lies beside it.
func TestDeployment(t *testing.T) {
	config := strings.ReplaceAll(nets.Everything(), "activation=mish", "activation=leaky")
	net, w, _ := converttest.Model(t, config)
	net.Name = "my-net 2"
	files := map[string][]byte{}
	err := Write(func(name string, write func(io.Writer) error) error {
		var b bytes.Buffer
		defer func() { files[name] = b.Bytes() }()
		return write(&b)
	}, net, w)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := onnx.Write(&want, net, w, Opset); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(files[Model], want.Bytes()) {
		t.Error("the model is not the ONNX file")
	}
	var d struct {
		Models map[string]struct {
			Platform  string `yaml:"platform"`
			File      string `yaml:"model_file_path"`
			Sum       string `yaml:"model_sha256_checksum"`
			Type      string `yaml:"data_type"`
			Subgraphs []struct {
				Inputs       []string `yaml:"input_tensors"`
				InputShapes  []string `yaml:"input_shapes"`
				InputFormats []string `yaml:"input_data_formats"`
				Outputs      []string `yaml:"output_tensors"`
				Shapes       []string `yaml:"output_shapes"`
				Formats      []string `yaml:"output_data_formats"`
			} `yaml:"subgraphs"`
		} `yaml:"models"`
	}
	if err := yaml.Unmarshal(files[Deployment], &d); err != nil {
		t.Fatalf("%v in\n%s", err, files[Deployment])
	}
	m, ok := d.Models["net_my_net_2"]
	if !ok || m.Platform != "onnx" || m.File != "${MODEL}" || m.Sum != fmt.Sprintf("%x", sha256.Sum256(files[Model])) || m.Type != "fp32_fp32" || len(m.Subgraphs) != 1 {
		t.Fatalf("%+v", d)
	}
	g := m.Subgraphs[0]
	if !slices.Equal(g.Inputs, []string{Input}) || !slices.Equal(g.InputShapes, []string{"1,3,32,64"}) || !slices.Equal(g.InputFormats, []string{"NCHW"}) {
		t.Errorf("%+v", g)
	}
	if !slices.Equal(g.Outputs, onnx.Outputs(net)) || len(g.Formats) != len(g.Outputs) {
		t.Errorf("%+v", g)
	}
	for i, h := range net.Heads() {
		out := net.Layers[h].Out
		if want := fmt.Sprintf("1,%d,%d,%d", out.C, out.H, out.W); g.Shapes[i] != want {
			t.Errorf("head %d has the shape %s, not %s", i, g.Shapes[i], want)
		}
	}
}

// TestRefused: what MACE's converter cannot read is not written, and an error of the disk
// is handed on.
func TestRefused(t *testing.T) {
	net, w, _ := converttest.Model(t, nets.Everything())
	err := Write(func(string, func(io.Writer) error) error { return nil }, net, w)
	if err == nil || !strings.Contains(err.Error(), "has the activation mish") {
		t.Errorf("mish: %v", err)
	}
	net, w, _ = converttest.Model(t, nets.Net(32, 32, nets.Conv(6, 1, 1, "linear"), nets.Yolo("0", "10,10", 1, 1)))
	for _, full := range []string{Model, Deployment} {
		err := Write(func(name string, write func(io.Writer) error) error {
			if name == full {
				return write(converttest.Full{})
			}
			return write(io.Discard)
		}, net, w)
		if !errors.Is(err, converttest.ErrFull) {
			t.Errorf("%s on a full disk: %v", full, err)
		}
	}
}
