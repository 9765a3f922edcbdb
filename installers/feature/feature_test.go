package feature

import (
	"context"
	"errors"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

const features = `
Deployment Image Servicing and Management tool
Version: 10.0.20348.681

Image Version: 10.0.20348.2762

Features listing for package : Microsoft-Windows-Foundation-Package~31bf3856ad364e35~amd64~~10.0.20348.1

------------------------------------------- | -------------------------------
Feature Name                                | State
------------------------------------------- | -------------------------------
ServerMediaFoundation                       | Disabled
TelnetClient                                | Disabled with Payload Removed
NetFx4                                      | Enabled
Containers                                  | Enable Pending
SMB1Protocol                                | Disable Pending
Windows-Defender                            | Enabled

The operation completed successfully.
`

const capabilities = "Capability listing:\n\n------ | -----\nCapability Identity | State\n------ | -----\nMedia.MediaFeaturePack~~~~0.0.1.0 | Not Present\nLanguage.Basic~~~de-DE~0.0.1.0 | Installed\n"

func fixture(exit string) string {
	dism := `"C:\\Windows\\System32\\dism.exe" "/online" "/english" `
	return "-- platform --\nwindows/amd64\n-- run " + dism + `"/get-features" "/format:table"` + " --\n#exit " + exit + "\n" + features +
		"-- run " + dism + `"/get-capabilities" "/format:table"` + " --\n#exit " + exit + "\n" + capabilities
}

func TestStateAndQuote(t *testing.T) {
	ctx, m := context.Background(), Manager()
	h := hosttest.Parse(t, fixture("0"))
	tool := m.Find(ctx, h)
	names := []string{"ServerMediaFoundation", "NetFx4", "Containers", "Media.MediaFeaturePack~~~~0.0.1.0", "Language.Basic~~~de-DE~0.0.1.0", "SMB1Protocol"}
	got, err := m.State(ctx, h, names)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		want := n == "NetFx4" || n == "Containers" || n == "Language.Basic~~~de-DE~0.0.1.0"
		if got[n].Ready != want {
			t.Errorf("%s: %+v", n, got[n])
		}
	}
	q, err := m.Quote(ctx, h, tool, []string{"ServerMediaFoundation", "NetFx4", "NoSuch"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(pkgmgr.Quote{Change: []step.Package{{Name: "ServerMediaFoundation"}}, NotFound: []string{"NoSuch"}}, q); d != "" {
		t.Error(d)
	}
	_, err = m.State(ctx, hosttest.Parse(t, fixture("740")), names[:1])
	var f *step.Failure
	if !errors.As(err, &f) || f.Kind != step.NoPrivilege {
		t.Errorf("not administrator: %v", err)
	}
}

func TestCodes(t *testing.T) {
	for exit, kind := range map[int]step.Kind{
		0x800F0954: step.NotFound, 0x800F081F: step.NotFound, 0x800F0906: step.NoNetwork, 0x800F080C: step.NotFound, 0x800F082F: step.Interrupted,
		0x800F0922: step.Other, 740: step.NoPrivilege, 5: step.NoPrivilege, 87: step.Other, -2146498220: step.NotFound,
	} {
		if f := Manager().Explain(exit, nil); f.Kind != kind || f.Next == "" {
			t.Errorf("%#x: %+v", uint32(exit), f)
		}
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add(features)
	f.Add(capabilities)
	form := regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.~-]*$`)
	f.Fuzz(func(t *testing.T, text string) {
		for name := range ParseTable(text) {
			if !form.MatchString(name) {
				t.Errorf("%q", name)
			}
		}
	})
}
