package cpu

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
)

func probeCPU(t *testing.T, fixture string) facts.CPU {
	t.Helper()
	return probetest.Of(Probe)(t, hosttest.Parse(t, fixture)).CPU
}

func TestOldFormsOfCPUInfo(t *testing.T) {
	const description = "Features\t: fp asimd aes crc32\nCPU implementer\t: 0x41\nCPU architecture: AArch64\nCPU variant\t: 0x0\nCPU part\t: 0xd03\nCPU revision\t: 2\n\nHardware\t: Board X\n"
	for _, c := range []struct {
		name, arch, text string
		processors       int
		model, level     string
		features         []string
	}{
		{"described once, at the end, after an empty line", "arm64", "Processor\t: AArch64 Processor rev 2 (aarch64)\nprocessor\t: 0\nBogoMIPS\t: 10.00\n\nprocessor\t: 1\nBogoMIPS\t: 10.00\n\n" + description, 2, "Cortex-A53", "armv8.0", []string{"aes", "crc32", "fp", "neon"}},
		{"described once, in the last entry", "arm64", "Processor\t: AArch64 Processor rev 2 (aarch64)\nprocessor\t: 0\nprocessor\t: 1\nprocessor\t: 2\n" + description, 3, "Cortex-A53", "armv8.0", []string{"aes", "crc32", "fp", "neon"}},
		{"one processor without a number", "arm", "Processor\t: ARMv6-compatible processor rev 7 (v6l)\nBogoMIPS\t: 697.95\nFeatures\t: swp half thumb fastmult vfp edsp java tls\nCPU implementer\t: 0x41\nCPU architecture: 7\nCPU part\t: 0xb76\n", 1, "ARM1176", "armv6", []string{"vfp"}},
		{"parts of both clusters in one line", "arm", "Processor\t: ARMv7 Processor rev 5 (v7l)\nprocessor\t: 0\n\nprocessor\t: 1\n\nFeatures\t: half thumb vfp neon vfpv4\nCPU implementer\t: 0x41\nCPU architecture: 7\nCPU variant\t: 0x0 & 0x3\nCPU part\t: 0xc07 & 0xc0f\n", 2, "Cortex-A7", "armv7", []string{"neon", "vfp", "vfpv4"}},
		{"an unknown part", "arm64", "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x99\nCPU architecture: 8\nCPU part\t: 0x123\n", 1, "implementer 0x99 part 0x123", "armv8.0", []string{"fp", "neon"}},
		{"RISC-V", "riscv64", "processor\t: 0\nhart\t\t: 2\nisa\t\t: rv64imafdc_zicsr_zba\nmmu\t\t: sv39\nuarch\t\t: sifive,u74-mc\n", 1, "sifive,u74-mc", "", []string{"a", "c", "d", "f", "i", "m", "zba", "zicsr"}},
		{"RISC-V, numbered by hart, with versions", "riscv64", "hart\t: 0\nisa\t: rv64i2p0m2p0a2p0c2p0xv5-0p0\nmmu\t: sv39\n\nhart\t: 1\nisa\t: rv64i2p0m2p0a2p0c2p0xv5-0p0\nmmu\t: sv39\n", 2, "", "", []string{"a", "c", "i", "m", "xv5"}},
		{"RISC-V, T-Head", "riscv64", "processor\t: 0\nhart\t\t: 0\nisa\t\t: rv64imafdcsu\ncpu-freq\t: 1.2Ghz\n", 1, "", "", []string{"a", "c", "d", "f", "i", "m"}},
		{"PowerPC", "ppc64le", "processor\t: 0\ncpu\t\t: POWER9, altivec supported\nclock\t\t: 2300.000000MHz\nrevision\t: 2.2\n\nprocessor\t: 1\ncpu\t\t: POWER9, altivec supported\nclock\t\t: 2300.000000MHz\n\ntimebase\t: 512000000\nmachine\t\t: PowerNV\n", 2, "POWER9, altivec supported", "", nil},
		{"s390", "s390x", "vendor_id       : IBM/S390\n# processors    : 2\nfeatures\t: esan3 zarch vx\nprocessor 0: version = FF,  identification = 000123,  machine = 3906\nprocessor 1: version = FF,  identification = 100123,  machine = 3906\n", 2, "machine 3906", "", []string{"esan3", "vx", "zarch"}},
		{"pasted with spaces", "amd64", "processor       : 0\nvendor_id       : GenuineIntel\nmodel name      : Some CPU\nflags           : cmov cx8 fxsr mmx sse sse2\n", 1, "Some CPU", "x86-64-v1", []string{"cmov", "cx8", "fxsr", "mmx", "sse", "sse2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := probeCPU(t, "-- platform --\nlinux/"+c.arch+"\n-- file /proc/cpuinfo --\n"+c.text)
			if got.Logical != c.processors || got.Model != c.model || got.Level != c.level {
				t.Errorf("got %d processors, %q, %q; want %d, %q, %q", got.Logical, got.Model, got.Level, c.processors, c.model, c.level)
			}
			probetest.Same(t, "", c.features, got.Features)
		})
	}
}

