// Package facts is the model of what is so on a host: plain data with evidence,
// filled by probes and read by the evaluation. It must never judge, and it
// imports nothing of deployctl.
package facts

import (
	"encoding/json"
	"sort"
	"time"
)

// Schema is the version of the JSON form. Keys may be added within a version;
// none is removed or changes its meaning.
const Schema = 1

// Facts is everything known about one host.
type Facts struct {
	Schema int    `json:"schema"`
	OS     OS     `json:"os"`
	CPU    CPU    `json:"cpu"`
	Memory Memory `json:"memory"`
	Disks  []Disk `json:"disks"`
	GPUs   []GPU  `json:"gpus"`
	// Components maps a component's name (opencv, cuda, gcc …) to its
	// instances, the active one first where there is one.
	Components map[string][]Instance `json:"components"`
	// Problems lists what could not be looked at, and why. A requirement on
	// something a problem covers is unknown, not failed.
	Problems []Problem `json:"problems,omitempty"`
	// Timings is how long each probe took, slowest first.
	Timings []Timing `json:"timings,omitempty"`
	// Unknown keeps keys this version does not know, so that a file written by
	// a newer deployctl survives a round trip.
	Unknown map[string]json.RawMessage `json:"-"`
}

// Evidence says where a fact was read.
type Evidence struct {
	Kind   string `json:"kind"` // file, command, registry, env, header, cpuid, syscall
	Source string `json:"source"`
	// Detail is the line, value or field that says so.
	Detail string `json:"detail,omitempty"`
}

// OS is the operating system.
type OS struct {
	Family   string   `json:"family,omitempty"`   // linux, windows, darwin
	ID       string   `json:"id,omitempty"`       // debian, ubuntu, fedora, windows, macos …
	Like     []string `json:"like,omitempty"`     // related ids, nearest first (ID_LIKE)
	Name     string   `json:"name,omitempty"`     // for people
	Version  string   `json:"version,omitempty"`  // 12, 24.04, 10.0.22631, 15.1
	Codename string   `json:"codename,omitempty"` // bookworm
	Build    string   `json:"build,omitempty"`    // Windows build.UBR, macOS build
	Edition  string   `json:"edition,omitempty"`  // Windows edition
	Kernel   string   `json:"kernel,omitempty"`
	Arch     string   `json:"arch,omitempty"` // GOARCH of the operating system
	Libc     Libc     `json:"libc,omitzero"`
	// Container: docker, podman, lxc, chroot, wsl1, wsl2 …; "" for none seen.
	Container string            `json:"container,omitempty"`
	User      User              `json:"user,omitzero"`
	Attrs     map[string]string `json:"attrs,omitempty"`
	Evidence  []Evidence        `json:"evidence,omitempty"`
}

// Libc is the C library.
type Libc struct {
	Kind    string `json:"kind,omitempty"` // glibc, musl, ucrt …
	Version string `json:"version,omitempty"`
	// GLIBCXX and CXXABI are the newest symbol versions of libstdc++ (3.4.30).
	GLIBCXX string `json:"glibcxx,omitempty"`
	CXXABI  string `json:"cxxabi,omitempty"`
}

// User is what matters of the account deployctl runs under.
type User struct {
	Admin bool `json:"admin"`
	// Elevate lists the ways to become administrator that are installed
	// (sudo, doas, pkexec, uac), in order of preference.
	Elevate []string `json:"elevate,omitempty"`
}

// CPU is the processor as programs may use it (masked features are absent).
type CPU struct {
	Vendor string `json:"vendor,omitempty"`
	Model  string `json:"model,omitempty"`
	Arch   string `json:"arch,omitempty"` // GOARCH
	// Level: x86-64-v1 … x86-64-v4, or armv7, armv8.0 … for ARM.
	Level    string   `json:"level,omitempty"`
	Features []string `json:"features,omitempty"` // lower case, sorted: avx2, avx512f, neon, dotprod
	// Cores are those usable (affinity and quota applied), Logical all threads.
	Cores    float64 `json:"cores,omitempty"`
	Logical  int     `json:"logical,omitempty"`
	Physical int     `json:"physical,omitempty"`
	// MHz is the frequency used for PeakGFLOPS.
	MHz float64 `json:"mhz,omitempty"`
	// PeakGFLOPS is the theoretical single-precision peak of the usable cores.
	PeakGFLOPS float64 `json:"peak_gflops,omitempty"`
	// PeakBasis states the assumption: cores × MHz × lanes × FMA units × 2.
	PeakBasis  string            `json:"peak_basis,omitempty"`
	Hypervisor string            `json:"hypervisor,omitempty"`
	Attrs      map[string]string `json:"attrs,omitempty"`
	Evidence   []Evidence        `json:"evidence,omitempty"`
}

