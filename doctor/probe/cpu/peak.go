package cpu

import (
	"fmt"
	"slices"
	"strings"
)

// throughput is how many float32 operations a core ends in one cycle at best.
type throughput struct {
	flop int
	// why says what the figure rests on, for facts.CPU.PeakBasis.
	why string
}

// x86Throughput: vector width × units × 2 (fused multiply-add), or an adder and
// a multiplier side by side before FMA. Which units a core has is told by
// vendor, family and model; where that is unknown (a virtual machine may show
// any), by the features alone.
//
// Sources: Intel 64 and IA-32 Optimization Reference Manual (ports by
// micro-architecture), AMD software optimization guides for families 15h, 17h,
// 19h and 1Ah (FP pipes; Zen 4 runs a 512-bit FMA in two passes of its 256-bit
// pipes, Zen 5 has 512-bit pipes except in its mobile form), and the tables of
// WikiChip and Wikipedia, "FLOPS". A measured FMA loop on two Zen 4
// cores gave 232 GFLOP/s (the design's section 8): 32 a cycle at 3.6 GHz.
func x86Throughput(vendor string, family, model int, name string, has map[string]bool) throughput {
	avx512, fma, avx := has["avx512f"], has["fma"], has["avx"]
	switch {
	case isAMD(vendor):
		switch {
		case family == 0x1a && avx512:
			if zen5Mobile(model) {
				return throughput{32, "Zen 5 mobile: 2 FMA pipes of 256 bits"}
			}
			return throughput{64, "Zen 5: 2 FMA pipes of 512 bits"}
		case family == 0x19 && avx512:
			return throughput{32, "Zen 4: 2 FMA pipes of 256 bits, 512-bit instructions take two passes"}
		case family == 0x19 && fma:
			return throughput{32, "Zen 3: 2 FMA pipes of 256 bits"}
		case family == 0x18 && fma: // Hygon's Dhyana is a Zen
			return throughput{16, "Zen, Zen+: 2 FMA pipes of 128 bits"}
		case family == 0x17 && fma:
			if model >= 0x30 {
				return throughput{32, "Zen 2: 2 FMA pipes of 256 bits"}
			}
			return throughput{16, "Zen, Zen+: 2 FMA pipes of 128 bits"}
		case family == 0x15 && fma || family == 0x15 && has["fma4"]:
			// Linux counts the pairs that share the pipes (modules) as cores.
			return throughput{16, "Bulldozer family: 2 FMA pipes of 128 bits for each module"}
		case family == 0x16:
			return throughput{8, "Jaguar, Puma: one multiplier and one adder of 128 bits"}
		case family == 0x14:
			return throughput{4, "Bobcat: one multiplier and one adder of 64 bits"}
		case family == 0x10 || family == 0x12:
			return throughput{8, "K10: one multiplier and one adder of 128 bits"}
		case family == 0x0f:
			return throughput{4, "K8: one multiplier and one adder of 64 bits"}
		}
	case isIntel(vendor) && family == 6:
		switch model {
		case 0x1c, 0x26, 0x27, 0x35, 0x36, 0x37, 0x4a, 0x4c, 0x4d, 0x5a, 0x5d, 0x5c, 0x5f, 0x7a:
			return throughput{4, "Atom before Tremont: 4 operations a cycle"}
		case 0x86, 0x96, 0x9c:
			return throughput{8, "Tremont: one multiplier and one adder of 128 bits"}
		case 0xbe, 0xaf, 0xb6:
			return throughput{16, "Gracemont, Crestmont: 2 FMA pipes of 128 bits"}
		case 0x57, 0x85:
			return throughput{64, "Knights Landing: 2 FMA units of 512 bits"}
		}
		switch {
		case avx512 && (oneFMA(model) || lowXeon(model, name)):
			return throughput{32, "one FMA unit of 512 bits"}
		case avx512:
			return throughput{64, "2 FMA units of 512 bits"}
		}
	}
	switch {
	case avx512:
		return throughput{32, "AVX-512 on an unknown core, so one FMA unit of 512 bits is assumed"}
	case fma && avx:
		return throughput{32, "2 FMA units of 256 bits"}
	case avx:
		return throughput{16, "one multiplier and one adder of 256 bits (AVX without FMA)"}
	case has["sse"]:
		return throughput{8, "one multiplier and one adder of 128 bits (no AVX)"}
	}
	return throughput{}
}

func isAMD(vendor string) bool {
	v := strings.ToLower(vendor)
	return strings.Contains(v, "amd") || strings.Contains(v, "hygon")
}

func isIntel(vendor string) bool { return strings.Contains(strings.ToLower(vendor), "intel") }

// zen5Mobile: Strix Point, Krackan and Strix Halo's siblings (family 1Ah,
// models 20h–2Fh and 60h–6Fh) split 512-bit operations; Strix Halo (70h–77h),
// Granite Ridge (40h–4Fh) and Turin (00h–1Fh) do not.
func zen5Mobile(model int) bool {
	return model >= 0x20 && model <= 0x2f || model >= 0x60 && model <= 0x6f
}

// oneFMA: Cannon Lake, Ice Lake client, Tiger Lake and Rocket Lake have no FMA
// on port 5.
func oneFMA(model int) bool {
	switch model {
	case 0x66, 0x7d, 0x7e, 0x8c, 0x8d, 0xa7:
		return true
	}
	return false
}

// lowXeon: of Skylake-SP (model 55h before Cascade Lake's refresh), Bronze and
// most of Silver and Gold 5 have one unit (Intel's product pages, "number of
// AVX-512 FMA units").
func lowXeon(model int, name string) bool {
	if model != 0x55 || strings.Contains(name, "Gold 5122") || strings.Contains(name, "Gold 5222") {
		return false
	}
	return slices.ContainsFunc([]string{"Bronze 3", "Silver 4", "Gold 51", "Gold 52", "D-21"}, func(s string) bool { return strings.Contains(name, s) })
}

// armThroughput is what the table of cores says, or one 128-bit pipe.
func armThroughput(c armCore, has map[string]bool) throughput {
	switch {
	case c.flop > 0:
		return throughput{c.flop, c.name}
	case has["neon"]:
		return throughput{8, "an unknown core, so one FMA pipe of 128 bits is assumed"}
	}
	return throughput{}
}

// clock is a frequency and how it was learnt.
type clock struct {
	mhz float64
	why string
}

// group is a number of equal cores.
type group struct {
	name  string
	cores float64
	clock clock
	unit  throughput
}

// peak sums the groups' operations a second. The basis names every factor.
func peak(groups []group) (gflops float64, basis string) {
	var parts []string
	for _, g := range groups {
		if g.cores <= 0 {
			continue
		}
		if g.clock.mhz <= 0 {
			return 0, "not known: nothing tells the clock"
		}
		if g.unit.flop <= 0 {
			return 0, "not known: nothing tells what a core does in a cycle"
		}
		gflops += g.cores * g.clock.mhz / 1000 * float64(g.unit.flop)
		parts = append(parts, fmt.Sprintf("%s × %.2f GHz (%s) × %d float32 operations a cycle (%s)",
			coreCount(g.cores), g.clock.mhz/1000, g.clock.why, g.unit.flop, g.unit.why))
	}
	return gflops, strings.Join(parts, " + ")
}

func coreCount(n float64) string {
	if n == 1 {
		return "1 core"
	}
	return fmt.Sprintf("%g cores", n)
}
