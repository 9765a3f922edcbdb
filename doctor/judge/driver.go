package judge

import (
	"cmp"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
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
	return map[string]string{"gpu": cmp.Or(g.Name, lang.T("the NVIDIA card")), "version": version, "sudo": e.sudo()}, true
}

// nouveauInstead finds a card that nouveau drives where NVIDIA's driver is not
// installed.
func nouveauInstead(e *evaluation, _ subject) (map[string]string, bool) {
	g, ok := e.ownCard()
	if !ok || g.Driver != "nouveau" || e.installedDriver() != "" {
		return nil, false
	}
	vars := map[string]string{"gpu": cardName(g), "sudo": e.sudo()}
	branch := e.branchFor(g.ComputeCapability)
	switch branch {
	case "":
		return vars, true
	case "current":
		vars["rpm"], vars["rpm-cuda"] = "akmod-nvidia", "xorg-x11-drv-nvidia-cuda"
	default:
		vars["branch"], vars["rpm"], vars["rpm-cuda"] = branch, "akmod-nvidia-"+branch+"xx", "xorg-x11-drv-nvidia-"+branch+"xx-cuda"
	}
	if id, version := e.facts.OS.Release(); id == "debian" {
		vars["deb"] = e.debianDriver(version, g.ComputeCapability)
	}
	return vars, true
}

// debianDrivers are the packages of NVIDIA's driver in Debian's releases, with their
// versions (packages.debian.org, suites bullseye to trixie, section non-free).
var debianDrivers = map[string][][2]string{
	"11": {{"nvidia-driver", "470.256.02"}, {"nvidia-legacy-390xx-driver", "390.157"}},
	"12": {{"nvidia-driver", "535.261.03"}, {"nvidia-tesla-470-driver", "470.256.02"}},
	"13": {{"nvidia-driver", "550.163.01"}},
}

// debianDriver is the package of a Debian release whose driver runs a card; "" for none.
func (e *evaluation) debianDriver(release, sm string) string {
	for _, d := range debianDrivers[release] {
		if _, _, err := e.tables.Choose("driver-gpu", map[string]string{"sm": sm, "nvidia-driver": d[1]}, "branch"); err == nil && sm != "" {
			return d[0]
		}
	}
	return ""
}

// cardName is a card's name; the PCI bus of a machine without a driver or a list
// of names tells only what it can do.
func cardName(g facts.GPU) string {
	if g.Name == "" && g.ComputeCapability != "" {
		return lang.F("this NVIDIA GPU (compute capability %s)", g.ComputeCapability)
	}
	return cmp.Or(g.Name, lang.T("the NVIDIA card"))
}

// branchFor is the last driver branch that supports a card, "current" while the
// newest does, "" where that is unknown.
func (e *evaluation) branchFor(sm string) string {
	table, err := e.tables.Table("driver-gpu")
	if err != nil || sm == "" {
		return ""
	}
	for i := range table.Rows {
		if table.Rows[i].Meets("sm", sm) {
			return table.Rows[i].Then["branch"]
		}
	}
	return ""
}

// driverFails reports whether NVIDIA's driver was found not to work: one that
// answers runs the card, whatever tables and files say.
func (e *evaluation) driverFails() bool {
	return slices.ContainsFunc(e.facts.Components["nvidia-driver"], func(i facts.Instance) bool { return i.Unusable != nil })
}

// driverBranch finds a driver that does not support the card: one that has dropped
// it, or one older than the card.
func driverBranch(e *evaluation, _ subject) (map[string]string, bool) {
	g, ok := e.ownCard()
	version := e.installedDriver()
	table, err := e.tables.Table("driver-gpu")
	if !ok || err != nil || version == "" || g.ComputeCapability == "" || !e.driverFails() {
		return nil, false
	}
	if cards, _ := e.nvidiaGPUs(); len(cards) > 1 {
		return nil, false
	}
	for i := range table.Rows {
		row := &table.Rows[i]
		if !row.Meets("sm", g.ComputeCapability) {
			continue
		}
		vars := map[string]string{"gpu": cardName(g), "version": version, "needs": row.When["nvidia-driver"], "sudo": e.sudo()}
		if first := e.firstDriver(g); first != "" && newer(first, version) {
			vars["needs"] = ">= " + first
			return vars, true
		}
		if branch := row.Then["branch"]; branch != "current" {
			vars["branch"], vars["aur"] = branch, "nvidia-"+branch+"xx-dkms"
			vars["rpm"], vars["rpm-cuda"] = "akmod-nvidia-"+branch+"xx", "xorg-x11-drv-nvidia-"+branch+"xx-cuda"
		}
		return vars, !row.Meets("nvidia-driver", version)
	}
	return nil, false
}

