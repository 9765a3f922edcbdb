package cuda

import (
	"context"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// The forms in which include/crt/host_config.h (include/host_config.h before
// CUDA 9) states the host compilers that a toolkit takes: the condition on
// _MSC_VER, and the numbers in the messages on GCC and Clang.
var (
	mscWindow = lazyregexp.New(`(?m)^#if _MSC_VER < (\d{4}) \|\| _MSC_VER (>=?) (\d{4})`)
	// The release candidate of CUDA 8.0 refuses an update of Visual Studio 2015 besides.
	mscUpdate = lazyregexp.New(`_MSC_VER == 1900 && _MSC_FULL_VER >= 1900(\d{5})\b.*\n\s*#error`)
	gccLimit  = lazyregexp.New(`gcc versions later than (\d{1,2})(?:\.\d+)? are not supported`)
	clangLess = lazyregexp.New(`clang version must be less than (\d{1,2})\b`)
	// The condition above that message, which the message does not repeat rightly: in
	// CUDA 12.2.2 and 12.3 it says 16 where 17 is refused (host_config.h in NVIDIA's
	// wheels nvidia-cuda-nvcc-cu12 12.2.140 and 12.3.107).
	clangFrom = lazyregexp.New(`(?m)^#if \(__clang_major__ >= (\d{1,2})\).*\n\s*#error -- unsupported clang version!`)
)

// ParseHostConfig reads the compilers that a toolkit's host_config.h accepts:
// msc_ver_min and msc_ver_max (values of _MSC_VER), msc_2015_below (the build of Visual
// Studio 2015's compiler that is refused with all later ones), gcc_max and clang_max (major
// versions), each inclusive. What the text does not state is left out.
func ParseHostConfig(text string) map[string]string {
	out := map[string]string{}
	if m := mscWindow.FindStringSubmatch(text); m != nil {
		// Four digits always fit an int.
		low, errLow := strconv.Atoi(m[1])
		high, errHigh := strconv.Atoi(m[3])
		if m[2] == ">=" {
			high--
		}
		if errLow == nil && errHigh == nil && low <= high {
			out["msc_ver_min"], out["msc_ver_max"] = strconv.Itoa(low), strconv.Itoa(high)
		}
	}
	if m := mscUpdate.FindStringSubmatch(text); m != nil {
		out["msc_2015_below"] = m[1]
	}
	if m := gccLimit.FindStringSubmatch(text); m != nil {
		out["gcc_max"] = m[1]
	}
	m := clangFrom.FindStringSubmatch(text)
	if m == nil {
		m = clangLess.FindStringSubmatch(text)
	}
	if m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && n > 1 {
			out["clang_max"] = strconv.Itoa(n - 1)
		}
	}
	return out
}

// limits adds to a toolkit what its own header says of host compilers; that
// counts before any table.
func (p *probe) limits(ctx context.Context, k *kit) {
	for _, name := range []string{"crt/host_config.h", "host_config.h"} {
		f := p.h.Join(k.include, name)
		text, err := p.h.Text(ctx, f)
		if err != nil {
			p.unreadable(err, Toolkit, NVCC)
			continue
		}
		found := ParseHostConfig(text)
		if len(found) == 0 {
			continue // a file that only includes the other
		}
		for key, value := range found {
			k.attrs[key] = value
		}
		k.note("header", f, "the host compilers it accepts")
		return
	}
}

// gccName is a GCC's program with its version: gcc-11, x86_64-linux-gnu-g++-13.
var gccName = lazyregexp.New(`(?:^|[/-])g(?:cc|\+\+)-(\d+)$`)

// hostGCC is the major version of the GCC that nvcc is told to call instead of the
// one on PATH: by a variable (CUDA Compiler Driver documentation, NVCC_CCBIN and
// NVCC_PREPEND_FLAGS; CMake's CUDAHOSTCXX), or by a link in nvcc's own folder, which
// it searches first, as Debian's package has.
func (p *probe) hostGCC(ctx context.Context, k *kit) string {
	if p.h.Windows() || k.nvcc == "" {
		return ""
	}
	var programs []string
	words := strings.Fields(strings.ReplaceAll(p.h.Env("NVCC_PREPEND_FLAGS"), "=", " "))
	for i := range words {
		if i > 0 && (words[i-1] == "-ccbin" || words[i-1] == "--compiler-bindir") {
			programs = append(programs, words[i])
		}
	}
	programs = append(programs, p.h.Env("NVCC_CCBIN"), p.h.Env("CUDAHOSTCXX"), k.bin+"/gcc")
	if k.root == "/usr" {
		programs = append(programs, "/usr/lib/nvidia-cuda-toolkit/bin/gcc")
	}
	for _, program := range programs {
		if program == "" || program == "/usr/bin/gcc" {
			continue
		}
		if !strings.Contains(program, "/") {
			found := p.h.LookPath(ctx, program)
			if len(found) == 0 {
				continue
			}
			program = found[0]
		}
		if !p.h.Exists(ctx, program) {
			continue
		}
		for _, name := range []string{program, p.h.Real(ctx, program)} {
			if m := gccName.FindStringSubmatch(name); m != nil {
				return m[1]
			}
		}
	}
	return ""
}
