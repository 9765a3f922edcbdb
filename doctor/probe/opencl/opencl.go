// Package opencl finds OpenCL: the drivers registered with the loader, the
// loaders themselves, and, when asked to, the platforms and devices that each
// driver really answers with.
//
// It must never load a driver into this process: drivers crash and hang. They
// are loaded by a child (clinfo, or the program in ask/), one child a driver, so
// that the one at fault is known by name.
package opencl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/internal/parallel"
	"github.com/deployctl/deployctl/doctor/probe/cuda"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/doctor/probe/libfind"
	"github.com/deployctl/deployctl/doctor/probe/loader"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Components this package provides.
const (
	// Component is a registered driver (ICD), or a framework on macOS.
	Component = "opencl"
	// Loader is a copy of libOpenCL, which hands calls on to the drivers.
	Loader = "opencl-loader"
)

// AnswerPrefix begins the line of ask/'s output that is the answer: drivers
// print lines of their own.
const AnswerPrefix = "deployctl-opencl: "

// askTimeout bounds one driver's answer; PoCL on a slow disk takes a second.
const askTimeout = 2 * time.Second

const maxDrivers = 32

// driver is one registered ICD.
type driver struct {
	// icd is the file or registry key that names it, library what it names.
	icd, library string
	// file is where the library was found, "" if nowhere.
	file, via string
	evidence  facts.Evidence
	attrs     map[string]string
	has       []string
	version   string
	denied    bool // this user may not read icd
}

// Provides lists the topics and components this probe is the source of.
func Provides() []string { return []string{Component, Loader} }

// Probe reads which drivers are registered and whether their libraries are
// there, without loading one. Components: opencl, opencl-loader.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	return run(ctx, h, nil)
}

// Child is the name of the program of ask/, which is looked for beside
// deployctl itself (with .exe on Windows).
const Child = "deployctl-ask-opencl"

// Ask does what Probe does and, besides, asks every driver in a killable child
// for its platforms and devices. That wakes devices and takes a tenth of a
// second a driver. The child is Child, or clinfo on the host's PATH.
func Ask(ctx context.Context, h *host.Host) (facts.Facts, error) {
	if child := beside(h, Child); child != "" && h.Exists(ctx, child) {
		return run(ctx, h, []string{child})
	}
	// Windows' loader cannot be told to load one driver alone.
	if found := h.LookPath(ctx, "clinfo"); len(found) > 0 && !h.Windows() {
		return run(ctx, h, []string{found[0], "--raw"})
	}
	return run(ctx, h, nil)
}

// beside is the path of a program in deployctl's own folder.
func beside(h *host.Host, name string) string {
	if h.Self == "" {
		return ""
	}
	if h.Windows() {
		name += ".exe"
	}
	return h.Join(h.DirOf(h.Self), name)
}

