package apple_test

import (
	"flag"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe/apple"
)

var probe = probetest.Of(apple.Probe)

var update = flag.Bool("update", false, "rewrite the golden facts in testdata/machines")

func TestMachines(t *testing.T) {
	probetest.Machines(t, apple.Probe, *update)
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
