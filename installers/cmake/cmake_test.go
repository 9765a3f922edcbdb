package cmake

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
)

func TestTune(t *testing.T) {
	skx := []string{"avx2", "avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl", "f16c", "fma", "popcnt", "sse4_2"}
	for _, tt := range []struct {
		arch     string
		features []string
		want     string
	}{
		{"amd64", skx, "AVX512_SKX"},
		{"amd64", []string{"avx2", "avx512f", "f16c", "fma"}, "AVX2"}, // Knights Landing has no BW
		{"amd64", []string{"avx", "avx2", "fma"}, "AVX"},              // a guest without F16C
		{"amd64", []string{"avx", "sse4_2"}, "AVX"},
		{"amd64", []string{"popcnt", "sse4_2"}, "SSE4_2"},
		{"amd64", []string{"sse2"}, "SSE3"},
		{"arm64", []string{"neon"}, "NEON;FP16"},
		{"arm64", []string{"dotprod", "fphp", "neon"}, "NEON;FP16;NEON_DOTPROD;NEON_FP16"},
		{"riscv64", nil, ""},
	} {
		got, err := Tune("opencv", facts.CPU{Arch: tt.arch, Features: tt.features}, false)
		if err != nil || got["CPU_BASELINE"] != tt.want {
			t.Errorf("%s %v: %v, %v; want %s", tt.arch, tt.features, got, err, tt.want)
		}
	}
	for ccache, want := range map[bool]string{true: "OFF", false: "ON"} {
		if got, err := Tune("opencv", facts.CPU{}, ccache); err != nil || got["ENABLE_PRECOMPILED_HEADERS"] != want {
			t.Errorf("ccache %v: %v, %v", ccache, got, err)
		}
	}
	if _, err := Tune("nothing", facts.CPU{}, false); err == nil {
		t.Error("an unknown project was tuned")
	}
}

// source is a build on a machine with so many cores and so much free memory.
func source(cores float64, free uint64) Source {
	return Source{
		Build:    recipes.Build{Name: "opencv-4.10.0", MemoryPerJob: 1 << 30, Minutes: 20, Options: map[string]string{"BUILD_LIST": "core,dnn"}, Tuned: "opencv"},
		Artifact: recipes.Artifact{SHA256: strings.Repeat("a", 64)},
		Facts:    &facts.Facts{CPU: facts.CPU{Arch: "amd64", Cores: cores}, Memory: facts.Memory{Total: 64 << 30, Available: free}},
		Work:     "/c/build/opencv-4.10.0", Product: "/opt/deployctl/opencv-4.10.0",
	}
}

func TestJobsFollowCoresAndMemory(t *testing.T) {
	for _, tt := range []struct {
		cores float64
		free  uint64
		want  string
	}{{8, 64 << 30, "8"}, {8, 3 << 30, "3"}, {8, 100 << 20, "1"}, {0.5, 64 << 30, "1"}, {2, 0, "2"}} {
		steps, err := Steps(hosttest.Empty("linux", "amd64"), source(tt.cores, tt.free))
		if err != nil {
			t.Fatal(err)
		}
		if argv := steps[1].Argv; argv[len(argv)-1] != tt.want {
			t.Errorf("%v cores, %d free: %v, want -j %s", tt.cores, tt.free, argv, tt.want)
		}
	}
}

func TestKeyNamesWhatTheProductIsMadeFrom(t *testing.T) {
	key := func(change func(*Source)) string {
		t.Helper()
		s := source(2, 8<<30)
		change(&s)
		steps, err := Steps(hosttest.Empty("linux", "amd64"), s)
		if err != nil {
			t.Fatal(err)
		}
		return steps[2].With.(*step.Build).Key
	}
	base := key(func(*Source) {})
	for name, change := range map[string]func(*Source){
		"source":   func(s *Source) { s.Artifact.SHA256 = strings.Repeat("b", 64) },
		"options":  func(s *Source) { s.Build.Options = map[string]string{"BUILD_LIST": "core"} },
		"CPU":      func(s *Source) { s.Facts.CPU.Features = []string{"avx2", "f16c", "fma"} },
		"compiler": func(s *Source) { s.Facts.Add("g++", facts.Instance{Version: "13", Active: true}) },
	} {
		if key(change) == base {
			t.Errorf("another %s gives the same key", name)
		}
	}
	if key(func(s *Source) { s.Facts.CPU.Cores = 1 }) != base {
		t.Error("another number of jobs gives another key")
	}
}