func run(ctx context.Context, h *host.Host, ask []string) (facts.Facts, error) {
	var f facts.Facts
	var drivers []*driver
	var errs []error
	switch h.OS {
	case "windows":
		drivers, errs = registered(ctx, h)
		errs = append(errs, loaders(ctx, h, &f))
	case "darwin":
		const framework = "/System/Library/Frameworks/OpenCL.framework"
		if h.Exists(ctx, framework) {
			// Apple's last OpenCL is 1.2 (Apple, "OpenCL", deprecated since macOS 10.14).
			f.Add(Component, facts.Instance{
				Version: "1.2", Path: framework, Active: true, Via: []string{"framework"}, Attrs: map[string]string{"library": "OpenCL.framework"},
				Evidence: []facts.Evidence{{Kind: "file", Source: framework}},
			})
		}
		return f, nil
	default:
		libs := loader.Open(ctx, h)
		drivers, errs = listed(ctx, h, libs)
		errs = append(errs, loaders(ctx, h, &f))
	}
	if h.OS == "linux" {
		unregistered(ctx, h, &f, drivers)
	}
	if len(drivers) == 0 && h.OS == "linux" {
		ofAndroid(ctx, h, &f)
	}
	// clinfo goes through the loader, ask does not need it.
	if len(ask) == 1 || len(ask) > 1 && f.Components[Loader] != nil {
		errs = append(errs, askAll(ctx, h, ask, drivers)...)
	}
	releases, err := ofIntel(ctx, h, drivers)
	errs = append(errs, err)
	for _, d := range drivers {
		if d.attrs == nil {
			d.attrs = map[string]string{}
		}
		var unusable *facts.Unusable
		d.attrs["icd"], d.attrs["library"] = d.icd, d.library
		look.Set(d.attrs, "driver", maker(d.library))
		if d.denied {
			d.attrs["state"] = "unreadable"
			d.attrs["problem"] = "this user may not read " + d.icd + ", which registers an OpenCL driver"
			unusable = &facts.Unusable{Reason: facts.NotRegistered, Detail: lang.F("this user may not read %s, which registers an OpenCL driver", d.icd), Remedy: lang.F("As root: chmod 755 %s && chmod 644 %s", path.Dir(d.icd), d.icd)}
		}
		if d.file == "" && d.attrs["state"] == "" {
			d.attrs["state"] = "missing"
			d.attrs["problem"] = fmt.Sprintf("%s names %s, which is not there", d.icd, d.library)
			unusable = cuda.DriverFile(ctx, h, d.icd, d.library)
			if d.evidence.Kind == "env" {
				unusable.Detail = lang.F("%s names %s, which is not there", d.icd, d.library)
				if h.Exists(ctx, d.library) {
					d.attrs["problem"] = fmt.Sprintf("%s names %s, which is not a library", d.icd, d.library)
					unusable.Detail = lang.F("%s names %s, which is not a library", d.icd, d.library)
				}
				unusable.Remedy = lang.F("Unset %s, or set it to the library of an installed OpenCL driver.", d.icd)
			}
		}
		in := facts.Instance{Version: d.version, Release: releases[d.library], Path: d.file, Has: d.has, Attrs: d.attrs, Unusable: unusable, Evidence: []facts.Evidence{d.evidence}}
		if by := d.attrs["driver"]; by == "PoCL" || by == "Intel CPU" || by == "Oclgrind" {
			in.Devices = []facts.Device{{Name: by, Type: "cpu", Software: true}}
		}
		if d.via != "" {
			in.Via = []string{d.via}
		}
		f.Add(Component, in)
	}
	markActive(f.Components[Component])
	return f, errors.Join(errs...)
}

// neoPackages are the packages of Intel's driver, by Debian and its relatives and by
// Intel itself; those of legacy are for the GPUs before Tiger Lake.
var neoPackages = []string{"intel-opencl-icd", "intel-opencl-icd-legacy1", "intel-opencl-icd-legacy"}

// ofIntel are the releases of Intel's driver by its library, as its packages have them.
func ofIntel(ctx context.Context, h *host.Host, drivers []*driver) (map[string]string, error) {
	releases := map[string]string{}
	for _, d := range drivers {
		if h.OS != "linux" || !strings.Contains(d.library, "igdrcl") || !strings.HasPrefix(d.file, "/usr/lib") {
			continue
		}
		legacy := strings.Contains(d.library, "legacy")
		installed, err := look.Dpkg(ctx, h, neoPackages...)
		if err != nil && !host.IsNotExist(err) {
			return releases, err
		}
		for _, name := range neoPackages {
			if v := installed[name]; v != "" && strings.Contains(name, "legacy") == legacy {
				releases[d.library] = look.Upstream(v)
			}
		}
		for _, dir := range h.Glob(ctx, "/var/lib/pacman/local", "intel-compute-runtime-*") {
			if m := pacmanRelease.FindStringSubmatch(path.Base(dir)); m != nil && (m[1] != "") == legacy {
				releases[d.library] = m[2]
			}
		}
	}
	return releases, nil
}

var pacmanRelease = lazyregexp.New(`^intel-compute-runtime(-legacy)?(?:-bin)?-(\d+(?:\.\d+)+)`)

