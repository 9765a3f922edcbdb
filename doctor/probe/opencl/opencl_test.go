package opencl

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

const human = `Number of platforms                               2
  Platform Name                                   Example GPU
  Platform Vendor                                 Example Corp.
  Platform Version                                OpenCL 3.0 EX 1.2
  Platform Profile                                FULL_PROFILE
  Platform Extensions                             cl_khr_icd
  Platform Extensions with Version                cl_khr_icd                                                       0x400000 (1.0.0)
  Platform Extensions function suffix             EX

  Platform Name                                   Portable Computing Language
  Platform Vendor                                 The pocl project
  Platform Version                                OpenCL 2.0 pocl 1.8
  Platform Profile                                FULL_PROFILE

  Platform Name                                   Example GPU
Number of devices                                 2
a driver's own chatter on standard output
  Device Name                                     Example X1 [0x9b41]
  Device Vendor                                   Example Corp.
  Device Vendor ID                                0x10de
  Device Version                                  OpenCL 3.0 EX
  Driver Version                                  535.54.03
  Device Type                                     GPU
  Device Available                                Yes
  Max compute units                               20
  Max clock frequency                             1777MHz
  Global memory size                              8361148416 (7.787GiB)
  Preferred work group size multiple (kernel)     32
  Device Extensions                               cl_khr_fp64 cl_khr_icd
  Device Name                                     Example X2
  Device Type                                     GPU
  Device Available                                No

  Platform Name                                   Portable Computing Language
Number of devices                                 1
  Device Name                                     pthread-example
  Device Type                                     CPU, Default

NULL platform behavior
  clCreateContextFromType(NULL, CL_DEVICE_TYPE_DEFAULT)  Success (1)
    Platform Name                                 Example GPU
    Device Name                                   Example X1 [0x9b41]

ICD loader properties
  ICD loader Name                                 OpenCL ICD Loader
  ICD loader Version                              2.2.14
`

const raw = `#PLATFORMS                                        1
  CL_PLATFORM_NAME                                Portable Computing Language
  CL_PLATFORM_VENDOR                              The pocl project
  CL_PLATFORM_VERSION                             OpenCL 3.0 PoCL 3.1
  CL_PLATFORM_ICD_SUFFIX_KHR                      POCL

[POCL/*]    CL_PLATFORM_NAME                                Portable Computing Language
[POCL/*]  #DEVICES                                          1
[POCL/0]    CL_DEVICE_NAME                                  cpu-example
[POCL/0]    CL_DEVICE_VERSION                               OpenCL 3.0 PoCL
[POCL/0]    CL_DRIVER_VERSION                               3.1
[POCL/0]    CL_DEVICE_TYPE                                  CL_DEVICE_TYPE_CPU
[POCL/0]    CL_DEVICE_AVAILABLE                             CL_TRUE
[POCL/0]    CL_DEVICE_MAX_COMPUTE_UNITS                     4
[POCL/0]    CL_DEVICE_GLOBAL_MEM_SIZE                       7879217152
[POCL/0]    CL_DEVICE_EXTENSIONS                            cl_khr_fp64 cl_khr_spir

[OCLICD/*]   CL_ICDL_VERSION                                 2.3.1
`

// AMD's own program of the same name.
const amd = "Number of platforms:\t\t\t\t 1\n" +
	"  Platform Profile:\t\t\t\t FULL_PROFILE\n" +
	"  Platform Version:\t\t\t\t OpenCL 2.0 AMD-APP (2450.0)\n" +
	"  Platform Name:\t\t\t\t AMD Accelerated Parallel Processing\n" +
	"  Platform Vendor:\t\t\t\t Advanced Micro Devices, Inc.\n\n\n" +
	"  Platform Name:\t\t\t\t AMD Accelerated Parallel Processing\n" +
	"Number of devices:\t\t\t\t 2\n" +
	"  Device Type:\t\t\t\t\t CL_DEVICE_TYPE_GPU\n" +
	"  Vendor ID:\t\t\t\t\t 1002h\n" +
	"  Board name:\t\t\t\t\t Radeon Example\n" +
	"  Max compute units:\t\t\t\t 64\n" +
	"  Max clock frequency:\t\t\t\t 1000Mhz\n" +
	"  Global memory size:\t\t\t\t 4294967296\n" +
	"  Platform ID:\t\t\t\t\t 0x7f\n" +
	"  Name:\t\t\t\t\t\t gfx803\n" +
	"  Vendor:\t\t\t\t\t Advanced Micro Devices, Inc.\n" +
	"  Driver version:\t\t\t\t 1.1 (HSA,LC)\n" +
	"  Version:\t\t\t\t\t OpenCL 1.2\n\n" +
	"  Device Type:\t\t\t\t\t CL_DEVICE_TYPE_CPU\n" +
	"  Board name:\t\t\t\t\t \n" +
	"  Name:\t\t\t\t\t\t Example CPU\n"

