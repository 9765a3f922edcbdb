// Package gpu finds graphics and compute devices and what serves them: PCI
// devices and their kernel drivers, boards with a GPU in the processor, ROCm,
// Vulkan and Level Zero drivers.
//
// It reads sysfs, files and the registry; nvidia-smi is started only where the
// kernel's NVIDIA driver is loaded. It must never load a driver's library, and
// never wake a sleeping device to look at it.
package gpu

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/cuda"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/doctor/probe/loader"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// Components this package provides, besides the topic gpus.
const (
	ROCm         = "rocm"
	Vulkan       = "vulkan"
	VulkanLoader = "vulkan-loader"
	LevelZero    = "level-zero"
)

const (
	pciDir     = "/sys/bus/pci/devices"
	maxDevices = 4096
	maxGPUs    = 256
)

// vendors names PCI vendors of display devices (the PCI ID repository).
var vendors = map[string]string{
	"10de": "nvidia", "1002": "amd", "1022": "amd", "8086": "intel", "106b": "apple", "13b5": "arm", "1010": "imagination", "5143": "qualcomm",
	"14c3": "mediatek", "1ed5": "moorethreads", "1d17": "zhaoxin", "0014": "loongson", "19e5": "huawei", "1e0f": "kioxia", "1da3": "habana",
	"1a03": "aspeed", "102b": "matrox", "1234": "qemu", "1af4": "virtio", "1b36": "redhat", "15ad": "vmware", "1414": "microsoft", "80ee": "virtualbox", "1013": "cirrus",
}

// Provides lists the topics and components this probe is the source of.
func Provides() []string { return []string{"gpus", ROCm, Vulkan, VulkanLoader, LevelZero} }

// Probe finds GPUs. Topic: gpus. Components: rocm, vulkan, vulkan-loader,
// level-zero.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	p := &probe{h: h}
	switch h.OS {
	case "windows":
		p.windows(ctx)
	case "darwin":
		p.darwin(ctx)
	default:
		p.libs = loader.Open(ctx, h)
		p.pci(ctx)
		p.platform(ctx)
		p.jetson(ctx)
		p.nvidia(ctx)
		p.ofWindows(ctx)
		p.access(ctx)
		p.rocm(ctx)
		p.vulkan(ctx)
		p.loaders(ctx)
	}
	p.capabilities()
	return p.f, nil
}

// capabilities completes what no driver said by the devices' PCI ids.
func (p *probe) capabilities() {
	for i := range p.f.GPUs {
		g := &p.f.GPUs[i]
		if g.Vendor != "nvidia" || g.ComputeCapability != "" {
			continue
		}
		if g.ComputeCapability = capabilityOf(g.ID); g.ComputeCapability != "" {
			g.Evidence = append(g.Evidence, facts.Evidence{Kind: "table", Source: "PCI id " + g.ID, Detail: "compute capability " + g.ComputeCapability})
		}
	}
}

type probe struct {
	h    *host.Host
	libs *loader.Libraries
	f    facts.Facts
}

// failed keeps an error that may hide something of the topic named.
func (p *probe) failed(err error, topic string) {
	if look.Hides(err) && len(p.f.Problems) < 16 {
		p.f.Problems = append(p.f.Problems, facts.Problem{Probe: "gpu", Covers: []string{topic}, Error: err.Error()})
	}
}

// small reads one line of sysfs or procfs.
func (p *probe) small(ctx context.Context, name string) string {
	data, _, err := p.h.ReadFile(ctx, name, 4096)
	if err != nil {
		return ""
	}
	return strings.Trim(string(data), " \t\r\n\x00")
}

var hexID = lazyregexp.New(`^0x[0-9a-f]{4,8}$`)