// unregistered finds drivers that are here and that no .icd file names: container
// images come without the file. Where another is registered, that of NVIDIA alone is
// missed; PoCL beside it is left out on purpose.
func unregistered(ctx context.Context, h *host.Host, f *facts.Facts, known []*driver) {
	libs := loader.Open(ctx, h)
	// What a driver for cards left in WSL or on a Jetson serves nothing there.
	stray := h.Exists(ctx, "/dev/dxg") || h.Exists(ctx, "/etc/nv_tegra_release")
	for _, d := range []struct{ library, icd string }{{"libnvidia-opencl.so.1", "nvidia.icd"}, {"libpocl.so.2", "pocl.icd"}} {
		file, _ := libs.Find(ctx, d.library)
		nvidia := d.icd == "nvidia.icd"
		if file == "" || stray && nvidia || len(known) > 0 && !nvidia ||
			slices.ContainsFunc(known, func(r *driver) bool { return maker(r.library) == maker(d.library) }) {
			continue
		}
		f.Add(Component, facts.Instance{
			Attrs: map[string]string{"library": d.library, "driver": maker(d.library)},
			Unusable: &facts.Unusable{
				Reason: facts.NotRegistered, Detail: lang.F("the OpenCL driver %s is here, but no file in /etc/OpenCL/vendors names it", file),
				Remedy: fmt.Sprintf("mkdir -p /etc/OpenCL/vendors && echo %s > /etc/OpenCL/vendors/%s", d.library, d.icd),
			},
			Evidence: []facts.Evidence{{Kind: "file", Source: file}},
		})
	}
}

// ofAndroid finds the driver of a phone under Termux. It is a libOpenCL.so itself, which
// no .icd file names, in a folder where Termux's programs do not look (termux-packages
// issue 13821).
func ofAndroid(ctx context.Context, h *host.Host, f *facts.Facts) {
	const dir = "/vendor/lib64"
	const file = dir + "/libOpenCL.so"
	if h.Env("ANDROID_ROOT") == "" || !h.Exists(ctx, file) {
		return
	}
	i := facts.Instance{Path: file, Attrs: map[string]string{"library": file, "driver": "Android"}, Evidence: []facts.Evidence{{Kind: "file", Source: file}}}
	if slices.Contains(loader.SplitPath(h.Env("LD_LIBRARY_PATH")), dir) {
		i.Via = []string{"LD_LIBRARY_PATH"}
	} else {
		i.Path = ""
		i.Unusable = &facts.Unusable{
			Reason: facts.NotRegistered, Detail: lang.F("the phone's OpenCL driver is %s, where programs of Termux do not look", file),
			Remedy: lang.F("export LD_LIBRARY_PATH=%s before you start the program. If others then stop, set it for that program alone.", dir),
		}
	}
	f.Add(Component, i)
}

// markActive: every driver that can be loaded is offered to programs, which
// take the first platform; the first usable one is therefore the active one.
func markActive(list []facts.Instance) {
	best := -1
	for i, in := range list {
		if state := in.Attrs["state"]; in.Path == "" || in.Attrs["view"] == "32" || state != "" && state != "answered" {
			continue
		}
		if best < 0 || len(in.Has) > 0 && len(list[best].Has) == 0 {
			best = i
		}
	}
	if best >= 0 {
		list[best].Active = true
	}
}

// makers tells drivers by their library's name.
var makers = [][2]string{
	{"nvidia-opencl", "NVIDIA"}, {"nvopencl", "NVIDIA"}, {"igdrcl", "Intel graphics (NEO)"}, {"intelocl", "Intel CPU"},
	{"amdocl", "AMD"}, {"pocl", "PoCL"}, {"rusticl", "Mesa rusticl"}, {"mesaopencl", "Mesa clover"}, {"beignet", "Intel graphics (Beignet)"},
	{"mali", "ARM Mali"}, {"pvrocl", "Imagination PowerVR"}, {"openclon12", "Microsoft OpenCLOn12"}, {"alteracl", "Intel FPGA"},
	{"clvk", "clvk (Vulkan)"}, {"xilinxopencl", "Xilinx"}, {"adreno", "Qualcomm Adreno"}, {"gc_vivante", "Vivante"}, {"vivante", "Vivante"}, {"oclgrind", "Oclgrind"},
}

func maker(library string) string { return look.Containing(strings.ToLower(library), makers) }

// libraryAt is the file, or "" where it cannot be a library: a variable may name
// anything. The head of one that cannot be read is not known.
func libraryAt(ctx context.Context, h *host.Host, file string) string {
	if head, err := look.ReadELF(ctx, h, file); host.IsNotExist(err) || head.Known && !head.ELF {
		return ""
	}
	return file
}

