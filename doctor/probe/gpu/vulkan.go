package gpu

import (
	"cmp"
	"context"
	"debug/elf"
	"encoding/json"
	"fmt"
	"path"
	"sort"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/cuda"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/doctor/probe/loader"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

const maxManifests = 64

// manifest is a Vulkan driver's JSON file (Khronos, "Vulkan Loader and Driver
// Interface").
type manifest struct {
	ICD struct {
		Library string `json:"library_path"`
		API     string `json:"api_version"`
		Arch    string `json:"library_arch"`
	} `json:"ICD"`
}

func parseManifest(text string) (manifest, error) {
	var m manifest
	if err := json.Unmarshal([]byte(strings.TrimPrefix(text, "\ufeff")), &m); err != nil {
		return m, err
	}
	if m.ICD.Library == "" {
		return m, lang.Errorf("it names no library")
	}
	return m, nil
}

// vulkan reads the registered drivers of Linux and macOS.
func (p *probe) vulkan(ctx context.Context) {
	h := p.h
	files, variable := p.driverFiles()
	if variable == "" {
		dirs := []string{"/etc/vulkan", "/usr/local/etc/vulkan", "/usr/local/share/vulkan", "/usr/share/vulkan"}
		if h.OS == "darwin" {
			dirs = append(dirs, "/opt/homebrew/etc/vulkan", "/opt/homebrew/share/vulkan")
		}
		if home := h.Env("HOME"); path.IsAbs(home) {
			dirs = append([]string{home + "/.local/share/vulkan"}, dirs...)
		}
		for _, d := range loader.SplitPath(h.Env("XDG_DATA_DIRS")) {
			dirs = append(dirs, d+"/vulkan")
		}
		for _, d := range dirs {
			files = append(files, h.Glob(ctx, d+"/icd.d", "*.json")...)
		}
	}
	seen := map[string]bool{}
	for _, f := range files {
		if !path.IsAbs(f) || seen[f] || len(seen) >= maxManifests {
			continue
		}
		seen[f] = true
		if variable != "" && p.missingManifest(ctx, f, variable) {
			continue
		}
		if variable := filtered(h, path.Base(f)); variable != "" {
			p.f.Add(Vulkan, facts.Instance{
				Unusable: &facts.Unusable{
					Reason: facts.Disabled, Detail: lang.F("%s=%s keeps the Vulkan loader from using %s", variable, h.Env(variable), f),
					Remedy: "unset " + variable,
				},
				Evidence: []facts.Evidence{{Kind: "env", Source: variable, Detail: f}},
			})
			continue
		}
		p.manifest(ctx, f, variable, func(lib string) string {
			if path.IsAbs(lib) {
				if h.Exists(ctx, lib) {
					return lib
				}
				return ""
			}
			if strings.Contains(lib, "/") { // relative to the manifest
				if full := path.Join(path.Dir(f), lib); h.Exists(ctx, full) {
					return full
				}
				return ""
			}
			if p.libs == nil {
				return ""
			}
			file, _ := p.libs.Find(ctx, lib)
			return file
		})
	}
	p.activeVulkan()
	p.unregisteredVulkan(ctx)
}

// filtered is the variable by which the loader passes over a driver's file; "" for none.
// Both hold names of files with a star before and after that match any text (Vulkan-Loader,
// docs/LoaderInterfaceArchitecture.md, "Driver Filtering"; release 1.3.234).
func filtered(h *host.Host, name string) string {
	const only, never = "VK_LOADER_DRIVERS_SELECT", "VK_LOADER_DRIVERS_DISABLE"
	match := func(list string) bool {
		for glob := range strings.SplitSeq(strings.ToLower(list), ",") {
			before, after := strings.HasPrefix(glob, "*"), strings.HasSuffix(glob, "*")
			word, low := strings.Trim(glob, "*"), strings.ToLower(name)
			switch {
			case glob == "~all~", before && after && strings.Contains(low, word),
				before && !after && strings.HasSuffix(low, word), after && !before && strings.HasPrefix(low, word), low == glob:
				return true
			}
		}
		return false
	}
	switch list := h.Env(only); {
	case match(h.Env(never)):
		return never
	case list != "" && !match(list):
		return only
	}
	return ""
}

// unregisteredVulkan finds NVIDIA's Vulkan driver where no file registers it and
// nothing else is registered: container images come without the file.
func (p *probe) unregisteredVulkan(ctx context.Context) {
	if p.libs == nil || len(p.f.Components[Vulkan]) > 0 {
		return
	}
	const library, icd = "libGLX_nvidia.so.0", "/etc/vulkan/icd.d/nvidia_icd.json"
	file, _ := p.libs.Find(ctx, library)
	if file == "" {
		return
	}
	p.f.Add(Vulkan, facts.Instance{
		Attrs: map[string]string{"library": library},
		Unusable: &facts.Unusable{
			Reason: facts.NotRegistered, Detail: lang.F("NVIDIA's Vulkan driver (%s) is here, but no file registers it with the Vulkan loader", file),
			Remedy: `mkdir -p /etc/vulkan/icd.d && echo '{"file_format_version": "1.0.0", "ICD": {"library_path": "` + library + `", "api_version": "1.3.0"}}' > ` + icd,
		},
		Evidence: []facts.Evidence{{Kind: "file", Source: file}},
	})
}

// driverFiles are the drivers to which a variable limits the Vulkan loader, and the
// variable; "" where none is set.
func (p *probe) driverFiles() (files []string, variable string) {
	for _, variable := range []string{"VK_DRIVER_FILES", "VK_ICD_FILENAMES"} {
		if list := p.h.Env(variable); list != "" {
			if p.h.Windows() {
				return strings.Split(list, ";"), variable
			}
			return strings.Split(list, ":"), variable
		}
	}
	return nil, ""
}

// missingManifest reports whether a driver file that VK_DRIVER_FILES names is not there.
func (p *probe) missingManifest(ctx context.Context, file, variable string) bool {
	if _, err := p.h.Stat(ctx, file); !host.IsNotExist(err) {
		return false
	}
	remedy := "unset " + variable
	if p.h.Windows() {
		remedy = lang.F(`set "%[1]s=". Remove %[1]s from Windows' environment variables, too, where it is set there.`, variable)
	}
	p.f.Add(Vulkan, facts.Instance{
		Unusable: &facts.Unusable{
			Reason: facts.MissingFile, Detail: lang.F("%s names %s, which is not there; the Vulkan loader then uses no other driver", variable, file), Remedy: remedy,
		},
		Evidence: []facts.Evidence{{Kind: "env", Source: variable, Detail: file}},
	})
	return true
}

// manifest adds the driver of one file, which a variable names or, where that is "", is
// registered.
func (p *probe) manifest(ctx context.Context, file, variable string, find func(string) string) {
	text, err := p.h.Text(ctx, file)
	if err != nil {
		p.failed(err, Vulkan)
		return
	}
	m, err := parseManifest(text)
	if err != nil {
		p.f.Add(Vulkan, facts.Instance{
			Path: file, Attrs: map[string]string{"state": "broken", "problem": fmt.Sprintf("%s cannot be read: %v", file, err)},
			Unusable: &facts.Unusable{Reason: facts.Broken, Detail: lang.F("the Vulkan driver file %s cannot be read: %v", file, err), Remedy: lang.F("Reinstall the Vulkan driver that %s belongs to, or delete the file.", file)},
			Evidence: []facts.Evidence{{Kind: "file", Source: file}},
		})
		return
	}
	in := facts.Instance{
		Version: m.ICD.API, Path: find(m.ICD.Library), Attrs: map[string]string{"icd": file, "library": m.ICD.Library},
		Evidence: []facts.Evidence{{Kind: "file", Source: file, Detail: m.ICD.Library + ", api_version " + m.ICD.API}},
	}
	if variable != "" {
		in.Via = []string{variable}
	}
	if in.Path != "" && p.for32(ctx, in.Path) {
		in.Path, m.ICD.Arch = "", "32" // Steam brings drivers for its 32-bit programs
	}
	// Mesa's software driver is no GPU.
	if low := strings.ToLower(m.ICD.Library); strings.Contains(low, "lvp") || strings.Contains(low, "swiftshader") {
		in.Has = append(in.Has, "cpu")
		in.Devices = []facts.Device{{Name: m.ICD.Library, Type: "cpu", Software: true}}
	} else {
		in.Has = append(in.Has, "gpu")
	}
	switch {
	case in.Path == "" && m.ICD.Arch == "32":
		in.Attrs["state"] = "other architecture"
		in.Unusable = &facts.Unusable{
			Reason: facts.WrongArch, Detail: lang.F("%s registers a driver for 32-bit programs alone", file),
			Remedy: lang.T("Install the 64-bit Vulkan driver of the GPU."),
		}
		if strings.Contains(m.ICD.Library, "libvulkan_") && p.h.Exists(ctx, "/usr/bin/apt-get") {
			in.Unusable.Remedy = lang.T("As root: apt-get install mesa-vulkan-drivers")
		}
	case in.Path == "":
		in.Attrs["state"] = "missing"
		in.Attrs["problem"] = fmt.Sprintf("%s names %s, which is not there", file, m.ICD.Library)
		in.Unusable = cuda.DriverFile(ctx, p.h, file, m.ICD.Library)
	}
	p.f.Add(Vulkan, in)
}

// for32 reports whether a library is for 32-bit programs, by its head or, where that does
// not tell, by the folder of Debian and its relatives.
func (p *probe) for32(ctx context.Context, file string) bool {
	if p.h.Windows() || p.h.OS == "darwin" {
		return false
	}
	if head, _ := look.ReadELF(ctx, p.h, file); head.Class != elf.ELFCLASSNONE {
		return head.Class == elf.ELFCLASS32
	}
	return strings.Contains(file, "/i386-linux-gnu/") || strings.Contains(file, "/arm-linux-gnueabihf/")
}

func (p *probe) activeVulkan() {
	list := p.f.Components[Vulkan]
	for _, want := range []string{"gpu", "cpu"} {
		for i := range list {
			if list[i].Path != "" && list[i].Attrs["state"] == "" && list[i].HasPart(want) {
				list[i].Active = true
				return
			}
		}
	}
}

// windows reads the display adapters from the registry.
func (p *probe) windows(ctx context.Context) {
	h := p.h
	var manifests []string
	for key, k := range look.Devices(ctx, h, look.DisplayAdapters, func(err error) { p.failed(err, "gpus") }) {
		if len(p.f.GPUs) >= maxGPUs {
			break
		}
		name := k.Values["DriverDesc"].String
		if name == "" {
			continue
		}
		g := facts.GPU{
			Name: name, DriverVersion: k.Values["DriverVersion"].String, Memory: k.Values["HardwareInformation.qwMemorySize"].Int,
			Attrs:    map[string]string{},
			Evidence: []facts.Evidence{{Kind: "registry", Source: key, Detail: "DriverDesc=" + name}},
		}
		if v, d, ok := hardwareID(k.Values["MatchingDeviceId"].String); ok {
			g.ID, g.Vendor = v+":"+d, vendors[v]
		}
		if s := k.Values["ProviderName"].String; s != "" {
			g.Attrs["provider"] = s
			g.Vendor = cmp.Or(g.Vendor, strings.ToLower(strings.Fields(s + " ?")[0]))
		}
		look.Set(g.Attrs, "driver_date", k.Values["DriverDate"].String)
		p.f.GPUs = append(p.f.GPUs, g)
		for f := range strings.SplitSeq(k.Values["VulkanDriverName"].String, "\n") {
			manifests = append(manifests, strings.TrimSpace(f))
		}
	}
	k, err := h.RegistryKey(ctx, `HKLM\SOFTWARE\Khronos\Vulkan\Drivers`, "64")
	p.failed(err, Vulkan)
	var listed []string
	for f, v := range k.Values {
		if v.Int == 0 {
			listed = append(listed, f)
		}
	}
	sort.Strings(listed)
	files, variable := p.driverFiles()
	if variable == "" {
		files = append(manifests, listed...)
	}
	seen := map[string]bool{}
	for _, f := range files {
		if f == "" || seen[strings.ToLower(f)] || len(seen) >= maxManifests {
			continue
		}
		seen[strings.ToLower(f)] = true
		if variable != "" && p.missingManifest(ctx, f, variable) {
			continue
		}
		p.manifest(ctx, f, variable, func(lib string) string {
			full := lib
			if !strings.Contains(lib, ":") {
				full = h.Join(h.DirOf(f), strings.TrimPrefix(lib, `.\`))
			}
			if h.Exists(ctx, full) {
				return full
			}
			return ""
		})
	}
	p.activeVulkan()
	if dll := h.Join(look.SystemRoot(h), "System32", "vulkan-1.dll"); h.Exists(ctx, dll) {
		p.f.Add(VulkanLoader, facts.Instance{Path: dll, Active: true, Via: []string{"dll"}, Evidence: []facts.Evidence{{Kind: "file", Source: dll}}})
	}
	p.nvidiaWindows()
}

// nvidiaWindows turns the registry's version into NVIDIA's; the rest (memory,
// capability) nvidia-smi would tell, but it takes a second there.
func (p *probe) nvidiaWindows() {
	for i := range p.f.GPUs {
		g := &p.f.GPUs[i]
		if v := cuda.WindowsDriver(g.DriverVersion); g.Vendor == "nvidia" && v != "" {
			g.Attrs["windows_driver"] = g.DriverVersion
			g.DriverVersion = v
		}
	}
}

// hardwareID reads PCI\VEN_10DE&DEV_2684&… in any case.
func hardwareID(id string) (vendor, device string, ok bool) {
	id = strings.ToLower(id)
	_, rest, ok1 := strings.Cut(id, "ven_")
	_, dev, ok2 := strings.Cut(id, "dev_")
	if !ok1 || !ok2 || len(rest) < 4 || len(dev) < 4 {
		return "", "", false
	}
	return rest[:4], dev[:4], true
}

// darwin asks the I/O registry: it is the one source on macOS, and ioreg answers in
// a few milliseconds (system_profiler takes seconds).
func (p *probe) darwin(ctx context.Context) {
	const ioreg = "/usr/sbin/ioreg"
	if p.h.Exists(ctx, ioreg) {
		for _, class := range []string{"IOAccelerator", "IOPCIDevice"} {
			out, err := p.h.Run(ctx, host.Command{Argv: []string{ioreg, "-r", "-d", "1", "-w", "0", "-c", class}})
			if err != nil {
				p.failed(lang.Errorf("ask ioreg for %s: %w", class, err), "gpus")
				continue
			}
			for _, g := range parseIOReg(string(out.Stdout)) {
				if len(p.f.GPUs) < maxGPUs {
					g.Evidence = []facts.Evidence{{Kind: "command", Source: ioreg + " -c " + class, Detail: g.Name}}
					p.f.GPUs = append(p.f.GPUs, g)
				}
			}
		}
	}
	p.vulkan(ctx)
}

// parseIOReg reads the entries of ioreg that are GPUs: Apple's accelerators, which
// name their model, and PCI devices of the display class.
func parseIOReg(text string) []facts.GPU {
	var out []facts.GPU
	props := map[string]string{}
	flush := func() {
		model := strings.Trim(props["model"], `<>"`)
		class := littleEndian(props["class-code"])
		switch {
		case model == "":
		case strings.HasPrefix(model, "Apple"):
			g := facts.GPU{Vendor: "apple", Name: model, Attrs: map[string]string{"metal": "yes"}}
			look.Set(g.Attrs, "cores", props["gpu-core-count"])
			out = append(out, g)
		case strings.HasPrefix(class, "03"):
			v, d := littleEndian(props["vendor-id"]), littleEndian(props["device-id"])
			if len(v) >= 4 && len(d) >= 4 {
				v, d = v[len(v)-4:], d[len(d)-4:]
				out = append(out, facts.GPU{Vendor: vendors[v], Name: model, ID: v + ":" + d})
			}
		}
		props = map[string]string{}
	}
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimLeft(line, " |\t")
		if strings.HasPrefix(line, "+-o ") {
			flush()
			continue
		}
		if k, v, ok := strings.Cut(line, " = "); ok {
			props[strings.Trim(k, `"`)] = strings.TrimSpace(v)
		}
	}
	flush()
	return out
}

// littleEndian turns <00000300> into 030000 without the leading zero byte.
func littleEndian(s string) string {
	s = strings.Trim(s, "<>")
	if len(s) != 8 || strings.Trim(strings.ToLower(s), "0123456789abcdef") != "" {
		return ""
	}
	s = s[6:8] + s[4:6] + s[2:4] + s[0:2]
	return strings.ToLower(s[2:])
}
