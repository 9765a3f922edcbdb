package judge

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// TestIntelIDs: every line of the table can be read, no device stands in two of them,
// and some are what their makers call them.
func TestIntelIDs(t *testing.T) {
	seen := map[string]string{}
	for line := range strings.Lines(intelIDs) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		part := strings.Split(strings.TrimSpace(line), "|")
		if len(part) != 4 || part[0] == "" || part[1] == "" || part[2] == "" {
			t.Errorf("%q", line)
			continue
		}
		for block := range strings.FieldsSeq(part[3]) {
			low, _, _ := strings.Cut(block, "-")
			if got, ok := knownIntel("8086:" + low); !ok || got != (intelGPU{part[0], part[1], part[2]}) || seen[low] != "" {
				t.Errorf("%s of %s: %+v, and %q", low, part[0], got, seen[low])
			}
			seen[low] = part[0]
		}
	}
	for id, want := range map[string]intelGPU{
		"8086:0416": {"Haswell", "none", "-"}, "8086:5916": {"Kaby Lake", "-", "24.35"}, "8086:9a49": {"Tiger Lake", "-", "-"},
		"8086:7D55": {"Meteor Lake", "22.53", "-"}, "8086:e20b": {"Arc B", "24.31", "-"}, "8086:56a0": {"Arc A", "22.01", "-"},
	} {
		if got, _ := knownIntel(id); got != want {
			t.Errorf("%s: %+v, not %+v", id, got, want)
		}
	}
	if got, ok := knownIntel("10de:5916"); ok {
		t.Errorf("not of Intel: %+v", got)
	}
}

