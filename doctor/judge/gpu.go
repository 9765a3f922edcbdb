package judge

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// vendorName is a vendor of GPUs as it writes itself.
func vendorName(vendor string) string {
	return cmp.Or(map[string]string{
		"amd": "AMD", "apple": "Apple", "arm": "Arm", "intel": "Intel", "moorethreads": "Moore Threads", "nvidia": "NVIDIA", "qualcomm": "Qualcomm",
	}[vendor], vendor)
}

// usesCUDA reports whether what the recipe requires here touches CUDA.
func (e *evaluation) usesCUDA() bool {
	touched := e.touched()
	return slices.Contains(touched, "cuda") || slices.Contains(touched, "nvidia-driver")
}

// nvidiaGPUs are the NVIDIA GPUs; false when the capability of one is unknown,
// so that nothing can be said of all of them.
func (e *evaluation) nvidiaGPUs() (list []facts.GPU, known bool) {
	known = true
	for _, g := range e.facts.GPUs {
		if g.Vendor == "nvidia" {
			list = append(list, g)
			known = known && g.ComputeCapability != ""
		}
	}
	return list, known && len(list) > 0
}

// cudaGone finds a machine whose GPUs are all too old for every CUDA toolkit
// that the recipe accepts (Fermi, and Kepler where 12 is required).
func cudaGone(e *evaluation, _ subject) (map[string]string, bool) {
	gpus, known := e.nvidiaGPUs()
	table, err := e.tables.Table("cuda-sm")
	if !e.usesCUDA() || !known || err != nil {
		return nil, false
	}
	sm := BestGPU(e.facts)
	last := "8.0" // NVIDIA's toolkits for cards before Fermi ended with 6.5
	generation := "older than Fermi"
	if major(sm) >= 2 {
		generation = ""
	}
	for i := range table.Rows {
		row := &table.Rows[i]
		if !row.Meets("sm", sm) {
			continue
		}
		generation = row.Then["generation"]
		for _, toolkit := range cudaReleases {
			if row.Meets("cuda", toolkit) {
				last = toolkit
				if e.acceptsCUDA(toolkit) {
					return nil, false
				}
			}
		}
	}
	if generation == "" {
		return nil, false // a card newer than the table
	}
	return map[string]string{"gpu": cmp.Or(gpus[0].Name, "the NVIDIA GPU"), "sm": sm, "generation": generation, "last": last}, true
}

// cudaReleases are the minor releases of the CUDA toolkit since 8.0 (NVIDIA,
// CUDA Toolkit Archive). A later one has dropped no fewer cards.
var cudaReleases = []string{"8.0", "9.0", "9.1", "9.2", "10.0", "10.1", "10.2", "11.0", "11.1", "11.2", "11.3", "11.4", "11.5", "11.6", "11.7", "11.8",
	"12.0", "12.1", "12.2", "12.3", "12.4", "12.5", "12.6", "12.8", "12.9", "13.0", "13.1", "13.2"}

// acceptsCUDA reports whether the recipe's own requirements accept a toolkit.
func (e *evaluation) acceptsCUDA(toolkit string) bool {
	for i := range e.recipe.Requirements {
		q := &e.recipe.Requirements[i]
		if q.Component == nil || !slices.Contains(names(q.Component), "cuda") {
			continue
		}
		if _, applies := e.applies(q.When); !applies {
			continue
		}
		if ok, err := check(q.Component.Version, toolkit); err == nil && !ok {
			return false
		}
	}
	return true
}

func major(version string) int {
	first, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(first)
	if err != nil {
		return -1
	}
	return n
}

// gpuCode compares the machine code and PTX in a library with the GPUs: code for
// X.y runs on X.z with z >= y, PTX on every card as new or newer (NVIDIA, CUDA
// C++ Programming Guide, "Binary Compatibility" and "PTX Compatibility").
func gpuCode(e *evaluation, s subject) (map[string]string, bool) {
	b := s.instance.Built
	gpus, known := e.nvidiaGPUs()
	if !e.usesCUDA() || !known || len(b.CUDAArchs) == 0 {
		return nil, false
	}
	for _, g := range gpus {
		if runsOn(b, g.ComputeCapability) {
			return nil, false
		}
	}
	ptx := "no PTX"
	if len(b.PTX) > 0 {
		ptx = "PTX for " + strings.Join(b.PTX, ", ")
	}
	sm := BestGPU(e.facts)
	return map[string]string{
		"gpu": cmp.Or(gpus[0].Name, "the NVIDIA GPU"), "sm": sm, "archs": strings.Join(b.CUDAArchs, ", "), "ptx": ptx,
		"arch": strings.ReplaceAll(sm, ".", ""),
	}, true
}

