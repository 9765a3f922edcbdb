package cpu_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/probe/cpu"
)

const modernCPUInfo = `
-- file /proc/cpuinfo --
processor	: 0
vendor_id	: AuthenticAMD
cpu family	: 25
model		: 17
model name	: AMD EPYC 9354
cpu MHz		: 3250.000
flags		: fpu sse sse2 pni ssse3 sse4_1 sse4_2 avx f16c fma avx2 avx512f avx512bw popcnt cx16 lahf_lm
`

// TestEmulatedProcessor: qemu's user mode shows the file of the machine below;
// what programs get is what the processor itself answers.
func TestEmulatedProcessor(t *testing.T) {
	for name, c := range map[string]struct {
		platform, cpuid        string
		level, model, has, not string
	}{
		"Westmere": {
			"linux/amd64", `{"vendor":"Intel","model":"Westmere E56xx","family":6,"model_num":44,"features":["cmov","cmpxchg8","cx16","fxsr","lahf","mmx","popcnt","sse","sse2","sse3","ssse3","sse4","sse42"],"logical":1,"physical":1}`,
			"x86-64-v2", "Westmere E56xx", "sse4_2", "avx",
		},
		"Cortex-A53": {
			"linux/arm64", `{"vendor":"ARM","model":"","family":15,"model_num":53300,"features":["aesarm","asimd","crc32","fp","pmull","sha1","sha2"],"logical":1,"physical":1}`,
			"armv8.0", "Cortex-A53", "neon", "dotprod",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := hosttest.Parse(t, "-- platform --\n"+c.platform+"\n-- cpuid --\n"+c.cpuid+modernCPUInfo)
			f, err := cpu.Probe(t.Context(), h)
			if err != nil {
				t.Fatal(err)
			}
			if f.CPU.Level != c.level || !strings.HasPrefix(f.CPU.Model, c.model) {
				t.Errorf("level %s, model %q; want %s, %q", f.CPU.Level, f.CPU.Model, c.level, c.model)
			}
			if !slices.Contains(f.CPU.Features, c.has) || slices.Contains(f.CPU.Features, c.not) {
				t.Errorf("features %v: want %s and not %s", f.CPU.Features, c.has, c.not)
			}
			if f.CPU.Attrs["masked"]+f.CPU.Attrs["emulated"] == "" {
				t.Error("nothing says that the file is not to be believed")
			}
		})
	}
	// The same file on a machine that agrees with it.
	h := hosttest.Parse(t, "-- cpuid --\n"+`{"vendor":"AMD","model":"AMD EPYC 9354","family":25,"features":["sse3","ssse3","sse4","sse42","avx","f16c","fma3","avx2","avx512f","avx512bw"],"logical":1}`+modernCPUInfo)
	f, err := cpu.Probe(t.Context(), h)
	if err != nil || !slices.Contains(f.CPU.Features, "avx512f") || f.CPU.Attrs["masked"] != "" {
		t.Errorf("features %v, attrs %v, %v", f.CPU.Features, f.CPU.Attrs, err)
	}
}
