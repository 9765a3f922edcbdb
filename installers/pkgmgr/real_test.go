package pkgmgr

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/mechanism"
	"github.com/deployctl/deployctl/installers/step"
)

// small is a manager that has what is listed, and says what a removal is given.
func small(has map[string]Installed) *Manager {
	return &Manager{Name: "pacman", Tool: "pacman", Path: "/usr/bin/pacman", Valid: regexp.MustCompile("."),
		Installed: func(context.Context, *host.Host) (map[string]Installed, error) { return has, nil },
		Remove: func(names []string, purge bool) []string {
			op := "-R"
			if purge {
				op = "-Rn"
			}
			return append([]string{op}, names...)
		},
		Explain: Explainer("pacman", []Rule{Locked("unable to lock database"), NotFound("", "no provider of")}),
	}
}

// TestUndoRemovesWhatDeployctlUpgraded: what one run installed and a later one
// upgraded is deployctl's all the same; what somebody else upgraded stays.
func TestUndoRemovesWhatDeployctlUpgraded(t *testing.T) {
	m := Mechanism{Host: hosttest.Empty("linux", "amd64"), Manager: small(map[string]Installed{"nasm": {Version: "2.16-1", Ready: true}, "ccache": {Version: "5", Ready: true}})}
	u, err := m.Undo(t.Context(), []mechanism.Made{
		{Key: "2", Changed: []step.Package{{Name: "nasm", Was: "2.15-1", Version: "2.16-1"}}},
		{Key: "1", Added: []step.Package{{Name: "nasm", Version: "2.15-1"}, {Name: "ccache", Version: "4"}}},
	}, false)
	if err != nil || len(u.Steps) != 1 || !slices.Equal(u.Steps[0].Step.Packages, []string{"nasm"}) {
		t.Errorf("%v %+v", err, u.Steps)
	}
	if len(u.Kept) != 1 || !slices.Equal(u.Kept[0].Names, []string{"ccache"}) {
		t.Errorf("kept %+v", u.Kept)
	}
}

// TestUndoLeavesSavingToTheManager: pacman -R saves edited configuration, -Rn
// deletes it; only --purge asks for that.
func TestUndoLeavesSavingToTheManager(t *testing.T) {
	for _, c := range []struct {
		saves, purge bool
		op           string
	}{{true, false, "-R"}, {true, true, "-Rn"}, {false, false, "-Rn"}} {
		m := Mechanism{Host: hosttest.Empty("linux", "amd64"), Manager: small(map[string]Installed{"nasm": {Version: "2", Ready: true}})}
		m.Saves = c.saves
		u, err := m.Undo(t.Context(), []mechanism.Made{{Key: "1", Added: []step.Package{{Name: "nasm", Version: "2"}}}}, c.purge)
		if err != nil || len(u.Steps) != 1 || u.Steps[0].Step.Argv[1] != c.op {
			t.Errorf("%+v: %v %+v", c, err, u.Steps)
		}
	}
}

// TestRetriesWhereTheManagerDoesNotWait: pacman, dnf and zypper end at once when
// another program holds their lock.
func TestRetriesWhereTheManagerDoesNotWait(t *testing.T) {
	for _, c := range []struct {
		retries bool
		free    int // the try at which the lock is free
		tries   int
		kind    step.Kind
	}{{true, 3, 3, ""}, {true, 9, 4, step.Locked}, {false, 2, 1, step.Locked}} {
		n := 0
		m := Mechanism{Host: hosttest.Empty("linux", "amd64"), Manager: small(nil), Tries: 4, Pause: time.Nanosecond,
			Stream: func(_ context.Context, _ step.Step, onLine func(string)) (int, error) {
				if n++; n >= c.free {
					return 0, nil
				}
				onLine("error: failed to init transaction (unable to lock database)")
				return 1, nil
			}}
		m.Retries = c.retries
		_, err := m.Apply(t.Context(), step.Step{Action: step.Install}, func(step.Progress) {})
		var f *step.Failure
		if n != c.tries || (c.kind == "") != (err == nil) || errors.As(err, &f) && f.Kind != c.kind {
			t.Errorf("%+v: %d tries, %v", c, n, err)
		}
	}
}

// cramped is a machine with little space on every disk.
type cramped struct {
	host.World
	free uint64
}

func (c cramped) Disk(context.Context, string) (host.Disk, error) {
	return host.Disk{Free: c.free}, nil
}

// TestFullDiskThatTheManagerDoesNotName: zypper says of a full package cache only
// that it cannot copy a file.
func TestFullDiskThatTheManagerDoesNotName(t *testing.T) {
	for _, c := range []struct {
		free uint64
		kind step.Kind
	}{{1 << 20, step.DiskFull}, {1 << 40, step.Other}} {
		h := hosttest.Empty("linux", "amd64")
		h.World = cramped{h.World, c.free}
		m := Mechanism{Host: h, Manager: small(nil), Stream: func(_ context.Context, _ step.Step, onLine func(string)) (int, error) {
			onLine(" - Can't hardlink/copy /srv/repo/rpm2/protoc-25.1-1.noarch.rpm to /var/cache/zypp/packages/ours")
			return 8, nil
		}}
		m.Disks = []string{"/var/cache"}
		_, err := m.Apply(t.Context(), step.Step{Action: step.Install}, func(step.Progress) {})
		var f *step.Failure
		if !errors.As(err, &f) || f.Kind != c.kind {
			t.Errorf("%d bytes free: %v", c.free, err)
		}
	}
}

