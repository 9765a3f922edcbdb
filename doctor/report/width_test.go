package report_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
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
	r.Fix = &report.Fix{Command: "deployctl doctor --fix --recipe opencv-cuda", Findings: []string{"cuda.version", "visual-studio.cxx"}, DownloadBytes: 149e6, Minutes: 2}
	for _, width := range []int{60, 80, 120} {
		var b strings.Builder
		if err := r.WriteText(&b, report.Style{Width: width}); err != nil {
			t.Fatal(err)
		}
		text := b.String()
		whole := []string{"149 MB", "2 min", "8.0 GiB", "`deployctl doctor --fix --recipe opencv-cuda`"}
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

// TestClosing: the last sentence says what is missing and what to run, for how many
// of the problems, and never a command that fixes none.
func TestClosing(t *testing.T) {
	missing := func(id, title string) judge.Finding {
		return judge.Finding{ID: id, Title: title, State: judge.Fail, Cause: judge.NotInstalled, Found: "not installed"}
	}
	opencv, cuda, cudnn := missing("opencv.version", "OpenCV 4"), missing("cuda.version", "CUDA Toolkit"), missing("cudnn.version", "cuDNN")
	broken := judge.Finding{ID: "opencv.cpu", Title: "OpenCV for this CPU", State: judge.Fail}
	byHand := judge.Finding{ID: "msvc.toolset", Title: "MSVC toolset", State: judge.Fail, Fix: "-T v141"}
	warning := judge.Finding{ID: "ninja.present", Title: "Ninja", State: judge.Warn}
	fix := func(ids ...string) *report.Fix {
		return &report.Fix{Command: "deployctl doctor --fix", Findings: ids, DownloadBytes: 149e6, Minutes: 2}
	}
	for _, c := range []struct {
		name     string
		findings []judge.Finding
		fix      *report.Fix
		want     string
	}{
		{"one", []judge.Finding{opencv}, fix("opencv.version"), "1 problem: OpenCV 4 is missing. Run `deployctl doctor --fix` (149 MB, about 2 min)."},
		{"one of two", []judge.Finding{opencv, cuda}, fix("opencv.version"), "2 problems: CUDA Toolkit and OpenCV 4 are missing. Run `deployctl doctor --fix` for 1 of them (149 MB, about 2 min)."},
		{"three and another", []judge.Finding{opencv, cuda, cudnn, broken}, nil, "4 problems: CUDA Toolkit, cuDNN, and OpenCV 4 are missing; OpenCV for this CPU."},
		{"only a warning is fixed", []judge.Finding{broken, warning}, fix("ninja.present"), "1 problem: OpenCV for this CPU."},
		{"one by hand", []judge.Finding{byHand}, nil, "1 problem: MSVC toolset. Fix it as shown above, then run `deployctl doctor` again."},
		{"two by hand", []judge.Finding{byHand, broken}, nil, "2 problems: MSVC toolset; OpenCV for this CPU. Fix them as shown above, from the top, then run `deployctl doctor` again."},
		{"one twice", []judge.Finding{byHand, byHand}, nil, "2 problems: MSVC toolset. Fix them as shown above, from the top, then run `deployctl doctor` again."},
		{"the same copy twice, and a skipped one that has a copy", []judge.Finding{
			{ID: "mingw.cgo", State: judge.OK, Version: "8.1.0", Found: "MinGW-w64 8.1.0, posix"}, {ID: "mingw.version", State: judge.OK, Version: "8.1.0", Found: "MinGW-w64 8.1.0"},
			{ID: "cuda.vs", Title: "CUDA in Visual Studio", State: judge.Skipped, Version: "8.0", Found: "not checked"},
		}, nil, "No problems found for r."},
		{"a warning", []judge.Finding{warning}, fix("ninja.present"), "No problems found for r, 1 warning. Run `deployctl doctor --fix` (149 MB, about 2 min)."},
		{"nothing to download", []judge.Finding{broken}, &report.Fix{Command: "deployctl doctor --fix", Findings: []string{"opencv.cpu"}, Minutes: 0.1}, "1 problem: OpenCV for this CPU. Run `deployctl doctor --fix` (about 6 s)."},
		{"healthy", nil, nil, "No problems found for r."},
		{"all skipped", []judge.Finding{{ID: "a", Title: "A", State: judge.Skipped}}, nil, "Nothing was checked for r: 1 selected requirement skipped. Add --all to see why."},
		{"another system", []judge.Finding{{ID: "os", Title: "Windows", State: judge.Fail, Cause: judge.OtherSystem}, {ID: "a", Title: "A", State: judge.Skipped, Version: "1"}}, nil, "The recipe r is not for this system."},
		{"an article", []judge.Finding{opencv, {ID: "go.cache", Title: "A folder for Go's build cache", State: judge.Fail}}, nil, "2 problems: OpenCV 4 is missing; no folder for Go's build cache."},
		{"no package manager", []judge.Finding{opencv}, nil, "1 problem: OpenCV 4 is missing. deployctl can install nothing here: it found no package manager (apt, apk, brew, dnf, pacman, zypper). Install by hand what is missing, then run `deployctl doctor` again."},
		{"no package manager, and nothing to install", []judge.Finding{broken}, nil, "1 problem: OpenCV for this CPU."},
	} {
		f := machine(nil)
		f.OS.Family, f.Components = "linux", map[string][]facts.Instance{"apt": {{}}}
		if strings.HasPrefix(c.name, "no package manager") {
			f.Components = nil
		}
		r := report.New(&judge.Judgement{Recipe: &recipes.Recipe{Name: "r"}, Facts: f, Findings: c.findings}, false)
		r.Fix = c.fix
		var b strings.Builder
		if err := r.WriteText(&b, report.Style{}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "8.1.0, ") || strings.Contains(b.String(), "not checked") {
			t.Errorf("%s:\n%s", c.name, b.String())
		}
		lines := strings.Split(strings.TrimSpace(b.String()), "\n")
		if got := lines[len(lines)-1]; got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
