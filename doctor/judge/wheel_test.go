package judge

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestWheelFits: advice and plan name a wheel only where the machine can use it.
func TestWheelFits(t *testing.T) {
	fix := &recipes.Fix{Wheel: []recipes.Wheel{{
		Name: "thing-1", Project: "thing", Version: "1", Requires: map[string]string{"cuda": ">= 12, < 13"}, Instructions: []string{"avx"},
		Files: []recipes.WheelFile{{File: "thing-1-py3-none-manylinux_2_27_x86_64.whl"}, {File: "thing-1-py3-none-macosx_13_0_arm64.whl"}},
	}}}
	q := &recipes.Requirement{ID: "thing.present", Manual: "Build it.", Fix: []recipes.Fix{*fix}}
	for _, tt := range []struct {
		name   string
		change func(f *facts.Facts)
		fits   bool
	}{
		{"all as it should be", func(*facts.Facts) {}, true},
		{"an older C library", func(f *facts.Facts) { f.OS.Libc.Version = "2.26" }, false},
		{"musl", func(f *facts.Facts) { f.OS.Libc = facts.Libc{Kind: "musl", Version: "1.2.4"} }, false},
		{"an unknown C library", func(f *facts.Facts) { f.OS.Libc = facts.Libc{} }, false},
		{"another processor", func(f *facts.Facts) { f.OS.Arch = "arm64" }, false},
		{"a processor without AVX", func(f *facts.Facts) { f.CPU.Features = []string{"sse2"} }, false},
		{"no CUDA", func(f *facts.Facts) { f.Components = nil }, false},
		{"another CUDA", func(f *facts.Facts) { f.Components["cuda"][0].Version = "11.8" }, false},
		{"a CUDA of unknown version", func(f *facts.Facts) { f.Components["cuda"][0].Version = "" }, false},
		{"an older macOS", func(f *facts.Facts) { f.OS = facts.OS{Family: "darwin", Arch: "arm64", Version: "12.6"} }, false},
		{"macOS", func(f *facts.Facts) { f.OS = facts.OS{Family: "darwin", Arch: "arm64", Version: "14.1"} }, true},
		{"Windows", func(f *facts.Facts) { f.OS = facts.OS{Family: "windows", Arch: "amd64"} }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := &facts.Facts{
				OS: facts.OS{Family: "linux", Arch: "amd64", Libc: facts.Libc{Kind: "glibc", Version: "2.36"}}, CPU: facts.CPU{Features: []string{"avx", "sse2"}},
				Components: map[string][]facts.Instance{"cuda": {{Version: "12.4", Active: true}}},
			}
			tt.change(f)
			text := FixText(q, fix, f)
			if Fits(fix, f) != tt.fits || strings.Contains(text, "thing 1 from the Python package index") != tt.fits || tt.fits != strings.HasSuffix(text, "Build it.") {
				t.Errorf("fits %v, want %v; text %q", Fits(fix, f), tt.fits, text)
			}
		})
	}
}
