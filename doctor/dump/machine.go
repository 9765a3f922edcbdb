package dump

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe"
	"github.com/deployctl/deployctl/doctor/probe/cpu"
	"github.com/deployctl/deployctl/doctor/probe/cuda"
	"github.com/deployctl/deployctl/doctor/probe/opencl"
	"github.com/deployctl/deployctl/doctor/probe/opencv"
)

// Host is the machine as far as the reports tell it: its system and architecture
// ("" for unknown) and nothing else. What is looked at on it was not asked.
func (m Machine) Host() *host.Host {
	system := m.system()
	return host.Replay(host.NewRecording(system.Family, system.Arch, time.Time{}))
}

// Probe gives what the reports tell in place of the probes that would look at the
// machine. Of whatever else those provide, it says that the text does not tell it.
func (m Machine) Probe(all []probe.Probe) probe.Probe {
	return probe.Probe{Name: "text", Run: func(ctx context.Context, _ *host.Host) (facts.Facts, error) {
		f := m.known(ctx)
		var untold []string
		for _, p := range all {
			for _, topic := range p.Provides {
				if !told(&f, topic) {
					untold = append(untold, topic)
				}
			}
		}
		slices.Sort(untold)
		f.Problems = append(f.Problems, facts.Problem{Probe: facts.Pasted, Covers: slices.Compact(untold), Error: "the text does not tell it"})
		return f, nil
	}}
}

// told reports whether a topic or component is in the facts.
func told(f *facts.Facts, topic string) bool {
	switch topic {
	case "os":
		return f.OS.Family != ""
	case "cpu":
		return f.CPU.Logical > 0
	case "gpus":
		return len(f.GPUs) > 0
	}
	return len(f.Components[topic]) > 0
}

