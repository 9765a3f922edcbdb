package engine

import "runtime"

// FreeMemory is what to do where memory ran out, in the words of this system; about
// says how much is needed.
func FreeMemory(about string) string { return freeMemory(runtime.GOOS, about) }

func freeMemory(goos, about string) string {
	if goos == "windows" {
		return "close other programs, or enlarge the paging file (Settings > System > About > Advanced system settings > Performance > Advanced); " + about
	}
	return "free memory or raise the limit (ulimit -v unlimited); " + about
}
