package loader

import (
	"context"
	"path"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
)

// PreloadFile lists libraries that glibc's loader loads into every program
// (ld.so(8)).
const PreloadFile = "/etc/ld.so.preload"

// Preload is a library that the loader is told to load before a program's own.
type Preload struct {
	Name string // as written: a path, or a name to search for
	From string // LD_PRELOAD or the file
}

// Preloads lists what glibc's loader is told to load into every program: names
// parted by blanks or colons, in the file also by line ends, with comments from
// "#" on (ld.so(8); elf/rtld.c, do_preload).
func Preloads(ctx context.Context, h *host.Host) []Preload {
	var out []Preload
	add := func(text, from string) {
		for _, name := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" :\t\r\n", r) }) {
			if len(out) < maxIncludes {
				out = append(out, Preload{name, from})
			}
		}
	}
	add(h.Env("LD_PRELOAD"), "LD_PRELOAD")
	if text, err := h.Text(ctx, PreloadFile); err == nil {
		for line := range strings.SplitSeq(text, "\n") {
			line, _, _ = strings.Cut(line, "#")
			add(line, PreloadFile)
		}
	}
	return out
}

// File is where the loader finds a preloaded library; "" where it does not, and
// known is false where that cannot be said.
func (l *Libraries) File(ctx context.Context, p Preload) (file string, known bool) {
	switch {
	case strings.Contains(p.Name, "$"): // $LIB and its like
		return "", false
	case strings.Contains(p.Name, "/"):
		if !path.IsAbs(p.Name) {
			return "", false // relative to wherever a program is started
		}
		if _, err := l.h.Stat(ctx, p.Name); err != nil {
			return "", host.IsNotExist(err)
		}
		return p.Name, true
	}
	if file, _ := l.Find(ctx, p.Name); file != "" {
		return file, true
	}
	return "", l.CacheErr == nil && len(l.Cache) > 0
}
