package doctor_test

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
)

// follow changes the variables of a recorded machine as an action says.
func follow(h *host.Host, f *facts.Facts, a *judge.Action) *host.Host {
	separator := ":"
	if f.OS.Family == "windows" {
		separator = ";"
	}
	env := map[string]string{}
	for _, edit := range a.Env {
		list := strings.FieldsFunc(h.Env(edit.Name), func(r rune) bool { return string(r) == separator })
		same := func(folder string) func(string) bool {
			return func(s string) bool { return strings.EqualFold(strings.TrimRight(s, `\/`), folder) }
		}
		at := 0
		switch {
		case edit.Remove:
			list = slices.DeleteFunc(list, same(edit.Value))
			env[edit.Name] = strings.Join(list, separator)
			continue
		case edit.Before != "":
			at = max(0, slices.IndexFunc(list, same(edit.Before)))
		}
		env[edit.Name] = strings.Join(slices.Insert(list, at, edit.Value), separator)
	}
	return host.Overlay(h, env)
}

// settle changes facts as packages and an entry for the loader do: no recording
// has the files of a package, and the loader's cache is made by ldconfig. What
// the facts themselves say of it counts: the package that a missing library is
// in, and the folder that a library lies in.
func settle(f *facts.Facts, a *judge.Action) {
	if slices.Contains(a.Packages, "ca-certificates") {
		f.Environment.NoCertificates = false // the package makes the list
	}
	for _, list := range f.Components {
		for i := range list {
			c := &list[i]
			c.Needs = slices.DeleteFunc(slices.Clone(c.Needs), func(n facts.Need) bool {
				return n.Package != "" && slices.Contains(a.Packages, n.Package) ||
					a.Loader != nil && n.Elsewhere != "" && path.Dir(n.Elsewhere) == a.Loader.Folder
			})
			for _, edit := range a.Env {
				// A recorded pkg-config gives the same answers whatever its variables.
				if edit.Name == "PKG_CONFIG_PATH" && c.Unseen != nil && c.Unseen.Folder == edit.Value {
					c.Unseen = nil
				}
			}
			if a.Loader == nil || c.Places.Lib != a.Loader.Folder {
				continue
			}
			for k := range list {
				list[k].Active = false
			}
			c.Active, c.Via = true, append(slices.Clone(c.Via), "ldconfig")
		}
	}
}

// kindOf is what an action does, in a word.
func kindOf(a *judge.Action) string {
	switch {
	case a.Loader != nil:
		return "loader"
	case a.Reinstall:
		return "reinstall"
	case len(a.Packages) > 0:
		return "packages"
	case a.Env[0].Remove:
		return "remove from a variable"
	case a.Env[0].Before != "":
		return "before in a variable"
	}
	return "add to a variable"
}

