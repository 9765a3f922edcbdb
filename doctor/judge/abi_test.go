package judge

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestABI: libraries and processors that do not go together, and neighbors that do.
func TestABI(t *testing.T) {
	_, tables := load(t)
	linux := facts.OS{Family: "linux", ID: "debian", Arch: "amd64", Libc: facts.Libc{Kind: "glibc"}}
	alpine := facts.OS{Family: "linux", ID: "alpine", Arch: "amd64", Libc: facts.Libc{Kind: "musl"}}
	mac := facts.OS{Family: "darwin", ID: "macos", Arch: "arm64"}
	torch := func(abi string) facts.Instance {
		return facts.Instance{Version: "2.4.0", Path: "/opt/libtorch", Active: true, Built: facts.Built{CXXABI: abi}}
	}
	needs := func(n facts.Need) facts.Instance {
		return facts.Instance{Version: "4.10.0", Path: "/usr/local", Active: true, Needs: []facts.Need{n}}
	}
	opencv := facts.Instance{Version: "4.6.0", Path: "/usr", Active: true}
	glibc := facts.Need{Name: "ld-linux-x86-64.so.2", By: "/opt/libonnxruntime.so.1", Cause: facts.NotFound}
	conda := facts.Need{Name: "libtiff.so.6", By: "/usr/lib/libopencv_imgcodecs.so.406", Cause: facts.Foreign, Found: "/opt/conda/lib/libtiff.so.6", Elsewhere: "/usr/lib/libtiff.so.6"}
	for _, c := range []struct {
		name       string
		os         facts.OS
		cpu        facts.CPU
		components map[string][]facts.Instance
		id         string
		state      State
		fix        string
	}{
		{"LibTorch of the old ABI beside OpenCV", linux, facts.CPU{}, map[string][]facts.Instance{"libtorch": {torch("pre-cxx11")}, "opencv": {opencv}}, "libtorch.cxx-abi", Warn, "libtorch-cxx11-abi"},
		{"LibTorch of the old ABI alone", linux, facts.CPU{}, map[string][]facts.Instance{"libtorch": {torch("pre-cxx11")}}, "", "", ""},
		{"LibTorch of the new ABI", linux, facts.CPU{}, map[string][]facts.Instance{"libtorch": {torch("cxx11")}, "opencv": {opencv}}, "", "", ""},
		{"a glibc library on Alpine", alpine, facts.CPU{}, map[string][]facts.Instance{"onnxruntime": {needs(glibc)}}, "onnxruntime.glibc", Fail, "Alpine's own package"},
		{"conda's library in LD_LIBRARY_PATH", linux, facts.CPU{}, map[string][]facts.Instance{"opencv": {needs(conda)}}, "opencv.conda-library", Warn, "Take /opt/conda/lib out of LD_LIBRARY_PATH"},
		{"a formula moved on", mac, facts.CPU{Arch: "arm64"}, map[string][]facts.Instance{"opencv": {needs(facts.Need{Name: "/opt/homebrew/opt/ffmpeg/lib/x.dylib", By: "/opt/homebrew/lib/o.dylib", Cause: facts.NotFound, Package: "ffmpeg", Installed: true})}}, "opencv.dylib-missing", Fail, "brew reinstall opencv"},
		{"a formula is gone", mac, facts.CPU{Arch: "arm64"}, map[string][]facts.Instance{"opencv": {needs(facts.Need{Name: "/opt/homebrew/opt/ffmpeg/lib/x.dylib", By: "/opt/homebrew/lib/o.dylib", Cause: facts.NotFound, Package: "ffmpeg"})}}, "opencv.dylib-missing", Fail, "brew install ffmpeg"},
		{"an Intel LibTorch on Apple silicon", mac, facts.CPU{Arch: "arm64"}, map[string][]facts.Instance{"libtorch": {needs(facts.Need{Name: "libtorch.dylib", By: "a program", Cause: facts.OtherArch, Found: "/opt/libtorch/lib/libtorch.dylib"})}}, "libtorch.dylib-arch", Fail, "libtorch-macos-arm64"},
		{"an Intel library on Apple silicon", mac, facts.CPU{Arch: "arm64"}, map[string][]facts.Instance{"opencv": {needs(facts.Need{Name: "libopencv_core.dylib", By: "a program", Cause: facts.OtherArch, Found: "/usr/local/lib/libopencv_core.dylib"})}}, "opencv.dylib-arch", Fail, "/opt/homebrew"},
		{"RHEL 10 on v2", facts.OS{Family: "linux", ID: "rhel", Version: "10.0", Arch: "amd64", Name: "RHEL 10"}, facts.CPU{Arch: "amd64", Level: "x86-64-v2", Hypervisor: "kvm"}, nil, "os.cpu-level", Fail, "host-passthrough"},
		{"RHEL 10 on v3", facts.OS{Family: "linux", ID: "rhel", Version: "10.0", Arch: "amd64"}, facts.CPU{Arch: "amd64", Level: "x86-64-v3"}, nil, "", "", ""},
		{"RHEL 10, a list of flags without movbe", facts.OS{Family: "linux", ID: "rhel", Version: "10.0", Arch: "amd64"}, facts.CPU{Arch: "amd64", Level: "x86-64-v1", Features: []string{"avx2", "f16c", "fma"}}, nil, "", "", ""},
		{"RHEL 10, movbe hidden", facts.OS{Family: "linux", ID: "rhel", Version: "10.0", Arch: "amd64"}, facts.CPU{Arch: "amd64", Level: "x86-64-v2", Features: []string{"avx2", "f16c", "fma"}, Hypervisor: "kvm"}, nil, "os.cpu-level", Fail, "host-passthrough"},
		{"RHEL 10, level not known", facts.OS{Family: "linux", ID: "rhel", Version: "10.0", Arch: "amd64"}, facts.CPU{Arch: "amd64"}, nil, "", "", ""},
		{"Debian on v1", linux, facts.CPU{Arch: "amd64", Level: "x86-64-v1"}, nil, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &recipes.Recipe{Name: "test", Components: []string{"libtorch", "onnxruntime", "opencv"}}
			findings := Evaluate(r, tables, &facts.Facts{OS: c.os, CPU: c.cpu, Components: c.components}).Findings
			var seen []Finding
			for _, f := range findings {
				if f.State != Skipped && f.ID != "onnxruntime.library-missing" {
					seen = append(seen, f)
				}
			}
			if c.id == "" && len(seen) > 0 || c.id != "" && (len(seen) != 1 || seen[0].ID != c.id || seen[0].State != c.state || !strings.Contains(seen[0].Fix, c.fix)) {
				t.Errorf("%+v", findings)
			}
		})
	}
}

