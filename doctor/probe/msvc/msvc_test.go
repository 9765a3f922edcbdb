package msvc_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe/msvc"
)

var probe = probetest.Of(msvc.Probe)

// want is what a test says of an instance: only the attributes it names.
type want struct {
	version, path string
	active        bool
	has           []string
	attrs         map[string]string
}

func check(t *testing.T, f facts.Facts, component string, wants ...want) {
	t.Helper()
	got := f.Components[component]
	if len(got) != len(wants) {
		t.Fatalf("%s: %d instances, want %d:\n%v", component, len(got), len(wants), got)
	}
	for i, w := range wants {
		g := got[i]
		if g.Version != w.version || g.Path != w.path || g.Active != w.active {
			t.Errorf("%s %d: %q at %q active %v, want %q at %q active %v", component, i, g.Version, g.Path, g.Active, w.version, w.path, w.active)
		}
		for _, part := range w.has {
			if lacks, ok := strings.CutPrefix(part, "!"); ok == g.HasPart(strings.TrimPrefix(part, "!")) {
				t.Errorf("%s %d: part %s (wanted %v) in %v", component, i, lacks, !ok, g.Has)
			}
		}
		for k, v := range w.attrs {
			if g.Attrs[k] != v {
				t.Errorf("%s %d: %s = %q, want %q", component, i, k, g.Attrs[k], v)
			}
		}
		if len(g.Evidence) == 0 {
			t.Errorf("%s %d has no evidence", component, i)
		}
	}
}

const (
	community = `C:\Program Files\Microsoft Visual Studio\2022\Community`
	build22   = `C:\Program Files (x86)\Microsoft Visual Studio\2022\BuildTools`
	build19   = `C:\Program Files (x86)\Microsoft Visual Studio\2019\BuildTools`
	vs2015    = `C:\Program Files (x86)\Microsoft Visual Studio 14.0`
	kits      = `C:\Program Files (x86)\Windows Kits\10`
)

func TestVS2022WithCUDA(t *testing.T) {
	f := probe(t, probetest.Windows(t, "", "windows-sdk-22621", "windows-cuda-12.1", "windows-vs2022-17.10"))
	check(t, f, "visual-studio", want{
		version: "17.10.34928.147", path: community, active: true,
		has: []string{"complete", "vctools", "windows-sdk", "cmake", "msbuild", "cuda-12.1", "target-x64", "Microsoft.VisualStudio.Component.VC.Tools.x86.x64"},
		attrs: map[string]string{
			"year": "2022", "product": "Community", "channel": "Release", "display_version": "17.10.1",
			"prerelease": "false", "complete": "true", "reboot_required": "false", "instance_id": "8df4f312",
			"generator": "Visual Studio 17 2022", "toolset_family": "v143", "default_toolset": "14.40.33807",
			"toolsets": "14.40.33807", "cuda_customizations": "12.1", "missing": "", "state": "", "sources": "state.json",
		},
	})
	check(t, f, "msvc", want{
		version: "14.40.33807", path: community + `\VC\Tools\MSVC\14.40.33807`, active: true,
		has: []string{"cl", "x64", "x86", "default"},
		attrs: map[string]string{
			"msc_ver": "1940", "toolset": "v143", "default": "true", "compilers": "x64/x64,x64/x86,x86/x64",
			"cl":            community + `\VC\Tools\MSVC\14.40.33807\bin\Hostx64\x64\cl.exe`,
			"visual_studio": community, "year": "2022",
		},
	})
	check(t, f, "windows-sdk", want{
		version: "10.0.22621.0", path: kits + `\Include\10.0.22621.0`, active: true,
		has: []string{"um", "lib", "ucrt", "rc"}, attrs: map[string]string{"root": kits, "registered": "true", "state": ""},
	})
	check(t, f, "msbuild", want{version: "17.10.34928.147", path: community + `\MSBuild\Current\Bin\amd64\MSBuild.exe`, active: true})
}

func TestCUDACustomisationsMissing(t *testing.T) {
	f := probe(t, probetest.Windows(t, "", "windows-cuda-12.1", "windows-vs2022-after-cuda"))
	vs := f.Components["visual-studio"][0]
	if got, looked := vs.Attrs["cuda_customizations"]; got != "" || !looked || vs.HasPart("cuda-12.1") {
		t.Errorf("cuda_customizations = %q (looked: %v), parts %v", got, looked, vs.Has)
	}
}

func TestVS2026(t *testing.T) {
	const path = `C:\Program Files\Microsoft Visual Studio\18\Enterprise`
	f := probe(t, probetest.Windows(t, "", "windows-vs2026"))
	check(t, f, "visual-studio", want{
		version: "18.1.11304.174", path: path, active: true,
		attrs: map[string]string{
			"year": "2026", "product": "Enterprise", "generator": "Visual Studio 18 2026", "toolset_family": "v145",
			"default_toolset": "14.50.35717", "missing": "",
		},
	})
	check(t, f, "msvc", want{
		version: "14.50.35717", path: path + `\VC\Tools\MSVC\14.50.35717`, active: true,
		attrs: map[string]string{"msc_ver": "1950", "toolset": "v145"},
	})
}

