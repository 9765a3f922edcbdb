package cuda

import (
	"strings"
	"testing"

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
		{"", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", facts.Broken, "modprobe nvidia"},
		{wsl, "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", facts.Broken, "on Windows"},
		{"", "No devices were found", facts.NoDevice, "dmesg"},
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
	for _, tt := range []struct{ files, library, remedy string }{
		{docker, "libGLX_nvidia.so.0", "compute,utility,graphics"},
		{docker, "libnvidia-opencl.so.1", "NVIDIA_DRIVER_CAPABILITIES=compute,utility IMAGE"},
		{"-- file /usr/lib/wsl/lib/libcuda.so.1 --\n", "libnvidia-opencl.so.1", "uses the driver of Windows"},
		{"", "libnvidia-opencl.so.1", "Reinstall the NVIDIA driver's"},
		{docker, "libpocl.so.2", "Reinstall the package"},
	} {
		u := DriverFile(t.Context(), hosttest.Parse(t, "-- platform --\nlinux/amd64\n"+tt.files), "/etc/x.icd", tt.library)
		if u.Reason != facts.MissingFile || !strings.Contains(u.Remedy, tt.remedy) || !strings.Contains(u.Detail, tt.library) {
			t.Errorf("%s: %+v, want %q", tt.library, u, tt.remedy)
		}
	}
}