// pci lists the display and accelerator devices of the PCI bus.
func (p *probe) pci(ctx context.Context) {
	entries, err := p.h.ReadDir(ctx, pciDir)
	p.failed(err, "gpus")
	for i, e := range entries {
		if i >= maxDevices || len(p.f.GPUs) >= maxGPUs || ctx.Err() != nil {
			return
		}
		dir := path.Join(pciDir, e.Name)
		class := p.small(ctx, dir+"/class")
		// 03 display controllers, 12 processing accelerators (PCI Code and ID
		// Assignment Specification).
		if !hexID.MatchString(class) || !strings.HasPrefix(class, "0x03") && !strings.HasPrefix(class, "0x12") {
			continue
		}
		vendor, device := p.small(ctx, dir+"/vendor"), p.small(ctx, dir+"/device")
		if !hexID.MatchString(vendor) || !hexID.MatchString(device) {
			continue
		}
		v, d := vendor[2:], device[2:]
		g := facts.GPU{
			Vendor: vendors[v], PCI: e.Name, ID: v + ":" + d,
			Attrs:    map[string]string{"class": class[2:]},
			Evidence: []facts.Evidence{{Kind: "file", Source: dir, Detail: "class " + class + ", vendor " + vendor + ", device " + device}},
		}
		g.Vendor = cmp.Or(g.Vendor, v)
		if link, err := p.h.Resolve(ctx, dir+"/driver"); err == nil {
			g.Driver = path.Base(link)
			g.DriverVersion = p.small(ctx, "/sys/module/"+g.Driver+"/version")
		} else if host.IsNotExist(err) {
			g.Attrs["problem"] = "no kernel driver is bound to it"
		}
		if n, err := strconv.ParseUint(p.small(ctx, dir+"/mem_info_vram_total"), 10, 64); err == nil {
			g.Memory = n
		}
		for _, node := range p.h.Glob(ctx, dir+"/drm", "renderD*") {
			g.Attrs["render"] = "/dev/dri/" + path.Base(node)
			if !p.h.Exists(ctx, g.Attrs["render"]) {
				g.Attrs["render_missing"], g.NoNode = "yes", g.Attrs["render"]
			}
		}
		if p.small(ctx, dir+"/boot_vga") == "1" {
			g.Attrs["boot"] = "yes"
		}
		look.Set(g.Attrs, "power", p.small(ctx, dir+"/power/runtime_status"))
		g.Name = p.pciName(ctx, v, d)
		if g.Vendor == "nvidia" {
			// The kernel's driver knows the product's name.
			if info := p.small(ctx, "/proc/driver/nvidia/gpus/"+e.Name+"/information"); info != "" {
				for line := range strings.SplitSeq(info, "\n") {
					key, value, _ := strings.Cut(line, ":")
					value = strings.TrimSpace(value)
					switch strings.TrimSpace(key) {
					case "Model":
						if value != "" && value != "Unknown" {
							g.Name = value
						}
					case "GPU UUID":
						g.Attrs["uuid"] = value
					}
				}
			}
		}
		p.f.GPUs = append(p.f.GPUs, g)
	}
	p.kfd(ctx)
}

// pciName looks a device up in the machine's own copy of the PCI ID list.
func (p *probe) pciName(ctx context.Context, vendor, device string) string {
	for _, file := range []string{"/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/share/pci.ids"} {
		// The longest vendor's section (NVIDIA's) has 0.3 MB.
		data, err := p.h.Search(ctx, file, "\n"+vendor+"  ", 8<<20, 512<<10)
		if err != nil || data == nil {
			continue
		}
		return deviceName(string(data), device)
	}
	return ""
}

// deviceName reads a vendor's section of pci.ids, from its line on.
func deviceName(section, device string) string {
	first := true
	for line := range strings.SplitSeq(strings.TrimPrefix(section, "\n"), "\n") {
		if first {
			first = false
			continue
		}
		if rest, ok := strings.CutPrefix(line, "\t"+device+"  "); ok {
			return strings.TrimSpace(rest)
		}
		if line != "" && line[0] != '\t' && line[0] != '#' {
			return "" // the next vendor
		}
	}
	return ""
}

// kfd adds what AMD's compute driver says of its devices: the ISA's name.
func (p *probe) kfd(ctx context.Context) {
	for _, node := range p.h.Glob(ctx, "/sys/class/kfd/kfd/topology/nodes", "[0-9]*") {
		props := properties(p.small(ctx, node+"/properties"))
		isa := gfxName(props["gfx_target_version"])
		if isa == "" {
			continue
		}
		address := kfdAddress(props["domain"], props["location_id"])
		for i := range p.f.GPUs {
			if p.f.GPUs[i].PCI == address {
				p.f.GPUs[i].Attrs["gfx"] = isa
				p.f.GPUs[i].Evidence = append(p.f.GPUs[i].Evidence, facts.Evidence{Kind: "file", Source: node + "/properties", Detail: "gfx_target_version " + props["gfx_target_version"]})
			}
		}
	}
}

func properties(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			out[k] = strings.TrimSpace(v)
		}
	}
	return out
}

// gfxName turns KFD's gfx_target_version into the compiler's name: 100300 is
// gfx1030, 90010 is gfx90a (major, minor, stepping; the last two in hexadecimal).
func gfxName(v string) string {
	n, err := strconv.Atoi(v)
	if err != nil || n < 10000 || n > 9_999_999 {
		return ""
	}
	return fmt.Sprintf("gfx%d%x%x", n/10000, n/100%100, n%100)
}

