// Package apple finds what builds and runs inference on macOS: Xcode, the
// command-line tools, Apple's SDKs, Homebrew and the system's frameworks.
//
// The components it fills:
//
//	xcode             one instance an Xcode*.app
//	xcode-clt         the command-line tools
//	macos-sdk, ios-sdk   one instance an SDK folder
//	homebrew          one instance a prefix, with its architecture
//	metal, coreml, opencl-framework, accelerate   system frameworks
//
// It must never start xcodebuild or brew (both are slow, and xcodebuild may
// ask to install); property lists and links say the same.
package apple

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sort"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// Provides are the component names of this probe.
func Provides() []string {
	return []string{"xcode", "xcode-clt", "macos-sdk", "ios-sdk", "homebrew", "metal", "coreml", "opencl-framework", "accelerate"}
}

// Probe reads Apple's tools. On other systems it finds nothing.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	if h.OS != "darwin" {
		return facts.Facts{}, nil
	}
	p := &prober{ctx: ctx, h: h}
	var f facts.Facts
	selected, how := p.selected()
	p.xcodes(&f, selected, how)
	p.tools(&f, selected, how)
	for _, name := range []string{"macos-sdk", "ios-sdk"} {
		p.choose(f.Components[name], name, selected)
	}
	p.brew(&f)
	p.frameworks(&f)
	f.Problems = p.problems.Facts("xcode", "xcode-clt", "macos-sdk", "ios-sdk")
	return f, nil
}

const (
	cltRoot  = "/Library/Developer/CommandLineTools"
	maxXcode = 16
	maxSDKs  = 64
)

type prober struct {
	ctx      context.Context
	h        *host.Host
	problems look.Problems
}

func (p *prober) problem(what string, err error) { p.problems.Note(p.ctx, what, err) }

// selected is the active developer folder in xcode-select's order:
// DEVELOPER_DIR, the link it writes, then its defaults.
func (p *prober) selected() (dir, how string) {
	if dir := strings.TrimRight(p.h.Env("DEVELOPER_DIR"), "/"); dir != "" {
		if strings.HasSuffix(dir, ".app") { // xcrun takes this form too
			dir += "/Contents/Developer"
		}
		return dir, "DEVELOPER_DIR"
	}
	// xcode-select since macOS 10.9 keeps its choice as a link here; before,
	// as text in /usr/share/xcode-select/xcode_dir_path.
	const link = "/var/db/xcode_select_link"
	if p.h.Exists(p.ctx, link) {
		if dir, err := p.h.Resolve(p.ctx, link); err == nil && dir != link {
			return dir, "xcode-select"
		}
	}
	for _, dir := range []string{"/Applications/Xcode.app/Contents/Developer", cltRoot} {
		if p.h.Exists(p.ctx, dir+"/usr/bin") {
			return dir, "default"
		}
	}
	return "", ""
}

func (p *prober) xcodes(f *facts.Facts, selected, how string) {
	apps := p.h.Glob(p.ctx, "/Applications", "Xcode*.app")
	if home := p.h.Env("HOME"); home != "" {
		apps = append(apps, p.h.Glob(p.ctx, home+"/Applications", "Xcode*.app")...)
	}
	if at := strings.Index(selected, ".app/"); at > 0 && !slices.Contains(apps, selected[:at+4]) {
		apps = append(apps, selected[:at+4])
	}
	for _, app := range apps[:min(len(apps), maxXcode)] {
		developer := app + "/Contents/Developer"
		i := facts.Instance{Path: app, Attrs: map[string]string{"developer_dir": developer}}
		for _, file := range []string{app + "/Contents/version.plist", app + "/Contents/Info.plist"} {
			info, err := p.plist(file)
			p.problem("xcode", err)
			if err != nil || info.ShortVersion == "" {
				continue
			}
			i.Version = look.Version(string(info.ShortVersion))
			if build := cmp.Or(info.ProductBuild, info.DTXcodeBuild); build != "" {
				i.Attrs["build"] = string(build)
			}
			i.Evidence = append(i.Evidence, facts.Evidence{Kind: "file", Source: file, Detail: string(info.ShortVersion)})
			break
		}
		if !p.h.Exists(p.ctx, developer) {
			if i.Version == "" {
				continue // an installer or a helper that is only named like it
			}
			i.Attrs["state"] = "incomplete: no Contents/Developer"
		}
		if len(i.Evidence) == 0 {
			i.Evidence = []facts.Evidence{{Kind: "file", Source: app}}
		}
		if strings.Contains(strings.ToLower(p.h.Base(app)), "beta") {
			i.Attrs["prerelease"] = "true"
		}
		if p.h.Exists(p.ctx, developer+"/Toolchains/XcodeDefault.xctoolchain/usr/bin/clang") {
			i.Has = append(i.Has, "clang")
		}
		if p.h.Exists(p.ctx, developer+"/usr/bin/xcodebuild") {
			i.Has = append(i.Has, "xcodebuild")
		}
		if developer == selected {
			i.Active, i.Via = true, []string{how}
			i.Unusable = p.license()
		}
		for platform, component := range map[string]string{"MacOSX": "macos-sdk", "iPhoneOS": "ios-sdk", "iPhoneSimulator": "ios-sdk"} {
			if p.sdks(f, component, developer+"/Platforms/"+platform+".platform/Developer/SDKs", platform) {
				i.Has = append(i.Has, platform)
			}
		}
		sort.Strings(i.Has)
		f.Add("xcode", i)
	}
}

