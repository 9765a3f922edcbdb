package pkgmgr

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// answers is a machine whose programs say what is written here, by their argv
// without the folder.
type answers struct {
	host.World
	says map[string]host.Output
}

func (a answers) Run(_ context.Context, c host.Command) (host.Output, error) {
	argv := append([]string{c.Argv[0][strings.LastIndex(c.Argv[0], "/")+1:]}, c.Argv[1:]...)
	out, ok := a.says[strings.Join(argv, " ")]
	if !ok {
		return host.Output{Exit: 1, Stderr: []byte("not expected: " + strings.Join(argv, " "))}, nil
	}
	return out, nil
}

func machineThatSays(says map[string]host.Output) *host.Host {
	h := hosttest.Empty("linux", "amd64")
	h.World = answers{h.World, says}
	return h
}

// TestParseRPM: the key of a source, which dnf imports with the first package, is
// no package; undo once asked dnf to remove it.
func TestParseRPM(t *testing.T) {
	got := ParseRPM("gpg-pubkey\t932d7156-6b0a1ce1\t(none)\ncommon\t1.0-1\tnoarch\nglibc\t2.41-1.fc42\tx86_64\nglibc\t2.41-1.fc42\ti686\n"+
		"kernel\t6.15-1\tx86_64\nkernel\t6.14-1\tx86_64\nbroken\n", "amd64")
	want := map[string]Installed{
		"common": {Version: "1.0-1", Ready: true}, "glibc": {Version: "2.41-1.fc42", Ready: true},
		"glibc.i686": {Version: "2.41-1.fc42", Ready: true}, "kernel": {Version: "6.14-1, 6.15-1", Ready: true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// TestRPMNeeded: dnf and zypper remove what needs a package together with it, so
// what others need is not given to them. The answers are those of rpm 4.20.
func TestRPMNeeded(t *testing.T) {
	const format = `%{NAME}\t%{EVR}\t%{ARCH}\n`
	says := map[string]host.Output{
		"rpm -e --test -- nasm common ccache":                 {Exit: 2, Stderr: []byte("error: Failed dependencies:\n\tnasm >= 2 is needed by (installed) needs-nasm-1.0-1.noarch\n")},
		"rpm -e --test -- common ccache":                      {Exit: 1, Stderr: []byte("error: Failed dependencies:\n\tcommon is needed by (installed) nasm-2.15-1.noarch\n")},
		"rpm -e --test -- ccache":                             {},
		"rpm -q --qf " + format + " --whatprovides -- nasm":   {Stdout: []byte("nasm\t2.15-1\tnoarch\n")},
		"rpm -q --qf " + format + " --whatprovides -- common": {Stdout: []byte("common\t1.0-1\tnoarch\n")},
		"rpm -e --test -- odd":                                {Exit: 1, Stderr: []byte("error: Failed dependencies:\n\t(odd if even) is needed by (installed) theirs-1-1.noarch\n")},
		"rpm -q --qf " + format + " --whatprovides -- (odd":   {Exit: 1, Stdout: []byte("no package provides (odd\n")},
		"rpm -e --test -- gone":                               {Exit: 1, Stderr: []byte("error: package gone is not installed\n")},
		"rpm -q --whatprovides -- assembler":                  {Stdout: []byte("nasm-2.15-1.noarch\n")},
		"rpm -q --whatprovides -- nobody":                     {Exit: 1, Stdout: []byte("no package provides nobody\n")},
		"rpm -qa --qf " + format:                              {Exit: 1, Stderr: []byte("error: cannot open Packages database\n")},
	}
	h := machineThatSays(says)
	for _, c := range []struct {
		names []string
		want  map[string]string
	}{
		{[]string{"nasm", "common", "ccache"}, map[string]string{"nasm": "needs-nasm", "common": "needs-nasm"}},
		{[]string{"ccache"}, map[string]string{}},
		{[]string{"odd"}, map[string]string{"odd": "theirs"}},
	} {
		got, err := RPMNeeded(t.Context(), h, c.names)
		if d := cmp.Diff(c.want, got); err != nil || d != "" {
			t.Errorf("%v: %v\n%s", c.names, err, d)
		}
	}
	if _, err := RPMNeeded(t.Context(), h, []string{"gone"}); err == nil || !strings.Contains(err.Error(), "package gone is not installed") {
		t.Errorf("an answer that says nothing of needs: %v", err)
	}
	if !RPMProvided(t.Context(), h, "assembler") || RPMProvided(t.Context(), h, "nobody") {
		t.Error("what a package provides is not told from what none does")
	}
	if _, err := RPM(t.Context(), h); err == nil {
		t.Error("a database that cannot be read is an empty one")
	}
}
