package cpu

import (
	"regexp"
	"slices"
	"strings"
)

// The vocabulary of facts.CPU.Features: Linux's names in lower case
// (arch/x86/include/asm/cpufeatures.h, arch/arm64/kernel/cpuinfo.c), limited to
// instruction sets a program may be compiled for, with these exceptions, where
// the usual name is another one:
//
//	sse3     for pni          lzcnt   for abm
//	neon     for asimd        dotprod for asimddp
//
// So one requirement ("neon", "avx512_vnni") fits every system.

// synonyms maps other spellings (Intel's, klauspost/cpuid's, macOS's hw.optional,
// compilers') to the vocabulary.
func synonym(name string) string {
	switch name {
	// x86, Linux
	case "pni":
		return "sse3"
	case "abm":
		return "lzcnt"
	case "avx512ifma", "avx512_ifma":
		return "avx512ifma"
	case "sha", "sha_ni", "shani":
		return "sha_ni"
	// x86, others
	case "sse4", "sse4.1", "sse41":
		return "sse4_1"
	case "sse42", "sse4.2":
		return "sse4_2"
	case "fma3":
		return "fma"
	case "cmpxchg8":
		return "cx8"
	case "lahf":
		return "lahf_lm"
	case "aesni":
		return "aes"
	case "clmul", "pclmul":
		return "pclmulqdq"
	case "rdrnd":
		return "rdrand"
	case "avx1.0":
		return "avx"
	case "amd3dnow":
		return "3dnow"
	case "amd3dnowext":
		return "3dnowext"
	case "avxvnni", "avx_vnni":
		return "avx_vnni"
	case "avxifma":
		return "avx_ifma"
	case "avxvnniint8":
		return "avx_vnni_int8"
	case "avxvnniint16":
		return "avx_vnni_int16"
	case "avxneconvert":
		return "avx_ne_convert"
	case "avx512bf16":
		return "avx512_bf16"
	case "avx512fp16":
		return "avx512_fp16"
	case "avx512vnni":
		return "avx512_vnni"
	case "avx512bitalg":
		return "avx512_bitalg"
	case "avx512vbmi2":
		return "avx512_vbmi2"
	case "avx512vpopcntdq":
		return "avx512_vpopcntdq"
	case "avx512vp2intersect":
		return "avx512_vp2intersect"
	case "avx512_vbmi":
		return "avx512vbmi"
	case "amxtile", "amx-tile":
		return "amx_tile"
	case "amxint8", "amx-int8":
		return "amx_int8"
	case "amxbf16", "amx-bf16":
		return "amx_bf16"
	case "amxfp16", "amx-fp16":
		return "amx_fp16"
	case "amxcomplex":
		return "amx_complex"
	// ARM
	case "asimd", "advsimd":
		return "neon"
	case "asimddp":
		return "dotprod"
	case "aesarm":
		return "aes"
	case "asimdrdm", "rdm":
		return "asimdrdm"
	case "fp16":
		return "fphp"
	case "fhm", "asimdfhm":
		return "asimdfhm"
	case "lse":
		return "atomics"
	case "frintts":
		return "frint"
	}
	return name
}

// Canonical returns the vocabulary's name of an instruction set, whatever
// common spelling it comes in: SSE4.1, fma3, asimd, AVX512-VNNI.
func Canonical(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if s := synonym(name); s != name {
		return s
	}
	return synonym(strings.NewReplacer("-", "_").Replace(strings.ReplaceAll(name, "avx512-", "avx512")))
}

// x86Names are the x86 flags that are kept; cpuinfo lists many that no
// compiler option asks for.
func x86Names() map[string]bool {
	return set(`fpu cx8 cmov mmx mmxext 3dnow 3dnowext fxsr sse sse2 sse3 ssse3 sse4_1 sse4_2 sse4a cx16 lahf_lm
		popcnt lzcnt movbe xsave aes pclmulqdq sha_ni gfni vaes vpclmulqdq adx rdrand rdseed
		avx f16c fma fma4 xop tbm avx2 bmi1 bmi2 avx_vnni avx_ifma avx_vnni_int8 avx_vnni_int16 avx_ne_convert
		avx512f avx512cd avx512er avx512pf avx512bw avx512dq avx512vl avx512ifma avx512vbmi avx512_vbmi2 avx512_vnni
		avx512_bitalg avx512_vpopcntdq avx512_4vnniw avx512_4fmaps avx512_vp2intersect avx512_bf16 avx512_fp16
		avx10 avx10_128 avx10_256 avx10_512 amx_tile amx_int8 amx_bf16 amx_fp16 amx_complex amx_tf32 amx_fp8
		movdiri movdir64b prefetchwt1 serialize`)
}

