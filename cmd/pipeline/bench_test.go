package pipeline

import (
	"slices"
	"strings"
	"testing"
)

// TestPrecise: --precision names targets in a precision, and what no engine has is
// refused.
func TestPrecise(t *testing.T) {
	for _, c := range []struct {
		targets, precisions, want, fails string
	}{
		{"cpu,cuda", "", "cpu,cuda", ""},
		{"cpu", "fp32", "cpu", ""},
		{"", "bf16", "cpu_bf16", ""},
		{"cpu,cuda", "fp16", "cpu_fp16,cuda_fp16", ""},
		{"cpu", "any", "cpu,cpu_fp16,cpu_bf16", ""},
		{"vulkan", "any", "vulkan", ""},
		{"cpu", "int4", "", "--precision int4 is unknown"},
		{"vulkan", "bf16", "", "no engine has it on vulkan"},
	} {
		got, err := precise(values(c.targets), c.precisions)
		if !slices.Equal(got, values(c.want)) || (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%+v: %q, %v", c, got, err)
		}
	}
}