// TestFieldsOfCPUInfo: what stands in other architectures' entries.
func TestFieldsOfCPUInfo(t *testing.T) {
	const (
		s390 = "vendor_id       : IBM/S390\n# processors    : 2\nbogomips per cpu: 2913.00\nfeatures\t: esan3 zarch vx\nprocessor 0: version = 00,  identification = 000123,  machine = 3931\nprocessor 1: version = 00,  identification = 000123,  machine = 3931\n\n" +
			"cpu number      : 0\nphysical id     : 1\ncore id         : 2\ncpu MHz dynamic : 5200\ncpu MHz static  : 5504\n\ncpu number      : 1\nphysical id     : 1\ncore id         : 3\ncpu MHz dynamic : 5200\ncpu MHz static  : 5504\n"
		mips  = "system type\t\t: a board\nmachine\t\t\t: A Board\nprocessor\t\t: 0\ncpu model\t\t: ICT Loongson-3 V0.13  FPU V0.1\nmodel name\t\t: Loongson-3A R3 @ 1449MHz\nBogoMIPS\t\t: 2887.52\nisa\t\t\t: mips1 mips64r2\npackage\t\t\t: 0\ncore\t\t\t: 3\n"
		loong = "system type\t\t: generic\n\nprocessor\t\t: 0\npackage\t\t\t: 1\ncore\t\t\t: 5\nCPU Family\t\t: Loongson-64bit\nModel Name\t\t: Loongson-3A5000\nCPU MHz\t\t\t: 2500.00\nBogoMIPS\t\t: 5000.00\nFeatures\t\t: cpucfg lam lsx\n"
	)
	p := Processor{Family: -1, ModelNum: -1, Stepping: -1, Cores: -1, Siblings: -1, Implementer: -1, Part: -1}
	with := func(set func(*Processor)) Processor { q := p; set(&q); return q }
	for name, c := range map[string]struct {
		text string
		want []Processor
	}{
		"s390": {s390, []Processor{
			with(func(p *Processor) {
				p.Vendor, p.Model, p.Features, p.BogoMIPS, p.MHz, p.Physical, p.Core = "IBM/S390", "machine 3931", "esan3 zarch vx", 2913, 5504, 1, 2
			}),
			with(func(p *Processor) {
				p.Number, p.Vendor, p.Model, p.Features, p.BogoMIPS, p.MHz, p.Physical, p.Core = 1, "IBM/S390", "machine 3931", "esan3 zarch vx", 2913, 5504, 1, 3
			}),
		}},
		"MIPS": {mips, []Processor{with(func(p *Processor) {
			p.Model, p.Features, p.BogoMIPS, p.Core = "Loongson-3A R3 @ 1449MHz", "mips1 mips64r2", 2887.52, 3
		})}},
		"T-Head": {"processor : 0\nhart : 3\ncpu-freq : 1.2Ghz\n", []Processor{with(func(p *Processor) { p.MHz, p.Physical, p.Core = 1200, -1, -1 })}},
		"LoongArch": {loong, []Processor{with(func(p *Processor) {
			p.Model, p.Features, p.BogoMIPS, p.MHz, p.Physical, p.Core = "Loongson-3A5000", "cpucfg lam lsx", 5000, 2500, 1, 5
		})}},
	} {
		for form, text := range map[string]string{"": c.text, " with Windows lines": strings.ReplaceAll(c.text, "\n", "\r\n")} {
			probetest.Same(t, name+form, c.want, ParseCPUInfo(text).Processors)
		}
	}
}

