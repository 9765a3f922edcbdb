package solve_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/deployctl/deployctl/doctor/solve"
)

// TestPlanWidths: a plan fits 60, 80 and 120 columns, later lines of a row stand
// under its text, and a step that makes two changes is listed once.
func TestPlanWidths(t *testing.T) {
	const how = "Install CUDA Toolkit 12.9.1, which has code for this GPU (compute capability 6.1), from NVIDIA's CUDA archive."
	s := &solve.Solution{Recipe: "opencv-cuda", Feasible: true, Changes: []solve.Change{
		{Component: "cuda", Action: solve.Install, To: "12.9.1", How: how, Why: []string{"cuda.version: it is not installed"}, Cost: solve.Cost{DownloadBytes: 3e9, Minutes: 10}},
		{Component: "cudnn", Action: solve.Install, To: "9.10.2", How: how, Why: []string{"cudnn.version: it is not installed", "cuda.version: it is not installed"}, Cost: solve.Cost{DownloadBytes: 1e9, Minutes: 2}},
		{Component: "cmake", Action: solve.Upgrade, From: "3.10.1", To: "4.2", How: "sudo apt-get install cmake", Why: []string{"cmake.version: requires cmake >= 3.13; this is cmake 3.10.1"}},
	}}
	for _, width := range []int{60, 80, 120} {
		var b strings.Builder
		if err := s.WriteText(&b, width); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		for line := range strings.SplitSeq(text, "\n") {
			if utf8.RuneCountInString(line) > width {
				t.Errorf("%d columns: a line has %d: %q", width, utf8.RuneCountInString(line), line)
			}
		}
		whole := strings.Join(strings.Fields(text), " ")
		for _, want := range []string{
			"needs 2 changes", "1. Install CUDA Toolkit 12.9.1; Install cuDNN 9.10.2", "how " + how, "about 4 GB to download, about 12 min", "2. Upgrade CMake from 3.10.1 to 4.2",
		} {
			if !strings.Contains(whole, want) {
				t.Errorf("%d columns: no %q in\n%s", width, want, text)
			}
		}
		if strings.Count(whole, how) != 1 || strings.Count(whole, "cuda.version") != 1 {
			t.Errorf("%d columns: a step is listed twice:\n%s", width, text)
		}
		if width == 60 && !strings.Contains(text, "\n         which has") && !strings.Contains(text, "\n         (compute") && !strings.Contains(text, "\n         this GPU") && !strings.Contains(text, "\n         for this") {
			t.Errorf("later lines do not stand under the text:\n%s", text)
		}
	}
}
