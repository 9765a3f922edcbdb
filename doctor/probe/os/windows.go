package osprobe

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

const currentVersion = `HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion`

// win11Build is the first build of Windows 11; ProductName still says
// "Windows 10" there (Microsoft, Windows 11 release information).
const win11Build = 22000

func (p *prober) windows() {
	key, err := p.h.RegistryKey(p.ctx, currentVersion, "64")
	p.fail(err)
	if err == nil {
		p.windowsVersion(key)
	}
	p.windowsEnvironment()
	p.longPaths()
	p.wine()
	p.windowsUser()
	if p.h.Exists(p.ctx, p.systemFile("ucrtbase.dll")) {
		p.os.Libc.Kind = "ucrt"
		p.evidence("file", p.systemFile("ucrtbase.dll"), "")
	}
}

// systemFile is a path below System32. A 32-bit deployctl would be sent to
// SysWOW64; there is none.
func (p *prober) systemFile(name string) string {
	return p.h.Join(look.SystemRoot(p.h), "System32", name)
}

func (p *prober) windowsVersion(key host.Key) {
	text := func(name string) string {
		v, _ := key.Value(name)
		return look.Clean(v.String)
	}
	build := cmp.Or(text("CurrentBuildNumber"), text("CurrentBuild"))
	number, _ := strconv.Atoi(build) // not a number: 0, older than everything
	version := text("CurrentVersion")
	if major, _ := key.Value("CurrentMajorVersionNumber"); major.Int > 0 {
		// CurrentVersion stays 6.3 since Windows 8.1.
		minor, _ := key.Value("CurrentMinorVersionNumber")
		version = fmt.Sprintf("%d.%d", major.Int, minor.Int)
	}
	p.os.ID = "windows"
	p.os.Version = strings.Trim(version+"."+build, ".")
	p.os.Kernel = p.os.Version
	p.os.Build = build
	if ubr, ok := key.Value("UBR"); ok && build != "" {
		p.os.Build += "." + strconv.FormatUint(ubr.Int, 10)
	}
	p.os.Edition = text("EditionID")
	p.os.Name = text("ProductName")

	installation := text("InstallationType") // Client, Server, Server Core, Nano Server
	server := strings.Contains(strings.ToLower(installation), "server") || strings.HasPrefix(p.os.Edition, "Server")
	p.set("installation_type", installation)
	display := cmp.Or(text("DisplayVersion"), text("ReleaseId"))
	p.set("display_version", display)
	release := versionNum.FindString(p.os.Name)
	if server {
		p.set("server", "yes")
		p.os.Like = []string{"windows-server"}
	} else if installation != "" || p.os.Edition != "" {
		p.os.Like = []string{"windows-client"}
	}
	if !server && number >= win11Build {
		release = "11"
		p.os.Name = strings.Replace(p.os.Name, "Windows 10", "Windows 11", 1)
	}
	p.set("release", release)
	if variant := mediaVariant(p.os.Edition); variant != "" {
		p.set("variant", variant)
	}
	detail := p.os.Name
	if display != "" {
		detail += " " + display
	}
	p.evidence("registry", currentVersion, detail+" build "+p.os.Build)
}

// mediaVariant tells the editions sold without Media Foundation in Europe (N)
// and Korea (KN) by the capital letters that end their EditionID
// ("ProfessionalN" is one, "Education" is none).
func mediaVariant(edition string) string {
	switch {
	case strings.HasSuffix(edition, "KN"):
		return "KN"
	case strings.HasSuffix(edition, "N"):
		return "N"
	}
	return ""
}

// goarch maps Windows' names of architectures.
func goarch(name string) string {
	return map[string]string{"AMD64": "amd64", "ARM64": "arm64", "X86": "386", "ARM": "arm"}[strings.ToUpper(strings.TrimSpace(name))]
}

// windowsEnvironment reads the environment that new sessions get from the
// registry. The machine's part names the system's own architecture, also to an
// emulated process. What it has on PATH and this session has not, a terminal
// that is opened now will have.
func (p *prober) windowsEnvironment() {
	stale, values, err := look.StalePath(p.ctx, p.h)
	p.fail(err)
	p.os.StalePath = stale
	p.cutPath()
	native := cmp.Or(goarch(values["processor_architecture"]), goarch(p.h.Env("PROCESSOR_ARCHITEW6432")), goarch(p.h.Env("PROCESSOR_ARCHITECTURE")))
	if native != "" && native != p.h.Arch {
		p.set("emulated", p.h.Arch)
		p.os.Arch = native
	}
}

// cutPath finds a PATH that setx has cut off: it writes 1024 characters and no more
// (Microsoft, setx: "WARNING: The data being saved is truncated to 1024 characters").
func (p *prober) cutPath() {
	const most = 1024
	for _, name := range []string{`HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Environment`, `HKCU\Environment`} {
		key, err := p.h.RegistryKey(p.ctx, name, "64")
		if err != nil {
			continue // windowsEnvironment tells it
		}
		for name, v := range key.Values {
			last := v.String[strings.LastIndexByte(v.String, ';')+1:]
			if strings.EqualFold(name, "Path") && utf8.RuneCountInString(v.String) == most && len(last) > 3 && last[1] == ':' && !p.h.Exists(p.ctx, last) {
				p.os.CutPath = last
			}
		}
	}
}

func (p *prober) longPaths() {
	const filesystem = `HKLM\SYSTEM\CurrentControlSet\Control\FileSystem`
	key, err := p.h.RegistryKey(p.ctx, filesystem, "64")
	p.fail(err)
	if err != nil {
		return
	}
	state := "off"
	if v, _ := key.Value("LongPathsEnabled"); v.Int == 1 {
		state = "on"
	}
	p.os.LongPaths = state
	p.set("long_paths", state)
	p.evidence("registry", filesystem, "LongPathsEnabled: "+state)
}

func (p *prober) wine() {
	if p.h.Exists(p.ctx, p.systemFile("winecfg.exe")) {
		p.os.Container = "wine"
		p.evidence("file", p.systemFile("winecfg.exe"), "")
	}
}

// windowsUser: only an elevated administrator may list the system's own profile.
func (p *prober) windowsUser() {
	profile := p.systemFile(`config\systemprofile`)
	_, err := p.h.ReadDir(p.ctx, profile)
	p.os.User.Admin = err == nil || p.os.Container == "wine"
	if err == nil {
		p.evidence("file", profile, "may be listed, so this process is elevated")
	}
	p.os.User.Elevate = []string{"uac"}
	if p.h.Exists(p.ctx, p.systemFile("sudo.exe")) {
		p.os.User.Elevate = append(p.os.User.Elevate, "sudo")
	}
}
