package opencl

import (
	_ "embed"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
)

// Outputs of clinfo --raw.
var (
	//go:embed testdata/two-platforms.txt
	twoPlatforms string
	//go:embed testdata/pocl.txt
	raw string
)

var update = flag.Bool("update", false, "rewrite the golden facts in testdata/machines")

func TestMachines(t *testing.T) {
	probetest.Machines(t, Probe, *update)
}

func TestParseRaw(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []Platform
	}{
		"two platforms": {twoPlatforms, []Platform{
			{Name: "Example GPU", Vendor: "Example Corp.", Version: "OpenCL 3.0 EX 1.2", Devices: []Device{
				{Name: "Example X1 [0x9b41]", Board: "Example Board", Vendor: "Example Corp.", Version: "OpenCL 3.0 EX", Driver: "535.54.03", Type: "GPU", Units: 20, Memory: 8361148416, Extensions: "cl_khr_fp64 cl_khr_icd"},
				{Name: "Example X2", Type: "GPU", Unavailable: true},
			}},
			{Name: "Portable Computing Language", Vendor: "The pocl project", Version: "OpenCL 2.0 pocl 1.8", Devices: []Device{
				{Name: "pthread-example", Type: "CPU, Default"},
			}},
		}},
		"one platform": {raw, []Platform{
			{Name: "Portable Computing Language", Vendor: "The pocl project", Version: "OpenCL 3.0 PoCL 3.1", Devices: []Device{
				{Name: "cpu-example", Version: "OpenCL 3.0 PoCL", Driver: "3.1", Type: "CPU", Units: 4, Memory: 7879217152, Extensions: "cl_khr_fp64 cl_khr_spir"},
			}},
		}},
		"refused": {"#PLATFORMS  1\n  CL_PLATFORM_NAME  P\n\n  CL_PLATFORM_NAME  P\n#DEVICES  1\n  CL_DEVICE_NAME                                  <printDeviceInfo:0: get CL_DEVICE_NAME size : error -6>\n  CL_DEVICE_VERSION  OpenCL 1.2\n  CL_DEVICE_MAX_COMPUTE_UNITS                     <printDeviceInfo:12: get CL_DEVICE_MAX_COMPUTE_UNITS : error -30>\n",
			[]Platform{{Name: "P", Devices: []Device{{Version: "OpenCL 1.2"}}}}},
		// Each keeps its own devices.
		"two platforms of one name": {"#PLATFORMS  2\n  CL_PLATFORM_NAME  A\n\n  CL_PLATFORM_NAME  A\n\n  CL_PLATFORM_NAME  A\n#DEVICES  0\n\n  CL_PLATFORM_NAME  A\n#DEVICES  1\n  CL_DEVICE_NAME  D\n",
			[]Platform{{Name: "A"}, {Name: "A", Devices: []Device{{Name: "D"}}}}},
		"none": {"#PLATFORMS                                        0\n", nil},
		"else": {"bash: clinfo: command not found\n", nil},
	} {
		for form, text := range map[string]string{"": c.text, " with tabs": strings.ReplaceAll(c.text, "    ", "\t")} {
			probetest.Same(t, name+form, c.want, ParseClinfo(text))
		}
	}
}

func FuzzParseRaw(f *testing.F) {
	for _, s := range []string{twoPlatforms, raw, "#DEVICES  1\n[x/0] CL_DEVICE_TYPE  CL_DEVICE_TYPE_GPU\n", "  CL_DEVICE_NAME  x\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		platforms := ParseClinfo(text)
		if len(platforms) > maxPlatforms {
			t.Error("too many platforms")
		}
		d := driver{attrs: map[string]string{}}
		d.answered(platforms)
	})
}

var linux = `
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
OCL_ICD_VENDORS=pocl.icd
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

// TestUnreadable: what may not be read, and a file that is too long to name a
// library, are said.
func TestUnreadable(t *testing.T) {
	const long = "-- file /etc/OpenCL/vendors/long.icd --\n"
	for _, fixture := range []string{"-- deny /etc/OpenCL/vendors --\n", long + strings.Repeat("x", 5000)} {
		if _, err := Probe(t.Context(), hosttest.Parse(t, fixture)); err == nil {
			t.Errorf("no error: %.60s", fixture)
		}
	}
	f, err := Probe(t.Context(), hosttest.Parse(t, "-- deny /etc/OpenCL/vendors/a.icd --\n-- file /etc/OpenCL/vendors/b.txt --\n"))
	if list := f.Components[Component]; err != nil || len(list) != 1 || list[0].Active || list[0].Unusable == nil || list[0].Unusable.Remedy != "As root: chmod 755 /etc/OpenCL/vendors && chmod 644 /etc/OpenCL/vendors/a.icd" {
		t.Errorf("%v: %+v", err, list)
	}
}

// TestMac: the framework is the driver and the loader.
func TestMac(t *testing.T) {
	f, err := Ask(t.Context(), hosttest.Parse(t, "-- platform --\ndarwin/arm64\n-- dir /System/Library/Frameworks/OpenCL.framework --\n"))
	if i, ok := f.Active(Component); err != nil || !ok || i.Version != "1.2" {
		t.Errorf("%+v, %v", f.Components, err)
	}
}

// TestManyDrivers: what a host may claim is bounded.
func TestManyDrivers(t *testing.T) {
	var registry strings.Builder
	registry.WriteString("-- platform --\nwindows/amd64\n-- reg 64 HKLM\\SOFTWARE\\Khronos\\OpenCL\\Vendors --\n")
	files := ""
	for i := range 2 * maxDrivers {
		fmt.Fprintf(&registry, "C:\\d%d.dll=dword:0\n", i)
		files += fmt.Sprintf("-- file /etc/OpenCL/vendors/%d.icd --\nlib%d.so\n", i, i)
	}
	for _, fixture := range []string{registry.String(), files} {
		f, err := Ask(t.Context(), hosttest.Parse(t, fixture))
		if n := len(f.Components[Component]); n != maxDrivers || err != nil {
			t.Errorf("%d drivers, %v", n, err)
		}
	}
}
