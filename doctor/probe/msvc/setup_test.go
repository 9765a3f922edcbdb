package msvc_test

import (
	_ "embed"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe/msvc"
)

func ptr[T any](v T) *T { return &v }

// What vswhere and setup write; names and numbers are made up.
var (
	//go:embed testdata/vswhere.json
	vswhereJSON string
	//go:embed testdata/state.json
	stateJSON string
)

var vswhereWant = msvc.Setup{
	InstanceID: "4f1e2d3c", Path: `D:\VS\18\Professional`, Version: "18.0.11217.181",
	DisplayVersion: "18.0.1", DisplayName: "Visual Studio Professional 2026",
	ProductID: "Microsoft.VisualStudio.Product.Professional", ChannelID: "VisualStudio.18.Release", Nickname: "work",
	UpdateDate: "2025-11-20T08:15:00.1234567Z", LineVersion: "18", Milestone: "RTW",
	Prerelease: ptr(false), Complete: ptr(true), Launchable: ptr(true), RebootRequired: ptr(false), State: ptr(uint32(0xFFFFFFFF)),
}

func TestParseVSWhereForms(t *testing.T) {
	for name, in := range map[string]string{
		"json": vswhereJSON, "json with mark": "\ufeff" + vswhereJSON, "json with CRLF": strings.ReplaceAll(vswhereJSON, "\n", "\r\n"),
		// A code page that ate a quote: the line is lost, its neighbours are not.
		"damaged json": strings.Replace(vswhereJSON, `среда",`, "\xd1\xf0\xe5\xe4?,", 1),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := msvc.ParseVSWhere([]byte(in))
			if err != nil {
				t.Fatal(err)
			}
			probetest.Same(t, "", []msvc.Setup{vswhereWant}, got)
		})
	}
}

// A cut text still gives what stands before the cut.
func TestParseVSWhereCut(t *testing.T) {
	for n := range len(vswhereJSON) {
		got, err := msvc.ParseVSWhere([]byte(vswhereJSON[:n]))
		past := n > strings.Index(vswhereJSON, `"installationVersion"`)+len(`"installationVersion": "18.0.11217.181",`)
		if past && (err != nil || len(got) != 1 || got[0].Version != vswhereWant.Version || got[0].Path != vswhereWant.Path) {
			t.Fatalf("cut at %d: %v, %v", n, got, err)
		}
	}
}

func TestParseVSWhereNothing(t *testing.T) {
	for _, in := range []string{"", "[]", "[\r\n]\r\n"} {
		if got, err := msvc.ParseVSWhere([]byte(in)); err != nil || len(got) != 0 {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"Error 0x57: The parameter is incorrect", "[{]", "{", "not json"} {
		if got, err := msvc.ParseVSWhere([]byte(in)); err == nil && len(got) > 0 {
			t.Errorf("%q: %v", in, got)
		}
	}
}

func TestParseVSWhereStates(t *testing.T) {
	for _, c := range []struct {
		state            string
		complete, reboot bool
	}{{"4294967295", true, false}, {"-1", true, false}, {"11", false, true}, {"13", false, false}, {"7", false, false}} {
		got, err := msvc.ParseVSWhere([]byte(`[{"instanceId": "1", "state": ` + c.state + `}]`))
		if err != nil || len(got) != 1 {
			t.Fatalf("state %s: %v, %v", c.state, got, err)
		}
		if *got[0].Complete != c.complete || *got[0].RebootRequired != c.reboot {
			t.Errorf("state %s: complete %v reboot %v", c.state, *got[0].Complete, *got[0].RebootRequired)
		}
	}
}

// vswhere -legacy and old releases say little; what they say is read.
func TestParseVSWhereShortForms(t *testing.T) {
	got, err := msvc.ParseVSWhere([]byte(`[{"instanceId": "VisualStudio.14.0", "installationPath": "C:\\VS 14.0\\", "installationVersion": "14.0"},
{"instanceId": "2a", "installationPath": "C:\\", "packages": [{"id": "Microsoft.VisualStudio.Product.WDExpress"}, "Microsoft.VisualStudio.Component.VC.Tools.x86.x64"]}]`))
	if err != nil {
		t.Fatal(err)
	}
	probetest.Same(t, "", []msvc.Setup{
		{InstanceID: "VisualStudio.14.0", Path: `C:\VS 14.0`, Version: "14.0"},
		{
			InstanceID: "2a", Path: `C:\`, ProductID: "Microsoft.VisualStudio.Product.WDExpress",
			Packages: []string{"Microsoft.VisualStudio.Product.WDExpress", "Microsoft.VisualStudio.Component.VC.Tools.x86.x64"},
		},
	}, got)
}

func TestParseState(t *testing.T) {
	want := msvc.Setup{
		Path: `C:\VS\Preview`, Version: "17.11.34929.205",
		DisplayVersion: "17.11.0 Preview 1.1", DisplayName: "Visual Studio Enterprise 2022",
		ProductID: "Microsoft.VisualStudio.Product.Enterprise", ChannelID: "VisualStudio.17.Preview",
		UpdateDate:  "2024-06-01T10:00:00.5Z",
		LineVersion: "2022", Milestone: "Preview", Prerelease: ptr(true), Registered: ptr(true),
		Packages: []string{"Microsoft.VisualStudio.Product.Enterprise", "Microsoft.VisualStudio.Component.VC.Tools.x86.x64"},
		Selected: []string{"Microsoft.VisualStudio.Workload.NativeDesktop"},
		Failed:   []string{"Android.SDK", "Xamarin"},
	}
	for _, in := range []string{stateJSON, "\ufeff" + stateJSON} {
		got, err := msvc.ParseState([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		probetest.Same(t, "", want, got)
	}
	got, err := msvc.ParseState([]byte(stateJSON[:strings.Index(stateJSON, `"launchParams"`)]))
	if err == nil || got.Version != want.Version || got.Path != want.Path || *got.Registered {
		t.Errorf("cut: %+v, %v", got, err)
	}
	for _, in := range []string{"", "null", "[]", "\x00", strings.Repeat(`{"a":`, 10_000)} {
		if _, err := msvc.ParseState([]byte(in)); err == nil {
			t.Errorf("%.20q parses", in)
		}
	}
}

func FuzzParseVSWhere(f *testing.F) {
	f.Add([]byte(vswhereJSON))
	f.Add([]byte("\xff\xfe"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, _ := msvc.ParseVSWhere(data)
		for _, s := range list {
			if s.InstanceID == "" && s.Path == "" {
				t.Error("an instance without id and path")
			}
		}
	})
}

func FuzzParseState(f *testing.F) {
	f.Add([]byte(stateJSON))
	f.Add([]byte("\xef\xbb\xbf{}"))
	f.Add([]byte(`{"product":7,"packages":{"id":1},"errors":[[]],"localizedResources":[null,{"title":[]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := msvc.ParseState(data)
		if err == nil && s.Registered == nil {
			t.Error("a record that does not say whether a product is registered")
		}
	})
}
