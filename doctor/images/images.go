// Package images describes clean systems by name, so that a plan can be made for
// one that is not here: the base image of a Dockerfile, or a fresh Windows Server.
// It is plain data: it must never look at a machine.
//
// What a clean system has is what its maker's image has: Debian's and Ubuntu's
// container images bring apt and nothing of what a recipe asks for. The machine
// below is assumed: a 64-bit x86 processor with AVX2, 8 cores, 16 GiB of memory,
// 100 GiB of free disk space, and no GPU.
package images

import (
	"slices"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/near"
)

// image is a clean system.
type image struct {
	name string
	os   facts.OS
	apt  string // its version, "" for none
}

// The versions are those of the images' own packages: Debian's and Ubuntu's
// package lists, read 2026-11.
var all = []image{
	{"debian:12", facts.OS{Family: "linux", ID: "debian", Name: "Debian GNU/Linux 12", Version: "12", Codename: "bookworm", Libc: facts.Libc{Kind: "glibc", Version: "2.36"}}, "2.6.1"},
	{"debian:13", facts.OS{Family: "linux", ID: "debian", Name: "Debian GNU/Linux 13", Version: "13", Codename: "trixie", Libc: facts.Libc{Kind: "glibc", Version: "2.41"}}, "3.0.3"},
	{"ubuntu:24.04", facts.OS{Family: "linux", ID: "ubuntu", Like: []string{"debian"}, Name: "Ubuntu 24.04", Version: "24.04", Codename: "noble", Libc: facts.Libc{Kind: "glibc", Version: "2.39"}}, "2.7.14"},
	{"windows-2022", facts.OS{Family: "windows", ID: "windows", Like: []string{"windows-server"}, Name: "Windows Server 2022 Standard", Version: "10.0.20348", Build: "20348", Edition: "ServerStandard", LongPaths: "off"}, ""},
}

// Names are the systems that Open knows.
func Names() (names []string) {
	for _, i := range all {
		names = append(names, i.name)
	}
	return names
}

// Open gives the facts of a clean system, and the system as far as a plan asks it:
// it has no files, and its user is its administrator.
func Open(name string) (*facts.Facts, *host.Host, error) {
	at := slices.IndexFunc(all, func(i image) bool { return i.name == name })
	if at < 0 {
		return nil, nil, near.Unknown("--for", name, Names())
	}
	i := all[at]
	f := &facts.Facts{Schema: facts.Schema, OS: i.os, Components: map[string][]facts.Instance{}, GPUs: []facts.GPU{}}
	f.OS.Arch, f.OS.User.Admin = "amd64", true
	f.CPU = facts.CPU{Arch: "amd64", Level: "x86-64-v3", Cores: 8, Logical: 8, Physical: 8,
		Features: []string{"aes", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "popcnt", "sse", "sse2", "sse3", "sse4.1", "sse4.2", "ssse3"}}
	f.Memory = facts.Memory{Total: 16 << 30, Available: 15 << 30}
	r := host.NewRecording(i.os.Family, "amd64", time.Time{})
	root, env := "/", map[string]string{"HOME": "/root", "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	if i.os.Family == "windows" {
		root, env = `C:\`, map[string]string{
			"SystemRoot": `C:\Windows`, "ProgramData": `C:\ProgramData`, "ProgramFiles": `C:\Program Files`, "ProgramFiles(x86)": `C:\Program Files (x86)`,
			"USERPROFILE": `C:\Users\Administrator`, "LOCALAPPDATA": `C:\Users\Administrator\AppData\Local`, "PATH": `C:\Windows\System32;C:\Windows`,
		}
	} else {
		f.OS.Container = "docker"
	}
	for name, value := range env {
		r.Env[name] = &value
	}
	for _, purpose := range []string{"cache", "system", "tmp"} {
		f.Disks = append(f.Disks, facts.Disk{Purpose: purpose, Path: root, Total: 200 << 30, Free: 100 << 30})
	}
	if i.apt != "" {
		f.Add("apt", facts.Instance{Version: i.apt, Path: "/usr/bin/apt-get", Active: true, Via: []string{"PATH"}})
	}
	r.Complete()
	return f, host.Replay(r), nil
}