// armOthers are names in cpuinfo's Features that are no instruction sets.
func armOthers() map[string]bool {
	return set(`evtstrm cpuid swp half fastmult edsp java thumb thumbee tls lpae vfpd32 26bit gpa armcpuid tlsi wp`)
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// normalise turns flags of the architecture into the vocabulary, sorted and
// without repeats.
func normalise(arch string, flags []string) []string {
	x86, others := x86Names(), armOthers()
	var out []string
	for _, f := range flags {
		f = synonym(strings.ToLower(f))
		switch arch {
		case "amd64", "386":
			if !x86[f] {
				continue
			}
		case "arm64", "arm":
			if others[f] || !plain(f) {
				continue
			}
		default:
			if !plain(f) {
				continue
			}
		}
		out = append(out, f)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// plain keeps garbage out of the facts.
func plain(f string) bool {
	return f != "" && len(f) <= 32 && strings.Trim(f, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == ""
}

var isaVersion = regexp.MustCompile(`[0-9]+p[0-9]+`)

// riscvFeatures splits an ISA string (rv64imafdcv_zicsr_zba) into extensions.
func riscvFeatures(isa string) []string {
	// Old kernels give versions (i2p0m2p0) and the privilege modes s and u, which
	// are no extensions.
	isa = isaVersion.ReplaceAllString(strings.ToLower(isa), "")
	base, rest, _ := strings.Cut(isa, "_")
	var out []string
	if len(base) > 4 && (strings.HasPrefix(base, "rv64") || strings.HasPrefix(base, "rv32")) {
		for i, c := range base[4:] {
			if c == 'x' || c == 'z' { // a name of several letters
				out = append(out, strings.TrimRight(base[4+i:], "-"))
				break
			}
			if c != 's' && c != 'u' {
				out = append(out, string(c))
			}
		}
	}
	if rest != "" {
		out = append(out, strings.Split(rest, "_")...)
	}
	return out
}

// level is the micro-architecture level that the features reach: for x86-64
// those of the psABI (System V ABI, AMD64 supplement, table "Micro-Architecture
// Levels"), for ARM the newest version of the architecture of which every
// mandatory extension that Linux reports is there (Arm ARM DDI 0487, chapter A2).
func level(arch string, features []string, armVersion int) string {
	has := map[string]bool{}
	for _, f := range features {
		has[f] = true
	}
	switch arch {
	case "amd64":
		return x86Level(has)
	case "arm64":
		return arm64Level(has)
	case "arm":
		switch {
		case armVersion >= 8:
			return "armv8.0" // its 32-bit state: armv8 adds no level of its own there
		case armVersion > 0:
			return "armv" + string(rune('0'+armVersion))
		}
	}
	return ""
}

func all(has map[string]bool, words string) bool {
	for _, w := range strings.Fields(words) {
		if !has[w] {
			return false
		}
	}
	return true
}

func x86Level(has map[string]bool) string {
	steps := []struct{ name, needs string }{
		{"x86-64-v1", "cmov cx8 fxsr mmx sse sse2"},
		{"x86-64-v2", "cx16 lahf_lm popcnt sse3 sse4_1 sse4_2 ssse3"},
		{"x86-64-v3", "avx avx2 bmi1 bmi2 f16c fma lzcnt movbe"}, // OSXSAVE follows from avx: Linux and cpuid hide avx without it
		{"x86-64-v4", "avx512f avx512bw avx512cd avx512dq avx512vl"},
	}
	reached := ""
	for _, s := range steps {
		if !all(has, s.needs) {
			break
		}
		reached = s.name
	}
	return reached
}

func arm64Level(has map[string]bool) string {
	if !has["neon"] {
		return ""
	}
	steps := []struct{ name, needs string }{
		{"armv8.1", "atomics asimdrdm crc32"},
		{"armv8.2", "dcpop"},
		{"armv8.3", "jscvt fcma lrcpc"},
		{"armv8.4", "dotprod dit uscat ilrcpc flagm"},
		{"armv8.5", "flagm2 frint sb"},
		{"armv8.6", "bf16 i8mm"},
	}
	reached := "armv8.0"
	for _, s := range steps {
		if !all(has, s.needs) {
			break
		}
		reached = s.name
	}
	// Armv9.0 is Armv8.5 with SVE2.
	if has["sve2"] && (reached == "armv8.5" || reached == "armv8.6") {
		return "armv9.0"
	}
	return reached
}
