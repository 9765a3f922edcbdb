package libfind

import (
	"slices"
	"strconv"
	"strings"
)

// backends are what a copy can compute with; nil when its files do not say.
func (c *copyOf) backends(component string) []string {
	known := false
	switch component {
	case "libtorch": // torch_cpu is in every release since 1.5
		known = c.lib != "" && slices.Contains(c.parts, "cpu")
	case "onnxruntime": // providers are libraries of their own; the older ones were linked in
		first, rest, _ := strings.Cut(c.version, ".")
		minor, _, _ := strings.Cut(rest, ".")
		n, err := strconv.Atoi(minor)
		known = c.lib != "" && err == nil && first == "1" && n >= 10
	case "darknet":
		known = c.whole
	case "ncnn":
		known = c.attrs["vulkan"] != ""
	case "caffe": // its CMake package says so in one of two words
		if c.attrs["cpu_only"] == "no" || c.attrs["cuda"] == "yes" {
			return []string{"cpu", "cuda"}
		}
		known = c.attrs["cpu_only"] == "yes" || c.attrs["cuda"] == "no"
	}
	if !known {
		return nil
	}
	return c.computes()
}

// computes are the CPU and what the copy has parts for.
func (c *copyOf) computes() []string {
	out := []string{"cpu"}
	for _, part := range c.parts {
		switch part {
		case "cuda", "rocm", "xpu", "tensorrt", "openvino", "directml", "vulkan":
			out = append(out, part)
		}
	}
	return slices.Compact(out)
}
