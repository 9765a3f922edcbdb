package judge

import (
	"cmp"
	_ "embed" // which GPUs of Intel which releases of its OpenCL driver know
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/internal/pci"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

//go:embed intel.ids
var intelIDs string

// intelGPU is what intel.ids says of a device (8086:5916).
type intelGPU struct{ series, first, end string }

// knownIntel looks a device up in intel.ids.
func knownIntel(id string) (intelGPU, bool) {
	device, ok := strings.CutPrefix(strings.ToLower(id), "8086:")
	if n, err := strconv.ParseUint(device, 16, 16); ok && err == nil {
		for line := range strings.Lines(intelIDs) {
			part := strings.Split(strings.TrimSpace(line), "|")
			if len(part) == 4 && !strings.HasPrefix(line, "#") && pci.Among(n, strings.Fields(part[3])) {
				return intelGPU{part[0], part[1], part[2]}, true
			}
		}
	}
	return intelGPU{}, false
}

// polaris are the Radeons of gfx803 by PCI id: Polaris 10 to 12 and Fiji, RX 460 to
// 590 and R9 Fury (the PCI ID repository; libdrm, data/amdgpu.ids).
const polaris = "67c0-67df 67e0-67ff 694c-694f 6980-699f 6fdf 7300 730f"

// openCLWithoutGPU finds OpenCL drivers none of which knows the GPU here: programs get
// a platform with no device. What a driver answered with, where it was asked, counts
// for more. With one for the CPU beside it, that is said by the relation with beside.
func openCLWithoutGPU(beside bool) relation {
	return func(e *evaluation, _ subject) (map[string]string, bool) {
		if !slices.Contains(e.touched(), "opencl") {
			return nil, false
		}
		var vars map[string]string
		others := false
		for _, i := range e.facts.Components["opencl"] {
			if i.Unusable != nil || i.Path == "" {
				continue
			}
			software := slices.ContainsFunc(i.Devices, func(d facts.Device) bool { return d.Software })
			v, known := e.blindDriver(i)
			switch {
			case software:
				others = true
			case !known, v == nil, len(i.Devices) > 0:
				return nil, false // this one serves a GPU here, or may
			case vars == nil:
				vars = v
			}
		}
		return vars, vars != nil && others == beside
	}
}

// blindDriver says why a driver serves none of the GPUs here: nil where it does, and
// not known where its release or a GPU of its maker is not.
func (e *evaluation) blindDriver(i facts.Instance) (vars map[string]string, known bool) {
	switch i.Attrs["driver"] {
	case "Intel graphics (NEO)":
		for _, g := range e.facts.GPUs {
			if g.Vendor != "intel" {
				continue
			}
			gpu, ok := knownIntel(g.ID)
			if !ok || i.Release == "" && gpu.first != "none" {
				return nil, false
			}
			vars = map[string]string{"driver": lang.F("Intel's OpenCL driver %s", i.Release), "gpu": gpu.series, "path": i.Path}
			switch {
			case g.Driver == "" && e.facts.OS.Container == "" && newer(arcKernels[gpu.series], kernelRelease(e.facts.OS.Kernel)):
				vars["driver"], vars["kernel"] = lang.F("kernel %s", e.facts.OS.Kernel), arcKernels[gpu.series]
			case gpu.first == "none":
				vars["driver"], vars["never"] = lang.T("Intel's OpenCL driver"), "yes"
			case gpu.first != "-" && newer(gpu.first, i.Release):
				vars["least"] = gpu.first
			case gpu.end != "-" && !newer(gpu.end, i.Release) && !strings.Contains(i.Path, "legacy"):
				vars["end"] = gpu.end
			default:
				return nil, true
			}
		}
		return vars, vars != nil
	case "AMD":
		rocm, ok := e.facts.Active("rocm")
		if !ok || rocm.Version == "" || newer("4.5", rocm.Version) || !strings.HasPrefix(i.Path, "/opt/rocm") {
			return nil, false
		}
		on := slices.ContainsFunc(e.facts.Environment.Variables, func(v facts.Variable) bool { return v.Problem == facts.PreVega })
		for _, g := range e.facts.GPUs {
			device, amd := strings.CutPrefix(strings.ToLower(g.ID), "1002:")
			n, err := strconv.ParseUint(device, 16, 16)
			if !amd || err != nil {
				continue
			}
			gone := !newer("7.0", rocm.Version)
			if !pci.Among(n, strings.Fields(polaris)) || on && !gone {
				return nil, true
			}
			vars = map[string]string{"driver": "ROCm " + rocm.Version, "gpu": "gfx803 (Polaris, Fiji)", "path": i.Path}
			if gone {
				vars["gone"] = "yes"
			} else {
				vars["variable"] = "ROC_ENABLE_PRE_VEGA"
			}
		}
		return vars, vars != nil
	case "Mesa rusticl":
		return e.rusticlOff(i)
	}
	return nil, false
}

// arcKernels are the first kernels that drive cards of Intel without being told to, by
// their series in intel.ids (intel/compute-runtime issue 610).
var arcKernels = map[string]string{"Arc A": "6.2"}

// kernelRelease is the number of a kernel's name: 5.15.0 of 5.15.0-119-generic.
func kernelRelease(name string) string {
	number, _, _ := strings.Cut(name, "-")
	return number
}

// rusticlOff is blindDriver of Mesa's rusticl, which shows no device of a driver that
// RUSTICL_ENABLE does not name. Distributions may name some when they build it; Debian's
// rules for mesa 25.0.7 name none (Mesa, docs/rusticl.rst; ilya-zlobintsev/LACT issue 952).
func (e *evaluation) rusticlOff(i facts.Instance) (vars map[string]string, known bool) {
	if id, _ := e.facts.OS.Release(); id != "debian" && id != "ubuntu" {
		return nil, false
	}
	if slices.ContainsFunc(e.facts.Environment.Variables, func(v facts.Variable) bool { return v.Problem == facts.Rusticl }) {
		return nil, false
	}
	for _, g := range e.facts.GPUs {
		driver := map[string]string{"amd": "radeonsi", "intel": "iris"}[g.Vendor]
		if driver == "" || vars != nil {
			continue
		}
		vars = map[string]string{"driver": "Mesa rusticl", "gpu": cmp.Or(g.Name, vendorName(g.Vendor)), "path": i.Path, "rusticl": driver}
	}
	return vars, vars != nil
}
