// Package cuda finds NVIDIA's stack as three separate facts: the driver and the
// newest CUDA it runs, the toolkits, and the runtime libraries; and, beside
// them, nvcc, cuDNN and TensorRT.
//
// It reads files and the registry; it starts nvidia-smi only where an NVIDIA
// device is known to be, and nvcc only where no file tells its version. It must
// never load one of NVIDIA's libraries.
package cuda

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/internal/parallel"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/doctor/probe/loader"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Components this package provides.
const (
	Driver   = "nvidia-driver"
	Toolkit  = "cuda"
	Runtime  = "cuda-runtime"
	NVCC     = "nvcc"
	CuDNN    = "cudnn"
	TensorRT = "tensorrt"
)

// smiTimeout bounds nvidia-smi; waking a sleeping device takes about a second.
const smiTimeout = 2500 * time.Millisecond

const maxToolkits = 64

// developer is where NVIDIA's installer put toolkits on macOS.
const developer = "/Developer/NVIDIA"

// Provides lists the topics and components this probe is the source of.
func Provides() []string { return []string{Driver, Toolkit, Runtime, NVCC, CuDNN, TensorRT} }

// Probe finds NVIDIA's stack. Components: nvidia-driver, cuda, cuda-runtime,
// nvcc, cudnn, tensorrt.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	p := &probe{h: h}
	switch h.OS {
	case "darwin":
		// NVIDIA's last driver for macOS was for 10.13; builds find toolkits that stayed.
		if h.Exists(ctx, "/usr/local/cuda") || h.Exists(ctx, developer) {
			p.toolkits(ctx)
			p.settleToolkits(ctx)
		}
		return p.f, nil
	case "windows":
	default:
		p.libs = loader.Open(ctx, h)
	}
	// nvidia-smi is the one slow question; the files are read meanwhile.
	var smi SMI
	var smiErr error
	var group parallel.Group
	program, present := "", p.present(ctx)
	if present {
		program = Program(ctx, h)
	}
	if program != "" {
		group.Go(func() { smi, smiErr = runSMI(ctx, h, program) })
	}
	p.toolkits(ctx)
	p.settleToolkits(ctx)
	p.libraries(ctx)
	crashed := group.Wait()
	p.driver(ctx, smi, program)
	if smiErr != nil {
		p.problem(smiErr, Driver)
	}
	return p.f, crashed
}

type probe struct {
	h    *host.Host
	libs *loader.Libraries
	f    facts.Facts
	kits []*kit
	// stale are sentences about variables and keys that name no toolkit.
	stale []string
	// staleVars are the variables among them.
	staleVars []facts.Stale
}

// kit is one toolkit.
type kit struct {
	root string // links followed
	// include and lib are its folders; bin holds nvcc.
	include, lib, bin string
	version           string
	nvcc              string
	nvccVersion       string
	via               []string
	attrs             map[string]string
	has               []string
	evidence          []facts.Evidence
	active            bool
	conflict          string
	stale             []facts.Stale
}

// unreadable keeps an error that may hide something of the components named.
func (p *probe) unreadable(err error, covers ...string) {
	if look.Hides(err) {
		p.problem(err, covers...)
	}
}

// problem makes the components named uncertain, and only them.
func (p *probe) problem(err error, covers ...string) {
	if !slices.ContainsFunc(p.f.Problems, func(have facts.Problem) bool { return slices.Equal(have.Covers, covers) }) { // the first says enough
		p.f.Problems = append(p.f.Problems, facts.Problem{Probe: "cuda", Covers: covers, Error: err.Error()})
	}
}

// present reports whether an NVIDIA device or its driver is there, so that
// nvidia-smi is worth starting.
func (p *probe) present(ctx context.Context) bool {
	h := p.h
	if h.Windows() {
		return h.Exists(ctx, h.Join(look.SystemRoot(h), "System32", "nvcuda.dll"))
	}
	files := []string{"/dev/nvidiactl", "/dev/nvidia0", "/proc/driver/nvidia/version", "/usr/lib/wsl/lib/libcuda.so.1", "/dev/dxg"}
	return slices.ContainsFunc(files, func(file string) bool { return h.Exists(ctx, file) })
}

