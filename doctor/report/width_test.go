package report_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/report"
	"github.com/deployctl/deployctl/recipes"
)

var update = flag.Bool("update", false, "write golden files")

// TestWidths: at 60, 80 and 120 columns no number, path or command is divided
// where it fits on a line, and what others depend on comes first.
func TestWidths(t *testing.T) {
	f := machine(nil)
	j := &judge.Judgement{Recipe: &recipes.Recipe{Name: "opencv-cuda", Title: "OpenCV with CUDA"}, Facts: f, Findings: []judge.Finding{
		{ID: "opencv.cuda", Title: "OpenCV with CUDA", State: judge.Fail, Found: "opencv 4.6.0 was built without CUDA and takes 149 MB of disk space, about 2 min", Fix: "Build OpenCV 4 with -DWITH_CUDA=ON."},
		{ID: "cuda.version", Title: "CUDA toolkit", State: judge.Fail, Found: "not installed", Fix: `Add C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v12.4\bin to PATH.`},
		{ID: "visual-studio.cxx", Title: "Visual Studio", State: judge.Fail, Found: "not installed", Fix: "winget install --exact --id Microsoft.VisualStudio.2022"},
		{ID: "memory.total", Title: "Memory", State: judge.OK, Found: "8.0 GiB"},
	}}
	r := report.New(j, false)
	r.Fixable, r.FixCommand = true, "deployctl doctor --fix --recipe opencv-cuda"
	for _, width := range []int{60, 80, 120} {
		var b strings.Builder
		if err := r.WriteText(&b, report.Style{Width: width}); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		whole := []string{"149 MB", "2 min", "8.0 GiB", "deployctl doctor --fix --recipe opencv-cuda."}
		if width > 60 {
			whole = append(whole, `C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v12.4\bin`, "winget install --exact --id Microsoft.VisualStudio.2022")
		}
		for _, w := range whole {
			if !strings.Contains(text, w) {
				t.Errorf("at %d columns %q is divided:\n%s", width, w, text)
			}
		}
		if vs, cuda, cv := strings.Index(text, "[visual-studio.cxx]"), strings.Index(text, "[cuda.version]"), strings.Index(text, "[opencv.cuda]"); vs < 0 || vs > cuda || cuda > cv {
			t.Errorf("order at %d columns:\n%s", width, text)
		}
		golden := filepath.Join("testdata", fmt.Sprintf("width-%d.txt", width))
		if *update {
			if err := os.WriteFile(golden, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if text != string(want) {
			t.Errorf("%s (run with -update to accept):\n%s", golden, text)
		}
	}
}