// TestConfirmReadsWhatWasLeftOut: zypper ends with 106 when it left a source out,
// whether or not it could install all the same.
func TestConfirmReadsWhatWasLeftOut(t *testing.T) {
	m := Mechanism{Host: hosttest.Empty("linux", "amd64"), Manager: small(nil)}
	m.Succeeded = []int{106}
	m.Provided = func(_ context.Context, _ *host.Host, name string) bool { return name == "assembler" }
	s := step.Step{Action: step.Install, Packages: []string{"nasm", "assembler"}}
	ended := mechanism.Ended{Exit: 106, Lines: []string{"No provider of 'nasm' found."}}
	_, err := m.Confirm(t.Context(), s, ended, nil, nil)
	var f *step.Failure
	if !errors.As(err, &f) || f.Kind != step.NotFound {
		t.Errorf("nothing was installed: %v", err)
	}
	note, err := m.Confirm(t.Context(), s, ended, nil, map[string]Installed{"nasm": {Version: "2", Ready: true}})
	if err != nil || note != "installed, although a package is not in this system's sources" {
		t.Errorf("it was installed: %q %v", note, err)
	}
	if note, err = m.Confirm(t.Context(), s, mechanism.Ended{}, nil, map[string]Installed{"nasm": {Version: "2", Ready: true}}); err != nil || note != "" {
		t.Errorf("a plain success: %q %v", note, err)
	}
}

// TestUpgradesAreTried: a manager that cannot tell before whether there is a newer
// version is asked to install, although an old one is there.
func TestUpgradesAreTried(t *testing.T) {
	for _, upgrades := range []bool{true, false} {
		m := Mechanism{Host: hosttest.Empty("linux", "amd64"), Manager: small(map[string]Installed{"nasm": {Version: "2", Ready: true}})}
		m.Upgrades = upgrades
		c, err := m.Check(t.Context(), step.Step{Action: step.Install, Packages: []string{"nasm"}, Argv: []string{"pacman"}})
		if err != nil || c.Done == upgrades {
			t.Errorf("upgrades %v: %+v %v", upgrades, c, err)
		}
	}
}

func TestNeededBy(t *testing.T) {
	asked := [][]string{}
	got, err := NeededBy([]string{"a", "b", "c"}, func(names []string) (map[string]string, error) {
		asked = append(asked, names)
		switch len(names) {
		case 3:
			return map[string]string{"a": "outside"}, nil
		case 2:
			return map[string]string{"b": "a"}, nil
		}
		return nil, nil
	})
	if d := cmp.Diff(map[string]string{"a": "outside", "b": "outside"}, got); err != nil || d != "" {
		t.Errorf("%v\n%s", err, d)
	}
	if len(asked) != 3 {
		t.Errorf("asked %v", asked)
	}
}

// TestWithdrawsAfterAFailure: what a failed installation left asked for is taken
// back, and only then.
func TestWithdrawsAfterAFailure(t *testing.T) {
	for _, fails := range []bool{true, false} {
		var ran []string
		m := Mechanism{Host: hosttest.Empty("linux", "amd64"), Manager: small(nil), Stream: func(_ context.Context, s step.Step, _ func(string)) (int, error) {
			ran = append(ran, s.Argv[1])
			if fails && s.Argv[1] == "add" {
				return 1, nil
			}
			return 0, nil
		}}
		m.Withdraw = func(_ context.Context, _ *host.Host, names []string) []string {
			return append([]string{"del"}, names...)
		}
		_, err := m.Apply(t.Context(), step.Step{Action: step.Install, Packages: []string{"protoc"}, Argv: []string{"apk", "add", "protoc"}}, func(step.Progress) {})
		want := []string{"add"}
		if fails {
			want = append(want, "del")
		}
		if d := cmp.Diff(want, ran); d != "" || (err != nil) != fails {
			t.Errorf("%v\n%s", err, d)
		}
	}
}

// TestUndoTakesBackTheNameThatWasAskedFor: apk goes on asking for a name that a
// package provides, and keeps the package for it.
func TestUndoTakesBackTheNameThatWasAskedFor(t *testing.T) {
	m := Mechanism{Host: hosttest.Empty("linux", "amd64"), Manager: small(map[string]Installed{"nasm": {Version: "2", Ready: true}})}
	m.Withdraw = func(context.Context, *host.Host, []string) []string { return nil }
	u, err := m.Undo(t.Context(), []mechanism.Made{{Key: "1", Step: step.Step{Packages: []string{"assembler"}}, Added: []step.Package{{Name: "nasm", Version: "2"}}}}, false)
	if err != nil || len(u.Steps) != 1 || !slices.Equal(u.Steps[0].Step.Packages, []string{"assembler", "nasm"}) {
		t.Errorf("%v %+v", err, u.Steps)
	}
}

// TestWhatAnotherProgramInstalledMeanwhileIsNotOurs: a command waits until another
// program has installed something, and undo must leave that alone.
func TestWhatAnotherProgramInstalledMeanwhileIsNotOurs(t *testing.T) {
	for _, waits := range []bool{true, false} {
		has, n := map[string]Installed{}, 0
		m := Mechanism{Host: hosttest.Empty("linux", "amd64"), Manager: small(has), Tries: 4, Pause: time.Nanosecond,
			Stream: func(_ context.Context, _ step.Step, onLine func(string)) (int, error) {
				if n++; n > 1 || !waits {
					return 0, nil
				}
				has["theirs"] = Installed{Version: "1", Ready: true}
				onLine("error: failed to init transaction (unable to lock database)")
				return 1, nil
			}}
		m.Retries = true
		ended, err := m.Apply(t.Context(), step.Step{Action: step.Install}, func(step.Progress) {})
		if _, known := ended.Before["theirs"]; err != nil || known != waits || (ended.Before == nil) == waits {
			t.Errorf("waits %v: %+v %v", waits, ended.Before, err)
		}
	}
}
