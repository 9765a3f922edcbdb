package verify

import (
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/gocv"
)

// TestLive proves this machine for real with the full YOLOv3. It takes a
// minute the first time and needs OpenCV, so it runs only when asked for.
func TestLive(t *testing.T) {
	dir := os.Getenv("DEPLOYCTL_TEST_GOCV_CACHE")
	if dir == "" {
		t.Skip("set DEPLOYCTL_TEST_GOCV_CACHE to a cache folder (and DEPLOYCTL_TEST_GOCV to a release) to prove this machine for real")
	}
	release := os.Getenv("DEPLOYCTL_TEST_GOCV")
	if release == "" {
		release = "v0.31.0"
	}
	level, err := strconv.Atoi(os.Getenv("DEPLOYCTL_TEST_LEVEL"))
	if err != nil {
		level = LevelCheck
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	opencv, err := exec.Command("pkg-config", "--modversion", "opencv4").Output()
	if err != nil {
		t.Fatal(err)
	}
	h := host.Live()
	id, err := h.CPUID()
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), Options{
		Cache: dir, Picture: dir + "/picture.png", Level: level, Process: h, CPUFeatures: id.Features,
		Config: os.Getenv("DEPLOYCTL_TEST_CFG"), Weights: os.Getenv("DEPLOYCTL_TEST_WEIGHTS"),
		Engines: []engine.Engine{gocv.New(gocv.Options{
			Process: h, Cache: dir, Release: release, Go: goTool, OpenCVVersion: strings.TrimSpace(string(opencv)),
		})},
	})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := Render(&text, r, false); err != nil {
		t.Fatal(err)
	}
	doc, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s\n%s", &text, doc)
	if r.State != OK {
		t.Fatalf("state is %s", r.State)
	}
}
