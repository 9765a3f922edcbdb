package apk

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

// The outputs are those of apk-tools 2.14.10 on the packages of .ci/managers.
func TestExplain(t *testing.T) {
	for _, c := range []struct {
		kind  step.Kind
		cause string
		text  string
	}{
		{step.NotFound, "sources: no-such-package", "ERROR: unable to select packages:\n  no-such-package (no such package):\n    required by: world[no-such-package]"},
		{step.Conflict, "sources: nothing-that-anyone-has", "ERROR: unable to select packages:\n  nothing-that-anyone-has (no such package):\n    required by: ninja-1.11-r0[nothing-that-anyone-has]"},
		{step.DiskFull, "not enough disk space", "(1/1) Installing protoc (25.1-r0)\nERROR: Failed to create opt/small/data: No space left on device\nERROR: protoc-25.1-r0: No space left on device\n1 error; 0 MiB in 4 packages"},
		{step.Locked, "lock", "ERROR: Unable to lock database: Resource temporarily unavailable\nERROR: Failed to open apk database: Resource temporarily unavailable"},
		// What only a source has that was left out is not found either.
		{step.NoNetwork, "could not be reached", "WARNING: updating and opening http://127.0.0.1:9/none: could not connect to server (check repositories file)\nERROR: unable to select packages:\n  ccache (no such package):\n    required by: world[ccache]"},
		{step.Untrusted, "could not be trusted", "WARNING: opening /srv/repo/apk: UNTRUSTED signature\nERROR: unable to select packages:\n  ccache (no such package):\n    required by: world[ccache]"},
		{step.Untrusted, "could not be trusted", "(1/1) Installing ccache (4.8-r0)\nERROR: ccache-4.8-r0: IO ERROR\n1 error; 40 MiB in 5 packages"},
	} {
		f := Manager().Explain(1, strings.Split(c.text, "\n"))
		if f.Kind != c.kind || !strings.Contains(f.Cause, c.cause) || f.Next == "" {
			t.Errorf("%s: %s: %s; %s", c.text, f.Kind, f.Cause, f.Next)
		}
	}
}

const installed = "-- platform --\nlinux/amd64\n-- file /lib/apk/db/installed --\n" +
	"P:common\nV:1.0-r0\n\nP:nasm\nV:2.15-r0\nD:common>=1 so:libc.musl-x86_64.so.1 !yasm\np:assembler=1 cmd:nasm=2.15-r0\n\n" +
	"P:ccache\nV:4.8-r0\n\nP:needs-nasm\nV:1.0-r0\nD:cmd:nasm\n\n"

// TestNeeded: apk del of what something needs removes nothing and succeeds.
func TestNeeded(t *testing.T) {
	for name, c := range map[string]struct {
		world  string
		leaves []string
		want   map[string]string
	}{
		"a package needs it": {"needs-nasm\nccache\n", []string{"nasm", "common", "ccache"}, map[string]string{"nasm": "needs-nasm", "common": "needs-nasm"}},
		"all go":             {"nasm\n", []string{"nasm", "common", "needs-nasm"}, map[string]string{}},
		"asked for by name":  {"assembler\n", []string{"nasm", "common", "needs-nasm"}, map[string]string{"nasm": "/etc/apk/world (assembler)", "common": "/etc/apk/world (assembler)"}},
	} {
		got, err := needed(t.Context(), hosttest.Parse(t, installed+"-- file /etc/apk/world --\n"+c.world), c.leaves)
		if d := cmp.Diff(c.want, got); err != nil || d != "" {
			t.Errorf("%s: %v\n%s", name, err, d)
		}
	}
}

// TestWithdraw: a package that did not fit on the disk stayed in world, and the next
// apk command, of whatever kind, installed it.
func TestWithdraw(t *testing.T) {
	h := hosttest.Parse(t, installed+"-- file /etc/apk/world --\nnasm\nprotoc\n")
	got := withdraw(t.Context(), h, []string{"nasm", "protoc", "swig"})
	if d := cmp.Diff([]string{"del", "--no-progress", "--", "protoc"}, got); d != "" {
		t.Error(d)
	}
	if got = withdraw(t.Context(), h, []string{"nasm"}); got != nil {
		t.Errorf("nothing was left: %v", got)
	}
}

func TestProvided(t *testing.T) {
	m, h := Manager(), hosttest.Parse(t, installed)
	if !m.Provided(t.Context(), h, "assembler") || m.Provided(t.Context(), h, "yasm") {
		t.Error("what a package provides is not told from what none does")
	}
	below := hosttest.Parse(t, strings.ReplaceAll(installed, "/lib/apk", "/usr/lib/apk")) // Alpine 3.23
	if has, err := m.Installed(t.Context(), below); err != nil || !has["nasm"].Ready {
		t.Errorf("%v %v", has, err)
	}
	if !slices.ContainsFunc(ParseRelations("P:a\nD:b\n"), func(p pkgmgr.Relations) bool { return p.Name == "a" }) {
		t.Error("the last stanza is not read")
	}
}

func TestParseDatabase(t *testing.T) {
	got := ParseDatabase("C:Q1x=\nP:musl\nV:1.2.4-r2\nA:x86_64\nF:lib\nR:ld.so\n\nP:cmake\nV:3.27\n\nV:9\n")
	want := map[string]pkgmgr.Installed{"musl": {Version: "1.2.4-r2", Ready: true}, "cmake": {Version: "3.27", Ready: true}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func FuzzParseDatabase(f *testing.F) {
	f.Add("P:a\nV:1\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		for name, p := range ParseDatabase(text) {
			if name == "" || !p.Ready {
				t.Errorf("%q: %+v", name, p)
			}
		}
	})
}