// Memory is in bytes.
type Memory struct {
	Total     uint64 `json:"total,omitempty"`
	Available uint64 `json:"available,omitempty"`
	Swap      uint64 `json:"swap,omitempty"`
	// Limit is the cgroup (or job) limit when it is below Total.
	Limit    uint64     `json:"limit,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
}

// Usable is the memory a program may have: the limit where there is one.
func (m Memory) Usable() uint64 {
	if m.Limit > 0 && m.Limit < m.Total {
		return m.Limit
	}
	return m.Total
}

// Disk is the room where something will be written, in bytes.
type Disk struct {
	Purpose  string     `json:"purpose"` // cache, tmp, system
	Path     string     `json:"path"`
	Total    uint64     `json:"total"`
	Free     uint64     `json:"free"`
	Kind     string     `json:"kind,omitempty"`
	ReadOnly bool       `json:"readonly,omitempty"`
	Evidence []Evidence `json:"evidence,omitempty"`
}

// GPU is one graphics or compute device.
type GPU struct {
	Vendor string `json:"vendor,omitempty"` // nvidia, amd, intel, apple …
	Name   string `json:"name,omitempty"`
	PCI    string `json:"pci,omitempty"`    // 0000:01:00.0
	ID     string `json:"id,omitempty"`     // 10de:2684
	Driver string `json:"driver,omitempty"` // kernel driver bound
	// DriverVersion is the user-mode driver's.
	DriverVersion string `json:"driver_version,omitempty"`
	Memory        uint64 `json:"memory,omitempty"` // bytes
	// ComputeCapability is CUDA's (8.9).
	ComputeCapability string            `json:"compute_capability,omitempty"`
	Attrs             map[string]string `json:"attrs,omitempty"`
	Evidence          []Evidence        `json:"evidence,omitempty"`
}

// Instance is one copy of a component.
type Instance struct {
	Version string `json:"version,omitempty"` // "" when it could not be told
	Path    string `json:"path,omitempty"`
	// Active: this copy would win; Via says in which lookups (PATH,
	// pkg-config, ldconfig, cmake, dll).
	Active bool     `json:"active"`
	Via    []string `json:"via,omitempty"`
	// Has lists parts, modules or capabilities (dnn, headers, cuda, nvcc).
	Has []string `json:"has,omitempty"`
	// Attrs are named details (soname, include, build.cuda, driver_max_cuda).
	Attrs    map[string]string `json:"attrs,omitempty"`
	Evidence []Evidence        `json:"evidence,omitempty"`
}

// HasPart reports whether the instance lists the part.
func (i Instance) HasPart(part string) bool {
	for _, p := range i.Has {
		if p == part {
			return true
		}
	}
	return false
}

// Problem is something that could not be looked at.
type Problem struct {
	Probe string `json:"probe"`
	// Covers are the fact topics (os, cpu, memory, disks, gpus) and component
	// names that are therefore uncertain.
	Covers []string `json:"covers"`
	Error  string   `json:"error"`
}

// Timing is how long a probe took.
type Timing struct {
	Probe string        `json:"probe"`
	Took  time.Duration `json:"took_ns"`
}

// Active returns the active instance of a component.
func (f *Facts) Active(component string) (Instance, bool) {
	for _, i := range f.Components[component] {
		if i.Active {
			return i, true
		}
	}
	return Instance{}, false
}

// Problem returns the first problem that covers the topic or component.
func (f *Facts) Problem(topic string) (Problem, bool) {
	for _, p := range f.Problems {
		for _, c := range p.Covers {
			if c == topic {
				return p, true
			}
		}
	}
	return Problem{}, false
}

// Add appends an instance of a component.
func (f *Facts) Add(component string, i Instance) {
	if f.Components == nil {
		f.Components = map[string][]Instance{}
	}
	f.Components[component] = append(f.Components[component], i)
}

// Merge takes over what a probe found. Each topic is filled by one probe; a
// second non-empty answer for the same scalar topic replaces the first.
func (f *Facts) Merge(p Facts) {
	if p.OS.Family != "" {
		f.OS = p.OS
	}
	if p.CPU.Arch != "" {
		f.CPU = p.CPU
	}
	if p.Memory.Total != 0 {
		f.Memory = p.Memory
	}
	f.Disks = append(f.Disks, p.Disks...)
	f.GPUs = append(f.GPUs, p.GPUs...)
	for name, list := range p.Components {
		for _, i := range list {
			f.Add(name, i)
		}
	}
	f.Problems = append(f.Problems, p.Problems...)
}

// Sort puts everything into a stable order: active instances first, then by
// path, so that two runs on one machine give the same bytes.
func (f *Facts) Sort() {
	for _, list := range f.Components {
		sort.SliceStable(list, func(a, b int) bool {
			if list[a].Active != list[b].Active {
				return list[a].Active
			}
			return list[a].Path < list[b].Path
		})
	}
	sort.SliceStable(f.Disks, func(a, b int) bool { return f.Disks[a].Purpose < f.Disks[b].Purpose })
	sort.SliceStable(f.GPUs, func(a, b int) bool { return f.GPUs[a].PCI < f.GPUs[b].PCI })
	sort.SliceStable(f.Problems, func(a, b int) bool { return f.Problems[a].Probe < f.Problems[b].Probe })
	sort.SliceStable(f.Timings, func(a, b int) bool { return f.Timings[a].Took > f.Timings[b].Took })
}
