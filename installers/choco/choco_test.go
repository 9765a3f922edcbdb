package choco

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

const nuspec = "\ufeff<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<package xmlns=\"http://schemas.microsoft.com/packaging/2015/06/nuspec.xsd\"><metadata><id>CMake.Install</id><version>3.31.2</version><authors>x</authors></metadata></package>"

func TestInstalled(t *testing.T) {
	h := hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- env --\nProgramData=C:\\Users\\u\nChocolateyInstall=C:\\Users\\u\\choco\nPATH=C:\\Users\\u\\choco\\bin\n"+
		"-- reg 64 HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList --\nProgramData=D:\\Data\n"+
		"-- exec C:\\Users\\u\\choco\\bin\\choco.exe --\n"+
		"-- exec D:\\Data\\chocolatey\\bin\\choco.exe --\n"+
		"-- file D:\\Data\\chocolatey\\lib\\cmake.install\\cmake.install.nuspec --\n"+nuspec+"\n"+
		"-- file D:\\Data\\chocolatey\\lib\\broken\\broken.nuspec --\n<package><metadata>\n"+
		"-- file D:\\Data\\chocolatey\\lib\\empty\\readme.txt --\nx\n")
	got, err := installed(context.Background(), h)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]pkgmgr.Installed{"cmake.install": {Version: "3.31.2", Ready: true}}, got); d != "" {
		t.Error(d)
	}
	if where := Where(context.Background(), h); where != `D:\Data\chocolatey\bin\choco.exe` {
		t.Error(where)
	}
	if got, err := installed(context.Background(), hosttest.Empty("windows", "amd64")); err != nil || len(got) != 0 {
		t.Errorf("without Chocolatey: %v, %v", got, err)
	}
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		exit int
		line string
		kind step.Kind
	}{
		{350, "", step.Interrupted}, {1604, "", step.Interrupted}, {1605, "", step.NotFound}, {1603, "", step.Other}, {1618, "", step.Locked},
		{1, "x not installed. The package was not found with the source(s) listed.", step.NotFound},
		{-1, "Error - hashes do not match. Actual value was 'A'.", step.HashMismatch},
		{1, "Unable to resolve dependency 'vcredist140'.", step.Conflict},
		{1, "strange", step.Other},
	} {
		if f := Manager().Explain(c.exit, []string{c.line}); f.Kind != c.kind {
			t.Errorf("%d %q: %+v", c.exit, c.line, f)
		}
	}
}

func FuzzParseNuspec(f *testing.F) {
	f.Add([]byte(nuspec))
	f.Add([]byte("<package><metadata><id> </id>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if id, v, ok := ParseNuspec(data); ok && (id == "" || v == "" || strings.ContainsAny(id+v, "\n\x1b")) {
			t.Errorf("%q %q", id, v)
		}
	})
}
