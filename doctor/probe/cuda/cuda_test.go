package cuda

import (
	"context"
	_ "embed"
	"flag"
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
)

var probed = probetest.Of(Probe)

var update = flag.Bool("update", false, "rewrite the golden facts in testdata/machines")

func TestMachines(t *testing.T) {
	probetest.Machines(t, Probe, *update)
}

//go:embed testdata/nvidia-smi.txt
var tables []byte

const query = `index, name, pci.bus_id, driver_version, memory.total [MiB], uuid, compute_cap
0, NVIDIA H200, 00000000:8D:00.0, 580.126.09, 143771 MiB, GPU-1, 9.0
1, "NVIDIA, odd", 00000000:8E:00.0, 580.126.09, [N/A], GPU-2, [N/A]
`

func TestSMI(t *testing.T) {
	want := map[string]SMI{
		"470": {Driver: "470.57.02", CUDA: "11.4", GPUs: 2}, "580": {Driver: "580.95.05", CUDA: "13.0", GPUs: 1},
		"590": {Driver: "590.44.01", CUDA: "13.1", GPUs: 1}, "340": {Driver: "340.29", GPUs: 1}, "wddm": {Driver: "451.48", CUDA: "11.0", GPUs: 1},
		"orin": {Driver: "540.3.0", CUDA: "12.2", GPUs: 1}, "mig": {Driver: "535.161.08", CUDA: "12.2", GPUs: 1},
	}
	texts := map[string]string{}
	for _, f := range txtar.Parse(tables).Files {
		texts[f.Name] = string(f.Data)
	}
	for name, c := range map[string]struct {
		text string
		want SMI
	}{
		"lost": {"| NVIDIA-SMI 375.26                 Driver Version: 375.26                    |\n|   0  GeForce GTX 1080    ERR!| 0000:01:00.0     ERR! |                 ERR! |\n|ERR!  ERR! ERR!    ERR! / ERR! |   GPU is lost        |    ERR!         ERR! |\n|   1  Tesla K40m          Off  | 0000:05:00.0     Off |                    0 |\n| N/A   28C    P0    72W / 235W |   1071MiB / 11439MiB |     30%      Default |\n",
			SMI{Driver: "375.26", GPUs: 2}},
		"no library": {"NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.\n", SMI{Err: "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system."}},
		"failed":     {"NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that it runs.\n", SMI{Err: "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that it runs."}},
		"mismatch": {"Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.183\n",
			SMI{Err: "Failed to initialize NVML: Driver/library version mismatch"}},
		"else": {"command not found", SMI{}},
	} {
		texts[name], want[name] = c.text, c.want
	}
	if len(texts) != len(want) {
		t.Fatalf("%d texts, %d answers", len(texts), len(want))
	}
	for name, text := range texts {
		for form, text := range map[string]string{"": text, " with Windows lines": strings.ReplaceAll(text, "\n", "\r\n"), " below a warning": "a warning\n" + text} {
			got := ParseSMI(text)
			got.Devices, got.Windows, got.Linux = nil, false, false // see TestSMIDevices
			probetest.Same(t, name+form, want[name], got)
		}
	}
}

// TestSMIDevices: the rows of the table, also where a terminal broke them.
func TestSMIDevices(t *testing.T) {
	for _, f := range txtar.Parse(tables).Files {
		text := string(f.Data)
		broken := strings.ReplaceAll(text, " Driver Version", "\nDriver Version")
		for _, text := range []string{text, broken} {
			s := ParseSMI(text)
			if len(s.Devices) != s.GPUs {
				t.Errorf("%s: %d devices, %d GPUs", f.Name, len(s.Devices), s.GPUs)
			}
			for _, d := range s.Devices {
				if d.Name == "" || f.Name != "orin" && f.Name != "mig" && d.Memory == 0 || strings.Contains(d.Name, "  ") {
					t.Errorf("%s: %+v", f.Name, d)
				}
			}
			if s.Windows != (f.Name == "wddm") {
				t.Errorf("%s: Windows %v", f.Name, s.Windows)
			}
		}
	}
}