// license is an Xcode whose license was not accepted after it was installed or
// updated. The stand-ins in /usr/bin say so themselves; where an Xcode is
// selected, they open no window.
func (p *prober) license() *facts.Unusable {
	const stub = "/usr/bin/clang"
	if !p.h.Exists(p.ctx, stub) {
		return nil
	}
	out, err := p.h.Run(p.ctx, host.Command{Argv: []string{stub, "--version"}})
	const notAccepted = 69 // EX_UNAVAILABLE of sysexits(3)
	if err != nil || out.Exit != notAccepted || !strings.Contains(string(out.Stderr)+string(out.Stdout), "license") {
		return nil
	}
	return &facts.Unusable{
		Reason: facts.Disabled,
		Detail: lang.T("Xcode's license is not accepted, so clang, git and every other developer tool stop with exit code 69"),
		Remedy: "sudo xcodebuild -license accept",
	}
}

// selectionGone is a choice of xcode-select or DEVELOPER_DIR that was deleted
// since: the stand-ins in /usr/bin then stop with "invalid active developer path".
func (p *prober) selectionGone(selected, how string) *facts.Unusable {
	if selected == "" || selected == cltRoot || p.h.Exists(p.ctx, selected) {
		return nil
	}
	u := &facts.Unusable{Reason: facts.MissingFile, Detail: lang.F("%s names %s, which is not there", how, selected), Remedy: "sudo xcode-select --reset"}
	if how == "DEVELOPER_DIR" {
		u.Remedy = "unset DEVELOPER_DIR"
	}
	return u
}

func (p *prober) tools(f *facts.Facts, selected, how string) {
	clang := cltRoot + "/usr/bin/clang"
	if !p.h.Exists(p.ctx, cltRoot) {
		return
	}
	i := facts.Instance{Path: cltRoot, Evidence: []facts.Evidence{{Kind: "file", Source: cltRoot}}}
	for _, name := range []string{"com.apple.pkg.CLTools_Executables", "com.apple.pkg.DeveloperToolsCLI"} {
		receipt := "/var/db/receipts/" + name + ".plist"
		info, err := p.plist(receipt)
		p.problem("command-line tools", err)
		if err != nil || info.PackageVersion == "" {
			continue
		}
		// 15.3.0.0.1.1708646388: the last number is a time stamp.
		i.Version = shorten(string(info.PackageVersion))
		i.Evidence = []facts.Evidence{{Kind: "file", Source: receipt, Detail: string(info.PackageVersion)}}
		break
	}
	if p.h.Exists(p.ctx, clang) {
		i.Has = append(i.Has, "clang")
	} else {
		// What an upgrade of macOS leaves behind.
		i.Attrs = map[string]string{"state": "incomplete: no " + clang}
	}
	// clang takes these before the SDK's. The tools have had none of their own since 2022,
	// and an upgrade leaves what is no longer theirs.
	const headers = cltRoot + "/usr/include/c++/v1"
	if p.h.Exists(p.ctx, headers) && !p.h.Exists(p.ctx, headers+"/vector") && !p.h.Exists(p.ctx, headers+"/cstdint") {
		i.Has = append(i.Has, "old-cxx-headers")
	}
	if p.sdks(f, "macos-sdk", cltRoot+"/SDKs", "MacOSX") {
		i.Has = append(i.Has, "MacOSX")
	}
	if selected == cltRoot {
		i.Active, i.Via = true, []string{how}
	}
	i.Unusable = p.selectionGone(selected, how)
	if selected == cltRoot && !slices.Contains(i.Has, "clang") {
		i.Unusable = &facts.Unusable{
			Reason: facts.MissingFile,
			Detail: lang.F("%s is there, but its programs are missing: no %s", cltRoot, clang),
			Remedy: "sudo rm -rf " + cltRoot + " && xcode-select --install",
		}
	}
	f.Add("xcode-clt", i)
}

