package mobile_test

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe/mobile"
)

var probe = probetest.Of(mobile.Probe)

func strip(f facts.Facts) map[string][]facts.Instance {
	for _, list := range f.Components {
		for n := range list {
			list[n].Evidence = nil
		}
	}
	return f.Components
}

func TestLinuxWithAndroid(t *testing.T) {
	h := hosttest.Load(t, "testdata/linux-with-android.txtar")
	sdk := "/home/ada/Android/Sdk"
	want := map[string][]facts.Instance{
		"android-sdk": {{
			Version: "34", Path: sdk, Active: true, Has: []string{"android-34", "android-9", "build-tools", "platform-tools", "license-accepted"},
			Attrs: map[string]string{"platforms": "android-34,android-9", "build_tools": "34.0.0,9.0.0", "platform_tools": "35.0.2"},
		}},
		"android-ndk": {
			{Path: "/opt/ndk", Via: []string{"ANDROID_NDK_HOME"}, Attrs: map[string]string{"state": "ANDROID_NDK_HOME names it, but no NDK is there"}},
			{
				Version: "26.1.10909125", Path: sdk + "/ndk/26.1.10909125", Active: true, Has: []string{"cmake-toolchain", "clang"},
				Attrs: map[string]string{"release": "r26b", "prebuilt": "linux-x86_64", "min_api": "21", "max_api": "34"},
			},
			{Version: "10.4", Path: "/opt/android-ndk-r10e", Attrs: map[string]string{"release": "r10e", "state": "no clang for this system in it"}},
		},
		"adb": {{
			Version: "35.0.2", Path: sdk + "/platform-tools/adb", Active: true,
			Attrs: map[string]string{"devices": "not asked: adb would start a server"},
		}},
	}
	probetest.Same(t, "", want, strip(probe(t, h)))
}

func TestWindowsAndMacDefaults(t *testing.T) {
	f := probe(t, hosttest.Load(t, "testdata/windows-and-mac-defaults.txtar"))
	if len(f.Components["android-sdk"]) != 1 || !f.Components["android-sdk"][0].Active || len(f.Components["adb"]) != 1 {
		t.Errorf("%v", f.Components)
	}
	if i, ok := f.Active("android-ndk"); !ok || i.Attrs["release"] != "r27c" || i.Attrs["prebuilt"] != "windows-x86_64" {
		t.Errorf("%v", f.Components["android-ndk"])
	}
	f = probe(t, hosttest.Parse(t, "-- platform --\ndarwin/arm64\n-- env --\nHOME=/Users/ada\n-- dir /Users/ada/Library/Android/sdk/platforms/android-36 --\n"))
	if i, ok := f.Active("android-sdk"); !ok || i.Version != "36" {
		t.Errorf("%v", f.Components)
	}
}

func TestHostileHost(t *testing.T) {
	h := hosttest.Load(t, "testdata/hostile.txtar")
	f := probe(t, h)
	if len(f.Problems) != 1 || !strings.Contains(f.Problems[0].Error, "platforms") || f.Components["android-sdk"][0].Attrs["state"] == "" {
		t.Errorf("%v %v", f.Components, f.Problems)
	}
}

func TestRelease(t *testing.T) {
	for in, want := range map[string]string{"26.1.10909125": "r26b", "25.0.8775105": "r25", "21.4.7075529": "r21e", "": "", "x.1": "", "1.99": ""} {
		if got := mobile.Release(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func FuzzParseProperties(f *testing.F) {
	f.Add("Pkg.Desc = Android NDK\nPkg.Revision = 26.1.10909125\n")
	f.Add("\ufeff# c\r\nSystemImage.Abi:x86\\:64\n=\n")
	f.Add(`{"min": 21, "max": 34}`)
	f.Fuzz(func(t *testing.T, text string) {
		for k, v := range mobile.ParseProperties(text) {
			if k == "" || len(v) > len(text) {
				t.Errorf("%q = %q", k, v)
			}
			mobile.Release(v)
		}
		if lo, hi, ok := mobile.ParsePlatforms([]byte(text)); ok && (lo < 1 || hi < lo) {
			t.Errorf("platforms %d to %d", lo, hi)
		}
	})
}
