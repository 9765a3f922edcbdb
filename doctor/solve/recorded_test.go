package solve_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/doctor/solve"
	"github.com/deployctl/deployctl/recipes"
)

// TestRecorded walks the whole way: files and registry of a host, through the
// real probes, to diagnosis and plan. The golden files begin with the reasoning
// of a person (lines with #).
func TestRecorded(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	windows := []string{"windows-11", "windows-media-foundation", "windows-vcredist", "windows-sdk-22621"}
	with := func(more ...string) []string { return append(append([]string{}, windows...), more...) }
	for _, tt := range []struct {
		name   string
		parts  []string
		recipe string
		set    map[string]string
	}{
		{"vs2022-17.10-cuda-12.1", with("windows-cuda-12.1", "windows-cudnn-8.9", "windows-vs2022-17.10", "windows-workstation"), "opencv-cuda", nil},
		{"cuda-before-vs2022", with("windows-cuda-12.1", "windows-cudnn-8.9", "windows-vs2022-after-cuda", "windows-workstation"), "opencv-cuda", nil},
		{"vs2026-cuda-12.1", with("windows-cuda-12.1", "windows-cudnn-8.9", "windows-vs2026", "windows-workstation"), "opencv-cuda", nil},
		{"no-gpu", with("windows-cuda-12.1", "windows-vs2022-17.10"), "opencv-cuda", nil},
		{"vs2019-build-tools-openpose-cpu", with("windows-vs2019-buildtools", "windows-workstation"), "openpose-windows", map[string]string{"gpu": "cpu"}},
		{"vs2015-openpose-1.6.0-cuda", with("windows-vs2015", "windows-workstation"), "openpose-windows", map[string]string{"release": "1.6.0"}},
		{"vs-incomplete", with("windows-vs-incomplete", "windows-workstation"), "opencv-source", nil},
		{"two-vs2022", with("windows-vs2022-two-instances", "windows-workstation"), "opencv-source", nil},
		{"server-2022-openpose-portable", []string{"windows-11", "windows-server-2022", "windows-vcredist", "windows-workstation"}, "openpose-windows", map[string]string{"portable": "yes"}},
		{"windows-10-n-openpose-portable", []string{"windows-11", "windows-10-n", "windows-workstation"}, "openpose-windows", map[string]string{"portable": "yes"}},
		{"three-mingw-gocv", with("windows-workstation", "windows-mingw-three"), "gocv-windows", nil},
		{"macos-15-gocv", []string{"macos-15-arm64"}, "gocv-macos", nil},
		{"macos-15-executorch", []string{"macos-15-arm64"}, "executorch", nil},
		{"bare-windows-11", []string{"plans/bare-windows-11"}, "opencv-cuda", nil},
		{"gtx-1080", []string{"plans/gtx-1080"}, "opencv-cuda", nil},
		{"rtx-2050-cuda-10.2", []string{"plans/rtx-2050-cuda-10.2"}, "opencv-cuda", nil},
		{"rtx-4090-openpose", []string{"plans/rtx-4090"}, "openpose-windows", nil},
		{"rtx-5090", []string{"plans/rtx-5090"}, "opencv-cuda", nil},
		{"unknown-card", []string{"plans/unknown-card"}, "opencv-cuda", nil},
		{"h100-cuda-11.8", []string{"unix/ubuntu-22.04", "plans/h100", "plans/cuda-11.8"}, "opencv-cuda", nil},
		{"gt-630m", []string{"plans/gt-630m"}, "opencv-cuda", nil},
		{"xavier-nx", []string{"plans/xavier-nx"}, "opencv-cuda", nil},
		{"jetson-orin", []string{"unix/jetson-orin"}, "opencv-cuda", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var files []string
			for _, part := range tt.parts {
				files = append(files, "../testdata/hosts/"+part+".txtar")
			}
			f := doctor.Probe(context.Background(), hosttest.Load(t, files...), doctor.Probes(false))
			r, err := recipes.Find(tt.recipe, "")
			if err != nil {
				t.Fatal(err)
			}
			if r, err = r.Set(tt.set); err != nil {
				t.Fatal(err)
			}
			solution, err := solve.Solve(context.Background(), r, tables, f, solve.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			out.WriteString(diagnosis(scene{recipe: r, facts: f}, tables) + "\n")
			if err := solution.WriteText(&out, 0); err != nil {
				t.Fatal(err)
			}
			if not := judge.Unsatisfied(r, tables, solve.Apply(f, solution)); solution.Feasible && len(solution.Open) == 0 && len(not) > 0 {
				t.Errorf("after the plan these do not hold: %v", not)
			}
			file := filepath.Join("testdata", "recorded", tt.name+".txt")
			data, err := os.ReadFile(file)
			if err != nil && !*update {
				t.Fatal(err)
			}
			var comment, golden strings.Builder
			for line := range strings.Lines(string(data)) {
				if strings.HasPrefix(line, "#") {
					comment.WriteString(line)
				} else {
					golden.WriteString(line)
				}
			}
			if len(strings.Fields(comment.String())) < 10 {
				t.Errorf("%s does not begin with a person's reasoning", file)
			}
			if *update {
				if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(file, []byte(comment.String()+out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if golden.String() != out.String() {
				t.Errorf("got\n%s\nwant, by %s,\n%s", out.String(), file, golden.String())
			}
		})
	}
}