func kfdAddress(domain, location string) string {
	d, err1 := strconv.ParseUint(domain, 10, 32)
	l, err2 := strconv.ParseUint(location, 10, 32)
	if err2 != nil {
		return ""
	}
	if err1 != nil {
		d = 0
	}
	return fmt.Sprintf("%04x:%02x:%02x.%x", d, l>>8&0xff, l>>3&0x1f, l&7)
}

// platform finds GPUs that are part of the processor's chip and not on PCI.
func (p *probe) platform(ctx context.Context) {
	entries, err := p.h.ReadDir(ctx, "/sys/class/drm")
	p.failed(err, "gpus")
	seen := map[string]bool{}
	dirs := []string{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name, "card") && !strings.Contains(e.Name, "-") || strings.HasPrefix(e.Name, "renderD") {
			dirs = append(dirs, "/sys/class/drm/"+e.Name+"/device")
		}
	}
	// ARM's own driver is no DRM driver.
	dirs = append(dirs, "/sys/class/misc/mali0/device", "/sys/class/kgsl/kgsl-3d0/device")
	for _, dir := range dirs {
		event := p.small(ctx, dir+"/uevent")
		if event == "" || strings.Contains(event, "PCI_SLOT_NAME=") || strings.Contains(event, "PCI_ID=") || len(p.f.GPUs) >= maxGPUs {
			continue
		}
		u := map[string]string{}
		for line := range strings.SplitSeq(event, "\n") {
			k, v, _ := strings.Cut(line, "=")
			u[k] = v
		}
		compatible := u["OF_COMPATIBLE_0"]
		if compatible == "" || seen[u["OF_FULLNAME"]+compatible] || !render(u["DRIVER"], compatible) {
			continue
		}
		seen[u["OF_FULLNAME"]+compatible] = true
		vendor, _, _ := strings.Cut(compatible, ",")
		if vendor == "brcm" {
			vendor = "broadcom"
		} else if vendor == "qcom" {
			vendor = "qualcomm"
		}
		if strings.Contains(compatible, "mali") {
			vendor = "arm"
		}
		p.f.GPUs = append(p.f.GPUs, facts.GPU{
			Vendor: vendor, Name: compatible, ID: compatible, Driver: u["DRIVER"],
			Attrs:    map[string]string{"bus": "platform"},
			Evidence: []facts.Evidence{{Kind: "file", Source: dir + "/uevent", Detail: "OF_COMPATIBLE_0=" + compatible}},
		})
	}
}

// render reports whether a platform device draws or computes, rather than
// drives a display.
func render(driver, compatible string) bool {
	for _, word := range []string{"mali", "gpu", "v3d", "adreno", "powervr", "img,", "vivante", "gc", "ga10b", "gv11b", "gp10b", "gm20b", "agx"} {
		if strings.Contains(compatible, word) {
			return true
		}
	}
	switch driver {
	case "panfrost", "panthor", "lima", "etnaviv", "v3d", "vc4-drm", "msm", "mali", "pvrsrvkm", "asahi", "nvgpu":
		return driver != "vc4-drm"
	}
	return false
}

var tegraRelease = lazyregexp.New(`R([0-9]+) \(release\), REVISION: ([0-9.]+)`)

// tegras gives the compute capability of NVIDIA's boards by their chip
// (NVIDIA, "CUDA GPU Compute Capability", Jetson products).
var tegras = []struct{ chip, capability string }{
	{"nvidia,tegra210", "5.3"}, {"nvidia,tegra186", "6.2"}, {"nvidia,tegra194", "7.2"}, {"nvidia,tegra234", "8.7"},
	// Thor's GPU is on PCI, too; without this, that entry and the board's would be two
	// GPUs, one of them unknown.
	{"nvidia,tegra264", "11.0"},
}

