package doctor_test

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/solve"
)

// TestPlansSayWhatDoctorSays: what a check names as the cause is repaired, and
// its symptoms are not planned for; nothing is planned on a guess.
func TestPlansSayWhatDoctorSays(t *testing.T) {
	own, shared := readAnswers(t, "testdata/windows.yaml"), readAnswers(t, "testdata/cases.yaml")
	if _, err := os.Stat(sharedCases); err != nil {
		t.Logf("without the recorded machines beside this checkout: %v", err)
		shared = nil
	}
	tables := embedded(t)
	for name, want := range map[string][]string{ // how of each change, in order
		"ok-ort-bundle":          {},
		"ok-gocv-winlibs-conda":  {},
		"openvino-opencv-no-ie":  {"setupvars.bat"},
		"cuda123-vs1711":         {"-T v143,version=14.38", "Build OpenCV 4"},
		"libtorch-driver-old":    {"527.41 or newer"},
		"libtorch-251-blackwell": {"cu128 build"},
		"openpose-490":           {"-T v140"},
		"gocv-974":               {"Open a new terminal"},
		"opencv-msvc-with-mingw": {"Build OpenCV 4"},
		"opencv-21774":           {"Move ", "Build OpenCV 4"},
		"c14-ncnn-vulkan-docker": {"NVIDIA_DRIVER_CAPABILITIES"},
	} {
		at := slices.IndexFunc(append(own, shared...), func(a rightAnswer) bool { return a.Case == name })
		if at < 0 {
			if shared == nil {
				continue
			}
			t.Fatalf("no machine %s", name)
		}
		a := append(own, shared...)[at]
		s, err := solve.Solve(t.Context(), a.recipe(t), tables, doctor.Probe(context.Background(), a.host(t), doctor.Probes(false)), solve.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var how []string
		for _, c := range s.Changes {
			how = append(how, c.How)
		}
		if !s.Feasible || len(how) != len(want) {
			t.Errorf("%s: feasible %v, %q, want %q", name, s.Feasible, how, want)
			continue
		}
		for i := range want {
			if !strings.Contains(how[i], want[i]) {
				t.Errorf("%s: change %d is %q, want %q", name, i+1, how[i], want[i])
			}
		}
	}
}
