package recipes

import (
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

// synonym maps other spellings (Intel's, klauspost/cpuid's, macOS's hw.optional,
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

// CanonicalFeature returns the vocabulary's name of an instruction set, whatever
// common spelling it comes in: SSE4.1, fma3, asimd, AVX512-VNNI.
func CanonicalFeature(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if s := synonym(name); s != name {
		return s
	}
	return synonym(strings.NewReplacer("-", "_").Replace(strings.ReplaceAll(name, "avx512-", "avx512")))
}

// X86Features are the x86 instruction sets that a program may be compiled for;
// cpuinfo lists many flags more that no compiler option asks for.
const X86Features = `fpu cx8 cmov mmx mmxext 3dnow 3dnowext fxsr sse sse2 sse3 ssse3 sse4_1 sse4_2 sse4a cx16 lahf_lm
		popcnt lzcnt movbe xsave aes pclmulqdq sha_ni gfni vaes vpclmulqdq adx rdrand rdseed
		avx f16c fma fma4 xop tbm avx2 bmi1 bmi2 avx_vnni avx_ifma avx_vnni_int8 avx_vnni_int16 avx_ne_convert
		avx512f avx512cd avx512er avx512pf avx512bw avx512dq avx512vl avx512ifma avx512vbmi avx512_vbmi2 avx512_vnni
		avx512_bitalg avx512_vpopcntdq avx512_4vnniw avx512_4fmaps avx512_vp2intersect avx512_bf16 avx512_fp16
		avx10 avx10_128 avx10_256 avx10_512 amx_tile amx_int8 amx_bf16 amx_fp16 amx_complex amx_tf32 amx_fp8
		movdiri movdir64b prefetchwt1 serialize`

// armFeatures are those of ARM that libraries are built for; cpuinfo may have
// others.
const armFeatures = `neon aes pmull sha1 sha2 sha3 sha512 sm3 sm4 crc32 atomics fphp asimdhp asimdfhm asimdrdm dotprod
	jscvt fcma lrcpc ilrcpc dcpop dcpodp sve sve2 svebf16 svei8mm i8mm bf16 flagm flagm2 frint sb dit uscat paca pacg bti
	sme sme2 vfpv3 vfpv4 idiva idivt`

// Features are the names that a recipe may ask a CPU for, sorted.
func Features() []string {
	return slices.Compact(slices.Sorted(slices.Values(strings.Fields(X86Features + " " + armFeatures))))
}
