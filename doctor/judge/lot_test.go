package judge

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestLot: kinds that a lot of public threads showed, each beside machines on which
// it is not so.
func TestLot(t *testing.T) {
	_, tables := load(t)
	linux := facts.OS{Family: "linux", ID: "ubuntu", Arch: "amd64"}
	container := facts.OS{Family: "linux", ID: "ubuntu", Arch: "amd64", Container: "docker"}
	neo := facts.Instance{Path: "/usr/lib/x86_64-linux-gnu/intel-opencl/libigdrcl.so", Active: true}
	pocl := facts.Instance{Path: "/usr/lib/libpocl.so.2", Active: true}
	mali := func(id string) []facts.GPU { return []facts.GPU{{Vendor: "arm", Name: id, ID: id}} }
	torch := facts.Instance{Version: "2.1.2", Path: "/opt/libtorch", Active: true, Built: facts.Built{CMakeNeeds: []string{"CUDA::nvToolsExt"}}}
	cuda := func(has ...string) facts.Instance {
		return facts.Instance{Version: "12.1", Path: "/usr/local/cuda", Active: true, Has: append([]string{"cudart", "curand"}, has...)}
	}
	with := func(list map[string][]facts.Instance) map[string][]facts.Instance { return list }
	for _, c := range []struct {
		name       string
		f          facts.Facts
		components []string
		gpu        string
		id, fix    string // "" for nothing found
	}{
		{"WSL's container without its GPU", facts.Facts{OS: container, Environment: facts.Environment{NoDXG: true}, Components: with(map[string][]facts.Instance{"opencl": {neo}})}, []string{"opencl"}, "", "gpu.dxg", "--device /dev/dxg"},
		{"WSL's container with its GPU", facts.Facts{OS: container, Components: with(map[string][]facts.Instance{"opencl": {neo}})}, []string{"opencl"}, "", "", ""},
		{"WSL's container with PoCL", facts.Facts{OS: container, Environment: facts.Environment{NoDXG: true}, Components: with(map[string][]facts.Instance{"opencl": {pocl, neo}})}, []string{"opencl"}, "", "", ""},
		{"Midgard and Vulkan", facts.Facts{OS: linux, GPUs: mali("arm,mali-t860")}, []string{"vulkan"}, "vulkan", "vulkan.mali", "gpu=cpu"},
		{"Midgard by its processor", facts.Facts{OS: linux, GPUs: mali("rockchip,rk3399-mali")}, []string{"vulkan"}, "vulkan", "vulkan.mali", "gpu=cpu"},
		{"Midgard, Vulkan is not asked for", facts.Facts{OS: linux, GPUs: mali("arm,mali-t860")}, []string{"vulkan"}, "cpu", "", ""},
		{"Bifrost and Vulkan", facts.Facts{OS: linux, GPUs: mali("arm,mali-bifrost")}, []string{"vulkan"}, "vulkan", "", ""},
		{"CUDA without nvToolsExt", facts.Facts{OS: linux, Components: with(map[string][]facts.Instance{"libtorch": {torch}, "cuda": {cuda()}})}, []string{"libtorch", "cuda"}, "cuda", "libtorch.nvtx", "cuda-nvtx"},
		{"CUDA with nvToolsExt", facts.Facts{OS: linux, Components: with(map[string][]facts.Instance{"libtorch": {torch}, "cuda": {cuda("nvtx")}})}, []string{"libtorch", "cuda"}, "cuda", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &recipes.Recipe{Name: "test", Components: c.components, Parameters: map[string]recipes.Parameter{"gpu": {Default: c.gpu}}}
			ids := []string{"gpu.dxg", "vulkan.mali", "libtorch.nvtx"}
			var found string
			for _, f := range Evaluate(r, tables, &c.f).Findings {
				for _, id := range ids {
					if f.ID == id {
						found = id
						if f.State != Fail || !strings.Contains(f.Fix, c.fix) {
							t.Errorf("%+v", f)
						}
					}
				}
			}
			if found != c.id {
				t.Errorf("found %q, not %q", found, c.id)
			}
		})
	}
}
