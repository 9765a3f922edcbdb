package opencv

import (
	"slices"
	"strings"

	"github.com/deployctl/deployctl/recipes"
)

// baseline turns OpenCV's CPU baseline (SSE SSE2 AVX2; NEON NEON_DOTPROD), which
// every part of it is compiled for, into the names of facts.CPU.Features. Names
// that say nothing about the CPU's instruction sets are left out. Source:
// cmake/OpenCVCompilerOptimizations.cmake of OpenCV 4.
func baseline(arch, text string) []string {
	var out []string
	for word := range strings.FieldsSeq(strings.ToUpper(text)) {
		switch word {
		case "AVX512_SKX":
			out = append(out, "avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl")
			continue
		case "FP16":
			// On x86 the conversions of F16C; on 64-bit ARM every CPU has them.
			if arch == "arm64" || arch == "arm" {
				continue
			}
			word = "F16C"
		case "NEON_FP16":
			out = append(out, "fphp", "asimdhp")
			continue
		}
		name := recipes.CanonicalFeature(strings.TrimPrefix(word, "NEON_"))
		if slices.Contains(recipes.Features(), name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