// Program returns the path of nvidia-smi, "" if there is none.
func Program(ctx context.Context, h *host.Host) string {
	// In WSL that of Windows' driver answers; another one on PATH belongs to a
	// Linux driver, which has no device there.
	const wsl = "/usr/lib/wsl/lib/nvidia-smi"
	if !h.Windows() && h.Exists(ctx, wsl) {
		return wsl
	}
	if found := h.LookPath(ctx, "nvidia-smi"); len(found) > 0 {
		return found[0]
	}
	fixed := []string{"/usr/bin/nvidia-smi"}
	if h.Windows() {
		fixed = []string{h.Join(look.SystemRoot(h), "System32", "nvidia-smi.exe"), `C:\Program Files\NVIDIA Corporation\NVSMI\nvidia-smi.exe`}
	}
	for _, f := range fixed {
		if h.Exists(ctx, f) {
			return f
		}
	}
	return ""
}

func runSMI(ctx context.Context, h *host.Host, program string) (SMI, error) {
	ctx, cancel := context.WithTimeout(ctx, smiTimeout)
	defer cancel()
	out, err := h.Run(ctx, host.Command{Argv: []string{program}})
	if errors.Is(err, context.DeadlineExceeded) {
		return SMI{}, lang.Errorf("nvidia-smi gave no answer within %s and was stopped; the driver or a device hangs", smiTimeout)
	}
	if err != nil {
		return SMI{}, lang.Errorf("ask nvidia-smi: %w", err)
	}
	s := ParseSMI(string(out.Stdout) + "\n" + string(out.Stderr))
	if s.Driver == "" && s.Err == "" && out.Exit != 0 {
		s.Err = lang.F("nvidia-smi ended with %d %s", out.Exit, out.Signal)
	}
	return s, nil
}

// Devices asks nvidia-smi for the GPUs in full: whole names, memory and, where
// the driver knows the field, compute capability.
func Devices(ctx context.Context, h *host.Host, program string) ([]Device, error) {
	ctx, cancel := context.WithTimeout(ctx, smiTimeout)
	defer cancel()
	const fields = "index,name,pci.bus_id,driver_version,memory.total,uuid"
	var last error
	// Drivers before about 470 do not know compute_cap and refuse the whole query.
	for _, query := range []string{fields + ",compute_cap", fields} {
		out, err := h.Run(ctx, host.Command{Argv: []string{program, "--query-gpu=" + query, "--format=csv"}})
		if err != nil {
			return nil, lang.Errorf("ask nvidia-smi for the devices: %w", err)
		}
		if d := ParseQuery(string(out.Stdout)); len(d) > 0 {
			return d, nil
		}
		first, _, _ := strings.Cut(strings.TrimSpace(string(out.Stdout)), "\n")
		last = lang.Errorf("nvidia-smi named no device: %s", first)
		if !strings.Contains(string(out.Stdout), "not a valid field") {
			break
		}
	}
	return nil, last
}

