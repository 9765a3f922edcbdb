package opencv

import (
	"strings"
	"testing"
)

func TestBaseline(t *testing.T) {
	for _, tt := range []struct{ arch, text, want string }{
		{"amd64", "SSE SSE2 SSE3", "sse sse2 sse3"},
		{"amd64", "SSE SSE2 SSE3 SSSE3 SSE4_1 POPCNT SSE4_2 FP16 FMA3 AVX AVX2", "avx avx2 f16c fma popcnt sse sse2 sse3 sse4_1 sse4_2 ssse3"},
		{"amd64", "AVX_512F AVX512_COMMON AVX512_SKX", "avx512bw avx512cd avx512dq avx512f avx512vl"},
		{"arm64", "NEON FP16", "neon"},
		{"arm64", "NEON FP16 NEON_DOTPROD NEON_FP16 NEON_BF16", "asimdhp bf16 dotprod fphp neon"},
		{"ppc64le", "VSX VSX3", ""},
		{"amd64", "", ""},
	} {
		if got := strings.Join(baseline(tt.arch, tt.text), " "); got != tt.want {
			t.Errorf("%s %q: %q, want %q", tt.arch, tt.text, got, tt.want)
		}
	}
}