// TestAdviceIsTrue follows every fix that a program can carry out on every
// recorded machine and judges again: the finding is gone, and nothing fails that
// was well before. Of every other fix it counts why it is not followed.
func TestAdviceIsTrue(t *testing.T) {
	if testing.Short() {
		t.Skip("every recorded machine: not with -short, which CI uses under the race detector")
	}
	counts := map[string]int{}
	tables, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if _, err := os.Stat(sharedCases); err != nil && table == filepath.Join("testdata", "cases.yaml") {
			t.Logf("without the recorded machines beside this checkout: %v", err)
			continue
		}
		for _, a := range readAnswers(t, table) {
			adviceIsTrue(t, a, embedded(t), counts)
		}
	}
	for _, synthetic := range []struct {
		name   string
		change func(f *facts.Facts, cv *facts.Instance)
	}{
		{"a package is missing", func(_ *facts.Facts, cv *facts.Instance) {
			cv.Needs = []facts.Need{{Name: "libtbb.so.12", By: "libopencv_core.so.406", Cause: facts.NotFound, Package: "libtbb12"}}
		}},
		{"a file of a package is gone", func(_ *facts.Facts, cv *facts.Instance) {
			cv.Needs = []facts.Need{{Name: "libtbb.so.12", By: "libopencv_core.so.406", Cause: facts.NotFound, Package: "libtbb12", Installed: true}}
		}},
		{"a library lies elsewhere", func(_ *facts.Facts, cv *facts.Instance) {
			cv.Needs = []facts.Need{{Name: "libtbb.so.12", By: "libopencv_core.so.406", Cause: facts.NotFound, Elsewhere: "/opt/tbb/lib/libtbb.so.12"}}
		}},
	} {
		f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "debian", Version: "12", Arch: "amd64"}, CPU: facts.CPU{Arch: "amd64"}, Components: map[string][]facts.Instance{}}
		f.Add("apt", facts.Instance{Version: "2.6.1", Active: true})
		cv := facts.Instance{Version: "4.6.0", Path: "/usr", Active: true, Via: []string{"pkg-config", "ldconfig"}, Has: []string{"dnn", "headers", "pkg-config"}}
		synthetic.change(f, &cv)
		f.Add("opencv", cv)
		r, err := recipes.Find("opencv-yolov3", "")
		if err != nil {
			t.Fatal(err)
		}
		adviceHolds(t, synthetic.name, nil, nil, f, r, embedded(t), counts)
	}
	t.Logf("%v", counts)
	for _, kind := range []string{"add to a variable", "before in a variable", "packages", "reinstall", "loader", "a package of the recipe"} {
		if counts[kind] == 0 {
			t.Errorf("no fix was followed of the kind: %s", kind)
		}
	}
	// They are what lots 4 to 21 ask of machines that have next to nothing, and whose package
	// managers' files nobody recorded: on Windows Visual Studio, CMake, Git, ninja, MinGW, Go,
	// the Visual C++ runtime and Media Foundation; ninja, pkg-config and old OpenCVs on Unix,
	// Homebrew's packages, a g++ for Ubuntu 16.04. That CMake's wheel is unpacked for real is
	// shown by .ci/windows-tools, that OpenCV comes from Chocolatey by the machine choco-opencv.
	if counts["a package of the recipe: no recording has its files"] > 174 {
		t.Errorf("more fixes cannot be followed than before: %v", counts)
	}
}

// recordings are those that have the files which the packages of a requirement's fix
// list bring to a machine of Debian's kind.
var recordings = map[string]string{
	"protobuf.openpose": "unix/caffe-libraries-ok", "protoc.openpose": "unix/caffe-libraries-ok", "glog.openpose": "unix/caffe-libraries-ok", "gflags.openpose": "unix/caffe-libraries-ok",
	"boost.openpose": "unix/caffe-libraries-ok", "hdf5.openpose": "unix/caffe-libraries-ok", "blas.openpose": "unix/caffe-libraries-ok",
	"protobuf.caffe": "unix/caffe-libraries-ok", "protoc.caffe": "unix/caffe-libraries-ok", "glog.caffe": "unix/caffe-libraries-ok", "gflags.caffe": "unix/caffe-libraries-ok",
	"boost.caffe": "unix/caffe-libraries-ok", "hdf5.caffe": "unix/caffe-libraries-ok",
}

func adviceIsTrue(t *testing.T, a rightAnswer, tables *recipes.Tables, counts map[string]int) {
	t.Helper()
	probed := map[string]*facts.Facts{}
	with := func(recording string) *facts.Facts {
		if len(a.Parts) == 0 {
			return nil // of shared/cases
		}
		if probed[recording] == nil {
			more := a
			more.Parts = append(slices.Clone(a.Parts), recording)
			probed[recording] = doctor.Probe(context.Background(), more.host(t), doctor.Probes(false))
		}
		return probed[recording]
	}
	h := a.host(t)
	adviceHolds(t, a.Case, h, with, doctor.Probe(context.Background(), h, doctor.Probes(false)), a.recipe(t), tables, counts)
}

