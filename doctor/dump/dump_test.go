package dump

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/probe"
)

const smi = `+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 550.90.07              Driver Version: 550.90.07      CUDA Version: 12.4     |
|-----------------------------------------+------------------------+----------------------+
| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |
| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |
|=========================================+========================+======================|
|   0  NVIDIA Test 4000 Ada Gene...   Off |   00000000:01:00.0 Off |                  N/A |
| 30%   41C    P8             10W /  70W  |     100MiB /   8188MiB |      0%      Default |
+-----------------------------------------+------------------------+----------------------+
| Processes:                                                                              |
|    0   N/A  N/A      1234      G   /usr/lib/xorg/Xorg                            50MiB |
+-----------------------------------------------------------------------------------------+
`

const nvcc = `nvcc: NVIDIA (R) Cuda compiler driver
Cuda compilation tools, release 12.4, V12.4.99
`

const build = `General configuration for OpenCV 4.6.0 =====================================
  Version control:               4.6.0

  Platform:
    Timestamp:                   2022-06-05T15:22:52Z
    Host:                        Linux 5.4.0-113-generic x86_64
    CMake:                       3.16.3
  CPU/HW features:
    Baseline:                    SSE SSE2 SSE3
      requested:                 SSE3
    Dispatched code generation:  SSE4_1 AVX2
  C/C++:
    C++ Compiler:                /usr/bin/c++  (ver 9.4.0)
  OpenCV modules:
    To be built:                 core dnn imgproc
    Disabled:                    world
    Unavailable:                 java
  Video I/O:
    FFMPEG:                      YES
    GStreamer:                   NO
  Parallel framework:            pthreads
  NVIDIA CUDA:                   NO
  OpenCL:                        YES (no extra features)
  Python 3:
    Interpreter:                 /usr/bin/python3 (ver 3.8.10)
-----------------------------------------------------------------
`

const clinfo = `Number of platforms                               1
  Platform Name                                   Test Platform
  Platform Vendor                                 Test
  Platform Version                                OpenCL 3.0

  Platform Name                                   Test Platform
Number of devices                                 2
  Device Name                                     GPU one
  Device Version                                  OpenCL 3.0
  Driver Version                                  23.1
  Device Type                                     GPU
  Device Available                                Yes
  Max compute units                               16
  Global memory size                              8589934592 (8GiB)
  Device Name                                     CPU two
  Device Type                                     CPU
NULL platform behavior
  clGetPlatformInfo(NULL, CL_PLATFORM_NAME, ...)  No platform
`

const amd = "Number of platforms:\t\t\t\t 1\n  Platform Profile:\t\t\t\t FULL_PROFILE\n  Platform Version:\t\t\t\t OpenCL 2.1 Test\n  Platform Name:\t\t\t\t Test AMD\n  Platform Vendor:\t\t\t\t Test\n\n  Platform Name:\t\t\t\t Test AMD\nNumber of devices:\t\t\t\t 1\n  Device Type:\t\t\t\t\t CL_DEVICE_TYPE_GPU\n  Board name:\t\t\t\t\t Board X\n  Global memory size:\t\t\t\t 8573157376\n  Name:\t\t\t\t\t\t gfx900\n"

const vswhere = `[
  {
    "instanceId": "1a2b3c4d",
    "installationPath": "C:\\VS\\2022\\Community",
    "installationVersion": "17.10.34928.147",
    "productId": "Microsoft.VisualStudio.Product.Community",
    "isComplete": true,
    "catalog": {"productLineVersion": "2022"}
  }
]
`

const vswhereText = `instanceId: 1a2b3c4d
installationPath: C:\VS\2022\Community
installationVersion: 17.10.34928.147
productId: Microsoft.VisualStudio.Product.Community
`

const vssetup = `[ { "InstanceId": "aa", "InstallationPath": "C:\\VS", "InstallationVersion": {"Major": 17, "Minor": 8, "Build": 1, "Revision": 2},
  "Product": {"Id": "Microsoft.VisualStudio.Product.BuildTools"}, "CatalogInfo": [{"Key": "ProductLineVersion", "Value": "2022"}] } ]
`

const setupList = `InstanceId          : aa
InstallationVersion : 17.8.1.2
InstallationPath    : C:\VS
`

