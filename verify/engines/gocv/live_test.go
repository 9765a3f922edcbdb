package gocv

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify/engine"
)

// TestLive compiles the worker for real. It takes a minute and needs OpenCV,
// so it runs only when asked for.
func TestLive(t *testing.T) {
	dir := os.Getenv("DEPLOYCTL_TEST_GOCV_CACHE")
	if dir == "" {
		t.Skip("set DEPLOYCTL_TEST_GOCV_CACHE to a cache folder (and DEPLOYCTL_TEST_GOCV to a release) to compile the worker for real")
	}
	release := os.Getenv("DEPLOYCTL_TEST_GOCV")
	if release == "" {
		release = "v0.31.0"
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	raw, err := exec.Command("pkg-config", "--modversion", "opencv4").Output()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Process: host.Live(), Cache: dir, Release: release, Go: goTool, OpenCVVersion: strings.TrimSpace(string(raw))}
	w, err := New(o).Prepare(context.Background(), engine.Silent{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("built %v in %v: %v", w.Built, w.BuildTime, w.Argv)
	again, err := New(o).Prepare(context.Background(), engine.Silent{})
	if err != nil || again.Built {
		t.Fatalf("second call built again: %v, %v", again.Built, err)
	}
}