// driver puts together what the kernel, the library and nvidia-smi say.
func (p *probe) driver(ctx context.Context, smi SMI, program string) {
	h := p.h
	in := facts.Instance{Active: true, Attrs: map[string]string{}}
	put := func(k, v string) { look.Set(in.Attrs, k, v) }
	if h.Windows() {
		dll := h.Join(look.SystemRoot(h), "System32", "nvcuda.dll")
		if !h.Exists(ctx, dll) {
			return
		}
		in.Path = dll
		in.Evidence = append(in.Evidence, facts.Evidence{Kind: "file", Source: dll})
		p.windowsDriver(ctx, &in)
	} else {
		const proc = "/proc/driver/nvidia/version"
		text, err := h.Text(ctx, proc)
		p.unreadable(err, Driver)
		if err == nil {
			if k, ok := ParseKernelDriver(text); ok {
				in.Version, in.Path = k.Version, proc
				in.Attrs["modules"] = map[bool]string{true: "open", false: "proprietary"}[k.Open]
				in.Evidence = append(in.Evidence, facts.Evidence{Kind: "file", Source: proc, Detail: look.FirstLine(text)})
			} else {
				p.problem(lang.Errorf("%s is not in a form deployctl knows", proc), Driver)
			}
		}
		lib, via := p.libs.Find(ctx, "libcuda.so.1")
		if lib == "" && h.Exists(ctx, "/usr/lib/wsl/lib/libcuda.so.1") {
			lib = "/usr/lib/wsl/lib/libcuda.so.1"
			put("wsl", "yes")
			if p.libs.CacheErr == nil { // wsl.conf's ldconfig=false leaves it out
				in.Unusable = &facts.Unusable{
					Reason: facts.NotRegistered, Detail: lang.T("the loader does not look in /usr/lib/wsl/lib, where the driver of Windows is (libcuda.so.1)"),
					Remedy: "echo /usr/lib/wsl/lib | sudo tee /etc/ld.so.conf.d/ld.wsl.conf && sudo ldconfig",
				}
			}
		}
		if lib != "" {
			p.library(ctx, &in, lib, via)
		}
	}
	if smi.Driver != "" {
		in.Version = cmp.Or(in.Version, smi.Driver)
		put("driver_max_cuda", smi.CUDA)
		detail := "Driver Version: " + smi.Driver
		if smi.CUDA != "" {
			detail += ", CUDA Version: " + smi.CUDA + " (the newest the driver runs)"
		}
		in.Evidence = append(in.Evidence, facts.Evidence{Kind: "command", Source: program, Detail: detail})
		put("gpus", fmt.Sprint(smi.GPUs))
	}
	in.Unusable = cmp.Or(in.Unusable, smi.unusable())
	in.Busy = smi.busy()
	if in.Unusable == nil && program != "" && smi.Driver != "" {
		in.Unusable = p.chosenGone(ctx, program)
	}
	if smi.Err != "" {
		put("problem", smi.Err)
		in.Active = false
		in.Unusable = cmp.Or(in.Unusable, p.failing(ctx, smi.Err))
	}
	if in.Version == "" && in.Path == "" && smi.Err == "" {
		return
	}
	branch, _, _ := strings.Cut(in.Version, ".")
	if found, err := look.Dpkg(ctx, h, "libnvidia-compute-"+branch+"-server"); err == nil && len(found) > 0 {
		in.Flavor = "-server"
	}
	in.Path = cmp.Or(in.Path, program)
	if in.Unusable == nil && in.Attrs["libcuda"] == "" && !h.Windows() {
		in.Unusable = p.withoutLibcuda(ctx, in.Version, in.Flavor)
	}
	if in.Unusable == nil && desktopDriver(in.Attrs["libcuda_version"]) {
		in.Unusable = cmp.Or(p.withoutDevice(ctx), p.withoutModule(ctx, in.Attrs["libcuda_version"]))
	}
	p.f.Add(Driver, in)
}

