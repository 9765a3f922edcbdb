package engine

import (
	"runtime"

	"github.com/deployctl/deployctl/recipes/library/lang"
)

// FreeMemory is what to do where memory ran out, in the words of this system; about
// says how much is needed.
func FreeMemory(about string) string { return freeMemory(runtime.GOOS, about) }

func freeMemory(goos, about string) string {
	if goos == "windows" {
		return lang.F("close other programs, or enlarge the paging file (Settings > System > About > Advanced system settings > Performance > Advanced); %s", about)
	}
	return lang.F("free memory or raise the limit (ulimit -v unlimited); %s", about)
}