// adviceHolds follows the fixes of one machine; h is nil where there are only
// facts. With gives the facts of the machine with a recording over it.
func adviceHolds(t *testing.T, name string, h *host.Host, with func(recording string) *facts.Facts, f *facts.Facts, r *recipes.Recipe, tables *recipes.Tables, counts map[string]int) {
	t.Helper()
	before := judge.Evaluate(r, tables, f)
	state := map[string]judge.State{}
	for _, x := range before.Findings {
		state[x.ID] = x.State
	}
	compare := func(x judge.Finding, changed *facts.Facts) {
		for _, after := range judge.Evaluate(r, tables, changed).Findings {
			bad := after.State == judge.Fail || after.State == judge.Warn
			switch {
			case bad && after.ID == x.ID && after.Found == x.Found:
				t.Errorf("%s: %s is still there after %q: %s", name, x.ID, x.Fix, after.Found)
			case after.State == judge.Fail && state[after.ID] == judge.OK:
				t.Errorf("%s: after %q, %s fails: %s", name, x.Fix, after.ID, after.Found)
			}
		}
	}
	for _, x := range before.Findings {
		switch {
		case x.State != judge.Fail && x.State != judge.Warn:
			continue
		case x.Listed && recordings[x.ID] != "" && with != nil && with(recordings[x.ID]) != nil:
			counts["a package of the recipe"]++
			compare(x, with(recordings[x.ID]))
			continue
		case x.Action == nil && x.Listed, x.Action != nil && len(x.Action.Versions) > 0:
			counts["a package of the recipe: no recording has its files"]++
			continue
		case x.Action == nil || x.Action.Scripted():
			counts["for a person"]++
			continue
		}
		counts[kindOf(x.Action)]++
		changed := f
		if h != nil {
			changed = doctor.Probe(context.Background(), follow(h, f, x.Action), doctor.Probes(false))
		}
		settle(changed, x.Action)
		compare(x, changed)
	}
}

// TestSelectionTurnsNothingIntoFailure: leaving a requirement out, or lowering
// its severity, never makes another line fail that did not, on any recorded
// machine and with any recipe.
func TestSelectionTurnsNothingIntoFailure(t *testing.T) {
	if testing.Short() {
		t.Skip("every recorded machine: not with -short, which CI uses under the race detector")
	}
	all, err := recipes.Embedded()
	if err != nil {
		t.Fatal(err)
	}
	tables := embedded(t)
	machines := []*facts.Facts{}
	for _, a := range readAnswers(t, "testdata/machines.yaml") {
		if a.Case == "gocv-healthy" || a.Case == "opencv-cuda-built" || a.Case == "vs-reboot" || a.Case == "server-core" {
			machines = append(machines, doctor.Probe(context.Background(), a.host(t), doctor.Probes(false)))
		}
	}
	for _, goos := range []string{"linux", "darwin", "windows"} {
		machines = append(machines, doctor.Probe(context.Background(), hosttest.Empty(goos, "amd64"), doctor.Probes(false)))
	}
	for _, f := range machines {
		for _, r := range all {
			state := map[string]judge.State{}
			for _, x := range judge.Evaluate(r, tables, f).Findings {
				state[x.ID] = x.State
			}
			for _, q := range r.Requirements {
				for _, s := range [][2][]string{{{q.ID}, nil}, {nil, {q.ID}}} {
					narrowed, err := r.Select(nil, s[0], s[1])
					if err != nil {
						t.Fatal(err)
					}
					for _, x := range judge.Evaluate(narrowed, tables, f).Findings {
						if x.State == judge.Fail && state[x.ID] != judge.Fail {
							t.Errorf("%s on %s without or with a lower %s: %s was %s and fails", r.Name, f.OS.Family, q.ID, x.ID, state[x.ID])
						}
					}
				}
			}
		}
	}
}
