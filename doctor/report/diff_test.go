package report_test

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/report"
)

func machine(change func(*facts.Facts)) *facts.Facts {
	f := &facts.Facts{
		Schema: 1,
		OS:     facts.OS{Family: "linux", ID: "debian", Name: "Debian 12", Arch: "amd64", Libc: facts.Libc{Kind: "glibc", Version: "2.36", GLIBCXX: "3.4.30"}},
		CPU:    facts.CPU{Arch: "amd64", Level: "x86-64-v4", Features: []string{"avx", "avx2", "avx512f", "fma"}, Cores: 2},
		Memory: facts.Memory{Total: 8 << 30},
	}
	f.Add("opencv", facts.Instance{Version: "4.6.0", Active: true, Path: "/usr", Has: []string{"dnn", "headers"}, Attrs: map[string]string{"build.cuda": "NO"}})
	f.Add("cmake", facts.Instance{Version: "3.25.1", Active: true, Path: "/usr/bin/cmake"})
	if change != nil {
		change(f)
	}
	return f
}

func TestDiffPutsWhatBreaksFirst(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*facts.Facts)
		weight report.Weight
		topic  string
	}{
		"older glibc":        {func(f *facts.Facts) { f.OS.Libc.Version = "2.31" }, report.Breaks, "os.libc.version"},
		"newer glibc":        {func(f *facts.Facts) { f.OS.Libc.Version = "2.41" }, report.Detail, "os.libc.version"},
		"older libstdc++":    {func(f *facts.Facts) { f.OS.Libc.GLIBCXX = "3.4.28" }, report.Breaks, "os.libc.glibcxx"},
		"musl":               {func(f *facts.Facts) { f.OS.Libc.Kind = "musl" }, report.Breaks, "os.libc"},
		"no AVX-512":         {func(f *facts.Facts) { f.CPU.Features = []string{"avx", "avx2", "fma"} }, report.Breaks, "cpu.features"},
		"other soname":       {func(f *facts.Facts) { f.Components["opencv"][0].Version = "4.10.0" }, report.Breaks, "opencv"},
		"same soname":        {func(f *facts.Facts) { f.Components["opencv"][0].Version = "4.6.1" }, report.Matters, "opencv"},
		"OpenCV missing":     {func(f *facts.Facts) { delete(f.Components, "opencv") }, report.Breaks, "opencv"},
		"a tool's version":   {func(f *facts.Facts) { f.Components["cmake"][0].Version = "4.2.0" }, report.Matters, "cmake"},
		"no dnn module":      {func(f *facts.Facts) { f.Components["opencv"][0].Has = []string{"headers"} }, report.Matters, "opencv.dnn"},
		"built with CUDA":    {func(f *facts.Facts) { f.Components["opencv"][0].Attrs["build.cuda"] = "YES" }, report.Matters, "opencv.build.cuda"},
		"another path":       {func(f *facts.Facts) { f.Components["cmake"][0].Path = "/opt/cmake" }, report.Detail, "cmake.path"},
		"other architecture": {func(f *facts.Facts) { f.OS.Arch = "arm64"; f.CPU.Arch = "arm64" }, report.Breaks, "os.arch"},
	} {
		t.Run(name, func(t *testing.T) {
			list := report.Diff(machine(nil), machine(c.change))
			if len(list) == 0 {
				t.Fatal("no difference seen")
			}
			if list[0].Topic != c.topic || list[0].Weight != c.weight {
				t.Errorf("first is %s %s, want %s %s (all: %+v)", list[0].Weight, list[0].Topic, c.weight, c.topic, list)
			}
		})
	}
	if list := report.Diff(machine(nil), machine(nil)); len(list) != 0 {
		t.Errorf("a machine differs from itself: %+v", list)
	}
}

func TestWriteDiff(t *testing.T) {
	list := report.Diff(machine(nil), machine(func(f *facts.Facts) {
		f.OS.Libc.Version = "2.31"
		f.Components["cmake"][0].Path = "/opt/cmake"
	}))
	var b strings.Builder
	if err := report.WriteDiff(&b, list, report.Style{}); err != nil {
		t.Fatal(err)
	}
	want := `breaks   os.libc.version  2.36 → 2.31
                          a program built on A may ask for glibc symbols newer than 2.31
and 1 detail (--all)
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
