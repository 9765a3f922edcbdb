package apple_test

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe/apple"
)

var probe = probetest.Of(apple.Probe)

// row is an instance in short.
func rows(f facts.Facts) map[string][]string {
	out := map[string][]string{}
	for name, list := range f.Components {
		for _, i := range list {
			s := i.Version + " " + i.Path
			if i.Active {
				s += " active via " + strings.Join(i.Via, ",")
			}
			if len(i.Has) > 0 {
				s += " has " + strings.Join(i.Has, ",")
			}
			if i.Attrs["state"] != "" {
				s += " (" + i.Attrs["state"] + ")"
			}
			out[name] = append(out[name], s)
		}
	}
	return out
}

func TestAppleSiliconWithIntelBrewFirst(t *testing.T) {
	const dev = "/Applications/Xcode.app/Contents/Developer"
	f := probe(t, hosttest.Load(t, "../../testdata/hosts/macos-15-arm64.txtar"))
	f.Sort()
	probetest.Same(t, "", map[string][]string{
		"xcode":     {"16.1 /Applications/Xcode.app active via xcode-select has MacOSX,clang,iPhoneOS,iPhoneSimulator,xcodebuild"},
		"xcode-clt": {"16.1.0 /Library/Developer/CommandLineTools has clang,MacOSX"},
		"macos-sdk": {
			"15.1 " + dev + "/Platforms/MacOSX.platform/Developer/SDKs/MacOSX.sdk active via xcrun",
			"14.5 /Library/Developer/CommandLineTools/SDKs/MacOSX14.5.sdk",
		},
		"ios-sdk": {
			"18.1 " + dev + "/Platforms/iPhoneOS.platform/Developer/SDKs/iPhoneOS.sdk active via xcrun",
			"18.1 " + dev + "/Platforms/iPhoneSimulator.platform/Developer/SDKs/iPhoneSimulator.sdk",
		},
		"homebrew": {
			" /usr/local active via PATH (its packages are for amd64, this Mac is arm64)",
			" /opt/homebrew has opencv,opencv@4",
		},
		"metal":            {" /System/Library/Frameworks/Metal.framework active via system has mps"},
		"coreml":           {" /System/Library/Frameworks/CoreML.framework active via system has neural-engine"},
		"opencl-framework": {" /System/Library/Frameworks/OpenCL.framework active via system"},
		"accelerate":       {" /System/Library/Frameworks/Accelerate.framework active via system"},
	}, rows(f))
	if got := f.Components["xcode"][0].Attrs["build"]; got != "16B40" {
		t.Errorf("build %s", got)
	}
}

// An Intel Mac with the command-line tools only, whose compiler an upgrade of
// macOS removed.
func TestBrokenCommandLineTools(t *testing.T) {
	f := probe(t, hosttest.Parse(t, `
-- platform --
darwin/amd64
-- env --
SDKROOT=/Library/Developer/CommandLineTools/SDKs/MacOSX11.3.sdk
DEVELOPER_DIR=/Library/Developer/CommandLineTools/
-- dir /Library/Developer/CommandLineTools/SDKs/MacOSX11.3.sdk --
-- dir /Library/Developer/CommandLineTools/SDKs/MacOSX12.1.sdk --
-- exec /usr/local/bin/brew --
`))
	f.Sort()
	probetest.Same(t, "", map[string][]string{
		"xcode-clt": {" /Library/Developer/CommandLineTools active via DEVELOPER_DIR has MacOSX (incomplete: no /Library/Developer/CommandLineTools/usr/bin/clang)"},
		"macos-sdk": {
			"11.3 /Library/Developer/CommandLineTools/SDKs/MacOSX11.3.sdk active via SDKROOT",
			"12.1 /Library/Developer/CommandLineTools/SDKs/MacOSX12.1.sdk",
		},
		"homebrew": {" /usr/local active via "},
	}, rows(f))
}

