package pacman

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

// The outputs are those of pacman 7.0.0 on the repositories of .ci/managers.
func TestExplain(t *testing.T) {
	for _, c := range []struct {
		kind  step.Kind
		cause string
		text  string
	}{
		{step.NotFound, "not in this system's sources", `error: target not found: no-such-package`},
		{step.NotFound, "no package lists yet", `warning: database file for 'ours' does not exist (use '-Sy' to download)
error: target not found: nasm`},
		{step.Untrusted, "could not be trusted", `checking keyring...
downloading required keys...
:: Import PGP key 30A0A34CCF0DA2D8, "Unknown Packager"? [Y/n] error: key "30A0A34CCF0DA2D8" could not be looked up remotely

error: required key missing from keyring
error: failed to commit transaction (unexpected error)
Errors occurred, no packages were upgraded.`},
		{step.Conflict, "do not fit together", `warning: cannot resolve "nothing-that-anyone-has", a dependency of "ninja"
:: Do you want to skip the above package for this upgrade? [y/N] error: failed to prepare transaction (could not satisfy dependencies)

:: unable to satisfy dependency 'nothing-that-anyone-has' required by ninja`},
		{step.Conflict, "do not fit together", `error: failed to commit transaction (conflicting files)
ccache: /usr/bin/ccache exists in filesystem
Errors occurred, no packages were upgraded.`},
		{step.DiskFull, "not enough disk space", `error: Partition /opt/small too full: 10253 blocks needed, 256 blocks free
error: not enough free disk space
error: failed to commit transaction (not enough free disk space)`},
		// pacman's own words would blame the disk.
		{step.Other, "/ is not a mount point", `:: Proceed with installation? [Y/n] error: could not determine cachedir mount point /var/cache/pacman/pkg/download-txOAxr
error: failed to commit transaction (not enough free disk space)`},
		{step.Other, "how much disk space is free", `error: could not open file: /etc/mtab: No such file or directory
error: could not determine filesystem mount points
error: failed to commit transaction (unexpected error)`},
		{step.NoNetwork, "could not be reached", `error: failed retrieving file 'protoc-25.1-1-any.pkg.tar' from 127.0.0.1:9 : Failed to connect to 127.0.0.1 port 9 after 0 ms: Could not connect to server
warning: failed to retrieve some files
error: failed to commit transaction (download library error)`},
		{step.Locked, "holds the package manager's lock", `error: failed to init transaction (unable to lock database)
error: could not lock database: File exists
  if you're sure a package manager is not already
  running, you can remove /var/lib/pacman/db.lck`},
	} {
		f := Manager().Explain(1, strings.Split(c.text, "\n"))
		if f.Kind != c.kind || !strings.Contains(f.Cause, c.cause) || f.Next == "" {
			t.Errorf("%s: %s: %s; %s", c.text, f.Kind, f.Cause, f.Next)
		}
	}
}

type answers struct {
	host.World
	says map[string]host.Output
}

func (a answers) Run(_ context.Context, c host.Command) (host.Output, error) {
	out, ok := a.says[strings.Join(c.Argv[1:], " ")]
	if !ok {
		return host.Output{Exit: 1, Stderr: []byte("error: not expected: " + strings.Join(c.Argv, " "))}, nil
	}
	return out, nil
}

func machine(t *testing.T, files string, says map[string]host.Output) *host.Host {
	h := hosttest.Parse(t, "-- platform --\nlinux/amd64\n"+files)
	h.World = answers{h.World, says}
	return h
}

const lists = "-- file /var/lib/pacman/sync/ours.db --\nx\n"

func TestQuote(t *testing.T) {
	const asks = "-Sp --needed --print-format %n %v %s -- "
	says := map[string]host.Output{
		asks + "nasm":                 {Stdout: []byte("common 1.0-1 10240\nnasm 2.15-1 10240\n")},
		asks + "there":                {},
		asks + "nasm no-such-package": {Exit: 1, Stderr: []byte("error: target not found: no-such-package\n")},
		asks + "ninja":                {Exit: 1, Stderr: []byte("error: failed to prepare transaction (could not satisfy dependencies)\n:: unable to satisfy dependency 'x' required by ninja\n")},
		"-Si -- common nasm":          {Stdout: []byte("Name            : common\nInstalled Size  : 7.00 B\n\nName            : nasm\nDownload Size   : 10.00 KiB\nInstalled Size  : 1.50 MiB\n")},
	}
	h := machine(t, lists, says)
	got, err := quote(t.Context(), h, "/usr/bin/pacman", []string{"nasm"})
	want := pkgmgr.Quote{DownloadBytes: 20480, DiskBytes: 3<<19 + 7, Change: []step.Package{{Name: "common", Version: "1.0-1"}, {Name: "nasm", Version: "2.15-1"}}}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	if got, err = quote(t.Context(), h, "/usr/bin/pacman", []string{"there"}); err != nil || len(got.Change)+len(got.NotFound) > 0 {
		t.Errorf("nothing to do: %+v %v", got, err)
	}
	got, err = quote(t.Context(), h, "/usr/bin/pacman", []string{"nasm", "no-such-package"})
	if d := cmp.Diff([]string{"no-such-package"}, got.NotFound); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	for name, c := range map[string]struct {
		h    *host.Host
		ask  []string
		want step.Kind
	}{
		"conflict": {h, []string{"ninja"}, step.Conflict},
		"no lists": {machine(t, "", says), []string{"nasm", "no-such-package"}, step.NotFound},
	} {
		_, err := quote(t.Context(), c.h, "/usr/bin/pacman", c.ask)
		var f *step.Failure
		if !errors.As(err, &f) || f.Kind != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNeeded(t *testing.T) {
	const asks = "-Rp --print-format %n -- "
	h := machine(t, "", map[string]host.Output{
		asks + "nasm common ccache": {Exit: 1, Stdout: []byte(":: removing nasm breaks dependency 'nasm' required by needs-nasm\n"), Stderr: []byte("error: failed to prepare transaction (could not satisfy dependencies)\n")},
		asks + "common ccache":      {Exit: 1, Stdout: []byte(":: removing common breaks dependency 'common' required by nasm\n"), Stderr: []byte("error: failed to prepare transaction (could not satisfy dependencies)\n")},
		asks + "ccache":             {Stdout: []byte("ccache\n")},
	})
	got, err := needed(t.Context(), h, []string{"nasm", "common", "ccache"})
	if d := cmp.Diff(map[string]string{"nasm": "needs-nasm", "common": "needs-nasm"}, got); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	if _, err := needed(t.Context(), h, []string{"gone"}); err == nil {
		t.Error("an error of pacman's is an answer")
	}
}

// TestNothingInstalled: pacman -Q ends with 1 where no package is installed, with
// a warning where there are no lists either.
func TestNothingInstalled(t *testing.T) {
	for says, fails := range map[string]bool{"": false, "warning: database file for 'ours' does not exist (use '-Sy' to download)\n": false, "error: failed to initialize alpm library\n": true} {
		got, err := Manager().Installed(t.Context(), machine(t, "", map[string]host.Output{"-Q": {Exit: 1, Stderr: []byte(says)}}))
		if (err != nil) != fails || len(got) > 0 {
			t.Errorf("%q: %v %v", says, got, err)
		}
	}
}