func TestPreviewIsFoundAndUsed(t *testing.T) {
	f := probe(t, probetest.Windows(t, "", "windows-vs2026-insiders"))
	check(t, f, "visual-studio", want{
		version: "18.3.11206.111", path: `C:\Program Files\Microsoft Visual Studio\18\Insiders`, active: true,
		attrs: map[string]string{
			"channel": "Insiders", "prerelease": "true", "milestone": "Insiders",
			"missing": "Microsoft.VisualStudio.Component.VC.CMake.Project",
		},
	})
	// A release is preferred, although the preview is newer.
	f = probe(t, probetest.Windows(t, "", "windows-vs2026-insiders", "windows-vs2022-17.10"))
	for _, i := range f.Components["visual-studio"] {
		if i.Active != (i.Path == community) {
			t.Errorf("%s active %v", i.Path, i.Active)
		}
	}
}

func TestBuildToolsOnly(t *testing.T) {
	f := probe(t, probetest.Windows(t, "", "windows-vs2019-buildtools"))
	check(t, f, "visual-studio", want{
		version: "16.11.34601.136", path: build19, active: true, has: []string{"vctools", "!cmake", "windows-sdk"},
		attrs: map[string]string{
			"product": "BuildTools", "year": "2019", "generator": "Visual Studio 16 2019", "complete": "true",
			"missing": "Microsoft.VisualStudio.Component.VC.CMake.Project", "cuda_customizations": "",
		},
	})
	check(t, f, "msvc", want{
		version: "14.29.30133", path: build19 + `\VC\Tools\MSVC\14.29.30133`, active: true,
		attrs: map[string]string{"msc_ver": "1929", "toolset": "v142"},
	})
}

func TestIncompleteIsNotAbsent(t *testing.T) {
	f := probe(t, probetest.Windows(t, "", "windows-vs-incomplete"))
	check(t, f, "visual-studio", want{
		version: "17.9.34902.65", path: `C:\Program Files\Microsoft Visual Studio\2022\Professional`, active: true,
		has: []string{"!complete", "!vctools", "!launchable"},
		attrs: map[string]string{
			"complete": "false", "launchable": "false", "reboot_required": "true", "sources": "state.json,vswhere",
			"failed":  "Microsoft.VisualCpp.Tools.HostX64.TargetX64",
			"missing": "Microsoft.VisualStudio.Component.VC.Tools.x86.x64 Microsoft.VisualStudio.Component.Windows11SDK.22621 Microsoft.VisualStudio.Component.VC.CMake.Project",
			"state":   "setup did not finish: no product is registered; setup reported errors; a restart of Windows is due",
		},
	})
	check(t, f, "msvc")
}

func TestVS2015FromTheRegistry(t *testing.T) {
	f := probe(t, probetest.Windows(t, "", "windows-vs2015"))
	check(t, f, "visual-studio", want{
		version: "14.0.25420", path: vs2015, active: true, has: []string{"vctools", "cuda-8.0"},
		attrs: map[string]string{
			"product": "Community", "year": "2015", "generator": "Visual Studio 14 2015", "cuda_customizations": "8.0",
			"sources": "registry", "missing": "", "complete": "true",
		},
	})
	check(t, f, "msvc", want{
		version: "14.0.24215", path: vs2015 + `\VC`, active: true,
		attrs: map[string]string{"msc_ver": "1900", "toolset": "v140", "cl": vs2015 + `\VC\bin\amd64\cl.exe`},
	})
	check(t, f, "windows-sdk", want{version: "8.1", path: `C:\Program Files (x86)\Windows Kits\8.1`, active: true})
	check(t, f, "msbuild", want{version: "14.0", path: `C:\Program Files (x86)\MSBuild\14.0\Bin\amd64\MSBuild.exe`, active: true})
}

func TestTwoInstances(t *testing.T) {
	h := probetest.Windows(t, "", "windows-sdk-22621", "windows-vs2022-two-instances")
	f := probe(t, h)
	f.Sort()
	check(t, f, "visual-studio",
		want{version: "17.14.36310.24", path: build22, active: true, attrs: map[string]string{"toolsets": "14.44.35207,14.39.33519"}},
		want{version: "17.10.34928.147", path: community})
	check(t, f, "msvc",
		want{version: "14.44.35207", path: build22 + `\VC\Tools\MSVC\14.44.35207`, active: true, attrs: map[string]string{"default": "true"}},
		want{version: "14.39.33519", path: build22 + `\VC\Tools\MSVC\14.39.33519`, attrs: map[string]string{"msc_ver": "1939", "default": "false"}},
		want{version: "14.40.33807", path: community + `\VC\Tools\MSVC\14.40.33807`, attrs: map[string]string{"default": "true"}})
}

