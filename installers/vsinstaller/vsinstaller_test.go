package vsinstaller

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

func vs(path, version string, attrs ...string) facts.Instance {
	i := facts.Instance{Path: path, Version: version, Has: []string{"complete"}, Attrs: map[string]string{"instance_id": "a"}}
	for n := 0; n+1 < len(attrs); n += 2 {
		i.Attrs[attrs[n]] = attrs[n+1]
	}
	return i
}

func TestPick(t *testing.T) {
	broken := vs(`C:\broken`, "17.14")
	broken.Has = nil
	legacy := vs(`C:\VS14`, "14.0")
	legacy.Attrs = map[string]string{}
	for _, c := range []struct {
		name   string
		studio []facts.Instance
		others []string
		want   string
		kind   step.Kind
		absent bool
	}{
		{"newest", []facts.Instance{vs(`C:\19`, "16.11.5"), vs(`C:\22`, "17.9.1"), vs(`C:\22b`, "17.10.0")}, nil, `C:\22b`, "", false},
		{"a release before a preview", []facts.Instance{vs(`C:\26`, "18.0", "prerelease", "true"), vs(`C:\22`, "17.9", "prerelease", "false")}, nil, `C:\22`, "", false},
		{"only a broken one", []facts.Instance{broken}, []string{"winget"}, "", step.Conflict, false},
		{"a broken newer one", []facts.Instance{broken, vs(`C:\19`, "16.11")}, nil, `C:\19`, "", false},
		{"2015 has no such setup", []facts.Instance{legacy}, []string{"winget", "choco"}, "winget", "", false},
		{"none, choco", nil, []string{"choco"}, "choco", "", false},
		{"nothing", nil, nil, "", "", true},
	} {
		f := &facts.Facts{OS: facts.OS{Family: "windows"}, Components: map[string][]facts.Instance{"visual-studio": c.studio}}
		for _, o := range c.others {
			f.Components[o] = []facts.Instance{{}}
		}
		got, err := Pick(f)
		var failure *step.Failure
		errors.As(err, &failure)
		if got != c.want || errors.Is(err, pkgmgr.ErrAbsent) != c.absent || (failure != nil) != (c.kind != "") || failure != nil && failure.Kind != c.kind {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}

func TestInstalled(t *testing.T) {
	const dir = `C:\ProgramData\Microsoft\VisualStudio\Packages\_Instances`
	h := hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- file "+dir+`\a\state.json`+" --\n\ufeff"+
		`{"installationPath":"C:\\VS\\22","installationVersion":"17.10.1","product":{"id":"Microsoft.VisualStudio.Product.BuildTools"},
		"selectedPackages":[{"id":"Microsoft.VisualStudio.Workload.VCTools"}],
		"packages":[{"id":"Microsoft.VisualStudio.Component.VC.Tools.x86.x64","version":"17.10"},{"id":"Microsoft.VisualC.140.CRT.Headers"},{"id":"Microsoft.VisualStudio.Component.VC.ATL"}],
		"errors":{"failedPackages":[{"id":"Microsoft.VisualStudio.Component.VC.ATL"}]}}`+
		"\n-- file "+dir+`\b\state.json`+" --\n"+`{"installationPath":"C:\\VS\\19","packages":[{"id":"Microsoft.VisualStudio.Component.VC.CMake.Project"}]}`+"\n")
	got, err := Manager().For(h, `C:\vs\22`).State(context.Background(), h, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]pkgmgr.Installed{
		"Microsoft.VisualStudio.Workload.VCTools": {Ready: true}, "Microsoft.VisualStudio.Component.VC.Tools.x86.x64": {Ready: true},
		"Microsoft.VisualStudio.Product.BuildTools": {Ready: true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got, err := Manager().For(h, "winget").State(context.Background(), h, nil); err != nil || len(got) != 0 {
		t.Errorf("no Build Tools yet: %v, %v", got, err)
	}
}

func TestCodes(t *testing.T) {
	for exit, kind := range map[int]step.Kind{
		740: step.NoPrivilege, 1001: step.Locked, 1003: step.Locked, 1602: step.Cancelled, 1603: step.Other, 1618: step.Locked, 5003: step.NoNetwork, 5004: step.Cancelled,
		5005: step.Other, 5007: step.Conflict, 8002: step.NoNetwork, 8004: step.ReadOnly, 8005: step.Untrusted, 8006: step.Locked, 8010: step.Conflict,
		-1073720687: step.NoNetwork, -1073741510: step.Cancelled, 1: step.Other,
	} {
		if f := Manager().Explain(exit, nil); f.Kind != kind || f.Cause == "" || f.Next == "" {
			t.Errorf("%d: %+v", exit, f)
		}
	}
	// Through winget, the status may be winget's or setup's.
	m := Manager().For(hosttest.Empty("windows", "amd64"), "winget")
	if a, b := m.Explain(0x8A150014, nil), m.Explain(8006, nil); a.Kind != step.NotFound || b.Kind != step.Locked {
		t.Errorf("%+v, %+v", a, b)
	}
}