// jetson recognises NVIDIA's boards by their device tree.
func (p *probe) jetson(ctx context.Context) {
	model := p.small(ctx, "/proc/device-tree/model")
	compatible, _, err := p.h.ReadFile(ctx, "/proc/device-tree/compatible", 4096)
	if err != nil || !strings.Contains(string(compatible), "nvidia,tegra") {
		return
	}
	g := facts.GPU{Vendor: "nvidia", Name: model, Attrs: map[string]string{"board": "jetson", "bus": "platform"}}
	g.Evidence = append(g.Evidence, facts.Evidence{Kind: "file", Source: "/proc/device-tree/model", Detail: model})
	// A pasted copy may have blanks where the file has zero bytes.
	for _, c := range strings.FieldsFunc(string(compatible), func(r rune) bool { return r == 0 || r == ' ' || r == '\n' }) {
		for _, t := range tegras {
			if c == t.chip {
				g.ID, g.ComputeCapability = c, t.capability
			}
		}
	}
	const release = "/etc/nv_tegra_release"
	if text := p.small(ctx, release); text != "" {
		if m := tegraRelease.FindStringSubmatch(text); m != nil {
			g.Attrs["l4t"] = m[1] + "." + m[2]
			g.DriverVersion = g.Attrs["l4t"]
			g.Evidence = append(g.Evidence, facts.Evidence{Kind: "file", Source: release, Detail: m[0]})
		}
	}
	// The device tree's own entry is the same device.
	p.f.GPUs = slices.DeleteFunc(p.f.GPUs, func(o facts.GPU) bool { return o.PCI == "" && o.Vendor == "nvidia" })
	g.Driver = "nvgpu"
	p.f.GPUs = append(p.f.GPUs, g)
}

// nvidia completes NVIDIA's devices with what only the driver knows: memory and
// compute capability. Under WSL they are not on PCI at all.
func (p *probe) nvidia(ctx context.Context) {
	h := p.h
	wsl := h.Exists(ctx, "/usr/lib/wsl/lib/libcuda.so.1") || h.Exists(ctx, "/dev/dxg") // a container has only this
	if !wsl && !h.Exists(ctx, "/dev/nvidiactl") {
		return
	}
	program := cuda.Program(ctx, h)
	if program == "" {
		p.unnamedInWSL(ctx)
		return
	}
	devices, err := cuda.Devices(ctx, h, program)
	p.failed(err, "gpus")
	for _, d := range devices {
		i := slices.IndexFunc(p.f.GPUs, func(g facts.GPU) bool { return g.PCI == d.PCI && d.PCI != "" })
		if i < 0 {
			if len(p.f.GPUs) >= maxGPUs {
				return
			}
			p.f.GPUs = append(p.f.GPUs, facts.GPU{Vendor: "nvidia", PCI: d.PCI, Attrs: map[string]string{}})
			i = len(p.f.GPUs) - 1
		}
		g := &p.f.GPUs[i]
		g.Name, g.Memory, g.ComputeCapability, g.DriverVersion = d.Name, d.Memory, cmp.Or(d.ComputeCap, g.ComputeCapability), d.Driver
		look.Set(g.Attrs, "uuid", d.UUID)
		g.Attrs["index"] = strconv.Itoa(d.Index)
		g.Evidence = append(g.Evidence, facts.Evidence{Kind: "command", Source: program, Detail: d.Name})
	}
}

// unnamedInWSL is the NVIDIA card of a WSL without nvidia-smi: Windows gives WSL the
// driver's libcuda only where it has that driver (NVIDIA, CUDA on WSL User Guide).
func (p *probe) unnamedInWSL(ctx context.Context) {
	const lib = "/usr/lib/wsl/lib/libcuda.so.1"
	if len(p.f.GPUs) == 0 && p.h.Exists(ctx, "/dev/dxg") && p.h.Exists(ctx, lib) {
		p.f.GPUs = append(p.f.GPUs, facts.GPU{Vendor: "nvidia", Attrs: map[string]string{"bus": "windows"}, Evidence: []facts.Evidence{{Kind: "file", Source: lib}}})
	}
}

// windowsDrivers tells the maker of a graphics driver by the name of its INF file, which its
// folder in Windows' driver store begins with: AMD numbers its own (u0399723.inf), Intel's
// are iigd_dch.inf and igdlh64.inf, Qualcomm's qcdx8280.inf.
var windowsDrivers = []struct {
	name   *lazyregexp.Regexp
	vendor string
}{
	{lazyregexp.New(`^[uc]0[0-9]{6}\.inf_`), "amd"}, {lazyregexp.New(`^(?:iigd|igdlh|igd_)[a-z0-9_]*\.inf_`), "intel"}, {lazyregexp.New(`^qcdx[0-9a-z]*\.inf_`), "qualcomm"},
}