// firstDriver is the first driver that knows a card which came later than the first of
// its generation; "" where the table does not have it.
func (e *evaluation) firstDriver(g facts.GPU) string {
	first, _, err := e.tables.Choose("driver-card", map[string]string{"os": e.driverOS(), "card": cardModel(g.Name)}, "driver")
	if err != nil {
		return ""
	}
	return first
}

// cardModel is a card's name as NVIDIA's drivers have it, less the maker's. The list of
// PCI devices names the chip, too: TU117M [GeForce GTX 1650 Mobile / Max-Q].
func cardModel(name string) string {
	if _, inside, ok := strings.Cut(name, "["); ok {
		name = strings.TrimSuffix(inside, "]")
	}
	name, _, _ = strings.Cut(name, " / ")
	name = strings.TrimSpace(strings.TrimPrefix(name, "NVIDIA "))
	if model, ok := strings.CutSuffix(name, " Mobile"); ok {
		return model + " Laptop GPU"
	}
	return name
}

// moduleKind finds kernel modules of the kind that does not run the card: only the
// open ones run Blackwell, and they begin with Turing (NVIDIA, Driver Installation
// Guide, "Kernel Modules"; NVIDIA/open-gpu-kernel-modules issues 19 and 872).
func moduleKind(want string) relation {
	return func(e *evaluation, _ subject) (map[string]string, bool) {
		g, ok := e.ownCard()
		sm, err := recipes.Version(g.ComputeCapability)
		kind := e.facts.Environment.Module.Kind
		if !ok || err != nil || kind == "" || kind == want || !e.driverFails() {
			return nil, false
		}
		if cards, _ := e.nvidiaGPUs(); len(cards) > 1 {
			return nil, false // the other card may need this kind
		}
		number := sm.Segments()
		turing := number[0] > 7 || number[0] == 7 && number[1] >= 5
		version := e.installedDriver()
		branch, _, _ := strings.Cut(version, ".")
		if last := e.branchFor(g.ComputeCapability); last != "current" && major(last) < major(version) {
			return nil, false // neither kind of this driver runs the card
		}
		vars := map[string]string{"gpu": cardName(g), "version": version, "branch": branch, "sudo": e.sudo()}
		return vars, want == "open" && number[0] >= 10 || want == "proprietary" && !turing
	}
}

