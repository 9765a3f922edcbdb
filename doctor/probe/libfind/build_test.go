package libfind

import "testing"

func TestCUDAOfBuild(t *testing.T) {
	for build, want := range map[string]string{"cu121": "12.1", "cu118": "11.8", "cu92": "9.2", "cpu": "", "cu": "", "cu1": "", "cuda12": "", "rocm6.0": ""} {
		if got := cudaOfBuild(build); got != want {
			t.Errorf("%s: %q, want %q", build, got, want)
		}
	}
}
