package judge

import (
	"testing"

	"github.com/deployctl/deployctl/recipes"
)

// TestCUDAOfDLLs: which release of CUDA a program's DLLs are of, and whether it has
// code for the card here.
func TestCUDAOfDLLs(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	e := &evaluation{tables: tables}
	for _, c := range []struct {
		names   []string
		release string
		sm      string
		code    bool
	}{
		{[]string{"cublas64_90.dll", "cudart64_90.dll"}, "9.0", "7.5", false},
		{[]string{"cudart64_100.dll"}, "10.0", "7.5", true},
		{[]string{"cublas64_10.dll", "cudart64_102.dll"}, "10.2", "8.6", false},
		{[]string{"cudart64_110.dll"}, "11.x", "8.9", true},
		{[]string{"cublas64_11.dll"}, "11.x", "12.0", false},
		{[]string{"cublasLt64_12.dll", "cublas64_12.dll"}, "12.x", "12.0", true},
		{[]string{"cudart64_13.dll"}, "13.x", "6.1", false},
		{[]string{"cublas64_10.dll"}, "", "", true},
		{[]string{"cufft64_10.dll", "curand64_10.dll", "npp.dll"}, "", "", true},
	} {
		release := cudaOfDLLs(c.names)
		if release != c.release {
			t.Errorf("%v: %q, not %q", c.names, release, c.release)
		}
		if c.release != "" && e.hasCodeFor(c.sm, release) != c.code {
			t.Errorf("CUDA %s has code for %s: %v", release, c.sm, !c.code)
		}
	}
}

// TestCuDNNMajor: the number in the name of a library of cuDNN.
func TestCuDNNMajor(t *testing.T) {
	for name, want := range map[string]int{
		"cudnn64_8.dll": 8, "cudnn_ops_infer64_8.dll": 8, "CUDNN64_9.DLL": 9, "libcudnn.so.9": 9, "libcudnn_cnn.so.9": 9, "libcudnn.so.8": 8,
		"libcudnn.so": 0, "cudnn.lib": 0, "cudart64_12.dll": 0, "": 0,
	} {
		if got := cudnnMajor(name); got != want {
			t.Errorf("%s: %d, not %d", name, got, want)
		}
	}
}

// TestSeriesOf: the release that a library's SONAME stands for.
func TestSeriesOf(t *testing.T) {
	for soname, want := range map[string][2]string{
		"libcudart.so.10.0": {"cuda", "10.0"}, "libcudart.so.9.2": {"cuda", "9.2"}, "libcudart.so.10.2": {"cuda", "10.2"},
		"libcudart.so.10": {"cuda", "10"}, "libcudart.so.11.0": {"cuda", "11"}, "libcudart.so.12": {"cuda", "12"}, "libcublas.so.10": {"cuda", "10"}, "libcublasLt.so.11": {"cuda", "11"},
		"libcudnn.so.7": {"cudnn", "7"}, "libcufft.so.10": {}, "libz.so.1": {}, "libcudart.so": {},
	} {
		if component, series := seriesOf(soname); component != want[0] || series != want[1] {
			t.Errorf("%s: %s %s, not %v", soname, component, series, want)
		}
	}
}
