package gpu

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

var update = flag.Bool("update", false, "rewrite the golden facts in testdata/machines")

func TestMachines(t *testing.T) {
	probetest.Machines(t, Probe, *update)
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

// TestFiltered: which variable keeps the loader from a driver's file.
func TestFiltered(t *testing.T) {
	const only, never = "VK_LOADER_DRIVERS_SELECT", "VK_LOADER_DRIVERS_DISABLE"
	for _, c := range []struct{ env, want string }{
		{"", ""}, {never + "=*intel*", ""}, {never + "=intel*,*NVIDIA*", never}, {never + "=nvidia*", never}, {never + "=*icd.json", never},
		{never + "=nvidia", ""}, {never + "=nvidia_icd.json", never}, {never + "=~all~", never}, {only + "=*lvp*", only}, {only + "=*nvidia*", ""},
		{only + "=*nvidia*\n" + never + "=*", never},
	} {
		if got := filtered(hosttest.Parse(t, "-- env --\nPATH=/bin\n"+c.env+"\n"), "nvidia_icd.json"); got != c.want {
			t.Errorf("%s: %q, want %q", c.env, got, c.want)
		}
	}
}

// TestManyGPUs: what a host may claim is bounded.
func TestManyGPUs(t *testing.T) {
	linux, windows := "-- platform --\nlinux/amd64\n", "-- platform --\nwindows/amd64\n"
	for i := range 2 * maxGPUs {
		dir := fmt.Sprintf("%s/0000:%02x:%02x.0", pciDir, i/256, i%256)
		linux += "-- file " + dir + "/class --\n0x030000\n-- file " + dir + "/vendor --\n0x10de\n-- file " + dir + "/device --\n0x2684\n"
		windows += fmt.Sprintf("-- reg 64 HKLM\\SYSTEM\\CurrentControlSet\\Control\\Class\\%s\\%04d --\nDriverDesc= x\nDriverVersion=1.2\n", look.DisplayAdapters, i)
	}
	for _, fixture := range []string{linux, windows} {
		f, err := Probe(t.Context(), hosttest.Parse(t, fixture))
		if len(f.GPUs) != maxGPUs || err != nil {
			t.Errorf("%d GPUs, %v", len(f.GPUs), err)
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

// TestNotPassed: a container whose /dev has nothing of the GPU that the host's kernel drives.
func TestNotPassed(t *testing.T) {
	const dir = "/sys/bus/pci/devices/0000:03:00.0"
	const pci = "-- file " + dir + "/class --\n0x030000\n-- file " + dir + "/vendor --\n0x1002\n-- file " + dir + "/device --\n0x73ff\n"
	const bound, docker = "-- link " + dir + "/driver --\n/sys/bus/pci/drivers/amdgpu\n", "-- file /.dockerenv --\n"
	for name, c := range map[string]struct{ host, node string }{
		"a container":               {pci + bound + docker, "/dev/dri"},
		"a container of Podman":     {pci + bound + "-- file /run/.containerenv --\n", "/dev/dri"},
		"a machine":                 {pci + bound, ""},
		"no kernel driver":          {pci + docker, ""},
		"a driver without nodes":    {pci + strings.Replace(bound, "amdgpu", "vfio-pci", 1) + docker, ""},
		"a container that has them": {pci + bound + docker + "-- device /dev/dri/renderD128 --\n", ""},
	} {
		f, err := Probe(t.Context(), hosttest.Parse(t, c.host))
		if err != nil || len(f.GPUs) != 1 || f.GPUs[0].NoNode != c.node {
			t.Errorf("%s: %v, %+v, want %q", name, err, f.GPUs, c.node)
		}
	}
}

// TestVulkanFor32: a driver for 32-bit programs alone, by its head and by its folder.
func TestVulkanFor32(t *testing.T) {
	const manifest = "-- platform --\nlinux/amd64\n-- file /usr/share/vulkan/icd.d/radeon_icd.json --\n{\"ICD\": {\"library_path\": \"%s\", \"api_version\": \"1.3.255\"}}\n-- file %[1]s --\n%s\n"
	for name, c := range map[string]struct {
		file, head string
		want       bool
	}{
		"a 32-bit library":         {"/usr/lib/libvulkan_radeon.so", "\x7fELF\x01\x01\x01", true},
		"a 64-bit library":         {"/usr/lib/libvulkan_radeon.so", "\x7fELF\x02\x01\x01", false},
		"i386's folder, unread":    {"/usr/lib/i386-linux-gnu/libvulkan_radeon.so", "x", true},
		"its own folder, unread":   {"/usr/lib/x86_64-linux-gnu/libvulkan_radeon.so", "x", false},
		"64-bit in i386's, by ELF": {"/usr/lib/i386-linux-gnu/libvulkan_radeon.so", "\x7fELF\x02\x01\x01", false},
	} {
		f, err := Probe(t.Context(), hosttest.Parse(t, fmt.Sprintf(manifest, c.file, c.head)))
		if err != nil {
			t.Fatal(err)
		}
		v := f.Components[Vulkan]
		if len(v) != 1 || (v[0].Unusable != nil) != c.want {
			t.Errorf("%s: %+v", name, v)
		}
	}
}