// TestEmptiedCommandLineTools: an upgrade of macOS leaves the folder without its
// programs, and xcode-select goes on naming it. It cannot be used where it is selected.
func TestEmptiedCommandLineTools(t *testing.T) {
	const sdk = "-- dir /Library/Developer/CommandLineTools/SDKs/MacOSX12.1.sdk --\n"
	for name, c := range map[string]struct {
		host   string
		remedy string // "" where they are usable
	}{
		"selected":                    {sdk, "sudo rm -rf /Library/Developer/CommandLineTools && xcode-select --install"},
		"whole":                       {sdk + "-- exec /Library/Developer/CommandLineTools/usr/bin/clang --\n", ""},
		"an Xcode is selected":        {sdk + "-- env --\nDEVELOPER_DIR=/Applications/Xcode.app/Contents/Developer\n-- dir /Applications/Xcode.app/Contents/Developer/usr/bin --\n", ""},
		"a deleted Xcode is selected": {sdk + "-- env --\nDEVELOPER_DIR=/Applications/Xcode.app/Contents/Developer\n", "unset DEVELOPER_DIR"},
	} {
		env := ""
		if !strings.Contains(c.host, "-- env --") {
			env = "-- env --\nDEVELOPER_DIR=/Library/Developer/CommandLineTools\n"
		}
		list := probe(t, hosttest.Parse(t, "-- platform --\ndarwin/arm64\n"+env+c.host)).Components["xcode-clt"]
		if len(list) != 1 {
			t.Errorf("%s: %+v", name, list)
			continue
		}
		if got := list[0].Unusable; (got == nil) != (c.remedy == "") || got != nil && (got.Reason != facts.MissingFile || got.Remedy != c.remedy) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestSeveralXcodes(t *testing.T) {
	f := probe(t, hosttest.Parse(t, `
-- platform --
darwin/arm64
-- dir /Applications/Xcode.app/Contents/Developer/usr/bin --
-- file /Applications/Xcode.app/Contents/Info.plist --
{ CFBundleShortVersionString = "15.4"; DTXcodeBuild = 15F31d; }
-- dir /Applications/Xcode-beta.app/Contents/Developer --
-- file /Applications/Xcode-beta.app/Contents/version.plist --
bplist00 damaged
-- dir /Applications/Xcodes.app/Contents --
`))
	list := f.Components["xcode"]
	if len(list) != 2 || list[1].Version != "15.4" || !list[1].Active || list[0].Attrs["prerelease"] != "true" || list[0].Version != "" {
		t.Errorf("%+v", list)
	}
	if len(f.Problems) != 1 {
		t.Errorf("a damaged property list goes unmentioned: %v", f.Problems)
	}
}

func TestHostileHost(t *testing.T) {
	h := hosttest.Parse(t, `
-- platform --
darwin/arm64
-- env --
DEVELOPER_DIR=../../x.app
-- link /var/db/xcode_select_link --
/var/db/xcode_select_link
-- deny /Applications --
-- file /Library/Developer/CommandLineTools --
a file where a folder should be
-- deny /var/db/receipts/com.apple.pkg.CLTools_Executables.plist --
-- file /opt/homebrew --
not a folder
`)
	if f := probe(t, hosttest.Empty("linux", "amd64")); len(f.Components) != 0 {
		t.Errorf("Linux: %v", f.Components)
	}
	f := probe(t, h)
	if len(f.Components["xcode"]) != 0 || f.Components["xcode-clt"][0].Attrs["state"] == "" || len(f.Problems) == 0 {
		t.Errorf("%v %v", f.Components, f.Problems)
	}
}

func FuzzParseSDKSettings(f *testing.F) {
	f.Add([]byte(`{"CanonicalName": "iphoneos18.1", "Version": "18.1"}`))
	f.Add([]byte("{\"Version\": 7"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if s := apple.ParseSDKSettings(data); s != (apple.SDKSettings{}) && len(data) < len(s.Version) {
			t.Errorf("more than was written: %+v", s)
		}
	})
}

// TestLicense: an Xcode whose license was not accepted, one that was never asked,
// and a choice of xcode-select that is gone.
func TestLicense(t *testing.T) {
	const (
		mac   = "-- platform --\ndarwin/arm64\n"
		xcode = mac + "-- link /var/db/xcode_select_link --\n/Applications/Xcode.app/Contents/Developer\n-- dir /Applications/Xcode.app/Contents/Developer/usr/bin --\n"
		clt   = "-- exec /Library/Developer/CommandLineTools/usr/bin/clang --\n"
		no    = "#exit 69\n#stderr You have not agreed to the Xcode license agreements.\n"
	)
	for name, c := range map[string]struct{ host, component, remedy string }{
		"not accepted":                  {xcode + "-- run \"/usr/bin/clang\" \"--version\" --\n" + no, "xcode", "sudo xcodebuild -license accept"},
		"accepted":                      {xcode + "-- run \"/usr/bin/clang\" \"--version\" --\nApple clang version 16.0.0\n", "xcode", ""},
		"another failure":               {xcode + "-- run \"/usr/bin/clang\" \"--version\" --\n#exit 1\n#stderr xcrun: error\n", "xcode", ""},
		"another Xcode was chosen":      {mac + clt + "-- link /var/db/xcode_select_link --\n" + cltForTest + "\n", "xcode-clt", ""},
		"the choice is gone":            {mac + clt + "-- env --\nDEVELOPER_DIR=/Applications/Xcode-beta.app\n", "xcode-clt", "unset DEVELOPER_DIR"},
		"DEVELOPER_DIR names the tools": {mac + clt + "-- env --\nDEVELOPER_DIR=" + cltForTest + "\n", "xcode-clt", ""},
	} {
		f := probe(t, hosttest.Parse(t, c.host))
		got := ""
		for _, i := range f.Components[c.component] {
			if i.Unusable != nil {
				got = i.Unusable.Remedy
			}
		}
		if len(f.Components[c.component]) == 0 || got != c.remedy {
			t.Errorf("%s: %d copies of %s, remedy %q; want %q", name, len(f.Components[c.component]), c.component, got, c.remedy)
		}
	}
}

const cltForTest = "/Library/Developer/CommandLineTools"
