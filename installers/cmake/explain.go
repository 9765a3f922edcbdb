package cmake

import (
	"regexp"
	"strings"

	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// outOfMemory marks a compiler that the kernel killed.
const outOfMemory step.Kind = "out-of-memory"

// What GCC, Clang, CMake and the linkers write of a build's end.
var (
	reHeader   = lazyregexp.New(`fatal error: '?([^\s':]+)'?(?:: No such file or directory| file not found)`)
	reNotFound = lazyregexp.New(`Could NOT find ([A-Za-z0-9_+.-]+)|Could not find a package configuration file provided by "([^"]+)"`)
	reOldCMake = lazyregexp.New(`CMake ([\d.]+) or higher is required`)
	reLibrary  = lazyregexp.New(`cannot find -l([\w.+-]+)|library '?([\w.+-]+)'? not found`)
	reError    = lazyregexp.New(`(?:^|: )(?:fatal )?error: (.+)`)
)

// Explain names the cause of a failed stage from its last lines. It never
// returns nil.
func Explain(stage string, exit int, lines []string) *step.Failure {
	text := strings.Join(lines, "\n")
	f := &step.Failure{Kind: step.Other}
	find := func(re *regexp.Regexp) string {
		for _, l := range lines {
			m := re.FindStringSubmatch(l)
			for i := 1; i < len(m); i++ {
				if m[i] != "" {
					f.Detail = append(f.Detail, step.Clean(l, 300))
					return step.Clean(m[i], 200)
				}
			}
		}
		return ""
	}
	switch {
	case strings.Contains(text, "Killed signal terminated program"), strings.Contains(text, "virtual memory exhausted"), strings.Contains(text, "out of memory allocating"), strings.Contains(text, "LLVM ERROR: out of memory"):
		f.Kind, f.Cause, f.Next = outOfMemory, lang.T("the compiler was killed because the memory ran out"), lang.T("close other programs or add swap, then run deployctl again: the build goes on from there")
		return f
	case strings.Contains(text, "No space left on device"):
		f.Kind, f.Cause, f.Next = step.DiskFull, lang.T("the disk filled up while building"), lang.T("free some disk space, then run deployctl again: the build goes on from there")
		return f
	}
	if v := find(reOldCMake.Get()); v != "" {
		f.Cause, f.Next = lang.F("this CMake is too old: %s is needed", v), lang.T("install a newer CMake, then run deployctl again: the build goes on from there")
		return f
	}
	if name := find(reNotFound.Get()); name != "" && stage == Configure && strings.Contains(text, "CMake Error") {
		f.Cause, f.Next = lang.F("CMake does not find %s", name), lang.T("install its development files, then run deployctl again: the build goes on from there")
		return f
	}
	if header := find(reHeader.Get()); header != "" {
		f.Cause, f.Next = lang.F("the compiler does not find the header %s", header), lang.T("install the development files that have it, then run deployctl again: the build goes on from there")
		return f
	}
	if lib := find(reLibrary.Get()); lib != "" {
		f.Cause, f.Next = lang.F("the linker does not find the library %s", lib), lang.T("install its development files, then run deployctl again: the build goes on from there")
		return f
	}
	if what := find(reError.Get()); what != "" {
		f.Cause, f.Next = lang.F("the %s stage failed: %s", lang.T(stage), what), lang.T("read the log, fix what it says, then run deployctl again: the build goes on from there")
		return f
	}
	return pkgmgr.Unexplained(lang.F("the %s stage", lang.T(stage)), exit, lines)
}
