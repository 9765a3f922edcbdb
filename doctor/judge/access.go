package judge

import (
	"cmp"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// nodeDenied finds a GPU whose device file this user may not open, where no other
// GPU could do the work.
func nodeDenied(e *evaluation, _ subject) (map[string]string, bool) {
	touched := e.touched()
	open := slices.ContainsFunc([]string{"opencl", "vulkan", "rocm", "level-zero"}, func(name string) bool { return slices.Contains(touched, name) })
	var found facts.GPU
	for _, g := range e.facts.GPUs {
		if g.NoAccess == "/dev/kfd" && !e.usesKFD() {
			g.NoAccess = ""
		}
		switch {
		case !computes(g.Vendor) || !open && !(g.Vendor == "nvidia" && e.usesCUDA()):
		case g.NoAccess == "" && g.NoNode == "":
			return nil, false
		case g.NoAccess != "" && found.NoAccess == "":
			found = g
		}
	}
	vars := map[string]string{
		"node": found.NoAccess, "group": found.Group, "gpu": cmp.Or(found.Name, lang.F("the %s GPU", vendorName(found.Vendor))), "sudo": e.sudo(), "where": DriverHost(e.facts),
	}
	if found.Joined {
		vars["pending"] = "yes"
	}
	return vars, found.NoAccess != ""
}

// usesKFD reports whether the recipe's programs open /dev/kfd: ROCm's do, and its
// OpenCL driver. Mesa's drivers need the render node alone.
func (e *evaluation) usesKFD() bool {
	touched := e.touched()
	return slices.Contains(touched, "rocm") || slices.Contains(touched, "opencl") && slices.ContainsFunc(e.facts.Components["opencl"], func(i facts.Instance) bool {
		return strings.Contains(i.Path, "amdocl")
	})
}

// uvmMissing finds NVIDIA's driver without the device file by which CUDA manages
// memory; nvidia-smi does not need it.
func uvmMissing(e *evaluation, _ subject) (map[string]string, bool) {
	i := slices.IndexFunc(e.facts.GPUs, func(g facts.GPU) bool { return g.Vendor == "nvidia" && g.NoNode == "/dev/nvidia-uvm" })
	driver, ok := e.facts.Active("nvidia-driver")
	if i < 0 || !ok || driver.Unusable != nil || !e.usesCUDA() {
		return nil, false
	}
	return map[string]string{"where": DriverHost(e.facts), "sudo": e.sudo(), "node": e.facts.GPUs[i].NoNode}, true
}
