package solve_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/solve"
	"github.com/deployctl/deployctl/recipes"
)

// TestNoDriverPlanned: nothing is planned for a card that CUDA has dropped, and
// no desktop driver for a Jetson.
func TestNoDriverPlanned(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipes.Find("opencv-cuda", "")
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]*facts.Facts{
		"fermi":  {OS: facts.OS{Family: "linux", Arch: "amd64"}, GPUs: []facts.GPU{{Vendor: "nvidia", ComputeCapability: "2.1"}}},
		"jetson": {OS: facts.OS{Family: "linux", Arch: "arm64", Board: "jetson"}, GPUs: []facts.GPU{{Vendor: "nvidia", ComputeCapability: "7.2"}}},
	} {
		if name == "jetson" {
			f.Add("nvidia-driver", facts.Instance{Version: "1.1", Active: true})
			f.Add("cuda", facts.Instance{Version: "10.2.300", Active: true, Has: []string{"nvcc"}})
		}
		s, err := solve.Solve(context.Background(), r, tables, f, solve.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if name == "fermi" && s.Feasible {
			t.Errorf("%s: a plan: %+v", name, s.Changes)
		}
		for _, c := range s.Changes {
			if c.Component == "nvidia-driver" {
				t.Errorf("%s: plans %+v", name, c)
			}
		}
	}
}

// TestNoCPUPackageForCUDA: the distributions' packages compute on the CPU, so none
// is offered where CUDA was asked for.
func TestNoCPUPackageForCUDA(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "debian", Version: "13", Arch: "amd64"}}
	f.Add("apt", facts.Instance{Active: true, Path: "/usr/bin/apt-get"})
	for _, name := range []string{"darknet", "libtorch", "onnxruntime"} {
		for _, gpu := range []string{"cpu", "cuda"} {
			r, err := recipes.Find(name, "")
			if err != nil {
				t.Fatal(err)
			}
			if r, err = r.Set(map[string]string{"gpu": gpu}); err != nil {
				t.Fatal(err)
			}
			offers := solve.Catalogue(r, tables, f)
			if !slices.ContainsFunc(offers, func(o solve.Offer) bool { return o.Component == name }) {
				t.Errorf("%s, %s: nothing is offered", name, gpu)
			}
			if slices.ContainsFunc(offers, func(o solve.Offer) bool { return o.Component == name && strings.Contains(o.How, "apt") }) != (gpu == "cpu") {
				t.Errorf("%s, %s: %+v", name, gpu, offers)
			}
		}
	}
}
