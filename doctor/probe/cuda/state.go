package cuda

import (
	"context"
	"debug/elf"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// inContainer reports whether this is a container that is given its GPU by the
// NVIDIA Container Toolkit or its like.
func inContainer(ctx context.Context, h *host.Host) bool {
	return h.Exists(ctx, "/.dockerenv") || h.Exists(ctx, "/run/.containerenv") || h.Env("KUBERNETES_SERVICE_HOST") != "" || h.Env("container") != "" || h.Exists(ctx, "/.singularity.d")
}

// again says how to start a container again with its GPU. Podman takes devices of
// CDI (NVIDIA Container Toolkit, "Support for CDI"), Apptainer a flag of its own.
func again(ctx context.Context, h *host.Host, options string) string {
	board, err := h.Text(ctx, "/proc/device-tree/compatible")
	switch {
	case err == nil && strings.Contains(board, "nvidia,tegra"):
		return lang.T("Start the container again with: docker run --runtime nvidia IMAGE")
	case h.Exists(ctx, "/.singularity.d"):
		return lang.T("Start the container again with: apptainer exec --nv IMAGE PROGRAM")
	case h.Exists(ctx, "/run/.containerenv"):
		return lang.T("Start the container again with: podman run --device nvidia.com/gpu=all IMAGE (if Podman does not know that device, run on the host: sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml)")
	}
	return lang.F("Start the container again with: docker run --gpus all %sIMAGE", options)
}

// inPod reports whether this is a container that Kubernetes started.
func inPod(h *host.Host) bool { return h.Env("KUBERNETES_SERVICE_HOST") != "" }

func inWSL(ctx context.Context, h *host.Host) bool {
	return h.Exists(ctx, "/usr/lib/wsl/lib") || h.Exists(ctx, "/dev/dxg")
}

// nvidiaDriver reports whether a library belongs to NVIDIA's driver.
func nvidiaDriver(library string) bool {
	return strings.Contains(strings.ToLower(library), "nvidia")
}

// DriverFile says what is wrong with a file that registers a driver of Vulkan or
// OpenCL and names a library that is not there, and what to do.
func DriverFile(ctx context.Context, h *host.Host, file, library string) *facts.Unusable {
	u := &facts.Unusable{Reason: facts.MissingFile, Detail: lang.F("%s names %s, which is not there", file, library)}
	graphics := strings.Contains(library, "GLX") || strings.Contains(library, "EGL")
	switch {
	case nvidiaDriver(library) && inContainer(ctx, h) && graphics:
		// Source: NVIDIA Container Toolkit, "Driver Capabilities".
		u.Remedy = again(ctx, h, "-e NVIDIA_DRIVER_CAPABILITIES=compute,utility,graphics ")
	case nvidiaDriver(library) && inContainer(ctx, h):
		u.Remedy = again(ctx, h, computeUtility)
	case nvidiaDriver(library) && inWSL(ctx, h):
		u.Remedy = lang.F("Delete %s: a Linux driver installed inside WSL left it, and WSL uses the driver of Windows.", file)
	case h.Windows():
		u.Remedy = lang.F("Reinstall the GPU driver that %s belongs to.", file)
	case nvidiaDriver(library):
		u.Remedy = lang.F("Reinstall the NVIDIA driver's user-space libraries in the version of the kernel module, or delete %s.", file)
	default:
		u.Remedy = lang.F("Reinstall the package that %s belongs to, or delete the file.", file)
		name := look.Containing(strings.ToLower(path.Base(library)), driverPackages)
		if name != "" && h.Exists(ctx, "/usr/bin/apt-get") && (!path.IsAbs(library) || strings.HasPrefix(library, "/usr/lib/")) {
			u.Remedy = lang.F("As root: apt-get install --reinstall %s, which brings that library.", name)
		}
	}
	return u
}

// driverPackages are the packages of Debian and its relatives whose drivers are registered
// by a file, by a part of their library's name.
var driverPackages = [][2]string{
	{"igdrcl", "intel-opencl-icd"}, {"libpocl", "pocl-opencl-icd"}, {"rusticlopencl", "mesa-opencl-icd"}, {"mesaopencl", "mesa-opencl-icd"}, {"libvulkan_", "mesa-vulkan-drivers"},
}

// stubFirst is CUDA's stub of libcuda, under the name that programs ask for, before the
// driver's: every CUDA call then fails with cudaErrorStubLibrary (CUDA Runtime API).
func stubFirst(library, via string) *facts.Unusable {
	u := &facts.Unusable{
		Reason: facts.Mismatch,
		Detail: lang.F("%s is CUDA's stub for linking, which has no code; programs find it before the driver's library", library),
		Remedy: lang.F("Remove the line %s from the files in /etc/ld.so.conf.d, then run sudo ldconfig.", path.Dir(library)),
	}
	if via == "LD_LIBRARY_PATH" {
		u.Remedy = lang.F("Remove %s from LD_LIBRARY_PATH.", path.Dir(library))
	}
	return u
}

// linuxInWSL is a Linux driver installed inside WSL, whose libcuda is found
// before the one of Windows (NVIDIA, CUDA on WSL User Guide, "Getting Started").
func (p *probe) linuxInWSL(ctx context.Context, library string) *facts.Unusable {
	u := &facts.Unusable{
		Reason: facts.Mismatch,
		Detail: lang.F("%s belongs to a Linux driver that was installed inside WSL; programs find it before the driver of Windows", library),
		Remedy: lang.F("Uninstall the Linux driver inside WSL (its package brought %s), then run sudo ldconfig. WSL uses the driver of Windows.", library),
	}
	if name := p.computePackage(ctx, library); name != "" {
		u.Remedy = fmt.Sprintf("sudo apt-get remove --purge %s && sudo ldconfig", name)
	}
	return u
}

// computePackage is the installed package that brought a driver's libcuda, by the
// names of Ubuntu and Debian; "" for none.
func (p *probe) computePackage(ctx context.Context, library string) string {
	_, version, _ := strings.Cut(library, "libcuda.so.")
	branch, _, _ := strings.Cut(version, ".")
	for _, name := range []string{"libnvidia-compute-" + branch, "libnvidia-compute-" + branch + "-server", "libcuda1"} {
		if found, err := look.Dpkg(ctx, p.h, name); err == nil && found[name] != "" {
			return name
		}
	}
	return ""
}

// podWithGPU is how Kubernetes gives a pod its GPU (NVIDIA, k8s-device-plugin,
// "Running GPU Jobs", and issues 406 and 478 there).
const podWithGPU = `Ask for the GPU in the pod's spec: "nvidia.com/gpu: 1" under resources.limits, and runtimeClassName: nvidia where NVIDIA's runtime is not the node's default.`

const computeUtility = "-e NVIDIA_DRIVER_CAPABILITIES=compute,utility "

// inRun says how this container is to be started, or asked for in a pod's spec.
func (p *probe) inRun(ctx context.Context) string {
	if inPod(p.h) {
		if v, set := p.h.Getenv("NVIDIA_DRIVER_CAPABILITIES"); set && !strings.Contains(v, "compute") && v != "all" {
			return lang.F("NVIDIA_DRIVER_CAPABILITIES=%s leaves CUDA out. Set it to compute,utility in the pod's spec.", v)
		}
		return lang.T(podWithGPU)
	}
	todo := again(ctx, p.h, computeUtility)
	if v, set := p.h.Getenv("NVIDIA_VISIBLE_DEVICES"); set && (v == "" || v == "void" || v == "none") {
		todo = lang.F("NVIDIA_VISIBLE_DEVICES=%s hides the GPUs. %s", v, again(ctx, p.h, "-e NVIDIA_VISIBLE_DEVICES=all "+computeUtility))
	}
	if v, set := p.h.Getenv("NVIDIA_DRIVER_CAPABILITIES"); set && !strings.Contains(v, "compute") && v != "all" && v != "" {
		todo = lang.F("NVIDIA_DRIVER_CAPABILITIES=%s leaves CUDA out. %s", v, todo)
	}
	return todo
}

// desktopDriver reports whether a library's number is a driver's (390.157,
// 550.54.14). Jetson's and WSL's libcuda.so.1.1 has no such number.
func desktopDriver(number string) bool {
	branch, _, more := strings.Cut(number, ".")
	return more && len(branch) >= 3
}

// tegra is the libcuda of a Jetson's own driver; "" on other machines.
func (p *probe) tegra(ctx context.Context) string {
	for _, dir := range []string{"tegra", "nvidia"} {
		if file := "/usr/lib/aarch64-linux-gnu/" + dir + "/libcuda.so.1.1"; p.h.Exists(ctx, file) {
			return file
		}
	}
	return ""
}

// foreignOnJetson is a driver for cards that was installed on a Jetson, whose GPU
// it cannot drive.
func (p *probe) foreignOnJetson(ctx context.Context, library, own string) *facts.Unusable {
	u := &facts.Unusable{
		Reason: facts.Mismatch,
		Detail: lang.F("%s belongs to a driver for desktop or server cards; programs find it before the Jetson's own driver (%s)", library, own),
		Remedy: lang.F("Uninstall the driver that brought %s, then run sudo apt-get install --reinstall nvidia-l4t-cuda && sudo ldconfig.", library),
	}
	if name := p.computePackage(ctx, library); name != "" {
		u.Remedy = fmt.Sprintf("sudo apt-get remove --purge %s && sudo apt-get install --reinstall nvidia-l4t-cuda && sudo ldconfig", name)
	}
	return u
}

// inLXC reports whether this is a system container, which has a driver of its own
// beside the host's kernel module.
func (p *probe) inLXC(ctx context.Context) bool {
	if p.h.Env("container") == "lxc" {
		return true
	}
	for _, file := range []string{"/run/systemd/container", "/proc/1/environ"} {
		text, err := p.h.Text(ctx, file)
		if err == nil && (strings.TrimSpace(text) == "lxc" || strings.Contains("\x00"+text, "\x00container=lxc")) {
			return true
		}
	}
	return false
}

// mismatched is a driver whose kernel module and libraries differ.
func (p *probe) mismatched(ctx context.Context, kernel, library string) *facts.Unusable {
	u := &facts.Unusable{
		Reason: facts.NeedsRestart,
		Detail: lang.F("the NVIDIA kernel module (%s) and libraries (%s) differ", kernel, library),
		Remedy: lang.T("Restart the machine to load the kernel module of the installed driver."),
	}
	switch {
	case p.inLXC(ctx):
		u.Reason, u.Detail = facts.Mismatch, lang.F("this container has the libraries of NVIDIA driver %s, and the host's kernel module is %s", library, kernel)
		u.Remedy = lang.F("Install the libraries of driver %s in this container (NVIDIA's installer of that version with --no-kernel-module).", kernel)
	case inContainer(ctx, p.h) && (look.Newer(kernel, library) || p.computePackage(ctx, "libcuda.so."+library) != ""):
		u.Reason, u.Detail = facts.Mismatch, lang.F("this image brings the libraries of NVIDIA driver %s, and the host's kernel module is %s", library, kernel)
		u.Remedy = lang.F("Remove the driver's packages from the image; the host's libraries are put in. %s", again(ctx, p.h, ""))
	case inContainer(ctx, p.h):
		u.Remedy = lang.T("Restart the host: its driver was updated and the old kernel module is still loaded.")
	}
	return u
}

// ownWSLKernel reports a WSL with a kernel of the user's own, without the device by which
// programs reach the GPU. Microsoft's have its name in their release.
func (p *probe) ownWSLKernel(ctx context.Context) bool {
	kernel, err := p.h.Text(ctx, "/proc/sys/kernel/osrelease")
	_, missing := p.h.Stat(ctx, "/dev/dxg")
	return err == nil && !strings.Contains(strings.ToLower(kernel), "microsoft") && host.IsNotExist(missing) &&
		p.h.Env("WSL_DISTRO_NAME") != "" && p.h.Exists(ctx, "/usr/lib/wsl/lib/libdxcore.so")
}

// failing is a driver that nvidia-smi cannot use, in its own words.
func (p *probe) failing(ctx context.Context, text string) *facts.Unusable {
	u := &facts.Unusable{Reason: facts.Broken, Detail: text}
	low, unit := strings.ToLower(text), p.privateDevices(ctx)
	switch {
	case strings.Contains(low, "version mismatch"):
		u.Reason, u.Remedy = facts.NeedsRestart, lang.T("Restart the machine to load the kernel module of the installed driver.")
		if inContainer(ctx, p.h) {
			u.Remedy = lang.T("Restart the host: its driver was updated and the old kernel module is still loaded.")
		}
	case p.ownWSLKernel(ctx):
		// zhenruyan/WSL-libre-linux-kernel issue 5; microsoft/WSL2-Linux-Kernel, CONFIG_DXGKRNL.
		u.Detail = lang.F("%s (the kernel of this WSL is not Microsoft's and has no /dev/dxg)", text)
		u.Remedy = lang.T("Remove the line kernel= from %UserProfile%\\.wslconfig on Windows, then run there: wsl --shutdown. Or build your kernel from Microsoft's sources for WSL, with CONFIG_DXGKRNL=y. Do not install a Linux driver inside WSL.")
	case inWSL(ctx, p.h) && strings.Contains(low, "blocked by the operating system"):
		// microsoft/WSL issues 11865 and 12859; NVIDIA, CUDA on WSL User Guide.
		u.Remedy = lang.T("On Windows, update the NVIDIA driver and run in PowerShell: wsl --update; wsl --shutdown. WSL gets cards in WDDM mode only: where nvidia-smi on Windows shows TCC, run nvidia-smi -dm 0 as administrator and restart Windows. Do not install a Linux driver inside WSL.")
	case inWSL(ctx, p.h):
		u.Remedy = lang.T("Update the NVIDIA driver on Windows, then run: wsl --update; wsl --shutdown. Do not install a Linux driver inside WSL.")
	case strings.Contains(low, "couldn't find libnvidia-ml") && !inContainer(ctx, p.h) && !p.h.Windows():
		u.Reason, u.Remedy = facts.MissingLibrary, p.withoutNVML(ctx)
	case strings.Contains(low, "is lost"), strings.Contains(low, "fallen off the bus"):
		// Xid 79; NVIDIA, XID Errors.
		u.Remedy = lang.T("Restart the machine (of a container, its host). If the GPU is lost again, check its power cables, its seat and its cooling; sudo dmesg | grep -i xid shows when it happened.")
	case inContainer(ctx, p.h) && !p.h.Exists(ctx, "/dev/nvidiactl") && p.h.Exists(ctx, "/dev"):
		u.Detail, u.Remedy = lang.F("%s (this container has no /dev/nvidiactl)", text), p.inRun(ctx)
	case strings.Contains(low, "insufficient permissions"):
		u.Remedy = p.permit(ctx)
	case inContainer(ctx, p.h) && strings.Contains(low, "unknown error"):
		// Source: NVIDIA Container Toolkit, troubleshooting: containers lose
		// their GPUs when systemd reloads.
		u.Remedy = lang.T("Restart the container, or remove it and create it again. It lost its access to the GPU, as containers do when systemd reloads its units on the host. The driver is fine.")
		if inPod(p.h) {
			u.Remedy = lang.T("Delete this pod, so that it is restarted. It lost its access to the GPU, as containers do when systemd reloads its units on the node. The driver is fine.")
		}
	case inContainer(ctx, p.h):
		u.Remedy = lang.F("Make nvidia-smi work on the host first. %s", again(ctx, p.h, ""))
	case strings.Contains(low, "no devices were found") && p.azureA10(ctx):
		u.Reason, u.Remedy = facts.NoDevice, lang.T("Install Microsoft's GRID driver in place of this one (Azure documentation, \"Install NVIDIA GPU drivers on N-series VMs running Linux\"): Azure's machines with an A10 have a part of the card, a vGPU, which other drivers do not start.")
	case strings.Contains(low, "no devices were found"):
		u.Reason, u.Remedy = facts.NoDevice, lang.T("Run sudo dmesg | grep -i nvrm. It says why the driver does not start the card.")
		if p.h.Windows() {
			u.Remedy = lang.T("Open Device Manager > Display adapters. Enable the NVIDIA card if it is disabled; else its properties say why it does not start (a code). Then reinstall the NVIDIA driver and restart Windows.")
		}
	case unit != "":
		u.Detail = lang.F("%s (the service %s has a /dev of its own, PrivateDevices=yes, without NVIDIA's devices)", text, unit)
		u.Remedy = lang.F("Set PrivateDevices=no under [Service] of %s (sudo systemctl edit %s), then run: sudo systemctl restart %s", unit, unit, unit)
	case strings.Contains(low, "communicate with the nvidia driver"), strings.Contains(low, "driver not loaded"):
		u.Remedy = lang.T("Run sudo modprobe nvidia. If it fails, the module is not built for the running kernel (install its headers and rebuild it with dkms) or Secure Boot blocks it.")
		if p.h.Windows() {
			u.Remedy = lang.T("Restart Windows. If that does not help, reinstall the NVIDIA driver.")
		}
	}
	return u
}

// azureA10 reports a virtual machine of Azure's with an A10, of which it has a part:
// the sizes NVadsA10_v5 (Azure documentation, N-series driver setup for Linux).
func (p *probe) azureA10(ctx context.Context) bool {
	is := func(file, want string) bool {
		text, err := p.h.Text(ctx, file)
		return err == nil && strings.TrimSpace(text) == want
	}
	if !is("/sys/class/dmi/id/sys_vendor", "Microsoft Corporation") || !is("/sys/class/dmi/id/product_name", "Virtual Machine") {
		return false
	}
	return slices.ContainsFunc(p.h.Glob(ctx, "/sys/bus/pci/devices", "*"), func(dir string) bool {
		return is(dir+"/vendor", "0x10de") && is(dir+"/device", "0x2236")
	})
}

// privateDevices is the systemd service that this process belongs to, where its unit has
// a /dev of its own, without the devices of GPUs (systemd.exec(5)); "" for none.
func (p *probe) privateDevices(ctx context.Context) string {
	group, err := p.h.Text(ctx, "/proc/self/cgroup")
	unit := path.Base(strings.TrimSpace(group))
	if err != nil || !strings.Contains(group, "/system.slice/") || !strings.HasSuffix(unit, ".service") || p.h.Exists(ctx, "/dev/nvidiactl") {
		return ""
	}
	for _, dir := range []string{"/etc/systemd/system/", "/run/systemd/system/", "/usr/lib/systemd/system/", "/lib/systemd/system/"} {
		for _, file := range append(p.h.Glob(ctx, dir+unit+".d", "*.conf"), dir+unit) {
			if text, err := p.h.Text(ctx, file); err == nil && privateSet.MatchString(text) {
				return unit
			}
		}
	}
	return ""
}

var privateSet = lazyregexp.New(`(?mi)^\s*PrivateDevices\s*=\s*(?:yes|true|on|1)\s*$`)

// withoutNVML says what brings libnvidia-ml.so.1 of the driver whose module is loaded.
func (p *probe) withoutNVML(ctx context.Context) string {
	version := ""
	if text, err := p.h.Text(ctx, "/proc/driver/nvidia/version"); err == nil {
		if k, ok := ParseKernelDriver(text); ok {
			version = k.Version
		}
	}
	branch, _, _ := strings.Cut(version, ".")
	return lang.F("Install the library libnvidia-ml.so.1 of driver %s (Debian: libnvidia-ml1; Ubuntu: libnvidia-compute-%s; RHEL and Fedora: nvidia-driver-cuda-libs), then run ldconfig as root.", version, branch)
}

// emptyLibrary is a libcuda of no bytes; nil for another. Where an image was made from a
// container, what the runtime had mounted stays in it as empty files, and hides what
// another machine's runtime mounts (microsoft/WSL issue 8274).
func (p *probe) emptyLibrary(ctx context.Context, library string) *facts.Unusable {
	empty := func(file string) bool {
		info, err := p.h.Stat(ctx, file)
		return err == nil && info.Size == 0 && !info.Dir && p.readEmpty(ctx, file)
	}
	if !empty(library) {
		return nil
	}
	dir := path.Dir(library)
	files := []string{library}
	for _, name := range []string{"libcuda.so", "libcuda.so.1", "libnvidia-ml.so.1", "libdxcore.so", "libnvidia-ptxjitcompiler.so.1"} {
		if file := path.Join(dir, name); file != library && empty(file) {
			files = append(files, file)
		}
	}
	u := &facts.Unusable{Reason: facts.Broken, Detail: lang.F("%s is an empty file", library), Remedy: lang.T("Install the NVIDIA driver's packages again.")}
	if inContainer(ctx, p.h) {
		u.Detail = lang.F("%s is an empty file, which this image brings: it was made from a container into which a driver was mounted", library)
		u.Remedy = lang.F("As root in this container: rm -f %s && ldconfig. Remove them from the image, too, or build it from a Dockerfile.", strings.Join(files, " "))
	}
	return u
}

// readEmpty reports whether a file has no byte to read: one whose size alone is 0 may be
// a recording's.
func (p *probe) readEmpty(ctx context.Context, file string) bool {
	head, err := p.h.ReadAt(ctx, file, 0, 1)
	return err == nil && len(head) == 0
}

// compatOlder is a libcuda of CUDA's compatibility package that is older than the kernel
// module: the package is for the other way round, a newer CUDA on an older driver. CUDA
// stops with error 803 (CUDA Compatibility, "Forward Compatibility"; CUDA Driver API,
// CUDA_ERROR_SYSTEM_DRIVER_MISMATCH).
func compatOlder(library, version, kernel, via string) *facts.Unusable {
	dir := path.Dir(library)
	u := &facts.Unusable{
		Reason: facts.Mismatch,
		Detail: lang.F("programs find libcuda %s of CUDA's compatibility package in %s, which is older than the driver (%s)", version, dir, kernel),
		Remedy: lang.F("Remove %s from LD_LIBRARY_PATH. The driver is newer and runs that CUDA by itself.", dir),
	}
	if via != "LD_LIBRARY_PATH" {
		u.Remedy = lang.F("Remove the package cuda-compat that %s belongs to, and run ldconfig as root. The driver is newer and runs that CUDA by itself.", dir)
	}
	return u
}

// driverFolders are where a driver's libraries are put for containers and by
// distributions that leave it to LD_LIBRARY_PATH or an alternative to find them: GKE's and
// the old nvidia-docker's volume, NixOS, Debian's alternatives, RPM Fusion's of old.
var driverFolders = []string{
	"/usr/local/nvidia/lib64", "/run/opengl-driver/lib", "/usr/lib/x86_64-linux-gnu/nvidia/current", "/usr/lib64/nvidia", "/usr/lib/nvidia",
}

// outsideLoader is a driver whose CUDA library is here, in a folder where the loader does
// not look; nil where there is none.
func (p *probe) outsideLoader(ctx context.Context) *facts.Unusable {
	for _, dir := range driverFolders {
		if !p.h.Exists(ctx, dir+"/libcuda.so.1") {
			continue
		}
		set := "export LD_LIBRARY_PATH=" + dir + "${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
		u := &facts.Unusable{
			Reason: facts.NotRegistered, Detail: lang.F("the loader does not look in %s, where the driver's CUDA library is (libcuda.so.1)", dir),
			Remedy: set,
		}
		if inContainer(ctx, p.h) {
			u.Remedy = lang.F("%s, and set it so in the image or in what starts the container, too. The GPU itself is passed on.", set)
		}
		return u
	}
	return nil
}

// withoutLibcuda is a driver whose CUDA library is not there; nil where that
// cannot be said.
func (p *probe) withoutLibcuda(ctx context.Context, version, flavor string) *facts.Unusable {
	if u := p.outsideLoader(ctx); u != nil {
		return u
	}
	u := &facts.Unusable{Reason: facts.MissingLibrary, Detail: lang.T("the NVIDIA driver is loaded, but its CUDA library (libcuda.so.1) is missing")}
	switch {
	case inWSL(ctx, p.h):
		u.Remedy = lang.T("Update the NVIDIA driver on Windows, then run: wsl --shutdown. Do not install a Linux driver inside WSL.")
	case inContainer(ctx, p.h):
		if !p.h.Exists(ctx, "/dev/nvidiactl") || p.h.Exists(ctx, "/.singularity.d") { // Apptainer binds the host's /dev
			u.Detail = lang.T("this container was started without the host's GPU: it has neither libcuda.so.1 nor /dev/nvidiactl")
		}
		u.Remedy = p.inRun(ctx)
	case len(p.f.Components[Driver]) == 0 && version == "":
		return nil
	default:
		branch, _, _ := strings.Cut(version, ".")
		u.Remedy = lang.F("Install the CUDA library of the loaded driver (Debian: libcuda1; Ubuntu: libnvidia-compute-%s%s; RHEL and Fedora: nvidia-driver-cuda), in version %s.", branch, flavor, version)
	}
	return u
}

// withoutDevice is a container that has the libraries of the host's driver and not its
// devices, as where they were mounted by hand (Tencent/ncnn issue 5719). A Jetson's
// driver has other devices.
func (p *probe) withoutDevice(ctx context.Context) *facts.Unusable {
	if _, err := p.h.Stat(ctx, "/dev/nvidiactl"); !host.IsNotExist(err) || !inContainer(ctx, p.h) || inWSL(ctx, p.h) {
		return nil
	}
	return &facts.Unusable{
		Reason: facts.NoDevice, Detail: lang.T("this container has the libraries of NVIDIA's driver and no /dev/nvidiactl, by which they reach the GPU"),
		Remedy: p.inRun(ctx),
	}
}

// withoutModule is a driver whose libraries are here while the kernel has no module of it:
// nvidia-smi cannot communicate with the driver. It is not asked, as it loads the module
// where it may. A machine without an NVIDIA card says so by itself.
func (p *probe) withoutModule(ctx context.Context, version string) *facts.Unusable {
	if p.h.Windows() || p.present(ctx) || inContainer(ctx, p.h) || inWSL(ctx, p.h) || p.inLXC(ctx) || p.tegra(ctx) != "" {
		return nil
	}
	for _, file := range []string{"/sys/module/nvidia", "/proc/driver/nvidia"} {
		if _, err := p.h.Stat(ctx, file); !host.IsNotExist(err) {
			return nil
		}
	}
	card := slices.ContainsFunc(p.h.Glob(ctx, "/sys/bus/pci/devices", "*"), func(dir string) bool {
		class, err := p.h.Text(ctx, dir+"/class")
		vendor, errVendor := p.h.Text(ctx, dir+"/vendor")
		_, errDriver := p.h.Stat(ctx, dir+"/driver")
		return err == nil && errVendor == nil && strings.HasPrefix(class, "0x03") && strings.TrimSpace(vendor) == "0x10de" && host.IsNotExist(errDriver)
	})
	if !card {
		return nil
	}
	return &facts.Unusable{
		Reason: facts.Broken, Detail: lang.F("the libraries of NVIDIA driver %s are here, and its kernel module is not loaded", version),
		Remedy: lang.T("Run sudo modprobe nvidia. If it fails, the module is not built for the running kernel (install its headers and rebuild it with dkms) or Secure Boot blocks it."),
	}
}

// foreignToolkit is a toolkit whose nvcc is a program for another kind of machine, as where
// the archive for x86-64 was unpacked on a Jetson: "cannot execute binary file".
func (p *probe) foreignToolkit(ctx context.Context, k *kit) *facts.Unusable {
	made := p.machineOf(ctx, k.nvcc)
	if made == "" || made == p.h.Arch || k.root == "/usr" { // there it is a package's
		return nil
	}
	names := map[string]string{"amd64": "x86-64", "arm64": "ARM (aarch64)"}
	u := &facts.Unusable{
		Reason: facts.WrongArch, Detail: lang.F("the CUDA Toolkit in %s is made for %s, and this machine is %s", k.root, names[made], names[p.h.Arch]),
		Remedy: lang.F("Remove %s, and install the CUDA Toolkit for %s.", k.root, names[p.h.Arch]),
	}
	for _, o := range p.kits {
		if o != k && p.machineOf(ctx, o.nvcc) != made && o.nvcc != "" {
			u.Remedy = lang.F("Remove %s, put %s first on PATH, and as root: ln -sfn %s /usr/local/cuda", k.root, path.Dir(o.nvcc), o.root)
			return u
		}
	}
	if p.tegra(ctx) != "" {
		u.Remedy = lang.F("Remove %s. JetPack's own CUDA comes with: sudo apt-get install nvidia-jetpack", k.root)
	}
	return u
}

// machineOf is the architecture of an ELF program; "" for another file or machine.
func (p *probe) machineOf(ctx context.Context, file string) string {
	if file == "" || p.h.OS != "linux" {
		return ""
	}
	head, _ := look.ReadELF(ctx, p.h, file)
	return map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}[head.Machine]
}