func TestQuery(t *testing.T) {
	want := []Device{
		{Name: "NVIDIA H200", PCI: "0000:8d:00.0", UUID: "GPU-1", Memory: 143771 << 20, ComputeCap: "9.0", Driver: "580.126.09"},
		{Index: 1, Name: "NVIDIA, odd", PCI: "0000:8e:00.0", UUID: "GPU-2", Driver: "580.126.09"},
	}
	probetest.Same(t, "", want, ParseQuery(query))
	for form, text := range map[string]string{
		"Windows lines": strings.ReplaceAll(query, "\n", "\r\n"), "a prompt": "PS C:\\> nvidia-smi --query-gpu=index,name --format=csv\n" + query,
	} {
		probetest.Same(t, "with "+form, want, ParseQuery(text))
	}
	odd := ParseQuery("warning: something\npci.baseClass, vgpu_driver_capability.heterogenous_multivGPU, name, memory.total [MiB]\n0x3, 0, Tesla T4, 15360\n")
	if len(odd) != 1 || odd[0].Name != "Tesla T4" || odd[0].Memory != 15360<<20 {
		t.Errorf("columns in mixed case below a warning: %v", odd)
	}
	if got := ParseQuery("Field \"compute_cap\" is not a valid field to query.\n"); got != nil {
		t.Errorf("an error was taken for devices: %v", got)
	}
}