// listed reads the .icd files of Linux, as ocl-icd and the Khronos loader do:
// OCL_ICD_VENDORS replaces the folder, or names one file or library;
// OCL_ICD_FILENAMES names libraries besides.
func listed(ctx context.Context, h *host.Host, libs *loader.Libraries) ([]*driver, []error) {
	var out []*driver
	var errs []error
	add := func(icd, library, kind string) {
		if len(out) >= maxDrivers || library == "" {
			return
		}
		d := &driver{icd: icd, library: library, evidence: facts.Evidence{Kind: kind, Source: icd, Detail: library}}
		switch {
		case path.IsAbs(library):
			if h.Exists(ctx, library) {
				d.file = library
			}
		default:
			d.file, d.via = libs.Find(ctx, library)
		}
		if kind == "env" && d.file != "" {
			d.file = libraryAt(ctx, h, d.file)
		}
		out = append(out, d)
	}
	file := func(name string) {
		data, truncated, err := h.ReadFile(ctx, name, 4096)
		switch {
		case errors.Is(err, fs.ErrPermission):
			out = append(out, &driver{icd: name, denied: true, evidence: facts.Evidence{Kind: "file", Source: name, Detail: "permission denied"}})
		case err != nil && !host.IsNotExist(err):
			errs = append(errs, lang.Errorf("read the OpenCL driver's registration: %w", err))
		case err == nil && truncated:
			errs = append(errs, lang.Errorf("read the OpenCL driver's registration in %s: it is longer than a library's name", name))
		case err == nil:
			line, _, _ := strings.Cut(string(data), "\n")
			if line = strings.TrimSpace(line); line != "" && !strings.ContainsRune(line, 0) {
				add(name, line, "file")
			}
		}
	}
	dir := "/etc/OpenCL/vendors"
	if v := h.Env("OCL_ICD_VENDORS"); v != "" {
		info, err := h.Stat(ctx, v)
		switch {
		case err == nil && info.Dir:
			dir = v
		case strings.HasSuffix(v, ".icd"):
			dir = ""
			if !path.IsAbs(v) {
				v = path.Join("/etc/OpenCL/vendors", v)
			}
			file(v)
		default:
			dir = ""
			add("OCL_ICD_VENDORS", v, "env")
		}
	}
	if dir != "" {
		entries, err := h.ReadDir(ctx, dir)
		if look.Hides(err) {
			errs = append(errs, lang.Errorf("list the OpenCL drivers: %w", err))
		}
		for _, e := range entries {
			if !e.Dir && strings.HasSuffix(e.Name, ".icd") {
				file(path.Join(dir, e.Name))
			}
		}
	}
	for lib := range strings.SplitSeq(h.Env("OCL_ICD_FILENAMES"), ":") {
		add("OCL_ICD_FILENAMES", lib, "env")
	}
	return out, errs
}

// loaders notes every copy of libOpenCL.
func loaders(ctx context.Context, h *host.Host, f *facts.Facts) error {
	extra := libfind.Extra{Libs: []string{"/usr/local/cuda/lib64"}, Include: []string{"/usr/local/cuda/include"}}
	if h.Windows() {
		extra = libfind.Extra{} // drivers install OpenCL.dll into System32
	}
	found, err := libfind.Files(ctx, h, extra, Loader)
	f.Merge(found)
	return err
}

