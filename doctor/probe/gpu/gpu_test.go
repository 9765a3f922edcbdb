package gpu

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

func TestEmptyHost(t *testing.T) {
	for _, os := range []string{"linux", "darwin", "windows"} {
		f, err := Probe(t.Context(), hosttest.Empty(os, "amd64"))
		if err != nil || len(f.GPUs) != 0 || len(f.Components) != 0 {
			t.Errorf("%s: %+v, %v", os, f, err)
		}
	}
}

const linux = `
-- env --
PATH=/usr/bin
-- file /sys/bus/pci/devices/0000:00:00.0/class --
0x060000
-- file /sys/bus/pci/devices/0000:01:00.0/class --
0x030000
-- file /sys/bus/pci/devices/0000:01:00.0/vendor --
0x10de
-- file /sys/bus/pci/devices/0000:01:00.0/device --
0x2684
-- file /sys/bus/pci/devices/0000:01:00.0/boot_vga --
1
-- link /sys/bus/pci/devices/0000:01:00.0/driver --
/sys/bus/pci/drivers/nvidia
-- dir /sys/bus/pci/drivers/nvidia --
-- file /sys/module/nvidia/version --
535.54.03
-- file /sys/bus/pci/devices/0000:03:00.0/class --
0x038000
-- file /sys/bus/pci/devices/0000:03:00.0/vendor --
0x1002
-- file /sys/bus/pci/devices/0000:03:00.0/device --
0x73bf
-- file /sys/bus/pci/devices/0000:03:00.0/mem_info_vram_total --
17163091968
-- dir /sys/bus/pci/devices/0000:03:00.0/drm/renderD128 --
-- link /sys/bus/pci/devices/0000:03:00.0/driver --
/sys/bus/pci/drivers/amdgpu
-- dir /sys/bus/pci/drivers/amdgpu --
-- file /sys/class/kfd/kfd/topology/nodes/1/properties --
simd_count 144
gfx_target_version 100300
location_id 768
domain 0
-- file /sys/bus/pci/devices/0000:05:00.0/class --
0x030000
-- file /sys/bus/pci/devices/0000:05:00.0/vendor --
0x8086
-- file /sys/bus/pci/devices/0000:05:00.0/device --
0x56a0
-- file /usr/share/misc/pci.ids --
# List of PCI IDs
1002  Advanced Micro Devices, Inc. [AMD/ATI]
	73bf  Navi 21 [Radeon RX 6800]
		1002 0001  a subsystem
10de  NVIDIA Corporation
	2684  AD102 [GeForce RTX 4090]
8086  Intel Corporation
	0d57  Host bridge
-- file /dev/nvidiactl --
-- run "/usr/bin/nvidia-smi" "--query-gpu=index,name,pci.bus_id,driver_version,memory.total,uuid,compute_cap" "--format=csv" --
index, name, pci.bus_id, driver_version, memory.total [MiB], uuid, compute_cap
0, NVIDIA GeForce RTX 4090, 00000000:01:00.0, 535.54.03, 24564 MiB, GPU-1, 8.9
-- file /opt/rocm-6.0.2/.info/version --
6.0.2-115
-- link /opt/rocm --
/opt/rocm-6.0.2
-- exec /opt/rocm-6.0.2/bin/hipcc --
-- file /dev/kfd --
-- file /usr/share/vulkan/icd.d/lvp_icd.x86_64.json --
{"ICD": {"api_version": "1.3.230", "library_path": "/usr/lib/x86_64-linux-gnu/libvulkan_lvp.so"}, "file_format_version": "1.0.0"}
-- file /usr/lib/x86_64-linux-gnu/libvulkan_lvp.so --
-- file /etc/vulkan/icd.d/nvidia_icd.json --
{"file_format_version": "1.0.0", "ICD": {"library_path": "libGLX_nvidia.so.0", "api_version": "1.3.242"}}
-- file /etc/vulkan/icd.d/broken.json --
{"ICD": 
-- file /usr/lib/x86_64-linux-gnu/libvulkan.so.1.3.239 --
-- link /usr/lib/x86_64-linux-gnu/libvulkan.so.1 --
/usr/lib/x86_64-linux-gnu/libvulkan.so.1.3.239
`