// permit says how programs here get to open NVIDIA's device files. In containers it is
// mostly SELinux that forbids it (NVIDIA/nvidia-container-toolkit issues 33 and 210).
func (p *probe) permit(ctx context.Context) string {
	const label = "--security-opt=label=disable "
	if p.h.Exists(ctx, "/run/.containerenv") {
		return lang.F("Start the container again with: podman run %s--device nvidia.com/gpu=all IMAGE. Where a group of yours may open /dev/nvidia* on the host, add --group-add keep-groups.", label)
	} else if inContainer(ctx, p.h) {
		return lang.F("%s. SELinux on the host keeps it from /dev/nvidia*.", again(ctx, p.h, label))
	}
	return lang.T("Run ls -l /dev/nvidia*. It shows the group that may open them: sudo usermod -aG GROUP $USER, then log out and in again.")
}

// unusable is a driver that gives CUDA programs no GPU although it runs one: MIG is on,
// and CUDA lists no GPU but its instances (NVIDIA, MIG User Guide), or the compute mode
// forbids programs (nvidia-smi, "Compute Mode").
func (s SMI) unusable() *facts.Unusable {
	switch {
	case s.NoMIG:
		return &facts.Unusable{
			Reason: facts.NoDevice, Detail: lang.T("MIG is on and has no instance, so that CUDA programs find no GPU"),
			Remedy: lang.T("sudo nvidia-smi mig -cgi 0 -C makes one instance of the whole GPU; sudo nvidia-smi -mig 0 turns MIG off. In a container, do it on the host."),
		}
	case s.Prohibited:
		return &facts.Unusable{
			Reason: facts.Disabled, Detail: lang.T("the compute mode of the GPU is Prohibited, so that every CUDA program stops with \"all CUDA-capable devices are busy or unavailable\""),
			Remedy: lang.T("sudo nvidia-smi -c 0 (in a container, do it on the host)"),
		}
	}
	return nil
}