const x86 = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: Test CPU @ 2.00GHz\nphysical id\t: 0\ncpu cores\t: 2\nflags\t\t: fpu mmx sse sse2 lm ssse3\nbogomips\t: 4000.00\n\nprocessor\t: 1\nvendor_id\t: GenuineIntel\nmodel name\t: Test CPU @ 2.00GHz\nphysical id\t: 0\ncpu cores\t: 2\nflags\t\t: fpu mmx sse sse2 lm ssse3\n"

const arm = "processor\t: 0\nBogoMIPS\t: 38.40\nFeatures\t: fp asimd crc32 asimddp\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd0b\n"

func TestRead(t *testing.T) {
	for name, c := range map[string]struct{ text, kind, want string }{
		"nvidia-smi":      {smi, NvidiaSMI, `{"cuda_max":"12.4","driver":"550.90.07","gpus":[{"index":0,"memory_mib":8188,"name":"NVIDIA Test 4000 Ada Gene...","pci":"0000:01:00.0"}]}`},
		"csv":             {"name, driver_version, memory.total [MiB]\nTest GPU, 535.54.03, 16384 MiB\n", NvidiaSMI, `{"driver":"535.54.03","gpus":[{"index":0,"memory_mib":16384,"name":"Test GPU"}]}`},
		"nvcc":            {nvcc, NVCC, `{"nvcc_version":"12.4.99","release":"12.4"}`},
		"clinfo":          {clinfo, CLInfo, `{"platforms":[{"devices":[{"driver":"23.1","memory_mib":8192,"name":"GPU one","type":"GPU","version":"OpenCL 3.0"},{"name":"CPU two","type":"CPU"}],"name":"Test Platform","vendor":"Test","version":"OpenCL 3.0"}]}`},
		"AMD's clinfo":    {amd, CLInfo, `{"platforms":[{"devices":[{"board":"Board X","memory_mib":8176,"name":"gfx900","type":"GPU"}],"name":"Test AMD","vendor":"Test","version":"OpenCL 2.1 Test"}]}`},
		"no platform":     {"Number of platforms                               0\n", CLInfo, `{"platforms":[]}`},
		"vswhere":         {"x:\\> vswhere -format json\n" + vswhere, VSWhere, `{"instances":[{"complete":true,"id":"1a2b3c4d","path":"C:\\VS\\2022\\Community","product":"Microsoft.VisualStudio.Product.Community","version":"17.10.34928.147","year":"2022"}]}`},
		"vswhere text":    {vswhereText, VSWhere, `{"instances":[{"id":"1a2b3c4d","path":"C:\\VS\\2022\\Community","product":"Microsoft.VisualStudio.Product.Community","version":"17.10.34928.147"}]}`},
		"vssetup":         {vssetup, VSSetup, `{"instances":[{"id":"aa","path":"C:\\VS","product":"Microsoft.VisualStudio.Product.BuildTools","version":"17.8.1.2","year":"2022"}]}`},
		"vssetup list":    {setupList, VSSetup, `{"instances":[{"id":"aa","path":"C:\\VS","version":"17.8.1.2"}]}`},
		"cpuinfo":         {x86, CPUInfo, `{"cores":2,"features":["fpu","mmx","sse","sse2","lm","ssse3"],"model":"Test CPU @ 2.00GHz","processors":2,"vendor":"GenuineIntel"}`},
		"wrapped cpuinfo": {strings.ReplaceAll(x86, "sse2 lm", "sse2\nlm"), CPUInfo, `{"cores":2,"features":["fpu","mmx","sse","sse2","lm","ssse3"],"model":"Test CPU @ 2.00GHz","processors":2,"vendor":"GenuineIntel"}`},
		"buildinfo":       {build, BuildInfo, `{"compiler":"/usr/bin/c++  (ver 9.4.0)","cpu_baseline":"SSE SSE2 SSE3","cpu_dispatch":"SSE4_1 AVX2","cuda":"NO","ffmpeg":"YES","gstreamer":"NO","host":"Linux 5.4.0-113-generic x86_64","modules":"core dnn imgproc","modules_disabled":"world","modules_unavailable":"java","opencl":"YES (no extra features)","parallel":"pthreads","platform":"Linux x86_64","python":"/usr/bin/python3 (ver 3.8.10)","version":"4.6.0"}`},
	} {
		for how, text := range map[string]string{
			"plain": c.text, "quoted": "> " + strings.ReplaceAll(strings.TrimSuffix(c.text, "\n"), "\n", "\n> ") + "\n",
			"in a CI log": "2026-01-02T03:04:05.678Z " + strings.ReplaceAll(strings.TrimSuffix(c.text, "\n"), "\n", "\n2026-01-02T03:04:05.678Z ") + "\n",
			"CRLF":        strings.ReplaceAll(c.text, "\n", "\r\n"),
		} {
			list, err := ReadFrom(strings.NewReader(text))
			if err != nil || len(list) != 1 {
				t.Errorf("%s, %s: %d reports, %v", name, how, len(list), err)
				continue
			}
			got, err := json.Marshal(list[0].Facts)
			if err != nil || list[0].Kind != c.kind || string(got) != c.want {
				t.Errorf("%s, %s: %s %s %v\nwant %s", name, how, list[0].Kind, got, err, c.want)
			}
		}
	}
}