const asJSON = `{ "platforms" : [
 { "CL_PLATFORM_NAME" : "Example GPU", "CL_PLATFORM_VENDOR" : "Example Corp.", "CL_PLATFORM_VERSION" : "OpenCL 3.0 EX 1.2", "CL_PLATFORM_NUMERIC_VERSION" : { "raw" : 12582912, "version" : "3.0.0" }, "CL_PLATFORM_ICD_SUFFIX_KHR" : "EX" },
 { "CL_PLATFORM_NAME" : "Empty" }
 ], "devices" : [ { "online" : [ { "CL_DEVICE_NAME" : "X1", "CL_DEVICE_VERSION" : "OpenCL 3.0 EX", "CL_DRIVER_VERSION" : "535.54", "CL_DEVICE_TYPE" : { "raw" : 4, "type" : [ "CL_DEVICE_TYPE_GPU" ] }, "CL_DEVICE_AVAILABLE" : false, "CL_DEVICE_MAX_COMPUTE_UNITS" : 20, "CL_DEVICE_GLOBAL_MEM_SIZE" : 8361148416 } ] }, { "online" : [ ] } ],
 "icd_loader" : { "CL_ICDL_NAME" : "OpenCL ICD Loader", "CL_ICDL_VERSION" : "2.3.2" } }
`

const list = "Platform #0: Example GPU\n +-- Device #0: X1\n `-- Device #1: X2\nPlatform #1: Other\n `-- Device #0: Y\n"