func TestLinux(t *testing.T) {
	f, err := Probe(t.Context(), hosttest.Parse(t, linux))
	if err != nil {
		t.Fatal(err)
	}
	want := []facts.GPU{
		{
			Vendor: "nvidia", Name: "NVIDIA GeForce RTX 4090", PCI: "0000:01:00.0", ID: "10de:2684", Driver: "nvidia", DriverVersion: "535.54.03",
			Memory: 24564 << 20, ComputeCapability: "8.9", Attrs: map[string]string{"class": "030000", "boot": "yes", "uuid": "GPU-1", "index": "0"},
		},
		{
			Vendor: "amd", Name: "Navi 21 [Radeon RX 6800]", PCI: "0000:03:00.0", ID: "1002:73bf", Driver: "amdgpu", Memory: 17163091968,
			NoNode: "/dev/dri/renderD128",
			Attrs:  map[string]string{"class": "038000", "render": "/dev/dri/renderD128", "render_missing": "yes", "gfx": "gfx1030"},
		},
		{
			Vendor: "intel", PCI: "0000:05:00.0", ID: "8086:56a0",
			Attrs: map[string]string{"class": "030000", "problem": "no kernel driver is bound to it"},
		},
	}
	if diff := cmp.Diff(want, f.GPUs, cmpopts.IgnoreFields(facts.GPU{}, "Evidence")); diff != "" {
		t.Error(diff)
	}
	if r, _ := f.Active(ROCm); r.Version != "6.0.2" || r.Path != "/opt/rocm-6.0.2" || !r.HasPart("kfd") || !r.HasPart("hipcc") || !slices.Contains(r.Via, "/opt/rocm") {
		t.Errorf("rocm: %+v", f.Components[ROCm])
	}
	if l, _ := f.Active(VulkanLoader); l.Version != "1.3.239" {
		t.Errorf("vulkan-loader: %+v", l)
	}
	v, _ := f.Active(Vulkan)
	if v.Version != "1.3.230" || !v.HasPart("cpu") || len(f.Components[Vulkan]) != 3 {
		t.Errorf("vulkan: %+v", f.Components[Vulkan])
	}
	states := map[string]bool{}
	for _, i := range f.Components[Vulkan] {
		states[i.Attrs["state"]] = true
	}
	if !states["missing"] || !states["broken"] {
		t.Errorf("states: %v", states)
	}
}

func TestJetson(t *testing.T) {
	f, err := Probe(t.Context(), hosttest.Parse(t, "-- platform --\nlinux/arm64\n-- file /proc/device-tree/model --\nNVIDIA Jetson Orin Nano\x00\n"+
		"-- file /proc/device-tree/compatible --\nnvidia,p3768\x00nvidia,tegra234\x00\n"+
		"-- file /etc/nv_tegra_release --\n# R36 (release), REVISION: 4.0, GCID: 1, BOARD: generic, EABI: aarch64, DATE: x\n"))
	if err != nil || len(f.GPUs) != 1 {
		t.Fatalf("%+v, %v", f.GPUs, err)
	}
	g := f.GPUs[0]
	// The fixture format ends a file in a newline, which the last entry of a
	// device tree's list does not have; the chip stands before it here.
	if g.Name != "NVIDIA Jetson Orin Nano" || g.ComputeCapability != "8.7" || g.Attrs["l4t"] != "36.4.0" {
		t.Errorf("%+v", g)
	}
}

func TestPlatformGPU(t *testing.T) {
	f, err := Probe(t.Context(), hosttest.Parse(t, `
-- platform --
linux/arm64
-- file /sys/class/drm/card0/device/uevent --
DRIVER=vc4-drm
OF_FULLNAME=/gpu
OF_COMPATIBLE_0=brcm,bcm2711-vc5
-- file /sys/class/drm/card1/device/uevent --
DRIVER=panfrost
OF_FULLNAME=/gpu@ff9a0000
OF_COMPATIBLE_0=rockchip,rk3399-mali
-- file /sys/class/drm/renderD128/device/uevent --
DRIVER=panfrost
OF_FULLNAME=/gpu@ff9a0000
OF_COMPATIBLE_0=rockchip,rk3399-mali
-- file /sys/class/drm/card2/device/uevent --
DRIVER=v3d
OF_FULLNAME=/v3dbus/v3d
OF_COMPATIBLE_0=brcm,2711-v3d
`))
	if err != nil || len(f.GPUs) != 2 || f.GPUs[0].Vendor != "arm" || f.GPUs[1].Vendor != "broadcom" {
		t.Errorf("%+v, %v", f.GPUs, err)
	}
}