var sdkName = lazyregexp.New(`^(MacOSX|iPhoneOS|iPhoneSimulator)([0-9.]*)\.sdk$`)

// sdks adds the SDK folders of one platform, each once: MacOSX.sdk is usually
// the folder, MacOSX15.1.sdk a link to it (or the other way round).
func (p *prober) sdks(f *facts.Facts, component, dir, platform string) bool {
	entries, err := p.h.ReadDir(p.ctx, dir)
	p.problem("SDKs", err)
	seen := map[string]bool{}
	for _, i := range f.Components[component] {
		seen[i.Path] = true
	}
	found := false
	for _, e := range entries {
		m := sdkName.FindStringSubmatch(e.Name)
		if m == nil || m[1] != platform || len(seen) > maxSDKs || p.ctx.Err() != nil {
			continue
		}
		path := dir + "/" + e.Name
		real := p.h.Real(p.ctx, path)
		if seen[real] {
			found = true
			continue
		}
		seen[real] = true
		i := facts.Instance{Path: real, Attrs: map[string]string{"platform": platform}, Evidence: []facts.Evidence{{Kind: "file", Source: real}}}
		i.Version = strings.Trim(m[2], ".")
		if text, err := p.h.Text(p.ctx, real+"/SDKSettings.json"); err == nil {
			s := ParseSDKSettings([]byte(text))
			i.Version = cmp.Or(s.Version, i.Version)
			look.Set(i.Attrs, "canonical_name", s.CanonicalName)
			i.Evidence[0].Source += "/SDKSettings.json"
		} else if info, err := p.plist(real + "/SDKSettings.plist"); err == nil { // before Xcode 10
			i.Version = cmp.Or(string(info.Version), i.Version)
			i.Evidence[0].Source += "/SDKSettings.plist"
		}
		i.Version = look.Version(i.Version)
		f.Add(component, i)
		found = true
	}
	return found
}

// SDKSettings is what an SDK says of itself.
type SDKSettings struct {
	Version       string `json:"Version"`
	CanonicalName string `json:"CanonicalName"` // iphoneos17.5
}

// ParseSDKSettings reads SDKSettings.json; what cannot be read is empty.
func ParseSDKSettings(data []byte) SDKSettings {
	var s SDKSettings
	if err := json.Unmarshal([]byte(strings.TrimPrefix(string(data), "\ufeff")), &s); err != nil {
		return SDKSettings{}
	}
	return s
}

// choose marks the SDK that the selected developer folder gives: the newest in
// it, or the one SDKROOT names. Devices come before the simulator.
func (p *prober) choose(list []facts.Instance, component, selected string) {
	best, root := -1, strings.TrimRight(p.h.Env("SDKROOT"), "/")
	for n, i := range list {
		if component == "macos-sdk" && root != "" && i.Path == root {
			best = n
			list[n].Via = []string{"SDKROOT"}
			break
		}
		if selected == "" || !strings.HasPrefix(i.Path, selected+"/") || i.Attrs["platform"] == "iPhoneSimulator" {
			continue
		}
		if best < 0 || look.Newer(i.Version, list[best].Version) {
			best = n
		}
	}
	if best >= 0 {
		list[best].Active = true
		if list[best].Via == nil {
			list[best].Via = []string{"xcrun"}
		}
	}
}

