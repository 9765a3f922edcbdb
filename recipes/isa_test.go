package recipes

import "testing"

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"SSE4.1": "sse4_1", "sse4_2": "sse4_2", "pni": "sse3", "sse42": "sse4_2", "fma3": "fma", "FMA": "fma", "abm": "lzcnt",
		"asimd": "neon", "NEON": "neon", "asimddp": "dotprod", "avx512vnni": "avx512_vnni", "AVX512-VNNI": "avx512_vnni",
		"avx512_bf16": "avx512_bf16", "AMX-INT8": "amx_int8", "avx-vnni": "avx_vnni", "sha": "sha_ni", " avx2 ": "avx2", "i8mm": "i8mm",
	} {
		if got := CanonicalFeature(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
