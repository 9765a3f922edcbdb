package cmake

import (
	"regexp"
	"strings"
	"sync"

	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

// outOfMemory marks a compiler that the kernel killed.
const outOfMemory step.Kind = "out-of-memory"

// What GCC, Clang, CMake and the linkers write of a build's end.
var (
	reHeader = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`fatal error: '?([^\s':]+)'?(?:: No such file or directory| file not found)`)
	})
	reNotFound = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`Could NOT find ([A-Za-z0-9_+.-]+)|Could not find a package configuration file provided by "([^"]+)"`)
	})
	reOldCMake = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`CMake ([\d.]+) or higher is required`) })
	reLibrary  = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`cannot find -l([\w.+-]+)|library '?([\w.+-]+)'? not found`)
	})
	reError = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?:^|: )(?:fatal )?error: (.+)`) })
)

// Explain names the cause of a failed stage from its last lines. It never
// returns nil.
func Explain(stage string, exit int, lines []string) *step.Failure {
	text := strings.Join(lines, "\n")
	again := "then run deployctl again: the build goes on from there"
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
		f.Kind, f.Cause, f.Next = outOfMemory, "the compiler was killed because the memory ran out", "close other programs or add swap, "+again
		return f
	case strings.Contains(text, "No space left on device"):
		f.Kind, f.Cause, f.Next = step.DiskFull, "the disk filled up while building", "free some disk space, "+again
		return f
	}
	if v := find(reOldCMake()); v != "" {
		f.Cause, f.Next = "this CMake is too old: "+v+" is needed", "install a newer CMake, "+again
		return f
	}
	if name := find(reNotFound()); name != "" && stage == Configure && strings.Contains(text, "CMake Error") {
		f.Cause, f.Next = "CMake does not find "+name, "install its development files, "+again
		return f
	}
	if header := find(reHeader()); header != "" {
		f.Cause, f.Next = "the compiler does not find the header "+header, "install the development files that have it, "+again
		return f
	}
	if lib := find(reLibrary()); lib != "" {
		f.Cause, f.Next = "the linker does not find the library "+lib, "install its development files, "+again
		return f
	}
	if what := find(reError()); what != "" {
		f.Cause, f.Next = "the "+stage+" stage failed: "+what, "read the log, fix what it says, "+again
		return f
	}
	return pkgmgr.Unexplained("the "+stage+" stage", exit, lines)
}
