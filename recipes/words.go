package recipes

import (
	"sort"
	"strings"

	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/recipes/near"
)

// The words a recipe may use. They are functions, not variables, so that no
// caller can change them for another.

// Families are the operating systems (GOOS) deployctl knows.
func Families() []string { return []string{"darwin", "linux", "windows"} }

// Arches are the processor architectures (GOARCH) deployctl knows.
func Arches() []string { return []string{"386", "amd64", "arm", "arm64", "riscv64"} }

// Purposes are the places whose room the disk probe reports.
func Purposes() []string { return []string{"cache", "system", "tmp"} }

// Severities are the severities, gravest first.
func Severities() []string { return []string{string(Required), string(Recommended), string(Info)} }

// Distributions are the ids (ID in /etc/os-release; macos and windows for
// those, windows-client and windows-server for its two kinds) that conditions and fixes may name. An id that is not here can still
// be reached through the ids it is like.
func Distributions() []string {
	return []string{
		"almalinux", "alpine", "amzn", "arch", "archarm", "azurelinux", "centos", "debian", "devuan", "elementary",
		"endeavouros", "fedora", "gentoo", "kali", "linuxmint", "macos", "manjaro", "neon", "nixos", "ol",
		"opensuse", "opensuse-leap", "opensuse-tumbleweed", "photon", "pop", "postmarketos", "raspbian", "rhel",
		"rocky", "sles", "steamos", "ubuntu", "void", "windows", "windows-client", "windows-server", "wolfi", "zorin",
	}
}

// Engines are the engines a recipe may name for its proof.
func Engines() []string {
	return []string{"darknet", "executorch", "gocv", "libtorch", "mnn", "ncnn", "onnxruntime", "opencv", "opencv-python", "openvino", "reference", "tensorflow", "torch"}
}

// Tunable are the projects whose build options for a processor deployctl knows.
func Tunable() []string { return []string{"opencv"} }

// ListVariables are the environment variables that a fix may put a folder into:
// lists of folders that tools look in.
func ListVariables() []string {
	return []string{"CMAKE_PREFIX_PATH", "CPATH", "DYLD_LIBRARY_PATH", "INCLUDE", "LD_LIBRARY_PATH", "LIB", "LIBRARY_PATH", "PATH", "PKG_CONFIG_PATH"}
}

// Networks are the networks a recipe may name for its proof.
func Networks() []string {
	return []string{"yolov3", "yolov3-spp", "yolov3-tiny", "yolov4", "yolov4-tiny"}
}

// Topics are the facts besides components that select rows of a table: the
// operating system's family, the compute capability of the best NVIDIA GPU, and
// Ubuntu's release (its requirement is skipped on other systems).
func Topics() []string { return []string{"os", "sm", "ubuntu"} }

// Vendors are the makers of graphics devices.
func Vendors() []string {
	return []string{"amd", "apple", "arm", "intel", "nvidia", "qualcomm"}
}

// Libcs are the C libraries of Linux that the os probe tells apart.
func Libcs() []string { return []string{"glibc", "musl"} }

// Relations are what a compat check may ask of a component and the chosen value.
func Relations() []string { return []string{">=", "major", "series"} }

// nearest returns the known word closest to the one given, and whether it is
// close enough to be what was meant: at most a third of its letters changed.
func nearest(word string, known []string) (string, bool) {
	if len(word) > 64 {
		return "", false
	}
	best, bestAt := "", -1
	sorted := append([]string(nil), known...)
	sort.Strings(sorted)
	for _, k := range sorted {
		if d := near.Distance(strings.ToLower(word), strings.ToLower(k)); bestAt < 0 || d < bestAt {
			best, bestAt = k, d
		}
	}
	limit := max(1, (max(len(word), len(best))+1)/3)
	return best, bestAt >= 0 && bestAt <= limit
}

// suggest ends a message about an unknown word with the nearest known one, or
// with all of them where none is near.
func suggest(word string, known []string) string {
	if w, ok := nearest(word, known); ok {
		return lang.F("; did you mean %s?", w)
	}
	if len(known) == 0 {
		return ""
	}
	return lang.F("; known: %s", strings.Join(known, ", "))
}
