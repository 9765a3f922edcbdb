package judge

import (
	"cmp"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
)

// ownCard is an NVIDIA card on this system's own bus whose kernel module this
// system loads: not in a container, WSL or a Jetson.
func (e *evaluation) ownCard() (facts.GPU, bool) {
	if DriverHost(e.facts) != "" || e.facts.OS.Container == "chroot" {
		return facts.GPU{}, false
	}
	i := slices.IndexFunc(e.facts.GPUs, func(g facts.GPU) bool { return g.Vendor == "nvidia" && g.PCI != "" })
	if i < 0 || !slices.Contains(e.touched(), "nvidia-driver") && !e.usesCUDA() {
		return facts.GPU{}, false
	}
	return e.facts.GPUs[i], true
}

// installedDriver is the version of NVIDIA's driver that was installed here, by
// its libraries or its source; "" for none.
func (e *evaluation) installedDriver() string {
	for _, i := range e.facts.Components["nvidia-driver"] {
		if i.Version != "" {
			return i.Version
		}
	}
	return e.facts.Environment.Module.Source
}

// nouveauHolds finds a card that nouveau drives although NVIDIA's driver is
// installed.
func nouveauHolds(e *evaluation, _ subject) (map[string]string, bool) {
	g, ok := e.ownCard()
	version := e.installedDriver()
	if !ok || g.Driver != "nouveau" || version == "" {
		return nil, false
	}
	return map[string]string{"gpu": cmp.Or(g.Name, "the NVIDIA card"), "version": version, "sudo": e.sudo()}, true
}

// moduleNotBuilt finds a driver whose module is there for other kernels only.
func moduleNotBuilt(e *evaluation, _ subject) (map[string]string, bool) {
	g, ok := e.ownCard()
	m := e.facts.Environment.Module
	if !ok || m.Loaded || m.Built || g.Driver == "nouveau" || e.facts.OS.Kernel == "" || m.Source == "" && len(m.Others) == 0 {
		return nil, false
	}
	vars := map[string]string{"sudo": e.sudo()}
	if len(m.Others) > 0 {
		vars["others"] = " (it is for " + strings.Join(m.Others, ", ") + ")"
	}
	return vars, true
}

// moduleRefused finds a module that Secure Boot keeps from being loaded.
func moduleRefused(e *evaluation, _ subject) (map[string]string, bool) {
	g, ok := e.ownCard()
	m := e.facts.Environment.Module
	return map[string]string{"sudo": e.sudo()}, ok && m.Built && !m.Loaded && m.SecureBoot == "on" && g.Driver != "nouveau"
}

// moduleNotLoaded finds a module that nothing keeps from being loaded.
func moduleNotLoaded(e *evaluation, _ subject) (map[string]string, bool) {
	g, ok := e.ownCard()
	m := e.facts.Environment.Module
	return map[string]string{"sudo": e.sudo()}, ok && m.Built && !m.Loaded && m.SecureBoot != "on" && g.Driver == ""
}

// nvidiaWithoutVulkan finds an NVIDIA driver that works, where Vulkan is asked
// for and no Vulkan driver of a GPU is registered or broken.
func nvidiaWithoutVulkan(e *evaluation, _ subject) (map[string]string, bool) {
	driver, ok := e.facts.Active("nvidia-driver")
	where := DriverHost(e.facts)
	if !ok || driver.Unusable != nil || driver.Version == "" || where == "jetson" || where == "wsl" || !slices.Contains(e.touched(), "vulkan") {
		return nil, false
	}
	for _, i := range e.facts.Components["vulkan"] {
		if i.Unusable != nil || !slices.ContainsFunc(i.Devices, func(d facts.Device) bool { return d.Software }) {
			return nil, false
		}
	}
	if _, failed := e.facts.Problem("vulkan"); failed || slices.ContainsFunc(e.facts.GPUs, func(g facts.GPU) bool { return g.Vendor == "intel" || g.Vendor == "amd" }) {
		return nil, false // another GPU's driver may be the one to install
	}
	name := "the NVIDIA GPU"
	for _, g := range e.facts.GPUs {
		if g.Vendor == "nvidia" && g.Name != "" {
			name = g.Name
		}
	}
	branch, _, _ := strings.Cut(driver.Version, ".")
	return map[string]string{"gpu": name, "where": where, "branch": branch, "version": driver.Version, "sudo": e.sudo()}, true
}

// nodeMissing finds a container without the device file of the only GPU.
func nodeMissing(e *evaluation, _ subject) (map[string]string, bool) {
	touched := e.touched()
	if DriverHost(e.facts) != "container" || !slices.Contains(touched, "opencl") && !slices.Contains(touched, "vulkan") {
		return nil, false
	}
	var found facts.GPU
	for _, g := range e.facts.GPUs {
		switch {
		case g.Vendor == "nvidia": // it has files of its own
		case g.NoNode == "" && computes(g.Vendor):
			return nil, false
		case g.NoNode != "" && found.NoNode == "":
			found = g
		}
	}
	if driver, ok := e.facts.Active("nvidia-driver"); ok && driver.Unusable == nil {
		return nil, false
	}
	return map[string]string{"node": found.NoNode, "gpu": cmp.Or(found.Name, "the "+vendorName(found.Vendor)+" GPU")}, found.NoNode != ""
}

// computes reports whether a vendor's display devices compute: a server's console
// and the adapters of virtual machines do not.
func computes(vendor string) bool {
	return slices.Contains([]string{"nvidia", "amd", "intel", "arm", "qualcomm", "moorethreads"}, vendor)
}

// softwareBesideGPU is onlySoftware on a machine that has a GPU.
func softwareBesideGPU(e *evaluation, s subject) (map[string]string, bool) {
	vars, ok := onlySoftware(e, s)
	i := slices.IndexFunc(e.facts.GPUs, func(g facts.GPU) bool { return computes(g.Vendor) && g.NoNode == "" })
	if !ok || i < 0 {
		return nil, false
	}
	g := e.facts.GPUs[i]
	vars["vendor"], vars["gpu"] = g.Vendor, cmp.Or(g.Name, "the GPU")
	return vars, true
}
