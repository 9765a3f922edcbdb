package verify

import (
	"github.com/deployctl/deployctl/recipes/library/lang"
	"github.com/deployctl/deployctl/verify/engine"
)

// What a proof needs of the limits of this process, measured with YOLOv3 at
// 416×416 on two processors: with 3.2 GB of address space the Go runtime ends
// this program with a crash report while the reference computes in float64, with
// 3.4 GB all is well; the small commands need 1.5 GB. Below 24 descriptors the
// probes begin to fail.
const (
	leastSpace = 1_500_000_000
	leastFiles = 32
)

// CheckLimits says beforehand which limit of this process (ulimit) is too low
// for a network of so many parameters; the Go runtime would only crash.
func CheckLimits(params int) error {
	return checkLimits(engine.AddressSpace(), engine.OpenFiles(), params)
}

// checkLimits has the limits as arguments; 0 is none.
func checkLimits(space, files uint64, params int) error {
	need := uint64(leastSpace) + 8*4*uint64(params)
	switch {
	case files > 0 && files < leastFiles:
		return lang.Errorf("this process may have only %d files open, which is too few: raise the limit (ulimit -n 1024) and run again", files)
	case space > 0 && space < need:
		return lang.Errorf("the address space of this process is limited to %.1f GB, the proof needs %.1f GB: raise the limit (ulimit -v unlimited) and run again",
			float64(space)/1e9, float64(need)/1e9)
	}
	return nil
}
