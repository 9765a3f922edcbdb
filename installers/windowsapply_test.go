package installers

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/elevate"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/installers/winget"
)

// desktop is a Windows with Chocolatey, whose packages are there once it was started;
// it is the Executor, too, and ends with a status of its own.
type desktop struct {
	host.World
	exit int
	jobs []Job
}

const library = `C:\ProgramData\chocolatey\lib`

func (d *desktop) ReadDir(ctx context.Context, name string) ([]host.Entry, error) {
	if !strings.EqualFold(name, library) {
		return d.World.ReadDir(ctx, name)
	}
	if len(d.jobs) == 0 {
		return nil, fs.ErrNotExist
	}
	return []host.Entry{{Name: "miniconda3", Dir: true}}, nil
}

func (d *desktop) ReadFile(ctx context.Context, name string, most int64) ([]byte, bool, error) {
	if strings.HasSuffix(name, "miniconda3.nuspec") {
		return []byte("<package><metadata><id>miniconda3</id><version>1.0</version></metadata></package>"), false, nil
	}
	return d.World.ReadFile(ctx, name, most)
}

func (d *desktop) Disk(context.Context, string) (host.Disk, error) {
	return host.Disk{Total: 1 << 41, Free: 1 << 40, ID: "1"}, nil
}

func (d *desktop) Stream(_ context.Context, job Job, _ func(string)) (int, error) {
	d.jobs = append(d.jobs, job)
	return d.exit, nil
}

// chocolatey applies a plan of one Chocolatey step, as a user who is no administrator.
func chocolatey(t *testing.T, exit int) (*desktop, *Plan, Result, error) {
	t.Helper()
	h := hosttest.Parse(t, "-- platform --\nwindows/amd64\n-- env --\nProgramData=C:\\ProgramData\nSystemRoot=C:\\Windows\nLOCALAPPDATA=C:\\Users\\ada\\AppData\\Local\n-- exec C:\\ProgramData\\chocolatey\\bin\\choco.exe --\nMZ\n")
	d := &desktop{World: h.World, exit: exit}
	h.World = d
	m := ManagerOf("choco")
	plan := &Plan{Steps: []Step{{ID: "choco.install", Title: "Install miniconda3", Effect: step.Write, Needs: []step.Need{step.Admin}, Mechanism: "choco", Action: step.Install,
		Packages: []string{"miniconda3"}, Requirements: []string{"conda.present"}, Argv: append([]string{m.Path}, m.Install([]string{"miniconda3"})...)}}}
	if err := plan.elevate(t.Context(), h, facts.User{}); err != nil {
		t.Fatal(err)
	}
	a := &Applier{Host: h, Exec: d, State: filepath.Join(t.TempDir(), "state"), LockTries: 1, LockPause: time.Millisecond}
	result, err := a.Apply(t.Context(), plan)
	return d, plan, result, err
}

// TestWindowsElevates: a step that needs administrator rights is started with them,
// by Windows' own question.
func TestWindowsElevates(t *testing.T) {
	d, plan, result, err := chocolatey(t, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !plan.Elevation.UAC() || len(d.jobs) != 1 || !d.jobs[0].UAC {
		t.Errorf("elevation %+v, jobs %+v", plan.Elevation, d.jobs)
	}
	if _, due := result.Restart(plan); due {
		t.Error("a restart is due")
	}
	if m, err := elevate.Find(t.Context(), &host.Host{OS: "windows"}, facts.User{Admin: true}); err != nil || m.UAC() {
		t.Errorf("an administrator is asked: %+v, %v", m, err)
	}
}

// TestWindowsRestart: 3010 and 1641 are a success after which a restart is due, for
// the requirements that the step serves.
func TestWindowsRestart(t *testing.T) {
	for _, exit := range []int{3010, 1641} {
		_, plan, result, err := chocolatey(t, exit)
		if err != nil {
			t.Fatal(err)
		}
		if served, due := result.Restart(plan); !due || !slices.Equal(served, []string{"conda.present"}) {
			t.Errorf("%d: a restart is due: %v, for %v", exit, due, served)
		}
	}
}

// TestWindowsExact: winget never installs, asks for or removes a package whose name
// only begins with the one that was named.
func TestWindowsExact(t *testing.T) {
	m := winget.Manager()
	for _, argv := range [][]string{m.Install([]string{"a.b"}), m.Remove([]string{"a.b"}, false), m.Remove([]string{"a.b"}, true), winget.Install("a.b", "--version", "1")} {
		if at := slices.Index(argv, "--exact"); at != 1 || !slices.Contains(argv, "--id") {
			t.Errorf("winget %v", argv)
		}
	}
	if !strings.Contains(m.UndoBy, "--exact") {
		t.Errorf("undo by hand: %s", m.UndoBy)
	}
}
