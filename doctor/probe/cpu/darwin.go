package cpu

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

// darwin asks sysctl(8) for the two trees that describe the processor.
func (p *prober) darwin() {
	v, evidence, err := look.Sysctl(p.ctx, p.h, "machdep.cpu", "hw", "sysctl.proc_translated")
	p.fail(err)
	if v["hw.ncpu"] == "" && v["machdep.cpu.brand_string"] == "" {
		p.cpuid()
		return
	}
	number := func(name string) int {
		n, err := strconv.Atoi(v[name])
		if err != nil || n < 0 {
			return 0
		}
		return n
	}
	p.cpu.Model = v["machdep.cpu.brand_string"]
	p.cpu.Logical = min(max(number("hw.logicalcpu"), number("hw.ncpu")), maxProcessors)
	p.cpu.Physical = min(number("hw.physicalcpu"), p.cpu.Logical)
	p.cpu.Physical = cmp.Or(p.cpu.Physical, p.cpu.Logical)
	evidence.Detail = p.cpu.Model
	p.cpu.Evidence = append(p.cpu.Evidence, evidence)
	if v["hw.optional.arm64"] == "1" {
		p.apple(v, number)
		return
	}
	p.cpu.Vendor = v["machdep.cpu.vendor"]
	flags := strings.Fields(v["machdep.cpu.features"] + " " + v["machdep.cpu.leaf7_features"] + " " + v["machdep.cpu.extfeatures"])
	p.cpu.Features = normalise(p.h.Arch, macFlags(flags))
	for _, f := range flags {
		if f == "VMM" {
			p.cpu.Hypervisor = "unknown"
		}
	}
	p.cpu.Level = level(p.h.Arch, p.cpu.Features, 0)
	p.set("family", v["machdep.cpu.family"])
	p.set("model", v["machdep.cpu.model"])
	p.set("stepping", v["machdep.cpu.stepping"])
	k := clock{}
	if hz, err := strconv.ParseFloat(v["hw.cpufrequency_max"], 64); err == nil && hz > 0 {
		k = clock{hz / 1e6, "hw.cpufrequency_max, boost not counted"}
	} else if mhz := clockInName(p.cpu.Model); mhz > 0 {
		k = clock{mhz, "the base clock in the model's name, boost not counted"}
	}
	p.finish(number("machdep.cpu.family"), number("machdep.cpu.model"), armCore{}, k)
}

// macFlags spells out what macOS calls differently and no one else does.
func macFlags(flags []string) []string {
	out := make([]string, 0, len(flags))
	for _, f := range flags {
		switch f {
		case "EM64T":
			continue
		case "LAHF":
			f = "lahf_lm"
		case "SSE3":
			f = "sse3"
		}
		out = append(out, f)
	}
	return out
}

// apple describes Apple silicon, also to a translated (Rosetta) process: what
// is compiled for the machine runs natively.
func (p *prober) apple(v map[string]string, number func(string) int) {
	p.cpu.Arch, p.cpu.Vendor = "arm64", "Apple"
	if v["sysctl.proc_translated"] == "1" || p.h.Arch == "amd64" {
		p.set("rosetta", "yes")
		p.cpu.Emulation = "rosetta"
	}
	flags := []string{"neon", "fp"}
	for name, value := range v {
		if value != "1" {
			continue
		}
		if f, ok := strings.CutPrefix(name, "hw.optional.arm.FEAT_"); ok {
			flags = append(flags, strings.Fields(appleFeatures[f])...)
		}
	}
	if v["hw.optional.armv8_1_atomics"] == "1" {
		flags = append(flags, "atomics")
	}
	if v["hw.optional.armv8_crc32"] == "1" {
		flags = append(flags, "crc32")
	}
	if v["hw.optional.neon_fp16"] == "1" {
		flags = append(flags, "fphp", "asimdhp")
	}
	p.cpu.Features = normalise("arm64", flags)
	p.cpu.Level = level("arm64", p.cpu.Features, 0)

	fast, slow := appleClock(p.cpu.Model)
	why := "the highest clock this chip is known to reach"
	big, little := cmp.Or(number("hw.perflevel0.physicalcpu"), p.cpu.Physical), number("hw.perflevel1.physicalcpu")
	groups := []group{{"performance", float64(big), clock{fast, why}, throughput{32, "4 FMA pipes of 128 bits, AMX and SME not counted"}}}
	if little > 0 {
		groups = append(groups, group{"efficiency", float64(little), clock{slow, why}, throughput{16, "2 FMA pipes of 128 bits"}})
		p.set("cores", fmt.Sprintf("%d performance, %d efficiency", big, little))
	}
	p.cpu.Cores = float64(big + little)
	p.cpu.MHz = fast
	gflops, basis := peak(groups)
	p.cpu.PeakGFLOPS, p.cpu.PeakBasis = round(gflops, 10), basis
	if strings.Contains(p.cpu.Model, "Virtual") || v["kern.hv_vmm_present"] == "1" {
		p.cpu.Hypervisor = "apple"
	}
}

// appleFeatures maps ARM's names of features to the vocabulary.
var appleFeatures = map[string]string{
	"AES": "aes", "BF16": "bf16", "CRC32": "crc32", "DIT": "dit", "DPB": "dcpop", "DPB2": "dcpodp", "DotProd": "dotprod", "FCMA": "fcma", "FHM": "asimdfhm",
	"FP16": "fphp asimdhp", "FRINTTS": "frint", "FlagM": "flagm", "FlagM2": "flagm2", "I8MM": "i8mm", "JSCVT": "jscvt", "LRCPC": "lrcpc", "LRCPC2": "ilrcpc",
	"LSE": "atomics", "LSE2": "uscat", "PMULL": "pmull", "RDM": "asimdrdm", "SB": "sb", "SHA1": "sha1", "SHA256": "sha2", "SHA3": "sha3", "SHA512": "sha512",
	"SME": "sme", "SME2": "sme2", "SVE": "sve", "SVE2": "sve2",
}

// appleClock is the highest clock of the performance and the efficiency cores
// in MHz, as powermetrics(1) shows it (collected in Wikipedia's articles on the
// chips); 0 for a chip not known here.
func appleClock(model string) (fast, slow float64) {
	for _, c := range []struct {
		name       string
		fast, slow float64
	}{
		{"Apple M1", 3204, 2064}, {"Apple M2", 3504, 2424}, {"Apple M3", 4056, 2748}, {"Apple M4", 4464, 2892},
	} {
		if strings.HasPrefix(model, c.name) {
			return c.fast, c.slow
		}
	}
	return 0, 0
}
