package doctor_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deployctl/deployctl/doctor"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/probe"
	"github.com/deployctl/deployctl/recipes"
)

func TestBadProbesBecomeProblems(t *testing.T) {
	block := make(chan struct{})
	defer close(block)
	probes := []probe.Probe{
		{Name: "good", Run: func(context.Context, *host.Host) (facts.Facts, error) {
			var f facts.Facts
			f.Add("gcc", facts.Instance{Version: "12.2.0", Active: true})
			return f, nil
		}},
		{Name: "partial", Provides: []string{"cuda"}, Run: func(context.Context, *host.Host) (facts.Facts, error) {
			var f facts.Facts
			f.Add("cuda", facts.Instance{Version: "12.1"})
			return f, errors.New("one folder could not be read")
		}},
		{Name: "crashing", Provides: []string{"opencl"}, Run: func(_ context.Context, h *host.Host) (facts.Facts, error) {
			return facts.Facts{Disks: []facts.Disk{}[:len(h.OS)]}, nil // out of range
		}},
		{Name: "hanging", Provides: []string{"opencv"}, Timeout: time.Millisecond, Run: func(context.Context, *host.Host) (facts.Facts, error) {
			<-block // deaf to its context
			return facts.Facts{}, nil
		}},
	}
	f := doctor.Probe(t.Context(), hosttest.Empty("linux", "amd64"), probes)
	if _, ok := f.Active("gcc"); !ok {
		t.Error("the good probe's fact is missing")
	}
	if len(f.Components["cuda"]) != 1 {
		t.Error("what a failing probe did find is missing")
	}
	for topic, want := range map[string]string{
		"cuda": "one folder could not be read", "opencl": "crashed", "opencv": "did not finish within 1ms",
	} {
		p, ok := f.Problem(topic)
		if !ok || !strings.Contains(p.Error, want) {
			t.Errorf("problem of %s = %q, want %q in it", topic, p.Error, want)
		}
	}
	if _, ok := f.Problem("gcc"); ok {
		t.Error("gcc has a problem though its probe was well")
	}
	if len(f.Timings) != len(probes)+1 { // and the closure's
		t.Errorf("%d timings for %d probes and the closure", len(f.Timings), len(probes))
	}
}

// TestLateProbeKeepsWhatItFound: a probe that ends with its deadline gets a
// moment to hand over what it has, and one that the user stopped gets the moment
// to kill its processes.
func TestLateProbeKeepsWhatItFound(t *testing.T) {
	obedient := func(timeout time.Duration, ended *bool) probe.Probe {
		return probe.Probe{Name: "obedient", Provides: []string{"cuda"}, Timeout: timeout, Run: func(ctx context.Context, _ *host.Host) (facts.Facts, error) {
			var f facts.Facts
			f.Add("cuda", facts.Instance{Version: "12.1", Path: "/usr/local/cuda-12.1"})
			<-ctx.Done()
			time.Sleep(50 * time.Millisecond) // as long as killing a child takes
			*ended = true
			return f, ctx.Err()
		}}
	}
	var ended bool
	f := doctor.Probe(t.Context(), hosttest.Empty("linux", "amd64"), []probe.Probe{obedient(time.Millisecond, &ended)})
	if len(f.Components["cuda"]) != 1 {
		t.Error("what the probe had found is lost")
	}
	if p, ok := f.Late("cuda"); !ok || !strings.Contains(p.Error, "did not finish within 1ms") {
		t.Errorf("problem %+v", p)
	}
	// A recording of it does not hold all the answers.
	rec := host.NewRecording("linux", "amd64", hosttest.Time)
	rec.Late = []string{"brief"}
	brief := probe.Probe{Name: "brief", Provides: []string{"go"}, Run: func(context.Context, *host.Host) (facts.Facts, error) { return facts.Facts{}, nil }}
	if p, ok := doctor.Probe(t.Context(), host.Replay(rec), []probe.Probe{brief}).Late("go"); !ok {
		t.Errorf("recorded late, replayed: %+v", p)
	}
	ended = false
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, stop)
	doctor.Probe(ctx, hosttest.Empty("linux", "amd64"), []probe.Probe{obedient(time.Minute, &ended)})
	if !ended {
		t.Error("it did not wait for a probe that was stopping its processes")
	}
}

// TestCrashBesideAProbe: what a probe does side by side can crash without ending
// the process, or losing what else it found.
func TestCrashBesideAProbe(t *testing.T) {
	for _, p := range doctor.Probes(true) {
		t.Run(p.Name, func(t *testing.T) {
			h := hosttest.Parse(t, crowdedHost)
			f := doctor.Probe(t.Context(), &host.Host{World: crashing{h.World}, OS: h.OS, Arch: h.Arch, Self: h.Self}, []probe.Probe{p})
			for _, problem := range f.Problems {
				if strings.Contains(problem.Error, "no more") && !strings.Contains(problem.Error, "please report") {
					t.Errorf("not told as a bug of deployctl: %s", problem.Error)
				}
			}
		})
	}
	p := doctor.Probes(true)
	i := slices.IndexFunc(p, func(p probe.Probe) bool { return p.Name == "compilers" })
	h := hosttest.Parse(t, crowdedHost)
	f := doctor.Probe(t.Context(), &host.Host{World: crashing{h.World}, OS: h.OS, Arch: h.Arch}, p[i:i+1])
	if problem, ok := f.Problem("g++"); !ok || !strings.Contains(problem.Error, "please report") {
		t.Errorf("the crash of a side is not a problem of the probe: %+v", f.Problems)
	}
}

// crowdedHost has something to run for every probe that runs things side by side.
const crowdedHost = `
-- env --
PATH=/usr/bin
-- run "/usr/bin/g++" "--version" --
-- run "/usr/bin/cmake" "--version" --
-- run "/usr/bin/conda" "--version" --
-- run "/usr/bin/nvidia-smi" "-q" "-x" --
-- file /proc/driver/nvidia/version --
NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15
-- file /etc/OpenCL/vendors/pocl.icd --
/usr/lib/libpocl.so.2
-- file /usr/lib/libpocl.so.2 --
`

// crashing panics where a process would be started.
type crashing struct{ host.World }

func (crashing) Run(context.Context, host.Command) (host.Output, error) { panic("no more") }

// TestGoroutinesRecover: a goroutine that does not recover from a panic ends the
// process, so goroutines are started in three places only.
func TestGoroutinesRecover(t *testing.T) {
	allowed := []string{"internal/parallel/parallel.go", "run.go", "host/live.go"}
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || slices.Contains(allowed, name) {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s has a go statement: use doctor/internal/parallel", name)
			case *ast.SelectorExpr:
				if pkg, ok := n.X.(*ast.Ident); ok && (pkg.Name == "sync" && n.Sel.Name == "WaitGroup" || pkg.Name == "errgroup") {
					t.Errorf("%s uses %s.%s: use doctor/internal/parallel", name, pkg.Name, n.Sel.Name)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestProbesFillKnownComponents: what a probe provides can be asked for in a
// recipe; the linter refuses every other name.
func TestProbesFillKnownComponents(t *testing.T) {
	known := map[string]bool{"os": true, "cpu": true, "memory": true, "disks": true, "gpus": true, "environment": true, "project": true}
	for _, name := range recipes.Components() {
		known[name] = true
	}
	for _, p := range doctor.Probes(false) {
		for _, name := range p.Provides {
			if !known[name] {
				t.Errorf("probe %s provides %s, which the catalog does not list: add it to recipes/catalog.go", p.Name, name)
			}
		}
	}
}