// library reads libcuda, which via finds, into what is known of the driver: its
// version, and whether it is the one that programs here should have.
func (p *probe) library(ctx context.Context, in *facts.Instance, lib, via string) {
	h := p.h
	real := h.Real(ctx, lib)
	in.Attrs["libcuda"] = real
	if via != "" {
		in.Via = append(in.Via, via)
	}
	v := ""
	if m := soFile.FindStringSubmatch(path.Base(real)); m != nil && strings.Contains(m[2], ".") {
		v = m[2]
		in.Attrs["libcuda_version"] = v
	}
	in.Evidence = append(in.Evidence, facts.Evidence{Kind: "file", Source: real, Detail: v})
	if u := p.emptyLibrary(ctx, real); u != nil {
		in.Unusable = u
		return
	}
	stub := strings.Contains(real, "/stubs/")
	if stub && (in.Version != "" || h.Exists(ctx, "/usr/lib/wsl/lib/libcuda.so.1")) {
		in.Unusable = stubFirst(lib, via)
	}
	linux := !stub && inWSL(ctx, h) && !strings.HasPrefix(real, "/usr/lib/wsl/") && h.Exists(ctx, "/usr/lib/wsl/lib/libcuda.so.1")
	if linux {
		in.Unusable = p.linuxInWSL(ctx, real)
	}
	if own := p.tegra(ctx); desktopDriver(v) && own != "" && own != real {
		in.Unusable = p.foreignOnJetson(ctx, real, own)
	}
	if strings.Contains(real, "/compat/") && desktopDriver(v) && in.Unusable == nil && look.Newer(in.Version, v) {
		in.Unusable = compatOlder(real, v, in.Version, via)
	}
	switch {
	case linux:
		in.Path = real // the driver is that of Windows, whose version nvidia-smi says
	case !desktopDriver(v) && in.Version == "":
		in.Path = real // WSL's is libcuda.so.1.1
	case in.Version == "" || strings.Contains(real, "/compat/"):
		in.Version = v // with CUDA's forward compatibility package, what programs use
		in.Path = real
	case in.Unusable != nil:
	case desktopDriver(v) && v != in.Version && !stub && !strings.Contains(real, "/compat/"):
		in.Unusable = p.mismatched(ctx, in.Version, v)
	}
}

// windowsDriver reads the version of the display adapter's driver.
func (p *probe) windowsDriver(ctx context.Context, in *facts.Instance) {
	for key, k := range look.Devices(ctx, p.h, look.DisplayAdapters, func(err error) { p.unreadable(err, Driver) }) {
		if !strings.Contains(strings.ToUpper(k.Values["MatchingDeviceId"].String), "VEN_10DE") {
			continue
		}
		v := k.Values["DriverVersion"].String
		if d := WindowsDriver(v); d != "" && in.Version == "" {
			in.Version = d
			in.Evidence = append(in.Evidence, facts.Evidence{Kind: "registry", Source: key, Detail: "DriverVersion=" + v})
		}
	}
}

// at returns the toolkit at a root, or nil when none is there.
func (p *probe) at(ctx context.Context, root, via string) *kit {
	h := p.h
	if root == "" || ctx.Err() != nil {
		return nil
	}
	real, err := h.Resolve(ctx, root)
	if err != nil {
		p.unreadable(err, Toolkit, NVCC)
		return nil
	}
	same := func(a, b string) bool {
		if h.Windows() {
			return strings.EqualFold(strings.TrimRight(a, `\/`), strings.TrimRight(b, `\/`))
		}
		return a == b
	}
	var k *kit
	for _, o := range p.kits {
		if same(o.root, real) {
			k = o
		}
	}
	if k == nil {
		k = p.look(ctx, real)
		if k == nil || len(p.kits) >= maxToolkits {
			return nil
		}
		p.kits = append(p.kits, k)
	}
	look.AddNew(&k.via, 0, via)
	return k
}

