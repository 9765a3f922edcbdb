package libfind

import "testing"

func TestCUDAOfArchive(t *testing.T) {
	for _, tt := range []struct{ folder, version, want string }{
		{"onnxruntime-win-x64-gpu-1.18.1", "1.18.1", "11"},
		{"onnxruntime-win-x64-cuda12-1.17.1", "1.17.1", "12"},
		{"onnxruntime-win-x64-gpu-1.19.0", "1.19.0", "11"}, // microsoft/onnxruntime issue 21965
		{"onnxruntime-win-x64-cuda-1.19.0", "1.19.0", "11"},
		{"onnxruntime-linux-x64-gpu-1.19.0", "1.19.0", "12"},
		{"onnxruntime-win-x64-gpu-1.19.2", "1.19.2", "12"},
		{"onnxruntime-win-x64-gpu-1.20.1", "1.20.1", "12"},
		{"onnxruntime-win-x64-1.20.1", "1.20.1", ""},
	} {
		if got := cudaOfArchive(tt.folder, tt.version); got != tt.want {
			t.Errorf("cudaOfArchive(%s, %s) is %q, wanted %q", tt.folder, tt.version, got, tt.want)
		}
	}
}