func TestLevels(t *testing.T) {
	const (
		v1 = "cmov cx8 fxsr mmx sse sse2"
		v2 = v1 + " cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3"
		v3 = v2 + " avx avx2 bmi1 bmi2 f16c fma abm movbe"
		v4 = v3 + " avx512f avx512bw avx512cd avx512dq avx512vl"
	)
	for _, c := range []struct{ arch, flags, want string }{
		{"amd64", "", ""},
		{"amd64", v1, "x86-64-v1"},
		{"amd64", v2, "x86-64-v2"},
		{"amd64", v3, "x86-64-v3"},
		{"amd64", v4, "x86-64-v4"},
		{"amd64", strings.Replace(v4, " abm", "", 1), "x86-64-v2"}, // a hypervisor that hides one flag
		{"amd64", strings.Replace(v4, "avx512vl", "", 1), "x86-64-v3"},
		{"arm64", "fp asimd", "armv8.0"},
		{"arm64", "fp", ""},
		{"arm64", "fp asimd atomics asimdrdm crc32", "armv8.1"},
		{"arm64", "fp asimd atomics asimdrdm crc32 dcpop fphp asimdhp", "armv8.2"},
		{"arm64", "asimd atomics asimdrdm crc32 dcpop jscvt fcma lrcpc", "armv8.3"},
		{"arm64", "asimd atomics asimdrdm crc32 dcpop jscvt fcma lrcpc asimddp dit uscat ilrcpc flagm", "armv8.4"},
		{"arm64", "asimd atomics asimdrdm crc32 dcpop jscvt fcma lrcpc asimddp dit uscat ilrcpc flagm flagm2 frint sb", "armv8.5"},
		{"arm64", "asimd atomics asimdrdm crc32 dcpop jscvt fcma lrcpc asimddp dit uscat ilrcpc flagm flagm2 frint sb bf16 i8mm", "armv8.6"},
		{"arm64", "asimd atomics asimdrdm crc32 dcpop jscvt fcma lrcpc asimddp dit uscat ilrcpc flagm flagm2 frint sb bf16 i8mm sve sve2", "armv9.0"},
	} {
		if got := level(c.arch, normalise(c.arch, strings.Fields(c.flags)), 0); got != c.want {
			t.Errorf("%s %q: %q, want %q", c.arch, c.flags, got, c.want)
		}
	}
}