// registered reads the drivers of Windows: the old list of DLLs in both views
// of the registry, and the per-device entries of display adapters and their
// software components that drivers have used since about 2017 (Khronos,
// OpenCL-ICD-Loader, README).
func registered(ctx context.Context, h *host.Host) ([]*driver, []error) {
	var out []*driver
	var errs []error
	note := func(err error) {
		if look.Hides(err) {
			errs = append(errs, lang.Errorf("read the OpenCL drivers' registration: %w", err))
		}
	}
	add := func(key, dll, view string, disabled bool) {
		for _, d := range out {
			if strings.EqualFold(d.library, dll) && d.attrs["view"] == view {
				return
			}
		}
		if len(out) >= maxDrivers || dll == "" {
			return
		}
		d := &driver{
			icd: key, library: dll, attrs: map[string]string{"view": view},
			evidence: facts.Evidence{Kind: "registry", Source: key, Detail: dll},
		}
		full := dll
		if !strings.ContainsAny(dll, `\/`) {
			full = h.Join(look.SystemRoot(h), "System32", dll)
		}
		if h.Exists(ctx, full) {
			d.file = full
		}
		if disabled {
			d.attrs["state"] = "disabled"
		}
		out = append(out, d)
	}
	for _, view := range []string{"64", "32"} {
		const vendors = `HKLM\SOFTWARE\Khronos\OpenCL\Vendors`
		k, err := h.RegistryKey(ctx, vendors, view)
		note(err)
		for _, dll := range slices.Sorted(maps.Keys(k.Values)) {
			add(vendors, dll, view, k.Values[dll].Int != 0)
		}
	}
	const components = "{5c4c3332-344d-483c-8739-259e934c9cc8}" // of software
	for _, class := range []string{look.DisplayAdapters, components} {
		for key, dev := range look.Devices(ctx, h, class, note) {
			for view, name := range map[string]string{"64": "OpenCLDriverName", "32": "OpenCLDriverNameWow"} {
				v, _ := dev.Value(name)
				for dll := range strings.SplitSeq(v.String, "\n") {
					add(key, strings.TrimSpace(dll), view, false)
				}
			}
		}
	}
	// The map's order must not show.
	sort.SliceStable(out, func(a, b int) bool {
		return out[a].attrs["view"]+out[a].icd > out[b].attrs["view"]+out[b].icd
	})
	return out, errs
}

// askAll asks each driver in a child of its own, side by side.
func askAll(ctx context.Context, h *host.Host, argv []string, drivers []*driver) []error {
	errs := make([]error, len(drivers))
	var group parallel.Group
	for i, d := range drivers {
		if d.file == "" || d.attrs["state"] != "" || d.attrs["view"] == "32" {
			continue
		}
		group.Go(func() { errs[i] = askOne(ctx, h, argv, d) })
	}
	errs = append(errs, group.Wait())
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// askOne leaves the driver's answer in its attributes. A driver that crashes
// or hangs is an error and a state.
func askOne(ctx context.Context, h *host.Host, argv []string, d *driver) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	// Only this driver: ocl-icd takes an .icd file or a library in
	// OCL_ICD_VENDORS; the Khronos loader takes that for a folder, finds none,
	// and loads OCL_ICD_FILENAMES. A loader that does both gives the platform
	// twice, see answered.
	vendors := d.icd
	if d.evidence.Kind != "file" {
		vendors = d.file
	}
	env := []string{"OCL_ICD_FILENAMES=" + d.file, "OCL_ICD_VENDORS=" + vendors}
	// ask takes the library. clinfo passes over what it does not know; the
	// driver stands in its argv so that a recording keeps the answers apart.
	cmd := host.Command{Argv: append(slices.Clone(argv), d.icd), Env: env}
	if len(argv) == 1 {
		cmd = host.Command{Argv: append(slices.Clone(argv), d.file)}
	}
	if d.attrs == nil {
		d.attrs = map[string]string{}
	}
	name := d.library
	if by := maker(d.library); by != "" {
		name = by + "'s " + d.library
	}
	out, err := h.Run(ctx, cmd)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		d.attrs["state"] = "hung"
		d.attrs["problem"] = fmt.Sprintf("%s gave no answer within %s", name, askTimeout)
		return lang.Errorf("the OpenCL driver %s, registered in %s, gave no answer within %s and was stopped", name, d.icd, askTimeout)
	case err != nil:
		return lang.Errorf("ask the OpenCL driver %s: %w", name, err)
	}
	if what := crash(out); what != "" {
		d.attrs["state"] = "crashed"
		d.attrs["problem"] = fmt.Sprintf("%s crashed (%s)", name, what)
		return lang.Errorf("the OpenCL driver %s, registered in %s, crashed (%s) when asked for its platforms", name, d.icd, what)
	}
	if len(argv) == 1 && out.Exit != 0 {
		d.attrs["state"] = "broken"
		first, _, _ := strings.Cut(strings.TrimSpace(string(out.Stderr)), "\n")
		d.attrs["problem"] = first
		return nil
	}
	platforms := ParseClinfo(string(out.Stdout))
	if _, line, ok := strings.Cut("\n"+string(out.Stdout), "\n"+AnswerPrefix); ok {
		line, _, _ = strings.Cut(line, "\n")
		platforms = nil
		if err := json.Unmarshal([]byte(line), &platforms); err != nil {
			return lang.Errorf("ask the OpenCL driver %s: its answer cannot be read: %w", name, err)
		}
	}
	d.answered(platforms)
	return nil
}