// maxPlist is more than any file read here has (Info.plist of Xcode: 60 kB).
const maxPlist = 4 << 20

func (p *prober) plist(file string) (look.Plist, error) {
	data, truncated, err := p.h.ReadFile(p.ctx, file, maxPlist)
	if err != nil {
		return look.Plist{}, lang.Errorf("read %s: %w", file, err)
	}
	if truncated {
		return look.Plist{}, lang.Errorf("read %s: %w", file, host.ErrTooLarge)
	}
	info, err := look.ParsePlist(data)
	if err != nil {
		err = lang.Errorf("read %s: %w", file, err)
	}
	return info, err
}

// brew finds Homebrew's prefixes. Each is for one architecture: bottles of the
// other cannot be linked into programs of this one.
func (p *prober) brew(f *facts.Facts) {
	onPath := p.h.LookPath(p.ctx, "brew")
	active := -1
	prefixes := []struct{ prefix, arch string }{{"/opt/homebrew", "arm64"}, {"/usr/local", "amd64"}}
	if own := strings.TrimRight(p.h.Env("HOMEBREW_PREFIX"), "/"); own != "" && own != "/opt/homebrew" && own != "/usr/local" {
		prefixes = append(prefixes, struct{ prefix, arch string }{own, ""})
	}
	for _, b := range prefixes {
		exe := b.prefix + "/bin/brew"
		if !p.h.Exists(p.ctx, exe) {
			continue
		}
		i := facts.Instance{Path: b.prefix, Attrs: map[string]string{"brew": exe}, Evidence: []facts.Evidence{{Kind: "file", Source: exe}}}
		if b.arch != "" {
			i.Attrs["arch"] = b.arch
			i.Attrs["native"] = "true"
			if b.arch != p.h.Arch {
				i.Attrs["native"] = "false"
				i.Attrs["state"] = "its packages are for " + b.arch + ", this Mac is " + p.h.Arch
			}
		}
		for _, keg := range []string{"opencv", "opencv@4", "opencv@3", "cmake", "pkgconf", "pkg-config", "libomp", "openblas", "pytorch", "onnxruntime", "tensorflow", "ncnn", "go"} {
			if p.h.Exists(p.ctx, b.prefix+"/opt/"+keg) {
				i.Has = append(i.Has, keg)
			}
		}
		n := len(f.Components["homebrew"])
		if len(onPath) > 0 && onPath[0] == exe {
			active = n
			i.Via = []string{"PATH"}
		} else if active < 0 && i.Attrs["native"] != "false" {
			active = n
		}
		f.Add("homebrew", i)
	}
	list := f.Components["homebrew"]
	if active < 0 && len(list) > 0 {
		active = 0
	}
	if active >= 0 {
		list[active].Active = true
	}
}

// frameworks: since macOS 11 the libraries live in a shared cache, but the
// folders stay.
func (p *prober) frameworks(f *facts.Facts) {
	for _, fw := range []struct{ component, name string }{
		{"metal", "Metal"}, {"coreml", "CoreML"}, {"opencl-framework", "OpenCL"}, {"accelerate", "Accelerate"},
	} {
		dir := "/System/Library/Frameworks/" + fw.name + ".framework"
		if !p.h.Exists(p.ctx, dir) {
			continue
		}
		i := facts.Instance{Path: dir, Active: true, Via: []string{"system"}, Evidence: []facts.Evidence{{Kind: "file", Source: dir}}}
		for _, file := range []string{dir + "/Resources/version.plist", dir + "/Resources/Info.plist"} {
			if info, err := p.plist(file); err == nil && info.ShortVersion != "" {
				i.Version = look.Version(string(info.ShortVersion))
				break
			}
		}
		if fw.name == "Metal" && p.h.Exists(p.ctx, "/System/Library/Frameworks/MetalPerformanceShaders.framework") {
			i.Has = []string{"mps"}
		}
		if fw.name == "CoreML" && p.h.Arch == "arm64" {
			i.Has = []string{"neural-engine"} // every Apple silicon Mac has one
		}
		f.Add(fw.component, i)
	}
}

// shorten keeps at most three numbers of a package version.
func shorten(v string) string {
	parts := strings.Split(v, ".")
	return look.Version(strings.Join(parts[:min(len(parts), 3)], "."))
}