func TestParseInfo(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want Info
	}{
		"human": {human, Info{Claimed: 2, Loader: "OpenCL ICD Loader", LoaderVersion: "2.2.14", Platforms: []Platform{
			{Name: "Example GPU", Vendor: "Example Corp.", Version: "OpenCL 3.0 EX 1.2", Profile: "FULL_PROFILE", Suffix: "EX", Claimed: 2, Devices: []Device{
				{Name: "Example X1 [0x9b41]", Vendor: "Example Corp.", Version: "OpenCL 3.0 EX", Driver: "535.54.03", Type: "GPU", Units: 20, MHz: 1777, Memory: 8361148416, Extensions: "cl_khr_fp64 cl_khr_icd"},
				{Name: "Example X2", Type: "GPU", Unavailable: true},
			}},
			{Name: "Portable Computing Language", Vendor: "The pocl project", Version: "OpenCL 2.0 pocl 1.8", Profile: "FULL_PROFILE", Claimed: 1, Devices: []Device{
				{Name: "pthread-example", Type: "CPU, Default"},
			}},
		}}},
		"raw": {raw, Info{Claimed: 1, LoaderVersion: "2.3.1", Platforms: []Platform{
			{Name: "Portable Computing Language", Vendor: "The pocl project", Version: "OpenCL 3.0 PoCL 3.1", Suffix: "POCL", Claimed: 1, Devices: []Device{
				{Name: "cpu-example", Version: "OpenCL 3.0 PoCL", Driver: "3.1", Type: "CPU", Units: 4, Memory: 7879217152, Extensions: "cl_khr_fp64 cl_khr_spir"},
			}},
		}}},
		"amd": {amd, Info{Claimed: 1, Platforms: []Platform{
			{Name: "AMD Accelerated Parallel Processing", Vendor: "Advanced Micro Devices, Inc.", Version: "OpenCL 2.0 AMD-APP (2450.0)", Profile: "FULL_PROFILE", Claimed: 2, Devices: []Device{
				{Name: "gfx803", Board: "Radeon Example", Vendor: "Advanced Micro Devices, Inc.", Version: "OpenCL 1.2", Driver: "1.1 (HSA,LC)", Type: "GPU", Units: 64, MHz: 1000, Memory: 4294967296},
				{Name: "Example CPU", Type: "CPU"},
			}},
		}}},
		"list": {list, Info{Claimed: -1, Platforms: []Platform{
			{Name: "Example GPU", Claimed: -1, Devices: []Device{{Name: "X1"}, {Name: "X2"}}}, {Name: "Other", Claimed: -1, Devices: []Device{{Name: "Y"}}},
		}}},
		"refused": {"Number of platforms  1\n  Platform Name  P\n\n  Platform Name  P\nNumber of devices  1\n  Device Name                                     <printDeviceInfo:0: get CL_DEVICE_NAME size : error -6>\n  Device Version  OpenCL 1.2\n  Max compute units                               <printDeviceInfo:12: get CL_DEVICE_MAX_COMPUTE_UNITS : error -30>\n",
			Info{Claimed: 1, Platforms: []Platform{{Name: "P", Claimed: 1, Devices: []Device{{Version: "OpenCL 1.2"}}}}}},
		"json": {asJSON, Info{Claimed: 2, Loader: "OpenCL ICD Loader", LoaderVersion: "2.3.2", Platforms: []Platform{
			{Name: "Example GPU", Vendor: "Example Corp.", Version: "OpenCL 3.0 EX 1.2", Suffix: "EX", Claimed: 1, Devices: []Device{
				{Name: "X1", Version: "OpenCL 3.0 EX", Driver: "535.54", Type: "GPU", Units: 20, Memory: 8361148416, Unavailable: true}}},
			{Name: "Empty"},
		}}},
		"json list": {`{ "platforms" : [ "A", "B" ], "devices" : [ { "online" : [ "X" ] }, { "online" : [ ] } ] }`, Info{Claimed: 2, Platforms: []Platform{
			{Name: "A", Claimed: 1, Devices: []Device{{Name: "X"}}}, {Name: "B"}}}},
		"raw list": {"0: Example GPU\n0.0: X1\n0.1: X2\n1: Other\n1.0: Y\n", Info{Claimed: -1, Platforms: []Platform{
			{Name: "Example GPU", Claimed: -1, Devices: []Device{{Name: "X1"}, {Name: "X2"}}}, {Name: "Other", Claimed: -1, Devices: []Device{{Name: "Y"}}},
		}}},
		"offline": {"Number of platforms  1\n  Platform Name  A\n\n  Platform Name  A\nNumber of devices  1\n  Device Name  D\n  Max compute units  4\nNumber of offine devices (AMD)  1\n  Device Name  gfx900\n  Max compute units  64\n",
			Info{Claimed: 1, Platforms: []Platform{{Name: "A", Claimed: 1, Devices: []Device{{Name: "D", Units: 4}}}}}},
		"none": {"Number of platforms                               0\n", Info{}},
		"else": {"bash: clinfo: command not found\n", Info{Claimed: -1}},
	} {
		for form, text := range map[string]string{"": c.text, " with Windows lines": strings.ReplaceAll(c.text, "\n", "\r\n"),
			" with a mark": "\ufeff" + c.text, " quoted": "> " + strings.ReplaceAll(c.text, "\n", "\n> "),
			" indented":   "    " + strings.ReplaceAll(c.text, "\n", "\n    "),
			" with times": "2026-01-01T00:00:00.1234567Z " + strings.ReplaceAll(c.text, "\n", "\n2026-01-01T00:00:00.1234567Z "),
			" coloured":   strings.ReplaceAll(c.text, "Platform", "\x1b[1mPlatform\x1b[0m"),
		} {
			if diff := cmp.Diff(c.want, ParseInfo(text)); diff != "" {
				t.Errorf("%s%s (-want +got):\n%s", name, form, diff)
			}
		}
	}
}

// TestOnePlatformTwice: two platforms of one name keep their own devices.
func TestPlatformsOfOneName(t *testing.T) {
	in := ParseInfo("Number of platforms  2\n  Platform Name  A\n\n  Platform Name  A\n\n  Platform Name  A\nNumber of devices  0\n\n  Platform Name  A\nNumber of devices  1\n  Device Name  D\n")
	if len(in.Platforms) != 2 || len(in.Platforms[0].Devices) != 0 || len(in.Platforms[1].Devices) != 1 {
		t.Errorf("%+v", in)
	}
}

func FuzzParseInfo(f *testing.F) {
	for _, s := range []string{human, raw, amd, list, asJSON, "0: A\n0.0: B\n", "#DEVICES  1\n[x/0] CL_DEVICE_TYPE  CL_DEVICE_TYPE_GPU\n", "  Device Name  x\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		in := ParseInfo(text)
		if len(in.Platforms) > maxPlatforms {
			t.Error("too many platforms")
		}
		d := driver{attrs: map[string]string{}}
		d.answered(in)
	})
}

func TestEmptyHost(t *testing.T) {
	for _, os := range []string{"linux", "darwin", "windows"} {
		f, err := Ask(t.Context(), hosttest.Empty(os, "amd64"))
		if err != nil || len(f.Components) != 0 {
			t.Errorf("%s: %v, %v", os, f.Components, err)
		}
	}
}