// look reads a toolkit's files; nil when the folder holds none.
func (p *probe) look(ctx context.Context, root string) *kit {
	h := p.h
	k := &kit{root: root, attrs: map[string]string{}}
	exe := "nvcc"
	if h.Windows() {
		exe = "nvcc.exe"
	}
	for _, dir := range []string{"bin", "lib/nvidia-cuda-toolkit/bin"} {
		if f := h.Join(root, dir, exe); h.Exists(ctx, f) {
			k.nvcc, k.bin = f, h.Join(root, dir)
			break
		}
	}
	for _, dir := range []string{"include", "targets/x86_64-linux/include", "targets/aarch64-linux/include", "targets/sbsa-linux/include"} {
		f := h.Join(root, dir, "cuda.h")
		text, err := h.Text(ctx, f)
		if err != nil {
			p.unreadable(err, Toolkit, NVCC)
			continue
		}
		k.include = h.Join(root, dir)
		k.version = headerVersion(text)
		k.note("header", f, "CUDA_VERSION of "+k.version)
		break
	}
	if k.include != "" {
		p.limits(ctx, k)
	}
	for _, name := range []string{"version.json", "version.txt"} {
		f := h.Join(root, name)
		text, err := h.Text(ctx, f)
		if err != nil {
			p.unreadable(err, Toolkit, NVCC)
			continue
		}
		v, ok := ParseVersions(text)
		if !ok {
			if k.nvcc != "" || k.include != "" { // else it is another program's
				p.problem(lang.Errorf("%s is not in a form deployctl knows", f), Toolkit, NVCC)
			}
			continue
		}
		k.note("file", f, v.CUDA)
		if r := v.Release(); r != "" {
			if k.version != "" && !strings.HasPrefix(r+".", k.version+".") {
				k.conflict = lang.F("%s says %s but the header in %s says %s", f, r, k.include, k.version)
			}
			k.version = r
		}
		k.attrs["version_file"] = v.CUDA
		k.nvccVersion = v.Parts["cuda_nvcc"]
		look.Set(k.attrs, "cudart", v.Parts["cuda_cudart"])
		break
	}
	p.parts(ctx, k)
	v := strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(h.Base(root)), "cuda-"), "v")
	// NVIDIA's images for running have the libraries alone.
	if k.nvcc == "" && k.include == "" && k.version == "" && !(slices.Contains(k.has, "cudart") && dotted.MatchString(v)) {
		return nil
	}
	// A folder's own name is the last resort: …/cuda-12.4, …\CUDA\v12.4.
	if k.version == "" && dotted.MatchString(v) {
		k.version = v
		k.note("file", root, "the folder's name")
	}
	return k
}

func (k *kit) note(kind, source, detail string) {
	k.evidence = append(k.evidence, facts.Evidence{Kind: kind, Source: source, Detail: detail})
}

