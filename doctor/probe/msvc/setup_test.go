package msvc_test

import (
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/probe/msvc"
)

func ptr[T any](v T) *T { return &v }

// The forms below are what vswhere 1.0 to 3.1, the setup cache and the VSSetup
// module write; names and numbers are made up.
const vswhereJSON = `[
  {
    "instanceId": "4f1e2d3c",
    "installDate": "2025-11-20T08:15:00Z",
    "installationName": "VisualStudio/18.0.1+11217.181",
    "installationPath": "D:\\VS\\18\\Professional\\",
    "installationVersion": "18.0.11217.181",
    "productId": "Microsoft.VisualStudio.Product.Professional",
    "productPath": "D:\\VS\\18\\Professional\\Common7\\IDE\\devenv.exe",
    "state": 4294967295,
    "isComplete": true,
    "isLaunchable": true,
    "isPrerelease": false,
    "isRebootRequired": false,
    "displayName": "Visual Studio Professional 2026",
    "description": "Профессиональная среда",
    "channelId": "VisualStudio.18.Release",
    "updateDate": "2025-11-20T08:15:00.1234567Z",
    "catalog": {
      "buildVersion": "18.0.11217.181",
      "productDisplayVersion": "18.0.1",
      "productLineVersion": "18",
      "productMilestone": "RTW",
      "productMilestoneIsPreRelease": "False"
    },
    "properties": {
      "canceled": "0",
      "nickname": "work"
    }
  }
]
`

var vswhereWant = msvc.Setup{
	InstanceID: "4f1e2d3c", Name: "VisualStudio/18.0.1+11217.181", Path: `D:\VS\18\Professional`, Version: "18.0.11217.181",
	DisplayVersion: "18.0.1", DisplayName: "Visual Studio Professional 2026",
	ProductID: "Microsoft.VisualStudio.Product.Professional", ProductPath: `D:\VS\18\Professional\Common7\IDE\devenv.exe`,
	ChannelID: "VisualStudio.18.Release", Nickname: "work", InstallDate: "2025-11-20T08:15:00Z",
	UpdateDate: "2025-11-20T08:15:00.1234567Z", LineVersion: "18", Milestone: "RTW",
	Prerelease: ptr(false), Complete: ptr(true), Launchable: ptr(true), RebootRequired: ptr(false), State: ptr(uint32(0xFFFFFFFF)),
}