// goCrash is how Go's runtime, which ask runs on, reports a crash in foreign
// code before it ends with status 2.
var goCrash = lazyregexp.New(`(?m)^(?:(SIG[A-Z]+): |Exception (0x[0-9a-f]+))`)

// crash names what ended a child, "" when it ended by itself.
func crash(out host.Output) string {
	switch {
	case out.Signal != "":
		return out.Signal
	case uint32(out.Exit) >= 0xC0000000 && out.Exit != -1: // an NTSTATUS
		return fmt.Sprintf("0x%08X", uint32(out.Exit))
	}
	if m := goCrash.Get().FindSubmatch(out.Stderr); m != nil && out.Exit != 0 {
		return string(m[1]) + string(m[2])
	}
	return ""
}

var clVersion = lazyregexp.New(`OpenCL (?:C )?([0-9]+\.[0-9]+)`)

// answered fills in what the driver says.
func (d *driver) answered(platforms []Platform) {
	d.attrs["state"] = "answered"
	devices := 0
	for i, p := range platforms {
		if i > 0 && reflect.DeepEqual(p, platforms[0]) {
			continue
		}
		if i == 0 {
			if m := clVersion.FindStringSubmatch(p.Version); m != nil {
				d.version = m[1]
			}
			look.Set(d.attrs, "platform", p.Name)
			look.Set(d.attrs, "vendor", p.Vendor)
			look.Set(d.attrs, "platform_version", p.Version)
		}
		for _, dev := range p.Devices {
			key := fmt.Sprintf("device.%d.", devices)
			devices++
			look.Set(d.attrs, key+"name", dev.Name)
			look.Set(d.attrs, key+"board", dev.Board)
			look.Set(d.attrs, key+"type", dev.Type)
			look.Set(d.attrs, key+"version", dev.Version)
			look.Set(d.attrs, key+"driver", dev.Driver)
			if dev.Memory > 0 {
				d.attrs[key+"memory"] = fmt.Sprint(dev.Memory)
			}
			if dev.Units > 0 {
				d.attrs[key+"units"] = fmt.Sprint(dev.Units)
			}
			if dev.Unavailable {
				d.attrs[key+"state"] = "unavailable"
				continue
			}
			for kind := range strings.SplitSeq(dev.Type, ", ") {
				if kind = strings.ToLower(kind); kind != "" && kind != "default" {
					d.has = append(d.has, kind)
				}
			}
			for _, ext := range []string{"cl_khr_fp16", "cl_khr_fp64"} {
				if slices.Contains(strings.Fields(dev.Extensions), ext) {
					d.has = append(d.has, strings.TrimPrefix(ext, "cl_khr_"))
				}
			}
		}
	}
	sort.Strings(d.has)
	d.has = slices.Compact(d.has)
	d.attrs["devices"] = fmt.Sprint(devices)
	if len(platforms) == 0 {
		d.attrs["state"] = "no platform"
		d.attrs["problem"] = d.library + " offers no platform; its device or kernel driver is missing, or its own libraries are"
	} else if devices == 0 {
		d.attrs["state"] = "no device"
		d.attrs["problem"] = d.library + " has a platform but finds no device"
	}
}

// Instance is a platform of a pasted clinfo as a fact; which library its driver is
// in, clinfo does not say.
func Instance(p Platform) facts.Instance {
	d := &driver{library: p.Name, attrs: map[string]string{}}
	d.answered([]Platform{p})
	in := facts.Instance{Version: d.version, Has: d.has, Attrs: d.attrs, Evidence: []facts.Evidence{{Kind: "text", Source: "clinfo", Detail: p.Name}}}
	for _, dev := range p.Devices {
		in.Devices = append(in.Devices, facts.Device{Name: dev.Name, Type: strings.ToLower(dev.Type)})
	}
	return in
}
