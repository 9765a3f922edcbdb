package cuda

import (
	"cmp"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

var (
	nvccRelease = lazyregexp.New(`compilation tools,[ \t]+release[ \t]+([0-9]+\.[0-9]+)(?:,[ \t]*V([0-9]+(?:\.[0-9]+)+))?`)
	nvrm        = lazyregexp.New(`(?m)^NVRM version:.*?[ \t]([0-9]+\.[0-9]+(?:\.[0-9]+)*)(?:[ \t]|$)`)
	cudaMacro   = lazyregexp.New(`(?m)^[ \t]*#[ \t]*define[ \t]+(CUDA_VERSION|CUDART_VERSION)[ \t]+\(?([0-9]{4,6})`)
	versionTxt  = lazyregexp.New(`(?mi)CUDA Version[ \t]+([0-9]+(?:\.[0-9]+)+)`)
	jsonVersion = lazyregexp.New(`"cuda"[ \t\r\n]*:[ \t\r\n]*\{[^{}]*"version"[ \t\r\n]*:[ \t\r\n]*"([^"]*)"`)
	dotted      = lazyregexp.New(`^[0-9]+(?:\.[0-9]+)+$`)
	soFile      = lazyregexp.New(`^(lib[a-zA-Z0-9_]+)\.so\.([0-9]+(?:\.[0-9]+)*)$`)
)

// Compiler is what nvcc --version says.
type Compiler struct {
	// Release is the toolkit's (12.6), Version the compiler's own (12.6.20).
	Release, Version string
}

// ParseNVCC reads the output of nvcc --version; of several the first.
func ParseNVCC(text string) (Compiler, bool) {
	m := nvccRelease.FindStringSubmatch(text)
	if m == nil {
		return Compiler{}, false
	}
	c := Compiler{Release: m[1], Version: m[2]}
	c.Version = cmp.Or(c.Version, c.Release)
	return c, true
}

// KernelDriver is what /proc/driver/nvidia/version says.
type KernelDriver struct {
	Version string
	// Open: NVIDIA's open kernel modules.
	Open bool
}

// ParseKernelDriver reads the proprietary modules' form ("NVIDIA UNIX x86_64
// Kernel Module  535.54.03  …") and the open ones' ("… Open Kernel Module for
// x86_64  525.60.11  …").
func ParseKernelDriver(text string) (KernelDriver, bool) {
	m := nvrm.FindStringSubmatch(text)
	if m == nil {
		return KernelDriver{}, false
	}
	return KernelDriver{Version: m[1], Open: strings.Contains(m[0], "Open Kernel Module")}, true
}

// headerVersion reads CUDA_VERSION or CUDART_VERSION: 12060 is 12.6, 9020 is
// 9.2 (cuda.h: 1000 × major + 10 × minor).
func headerVersion(text string) string {
	m := cudaMacro.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	n, err := strconv.Atoi(m[2])
	if err != nil {
		return ""
	}
	return strconv.Itoa(n/1000) + "." + strconv.Itoa(n%1000/10)
}

// Versions is what a toolkit's version.json or version.txt says.
type Versions struct {
	// CUDA is the toolkit's version as it stands: 11.8.0, 12.6.3, 12.6.20241114.
	CUDA string
	// Parts maps a part (cuda_nvcc, cuda_cudart, libcublas …) to its version.
	Parts map[string]string
}

// Release is the toolkit's version without a build date: 12.6.20241114 is 12.6.
func (v Versions) Release() string {
	parts := strings.Split(v.CUDA, ".")
	for i, p := range parts {
		if len(p) > 4 {
			parts = parts[:i]
			break
		}
	}
	return strings.Join(parts, ".")
}

// ParseVersions reads version.json (since 11.1), also when it is cut off or has
// been edited into invalid JSON, and version.txt (up to 11.0).
func ParseVersions(text string) (Versions, bool) {
	text = strings.TrimPrefix(text, "\ufeff")
	v := Versions{Parts: map[string]string{}}
	var parts map[string]struct {
		Version string `json:"version"`
	}
	if err := json.Unmarshal([]byte(text), &parts); err == nil {
		for name, p := range parts {
			if dotted.MatchString(p.Version) {
				v.Parts[name] = p.Version
			}
		}
		v.CUDA = v.Parts["cuda"]
		delete(v.Parts, "cuda")
	} else if m := jsonVersion.FindStringSubmatch(text); m != nil && dotted.MatchString(m[1]) {
		v.CUDA = m[1]
	} else if m := versionTxt.FindStringSubmatch(text); m != nil {
		v.CUDA = m[1]
	}
	return v, v.CUDA != "" || len(v.Parts) > 0
}

// WindowsDriver turns the driver version of Windows' registry into NVIDIA's:
// 32.0.15.6094 is 560.94 (the last five digits).
func WindowsDriver(v string) string {
	digits := strings.ReplaceAll(v, ".", "")
	if !dotted.MatchString(v) || strings.Count(v, ".") != 3 || len(digits) < 5 {
		return ""
	}
	d := digits[len(digits)-5:]
	return strings.TrimLeft(d[:3], "0") + "." + d[3:]
}