func TestParseVSWhereForms(t *testing.T) {
	text := `Visual Studio Locator version 3.1.7+f39851e70f [query version 3.12.2149.20818]
Copyright (C) Microsoft Corporation. All rights reserved.

instanceId: 4f1e2d3c
installDate: 2025-11-20T08:15:00Z
installationName: VisualStudio/18.0.1+11217.181
installationPath: D:\VS\18\Professional\
installationVersion: 18.0.11217.181
productId: Microsoft.VisualStudio.Product.Professional
productPath: D:\VS\18\Professional\Common7\IDE\deve
nv.exe
state: 4294967295
isComplete: 1
isLaunchable: 1
isPrerelease: 0
isRebootRequired: 0
displayName: Visual Studio Professional 2026
description: Среда: для команд
и одиночек
channelId: VisualStudio.18.Release
updateDate: 2025-11-20T08:15:00.1234567Z
catalog_buildVersion: 18.0.11217.181
catalog_productDisplayVersion: 18.0.1
catalog_productLineVersion: 18
catalog_productMilestone: RTW
catalog_productMilestoneIsPreRelease: False
properties_canceled: 0
properties_nickname: work
`
	xml := `<?xml version="1.0"?>
<instances>
  <instance>
    <instanceId>4f1e2d3c</instanceId>
    <installDate>2025-11-20T08:15:00Z</installDate>
    <installationName>VisualStudio/18.0.1+11217.181</installationName>
    <installationPath>D:\VS\18\Professional</installationPath>
    <installationVersion>18.0.11217.181</installationVersion>
    <productId>Microsoft.VisualStudio.Product.Professional</productId>
    <productPath>D:\VS\18\Professional\Common7\IDE\devenv.exe</productPath>
    <state>4294967295</state>
    <isComplete>1</isComplete>
    <isLaunchable>1</isLaunchable>
    <isPrerelease>0</isPrerelease>
    <isRebootRequired>0</isRebootRequired>
    <displayName>Visual Studio Professional 2026</displayName>
    <channelId>VisualStudio.18.Release</channelId>
    <updateDate>2025-11-20T08:15:00.1234567Z</updateDate>
    <catalog>
      <productDisplayVersion>18.0.1</productDisplayVersion>
      <productLineVersion>18</productLineVersion>
      <productMilestone>RTW</productMilestone>
      <productMilestoneIsPreRelease>False</productMilestoneIsPreRelease>
    </catalog>
    <properties>
      <nickname>work</nickname>
    </properties>
  </instance>
</instances>
`
	powershell := `[{
  "InstanceId": "4f1e2d3c", "InstallationName": "VisualStudio/18.0.1+11217.181",
  "InstallationPath": "D:\\VS\\18\\Professional",
  "InstallationVersion": {"Major": 18, "Minor": 0, "Build": 11217, "Revision": 181, "MajorRevision": 0, "MinorRevision": 181},
  "InstallDate": "2025-11-20T08:15:00Z", "State": 4294967295, "DisplayName": "Visual Studio Professional 2026",
  "ProductPath": "D:\\VS\\18\\Professional\\Common7\\IDE\\devenv.exe",
  "Product": {"Id": "Microsoft.VisualStudio.Product.Professional", "Version": {"Major": 18}},
  "Properties": [{"Key": "Nickname", "Value": "work"}], "Errors": null,
  "IsComplete": true, "IsLaunchable": true, "IsPrerelease": false, "IsRebootRequired": false,
  "CatalogInfo": [{"Key": "ProductDisplayVersion", "Value": "18.0.1"}, {"Key": "ProductLineVersion", "Value": "18"}, {"Key": "ProductMilestone", "Value": "RTW"}],
  "UpdateDate": "2025-11-20T08:15:00.1234567Z", "ChannelId": "VisualStudio.18.Release"
}]`
	banner := "Visual Studio Locator version 2.1.3 [query version 1.12.134.36697]\r\nCopyright (C) Microsoft Corporation. All rights reserved.\r\n\r\n"
	for name, in := range map[string]string{
		"json": vswhereJSON, "json with mark": "\ufeff" + vswhereJSON, "json below a banner": banner + vswhereJSON,
		"json with CRLF": strings.ReplaceAll(vswhereJSON, "\n", "\r\n"), "json as UTF-16": utf16LE(vswhereJSON),
		"json in a log": "C:\\> vswhere -all -format json\n" + vswhereJSON + "\nC:\\>",
		"text":          text, "text with CRLF": strings.ReplaceAll(text, "\n", "\r\n"), "xml": xml, "powershell": powershell,
		"xml in a log": "C:\\> vswhere -format xml\n" + banner + xml,
		"quoted text":  "> " + strings.ReplaceAll(text, "\n", "\n> "), "indented text": "    " + strings.ReplaceAll(text, "\n", "\n    "),
		"text in a CI log": "2026-01-01T00:00:00.1234567Z " + strings.ReplaceAll(text, "\n", "\n2026-01-01T00:00:00.1234567Z "),
		"json in a CI log": "2026-01-01T00:00:00.1234567Z " + strings.ReplaceAll(vswhereJSON, "\n", "\n2026-01-01T00:00:00.1234567Z "),
		"coloured json":    strings.ReplaceAll(vswhereJSON, "true", "\x1b[35mtrue\x1b[0m"),
		// A code page that ate a quote: the line is lost, its neighbours are not.
		"damaged json": strings.Replace(vswhereJSON, `среда",`, "\xd1\xf0\xe5\xe4?,", 1),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := msvc.ParseVSWhere([]byte(in))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]msvc.Setup{vswhereWant}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func utf16LE(s string) string {
	out := []byte("\xff\xfe")
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return string(out)
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
	for _, in := range []string{"", "[]", "[\r\n]\r\n", "Visual Studio Locator version 2.7.1+180c706d56 [query version 2.7.3111.17308]\nCopyright (C) Microsoft Corporation. All rights reserved.\n\n", "<?xml version=\"1.0\"?><instances/>"} {
		if got, err := msvc.ParseVSWhere([]byte(in)); err != nil || len(got) != 0 {
			t.Errorf("%q: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"Error 0x57: The parameter is incorrect", "[{]", "{", "<instances", "not json"} {
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

// vswhere -legacy and the finder of node-gyp say little; what they say is read.
func TestParseVSWhereShortForms(t *testing.T) {
	got, err := msvc.ParseVSWhere([]byte(`instanceId: VisualStudio.14.0
installationPath: C:\Program Files (x86)\Microsoft Visual Studio 14.0\
installationVersion: 14.0

instanceId: 2a
installationPath: C:\
`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]msvc.Setup{
		{InstanceID: "VisualStudio.14.0", Path: `C:\Program Files (x86)\Microsoft Visual Studio 14.0`, Version: "14.0"},
		{InstanceID: "2a", Path: `C:\`},
	}, got); diff != "" {
		t.Error(diff)
	}
	got, err = msvc.ParseVSWhere([]byte(`[{"path":"C:\\VS","version":"15.9.1.2","packages":["Microsoft.VisualStudio.Product.WDExpress","Microsoft.VisualStudio.Component.VC.Tools.x86.x64"]}]`))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Path != `C:\VS` || got[0].Version != "15.9.1.2" || got[0].ProductID != "Microsoft.VisualStudio.Product.WDExpress" || len(got[0].Packages) != 2 {
		t.Errorf("%+v", got)
	}
}

const stateJSON = `{
  "icon": {"mimeType": "image/svg+xml", "base64": "AA=="},
  "updateDate": "2024-06-01T10:00:00.5Z",
  "installDate": "2024-05-01T10:00:00.5Z",
  "enginePath": "C:\\Program Files (x86)\\Microsoft Visual Studio\\Installer\\resources\\app",
  "installationName": "VisualStudioPreview/17.11.0-pre.1.1+34929.205",
  "catalogInfo": {"id": "VisualStudioPreview/17.11.0-pre.1.1+34929.205", "productDisplayVersion": "17.11.0 Preview 1.1", "productLineVersion": "2022", "productMilestone": "Preview", "productMilestoneIsPreRelease": "True"},
  "installationPath": "C:\\VS\\Preview",
  "installationVersion": "17.11.34929.205",
  "launchParams": {"fileName": "Common7\\IDE\\devenv.exe"},
  "channelId": "VisualStudio.17.Preview",
  "localizedResources": [{"language": "de-de", "title": "Visual Studio Enterprise 2022 (de)"}, {"language": "en-us", "title": "Visual Studio Enterprise 2022"}],
  "product": {"id": "Microsoft.VisualStudio.Product.Enterprise", "version": "17.11.34929.205", "installed": true},
  "selectedPackages": [{"id": "Microsoft.VisualStudio.Workload.NativeDesktop", "selectedState": "GroupSelected"}],
  "packages": [{"id": "Microsoft.VisualStudio.Product.Enterprise"}, {"id": "Microsoft.VisualStudio.Component.VC.Tools.x86.x64", "version": "17.11.1.1", "type": "Component"}],
  "errors": {"failedPackages": [{"id": "Android.SDK"}], "skippedPackages": [{"id": "Xamarin"}]}
}`

func TestParseState(t *testing.T) {
	want := msvc.Setup{
		Name: "VisualStudioPreview/17.11.0-pre.1.1+34929.205", Path: `C:\VS\Preview`, Version: "17.11.34929.205",
		DisplayVersion: "17.11.0 Preview 1.1", DisplayName: "Visual Studio Enterprise 2022",
		ProductID: "Microsoft.VisualStudio.Product.Enterprise", ProductPath: `Common7\IDE\devenv.exe`,
		ChannelID: "VisualStudio.17.Preview", InstallDate: "2024-05-01T10:00:00.5Z", UpdateDate: "2024-06-01T10:00:00.5Z",
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
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
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
	f.Add([]byte("instanceId: 1\ninstallationPath: C:\\VS\n\ninstanceId: 2\n"))
	f.Add([]byte("<instances><instance><instanceId>1</instanceId><catalog><id>x</id></catalog></instance></instances>"))
	f.Add([]byte(utf16LE(`[{"instanceId":"1"}]`)))
	f.Add([]byte(`[{"CatalogInfo":[{"Key":"a","Value":1}],"InstallationVersion":{"Major":1,"Minor":-1}}]`))
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