// A developer prompt decides, whatever is newest.
func TestDeveloperPrompt(t *testing.T) {
	fixture := `
-- env --
VSINSTALLDIR=` + community + `\
VCToolsInstallDir=` + community + `\VC\Tools\MSVC\14.40.33807\
VSCMD_VER=17.10.1
WindowsSDKVersion=10.0.22621.0\
`
	h := probetest.Windows(t, fixture, "windows-sdk-22621", "windows-vs2022-two-instances")
	f := probe(t, h)
	f.Sort()
	if i, _ := f.Active("visual-studio"); i.Path != community || i.Via[0] != "environment" {
		t.Errorf("visual-studio %s via %v", i.Path, i.Via)
	}
	if i, _ := f.Active("msvc"); i.Version != "14.40.33807" || i.Via[0] != "environment" {
		t.Errorf("msvc %s via %v", i.Version, i.Via)
	}
	if i, _ := f.Active("windows-sdk"); i.Version != "10.0.22621.0" || i.Via[0] != "environment" {
		t.Errorf("windows-sdk %s via %v", i.Version, i.Via)
	}
}

func TestWhatSetupForgotIsStillFound(t *testing.T) {
	h := probetest.Windows(t, `
-- exec C:\Program Files\Microsoft Visual Studio\2022\Enterprise\VC\Tools\MSVC\14.38.33130\bin\Hostx64\x64\cl.exe --
MZ
-- file C:\ProgramData\Microsoft\VisualStudio\Packages\_Instances\deadbeef\state.json --
{"installationPath": "C:\\Gone", "installationVersion": "17.8.1.1", "pro
-- file C:\ProgramData\Microsoft\VisualStudio\Packages\_Instances\cafe0001\catalog.json --
{}
-- dir C:\ProgramData\Microsoft\VisualStudio\Packages\_Instances\cafe0001 --
`)
	f := probe(t, h)
	var states []string
	for _, i := range f.Components["visual-studio"] {
		states = append(states, i.Version+" "+i.Attrs["complete"]+" "+i.Attrs["state"])
	}
	probetest.Same(t, "", []string{
		" false setup began it and left no record of what it installed; where it was installed is not known",
		"17.8.1.1 false its setup record is damaged; its folder is gone or cannot be read; setup did not finish: no product is registered",
		"17.0 false the folder is there but setup has no record of it",
	}, states)
	if i, ok := f.Active("msvc"); !ok || i.Version != "14.38.33130" {
		t.Errorf("msvc %v", f.Components["msvc"])
	}
}

func TestToolsThatCannotBuildForThisMachine(t *testing.T) {
	h := probetest.Windows(t, `
-- exec C:\Program Files\Microsoft Visual Studio\2022\Enterprise\VC\Tools\MSVC\14.38.33130\bin\Hostx86\x86\cl.exe --
MZ
`)
	f := probe(t, h)
	if i := f.Components["msvc"][0]; i.Attrs["cl"] != "" || i.Attrs["state"] == "" || i.HasPart("cl") || !i.HasPart("x86") {
		t.Errorf("msvc %v", i)
	}
	if i := f.Components["visual-studio"][0]; i.HasPart("vctools") || i.Attrs["missing"] == "" {
		t.Errorf("visual-studio %v", i)
	}
}

func TestCachePathPolicy(t *testing.T) {
	h := probetest.Windows(t, `
-- reg 64 HKLM\SOFTWARE\Policies\Microsoft\VisualStudio\Setup --
CachePath=D:\VSCache\
-- file D:\VSCache\_Instances\01234567\state.json --
{"installationPath": "D:\\VS", "installationVersion": "17.6.33723.286", "product": {"id": "Microsoft.VisualStudio.Product.Professional"}}
-- dir D:\VS --
`)
	f := probe(t, h)
	check(t, f, "visual-studio", want{version: "17.6.33723.286", path: `D:\VS`, active: true, attrs: map[string]string{"product": "Professional"}})
}

// An old vswhere refuses -prerelease and -utf8; the instance comes from it all the same.
func TestOldVSWhere(t *testing.T) {
	h := probetest.Windows(t, `
-- run "C:\\Program Files (x86)\\Microsoft Visual Studio\\Installer\\vswhere.exe" "-products" "*" "-all" "-prerelease" "-utf8" "-format" "json" --
#exit 87
Error 0x57: Unknown parameter: -utf8
-- run "C:\\Program Files (x86)\\Microsoft Visual Studio\\Installer\\vswhere.exe" "-products" "*" "-all" "-format" "json" --
[{"instanceId": "0791d392", "installationPath": "C:\\VS17", "installationVersion": "15.6.27428.2002"}]
-- dir C:\VS17 --
`)
	f := probe(t, h)
	check(t, f, "visual-studio", want{
		version: "15.6.27428.2002", path: `C:\VS17`, active: true, has: []string{"!complete"},
		attrs: map[string]string{"year": "2017", "sources": "vswhere", "complete": "", "state": ""},
	})
	if i, _ := f.Active("visual-studio"); i.Unusable != nil {
		t.Errorf("what vswhere does not say is taken for incomplete: %+v", i.Unusable)
	}
}

