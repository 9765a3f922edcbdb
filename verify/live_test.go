package verify

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines/gocv"
	"github.com/deployctl/deployctl/verify/engines/gocv/gocvtest"
)

// TestLive proves this machine for real with the full YOLOv3. It takes a
// minute the first time and needs OpenCV, so it runs only when asked for.
func TestLive(t *testing.T) {
	live := gocvtest.Live(t)
	level, err := strconv.Atoi(os.Getenv("DEPLOYCTL_TEST_LEVEL"))
	if err != nil {
		level = LevelCheck
	}
	id, err := host.Live().CPUID()
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), Options{
		Cache: live.Cache, Picture: live.Cache + "/picture.png", Level: level, Process: live.Process, CPUFeatures: id.Features,
		Config: os.Getenv("DEPLOYCTL_TEST_CFG"), Weights: os.Getenv("DEPLOYCTL_TEST_WEIGHTS"),
		Engines: []engine.Engine{gocv.New(live)},
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
