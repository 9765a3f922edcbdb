package near

import (
	"slices"
	"testing"
)

func TestNames(t *testing.T) {
	names := []string{"cuda.driver", "cuda.gcc", "cudnn.version", "opencv.version"}
	for word, want := range map[string][]string{"cuda.": {"cuda.driver", "cuda.gcc"}, "opncv.version": {"opencv.version"}, "cudnn.versoin": {"cudnn.version"}, "zzz": nil} {
		if got := Names(word, names); !slices.Equal(got, want) {
			t.Errorf("%s: %v, not %v", word, got, want)
		}
	}
}

func TestUnknown(t *testing.T) {
	if got := Unknown("--for", "debian:11", []string{"debian:12", "debian:13"}).Error(); got != "--for debian:11 is unknown: use debian:12 or debian:13" {
		t.Error(got)
	}
	known := []string{"cpu", "opencl", "opencl_fp16"}
	for value, want := range map[string]string{
		"opncl":   "--target opncl is unknown; did you mean opencl?",
		"OpenCL1": "--target OpenCL1 is unknown: use cpu, opencl or opencl_fp16",
		"gpu":     "--target gpu is unknown: use cpu, opencl or opencl_fp16",
		"quantum": "--target quantum is unknown: use cpu, opencl or opencl_fp16",
		"":        `--target "" is unknown: use cpu, opencl or opencl_fp16`,
	} {
		if got := Unknown("--target", value, known).Error(); got != want {
			t.Errorf("%q: %s", value, got)
		}
	}
}