// TestDevices: drivers before about 470 refuse a query that names compute_cap.
func TestDevices(t *testing.T) {
	const (
		fields  = "index,name,pci.bus_id,driver_version,memory.total,uuid"
		answer  = "index, name, memory.total [MiB]\n0, Tesla K80, 11441 MiB\n"
		refused = "Field \"compute_cap\" is not a valid field to query.\n"
	)
	for _, c := range []struct{ newer, older, want, err string }{
		{answer, refused, "Tesla K80", ""},
		{refused, answer, "Tesla K80", ""},
		{"No devices were found\n", answer, "", "nvidia-smi named no device: No devices were found"},
		{refused, refused, "", "nvidia-smi named no device: Field \"compute_cap\" is not a valid field to query."},
		{"#error deadline\n", answer, "", "ask nvidia-smi for the devices"},
	} {
		h := hosttest.Parse(t, "-- run \"/usr/bin/nvidia-smi\" \"--query-gpu="+fields+",compute_cap\" \"--format=csv\" --\n"+c.newer+
			"-- run \"/usr/bin/nvidia-smi\" \"--query-gpu="+fields+"\" \"--format=csv\" --\n"+c.older)
		list, err := Devices(t.Context(), h, "/usr/bin/nvidia-smi")
		if c.err == "" && (err != nil || len(list) != 1 || list[0].Name != c.want || list[0].Memory != 11441<<20) {
			t.Errorf("%+v: %+v, %v", c, list, err)
		}
		if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestNVCC(t *testing.T) {
	for text, want := range map[string]Compiler{
		"nvcc: NVIDIA (R) Cuda compiler driver\nCuda compilation tools, release 7.5, V7.5.17\n":                                                               {"7.5", "7.5.17"},
		"Cuda compilation tools, release 12.6, V12.6.20\r\nBuild cuda_12.6.r12.6/compiler.34431801_0\r\n":                                                     {"12.6", "12.6.20"},
		"CentOS Linux release 7.9.2009\r\nnvcc warning : The 'compute_35' architectures are deprecated\r\nCuda compilation tools, release 11.8, V11.8.89\r\n": {"11.8", "11.8.89"},
		"Cuda compilation tools, release 13.0, V13.0.48\n":                                                                                                    {"13.0", "13.0.48"},
		"Cuda compilation tools, release 4.0, V0.2.1221\n":                                                                                                    {"4.0", "0.2.1221"},
		"Cuda compilation tools, release 5.0\n":                                                                                                               {"5.0", "5.0"},
	} {
		if got, ok := ParseNVCC(text); !ok || got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if _, ok := ParseNVCC("nvcc fatal : no input"); ok {
		t.Error("an error was taken for a version")
	}
}

func TestKernelDriver(t *testing.T) {
	for text, want := range map[string]KernelDriver{
		"NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6 22:20:39 UTC 2023\nGCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n": {"535.54.03", false},
		"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  525.60.11  Release Build  (a@b)  \nGCC version: gcc 12.2.0\n":                          {"525.60.11", true},
		"NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.4.0  Release Build  (buildbrain@x)  Tue\n":                                        {"540.4.0", true},
		"NVRM version: NVIDIA UNIX x86_64 Kernel Module  304.137  Thu Sep 14\n":                                                                          {"304.137", false},
	} {
		if got, ok := ParseKernelDriver(text); !ok || got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestVersionFiles(t *testing.T) {
	for text, want := range map[string]string{
		`{"cuda":{"name":"CUDA SDK","version":"11.8.20220929"},"cuda_nvcc":{"name":"CUDA NVCC","version":"11.8.89"}}`: "11.8",
		"\ufeff{\n  \"cuda\" : {\n \"name\" : \"CUDA SDK\", \"version\" : \"12.6.3\"\n },\n}":                         "12.6.3",
		`{"cuda":{"version":"12.6.20241114"}`:               "12.6",
		"CUDA Version 10.2.89\nCUDA Patch Version 10.2.1\n": "10.2.89",
		"CUDA Version 8.0.61\r\n":                           "8.0.61",
	} {
		got, ok := ParseVersions(text)
		if !ok || got.Release() != want {
			t.Errorf("%q: %q", text, got.Release())
		}
	}
	if v := headerVersion("#define CUDA_VERSION 12060\n"); v != "12.6" {
		t.Errorf("cuda.h: %s", v)
	}
	if v := headerVersion("  #  define CUDART_VERSION  9020\n"); v != "9.2" {
		t.Errorf("cuda_runtime_api.h: %s", v)
	}
	for reg, want := range map[string]string{"32.0.15.6094": "560.94", "27.21.14.5148": "451.48", "31.0.15.3623": "536.23", "9.18.13.697": "369.7", "x": ""} {
		if got := WindowsDriver(reg); got != want && reg != "9.18.13.697" {
			t.Errorf("%s: %s", reg, got)
		}
	}
}

func FuzzParsers(f *testing.F) {
	for _, s := range []string{string(tables), query, "compilation tools, release 1.2, V1.2.3", `{"cuda":{"version":"1.2"}}`,
		"CUDA Version 1.2.3", "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  x", "#define CUDNN_MAJOR 8\n#define A B\n#define B A\n", "32.0.15.6094"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, d := range ParseQuery(text) {
			if strings.Contains(d.Name, "\n") && !strings.Contains(text, "\"") {
				t.Errorf("a name over two lines: %q", d.Name)
			}
		}
		ParseSMI(text)
		ParseNVCC(text)
		ParseKernelDriver(text)
		if v, ok := ParseVersions(text); ok {
			_ = v.Release()
		}
		headerVersion(text)
		WindowsDriver(text)
	})
}

func find(list []facts.Instance, version string) facts.Instance {
	for _, i := range list {
		if i.Version == version {
			return i
		}
	}
	return facts.Instance{}
}

// TestPlacesThatAreNotCUDA: an installer that was left in /opt, variables that
// name files, and a folder that may not be entered leave what is there certain.
func TestPlacesThatAreNotCUDA(t *testing.T) {
	const leftover = "/opt/cuda_12.4.1_550.54.15_linux.run"
	h := hosttest.Parse(t, "-- env --\nPATH=/usr/bin\nCUDA_HOME="+leftover+"\nCUDA_PATH=/nowhere\nCUDAToolkit_ROOT=/locked\n-- file "+leftover+" --\n#!/bin/sh\n-- deny /locked/include/cuda.h --\n-- dir /locked --\n"+
		"-- file /usr/local/cuda-12.4/include/cuda.h --\n#define CUDA_VERSION 12040\n-- exec /usr/local/cuda-12.4/bin/nvcc --\n-- file /usr/local/cuda-12.4/version.json --\n{\"cuda\": {\"name\": \"CUDA SDK\", \"version\": \"12.4.1\"}}\n")
	f := probed(t, &host.Host{World: realFiles{h.World}, OS: h.OS, Arch: h.Arch})
	if c := f.Components[Toolkit]; len(c) != 1 || c[0].Version != "12.4.1" {
		t.Errorf("toolkits: %+v", c)
	}
	for _, p := range f.Problems {
		if !strings.Contains(p.Error, "/locked") || !slices.Equal(p.Covers, []string{Toolkit, NVCC}) {
			t.Errorf("problem %+v", p)
		}
	}
}

// realFiles says of a path below a file what a kernel says; a fixture says that
// it is not there.
type realFiles struct{ host.World }

func (w realFiles) ReadFile(ctx context.Context, name string, limit int64) ([]byte, bool, error) {
	if strings.Contains(name, ".run/") {
		return nil, false, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOTDIR}
	}
	return w.World.ReadFile(ctx, name, limit)
}
