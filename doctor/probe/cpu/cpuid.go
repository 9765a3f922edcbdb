package cpu

import (
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// telling are features that both /proc/cpuinfo and the processor's own answer
// always name when they are there.
var telling = []string{"sse3", "ssse3", "sse4_1", "sse4_2", "avx", "f16c", "fma", "avx2", "avx512f", "avx512bw"}

// emulated reports whether /proc/cpuinfo speaks of a processor that programs do
// not get: user-mode emulation (qemu) shows the file of the machine below. Then
// the processor's own answer is the truth, since programs choose their code by it.
func (p *prober) emulated(shown Processor) bool {
	flags := strings.Fields(shown.Features)
	switch p.h.Arch {
	case "arm64":
		// Every x86 has fpu and sse2 of 64 bits' names; no ARM has either.
		if !slices.Contains(flags, "fpu") || !slices.Contains(flags, "sse2") {
			return false
		}
		p.set("emulated", "/proc/cpuinfo describes an x86 processor")
		return true
	case "amd64":
		c, err := p.h.CPUID()
		if err != nil {
			return false // a recording without it: the file is all there is
		}
		inFile, seen := normalise("amd64", flags), normalise("amd64", c.Features)
		var masked []string
		for _, f := range telling {
			if slices.Contains(inFile, f) && !slices.Contains(seen, f) {
				masked = append(masked, f)
			}
		}
		p.set("masked", strings.Join(masked, " "))
		return len(masked) > 0
	}
	return false
}

// cpuid fills in what the processor says of itself.
func (p *prober) cpuid() {
	c, err := p.h.CPUID()
	if err != nil {
		// A fixture or snapshot without it; the caller notices that nothing is known.
		if !errors.Is(err, host.ErrNotRecorded) {
			p.fail(lang.Errorf("ask the processor: %w", err))
		}
		return
	}
	p.cpu.Vendor, p.cpu.Model = vendorID(c.Vendor), look.Clean(c.Model)
	if c.Family > 0 && p.h.Arch != "arm64" {
		p.set("family", strconv.Itoa(c.Family))
		p.set("model", strconv.Itoa(c.ModelNum))
		p.set("stepping", strconv.Itoa(c.Stepping))
	}
	p.cpu.Features = normalise(p.h.Arch, c.Features)
	if p.h.Arch == "arm64" && !slices.Contains(p.cpu.Features, "neon") {
		// Every operating system's ABI for 64-bit ARM requires it.
		p.cpu.Features = normalise(p.h.Arch, append(slices.Clone(c.Features), "neon"))
	}
	core := armCore{}
	if p.h.Arch == "arm64" && c.ModelNum > 0 && p.h.OS == "linux" {
		// The source gives the low half of MIDR_EL1: variant and part in bits 4 to 15.
		const arm = 0x41
		if c.Vendor == "ARM" {
			core = coreOf(arm, c.ModelNum>>4&0xfff)
			p.cpu.Model = core.name
		}
	}
	p.cpu.Level = level(p.h.Arch, p.cpu.Features, 0)
	p.cpu.Logical = min(max(c.Logical, 1), maxProcessors)
	p.cpu.Physical = c.Physical
	if p.cpu.Physical < 1 || p.cpu.Physical > p.cpu.Logical {
		p.cpu.Physical = p.cpu.Logical
	}
	if slices.Contains(c.Features, "hypervisor") {
		p.cpu.Hypervisor = "unknown"
	}
	p.evidence("cpuid", "cpuid", p.cpu.Model)

	k := clock{}
	switch {
	case c.BoostHz > 0:
		k = clock{float64(c.BoostHz) / 1e6, "the boost clock in cpuid, which all cores at once may not reach"}
	case c.Hz > 0:
		k = clock{float64(c.Hz) / 1e6, "the base clock in cpuid, boost not counted"}
	case clockInName(c.Model) > 0:
		k = clock{clockInName(c.Model), "the base clock in the model's name, boost not counted"}
	}
	p.finish(c.Family, c.ModelNum, core, k)
}

// finish fills in cores, clock and peak of a machine with one kind of core.
func (p *prober) finish(family, model int, core armCore, k clock) {
	has := set(p.cpu.Features)
	var unit throughput
	switch p.cpu.Arch {
	case "amd64", "386":
		unit = x86Throughput(p.cpu.Vendor, family, model, p.cpu.Model, has)
	case "arm64":
		unit = armThroughput(core, has)
	}
	p.cpu.Cores = float64(p.cpu.Physical)
	p.cpu.MHz = round(k.mhz, 1000)
	gflops, basis := peak([]group{{"", p.cpu.Cores, k, unit}})
	p.cpu.PeakGFLOPS, p.cpu.PeakBasis = round(gflops, 10), basis
	if p.cpu.Hypervisor != "" && gflops > 0 {
		p.cpu.PeakBasis += virtualNote
	}
}

// vendorID gives vendors the names that Linux shows.
func vendorID(v string) string {
	names := map[string]string{"intel": "GenuineIntel", "amd": "AuthenticAMD", "hygon": "HygonGenuine", "via": "CentaurHauls", "vendorunknown": "", "unknown": ""}
	if name, ok := names[strings.ToLower(v)]; ok {
		return name
	}
	return look.Clean(v)
}
