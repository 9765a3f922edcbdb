package cpu

import (
	"slices"
	"strings"

	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// armOthers are names in cpuinfo's Features that are no instruction sets.
func armOthers() map[string]bool {
	return set(strings.Fields(`evtstrm cpuid swp half fastmult edsp java thumb thumbee tls lpae vfpd32 26bit gpa armcpuid tlsi wp`))
}

func set(words []string) map[string]bool {
	m := map[string]bool{}
	for _, w := range words {
		m[w] = true
	}
	return m
}

// normalise turns flags of the architecture into the vocabulary, sorted and
// without repeats.
func normalise(arch string, flags []string) []string {
	x86, others := set(strings.Fields(recipes.X86Features)), armOthers()
	var out []string
	for _, f := range flags {
		f = recipes.CanonicalFeature(strings.ToLower(f))
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

var isaVersion = lazyregexp.New(`[0-9]+p[0-9]+`)

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
	has := set(features)
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
	return !slices.ContainsFunc(strings.Fields(words), func(w string) bool { return !has[w] })
}

// step is one rung of a ladder of levels: what it needs besides the one below.
type step struct{ name, needs string }

// reached is the highest rung whose needs, and those below it, are all there.
func reached(has map[string]bool, lowest string, ladder []step) string {
	for _, s := range ladder {
		if !all(has, s.needs) {
			break
		}
		lowest = s.name
	}
	return lowest
}

func x86Level(has map[string]bool) string {
	return reached(has, "", []step{
		{"x86-64-v1", "cmov cx8 fxsr mmx sse sse2"},
		{"x86-64-v2", "cx16 lahf_lm popcnt sse3 sse4_1 sse4_2 ssse3"},
		{"x86-64-v3", "avx avx2 bmi1 bmi2 f16c fma lzcnt movbe"}, // OSXSAVE follows from avx: Linux and cpuid hide avx without it
		{"x86-64-v4", "avx512f avx512bw avx512cd avx512dq avx512vl"},
	})
}

func arm64Level(has map[string]bool) string {
	if !has["neon"] {
		return ""
	}
	level := reached(has, "armv8.0", []step{
		{"armv8.1", "atomics asimdrdm crc32"},
		{"armv8.2", "dcpop"},
		{"armv8.3", "jscvt fcma lrcpc"},
		{"armv8.4", "dotprod dit uscat ilrcpc flagm"},
		{"armv8.5", "flagm2 frint sb"},
		{"armv8.6", "bf16 i8mm"},
	})
	// Armv9.0 is Armv8.5 with SVE2.
	if has["sve2"] && (level == "armv8.5" || level == "armv8.6") {
		return "armv9.0"
	}
	return level
}