func TestNoReport(t *testing.T) {
	for _, text := range []string{"", "-- The Processor is fast\n", "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n", "processor: Intel\n", `{"name": "x", "driver_version": 3}` + "\n", "instanceId\n"} {
		if list := Read(text); len(list) != 0 {
			t.Errorf("%q: %+v", text, list)
		}
	}
}

func TestMachines(t *testing.T) {
	other := strings.ReplaceAll(smi, "550.90.07", "535.54.03")
	for name, c := range map[string]struct {
		text  string
		count []int
	}{
		"one":             {smi + nvcc + build, []int{3}},
		"the same twice":  {smi + nvcc + smi, []int{2}},
		"two":             {smi + nvcc + "the other one:\n" + other, []int{2, 1}},
		"two processors":  {x86 + arm, []int{1, 1}},
		"all in one text": {build + smi + nvcc + clinfo + x86, []int{5}},
	} {
		list := Machines(Read(c.text))
		if len(list) != len(c.count) {
			t.Errorf("%s: %d machines, not %d", name, len(list), len(c.count))
			continue
		}
		for i, m := range list {
			if len(m.Reports) != c.count[i] {
				t.Errorf("%s: machine %d has %d reports, not %d", name, i, len(m.Reports), c.count[i])
			}
		}
	}
}

func TestKnown(t *testing.T) {
	m := Machines(Read(build + smi + nvcc + x86))[0]
	all := []probe.Probe{{Provides: []string{"cpu"}}, {Provides: []string{"opencv"}}, {Provides: []string{"cuda", "nvidia-driver", "cudnn"}}, {Provides: []string{"os"}}, {Provides: []string{"gpus"}}}
	f, err := m.Probe(all).Run(t.Context(), m.Host())
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Problems) != 1 || strings.Join(f.Problems[0].Covers, " ") != "cudnn" {
		t.Errorf("problems %+v", f.Problems)
	}
	if f.OS.Family != "linux" || f.OS.Arch != "amd64" || f.CPU.Model != "Test CPU @ 2.00GHz" || len(f.GPUs) != 1 || f.GPUs[0].Memory != 8188<<20 {
		t.Errorf("%+v %+v %+v", f.OS, f.CPU, f.GPUs)
	}
	cv := f.Components["opencv"][0]
	if cv.Version != "4.6.0" || !cv.HasPart("dnn") || cv.Partial == nil || strings.Join(cv.Partial.Lacks, " ") != "cuda gstreamer world java" {
		t.Errorf("%+v %+v", cv, cv.Partial)
	}
	if d := f.Components["nvidia-driver"][0]; d.Version != "550.90.07" || d.Attrs["driver_max_cuda"] != "12.4" {
		t.Errorf("%+v", d)
	}
	if k := f.Components["cuda"][0]; k.Version != "12.4" || !k.HasPart("nvcc") {
		t.Errorf("%+v", k)
	}
	windows := Machines(Read(vswhere))[0]
	f, err = windows.Probe(nil).Run(t.Context(), windows.Host())
	if err != nil || f.OS.Family != "windows" || f.Components["visual-studio"][0].Version != "17.10.34928.147" {
		t.Errorf("%v %+v", err, f.Components)
	}
}

// FuzzRead reads any text: nothing crashes, and what is read can become facts.
func FuzzRead(f *testing.F) {
	for _, text := range []string{smi, nvcc, build, clinfo, amd, vswhere, vswhereText, vssetup, setupList, x86, arm} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range Machines(Read(text)) {
			if found, err := m.Probe(nil).Run(t.Context(), m.Host()); err != nil {
				t.Errorf("%v %v", found, err)
			}
			if _, err := json.Marshal(m.Facts()); err != nil {
				t.Error(err)
			}
		}
	})
}
