package project

import "testing"

func TestRequirement(t *testing.T) {
	for text, want := range map[string]string{
		"opencv-python-headless>=4.8,<5": "opencv-python >= 4.8, < 5", "opencv_contrib_python ~= 4.8": "opencv-python ~> 4.8",
		"torch==2.5.*": "libtorch ", "torch==2.5.1": "libtorch = 2.5.1", "tensorflow[and-cuda] (>=2.16)": "tensorflow >= 2.16",
		"onnxruntime-gpu": "onnxruntime ", "numpy != 2.0": "numpy != 2.0", "torch @ https://example.org/torch.whl": "", "requests": "", "-r more.txt": "", "": "",
	} {
		got := ""
		if d, ok := requirement(text); ok {
			got = d.Component + " " + d.Version
		}
		if got != want {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
	if d, ok := requirement(`onnxruntime ; sys_platform == "linux"`); !ok || !d.Optional {
		t.Errorf("what only some machines need: %+v", d)
	}
}
