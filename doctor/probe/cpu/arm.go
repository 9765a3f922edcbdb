package cpu

import "fmt"

// armCore is what is known of one ARM core by its implementer and part number
// (MIDR_EL1; names as in the implementers' technical reference manuals and
// util-linux's lscpu).
type armCore struct {
	name string
	// flop is float32 operations per cycle: SIMD pipes × lanes × 2 for the fused
	// multiply-add. 0 where no source says; then one 128-bit pipe is assumed.
	flop int
}

// coreOf names a core. The figures: Arm's software optimization guides
// (FMLA, Q form, throughput × 8), "Floating-point operations per clock cycle"
// (Wikipedia, FLOPS; WikiChip, FLOPS), A64FX's microarchitecture manual.
func coreOf(implementer, part int) armCore {
	unknown := armCore{name: fmt.Sprintf("%s part 0x%03x", implementerName(implementer), part)}
	if implementer < 0 || part < 0 {
		return armCore{}
	}
	var table map[int]armCore
	switch implementer {
	case 0x41:
		table = map[int]armCore{
			0x920: {"ARM920", 0}, 0x926: {"ARM926", 0}, 0xb02: {"ARM11 MPCore", 2}, 0xb36: {"ARM1136", 2},
			0xb56: {"ARM1156", 0}, 0xb76: {"ARM1176", 2},
			0xc05: {"Cortex-A5", 2}, 0xc07: {"Cortex-A7", 8}, 0xc08: {"Cortex-A8", 4}, 0xc09: {"Cortex-A9", 8},
			0xc0d: {"Cortex-A17", 8}, 0xc0e: {"Cortex-A17", 8}, 0xc0f: {"Cortex-A15", 8},
			0xd01: {"Cortex-A32", 8}, 0xd02: {"Cortex-A34", 8}, 0xd03: {"Cortex-A53", 8}, 0xd04: {"Cortex-A35", 8},
			0xd05: {"Cortex-A55", 8}, 0xd06: {"Cortex-A65", 8}, 0xd43: {"Cortex-A65AE", 8}, 0xd07: {"Cortex-A57", 8},
			0xd08: {"Cortex-A72", 8}, 0xd09: {"Cortex-A73", 8}, 0xd0a: {"Cortex-A75", 8},
			0xd0b: {"Cortex-A76", 16}, 0xd0e: {"Cortex-A76AE", 16}, 0xd0d: {"Cortex-A77", 16}, 0xd41: {"Cortex-A78", 16},
			0xd42: {"Cortex-A78AE", 16}, 0xd4b: {"Cortex-A78C", 16}, 0xd44: {"Cortex-X1", 32}, 0xd4c: {"Cortex-X1C", 32},
			0xd46: {"Cortex-A510", 16}, 0xd80: {"Cortex-A520", 16}, 0xd88: {"Cortex-A520AE", 16}, 0xd47: {"Cortex-A710", 16},
			0xd4d: {"Cortex-A715", 16}, 0xd81: {"Cortex-A720", 16}, 0xd89: {"Cortex-A720AE", 16}, 0xd87: {"Cortex-A725", 16},
			0xd48: {"Cortex-X2", 32}, 0xd4e: {"Cortex-X3", 32}, 0xd82: {"Cortex-X4", 32}, 0xd85: {"Cortex-X925", 48},
			0xd8f: {"Cortex-A320", 0}, 0xd8a: {"C1-Nano", 0}, 0xd8b: {"C1-Pro", 0}, 0xd8c: {"C1-Ultra", 0}, 0xd90: {"C1-Premium", 0},
			0xd4a: {"Neoverse-E1", 8}, 0xd0c: {"Neoverse-N1", 16}, 0xd49: {"Neoverse-N2", 16}, 0xd8e: {"Neoverse-N3", 16},
			0xd40: {"Neoverse-V1", 32}, 0xd4f: {"Neoverse-V2", 32}, 0xd84: {"Neoverse-V3", 32}, 0xd83: {"Neoverse-V3AE", 32},
		}
	case 0x42:
		table = map[int]armCore{0x00f: {"Brahma-B15", 0}, 0x100: {"Brahma-B53", 8}, 0x516: {"ThunderX2", 16}}
	case 0x43:
		table = map[int]armCore{
			0x0a0: {"ThunderX", 4}, 0x0a1: {"ThunderX 88XX", 4}, 0x0a2: {"ThunderX 81XX", 4}, 0x0a3: {"ThunderX 83XX", 4},
			0x0af: {"ThunderX2 99xx", 16}, 0x0b0: {"OcteonTX2", 0}, 0x0b8: {"ThunderX3 T110", 0},
		}
	case 0x46:
		table = map[int]armCore{0x001: {"A64FX", 64}, 0x003: {"MONAKA", 0}}
	case 0x48:
		table = map[int]armCore{0xd01: {"TaiShan-v110", 16}, 0xd02: {"TaiShan-v120", 0}, 0xd40: {"Cortex-A76", 16}, 0xd41: {"Cortex-A77", 16}}
	case 0x4e:
		table = map[int]armCore{0x000: {"Denver", 16}, 0x003: {"Denver 2", 16}, 0x004: {"Carmel", 16}, 0x010: {"Olympus", 0}}
	case 0x50:
		table = map[int]armCore{0x000: {"X-Gene", 8}}
	case 0x51:
		table = map[int]armCore{
			0x00f: {"Scorpion", 8}, 0x02d: {"Scorpion", 8}, 0x04d: {"Krait", 8}, 0x06f: {"Krait", 8},
			0x201: {"Kryo (Silver)", 8}, 0x205: {"Kryo (Gold)", 8}, 0x211: {"Kryo (Silver)", 8},
			0x800: {"Kryo 2xx Gold", 8}, 0x801: {"Kryo 2xx Silver", 8}, 0x802: {"Kryo 3xx Gold", 8}, 0x803: {"Kryo 3xx Silver", 8},
			0x804: {"Kryo 4xx Gold", 16}, 0x805: {"Kryo 4xx Silver", 8}, 0xc00: {"Falkor", 8}, 0xc01: {"Saphira", 0}, 0x001: {"Oryon", 32},
		}
	case 0x53:
		table = map[int]armCore{0x001: {"Exynos M1", 8}, 0x002: {"Exynos M3", 24}, 0x003: {"Exynos M4", 24}, 0x004: {"Exynos M5", 24}}
	case 0x61:
		table = map[int]armCore{
			0x020: {"Icestorm (A14)", 16}, 0x021: {"Firestorm (A14)", 32}, 0x022: {"Icestorm (M1)", 16}, 0x023: {"Firestorm (M1)", 32},
			0x024: {"Icestorm (M1 Pro)", 16}, 0x025: {"Firestorm (M1 Pro)", 32}, 0x028: {"Icestorm (M1 Max)", 16}, 0x029: {"Firestorm (M1 Max)", 32},
			0x030: {"Blizzard (A15)", 16}, 0x031: {"Avalanche (A15)", 32}, 0x032: {"Blizzard (M2)", 16}, 0x033: {"Avalanche (M2)", 32},
			0x034: {"Blizzard (M2 Pro)", 16}, 0x035: {"Avalanche (M2 Pro)", 32}, 0x038: {"Blizzard (M2 Max)", 16}, 0x039: {"Avalanche (M2 Max)", 32},
		}
	case 0x6d:
		table = map[int]armCore{0xd49: {"Azure Cobalt 100", 16}}
	case 0x70:
		table = map[int]armCore{0x303: {"FTC310", 8}, 0x660: {"FTC660", 8}, 0x661: {"FTC661", 8}, 0x662: {"FTC662", 8}, 0x663: {"FTC663", 8}, 0x664: {"FTC664", 0}, 0x862: {"FTC862", 0}}
	case 0xc0:
		table = map[int]armCore{0xac3: {"Ampere-1", 16}, 0xac4: {"Ampere-1a", 16}}
	}
	if c, ok := table[part]; ok {
		return c
	}
	return unknown
}

// implementerName names the holders of MIDR_EL1's implementer codes.
func implementerName(code int) string {
	if name := map[int]string{
		0x41: "ARM", 0x42: "Broadcom", 0x43: "Cavium", 0x44: "DEC", 0x46: "Fujitsu", 0x48: "HiSilicon", 0x4d: "Motorola", 0x4e: "NVIDIA", 0x50: "APM",
		0x51: "Qualcomm", 0x53: "Samsung", 0x56: "Marvell", 0x61: "Apple", 0x66: "Faraday", 0x69: "Intel", 0x6d: "Microsoft", 0x70: "Phytium", 0xc0: "Ampere",
	}[code]; name != "" {
		return name
	}
	return fmt.Sprintf("implementer 0x%02x", code)
}
