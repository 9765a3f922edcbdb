package judge

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestFixText: the words for an entry of a fix list name what deployctl would
// install, and there are none where the entry does not fit the machine.
func TestFixText(t *testing.T) {
	q := &recipes.Requirement{ID: "x.y", Manual: "By hand."}
	machine := func(family, id string, components ...string) *facts.Facts {
		f := &facts.Facts{OS: facts.OS{Family: family, ID: id}, CPU: facts.CPU{Arch: "amd64"}}
		for _, name := range components {
			f.Add(name, facts.Instance{Version: "1", Active: true})
		}
		return f
	}
	complete := machine("windows", "windows")
	complete.Add("visual-studio", facts.Instance{Has: []string{"complete"}, Attrs: map[string]string{"instance_id": "1"}})
	studio := recipes.Fix{Packages: recipes.PackageSet{"visual-studio": {"Some.Component"}}}
	for _, tt := range []struct {
		fix  recipes.Fix
		f    *facts.Facts
		want string // "" for an entry that does not fit
	}{
		{recipes.Fix{Packages: recipes.PackageSet{"apt": {"cmake"}}}, machine("linux", "debian", "apt"), "apt-get install cmake"},
		{recipes.Fix{Packages: recipes.PackageSet{"apt": {"cmake"}}}, machine("linux", "fedora", "dnf"), ""},
		{recipes.Fix{Packages: recipes.PackageSet{"apt": {"cmake"}}, Distro: []string{"debian"}}, machine("linux", "ubuntu", "apt"), ""},
		{recipes.Fix{Build: "opencv-4.10.0"}, machine("linux", "debian"), "--fix builds opencv-4.10.0 from source. To do it by hand: By hand."},
		{recipes.Fix{Build: "opencv-4.10.0"}, machine("windows", "windows"), ""},
		{recipes.Fix{Packages: recipes.PackageSet{"npm": {"onnxruntime-node"}}}, machine("linux", "debian"), "npm package onnxruntime-node"},
		{recipes.Fix{Archive: &recipes.ArchiveFix{Artifact: "a.tgz", OS: []string{"linux"}}}, machine("linux", "debian"), "unpacks a.tgz"},
		{recipes.Fix{Archive: &recipes.ArchiveFix{Artifact: "a.tgz", OS: []string{"linux"}}}, machine("darwin", "macos"), ""},
		{recipes.Fix{Distro: []string{"windows"}, Packages: recipes.PackageSet{"vcpkg": {"opencv4[dnn,opencl]"}}}, machine("windows", "windows", "vcpkg"), "vcpkg install opencv4[dnn,opencl]"},
		{recipes.Fix{Distro: []string{"windows"}, Packages: recipes.PackageSet{"vcpkg": {"opencv4[dnn,opencl]"}}}, machine("linux", "debian", "vcpkg"), ""},
		{studio, complete, "Visual Studio Installer"},
		{studio, machine("windows", "windows", "visual-studio"), ""}, // not complete
		{studio, machine("windows", "windows", "winget"), `By hand. Or install the Build Tools: winget install --exact --id Microsoft.VisualStudio.2022.BuildTools --version 17.14.41 --override "--quiet --wait --norestart --add Some.Component"`},
		{studio, machine("windows", "windows", "choco"), "choco install visualstudio2022buildtools"},
		{studio, machine("windows", "windows"), ""},
	} {
		got := FixText(q, &tt.fix, tt.f)
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%+v on %s: %q, want %q", tt.fix, tt.f.OS.ID, got, tt.want)
		}
	}
}

// TestPackagedOld: a package that is known to be too old is not advised.
func TestPackagedOld(t *testing.T) {
	r := &recipes.Recipe{Name: "r", Requirements: []recipes.Requirement{{
		ID: "opencv.version", Title: "OpenCV", Severity: recipes.Required, Manual: "Build it.", ManualOn: map[string]string{"debian": "Build it here."},
		Component: &recipes.ComponentCheck{Name: "opencv", Version: ">= 4.5"}, Fix: []recipes.Fix{{Packages: recipes.PackageSet{"apt": {"libopencv-dev"}}}},
	}}}
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ id, name, version, want string }{
		{"ubuntu", "Ubuntu 20.04.6 LTS", "20.04", "The package of Ubuntu 20.04.6 LTS is OpenCV 4.2.0. Build it here."},
		{"ubuntu", "Ubuntu 24.04 LTS", "24.04", "apt-get install libopencv-dev"},
		{"devuan", "Devuan", "5", "apt-get install libopencv-dev"},
	} {
		f := &facts.Facts{OS: facts.OS{Family: "linux", ID: tt.id, Name: tt.name, Version: tt.version, Like: []string{"debian"}, User: facts.User{Admin: true}}, CPU: facts.CPU{Arch: "amd64"}}
		f.Add("apt", facts.Instance{Version: "2", Active: true})
		if got := Evaluate(r, tables, f).Findings[0].Fix; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestListed: deployctl carries out the list's entry only where the finding says
// what that entry does.
func TestListed(t *testing.T) {
	r := &recipes.Recipe{Name: "r", Requirements: []recipes.Requirement{{
		ID: "cuda.version", Title: "CUDA", Severity: recipes.Required, Manual: "By hand.",
		Component: &recipes.ComponentCheck{Name: "cuda"}, Fix: []recipes.Fix{{Packages: recipes.PackageSet{"apt": {"nvidia-cuda-toolkit"}}}},
	}}}
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	for board, listed := range map[string]bool{"": true, "jetson": false} {
		f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "ubuntu", Board: board}, Components: map[string][]facts.Instance{}}
		f.Add("apt", facts.Instance{Version: "1", Active: true})
		x := Evaluate(r, tables, f).Findings[0]
		if x.State != Fail || x.Listed != listed || strings.Contains(x.Fix, "nvidia-cuda-toolkit") != listed {
			t.Errorf("board %q: %s, listed %v, %q", board, x.State, x.Listed, x.Fix)
		}
	}
}