// TestThroughput checks what a core does in a cycle against its published figure.
func TestThroughput(t *testing.T) {
	const (
		sse    = "sse sse2 sse4_2"
		avx    = sse + " avx"
		fma    = avx + " fma avx2"
		avx512 = fma + " avx512f"
	)
	for _, c := range []struct {
		vendor        string
		family, model int
		name, flags   string
		want          int
	}{
		{"GenuineIntel", 6, 46, "Xeon X7550 (Nehalem)", sse, 8},
		{"GenuineIntel", 6, 58, "i5-3470 (Ivy Bridge)", avx, 16},
		{"GenuineIntel", 6, 63, "E5-2680 v3 (Haswell)", fma, 32},
		{"GenuineIntel", 6, 158, "i7-9700K (Coffee Lake)", fma, 32},
		{"GenuineIntel", 6, 85, "Intel(R) Xeon(R) Platinum 8280 CPU", avx512, 64},
		{"GenuineIntel", 6, 85, "Intel(R) Xeon(R) Silver 4110 CPU", avx512, 32},
		{"GenuineIntel", 6, 85, "Intel(R) Xeon(R) Gold 5118 CPU", avx512, 32},
		{"GenuineIntel", 6, 85, "Intel(R) Xeon(R) Gold 6148 CPU", avx512, 64},
		{"GenuineIntel", 6, 106, "Platinum 8370C (Ice Lake-SP)", avx512, 64},
		{"GenuineIntel", 6, 140, "i7-1165G7 (Tiger Lake)", avx512, 32},
		{"GenuineIntel", 6, 143, "Gold 6430 (Sapphire Rapids)", avx512, 64},
		{"GenuineIntel", 6, 87, "Xeon Phi 7210", avx512, 64},
		{"GenuineIntel", 6, 122, "Celeron N4100 (Goldmont Plus)", sse, 4},
		{"GenuineIntel", 6, 156, "Celeron N5105 (Tremont)", sse, 8},
		{"GenuineIntel", 6, 190, "N100 (Gracemont)", fma, 16},
		{"AuthenticAMD", 21, 2, "Opteron 6328 (Piledriver), a module", fma, 16},
		{"AuthenticAMD", 22, 0, "A4-5000 (Jaguar)", avx, 8},
		{"AuthenticAMD", 23, 1, "EPYC 7451 (Zen)", fma, 16},
		{"AuthenticAMD", 23, 49, "EPYC 7742 (Zen 2)", fma, 32},
		{"AuthenticAMD", 25, 1, "EPYC 7763 (Zen 3)", fma, 32},
		{"AuthenticAMD", 25, 17, "EPYC 9354 (Zen 4)", avx512, 32},
		{"AuthenticAMD", 26, 2, "EPYC 9755 (Zen 5)", avx512, 64},
		{"AuthenticAMD", 26, 36, "Ryzen AI 9 HX 370 (Zen 5 mobile)", avx512, 32},
		{"HygonGenuine", 24, 1, "C86 7185", fma, 16},
		{"", 0, 0, "hidden by a hypervisor, AVX-512", avx512, 32},
		{"", 0, 0, "hidden, no AVX", sse, 8},
		{"", 0, 0, "nothing known", "", 0},
	} {
		has := map[string]bool{}
		for _, f := range strings.Fields(c.flags) {
			has[f] = true
		}
		if got := x86Throughput(c.vendor, c.family, c.model, c.name, has); got.flop != c.want || got.flop > 0 && got.why == "" {
			t.Errorf("%s: %+v, want %d", c.name, got, c.want)
		}
	}
	for _, c := range []struct{ implementer, part, want int }{
		{0x41, 0xd03, 8}, {0x41, 0xd08, 8}, {0x41, 0xd0b, 16}, {0x41, 0xd0c, 16}, {0x41, 0xd40, 32}, {0x61, 0x023, 32}, {0x46, 0x001, 64}, {0x99, 1, 8},
	} {
		if got := armThroughput(coreOf(c.implementer, c.part), map[string]bool{"neon": true}); got.flop != c.want {
			t.Errorf("%x/%x: %+v, want %d", c.implementer, c.part, got, c.want)
		}
	}
	for line := range strings.Lines(armCores) {
		var implementer, part, flop int
		if _, err := fmt.Sscanf(line, "%x:%x %d", &implementer, &part, &flop); line[0] != '#' && (err != nil || coreOf(implementer, part).flop != flop) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func x86Info(n int, extra string) string {
	var b strings.Builder
	b.WriteString("-- file /proc/cpuinfo --\n")
	for i := range n {
		fmt.Fprintf(&b, "processor\t: %d\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 63\nmodel name\t: CPU\nphysical id\t: 0\ncore id\t\t: %d\nflags\t\t: sse avx fma\n%s\n", i, i, extra)
	}
	return b.String()
}

func TestClock(t *testing.T) {
	const frequency = "-- file /sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq --\n3600000\n"
	for _, c := range []struct {
		name, fixture string
		mhz           float64
		basis         string
	}{
		{"governor", x86Info(1, "cpu MHz\t\t: 800\nbogomips\t: 4000\n") + frequency, 3600, "cpufreq"},
		{"name", strings.ReplaceAll(x86Info(1, "cpu MHz\t\t: 800\n"), ": CPU", ": CPU @ 2.50GHz"), 2500, "name"},
		{"name in MHz", strings.ReplaceAll(x86Info(1, ""), ": CPU", ": CPU @ 900MHz"), 900, "name"},
		{"moment", x86Info(1, "cpu MHz\t\t: 2200.5\nbogomips\t: 9000\n"), 2200.5, "cpu MHz"},
		{"bogomips", x86Info(1, "bogomips\t: 5000.00\n"), 2500, "BogoMIPS"},
		{"nothing", x86Info(1, ""), 0, "nothing tells the clock"},
		{"garbage", x86Info(1, "cpu MHz\t\t: 1e300\nbogomips\t: -1\n") + strings.Replace(frequency, "3600000", "NaN", 1), 0, "nothing tells the clock"},
		{"device tree", "-- platform --\nlinux/arm64\n-- file /proc/cpuinfo --\nprocessor\t: 0\nBogoMIPS\t: 50\nFeatures\t: asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd03\n-- file /proc/device-tree/cpus/cpu@0/clock-frequency --\n\x59\x68\x2f\x00", 0, "nothing tells the clock"}, // txtar adds a newline: five bytes are no cell
	} {
		t.Run(c.name, func(t *testing.T) {
			got := probeCPU(t, c.fixture)
			if got.MHz != c.mhz || !strings.Contains(got.PeakBasis, c.basis) {
				t.Errorf("%g MHz, %q; want %g and %q", got.MHz, got.PeakBasis, c.mhz, c.basis)
			}
			if (got.PeakGFLOPS > 0) != (c.mhz > 0) {
				t.Errorf("peak %g", got.PeakGFLOPS)
			}
		})
	}
}

func TestUsableCores(t *testing.T) {
	const (
		mount2  = "-- file /proc/self/mountinfo --\n30 1 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"
		group2  = "-- file /proc/self/cgroup --\n0::/a/b\n"
		mount1  = "-- file /proc/self/mountinfo --\n30 1 0:26 / /cg rw - cgroup cgroup rw,cpu,cpuacct\n"
		group1  = "-- file /proc/self/cgroup --\n3:cpu,cpuacct:/a\n"
		allowed = "-- file /proc/self/status --\nCpus_allowed_list:\t0,2-3\n"
	)
	for _, c := range []struct {
		name, fixture string
		want          float64
	}{
		{"all", "", 8},
		{"affinity", allowed, 3},
		{"affinity that fits no processor", "-- file /proc/self/status --\nCpus_allowed_list:\t100-200\n", 8},
		{"no quota", mount2 + group2 + "-- file /sys/fs/cgroup/a/b/cpu.max --\nmax 100000\n", 8},
		{"quota of a parent", mount2 + group2 + "-- file /sys/fs/cgroup/a/b/cpu.max --\n600000 100000\n-- file /sys/fs/cgroup/a/cpu.max --\n250000 100000\n", 2.5},
		{"quota and affinity", mount2 + group2 + allowed + "-- file /sys/fs/cgroup/a/b/cpu.max --\n600000 100000\n", 3},
		{"quota of version 1", mount1 + group1 + "-- file /cg/a/cpu.cfs_quota_us --\n50000\n-- file /cg/a/cpu.cfs_period_us --\n100000\n", 0.5},
		{"no quota of version 1", mount1 + group1 + "-- file /cg/a/cpu.cfs_quota_us --\n-1\n-- file /cg/a/cpu.cfs_period_us --\n100000\n", 8},
		{"garbage", mount2 + group2 + "-- file /sys/fs/cgroup/a/b/cpu.max --\n1e999 0\n", 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := probeCPU(t, x86Info(8, "cpu MHz\t\t: 1000\n")+c.fixture)
			if got.Cores != c.want || got.Logical != 8 {
				t.Errorf("%g of %d cores, want %g of 8", got.Cores, got.Logical, c.want)
			}
			if want := c.want * 32; math.Abs(got.PeakGFLOPS-want) > 0.1 {
				t.Errorf("peak %g, want %g", got.PeakGFLOPS, want)
			}
		})
	}
}

func TestWithoutProcTheProcessorIsAsked(t *testing.T) {
	got := probeCPU(t, `-- cpuid --
{"vendor":"AMD","model":"AMD Ryzen 7 5800X","family":25,"model_num":33,"features":["sse","sse2","avx","fma3","avx2","hypervisor"],"logical":16,"physical":8,"hz":3800000000}
`)
	if got.Model != "AMD Ryzen 7 5800X" || got.Cores != 8 || got.PeakGFLOPS != 972.8 || got.Vendor != "AuthenticAMD" || got.Hypervisor == "" {
		t.Errorf("got %+v", got)
	}
	if !slices.Contains(got.Features, "fma") {
		t.Errorf("features %v", got.Features)
	}
	if _, err := Probe(t.Context(), hosttest.Empty("linux", "amd64")); err == nil {
		t.Error("a processor that nothing tells of is no error")
	}
}

// TestEmulation: qemu's user mode shows the file of the machine below.
func TestEmulation(t *testing.T) {
	const file = "-- file /proc/cpuinfo --\nprocessor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: Big Server\nflags\t\t: fpu cmov cx8 fxsr mmx sse sse2 pni ssse3 sse4_1 sse4_2 avx f16c fma avx2 avx512f avx512bw\n"
	westmere := probeCPU(t, file+"-- cpuid --\n{\"vendor\":\"Intel\",\"model\":\"Westmere\",\"family\":6,\"model_num\":44,\"features\":[\"cmov\",\"cmpxchg8\",\"fxsr\",\"mmx\",\"sse\",\"sse2\",\"sse3\",\"ssse3\",\"sse4\",\"sse42\",\"cx16\",\"lahf\",\"popcnt\"],\"logical\":2}\n")
	if westmere.Model != "Westmere" || westmere.Level != "x86-64-v2" || slices.Contains(westmere.Features, "avx") || !slices.Contains(westmere.Features, "sse4_2") || westmere.Attrs["masked"] == "" {
		t.Errorf("Westmere on a big server: %+v", westmere)
	}
	same := probeCPU(t, file+"-- cpuid --\n{\"vendor\":\"AMD\",\"model\":\"Big Server\",\"features\":[\"sse3\",\"ssse3\",\"sse4\",\"sse42\",\"avx\",\"f16c\",\"fma3\",\"avx2\",\"avx512f\",\"avx512bw\"],\"logical\":1}\n")
	if same.Model != "Big Server" || same.Attrs["masked"] != "" || !slices.Contains(same.Features, "avx512f") {
		t.Errorf("the server itself: %+v", same)
	}
	arm := probeCPU(t, "-- platform --\nlinux/arm64\n"+file+"-- cpuid --\n{\"vendor\":\"ARM\",\"model\":\"\",\"family\":15,\"model_num\":53300,\"features\":[\"asimd\",\"fp\",\"crc32\"],\"logical\":2}\n")
	if arm.Model != "Cortex-A53" || arm.Level != "armv8.0" || arm.Attrs["emulated"] == "" || slices.Contains(arm.Features, "dotprod") {
		t.Errorf("a Cortex-A53 on a big server: %+v", arm)
	}
}

func TestHypervisors(t *testing.T) {
	for machine, want := range map[string]string{
		"QEMU Standard PC (Q35)": "qemu", "Microsoft Corporation Virtual Machine": "microsoft", "Microsoft Corporation Surface Pro": "",
		"VMware, Inc. VMware20,1": "vmware", "innotek GmbH VirtualBox": "oracle", "Google Google Compute Engine": "google", "Dell Inc. XPS": "",
	} {
		if got := hypervisorOf(machine); got != want {
			t.Errorf("%s: %q, want %q", machine, got, want)
		}
	}
}

func FuzzParseCPUInfo(f *testing.F) {
	f.Add("processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 63\nmodel name\t: CPU @ 2.50GHz\nflags\t\t: sse avx fma\nsiblings\t: 4\ncpu cores\t: 2\n\n")
	f.Add("Processor\t: AArch64\nprocessor\t: 0\nprocessor\t: 1\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd03 & 0xd08\n\nHardware\t: X\n")
	f.Add("processor 0: version = FF\nfeatures : a\n")
	f.Add("processor : -1\nprocessor : 99999999999999999999\n: :\nisa : rv64gc_\n")
	f.Fuzz(func(t *testing.T, text string) {
		info := ParseCPUInfo(text)
		if len(info.Processors) > maxProcessors {
			t.Fatal("too many processors")
		}
		for _, arch := range []string{"amd64", "arm64", "arm", "riscv64"} {
			r := hosttest.Empty("linux", arch)
			p := &prober{ctx: t.Context(), h: r, cpu: facts.CPU{Arch: arch, Attrs: map[string]string{}}}
			if len(info.Processors) == 0 {
				return
			}
			p.describe(info, info.Processors)
			p.topology(info.Processors)
			gflops, _ := peak(p.groups(info.Processors))
			if math.IsNaN(gflops) || math.IsInf(gflops, 0) || gflops < 0 {
				t.Errorf("peak %g", gflops)
			}
			if p.cpu.Physical < 1 || p.cpu.Physical > p.cpu.Logical {
				t.Errorf("%d of %d", p.cpu.Physical, p.cpu.Logical)
			}
			if !slices.IsSorted(p.cpu.Features) {
				t.Error("features are not sorted")
			}
		}
	})
}

func FuzzParseList(f *testing.F) {
	f.Add("0-3,8,10-11")
	f.Add("0-99999999999,5-1,-,a")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1000 {
			return // as long as the kernel writes it, and longer
		}
		if n := len(parseList(text)); n > maxProcessors*2 {
			t.Errorf("%d numbers", n)
		}
	})
}

func FuzzCPUMax(f *testing.F) {
	f.Add("150000", "100000")
	f.Add("NaN", "-0")
	f.Fuzz(func(t *testing.T, quota, period string) {
		if r := ratio(quota, period); math.IsNaN(r) || math.IsInf(r, 0) || r < 0 {
			t.Errorf("%g", r)
		}
	})
}
