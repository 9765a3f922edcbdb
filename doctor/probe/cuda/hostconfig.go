package cuda

import (
	"context"
	"regexp"
	"strconv"
	"sync"
)

// The forms in which include/crt/host_config.h (include/host_config.h before
// CUDA 9) states the host compilers that a toolkit takes: the condition on
// _MSC_VER, and the numbers in the messages on GCC and Clang.
var (
	mscWindow = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`(?m)^#if _MSC_VER < (\d{4}) \|\| _MSC_VER (>=?) (\d{4})`)
	})
	gccLimit = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`gcc versions later than (\d{1,2})(?:\.\d+)? are not supported`)
	})
	clangLess = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`clang version must be less than (\d{1,2})\b`) })
)

// ParseHostConfig reads the compilers that a toolkit's host_config.h accepts:
// msc_ver_min and msc_ver_max (values of _MSC_VER), gcc_max and clang_max (major
// versions), each inclusive. What the text does not state is left out.
func ParseHostConfig(text string) map[string]string {
	out := map[string]string{}
	if m := mscWindow().FindStringSubmatch(text); m != nil {
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
	if m := gccLimit().FindStringSubmatch(text); m != nil {
		out["gcc_max"] = m[1]
	}
	if m := clangLess().FindStringSubmatch(text); m != nil {
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