func TestWindows(t *testing.T) {
	f, err := Probe(t.Context(), hosttest.Parse(t, `
-- platform --
windows/amd64
-- reg 64 HKLM\SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}\0000 --
DriverDesc=NVIDIA GeForce RTX 4090
ProviderName=NVIDIA
DriverVersion=32.0.15.6094
MatchingDeviceId=PCI\VEN_10DE&DEV_2684&SUBSYS_1
HardwareInformation.qwMemorySize=dword:25757220864
VulkanDriverName=C:\drv\nv-vk64.json
-- reg 64 HKLM\SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}\Properties --
DriverDesc=no
-- file C:\drv\nv-vk64.json --
{"ICD": {"library_path": ".\\nvoglv64.dll", "api_version": "1.3.280"}}
-- file C:\drv\nvoglv64.dll --
`))
	if err != nil || len(f.GPUs) != 1 {
		t.Fatalf("%+v, %v", f.GPUs, err)
	}
	g := f.GPUs[0]
	if g.Vendor != "nvidia" || g.ID != "10de:2684" || g.DriverVersion != "560.94" || g.Memory != 25757220864 {
		t.Errorf("%+v", g)
	}
	if v, ok := f.Active(Vulkan); !ok || v.Path != `C:\drv\nvoglv64.dll` || v.Version != "1.3.280" {
		t.Errorf("%+v", f.Components[Vulkan])
	}
}

const ioregApple = `+-o AGXAcceleratorG13X  <class AGXAcceleratorG13X, id 0x1, registered, matched, active>
    {
      "gpu-core-count" = 16
      "model" = "Apple M1 Pro"
      "MetalPluginName" = "AGXMetal13_3"
    }
`

const ioregPCI = `+-o GFX0@0  <class IOPCIDevice, id 0x2, registered>
  | {
  |   "class-code" = <00000300>
  |   "vendor-id" = <02100000>
  |   "device-id" = <40730000>
  |   "model" = <"AMD Radeon Pro 5300M">
  | }
+-o USB@0  <class IOPCIDevice, id 0x3>
    {
      "class-code" = <30030c00>
      "model" = <"no GPU">
    }
`

func TestMac(t *testing.T) {
	f, err := Probe(t.Context(), hosttest.Parse(t, `
-- platform --
darwin/arm64
-- run "/usr/sbin/ioreg" "-r" "-d" "1" "-w" "0" "-c" "IOAccelerator" --
`+ioregApple+`-- run "/usr/sbin/ioreg" "-r" "-d" "1" "-w" "0" "-c" "IOPCIDevice" --
`+ioregPCI))
	if err != nil || len(f.GPUs) != 2 {
		t.Fatalf("%+v, %v", f.GPUs, err)
	}
	if g := f.GPUs[0]; g.Vendor != "apple" || g.Name != "Apple M1 Pro" || g.Attrs["cores"] != "16" {
		t.Errorf("%+v", g)
	}
	if g := f.GPUs[1]; g.Vendor != "amd" || g.Name != "AMD Radeon Pro 5300M" || g.ID != "1002:7340" {
		t.Errorf("%+v", g)
	}
}

func TestNames(t *testing.T) {
	for v, want := range map[string]string{"100300": "gfx1030", "90010": "gfx90a", "90402": "gfx942", "110001": "gfx1101", "0": "", "x": "", "80003": "gfx803"} {
		if got := gfxName(v); got != want {
			t.Errorf("gfx_target_version %s: %s, want %s", v, got, want)
		}
	}
	if got := kfdAddress("0", "768"); got != "0000:03:00.0" {
		t.Error(got)
	}
}

func FuzzTexts(f *testing.F) {
	for _, s := range []string{ioregApple, ioregPCI, "10de  NVIDIA\n\t2684  AD102\n", `{"ICD":{"library_path":"x"}}`, `PCI\VEN_10DE&DEV_2684`, "100300"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		parseIOReg(s)
		if n := deviceName(s, "2684"); strings.Contains(n, "\n") {
			t.Errorf("a name over two lines: %q", n)
		}
		if m, err := parseManifest(s); err == nil && m.ICD.Library == "" {
			t.Error("a manifest without a library")
		}
		hardwareID(s)
		gfxName(s)
		kfdAddress(s, s)
		properties(s)
		if n := littleEndian(s); len(n) != 0 && len(n) != 6 {
			t.Errorf("littleEndian(%q) = %q", s, n)
		}
	})
}