// build is a finished configuration in a folder of the test's.
func build(t *testing.T, stage string) step.Step {
	t.Helper()
	dir := t.TempDir()
	b := &step.Build{Stage: stage, Work: filepath.Join(dir, "work"), Dir: filepath.Join(dir, "work", "build"), Product: filepath.Join(dir, "opt", "thing"),
		Staged: filepath.Join(dir, "opt", ".thing.deployctl-partial"), Key: "k1"}
	if err := os.MkdirAll(b.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return step.Step{ID: "thing." + stage, Argv: []string{"/usr/bin/ninja", "-C", b.Dir, "-j", "8"}, With: b}
}

func TestFewerCompilersWhenOneIsKilled(t *testing.T) {
	s := build(t, Compile)
	var jobs []string
	w := Worker{Run: func(_ context.Context, c Command, line func(string)) (int, error) {
		n := c.Argv[len(c.Argv)-1]
		jobs = append(jobs, n)
		if n != "2" {
			line("[10/20] Building CXX object a.o")
			line("c++: fatal error: Killed signal terminated program cc1plus")
			return 1, nil
		}
		return 0, nil
	}}
	var percents []float64
	if err := w.Do(t.Context(), s, func(p step.Progress) { percents = append(percents, p.Percent) }); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(jobs, []string{"8", "4", "2"}) {
		t.Errorf("jobs %v", jobs)
	}
	if !slices.Contains(percents, 50) {
		t.Errorf("ninja's progress was not told: %v", percents)
	}
	if done, err := w.Done(t.Context(), s); err != nil || !done {
		t.Errorf("done is %v, %v", done, err)
	}
	s.With.(*step.Build).Key = "k2"
	if done, err := w.Done(t.Context(), s); err != nil || done {
		t.Errorf("with another key done is %v, %v", done, err)
	}
}

func TestInstallAppearsWhole(t *testing.T) {
	s := build(t, Install)
	b := s.With.(*step.Build)
	left := filepath.Join(b.Staged, "left by a killed run")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	w := Worker{Run: func(_ context.Context, c Command, _ func(string)) (int, error) {
		if _, err := os.Lstat(left); err == nil {
			t.Error("what a killed run left is still there")
		}
		return 0, os.MkdirAll(filepath.Join(b.Staged, b.Product, "lib"), 0o755)
	}}
	if err := w.Do(t.Context(), s, func(step.Progress) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(b.Product, "lib")); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(b.Staged); err == nil {
		t.Error("the staging folder was left")
	}
	state, err := w.State(t.Context(), s)
	if err != nil || len(state) != 1 {
		t.Errorf("state %v, %v", state, err)
	}
	s.With.(*step.Build).Key = "k2"
	if err := w.Do(t.Context(), s, func(step.Progress) {}); err == nil {
		t.Error("another build's product was written over")
	}
}

func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		stage, line, want string
	}{
		{Configure, "CMake Error at CMakeLists.txt:1: CMake 3.30 or higher is required.  You are running version 3.25.1", "this CMake is too old: 3.30 is needed"},
		{Configure, "CMake Error at FindProtobuf.cmake:1 (message):  Could NOT find Protobuf (missing: Protobuf_LIBRARIES)", "CMake does not find Protobuf"},
		{Compile, "/s/a.cpp:3:10: fatal error: zlib.h: No such file or directory", "the compiler does not find the header zlib.h"},
		{Compile, "/usr/bin/ld: cannot find -ljpeg: No such file or directory", "the linker does not find the library jpeg"},
		{Compile, "/s/a.cpp:7:3: error: 'x' was not declared in this scope", "the compile stage failed: 'x' was not declared in this scope"},
		{Compile, "fatal error: error writing to /tmp/x.s: No space left on device", "the disk filled up while building"},
		{Compile, "c++: fatal error: Killed signal terminated program cc1plus", "the compiler was killed because the memory ran out"},
		{Install, "something else", "the install stage ended with exit status 1"},
	} {
		if f := Explain(tt.stage, 1, []string{"[1/2] Building", tt.line}); f.Cause != tt.want || f.Next == "" {
			t.Errorf("%q: %q, want %q", tt.line, f.Cause, tt.want)
		}
	}
}

func FuzzExplain(f *testing.F) {
	f.Add("CMake Error Could NOT find X\nfatal error: a.h: No such file or directory")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Split(text, "\n")
		for _, stage := range []string{Configure, Compile, Install} {
			if got := Explain(stage, 1, lines); got == nil || got.Cause == "" {
				t.Error("no cause")
			}
		}
		for _, l := range lines {
			if p, _, ok := percent(l); ok && (p < 0 || p > 100) {
				t.Errorf("%q is %v per cent", l, p)
			}
		}
	})
}