// moduleNotBuilt finds a driver whose module is there for other kernels only.
func moduleNotBuilt(e *evaluation, _ subject) (map[string]string, bool) {
	g, ok := e.ownCard()
	m := e.facts.Environment.Module
	if !ok || m.Loaded || m.Built || g.Driver == "nouveau" || e.facts.OS.Kernel == "" || m.Source == "" && len(m.Others) == 0 {
		return nil, false
	}
	version := e.installedDriver()
	vars := map[string]string{"sudo": e.sudo(), "version": version, "log": m.FailedLog}
	if len(m.Others) > 0 {
		vars["others"] = lang.F(" (it is for %s)", strings.Join(m.Others, ", "))
	}
	switch branch, last := e.branchFor(g.ComputeCapability), major(version); {
	case m.KernelGone:
		vars["gone"] = "yes"
	case m.FailedLog != "":
		vars["others"] = lang.F("; DKMS failed to build driver %s for it (%s)", version, m.FailedLog)
		if branch == "current" || major(branch) > last {
			vars["newer"] = "yes"
		}
	case m.Source == "" && m.Packages != "":
		vars["modules"] = m.Packages
	case m.Source == "" && m.Installer:
		vars["installer"] = "yes"
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
	vars := map[string]string{"sudo": e.sudo(), "blacklist": m.Blacklist}
	if m.Prime {
		vars["prime"] = "yes"
	}
	return vars, ok && m.Built && !m.Loaded && m.SecureBoot != "on" && g.Driver == ""
}

// cardRemoved finds the rule by which udev takes NVIDIA's cards off the bus, where none
// is there.
func cardRemoved(e *evaluation, _ subject) (map[string]string, bool) {
	m := e.facts.Environment.Module
	cards, _ := e.nvidiaGPUs()
	vars := map[string]string{"file": m.Removed, "sudo": e.sudo()}
	if m.Envy {
		vars["envy"] = "yes"
	}
	return vars, m.Removed != "" && len(cards) == 0 && e.usesCUDA()
}

// cardPassedOn finds a machine whose NVIDIA cards are all kept for virtual machines.
func cardPassedOn(e *evaluation, _ subject) (map[string]string, bool) {
	g, ok := e.ownCard()
	for _, other := range e.facts.GPUs {
		ok = ok && (other.Vendor != "nvidia" || other.Driver == "vfio-pci")
	}
	return map[string]string{"gpu": cardName(g), "id": g.ID, "sudo": e.sudo()}, ok
}

// fabricManager finds GPUs joined by NVSwitches without the Fabric Manager that sets
// the switches up, or with one of another version than the driver.
func fabricManager(e *evaluation, _ subject) (map[string]string, bool) {
	f := e.facts.Environment.Fabric
	driver, ok := e.facts.Active("nvidia-driver")
	if !ok || driver.Version == "" || !f.Switches || DriverHost(e.facts) != "" || !e.usesCUDA() {
		return nil, false
	}
	branch, _, _ := strings.Cut(driver.Version, ".")
	vars := map[string]string{"driver": driver.Version, "branch": branch, "sudo": e.sudo()}
	switch {
	case !f.Manager:
		vars["problem"], vars["install"] = lang.T("is not installed"), "yes"
	case f.Version != "" && f.Version != driver.Version:
		vars["problem"], vars["install"] = lang.F("%s does not start with driver %s", f.Version, driver.Version), "yes"
	case f.Stopped:
		vars["problem"] = lang.T("is not running")
	}
	return vars, vars["problem"] != ""
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
	name := lang.T("the NVIDIA GPU")
	for _, g := range e.facts.GPUs {
		if g.Vendor == "nvidia" && g.Name != "" {
			name = g.Name
		}
	}
	branch, _, _ := strings.Cut(driver.Version, ".")
	return map[string]string{"gpu": name, "where": where, "branch": branch + driver.Flavor, "version": driver.Version, "sudo": e.sudo()}, true
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
	return map[string]string{"node": found.NoNode, "gpu": cmp.Or(found.Name, lang.F("the %s GPU", vendorName(found.Vendor)))}, found.NoNode != ""
}

// dxgMissing finds a container in WSL with Intel's OpenCL driver alone, and without
// the device file that it opens there.
func dxgMissing(e *evaluation, _ subject) (map[string]string, bool) {
	list := e.facts.Components["opencl"]
	if !e.facts.Environment.NoDXG || DriverHost(e.facts) != "container" || !slices.Contains(e.touched(), "opencl") || len(list) == 0 {
		return nil, false
	}
	only := !slices.ContainsFunc(list, func(i facts.Instance) bool { return !strings.Contains(i.Path, "igdrcl") })
	return nil, only && !slices.ContainsFunc(e.facts.GPUs, func(g facts.GPU) bool { return computes(g.Vendor) })
}

// maliWithoutVulkan finds a machine whose only GPU is a Mali of the generations
// before Bifrost (Utgard and Midgard), for which no Vulkan driver was made on Linux.
func maliWithoutVulkan(e *evaluation, _ subject) (map[string]string, bool) {
	if !slices.Contains(e.touched(), "vulkan") || e.recipe.Setting("gpu") != "vulkan" || len(e.facts.GPUs) == 0 {
		return nil, false
	}
	for _, g := range e.facts.GPUs {
		if !oldMali(g) && computes(g.Vendor) {
			return nil, false
		}
	}
	i := slices.IndexFunc(e.facts.GPUs, oldMali)
	works := slices.ContainsFunc(e.facts.Components["vulkan"], func(v facts.Instance) bool {
		return v.Unusable == nil && slices.ContainsFunc(v.Devices, func(d facts.Device) bool { return !d.Software })
	})
	if i < 0 || works {
		return nil, false
	}
	return map[string]string{"gpu": e.facts.GPUs[i].Name, "recipe": e.recipe.Name}, true
}

// fermiWithoutVulkan finds a machine whose only GPUs are NVIDIA's of the generations before
// Kepler, for which there is no Vulkan driver on any system: NVIDIA's begin with Kepler
// (compute capability 3.0), and so does Mesa's NVK.
func fermiWithoutVulkan(e *evaluation, _ subject) (map[string]string, bool) {
	if !slices.Contains(e.touched(), "vulkan") || e.recipe.Setting("gpu") != "vulkan" {
		return nil, false
	}
	found := facts.GPU{}
	for _, g := range e.facts.GPUs {
		if !computes(g.Vendor) {
			continue
		}
		if old, err := check("< 3", g.ComputeCapability); g.Vendor != "nvidia" || g.ComputeCapability == "" || err != nil || !old {
			return nil, false
		}
		found = g
	}
	generation := "Fermi"
	if strings.HasPrefix(found.ComputeCapability, "1") {
		generation = "Tesla"
	}
	return map[string]string{"gpu": cardName(found), "generation": generation, "recipe": e.recipe.Name}, found.Vendor != ""
}

// maliChips are the processors whose device trees name themselves before the Mali of
// such a generation (Linux, bindings/gpu/arm,mali-midgard.yaml and arm,mali-utgard.yaml).
var maliChips = []string{"rk3399-mali", "rk3288-mali", "rk3328-mali", "sun50i-h6-mali", "sun50i-a64-mali", "meson-gxm-mali", "meson-gxbb-mali", "meson-gxl-mali", "exynos5433-mali"}

func oldMali(g facts.GPU) bool {
	if slices.ContainsFunc(maliChips, func(chip string) bool { return strings.HasSuffix(strings.ToLower(g.ID), chip) }) {
		return true
	}
	_, model, ok := strings.Cut(strings.ToLower(g.ID), "mali-")
	return ok && (strings.HasPrefix(model, "t") || strings.HasPrefix(model, "4"))
}

// computes reports whether a vendor's display devices compute: a server's console
// and the adapters of virtual machines do not.
func computes(vendor string) bool {
	return slices.Contains([]string{"nvidia", "amd", "intel", "arm", "qualcomm", "moorethreads"}, vendor)
}

// softwareBesideGPU is onlySoftware on a machine that has a GPU.
func softwareBesideGPU(e *evaluation, s subject) (map[string]string, bool) {
	vars, ok := onlySoftware(e, s)
	i := slices.IndexFunc(e.facts.GPUs, func(g facts.GPU) bool { return computes(g.Vendor) && g.NoNode == "" && g.Attrs["bus"] != "windows" })
	if !ok || i < 0 {
		return nil, false
	}
	g := e.facts.GPUs[i]
	vars["vendor"], vars["gpu"] = g.Vendor, cmp.Or(g.Name, lang.T("the GPU"))
	for _, i := range e.facts.Components[s.name] {
		if i.Unusable != nil && i.Unusable.Reason == facts.NotRegistered && i.Attrs["driver"] == vendorName(g.Vendor) {
			vars["register"] = i.Unusable.Remedy
		}
	}
	return vars, true
}

// noOpenCLOfNVIDIA finds a system whose NVIDIA GPU no OpenCL driver serves, where no
// other GPU's driver is in its place.
func noOpenCLOfNVIDIA(e *evaluation, _ subject) (map[string]string, bool) {
	system := map[string]string{"wsl": "WSL", "jetson": "Jetson"}[DriverHost(e.facts)]
	if system == "" || !slices.Contains(e.touched(), "opencl") {
		return nil, false
	}
	nvidia := slices.ContainsFunc(e.facts.GPUs, func(g facts.GPU) bool { return g.Vendor == "nvidia" })
	for _, i := range e.facts.Components["opencl"] {
		// A driver whose devices are not known may be another GPU's.
		if i.Unusable == nil && !slices.ContainsFunc(i.Devices, func(d facts.Device) bool { return d.Software }) {
			return nil, false
		}
	}
	return map[string]string{"system": system}, nvidia
}

// compatOnGeForce finds CUDA's forward compatibility package on cards that it does
// not support: it is for data center cards, and CUDA stops with error 804 elsewhere.
func compatOnGeForce(e *evaluation, s subject) (map[string]string, bool) {
	if !strings.Contains(s.instance.Path, "/compat/") || !e.usesCUDA() {
		return nil, false
	}
	for _, g := range e.facts.GPUs {
		if g.Vendor == "nvidia" && strings.Contains(g.Name, "GeForce") {
			return map[string]string{"gpu": g.Name, "folder": folderOf(s.instance.Path), "by": strings.Join(s.instance.Via, ", ")}, true
		}
	}
	return nil, false
}

// noVulkanDriver finds no driver of Vulkan at all, where a recipe asks for one.
func noVulkanDriver(e *evaluation, _ subject) (map[string]string, bool) {
	found := slices.ContainsFunc(e.facts.Components["vulkan"], func(i facts.Instance) bool { return i.Unusable != nil || i.Path != "" && len(i.Devices) > 0 })
	return map[string]string{"recipe": e.recipe.Name}, !found
}
