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

// TestNewerThanTables: nothing is planned on what is newer than the tables, and
// what is here does not call for a change.
func TestNewerThanTables(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipes.Load([]byte("schema: 1\nname: one\ntitle: One\nrequirements:\n"+
		"  - {id: cuda.version, title: CUDA Toolkit, why: w, manual: m, component: {name: cuda}}\n"+
		"  - {id: gcc.version, title: GCC, why: w, manual: m, component: {name: gcc}}\n"+
		"  - {id: cuda.gcc, title: GCC supported by this CUDA, why: w, manual: m, compat: {table: cuda-gcc, given: [cuda, gcc], choose: gcc_max}}\n"), "one.yaml", tables)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		cuda, gcc string
		open      string // what is said of it
		changes   bool
	}{
		{"13.6", "17.1.0", "cuda.gcc could not be checked: newer than this table (2026-11): CUDA 13.6; its rows end with 13.5", false},
		{"13.5", "16.1.0", "", false},
		{"13.5", "17.1.0", "", true},
	} {
		f := &facts.Facts{OS: facts.OS{Family: "linux", ID: "debian", Version: "13", Arch: "amd64"}}
		f.Add("cuda", facts.Instance{Version: tt.cuda, Path: "/usr/local/cuda", Active: true, Has: []string{"nvcc"}})
		f.Add("gcc", facts.Instance{Version: tt.gcc, Path: "/usr/bin/gcc", Active: true})
		s, err := solve.Solve(context.Background(), r, tables, f, solve.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if tt.changes != (len(s.Changes) > 0) {
			t.Errorf("CUDA %s with GCC %s: %+v", tt.cuda, tt.gcc, s.Changes)
		}
		if got := strings.Join(s.Open, "; "); got != tt.open {
			t.Errorf("CUDA %s with GCC %s: open %q", tt.cuda, tt.gcc, got)
		}
		for _, c := range s.Changes {
			if table, err := tables.Table("cuda-gcc"); err != nil || c.Component == "cuda" && table.Newer(map[string]string{"cuda": c.To}) != nil {
				t.Errorf("plans %+v (%v)", c, err)
			}
		}
	}
}

// TestEveryColumn: a cuDNN whose machine code does not run on the card is not part
// of a plan.
func TestEveryColumn(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipes.Find("opencv-cuda", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		card, sm, driver string
		cudnn            string // a constraint on the one that is planned
	}{
		{"NVIDIA GeForce GTX 1080", "6.1", "580.95.05", "< 9.11"},
		{"NVIDIA TITAN V", "7.0", "580.95.05", "< 9.11"},
		{"NVIDIA GeForce RTX 5090", "12.0", "580.95.05", ">= 9.7"},
		{"NVIDIA GeForce RTX 4090", "8.9", "580.95.05", ">= 8"},
	} {
		f := &facts.Facts{
			OS:   facts.OS{Family: "linux", ID: "debian", Version: "12", Arch: "amd64", Libc: facts.Libc{Kind: "glibc", Version: "2.36"}},
			GPUs: []facts.GPU{{Vendor: "nvidia", Name: tt.card, ComputeCapability: tt.sm, Memory: 8 << 30}},
		}
		f.Add("nvidia-driver", facts.Instance{Version: tt.driver, Active: true})
		s, err := solve.Solve(context.Background(), r, tables, f, solve.Options{})
		if err != nil {
			t.Fatal(err)
		}
		planned := ""
		for _, c := range s.Changes {
			if c.Component == "cudnn" {
				planned = c.To
			}
		}
		want, err := recipes.ParseConstraint(tt.cudnn)
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := want.Check(planned); err != nil || !ok {
			t.Errorf("%s: cuDNN %q is planned, want %s (%v; conflict %v)", tt.card, planned, tt.cudnn, err, s.Conflict)
		}
	}
}

// TestCheapestCompiler: a GCC that is here comes before one to install, and that
// before another CUDA Toolkit.
func TestCheapestCompiler(t *testing.T) {
	tables, err := recipes.EmbeddedTables()
	if err != nil {
		t.Fatal(err)
	}
	r, err := recipes.Load([]byte("schema: 1\nname: one\ntitle: One\nrequirements:\n"+
		"  - {id: cuda.version, title: CUDA Toolkit, why: w, manual: m, component: {name: cuda}}\n"+
		"  - {id: gcc.version, title: GCC, why: w, manual: m, component: {name: gcc}, fix: [{apt: [gcc]}]}\n"+
		"  - {id: cuda.gcc, title: GCC supported by this CUDA, why: w, manual: m, compat: {table: cuda-gcc, given: [cuda, gcc], choose: gcc_max}}\n"), "one.yaml", tables)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, id, version, gcc, other string
		want                          string
	}{
		{"a GCC 12 that is here", "ubuntu", "24.04", "13.2.0", "12.3.0", "switch gcc 12.3.0"},
		{"a GCC 12 of Ubuntu", "ubuntu", "24.04", "13.2.0", "", "install gcc 12"},
		{"a GCC 12 of Debian", "debian", "13", "14.2.0", "", "install gcc 12"},
		{"its own fits", "debian", "12", "12.2.0", "", ""},
		{"no older one is known", "fedora", "42", "15.1.1", "", "install cuda 13.4"},
	} {
		f := &facts.Facts{OS: facts.OS{Family: "linux", ID: tt.id, Version: tt.version, Arch: "amd64"}}
		if tt.id != "fedora" {
			f.OS.Like = []string{"debian"}
			f.Add("apt", facts.Instance{Version: "2.7", Path: "/usr/bin/apt-get", Active: true})
		}
		f.Add("cuda", facts.Instance{Version: "12.2.140", Path: "/usr/local/cuda-12.2", Active: true, Has: []string{"nvcc"}})
		f.Add("gcc", facts.Instance{Version: tt.gcc, Path: "/usr/bin/gcc", Active: true})
		if tt.other != "" {
			f.Add("gcc", facts.Instance{Version: tt.other, Path: "/usr/bin/gcc-12"})
		}
		s, err := solve.Solve(context.Background(), r, tables, f, solve.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range s.Changes {
			got = append(got, string(c.Action)+" "+c.Component+" "+c.To)
		}
		if strings.Join(got, ", ") != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