// parts lists a toolkit's libraries and headers.
func (p *probe) parts(ctx context.Context, k *kit) {
	h := p.h
	if k.nvcc != "" {
		k.has = append(k.has, "nvcc")
	}
	if k.include != "" {
		k.has = append(k.has, "headers")
	}
	wanted := map[string]string{
		"cudart": "cudart", "cublas": "cublas", "cufft": "cufft", "curand": "curand", "cusolver": "cusolver", "cusparse": "cusparse",
		"nppc": "npp", "nvrtc": "nvrtc", "cupti": "cupti", "nvjpeg": "nvjpeg", "nvToolsExt": "nvtx", "nvToolsExt64_1": "nvtx",
	}
	dirs := []string{"lib64", "lib", "lib/" + loader.Triplet(h.Arch), "targets/x86_64-linux/lib", "targets/aarch64-linux/lib", "targets/sbsa-linux/lib"}
	if h.Windows() {
		dirs = []string{`lib\x64`, `lib\win32`}
	}
	for _, d := range dirs {
		dir := h.Join(k.root, d)
		entries, err := h.ReadDir(ctx, dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			name := strings.TrimPrefix(e.Name, "lib")
			base, rest, ok := strings.Cut(name, ".")
			if part := wanted[base]; ok && part != "" && (strings.HasPrefix(rest, "so") || rest == "lib") {
				k.lib = cmp.Or(k.lib, dir)
				k.has = append(k.has, part)
			}
		}
		if k.lib != "" {
			break
		}
	}
	if h.Windows() {
		// Setup puts it beside the toolkits; CUDA 12's has it no more (CMake,
		// FindCUDAToolkit, nvToolsExt).
		for _, root := range []string{h.Env("NVTOOLSEXT_PATH"), h.Join(h.Env("ProgramFiles"), `NVIDIA Corporation\NvToolsExt`)} {
			if look.IsPath(root) && h.Exists(ctx, h.Join(strings.TrimRight(root, `\`), `lib\x64\nvToolsExt64_1.lib`)) {
				k.has = append(k.has, "nvtx")
			}
		}
	}
	sort.Strings(k.has)
	k.has = slices.Compact(k.has)
}

// toolkits looks in every place, each under the lookup's name it stands for.
func (p *probe) toolkits(ctx context.Context) {
	h := p.h
	for i, nvcc := range h.LookPath(ctx, "nvcc") {
		if i > 8 {
			break
		}
		via := ""
		if i == 0 {
			via = "PATH"
		}
		real := h.Real(ctx, nvcc)
		k := p.at(ctx, h.DirOf(h.DirOf(real)), via)
		if k == nil || k.include == "" && !h.Windows() {
			// Debian's /usr/bin/nvcc is a script or leads into a private folder;
			// its headers and libraries are in /usr.
			if o := p.at(ctx, h.DirOf(h.DirOf(nvcc)), via); o != nil && k != nil && o != k {
				p.kits = slices.DeleteFunc(p.kits, func(x *kit) bool { return x == k })
				o.nvcc, o.bin, k = real, h.DirOf(real), o
				o.has = append(o.has, "nvcc")
			} else if o != nil {
				k = o
			}
		}
		if k == nil {
			k = &kit{root: h.DirOf(nvcc), nvcc: nvcc, bin: h.DirOf(nvcc), attrs: map[string]string{}, has: []string{"nvcc"}}
			if via != "" {
				k.via = append(k.via, via)
			}
			k.note("file", nvcc, "")
			p.kits = append(p.kits, k)
		}
		k.nvcc = cmp.Or(k.nvcc, nvcc)
	}
	for _, v := range []string{"CUDA_PATH", "CUDA_HOME", "CUDA_ROOT", "CUDAToolkit_ROOT", "CUDA_TOOLKIT_ROOT_DIR"} {
		if root := h.Env(v); root != "" {
			if p.at(ctx, root, v) == nil {
				p.stale = append(p.stale, fmt.Sprintf("%s is %s, where no CUDA toolkit is", v, root))
				p.staleVars = append(p.staleVars, facts.Stale{Variable: v, Folder: root})
			}
		}
	}
	if h.Windows() {
		p.windowsToolkits(ctx)
	} else {
		p.at(ctx, "/usr/local/cuda", "/usr/local/cuda")
		for _, base := range []string{"/usr/local", "/opt", developer} {
			for _, dir := range h.Glob(ctx, base, "[cC][uU][dD][aA]*") {
				p.at(ctx, dir, "")
			}
		}
		for _, arch := range []string{"Linux_x86_64", "Linux_aarch64"} {
			for _, release := range h.Glob(ctx, "/opt/nvidia/hpc_sdk/"+arch, "[0-9]*") {
				for _, dir := range h.Glob(ctx, release+"/cuda", "[0-9]*") {
					p.at(ctx, dir, "")
				}
			}
		}
		// Debian's package spreads over /usr, with nvcc itself in a private folder.
		if h.Exists(ctx, "/usr/include/cuda.h") {
			p.at(ctx, "/usr", "")
		} else {
			p.at(ctx, "/usr/lib/nvidia-cuda-toolkit", "")
		}
		if conda := h.Env("CONDA_PREFIX"); conda != "" {
			p.at(ctx, conda, "")
		}
	}
	p.askNVCC(ctx)
}

// askNVCC starts nvcc for toolkits whose files do not tell the compiler's
// version; there is rarely one.
func (p *probe) askNVCC(ctx context.Context) {
	asked := 0
	for _, k := range p.kits {
		if k.nvcc == "" || k.nvccVersion != "" || k.version != "" || asked == 3 {
			continue
		}
		asked++
		out, err := p.h.Run(ctx, host.Command{Argv: []string{k.nvcc, "--version"}})
		if err != nil {
			p.problem(lang.Errorf("ask nvcc for its version: %w", err), Toolkit, NVCC)
			continue
		}
		if c, ok := ParseNVCC(string(out.Stdout)); ok {
			k.nvccVersion = c.Version
			k.version = cmp.Or(k.version, c.Release)
			k.note("command", k.nvcc+" --version", "release "+c.Release+", V"+c.Version)
		}
	}
}

// windowsToolkits looks into the registry, the versioned variables and the
// installer's folder.
func (p *probe) windowsToolkits(ctx context.Context) {
	h := p.h
	const key = `HKLM\SOFTWARE\NVIDIA Corporation\GPU Computing Toolkit\CUDA`
	top, err := h.RegistryKey(ctx, key, "64")
	p.unreadable(err, Toolkit, NVCC)
	for _, sub := range top.Subkeys {
		k, err := h.RegistryKey(ctx, key+`\`+sub, "64")
		p.unreadable(err, Toolkit, NVCC)
		dir := k.Values["InstallDir"].String
		if dir == "" {
			continue
		}
		if t := p.at(ctx, dir, ""); t != nil {
			t.attrs["registry"] = key + `\` + sub
			t.note("registry", key+`\`+sub, "InstallDir="+dir)
		} else {
			p.stale = append(p.stale, fmt.Sprintf("the registry names CUDA %s in %s, where no toolkit is", sub, dir))
		}
	}
	for major := 8; major <= 14; major++ {
		for minor := 0; minor <= 9; minor++ {
			name := fmt.Sprintf("CUDA_PATH_V%d_%d", major, minor)
			if root := h.Env(name); root != "" {
				if t := p.at(ctx, root, ""); t != nil {
					t.attrs["env"] = name
				}
			}
		}
	}
	for _, dir := range h.Glob(ctx, h.Join(look.ProgramFiles(h), `NVIDIA GPU Computing Toolkit\CUDA`), "v*") {
		p.at(ctx, dir, "")
	}
}

// settleToolkits picks the active toolkit: the nvcc that PATH finds, then what
// the variables that CMake and others read name, then the usual link.
func (p *probe) settleToolkits(ctx context.Context) {
	var active *kit
	for _, via := range []string{"PATH", "CUDA_PATH", "CUDA_HOME", "CUDAToolkit_ROOT", "CUDA_TOOLKIT_ROOT_DIR", "CUDA_ROOT", "/usr/local/cuda"} {
		for _, k := range p.kits {
			if active == nil && slices.Contains(k.via, via) {
				active = k
				k.attrs["why"] = "found first, by " + via
			}
		}
	}
	if active != nil {
		active.active = true
		if len(p.stale) > 0 {
			active.attrs["stale"], active.stale = strings.Join(p.stale, "; "), p.staleVars
		}
	}
	for _, k := range p.kits {
		for key, v := range map[string]string{"include": k.include, "libdir": k.lib, "nvcc": k.nvcc} {
			if v != "" {
				k.attrs[key] = v
			}
		}
		sort.Strings(k.has)
		p.f.Add(Toolkit, facts.Instance{
			Version: k.version, Path: k.root, Active: k.active, Via: k.via, Has: slices.Compact(k.has), Attrs: k.attrs, Stale: k.stale, Evidence: k.evidence, Conflict: k.conflict,
			Unusable: p.foreignToolkit(ctx, k),
			Makes:    facts.Makes{Host: p.hostGCC(ctx, k)},
		})
		if k.nvcc == "" {
			continue
		}
		version := cmp.Or(k.nvccVersion, k.version)
		in := facts.Instance{Version: version, Path: k.nvcc, Attrs: map[string]string{"toolkit": k.root}, Evidence: k.evidence}
		if slices.Contains(k.via, "PATH") {
			in.Active, in.Via = true, []string{"PATH"}
		}
		p.f.Add(NVCC, in)
	}
}
