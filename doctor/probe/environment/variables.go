package environment

import (
	"net/url"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

// goVariable is a setting of the go command.
func (p *prober) goVariable(name string) string { return p.settings.Get(p.ctx, name) }

// goModules is the folder of the modules that were downloaded (Go modules reference,
// GOMODCACHE); "" where it is not known.
func (p *prober) goModules() string {
	if dir := p.goVariable("GOMODCACHE"); dir != "" {
		return dir
	}
	variable, separator := "HOME", ":"
	if p.h.Windows() {
		variable, separator = "USERPROFILE", ";"
	}
	path, _, _ := strings.Cut(p.goVariable("GOPATH"), separator)
	if home := look.EnvPath(p.h, variable); path == "" && home != "" {
		path = p.h.Join(home, "go")
	}
	if path == "" {
		return ""
	}
	return p.h.Join(path, "pkg", "mod")
}

func (p *prober) note(name, value string, problem facts.VariableProblem, detail string) {
	p.e.Variables = append(p.e.Variables, facts.Variable{Name: name, Value: value, Problem: problem, Detail: detail})
}

// goVariables lists the settings with which go build cannot build gocv.
func (p *prober) goVariables() {
	if p.goVariable("CGO_ENABLED") == "0" {
		p.note("CGO_ENABLED", "0", facts.CgoOff, "")
	}
	if v := p.goVariable("GOARCH"); v != "" && v != p.h.Arch {
		p.note("GOARCH", v, facts.OtherTarget, p.h.Arch)
	}
	if v := p.goVariable("GOOS"); v != "" && v != p.h.OS {
		p.note("GOOS", v, facts.OtherTarget, p.h.OS)
	}
	for flag := range strings.FieldsSeq(p.goVariable("GOFLAGS")) {
		if flag == "-mod=vendor" {
			p.note("GOFLAGS", flag, facts.VendorOnly, "")
		}
	}
	if p.goVariable("GO111MODULE") == "off" {
		p.note("GO111MODULE", "off", facts.ModulesOff, "")
	}
	if p.goVariable("GOPROXY") == "off" {
		problem, modules := facts.DownloadsOff, p.goModules()
		if look.IsPath(modules) && !p.h.Exists(p.ctx, p.h.Join(modules, "cache", "download", "gocv.io", "x", "gocv")) {
			problem = facts.NotInCache
		}
		p.note("GOPROXY", "off", problem, modules)
	}
	if root := p.h.Env("GOROOT"); look.IsPath(root) && !p.h.Exists(p.ctx, root) {
		p.note("GOROOT", root, facts.NoGoRoot, "")
	} else if version := p.goRelease(root); root != "" && version != "" {
		p.note("GOROOT", root, facts.OfGoRoot, version)
	}
	for _, name := range []string{"CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_CXXFLAGS", "CGO_LDFLAGS"} {
		if path := splitPath(p.goVariable(name)); path != "" {
			p.note(name, path, facts.SplitByBlank, "")
		}
	}
}

// goRelease is the release of the Go in a folder, "" where it is not known.
func (p *prober) goRelease(root string) string {
	line, _, _ := strings.Cut(p.text(p.h.Join(root, "VERSION")), "\n")
	version, ok := strings.CutPrefix(strings.TrimSpace(line), "go")
	if !ok {
		return ""
	}
	return version
}

// hidden notes a variable that hides every GPU from CUDA programs: they see the
// devices before the first entry that names none (CUDA C++ Programming Guide, "CUDA
// Environment Variables"). NoDevFiles is Slurm's for a job without a GPU.
func (p *prober) hidden() {
	const name = "CUDA_VISIBLE_DEVICES"
	v, set := p.h.Getenv(name)
	if first, _, _ := strings.Cut(strings.TrimSpace(v), ","); set && (first == "" || first[0] == '-' || first == "NoDevFiles" || first == "none") {
		p.note(name, v, facts.HidesGPUs, "")
	} else if set && strings.Trim(first, "0123456789") == "" {
		p.note(name, v, facts.ChoosesGPU, first)
	}
}

// ofCards lists the variables by which CUDA ignores a part of the code in programs (CUDA C++
// Programming Guide, "CUDA Environment Variables"), and ROCm's OpenCL its GPUs (ROCm,
// "GPU isolation techniques"): a number that no GPU has ends the list.
func (p *prober) ofCards() {
	for _, v := range []facts.Variable{{Name: "CUDA_FORCE_PTX_JIT", Problem: facts.ForcesJIT}, {Name: "CUDA_DISABLE_PTX_JIT", Problem: facts.NoJIT}} {
		if p.h.Env(v.Name) == "1" {
			p.note(v.Name, "1", v.Problem, "")
		}
	}
	for _, name := range []string{"ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"} {
		if v := strings.TrimSpace(p.h.Env(name)); strings.HasPrefix(v, "-") {
			p.note(name, v, facts.HidesAMD, "")
		}
	}
}

// openCL lists the variables that turn OpenCL off in OpenCV (OpenCV, "OpenCL-related
// environment variables"; opencv/opencv issue 9852).
func (p *prober) openCL() {
	for name, off := range map[string][]string{"OPENCV_OPENCL_DEVICE": {"disabled"}, "OPENCV_OPENCL_RUNTIME": {"disabled", "null"}} {
		if v := p.h.Env(name); slices.Contains(off, strings.ToLower(v)) {
			p.note(name, v, facts.OpenCLOff, "")
		}
	}
}

// preVega notes the variable by which ROCm's OpenCL serves GPUs before Vega
// (ROCm/legacy-rocm-build issue 1659).
func (p *prober) preVega() {
	const name = "ROC_ENABLE_PRE_VEGA"
	if v := p.h.Env(name); v != "" && v != "0" && !strings.EqualFold(v, "false") {
		p.note(name, v, facts.PreVega, "")
	}
}

// rusticl notes the variable that names the drivers for which Mesa's OpenCL shows
// devices (Mesa, docs/rusticl.rst).
func (p *prober) rusticl() {
	const name = "RUSTICL_ENABLE"
	if v := p.h.Env(name); v != "" {
		p.note(name, v, facts.Rusticl, "")
	}
}

// ofMacOS are libraries of macOS that have the names of others' in another way: dyld takes
// the one in DYLD_LIBRARY_PATH for every program, and the system's frameworks miss their own
// functions in it (dyld(1); "Symbol not found: __cg_jpeg_resync_to_restart", "_iconv").
var ofMacOS = []string{"libjpeg.dylib", "libpng.dylib", "libtiff.dylib", "libgif.dylib", "libiconv.2.dylib"}

// dyld notes a folder in DYLD_LIBRARY_PATH whose libraries hide those of macOS. File
// systems there mostly do not tell upper from lower case: libjpeg is libJPEG.
func (p *prober) dyld() {
	const name = "DYLD_LIBRARY_PATH"
	for dir := range strings.SplitSeq(p.h.Env(name), ":") {
		if !look.IsPath(dir) || strings.HasPrefix(dir, "/usr/lib") || strings.HasPrefix(dir, "/System/") {
			continue
		}
		for _, library := range ofMacOS {
			if file := p.h.Join(dir, library); p.h.Exists(p.ctx, file) {
				p.note(name, dir, facts.HidesSystem, file)
				return
			}
		}
	}
}

// headers lists the variables that lead clang to the wrong headers or SDK (xcrun(1),
// SDKROOT; clang, "Environment", CPATH).
func (p *prober) headers() {
	if root := p.h.Env("SDKROOT"); strings.HasPrefix(root, "/") {
		if _, err := p.h.Stat(p.ctx, root); host.IsNotExist(err) && p.h.Exists(p.ctx, p.h.DirOf(root)) {
			p.note("SDKROOT", root, facts.NoSDK, "")
		}
	}
	if v := p.h.Env("CPATH"); strings.Contains(v+":", ".sdk/usr/include:") {
		p.note("CPATH", v, facts.SDKHeaders, "")
	}
}

// generators lists the variables that choose CMake's generator (cmake-env-variables(7)).
func (p *prober) generators() {
	for _, name := range []string{"CMAKE_GENERATOR", "CMAKE_GENERATOR_PLATFORM", "CMAKE_GENERATOR_INSTANCE", "CMAKE_GENERATOR_TOOLSET"} {
		if v := p.h.Env(name); v != "" && p.h.Windows() {
			p.note(name, v, facts.Generator, "")
		}
	}
	if p.h.Windows() {
		if found := p.h.LookPath(p.ctx, "sh.exe"); len(found) > 0 {
			p.note("PATH", found[0], facts.ShellOnPath, "")
		}
	}
}

// splitPath finds a path in cgo's flags that a blank cuts in two: -I/home/me/My
// Libs is the folder /home/me/My and a file Libs. Quotes keep it together.
func splitPath(flags string) string {
	if strings.ContainsAny(flags, `"'`) {
		return ""
	}
	words := strings.Fields(flags)
	for i, w := range words {
		if i == 0 || strings.HasPrefix(w, "-") || !strings.ContainsAny(w, `/\`) || strings.HasPrefix(w, "/") || len(w) > 1 && w[1] == ':' {
			continue
		}
		before := words[i-1]
		if strings.HasPrefix(before, "-I") && len(before) > 2 || strings.HasPrefix(before, "-L") && len(before) > 2 {
			return before[2:] + " " + w
		}
	}
	return ""
}

// proxies lists the variables of proxies that tools read in different ways or not
// at all (curl(1), "Environment"; net/http, ProxyFromEnvironment).
func (p *prober) proxies() {
	for _, lower := range []string{"http_proxy", "https_proxy", "all_proxy"} {
		small, upper := p.h.Env(lower), ""
		if !p.h.Windows() { // there the two are one
			upper = p.h.Env(strings.ToUpper(lower))
		}
		for _, v := range []struct{ name, value string }{{lower, small}, {strings.ToUpper(lower), upper}} {
			p.proxy(v.name, v.value)
		}
		if small != "" && upper != "" && strings.TrimSuffix(small, "/") != strings.TrimSuffix(upper, "/") {
			p.note(lower, withoutUser(small), facts.TwoValues, withoutUser(upper))
		}
	}
}

func (p *prober) proxy(name, value string) {
	if value == "" {
		return
	}
	full := value
	if !strings.Contains(full, "://") {
		full = "http://" + full // as every tool reads it
	}
	u, err := url.Parse(full)
	switch {
	case err != nil || u.Hostname() == "" || strings.ContainsAny(value, " \"'"):
		p.note(name, withoutUser(value), facts.Malformed, "")
	case u.Scheme == "https" && (u.Port() == "3128" || u.Port() == "8080" || u.Port() == "80"):
		p.note(name, withoutUser(value), facts.TLSToProxy, "http://"+u.Host)
	case p.h.OS == "linux" && (u.Hostname() == "localhost" || strings.HasPrefix(u.Hostname(), "127.") || u.Hostname() == "::1") && !p.networkOfHost():
		p.note(name, withoutUser(value), facts.LocalProxy, u.Port())
	}
}

// networkOfHost reports whether this machine has the network of what it runs on, as far
// as its interfaces tell: WSL with mirrored networking has one that is called loopback0,
// a container with the host's network has the host's.
func (p *prober) networkOfHost() bool {
	const dir = "/sys/class/net"
	if p.h.Exists(p.ctx, dir+"/loopback0") {
		return true
	}
	if p.h.Env("WSL_DISTRO_NAME") != "" {
		return false // Docker in it has interfaces, too
	}
	for _, pattern := range []string{"en*", "wl*", "docker*", "virbr*"} {
		if len(p.h.Glob(p.ctx, dir, pattern)) > 0 {
			return true
		}
	}
	return false
}

// snaps lists the variables by which programs with windows load modules out of a snap:
// a terminal of an editor that is a snap has them set (microsoft/vscode issues 179086 and
// 179274). Its modules are for the C library of the snap.
func (p *prober) snaps() {
	for _, name := range []string{"GTK_PATH", "GTK_EXE_PREFIX", "GTK_IM_MODULE_FILE", "GIO_MODULE_DIR", "GDK_PIXBUF_MODULE_FILE", "QT_PLUGIN_PATH"} {
		if v := p.h.Env(name); p.h.OS == "linux" && strings.HasPrefix(v, "/snap/") && p.h.Env("SNAP") == "" {
			p.note(name, v, facts.FromSnap, "")
		}
	}
}

// withoutUser leaves a name and password out of a proxy's address.
func withoutUser(value string) string {
	if at := strings.LastIndexByte(value, '@'); at >= 0 {
		scheme, _, ok := strings.Cut(value, "://")
		if ok {
			return scheme + "://" + value[at+1:]
		}
		return value[at+1:]
	}
	return value
}

// certificateVariables name files of certificates; a name of nothing makes every
// https connection of the tool that reads it fail.
var certificateVariables = []string{"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE"}

func (p *prober) certificates() {
	for _, name := range certificateVariables {
		file := p.h.Env(name)
		if !look.IsPath(file) {
			continue
		}
		if _, err := p.h.Stat(p.ctx, file); host.IsNotExist(err) {
			p.note(name, file, facts.NamesNothing, "")
		}
	}
	if p.h.OS == "linux" {
		p.bundle()
	}
}

// bundles are where distributions keep the certificates that everybody trusts
// (crypto/x509, root_linux.go).
var bundles = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
}

// bundle looks for the system's certificates, and for those that an administrator
// added and that are not among them.
func (p *prober) bundle() {
	bundle := ""
	for _, file := range bundles {
		if info, err := p.h.Stat(p.ctx, file); err == nil && !info.Dir && info.Size > 0 {
			bundle = file
			break
		} else if err != nil && !host.IsNotExist(err) {
			return // it may be there
		}
	}
	if bundle == "" {
		p.e.NoCertificates = p.lists()
		return
	}
	for _, dir := range []string{"/usr/local/share/ca-certificates", "/etc/pki/ca-trust/source/anchors"} {
		for _, file := range append(p.h.Glob(p.ctx, dir, "*.crt"), p.h.Glob(p.ctx, dir, "*.pem")...) {
			line := longLine(p.text(file))
			if line == "" {
				continue
			}
			if found, err := p.h.Search(p.ctx, bundle, line, host.MaxFile, len(line)); err == nil && len(found) == 0 {
				p.e.NotTrusted = append(p.e.NotTrusted, file)
			}
		}
	}
}

// lists reports whether the package database is there and knows no package of
// certificates: that no file was found says nothing of a system that keeps them
// elsewhere.
func (p *prober) lists() bool {
	for _, db := range []struct{ file, base, wanted string }{
		{look.DpkgStatus, "Package: base-files\n", "Package: ca-certificates\n"},
		{"/lib/apk/db/installed", "P:alpine-baselayout\n", "P:ca-certificates-bundle\n"},
	} {
		base, err := p.h.Search(p.ctx, db.file, db.base, host.MaxFile, len(db.base))
		if err != nil || len(base) == 0 {
			continue
		}
		wanted, err := p.h.Search(p.ctx, db.file, db.wanted, host.MaxFile, len(db.wanted))
		return err == nil && len(wanted) == 0
	}
	return false
}

// longLine is a line near the end of a certificate's text, which is of its
// signature and so of no other certificate.
func longLine(pem string) string {
	lines := strings.Split(strings.ReplaceAll(pem, "\r", ""), "\n")
	for i := len(lines) - 1; i > 0; i-- {
		if strings.HasPrefix(lines[i], "-----END") {
			for j := i - 1; j > 0; j-- {
				if len(lines[j]) == 64 {
					return lines[j]
				}
			}
		}
	}
	return ""
}
