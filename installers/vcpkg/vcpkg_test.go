package vcpkg

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
)

const status = `Package: zlib
Version: 1.3.1
Port-Version: 2
Architecture: x64-windows
Multi-Arch: same
Abi: 0123
Description: A compression library
Status: install ok installed

Package: opencv4
Version: 4.10.0
Depends: zlib
Architecture: x64-windows
Multi-Arch: same
Description: computer vision
 and more: lines
Status: install ok installed

Package: opencv4
Feature: dnn
Architecture: x64-windows
Multi-Arch: same
Description: Enable dnn module
Status: install ok installed

Package: zlib
Version: 1.2
Architecture: x86-windows
Status: install ok installed

Package: gone
Version: 1
Architecture: x64-windows
Status: install ok installed

Package: half
Version: 1
Architecture: x64-windows
Status: install ok half-installed
`

func TestInstalled(t *testing.T) {
	h := hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- file C:\\src\\vcpkg\\installed\\vcpkg\\status --\n"+status+
		"-- file C:\\src\\vcpkg\\installed\\vcpkg\\updates\\0000000001 --\nPackage: gone\nVersion: 1\nArchitecture: x64-windows\nStatus: purge ok not-installed\n"+
		"-- file C:\\src\\vcpkg\\installed\\vcpkg\\updates\\0000000002 --\nPackage: opencv4\nFeature: jpeg\nArchitecture: x64-windows\nStatus: install ok installed\n")
	m := Manager().For(h, `C:\src\vcpkg`)
	got, err := m.State(context.Background(), h, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]pkgmgr.Installed{
		"zlib": {Version: "1.3.1#2", Ready: true}, "opencv4": {Version: "4.10.0", Ready: true},
		"opencv4[dnn]": {Version: "4.10.0", Ready: true}, "opencv4[jpeg]": {Version: "4.10.0", Ready: true},
	}, got); d != "" {
		t.Error(d)
	}
	if got, err := m.State(context.Background(), hosttest.Empty("windows", "amd64"), nil); err != nil || len(got) != 0 {
		t.Errorf("nothing installed yet: %v, %v", got, err)
	}
}

func TestNames(t *testing.T) {
	m := Manager()
	names := m.Of(recipes.Fix{Packages: recipes.PackageSet{"vcpkg": {"opencv4[dnn,jpeg]", "zlib"}}})
	if d := cmp.Diff([]string{"opencv4[dnn]", "opencv4[jpeg]", "zlib"}, names); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"install", "opencv4[dnn,jpeg]", "zlib"}, m.Install(names)); d != "" {
		t.Error(d)
	}
	for _, refused := range []string{"opencv4[core]", "opencv4[core,dnn]", "opencv4:x86-windows", "opencv4[]", "opencv4[dnn"} {
		if m.CheckNames(m.Of(recipes.Fix{Packages: recipes.PackageSet{"vcpkg": {refused}}})) == nil {
			t.Errorf("%q is let through", refused)
		}
	}
	// A feature added to a port that was there cannot be taken out.
	if m.Remove([]string{"opencv4[dnn]"}, true) != nil {
		t.Error("removes a port that was there before")
	}
}

func TestPickAndTriplet(t *testing.T) {
	f := &facts.Facts{Components: map[string][]facts.Instance{"vcpkg": {{Path: `C:\VS\VC\vcpkg\vcpkg.exe`, Attrs: map[string]string{}}}}}
	_, err := Manager().Choose(f)
	var failure *step.Failure
	if !errors.As(err, &failure) {
		t.Errorf("Visual Studio's own: %v", err)
	}
	f.Components["vcpkg"] = append(f.Components["vcpkg"], facts.Instance{Attrs: map[string]string{"root": `C:\vcpkg`}})
	if root, err := Manager().Choose(f); root != `C:\vcpkg` || err != nil {
		t.Errorf("%q, %v", root, err)
	}
	if _, err := Manager().Choose(&facts.Facts{}); !errors.Is(err, pkgmgr.ErrAbsent) {
		t.Error(err)
	}
	for platform, want := range map[[2]string]string{{"windows", "amd64"}: "x64-windows", {"darwin", "arm64"}: "arm64-osx", {"linux", "amd64"}: "x64-linux"} {
		if got := Triplet(hosttest.Empty(platform[0], platform[1])); got != want {
			t.Errorf("%v: %s", platform, got)
		}
	}
	if got := Triplet(hosttest.Parse(t, "-- env --\nVCPKG_DEFAULT_TRIPLET=--x\n")); got != "x64-linux" {
		t.Error(got)
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add(status)
	f.Add("Package: a\nFeature: core\nStatus: install ok installed\nArchitecture: x64-windows")
	f.Fuzz(func(t *testing.T, text string) {
		for name, p := range ParseStatus(text, "x64-windows") {
			if name == "" || strings.Contains(name, "\n") || !p.Ready {
				t.Errorf("%q: %+v", name, p)
			}
		}
	})
}