// ofWindows adds, in a WSL that no NVIDIA card reaches, the other makers' cards of the
// machine. WSL has no PCI devices of them, but sees Windows' driver store
// (/usr/lib/wsl/drivers), which holds the drivers of what Windows found. Where it has one
// of NVIDIA's (nv_dispi.inf), the card is that one.
func (p *probe) ofWindows(ctx context.Context) {
	const store = "/usr/lib/wsl/drivers"
	if len(p.f.GPUs) > 0 || !p.h.Exists(ctx, "/dev/dxg") || p.h.Exists(ctx, "/usr/lib/wsl/lib/libcuda.so.1") {
		return
	}
	entries, err := p.h.ReadDir(ctx, store)
	p.failed(err, "gpus")
	found := map[string]string{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name, "nv") {
			return
		}
		for _, d := range windowsDrivers {
			if d.name.MatchString(strings.ToLower(e.Name)) {
				found[d.vendor] = path.Join(store, e.Name)
			}
		}
	}
	for _, vendor := range slices.Sorted(maps.Keys(found)) {
		p.f.GPUs = append(p.f.GPUs, facts.GPU{Vendor: vendor, Attrs: map[string]string{"bus": "windows"}, Evidence: []facts.Evidence{{Kind: "file", Source: found[vendor]}}})
	}
}

var rocmVersion = lazyregexp.New(`^[0-9]+(?:\.[0-9]+)+`)

// rocm finds AMD's compute stack.
func (p *probe) rocm(ctx context.Context) {
	h := p.h
	type lookup struct{ dir, via string }
	var dirs []lookup
	if found := h.LookPath(ctx, "hipcc"); len(found) > 0 {
		if real, err := h.Resolve(ctx, found[0]); err == nil {
			dirs = append(dirs, lookup{path.Dir(path.Dir(real)), "PATH"})
		}
	}
	for _, v := range []string{"ROCM_PATH", "ROCM_HOME", "HIP_PATH"} {
		if d := h.Env(v); path.IsAbs(d) {
			dirs = append(dirs, lookup{d, v})
		}
	}
	dirs = append(dirs, lookup{"/opt/rocm", "/opt/rocm"})
	for _, d := range h.Glob(ctx, "/opt", "rocm-*") {
		dirs = append(dirs, lookup{d, ""})
	}
	byRoot := map[string]*facts.Instance{}
	var order []string
	for _, l := range dirs {
		real, err := h.Resolve(ctx, l.dir)
		if err != nil {
			continue
		}
		in := byRoot[real]
		if in == nil {
			in = p.rocmAt(ctx, real)
			if in == nil {
				continue
			}
			byRoot[real] = in
			order = append(order, real)
		}
		look.AddNew(&in.Via, 0, l.via)
	}
	for i, root := range order {
		byRoot[root].Active = i == 0 && len(byRoot[root].Via) > 0
		p.f.Add(ROCm, *byRoot[root])
	}
}

func (p *probe) rocmAt(ctx context.Context, root string) *facts.Instance {
	for _, name := range []string{".info/version", ".info/version-dev", "share/rocm/version"} {
		text := p.small(ctx, path.Join(root, name))
		v := rocmVersion.FindString(text)
		if v == "" {
			continue
		}
		in := &facts.Instance{Version: v, Path: root, Evidence: []facts.Evidence{{Kind: "file", Source: path.Join(root, name), Detail: text}}}
		for part, file := range map[string]string{
			"hipcc": "bin/hipcc", "headers": "include/hip/hip_runtime.h", "miopen": "lib/libMIOpen.so.1", "rocblas": "lib/librocblas.so", "hip": "lib/libamdhip64.so", "migraphx": "lib/libmigraphx.so",
		} {
			if p.h.Exists(ctx, path.Join(root, file)) {
				in.Has = append(in.Has, part)
			}
		}
		if p.h.Exists(ctx, "/dev/kfd") {
			in.Has = append(in.Has, "kfd")
		}
		sort.Strings(in.Has)
		return in
	}
	return nil
}

// loaders finds the Vulkan and Level Zero loaders.
func (p *probe) loaders(ctx context.Context) {
	for _, l := range []struct{ component, soname string }{
		{VulkanLoader, "libvulkan.so.1"}, {LevelZero, "libze_loader.so.1"},
	} {
		file, via := p.libs.Find(ctx, l.soname)
		if file == "" {
			continue
		}
		real := p.h.Real(ctx, file)
		in := facts.Instance{Path: real, Active: true, Via: []string{via}, Evidence: []facts.Evidence{{Kind: "file", Source: file}}}
		if _, v, ok := strings.Cut(path.Base(real), ".so."); ok && strings.Contains(v, ".") {
			in.Version = v
		}
		if l.component == LevelZero {
			if driver, _ := p.libs.Find(ctx, "libze_intel_gpu.so.1"); driver != "" {
				in.Has = append(in.Has, "gpu")
			}
			if driver, _ := p.libs.Find(ctx, "libze_intel_npu.so.1"); driver != "" {
				in.Has = append(in.Has, "npu")
			}
		}
		p.f.Add(l.component, in)
	}
}