func TestBareWindows(t *testing.T) {
	if f := probe(t, probetest.Windows(t, "")); len(f.Components) != 0 || len(f.Problems) != 0 {
		t.Errorf("found %v %v", f.Components, f.Problems)
	}
}

func TestHostileHost(t *testing.T) {
	h := probetest.Windows(t, `
-- deny C:\ProgramData\Microsoft\VisualStudio\Packages\_Instances --
-- file C:\Program Files (x86)\Microsoft Visual Studio\2022 --
a file where a folder should be
-- deny C:\Program Files\Microsoft Visual Studio --
-- reg 64 HKLM\SOFTWARE\Microsoft\VisualStudio\SxS\VS7 --
14.0=
99999999999999999999.0=C:\x
-1.0=C:\y
=C:\z
-- reg 32 HKLM\SOFTWARE\Microsoft\Windows Kits\Installed Roots --
KitsRoot10=\\?\nowhere\
-- run "C:\\Program Files (x86)\\Microsoft Visual Studio\\Installer\\vswhere.exe" "-products" "*" "-all" "-prerelease" "-utf8" "-format" "json" --
{"]][garbage
`)
	f := probe(t, h)
	if len(f.Problems) != 1 || !strings.Contains(f.Problems[0].Error, "_Instances") || !strings.Contains(f.Problems[0].Error, "vswhere") {
		t.Errorf("problems: %v", f.Problems)
	}
}

// A vswhere that hangs costs the probe neither its answer nor its deadline.
func TestHangingVSWhere(t *testing.T) {
	h := probetest.Windows(t, "-- exec C:\\Program Files (x86)\\Microsoft Visual Studio\\Installer\\vswhere.exe --\n", "windows-vs2022-17.10")
	h.World = probetest.Stuck{World: h.World}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // a probe's deadline
		defer cancel()
		f, err := msvc.Probe(ctx, h)
		if err != nil || len(f.Problems) != 0 {
			t.Fatal(err, f.Problems)
		}
		if i, ok := f.Active("visual-studio"); !ok || i.Path != community {
			t.Errorf("%v", f.Components)
		}
	})
}

func TestSSMSIsNotVisualStudio(t *testing.T) {
	h := probetest.Windows(t, `
-- file C:\ProgramData\Microsoft\VisualStudio\Packages\_Instances\0badf00d\state.json --
{"installationPath": "C:\\SSMS", "installationVersion": "21.4.8.0", "product": {"id": "Microsoft.VisualStudio.Product.Ssms"}}
-- dir C:\SSMS --
`)
	if f := probe(t, h); len(f.Components["visual-studio"]) != 0 {
		t.Errorf("%v", f.Components)
	}
}

func TestDefaultToolsetGone(t *testing.T) {
	h := probetest.Windows(t, "-- file "+community+`\VC\Auxiliary\Build\Microsoft.VCToolsVersion.default.txt --
14.41.34120
`, "windows-vs2022-17.10")
	f := probe(t, h)
	if i, _ := f.Active("visual-studio"); i.Attrs["state"] != "its default toolset 14.41.34120 is not there, so vcvars fails" {
		t.Errorf("%+v", i)
	}
	if i, ok := f.Active("msvc"); !ok || i.Version != "14.40.33807" || i.Via[0] != "msbuild" {
		t.Errorf("%+v", i)
	}
}

func TestMSCVer(t *testing.T) {
	for _, c := range []struct {
		toolset string
		msc     int
		family  string
	}{
		{"14.0.24215", 1900, "v140"}, {"14.16.27023", 1916, "v141"}, {"14.29.30133", 1929, "v142"},
		{"14.30.30705", 1930, "v143"}, {"14.39.33519", 1939, "v143"}, {"14.44.35207", 1944, "v143"},
		{"14.50.35717", 1950, "v145"}, {"12.0", 1800, "v120"}, {"14", 0, ""}, {"x.y", 0, ""}, {"99.1", 0, ""}, {"14.99.1", 1999, ""},
	} {
		if m, f := msvc.MSCVer(c.toolset), msvc.Family(c.toolset); m != c.msc || f != c.family {
			t.Errorf("%s: %d %s, want %d %s", c.toolset, m, f, c.msc, c.family)
		}
	}
}
