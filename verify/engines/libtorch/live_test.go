package libtorch

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/internal/enginetest"
)

// live are the options of the engine for the system's LibTorch.
func live(t *testing.T) Options {
	t.Helper()
	cache := os.Getenv("DEPLOYCTL_TEST_CXX_CACHE")
	if cache == "" {
		t.Skip("skipped: set DEPLOYCTL_TEST_CXX_CACHE to a cache folder to compile programs against this machine's LibTorch, which takes minutes")
	}
	found, err := filepath.Glob("/usr/lib/*-linux-gnu/libtorch.so.[0-9]*.*")
	if err != nil || len(found) == 0 {
		t.Skipf("skipped: there is no libtorch-dev here: %v", err)
	}
	o := Options{Process: host.Live(), Cache: cache, Library: found[len(found)-1], Include: "/usr/include", ConfigDir: filepath.Join(filepath.Dir(found[0]), "cmake", "Torch"), ABI: "1"}
	o.Version = strings.TrimPrefix(filepath.Base(o.Library), "libtorch.so.")
	o.Tools.Ninja, _ = exec.LookPath("ninja") // make does it, too
	compiler, err := exec.LookPath("g++")
	if err == nil {
		o.Tools.CMake, err = exec.LookPath("cmake")
	}
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	o.Tools.Compiler = []string{compiler}
	return o
}

// TestFaults runs a small network through the real LibTorch: rightly, and with one
// fault at a time, of the engine and of the module.
func TestFaults(t *testing.T) {
	o := live(t)
	b := enginetest.New(t, New(o), o.Cache)
	b.Right(t)
	b.Common(t)
	b.Deaths(t, "libtorch_cpu.so."+strings.Join(strings.Split(o.Version, ".")[:2], "."))
	b.Caught(t, "CUDA on a build without", enginetest.Fault{Target: "cuda"}, "CUDA cannot be used")
	replaced := func(record, old, by string) map[string]func(raw []byte) []byte {
		return map[string]func(raw []byte) []byte{record: func(raw []byte) []byte {
			if !bytes.Contains(raw, []byte(old)) {
				t.Errorf("%s lacks %s", record, old)
			}
			return bytes.Replace(raw, []byte(old), []byte(by), 1)
		}}
	}
	const code = "model/code/__torch__.py"
	for name, c := range map[string]struct {
		change map[string]func(raw []byte) []byte
		why    string
	}{
		"another slope":         {replaced(code, "torch.leaky_relu(layer_0, 0.1)", "torch.leaky_relu(layer_0, 0.11)"), "differs by"},
		"no activation":         {replaced(code, "    layer_2 = torch.leaky_relu(layer_2, 0.1)\n", ""), "differs by"},
		"a shortcut left out":   {replaced(code, "torch.add(layer_1, layer_0)", "torch.mul(layer_1, 1.)"), "differs by"},
		"sigmoid for softplus":  {replaced(code, "torch.softplus(", "torch.sigmoid("), "differs by"},
		"the other half":        {replaced(code, ", 1, 16, 32, 1)", ", 1, 0, 16, 1)"), "only head 1 is off"},
		"joined the wrong way":  {replaced(code, "torch.cat([layer_8, layer_2], 1)", "torch.cat([layer_2, layer_8], 1)"), "only head 1 is off"},
		"padded on one side":    {replaced(code, "[0, 1, 0, 1]", "[1, 0, 1, 0]"), "differs by"},
		"padded with 100":       {replaced(code, "torch.constant_pad_nd(layer_3, [0, 1, 0, 1], -inf)", "torch.constant_pad_nd(layer_3, [0, 1, 0, 1], 100.)"), "differs by"},
		"the heads exchanged":   {replaced(code, "return (layer_5, layer_12,)", "return (layer_12, layer_5,)"), "has the shape"},
		"a head twice":          {replaced(code, "return (layer_5, layer_12,)", "return (layer_5, layer_5,)"), "has the shape"},
		"half the size":         {replaced(code, "torch.upsample_nearest2d(layer_7, [48, 48])", "torch.upsample_nearest2d(layer_7, [24, 24])"), ""},
		"an unknown operator":   {replaced(code, "torch.conv2d(", "torch.abacus("), "abacus"},
		"a syntax error":        {replaced(code, "def forward(", "def forward(("), "expected"},
		"a missing tensor":      {map[string]func([]byte) []byte{"model/data/3": nil}, "data/3"},
		"another byte order":    {map[string]func([]byte) []byte{"model/data/0": swapped}, ""},
		"a tensor cut short":    {map[string]func([]byte) []byte{"model/data/2": func(raw []byte) []byte { return raw[:len(raw)/2] }}, ""},
		"a version to come":     {replaced("model/version", "3", "99"), "99"},
		"a damaged pickle":      {replaced("model/data.pkl", "_rebuild_tensor_v2", "_rebuild_tensor_v9"), ""},
		"a class of other name": {replaced("model/data.pkl", "Network\n", "Abacus\n"), "Abacus"},
		"a tensor not named":    {replaced(code, "  layer_0_weight : Tensor\n", ""), ""},
	} {
		b.Caught(t, name, enginetest.Fault{Job: func(j engine.Job) (engine.Job, error) {
			raw, err := os.ReadFile(j.Model)
			if err != nil {
				return j, err
			}
			changed, err := rewritten(raw, c.change)
			if err != nil {
				return j, err
			}
			return enginetest.OtherModel(changed)(j)
		}}, c.why)
	}
	b.Caught(t, "a file cut short", enginetest.Fault{Job: func(j engine.Job) (engine.Job, error) {
		raw, err := os.ReadFile(j.Model)
		if err != nil {
			return j, err
		}
		return enginetest.OtherModel(raw[:len(raw)/2])(j)
	}}, "PytorchStreamReader failed")
}

// swapped exchanges the bytes of each number.
func swapped(raw []byte) []byte {
	out := bytes.Clone(raw)
	for i := 0; i+3 < len(out); i += 4 {
		out[i], out[i+1], out[i+2], out[i+3] = out[i+3], out[i+2], out[i+1], out[i]
	}
	return out
}

// rewritten is an archive with records changed; nil leaves one out.
func rewritten(file []byte, change map[string]func(raw []byte) []byte) ([]byte, error) {
	r, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			return nil, err
		}
		raw, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		if c, ok := change[f.Name]; ok && c == nil {
			continue
		} else if ok {
			raw = c(raw)
		}
		to, err := w.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Store})
		if err == nil {
			_, err = to.Write(raw)
		}
		if err != nil {
			return nil, err
		}
	}
	err = w.Close()
	return out.Bytes(), err
}

// TestABI: a program that is compiled for the other ABI of std::string than LibTorch
// is explained.
func TestABI(t *testing.T) {
	o := live(t)
	if runtime.GOOS != "linux" {
		t.Skip("skipped: only GCC's C++ library has two ABIs")
	}
	o.Cache, o.ABI, o.Tools.CMake = t.TempDir(), "0", ""
	_, err := New(o).Prepare(t.Context(), engine.Silent{})
	if err == nil || !strings.Contains(err.Error(), "built with another C++ ABI") || !strings.Contains(err.Error(), "_GLIBCXX_USE_CXX11_ABI") {
		t.Errorf("%v", err)
	}
	t.Log(err)
}