// system is what the reports tell of the operating system. Where OpenCV was built is
// not where it runs, so that only the system and architecture that it was built for
// count.
func (m Machine) system() (o facts.OS) {
	family := func(name, from string) {
		if o.Family == "" && name != "" {
			o.Family = name
			o.Evidence = append(o.Evidence, facts.Evidence{Kind: "text", Source: from})
		}
	}
	for _, r := range m.Reports {
		switch {
		case r.info != nil:
			attrs := r.info.Attrs()
			words := strings.Fields(cmp.Or(attrs["build.target"], attrs["build.host"]))
			if len(words) < 2 {
				continue
			}
			family(map[string]string{"Linux": "linux", "Windows": "windows", "Darwin": "darwin"}[words[0]], "build information of OpenCV")
			o.Arch = cmp.Or(o.Arch, map[string]string{"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "armv7l": "arm", "armv6l": "arm", "i686": "386", "x86": "386", "riscv64": "riscv64"}[strings.ToLower(words[len(words)-1])])
		case r.smi != nil && r.smi.Windows:
			family("windows", "nvidia-smi")
		case r.smi != nil && r.smi.Linux:
			family("linux", "nvidia-smi")
		case len(r.studios) > 0:
			family("windows", r.Kind)
		case r.cpuinfo != "":
			family("linux", "/proc/cpuinfo")
			o.Arch = cmp.Or(o.Arch, archOf(r.cpuinfo))
		}
	}
	if o.Family == "windows" {
		o.ID, o.Name = "windows", "Windows"
	}
	return o
}

// archOf is the architecture (GOARCH) of a cpuinfo, by what only it has.
func archOf(text string) string {
	first := cpu.ParseCPUInfo(text).Processors[0]
	has := func(flag string) bool { return slices.Contains(strings.Fields(first.Features), flag) }
	switch {
	case has("lm"):
		return "amd64"
	case has("fpu") && has("mmx"):
		return "386"
	case has("asimd"), strings.HasPrefix(first.Architecture, "AArch64"):
		return "arm64"
	case first.Implementer >= 0:
		return "arm"
	case strings.HasPrefix(first.Features, "rv64"):
		return "riscv64"
	}
	return ""
}

// known is what the reports tell.
func (m Machine) known(ctx context.Context) facts.Facts {
	f := facts.Facts{OS: m.system()}
	for _, r := range m.Reports {
		switch {
		case r.info != nil:
			f.Add("opencv", opencvOf(*r.info, f.OS.Arch))
		case r.smi != nil:
			driverOf(&f, *r.smi)
		case r.nvcc != nil:
			from := []facts.Evidence{{Kind: "text", Source: "nvcc --version", Detail: "release " + r.nvcc.Release}}
			f.Add(cuda.Toolkit, facts.Instance{Version: r.nvcc.Release, Active: true, Via: []string{"PATH"}, Has: []string{"nvcc"}, Partial: &facts.Partial{}, Evidence: from})
			f.Add(cuda.NVCC, facts.Instance{Version: r.nvcc.Version, Active: true, Via: []string{"PATH"}, Partial: &facts.Partial{}, Evidence: from})
		case r.Kind == CLInfo:
			for i, p := range r.opencl {
				in := opencl.Instance(p)
				in.Active, in.Partial = i == 0, &facts.Partial{}
				f.Add(opencl.Component, in)
			}
		case len(r.studios) > 0:
			for i, s := range r.studios {
				in := s.Instance()
				in.Active, in.Partial = i == len(r.studios)-1, &facts.Partial{}
				f.Add("visual-studio", in)
			}
		case r.cpuinfo != "" && f.OS.Family == "linux":
			rec := host.NewRecording("linux", cmp.Or(f.OS.Arch, archOf(r.cpuinfo)), time.Time{})
			rec.Files["/proc/cpuinfo"] = host.File{Data: []byte(r.cpuinfo)}
			seen, _ := cpu.Probe(ctx, host.Replay(rec)) // what else it would look at is not told
			f.CPU = seen.CPU
		}
	}
	return f
}

// opencvOf is the OpenCV that printed its build information.
func opencvOf(info opencv.BuildInfo, arch string) facts.Instance {
	attrs := info.Attrs()
	version, _, _ := strings.Cut(info.Version, "-")
	in := facts.Instance{
		Version: version, Path: attrs["build.prefix"], Active: true, Has: strings.Fields(attrs["build.modules"]), Attrs: attrs, Partial: &facts.Partial{},
		Evidence: []facts.Evidence{{Kind: "text", Source: "build information of OpenCV", Detail: info.Version}},
	}
	info.Built(arch, &in.Built)
	for _, part := range []string{"cuda", "cudnn", "opencl", "openvino", "ffmpeg", "gstreamer", "nonfree"} {
		switch value, known := attrs["build."+part]; {
		case known && opencv.Yes(value):
			in.Has = append(in.Has, part)
		case known:
			in.Partial.Lacks = append(in.Partial.Lacks, part)
		}
	}
	if len(in.Has) > 0 {
		for _, list := range []string{attrs["build.modules_disabled"], attrs["build.modules_unavailable"]} {
			in.Partial.Lacks = append(in.Partial.Lacks, strings.Fields(list)...)
		}
	}
	slices.Sort(in.Has)
	return in
}

// driverOf adds NVIDIA's driver and cards.
func driverOf(f *facts.Facts, smi cuda.SMI) {
	in := facts.Instance{Version: smi.Driver, Active: true, Partial: &facts.Partial{}, Attrs: map[string]string{"gpus": strconv.Itoa(smi.GPUs)}}
	detail := "Driver Version: " + smi.Driver
	if smi.CUDA != "" {
		in.Attrs["driver_max_cuda"] = smi.CUDA
		detail += fmt.Sprintf(", CUDA Version: %s (the newest the driver runs)", smi.CUDA)
	}
	in.Evidence = []facts.Evidence{{Kind: "text", Source: "nvidia-smi", Detail: detail}}
	if smi.Driver != "" {
		f.Add(cuda.Driver, in)
	}
	for _, d := range smi.Devices {
		f.GPUs = append(f.GPUs, facts.GPU{
			Vendor: "nvidia", Name: d.Name, PCI: d.PCI, Memory: d.Memory, ComputeCapability: d.ComputeCap, DriverVersion: smi.Driver,
			Attrs:    map[string]string{"index": strconv.Itoa(d.Index)},
			Evidence: []facts.Evidence{{Kind: "text", Source: "nvidia-smi", Detail: d.Name}},
		})
	}
}