const linux = `
-- env --
PATH=/usr/bin
-- file /usr/lib/x86_64-linux-gnu/libOpenCL.so.1.0.0 --
-- link /usr/lib/x86_64-linux-gnu/libOpenCL.so.1 --
/usr/lib/x86_64-linux-gnu/libOpenCL.so.1.0.0
-- file /etc/OpenCL/vendors/pocl.icd --
libpocl.so.2.10.0
-- file /usr/lib/x86_64-linux-gnu/libpocl.so.2.10.0 --
-- file /etc/OpenCL/vendors/nvidia.icd --
libnvidia-opencl.so.1
-- file /etc/OpenCL/vendors/crash.icd --
/opt/bad/libcrash.so
-- file /opt/bad/libcrash.so --
-- file /etc/OpenCL/vendors/hang.icd --
/opt/bad/libhang.so
-- file /opt/bad/libhang.so --
-- run "/usr/bin/clinfo" "--raw" "/etc/OpenCL/vendors/crash.icd" --
#signal SIGSEGV
-- run "/usr/bin/clinfo" "--raw" "/etc/OpenCL/vendors/hang.icd" --
#error deadline
-- run "/usr/bin/clinfo" "--raw" "/etc/OpenCL/vendors/pocl.icd" --

` + raw

func byICD(f facts.Facts, icd string) facts.Instance {
	for _, i := range f.Components[Component] {
		if strings.HasSuffix(i.Attrs["icd"], icd) {
			return i
		}
	}
	return facts.Instance{}
}

func TestDriversAreAskedOneByOne(t *testing.T) {
	f, err := Ask(t.Context(), hosttest.Parse(t, linux))
	if err == nil || !strings.Contains(err.Error(), "libcrash.so") || !strings.Contains(err.Error(), "SIGSEGV") || !strings.Contains(err.Error(), "libhang.so") {
		t.Errorf("error: %v", err)
	}
	pocl := byICD(f, "pocl.icd")
	if !pocl.Active || pocl.Version != "3.0" || pocl.Attrs["driver"] != "PoCL" || pocl.Attrs["device.0.name"] != "cpu-example" || !slices.Equal(pocl.Has, []string{"cpu", "fp64"}) {
		t.Errorf("pocl: %+v", pocl)
	}
	for icd, want := range map[string]string{"crash.icd": "crashed", "hang.icd": "hung", "nvidia.icd": "missing"} {
		if i := byICD(f, icd); i.Attrs["state"] != want || i.Active {
			t.Errorf("%s: %+v", icd, i)
		}
	}
	if i := f.Components[Loader]; len(i) != 1 || !i[0].Active || i[0].Path != "/usr/lib/x86_64-linux-gnu/libOpenCL.so.1.0.0" {
		t.Errorf("loader: %+v", i)
	}
}

func TestNothingIsLoadedUnasked(t *testing.T) {
	f, err := Probe(t.Context(), hosttest.Parse(t, linux))
	if err != nil {
		t.Errorf("error: %v", err)
	}
	if i := byICD(f, "crash.icd"); i.Attrs["state"] != "" {
		t.Errorf("asked: %+v", i)
	}
}

func TestEnvironmentNamesTheDrivers(t *testing.T) {
	f, err := Probe(t.Context(), hosttest.Parse(t, linux+`
-- env --
OCL_ICD_VENDORS=/etc/OpenCL/vendors/pocl.icd
OCL_ICD_FILENAMES=/opt/bad/libhang.so
`))
	if err != nil || len(f.Components[Component]) != 2 {
		t.Errorf("%+v, %v", f.Components[Component], err)
	}
}

// TestEnvironmentNamesNoDriver: a variable that names something else hides the
// registered drivers, and the remedy is about the variable.
func TestEnvironmentNamesNoDriver(t *testing.T) {
	for name, lacks := range map[string]string{"/etc/passwd": "not a library", "/nowhere": "not there", "/opt/driver.so": ""} {
		f, err := Probe(t.Context(), hosttest.Parse(t, linux+"-- env --\nOCL_ICD_VENDORS="+name+"\n-- file /etc/passwd --\nroot:x:0:0\n-- file /opt/driver.so --\n\x7fELF\x02\n"))
		if err != nil || len(f.Components[Component]) != 1 {
			t.Fatalf("%s: %+v, %v", name, f.Components[Component], err)
		}
		switch i := f.Components[Component][0]; {
		case lacks == "" && (!i.Active || i.Unusable != nil), lacks != "" && i.Active:
			t.Errorf("%s: %+v", name, i)
		case lacks != "" && (!strings.Contains(i.Unusable.Detail, lacks) || !strings.Contains(i.Unusable.Remedy, "Unset OCL_ICD_VENDORS")):
			t.Errorf("%s: %+v", name, i.Unusable)
		}
	}
}

