package doctor

import (
	"github.com/deployctl/deployctl/doctor/probe"
	"github.com/deployctl/deployctl/doctor/probe/apple"
	"github.com/deployctl/deployctl/doctor/probe/compilers"
	"github.com/deployctl/deployctl/doctor/probe/cpu"
	"github.com/deployctl/deployctl/doctor/probe/cuda"
	"github.com/deployctl/deployctl/doctor/probe/disk"
	"github.com/deployctl/deployctl/doctor/probe/environment"
	"github.com/deployctl/deployctl/doctor/probe/gpu"
	"github.com/deployctl/deployctl/doctor/probe/libfind"
	"github.com/deployctl/deployctl/doctor/probe/memory"
	"github.com/deployctl/deployctl/doctor/probe/mingw"
	"github.com/deployctl/deployctl/doctor/probe/mobile"
	"github.com/deployctl/deployctl/doctor/probe/msvc"
	"github.com/deployctl/deployctl/doctor/probe/opencl"
	osprobe "github.com/deployctl/deployctl/doctor/probe/os"
	"github.com/deployctl/deployctl/doctor/probe/project"
	"github.com/deployctl/deployctl/doctor/probe/tools"
	"github.com/deployctl/deployctl/doctor/probe/winlibs"
)

// Probes is the one list of what is looked at. Deep also asks drivers, which
// wakes devices and takes longer.
func Probes(deep bool) []probe.Probe {
	askOpenCL := opencl.Probe
	if deep {
		askOpenCL = opencl.Ask
	}
	return []probe.Probe{
		{Name: "os", Provides: osprobe.Provides(), Run: osprobe.Probe},
		{Name: "cpu", Provides: cpu.Provides(), Run: cpu.Probe},
		{Name: "memory", Provides: memory.Provides(), Run: memory.Probe},
		{Name: "disk", Provides: disk.Provides(), Run: disk.Probe},
		{Name: "environment", Provides: environment.Provides(), Run: environment.Probe},
		{Name: "project", Provides: project.Provides(), Run: project.Probe},
		tools.Probe(tools.Packagers),
		{Name: "compilers", Provides: compilers.Provides(), Run: compilers.Probe},
		tools.Probe(tools.BuildTools),
		{Name: "opencv", Provides: []string{"opencv"}, Run: libfind.ProbeOpenCV},
		{Name: "gpu", Provides: gpu.Provides(), Run: gpu.Probe},
		{Name: "cuda", Provides: cuda.Provides(), Run: cuda.Probe},
		{Name: "opencl", Provides: opencl.Provides(), Run: askOpenCL},
		{Name: "msvc", Provides: msvc.Provides(), Run: msvc.Probe},
		{Name: "mingw", Provides: mingw.Provides(), Run: mingw.Probe},
		{Name: "winlibs", Provides: winlibs.Provides(), Run: winlibs.Probe},
		{Name: "apple", Provides: apple.Provides(), Run: apple.Probe},
		{Name: "mobile", Provides: mobile.Provides(), Run: mobile.Probe},
		{Name: "frameworks", Provides: libfind.Provides(), Run: libfind.Probe},
	}
}
