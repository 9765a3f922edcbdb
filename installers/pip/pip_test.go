package pip

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes/wheeltag"
)

const environment = `-- platform --
linux/amd64
-- file /home/u/.venv/pyvenv.cfg --
version = 3.11.2
-- file /home/u/.venv/bin/python3 --
-- file /home/u/.venv/lib/python3.11/site-packages/ncnn-1.0.20260526.dist-info/METADATA --
Metadata-Version: 2.1
Name: ncnn
Requires-Dist: numpy
Requires-Dist: opencv-python; extra == "test"
-- file /home/u/.venv/lib/python3.11/site-packages/numpy-2.1.0.dist-info/METADATA --
Name: numpy
-- file /home/u/.venv/lib/python3.11/site-packages/Typing_Extensions-4.1.dist-info/METADATA --
Name: typing_extensions
-- file /home/u/.venv/lib/python3.11/site-packages/ncnn/__init__.py --
`

func on(t *testing.T) (*pkgmgr.Manager, func() map[string]pkgmgr.Installed) {
	h := hosttest.Parse(t, environment)
	m := Manager().For(h, "/home/u/.venv/bin/python3")
	return m, func() map[string]pkgmgr.Installed {
		list, err := m.Installed(context.Background(), h)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
}

func TestInstalled(t *testing.T) {
	_, list := on(t)
	want := map[string]pkgmgr.Installed{"ncnn": {Version: "1.0.20260526", Ready: true}, "numpy": {Version: "2.1.0", Ready: true}, "typing-extensions": {Version: "4.1", Ready: true}}
	if d := cmp.Diff(want, list()); d != "" {
		t.Error(d)
	}
}

// TestNeeded: what a package that stays requires is not taken away, and an extra
// requires nothing.
func TestNeeded(t *testing.T) {
	h := hosttest.Parse(t, environment)
	m := Manager().For(h, "/home/u/.venv/bin/python3")
	for _, c := range []struct {
		remove []string
		want   map[string]string
	}{
		{[]string{"numpy", "opencv-python"}, map[string]string{"numpy": "ncnn"}},
		{[]string{"numpy", "ncnn"}, map[string]string{}},
		{[]string{"typing-extensions"}, map[string]string{}},
	} {
		got, err := m.Needed(context.Background(), h, c.remove)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%v: %s", c.remove, d)
		}
	}
}

// TestPick: only a virtual environment's Python is installed into.
func TestPick(t *testing.T) {
	f := &facts.Facts{Components: map[string][]facts.Instance{"pip": {{Path: "/usr/bin/pip3"}}, "python": {{Path: "/usr/bin/python3", Active: true}}}}
	if _, err := Manager().Choose(f); !errors.Is(err, pkgmgr.ErrAbsent) {
		t.Errorf("the distribution's: %v", err)
	}
	f.Components["python"] = []facts.Instance{{Path: "/v/bin/python3", Active: true, Attrs: map[string]string{"venv": "/v"}}}
	if target, err := Manager().Choose(f); target != "/v/bin/python3" || err != nil {
		t.Errorf("%q, %v", target, err)
	}
}

func TestNames(t *testing.T) {
	m := Manager()
	if got := m.Split([]string{"MNN", "typing_extensions"}); !slices.Equal(got, []string{"mnn", "typing-extensions"}) {
		t.Error(got)
	}
	for _, bad := range []string{"torch[cuda]", "torch==2.0", "git+https://x/y", "./x.whl", "-r"} {
		if m.CheckNames([]string{bad}) == nil {
			t.Errorf("%q is let through", bad)
		}
	}
}

func TestExplain(t *testing.T) {
	for line, kind := range map[string]step.Kind{
		"/v/bin/python3: No module named pip":                                             step.NotFound,
		"error: externally-managed-environment":                                           step.Refused,
		"ERROR: Could not find a version that satisfies the requirement nosuch":           step.NotFound,
		"ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.":       step.Untrusted,
		"ERROR: ResolutionImpossible: for help visit a page":                              step.Conflict,
		"ERROR: Could not install packages due to an OSError: No space left on device":    step.DiskFull,
		"WARNING: Retrying after connection broken by 'NewConnectionError(...)': /nosuch": step.NoNetwork,
	} {
		if f := Manager().Explain(1, []string{line}); f.Kind != kind {
			t.Errorf("%s: %+v", line, f)
		}
	}
	f := Manager().Explain(1, []string{"ERROR: Could not find a version that satisfies the requirement nosuch", "ERROR: No matching distribution found for nosuch"})
	if !strings.HasSuffix(f.Cause, ": nosuch") {
		t.Errorf("%+v", f)
	}
}

func FuzzRequires(f *testing.F) {
	f.Add("Requires-Dist: numpy (>=1.2) ; python_version < \"3.8\"\n\nbody")
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range Requires(text) {
			if name != wheeltag.Normal(name) || name == "" {
				t.Errorf("%q", name)
			}
		}
	})
}
