package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/installers/lockfile"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/verify/engine"
	"github.com/deployctl/deployctl/verify/engines"
)

// TestProves: a fix ends with the proof of the recipe's engine, whichever that is,
// unless its worker needs a Go that the recipe does not ask for.
func TestProves(t *testing.T) {
	withGo := &facts.Facts{Components: map[string][]facts.Instance{"go": {{Version: "1.26", Active: true}}}}
	for _, c := range []struct {
		recipe          string
		proves, without bool // without: on a machine that has no Go
	}{
		{"opencv-yolov3", true, false}, // which installs Go
		{"opencv-cpp", true, false},
		{"libtorch", true, false},
		{"onnxruntime", true, runtime.GOOS != "windows"}, // deployctl.exe is its worker
		{"openpose-linux", false, false},
		{"opencv-python", true, false},
		{"ncnn", false, false}, // its engine is a package for Python
	} {
		r, err := recipes.Find(c.recipe, "")
		if err != nil {
			t.Fatal(err)
		}
		o := DoctorOptions{Level: 2}
		if got := o.proves(r); got != c.proves {
			t.Errorf("%s: proves %v", c.recipe, got)
		}
		if o.Level = 0; o.proves(r) {
			t.Errorf("%s: proves at level 0", c.recipe)
		}
		if r.Verify == nil {
			continue
		}
		if got := withoutGo(r.Verify.Engine, r, &facts.Facts{}); got != c.without || withoutGo(r.Verify.Engine, r, withGo) {
			t.Errorf("%s: without Go %v", c.recipe, got)
		}
	}
}

// TestModulesOfEngines: what a worker in Go is compiled from is pinned, must be in a
// lockfile, and is looked for before an offline fix begins.
func TestModulesOfEngines(t *testing.T) {
	for _, spec := range engines.All() {
		if (spec.GoModule == "") != (spec.Modules == nil) {
			t.Errorf("%s: module %q", spec.Name, spec.GoModule)
		}
		if spec.Modules == nil {
			continue
		}
		o := DoctorOptions{lock: &lockfile.Lock{}}
		var unfit *lockfile.Error
		if _, err := o.modules(t.Context(), spec, "v0.31.0"); !errors.As(err, &unfit) || !strings.Contains(err.Error(), "which the "+spec.Name+" worker needs") {
			t.Errorf("%s: an empty lockfile: %v", spec.Name, err)
		}
		kinds := map[string]int{}
		for _, m := range spec.Modules("v0.31.0") {
			if m.Path == spec.GoModule {
				kinds[m.Ext]++
			}
			if !strings.HasPrefix(m.Sum, "h1:") || strings.Contains(m.Version, "/") {
				t.Errorf("%s: %+v", spec.Name, m)
			}
		}
		if kinds["mod"] != 1 || kinds["zip"] != 1 {
			t.Errorf("%s: %v", spec.Name, kinds)
		}
		checkHere(t, spec)
	}
}

// checkHere looks for an engine's module in an empty cache and in one that has it.
func checkHere(t *testing.T, spec engine.Spec) {
	t.Helper()
	dir := t.TempDir()
	x := examination{host: host.Overlay(host.Live(), map[string]string{"GOMODCACHE": dir}), judgement: &judge.Judgement{Facts: &facts.Facts{}}}
	var failure *step.Failure
	if err := modulesHere(t.Context(), x, spec.GoModule); !errors.As(err, &failure) || !strings.Contains(err.Error(), spec.GoModule) {
		t.Errorf("%s: an empty cache: %v", spec.Name, err)
	}
	folder := filepath.Join(dir, "cache", "download", filepath.FromSlash(spec.GoModule), "@v")
	if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, "v1.0.0.zip"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := modulesHere(t.Context(), x, spec.GoModule); err != nil {
		t.Errorf("%s: a cache that has it: %v", spec.Name, err)
	}
	if err := modulesHere(t.Context(), x, ""); err != nil {
		t.Errorf("a worker that takes no module: %v", err)
	}
}
