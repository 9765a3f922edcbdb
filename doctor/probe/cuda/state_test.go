package cuda

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/closure"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// TestFailing: nvidia-smi's own words, and what to do on each kind of machine.
func TestFailing(t *testing.T) {
	const docker, wsl = "-- file /.dockerenv --\n", "-- file /usr/lib/wsl/lib/libcuda.so.1 --\n"
	for _, tt := range []struct {
		files, text string
		reason      facts.Reason
		remedy      string
	}{
		{"", "Failed to initialize NVML: Driver/library version mismatch", facts.NeedsRestart, "Restart the machine"},
		{docker, "Failed to initialize NVML: Driver/library version mismatch", facts.NeedsRestart, "Restart the host"},
		{docker, "Failed to initialize NVML: Unknown Error", facts.Broken, "Restart the container"},
		{docker + "-- env --\nKUBERNETES_SERVICE_HOST=10.96.0.1\n", "Failed to initialize NVML: Unknown Error", facts.Broken, "Delete this pod"},
		{"", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", facts.Broken, "modprobe nvidia"},
		{wsl, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", facts.Broken, "on Windows"},
		{"", "No devices were found", facts.NoDevice, "dmesg | grep -i nvrm."},
	} {
		p := &probe{h: hosttest.Parse(t, "-- platform --\nlinux/amd64\n"+tt.files)}
		u := p.failing(t.Context(), tt.text)
		if u.Reason != tt.reason || !strings.Contains(u.Remedy, tt.remedy) || u.Detail != tt.text {
			t.Errorf("%q: %+v, want %s, %q", tt.text, u, tt.reason, tt.remedy)
		}
	}
}

// TestDriverFile: a registered driver whose library is not there.
func TestDriverFile(t *testing.T) {
	const docker = "-- file /.dockerenv --\n"
	const apt = "-- exec /usr/bin/apt-get --\n"
	for _, tt := range []struct{ files, library, remedy string }{
		{docker, "libGLX_nvidia.so.0", "compute,utility,graphics"},
		{docker, "libnvidia-opencl.so.1", "NVIDIA_DRIVER_CAPABILITIES=compute,utility IMAGE"},
		{"-- file /usr/lib/wsl/lib/libcuda.so.1 --\n", "libnvidia-opencl.so.1", "uses the driver of Windows"},
		{"", "libnvidia-opencl.so.1", "Reinstall the NVIDIA driver's"},
		{docker, "libpocl.so.2", "Reinstall the package"},
		{apt, "libpocl.so.2", "--reinstall pocl-opencl-icd,"},
		{apt, "/usr/lib/x86_64-linux-gnu/intel-opencl/libigdrcl.so", "--reinstall intel-opencl-icd,"},
		{apt, "/usr/lib/x86_64-linux-gnu/libvulkan_radeon.so", "--reinstall mesa-vulkan-drivers,"},
		{apt, "/opt/own/libpocl.so.2", "Reinstall the package"},
		{apt, "libown.so", "Reinstall the package"},
	} {
		u := DriverFile(t.Context(), hosttest.Parse(t, "-- platform --\nlinux/amd64\n"+tt.files), "/etc/x.icd", tt.library)
		if u.Reason != facts.MissingFile || !strings.Contains(u.Remedy, tt.remedy) || !strings.Contains(u.Detail, tt.library) {
			t.Errorf("%s: %+v, want %q", tt.library, u, tt.remedy)
		}
	}
}

// TestForeignToolkit: a toolkit for another kind of machine, alone and beside another.
func TestForeignToolkit(t *testing.T) {
	nvcc := func(root string, machine byte) string {
		return "-- exec " + root + "/bin/nvcc --\n\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00" + string(rune(machine)) + "\x00text\n-- file " + root + "/include/cuda.h --\n#define CUDA_VERSION 12040\n"
	}
	const x86, arm = 62, 0x37 // 0x37 stands for no machine that is known here
	for name, c := range map[string]struct{ arch, files, want string }{
		"its own":             {"amd64", nvcc("/usr/local/cuda-12.4", x86), ""},
		"another":             {"arm64", nvcc("/usr/local/cuda-12.4", x86), "Remove /usr/local/cuda-12.4, and install the CUDA Toolkit for ARM"},
		"on a Jetson":         {"arm64", nvcc("/usr/local/cuda-12.4", x86) + "-- file /usr/lib/aarch64-linux-gnu/nvidia/libcuda.so.1.1 --\n", "nvidia-jetpack"},
		"beside one that may": {"arm64", nvcc("/usr/local/cuda-12.4", x86) + nvcc("/usr/local/cuda-12.6", arm), "ln -sfn /usr/local/cuda-12.6 /usr/local/cuda"},
		"a script":            {"arm64", "-- exec /usr/local/cuda-12.4/bin/nvcc --\n#!/bin/sh\nexec true for a while\n", ""},
	} {
		f, err := Probe(t.Context(), hosttest.Parse(t, "-- platform --\nlinux/"+c.arch+"\n"+c.files))
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, i := range f.Components[Toolkit] {
			if i.Unusable != nil {
				got = i.Unusable.Remedy
			}
		}
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestWithoutModule: libraries of a driver that the kernel has no module of.
func TestWithoutModule(t *testing.T) {
	const card = "-- file /sys/bus/pci/devices/0000:01:00.0/class --\n0x030000\n-- file /sys/bus/pci/devices/0000:01:00.0/vendor --\n0x10de\n"
	const files = "-- file /usr/lib/x86_64-linux-gnu/libcuda.so.565.77 --\nx\n-- link /usr/lib/x86_64-linux-gnu/libcuda.so.1 --\n/usr/lib/x86_64-linux-gnu/libcuda.so.565.77\n"
	const bound = "-- dir /sys/bus/pci/drivers/nouveau --\n-- link /sys/bus/pci/devices/0000:01:00.0/driver --\n/sys/bus/pci/drivers/nouveau\n"
	for name, c := range map[string]struct {
		files string
		want  bool
	}{
		"no module":                 {card + files, true},
		"no card":                   {files, false},
		"a card with nouveau":       {card + files + bound, false},
		"a container":               {card + files + "-- file /.dockerenv --\n-- file /dev/nvidiactl --\n", false},
		"an LXC container":          {card + files + "-- file /run/systemd/container --\nlxc\n", false},
		"a module that is loaded":   {card + files + "-- dir /sys/module/nvidia --\n", false},
		"a device":                  {card + files + "-- file /dev/nvidiactl --\n", false},
		"WSL":                       {card + files + "-- dir /usr/lib/wsl/lib --\n", false},
		"a /proc of the driver":     {card + files + "-- dir /proc/driver/nvidia --\n", false},
		"Jetson's, and a desktop's": {card + files + "-- file /usr/lib/aarch64-linux-gnu/nvidia/libcuda.so.1.1 --\n", false},
	} {
		f, err := Probe(t.Context(), hosttest.Parse(t, "-- platform --\nlinux/amd64\n"+c.files))
		if err != nil {
			t.Fatal(err)
		}
		got := false
		for _, i := range f.Components[Driver] {
			got = got || i.Unusable != nil && strings.Contains(i.Unusable.Detail, "is not loaded")
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v: %+v", name, got, c.want, f.Components[Driver])
		}
	}
}

// TestLinuxDriverInWSL: the driver is that of Windows, whose version nvidia-smi says, also
// where programs find the libcuda of a Linux driver first.
func TestLinuxDriverInWSL(t *testing.T) {
	const wsl = "-- platform --\nlinux/amd64\n-- file /dev/dxg --\n-- file /usr/lib/wsl/lib/libcuda.so.1 --\n"
	const linux = "-- file /usr/lib/x86_64-linux-gnu/libcuda.so.510.108.03 --\nx\n-- link /usr/lib/x86_64-linux-gnu/libcuda.so.1 --\n/usr/lib/x86_64-linux-gnu/libcuda.so.510.108.03\n"
	const smi = "-- run \"/usr/lib/wsl/lib/nvidia-smi\" --\n| NVIDIA-SMI 551.86    Driver Version: 551.86    CUDA Version: 12.4     |\n"
	for name, c := range map[string]struct {
		files, version string
		unusable       bool
	}{
		"both":              {wsl + linux + smi, "551.86", true},
		"no word of either": {wsl + linux, "", true},
		"that of Windows":   {wsl + smi + "-- env --\nLD_LIBRARY_PATH=/usr/lib/wsl/lib\n", "551.86", false},
	} {
		in := find(probed(t, hosttest.Parse(t, c.files)).Components[Driver], c.version)
		if in.Path == "" || (in.Unusable != nil) != c.unusable || c.unusable && !strings.Contains(in.Unusable.Detail, "inside WSL") {
			t.Errorf("%s: %+v %+v, want version %q", name, in, in.Unusable, c.version)
		}
	}
}

// TestMixedCuDNN: the parts that a cuDNN loads must be of its own release.
func TestMixedCuDNN(t *testing.T) {
	const dir = "/usr/lib/x86_64-linux-gnu/"
	library := func(dir, name, version string) string {
		major, _, _ := strings.Cut(version, ".")
		file := dir + name + ".so." + version
		return "-- file " + file + " --\n-- link " + dir + name + ".so." + major + " --\n" + file + "\n"
	}
	whole := func(version string) string {
		out := library(dir, "libcudnn", version)
		for _, dll := range closure.CuDNNParts(version[:1]) {
			out += library(dir, "lib"+strings.TrimSuffix(dll, "64_"+version[:1]+".dll"), version)
		}
		return out
	}
	for _, c := range []struct{ name, files, want string }{
		{"one release", whole("9.1.0"), ""},
		{"half copied", library(dir, "libcudnn", "9.1.0") + library(dir, "libcudnn_ops", "9.1.0"), "is not complete: libcudnn.so.9.1.0 loads libcudnn_graph.so.9, "},
		{"an older part", library(dir, "libcudnn", "9.5.1") + library(dir, "libcudnn_ops", "9.1.0") + library(dir, "libcudnn_cnn", "9.5.1"), "libcudnn.so.9.5.1 is 9.5.1, but it loads " + dir + "libcudnn_ops.so.9.1.0"},
		{"cuDNN 8", library(dir, "libcudnn", "8.9.7") + library(dir, "libcudnn_ops_infer", "8.6.0"), "libcudnn_ops_infer.so.8.6.0"},
		{"a part elsewhere", "-- env --\nLD_LIBRARY_PATH=/opt/old\n" + library(dir, "libcudnn", "9.5.1") + library("/opt/old/", "libcudnn_ops", "9.1.0"), "/opt/old/libcudnn_ops.so.9.1.0"},
		{"its own before those elsewhere", "-- env --\nLD_LIBRARY_PATH=/opt/old\n" + whole("9.5.1") + library("/opt/old/", "libcudnn_ops", "9.1.0"), ""},
		{"two majors side by side", whole("9.5.1") + whole("8.9.7"), ""},
		{"releases that are not known", whole("9"), ""},
	} {
		f := probed(t, hosttest.Parse(t, c.files))
		in, ok := f.Active(CuDNN)
		if !ok || (in.Unusable == nil) != (c.want == "") || c.want != "" && (in.Unusable.Reason == facts.Mismatch) == (c.name == "half copied") || c.want != "" && (!strings.Contains(in.Unusable.Detail, c.want)) {
			t.Errorf("%s: %+v %+v", c.name, in, in.Unusable)
		}
	}
}

// TestDesktopDriver: only numbers of drivers are compared with the kernel module's.
func TestDesktopDriver(t *testing.T) {
	for number, want := range map[string]bool{"550.54.14": true, "390.157": true, "1.1": false, "1": false, "": false} {
		if got := desktopDriver(number); got != want {
			t.Errorf("desktopDriver(%q) = %v", number, got)
		}
	}
}