// runsOn reports whether code was built in that a card of that capability runs;
// true where a capability is not understood.
func runsOn(b facts.Built, sm string) bool {
	card, err := recipes.Version(sm)
	if err != nil {
		return true
	}
	for _, arch := range b.CUDAArchs {
		v, err := recipes.Version(arch)
		if err != nil || v.Segments()[0] == card.Segments()[0] && !v.GreaterThan(card) {
			return true
		}
	}
	for _, arch := range b.PTX {
		if v, err := recipes.Version(arch); err != nil || !v.GreaterThan(card) {
			return true
		}
	}
	return false
}

// backendMissing finds a library that was built without the backend that the
// recipe was set to.
func backendMissing(e *evaluation, s subject) (map[string]string, bool) {
	want := e.recipe.Setting("gpu")
	have := s.instance.Built.Backends
	if want == "" || want == "cpu" || len(have) == 0 || slices.Contains(have, want) {
		return nil, false
	}
	return map[string]string{"want": want, "have": strings.Join(have, ", ")}, true
}

// onlySoftware finds a Vulkan or OpenCL whose usable drivers all compute on the
// CPU.
func onlySoftware(e *evaluation, s subject) (map[string]string, bool) {
	var found []string
	for _, i := range e.facts.Components[s.name] {
		if i.Unusable != nil || i.Path == "" {
			continue
		}
		for _, d := range i.Devices {
			if !d.Software {
				return nil, false
			}
			found = append(found, d.Name)
		}
		if len(i.Devices) == 0 {
			return nil, false // not known
		}
	}
	return map[string]string{"devices": strings.Join(found, ", ")}, len(found) > 0
}

// driverElsewhere finds a machine without a CUDA driver where the driver is that
// of another system: under WSL it is Windows', in a container the host's.
func driverElsewhere(where string) relation {
	return func(e *evaluation, _ subject) (map[string]string, bool) {
		if DriverHost(e.facts) != where || !e.usesCUDA() || len(e.facts.Components["nvidia-driver"]) > 0 {
			return nil, false
		}
		if _, failed := e.facts.Problem("nvidia-driver"); failed {
			return nil, false
		}
		// A container sees the host's PCI devices; WSL sees none.
		gpus, _ := e.nvidiaGPUs()
		return nil, where == "wsl" || len(gpus) > 0
	}
}

// DriverHost says whose driver programs here use: wsl, container, jetson, or ""
// for this system's own.
func DriverHost(f *facts.Facts) string {
	switch {
	case f.OS.Board != "":
		return f.OS.Board
	case strings.HasPrefix(f.OS.Container, "wsl"):
		return "wsl"
	case f.OS.Container != "" && f.OS.Container != "chroot":
		return "container"
	}
	return ""
}

// update says how to get another version of a component.
func (e *evaluation) update(name string, c recipes.Constraint) string {
	if text := OnJetson(name, e.facts); text != "" {
		return text
	}
	if name == "nvidia-driver" {
		switch DriverHost(e.facts) {
		case "wsl":
			return fmt.Sprintf("Install NVIDIA driver %s on Windows, then run: wsl --shutdown. Do not install a Linux driver inside WSL.", c)
		case "container":
			return fmt.Sprintf("Install NVIDIA driver %s on the host, or use an image with an older CUDA.", c)
		}
	}
	if text := e.openposeAdvice(name); text != "" && (name == "cuda" || name == "cudnn") {
		return text
	}
	switch cuda, ok := e.facts.Active("cuda"); name {
	case "cudnn":
		if text := e.cudnnAdvice(&recipes.ComponentCheck{Version: c.String()}); text != "" || !ok {
			return cmp.Or(text, fmt.Sprintf("Install cuDNN %s from NVIDIA's cuDNN archive.", c))
		}
		return fmt.Sprintf("Install cuDNN %s for CUDA %d from NVIDIA's cuDNN archive.", c, major(cuda.Version))
	case "cuda":
		return fmt.Sprintf("Install CUDA Toolkit %s from NVIDIA's CUDA archive; several toolkits can be installed side by side.", c)
	}
	return fmt.Sprintf("Install %s %s.", recipes.Display(name), c)
}