// TestHiddenFeatures: who keeps an instruction set from a program is told how.
func TestHiddenFeatures(t *testing.T) {
	for _, c := range []struct {
		cpu facts.CPU
		fix string
	}{
		{facts.CPU{Hypervisor: "kvm"}, "Proxmox: CPU type host"},
		{facts.CPU{Hypervisor: "vmware"}, "EVC"},
		{facts.CPU{Hypervisor: "hyperv"}, "CompatibilityForMigrationEnabled"},
		{facts.CPU{Hypervisor: "virtualbox"}, "core isolation"},
		{facts.CPU{Emulation: "rosetta"}, "linux/arm64"},
		{facts.CPU{Emulation: "qemu"}, "-cpu max"},
		{facts.CPU{}, ""},
	} {
		c.cpu.Arch, c.cpu.Features = "amd64", []string{"sse2"}
		got := judge(t, &facts.Facts{OS: facts.OS{Family: "linux", Arch: "amd64"}, CPU: c.cpu}, "    cpu: {arch: [amd64], features: {amd64: [avx2]}}\n", nil)
		if got.State != Fail || !strings.Contains(got.Fix, c.fix) || c.fix == "" && strings.Contains(got.Fix, "host") {
			t.Errorf("%+v: %s, %s; want %s", c.cpu, got.State, got.Fix, c.fix)
		}
	}
}

// TestFilesLost: only what a requirement asks for, installed again by apt, and named
// instead of the requirement that it fails.
func TestFilesLost(t *testing.T) {
	_, tables := load(t)
	recipe := &recipes.Recipe{Name: "test", Requirements: []recipes.Requirement{{ID: "opencv.version", Title: "OpenCV", Component: &recipes.ComponentCheck{Name: "opencv", Has: []string{"dnn", "headers"}}}}}
	for _, c := range []struct {
		name, part, manager string
		state               State
		fix                 string
	}{
		{"headers", "headers", "apt", Fail, "apt-get install --reinstall libopencv-dnn-dev"},
		{"what is not asked for", "pkg-config", "apt", "", ""},
		{"no apt", "headers", "dnf", Fail, "Install these packages again: libopencv-dnn-dev"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "debian", User: facts.User{Admin: true}}}
			f.Add(c.manager, facts.Instance{Path: "/usr/bin/" + c.manager, Active: true})
			f.Add("opencv", facts.Instance{Version: "4.6.0", Path: "/usr", Active: true, Has: []string{"dnn"}, Lost: &facts.Lost{Files: []string{"/usr/include/opencv4/opencv2/dnn.hpp"}, Parts: []string{c.part}, Packages: []string{"libopencv-dnn-dev"}}})
			findings := Evaluate(recipe, tables, f).Findings
			lost := Finding{}
			for _, f := range findings {
				if f.ID == "opencv.files-lost" {
					lost = f
				}
			}
			if lost.State != c.state || lost.Fix != c.fix || c.state == Fail && c.manager == "apt" && (lost.Action == nil || !lost.Action.Reinstall || findings[len(findings)-1].State != Skipped) {
				t.Errorf("%+v", findings)
			}
		})
	}
}
