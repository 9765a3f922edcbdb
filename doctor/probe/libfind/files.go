package libfind

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/doctor/probe/loader"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Extra are folders that only the caller knows: those of CUDA's toolkits.
type Extra struct{ Libs, Include []string }

// Files finds the rows of the table whose every file is a copy: libraries that
// programs load by name, with headers that may lie elsewhere. A copy's Path is
// the library, or the folder of headers that belong to none.
func Files(ctx context.Context, h *host.Host, extra Extra, components ...string) (facts.Facts, error) {
	return find(ctx, h, &extra, components...)
}

func (w *world) files(ctx context.Context, extra Extra) {
	var searched []string
	if w.h.Windows() {
		searched = w.searched()
	} else {
		w.libs = loader.Open(ctx, w.h)
	}
	for _, s := range w.searches {
		if w.h.Windows() {
			s.allDLLs(ctx, append(slices.Clone(searched), extra.Libs...), len(searched))
		} else {
			for _, dir := range s.ownDirs(ctx, append(w.libs.Dirs(ctx), extra.Libs...), nil) {
				s.libraries(ctx, dir)
			}
			if s.spec.versioned() {
				// Programs load libcudnn.so.9; libcudnn.so alone is for the linker.
				s.copies = slices.DeleteFunc(s.copies, func(c *copyOf) bool { return parseSuffix(c.soname) == "" })
			}
			s.loaded(ctx)
		}
		s.settleFiles()
		s.fileHeaders(ctx, extra.Include)
	}
}

// settleFiles picks the active copy: the DLL that the search order finds first;
// of several majors that the loader finds side by side, the newest.
func (s *search) settleFiles() {
	var active *copyOf
	for _, c := range s.copies {
		if len(c.via) > 0 && (active == nil || !s.h.Windows() && look.Newer(c.version, active.version)) {
			active = c
		}
	}
	if active != nil {
		active.active = true
	}
}

// fileHeaders joins headers to the library of their version, and says when the
// active library is not it.
func (s *search) fileHeaders(ctx context.Context, bases []string) {
	for _, v := range s.spec.env {
		if d := s.envPath(v); d != "" {
			bases = append([]string{d, s.h.Join(d, "include")}, bases...)
		}
	}
	place := `C:\`
	if !s.h.Windows() {
		place = "/opt"
		bases = append(bases, s.includeDirs()...)
	}
	for _, e := range s.list(ctx, place) {
		if s.known(e.Name) {
			bases = append(bases, s.h.Join(place, e.Name, "include"))
		}
	}
	if !s.h.Windows() && s.spec.versioned() {
		// Python's wheels of cuDNN have libcudnn.so.9 and no longer name; what is
		// beside it says which release it is.
		for _, c := range s.copies {
			if c.libDir != "" && !strings.Contains(c.version, ".") {
				bases = append(bases, s.h.Join(s.h.DirOf(c.libDir), "include"))
			}
		}
	}
	seen := map[string]bool{}
	var first *copyOf // with headers
	for _, b := range bases {
		if b == "" {
			continue
		}
		file, _, version, _ := s.findHeaders(ctx, b)
		if real := s.real(ctx, file); file == "" || seen[real] || version == "" && s.spec.versioned() {
			continue
		} else {
			seen[real] = true
		}
		c := s.ofVersion(version)
		if c == nil && !s.spec.versioned() {
			continue // headers of no release say nothing of a library
		}
		if c == nil {
			c = s.add(&copyOf{prefix: b})
		}
		c.version = better(c.version, version)
		c.include = cmp.Or(c.include, b)
		c.note("header", file, strings.TrimSpace("headers of "+version))
		if first == nil {
			first = c
		}
	}
	if !s.spec.versioned() {
		return
	}
	active := slices.IndexFunc(s.copies, func(c *copyOf) bool { return c.active })
	switch {
	case active < 0 && len(s.copies) == 1:
		s.copies[0].active = true
	case active < 0 && first != nil:
		first.active = true
	case active >= 0 && first != nil && s.copies[active].include == "":
		c := s.copies[active]
		c.conflict = lang.F("the loader finds %s %s (%s), but the headers in %s are %s", s.spec.component, c.version, s.h.Base(c.lib), first.include, first.version)
	}
}

// ofVersion is the library that headers can belong to, the active one first.
func (s *search) ofVersion(version string) *copyOf {
	var found *copyOf
	for _, c := range s.copies {
		if agree(c.version, version) && (found == nil || c.active) {
			found = c
		}
	}
	return found
}

// numberedDLL reads DLLs whose name is a prefix and the version's digits
// (cudnn64_9.dll); each version is a copy of its own.
func numberedDLL(prefix string, version func(digits string) string) func(string) (dllOf, bool) {
	return func(name string) (dllOf, bool) {
		digits, ok := strings.CutPrefix(strings.TrimSuffix(strings.ToLower(name), ".dll"), prefix)
		if !ok || digits == "" || strings.Trim(digits, "0123456789") != "" {
			return dllOf{}, false
		}
		return dllOf{version: version(digits)}, true
	}
}

func asItIs(digits string) string { return digits }

// cudartRelease reads the number in cudart64_NUMBER.dll: 80 is 8.0, 110 is 11.0
// and serves all of 11, 12 is 12.
func cudartRelease(number string) string {
	switch {
	case len(number) == 2 && number[0] >= '2':
		return number[:1] + "." + number[1:]
	case len(number) == 3:
		return number[:2] + "." + number[2:]
	}
	return number
}

// tensorrtRelease reads NvInferVersion.h; since 10 the macros name others.
func tensorrtRelease(d map[string]string) string {
	out := map[string]string{}
	for k, v := range d {
		out[k] = v
		if to, ok := d[v]; ok {
			out[k] = to
		}
	}
	return joined(out, "NV_TENSORRT_MAJOR", "NV_TENSORRT_MINOR", "NV_TENSORRT_PATCH", "NV_TENSORRT_BUILD")
}