// TestOpenCLWithoutGPU: drivers that know the GPU here and drivers that do not, alone and
// beside others.
func TestOpenCLWithoutGPU(t *testing.T) {
	_, tables := load(t)
	driver := func(by, release, path string, devices ...facts.Device) facts.Instance {
		return facts.Instance{Path: path, Release: release, Active: true, Attrs: map[string]string{"driver": by}, Devices: devices}
	}
	neo := func(release string, devices ...facts.Device) facts.Instance {
		return driver("Intel graphics (NEO)", release, "/usr/lib/x86_64-linux-gnu/intel-opencl/libigdrcl.so", devices...)
	}
	legacy := driver("Intel graphics (NEO)", "24.35.30872.36", "/usr/lib/x86_64-linux-gnu/intel-opencl/libigdrcl_legacy1.so")
	pocl := driver("PoCL", "", "/usr/lib/libpocl.so.2", facts.Device{Name: "PoCL", Type: "cpu", Software: true})
	amd := driver("AMD", "", "/opt/rocm-5.7.0/lib/libamdocl64.so")
	intel := func(id string) facts.GPU { return facts.GPU{Vendor: "intel", ID: "8086:" + id, Driver: "i915"} }
	rx580 := facts.GPU{Vendor: "amd", ID: "1002:67df"}
	rocm := func(version string) []facts.Instance { return []facts.Instance{{Version: version, Active: true}} }
	on := facts.Environment{Variables: []facts.Variable{{Name: "ROC_ENABLE_PRE_VEGA", Value: "1", Problem: facts.PreVega}}}
	enabled := facts.Environment{Variables: []facts.Variable{{Name: "RUSTICL_ENABLE", Value: "radeonsi", Problem: facts.Rusticl}}}
	rusticl := driver("Mesa rusticl", "", "/usr/lib/x86_64-linux-gnu/libRusticlOpenCL.so.1")
	for _, c := range []struct {
		name    string
		gpus    []facts.GPU
		drivers []facts.Instance
		rocm    []facts.Instance
		env     facts.Environment
		id, fix string // "" for nothing found
	}{
		{"too old", []facts.GPU{intel("7d55")}, []facts.Instance{neo("22.14.22890")}, nil, facts.Environment{}, "opencl.gpu", "22.53 or newer"},
		{"new enough", []facts.GPU{intel("7d55")}, []facts.Instance{neo("23.43.27642")}, nil, facts.Environment{}, "", ""},
		{"a release that is not known", []facts.GPU{intel("7d55")}, []facts.Instance{neo("")}, nil, facts.Environment{}, "", ""},
		{"a device that is not known", []facts.GPU{intel("ffff")}, []facts.Instance{neo("22.14.22890")}, nil, facts.Environment{}, "", ""},
		{"before Broadwell", []facts.GPU{intel("0166")}, []facts.Instance{neo("")}, nil, facts.Environment{}, "opencl.gpu", "PoCL"},
		{"too new", []facts.GPU{intel("3e92")}, []facts.Instance{neo("25.05.32567")}, nil, facts.Environment{}, "opencl.gpu", "legacy1"},
		{"too new, and the one for it", []facts.GPU{intel("3e92")}, []facts.Instance{neo("25.05.32567"), legacy}, nil, facts.Environment{}, "", ""},
		{"an older and a newer GPU", []facts.GPU{intel("3e92"), intel("56a0")}, []facts.Instance{neo("25.05.32567")}, nil, facts.Environment{}, "", ""},
		{"it was asked, and answered", []facts.GPU{intel("0416")}, []facts.Instance{neo("", facts.Device{Name: "GPU", Type: "gpu"})}, nil, facts.Environment{}, "", ""},
		{"PoCL beside it", []facts.GPU{intel("0416")}, []facts.Instance{neo(""), pocl}, nil, facts.Environment{}, "opencl.gpu-left-out", "Beignet"},
		{"NVIDIA's beside it", []facts.GPU{intel("0416")}, []facts.Instance{neo(""), driver("NVIDIA", "", "/usr/lib/libnvidia-opencl.so.1")}, nil, facts.Environment{}, "", ""},
		{"Polaris", []facts.GPU{rx580}, []facts.Instance{amd}, rocm("5.7.0"), facts.Environment{}, "opencl.gpu", "export ROC_ENABLE_PRE_VEGA=1"},
		{"Polaris, switched on", []facts.GPU{rx580}, []facts.Instance{amd}, rocm("5.7.0"), on, "", ""},
		{"Polaris and ROCm 7", []facts.GPU{rx580}, []facts.Instance{amd}, rocm("7.1.1"), on, "opencl.gpu", "Mesa"},
		{"Polaris and ROCm 4.3", []facts.GPU{rx580}, []facts.Instance{amd}, rocm("4.3.1"), facts.Environment{}, "", ""},
		{"rusticl", []facts.GPU{rx580}, []facts.Instance{rusticl}, nil, facts.Environment{}, "opencl.gpu", "export RUSTICL_ENABLE=radeonsi"},
		{"rusticl on Intel's", []facts.GPU{intel("3e92")}, []facts.Instance{rusticl}, nil, facts.Environment{}, "opencl.gpu", "export RUSTICL_ENABLE=iris"},
		{"rusticl, switched on", []facts.GPU{rx580}, []facts.Instance{rusticl}, nil, enabled, "", ""},
		{"rusticl beside clover", []facts.GPU{rx580}, []facts.Instance{rusticl, driver("Mesa clover", "", "/usr/lib/libMesaOpenCL.so.1")}, nil, facts.Environment{}, "", ""},
		{"Arc A and an old kernel", []facts.GPU{{Vendor: "intel", ID: "8086:56a0"}}, []facts.Instance{neo("23.43.27642")}, nil, facts.Environment{}, "opencl.gpu", "kernel 6.2 or newer"},
		{"Arc A that the kernel drives", []facts.GPU{intel("56a0")}, []facts.Instance{neo("23.43.27642")}, nil, facts.Environment{}, "", ""},
		{"Navi", []facts.GPU{{Vendor: "amd", ID: "1002:73df"}}, []facts.Instance{amd}, rocm("5.7.0"), facts.Environment{}, "", ""},
	} {
		f := facts.Facts{OS: facts.OS{Family: "linux", ID: "ubuntu", Version: "22.04", Arch: "amd64", Kernel: "5.15.0-119-generic"}, GPUs: c.gpus, Environment: c.env, Components: map[string][]facts.Instance{"opencl": c.drivers}}
		if c.rocm != nil {
			f.Components["rocm"] = c.rocm
		}
		id, fix := "", ""
		for _, found := range Evaluate(&recipes.Recipe{Name: "test", Components: []string{"opencl"}}, tables, &f).Findings {
			if strings.HasPrefix(found.ID, "opencl.gpu") && (found.State == Fail || found.State == Warn) {
				id, fix = found.ID, found.Fix
			}
		}
		if id != c.id || !strings.Contains(fix, c.fix) {
			t.Errorf("%s: %q %q, not %q %q", c.name, id, fix, c.id, c.fix)
		}
	}
}

// TestDriversBesideEachOther: each OpenCL driver is found in its own way, and programs see
// all of them. Two copies of a library are another thing.
func TestDriversBesideEachOther(t *testing.T) {
	for name, want := range map[string]bool{"opencl": false, "vulkan": false, "opencv": true} {
		f := &facts.Facts{OS: facts.OS{Family: "linux"}, Components: map[string][]facts.Instance{name: {
			{Path: "/usr/lib/x/first.so", Active: true}, {Path: "/usr/lib/x/second.so", Via: []string{"ldconfig"}},
		}}}
		if _, got := Shadow(name, f); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