func TestWindowsRegistry(t *testing.T) {
	f, err := Probe(t.Context(), hosttest.Parse(t, `
-- platform --
windows/amd64
-- env --
SystemRoot=C:\Windows
-- file C:\Windows\System32\OpenCL.dll --
-- file C:\Windows\System32\IntelOpenCL64.dll --
-- reg 64 HKLM\SOFTWARE\Khronos\OpenCL\Vendors --
C:\Windows\System32\IntelOpenCL64.dll=dword:0
C:\off\amdocl64.dll=dword:1
-- reg 32 HKLM\SOFTWARE\Khronos\OpenCL\Vendors --
C:\gone\intelocl32.dll=dword:0
-- reg 64 HKLM\SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}\0000 --
OpenCLDriverName=C:\Windows\System32\DriverStore\nv\nvopencl64.dll
OpenCLDriverNameWow=C:\Windows\System32\DriverStore\nv\nvopencl32.dll
-- file C:\Windows\System32\DriverStore\nv\nvopencl64.dll --
`))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, i := range f.Components[Component] {
		got[i.Attrs["view"]+" "+i.Attrs["library"]] = i.Attrs["state"]
	}
	want := map[string]string{
		`64 C:\Windows\System32\IntelOpenCL64.dll`: "", `64 C:\off\amdocl64.dll`: "disabled", `32 C:\gone\intelocl32.dll`: "missing",
		`64 C:\Windows\System32\DriverStore\nv\nvopencl64.dll`: "", `32 C:\Windows\System32\DriverStore\nv\nvopencl32.dll`: "missing",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(f.Components[Loader]) != 1 {
		t.Errorf("loader: %+v", f.Components[Loader])
	}
}

func TestUnreadableFolder(t *testing.T) {
	_, err := Probe(t.Context(), hosttest.Parse(t, "-- deny /etc/OpenCL/vendors --\n"))
	if err == nil {
		t.Error("no error for a folder that may not be read")
	}
}

type hostile struct{ host.World }

func (hostile) ReadFile(context.Context, string, int64) ([]byte, bool, error) {
	return []byte("\x00\xff/x/y\n"), false, nil
}
func (hostile) ReadAt(context.Context, string, int64, int) ([]byte, error) {
	return []byte("\x00\xff"), nil
}
func (hostile) ReadDir(context.Context, string) ([]host.Entry, error) {
	return []host.Entry{{Name: "a.icd"}, {Name: "libOpenCL.so"}, {Name: "libOpenCL.so.1"}, {Name: "clinfo"}}, nil
}
func (hostile) Stat(context.Context, string) (host.Info, error)        { return host.Info{Exec: true}, nil }
func (hostile) Resolve(_ context.Context, name string) (string, error) { return name, nil }
func (hostile) Getenv(string) (string, bool)                           { return "/a:/b", true }
func (hostile) Run(context.Context, host.Command) (host.Output, error) {
	return host.Output{Stdout: []byte("Number of platforms  999999999\n" + strings.Repeat("  Platform Name  x\n", 9999))}, nil
}
func (hostile) RegistryKey(context.Context, string, string) (host.Key, error) {
	return host.Key{Values: map[string]host.Value{"OpenCLDriverName": {String: strings.Repeat("x\n", 1000)}}, Subkeys: []string{"0000", "Properties"}}, nil
}

func TestHostileHost(t *testing.T) {
	for _, os := range []string{"linux", "darwin", "windows"} {
		f, _ := Ask(t.Context(), &host.Host{World: hostile{}, OS: os, Arch: "amd64"}) // no panic, no hang
		if n := len(f.Components[Component]); n > maxDrivers {
			t.Errorf("%s: %d drivers", os, n)
		}
	}
}

// TestHeadersAreNoLoader: opencl-headers alone bring no libOpenCL.
func TestHeadersAreNoLoader(t *testing.T) {
	const header = "-- file /usr/include/CL/cl.h --\n"
	f, err := Probe(t.Context(), hosttest.Parse(t, header))
	if err != nil || len(f.Components[Loader]) != 0 {
		t.Errorf("%+v, %v", f.Components[Loader], err)
	}
	f, err = Probe(t.Context(), hosttest.Parse(t, header+"-- file /usr/lib/x86_64-linux-gnu/libOpenCL.so.1 --\n"))
	if i, ok := f.Active(Loader); err != nil || !ok || !i.HasPart("headers") || i.HasPart("dev") || i.Version != "" || i.Path != "/usr/lib/x86_64-linux-gnu/libOpenCL.so.1" {
		t.Errorf("%+v, %v", f.Components[Loader], err)
	}
}
