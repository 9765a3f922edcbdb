package recipes

import "testing"

func TestProviderOf(t *testing.T) {
	for name, want := range map[string]string{
		"VCRUNTIME140_1.dll": "Visual C++ runtime of 2019 or newer", "MSVCP140.dll": "Visual C++ runtime", "MSVCP140D.dll": "Visual C++ debug runtime",
		"MFPlat.DLL": "Media Foundation", "cudnn64_9.dll": "cuDNN", "cudnn_ops_infer64_8.dll": "cuDNN", "zlibwapi.dll": "zlib for cuDNN 8",
		"cublasLt64_12.dll": "CUDA Toolkit", "libstdc++-6.dll": "MinGW-w64's bin folder", "pthreadVC2.dll": "pthreads for Windows",
		"opencv_world452.dll": "OpenCV", "onnxruntime_providers_shared.dll": "ONNX Runtime", "c10.dll": "LibTorch", "caffe.dll": "OpenPose", "own.dll": "",
	} {
		d, ok, err := ProviderOf(name)
		if err != nil || ok != (want != "") || d.Provider != want {
			t.Errorf("%s: %q, %v, %v, not %q", name, d.Provider, ok, err, want)
		}
	}
}