type hostile struct{ host.World }

func (hostile) ReadFile(context.Context, string, int64) ([]byte, bool, error) {
	return []byte("0x030000\n\x00\xff nvidia,tegra"), true, nil
}
func (hostile) Search(context.Context, string, string, int64, int) ([]byte, error) {
	return []byte("\n\n\t\t\x00"), nil
}
func (hostile) ReadDir(context.Context, string) ([]host.Entry, error) {
	list := make([]host.Entry, 3000)
	for i := range list {
		list[i].Name = "card" + strings.Repeat("0", i%7)
	}
	return list, nil
}
func (hostile) Stat(context.Context, string) (host.Info, error)        { return host.Info{Exec: true}, nil }
func (hostile) Resolve(_ context.Context, name string) (string, error) { return name, nil }
func (hostile) Getenv(string) (string, bool)                           { return "/a:/b", true }
func (hostile) Run(context.Context, host.Command) (host.Output, error) {
	return host.Output{Stdout: []byte(strings.Repeat("name\nx\n", 9999))}, nil
}
func (hostile) RegistryKey(context.Context, string, string) (host.Key, error) {
	return host.Key{Values: map[string]host.Value{"DriverDesc": {String: " "}, "DriverVersion": {String: "1.2"}}, Subkeys: []string{"0000", "x"}}, nil
}

func TestHostileHost(t *testing.T) {
	for _, os := range []string{"linux", "darwin", "windows"} {
		f, _ := Probe(t.Context(), &host.Host{World: hostile{}, OS: os, Arch: "amd64"}) // no panic, no hang
		if len(f.GPUs) > maxGPUs {
			t.Errorf("%s: %d GPUs", os, len(f.GPUs))
		}
	}
}

// TestAccess: what this user may open, and which group may.
func TestAccess(t *testing.T) {
	const pci = "-- file /sys/bus/pci/devices/0000:03:00.0/class --\n0x038000\n-- file /sys/bus/pci/devices/0000:03:00.0/vendor --\n0x1002\n-- file /sys/bus/pci/devices/0000:03:00.0/device --\n0x73bf\n-- dir /sys/bus/pci/devices/0000:03:00.0/drm/renderD128 --\n"
	const groups = "-- file /etc/group --\nvideo:x:44:\nrender:x:993:ann,bob\n-- env --\nUSER="
	const open = "-- device /dev/dri/renderD128 --\n"
	for _, c := range []struct {
		name, host, node, group string
		joined                  bool
	}{
		{"open", groups + "eve\n" + open + "-- device /dev/kfd --\n", "", "", false},
		{"closed", groups + "eve\n-- device /dev/dri/renderD128 --\ndenied 993\n", "/dev/dri/renderD128", "render", false},
		{"joined", groups + "bob\n-- device /dev/dri/renderD128 --\ndenied 993\n", "/dev/dri/renderD128", "render", true},
		{"kfd", groups + "eve\n" + open + "-- device /dev/kfd --\ndenied 44\n", "/dev/kfd", "video", false},
		{"a group without a name", groups + "eve\n-- device /dev/dri/renderD128 --\ndenied 105\n", "/dev/dri/renderD128", "105", false},
		{"root's", groups + "eve\n-- device /dev/dri/renderD128 --\ndenied 0\n", "/dev/dri/renderD128", "", false},
		{"not even listed", groups + "eve\n-- deny /dev/dri/renderD128 --\n", "/dev/dri/renderD128", "render", false},
	} {
		f, err := Probe(t.Context(), hosttest.Parse(t, pci+c.host))
		if err != nil || len(f.GPUs) != 1 {
			t.Fatalf("%s: %v, %+v", c.name, err, f.GPUs)
		}
		if g := f.GPUs[0]; g.NoAccess != c.node || g.Group != c.group || g.Joined != c.joined {
			t.Errorf("%s: %q, %q, %v", c.name, g.NoAccess, g.Group, g.Joined)
		}
	}
}
