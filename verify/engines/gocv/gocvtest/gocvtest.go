// Package gocvtest gives tests the OpenCV of this machine.
package gocvtest

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify/engines/gocv"
)

// Live are the options of the gocv engine of this machine, for which its worker
// is compiled for real. That takes a minute and needs OpenCV, so the test is
// skipped where it was not asked for.
func Live(t testing.TB) gocv.Options {
	t.Helper()
	dir := os.Getenv("DEPLOYCTL_TEST_GOCV_CACHE")
	if dir == "" {
		t.Skip("set DEPLOYCTL_TEST_GOCV_CACHE to a cache folder (and DEPLOYCTL_TEST_GOCV to a release) to run networks through this machine's OpenCV")
	}
	release := os.Getenv("DEPLOYCTL_TEST_GOCV")
	if release == "" {
		release = "v0.31.0"
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	opencv, err := exec.Command("pkg-config", "--modversion", "opencv4").Output()
	if err != nil {
		t.Fatal(err)
	}
	return gocv.Options{Process: host.Live(), Cache: dir, Release: release, Go: goTool, OpenCVVersion: strings.TrimSpace(string(opencv))}
}
