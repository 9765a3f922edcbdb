// Package mobile finds what builds for other machines than this one: the
// Android SDK, its NDKs and adb. (iOS SDKs come with Xcode: see
// doctor/probe/apple; cross compilers are in doctor/probe/compilers.)
//
// The components it fills:
//
//	android-sdk  one instance a root; the version is the newest platform's API level
//	android-ndk  one instance a folder
//	adb          one instance a copy
//
// It must never start adb: asking it for devices starts a server that stays.
package mobile

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// Provides are the component names of this probe.
func Provides() []string {
	return []string{"android-sdk", "android-ndk", "adb"}
}

// Probe reads the mobile tools.
func Probe(ctx context.Context, h *host.Host) (facts.Facts, error) {
	p := &prober{ctx: ctx, h: h, exe: ""}
	if h.Windows() {
		p.exe = ".exe"
	}
	var f facts.Facts
	for _, i := range p.sdks() {
		f.Add("android-sdk", i)
	}
	for _, i := range p.ndks(f.Components["android-sdk"]) {
		f.Add("android-ndk", i)
	}
	for _, i := range p.adbs(f.Components["android-sdk"]) {
		f.Add("adb", i)
	}
	f.Problems = p.problems.Facts("android-sdk", "android-ndk")
	return f, nil
}

type prober struct {
	ctx      context.Context
	h        *host.Host
	exe      string // ".exe" on Windows
	problems look.Problems
}

func (p *prober) problem(what string, err error) { p.problems.Note(p.ctx, what, err) }

// maxFolders bounds how many roots and NDKs are looked into.
const maxFolders = 32

// candidate is a folder and where its name came from.
type candidate struct{ dir, from string }

// named are the folders that variables name.
func (p *prober) named(variables ...string) (out []candidate) {
	for _, name := range variables {
		if dir := p.h.Env(name); dir != "" {
			out = append(out, candidate{dir, name})
		}
	}
	return out
}

// distinct leaves out folders that are listed before under another spelling.
func (p *prober) distinct(list []candidate) (out []candidate) {
	seen := map[string]bool{}
	for _, c := range list {
		c.dir = strings.TrimRight(c.dir, `/\`)
		if key := p.same(c.dir); c.dir != "" && !seen[key] && p.ctx.Err() == nil {
			seen[key] = true
			out = append(out, c)
		}
	}
	return out
}

func (p *prober) home() string {
	if p.h.Windows() {
		return p.h.Env("USERPROFILE")
	}
	return p.h.Env("HOME")
}

// roots are the SDK folders in the order in which Android's tools take them:
// ANDROID_HOME, the older ANDROID_SDK_ROOT, then the installers' defaults.
func (p *prober) roots() []candidate {
	out := p.named("ANDROID_HOME", "ANDROID_SDK_ROOT", "ANDROID_SDK")
	home := p.home()
	var usual []string
	switch p.h.OS {
	case "windows":
		local := p.h.Env("LOCALAPPDATA")
		if local == "" && home != "" {
			local = p.h.Join(home, `AppData\Local`)
		}
		if local != "" {
			usual = append(usual, p.h.Join(local, `Android\Sdk`))
		}
		usual = append(usual, `C:\Android\android-sdk`, `C:\Program Files (x86)\Android\android-sdk`)
	case "darwin":
		if home != "" {
			usual = append(usual, home+"/Library/Android/sdk")
		}
		usual = append(usual, "/opt/homebrew/share/android-commandlinetools", "/usr/local/share/android-commandlinetools", "/usr/local/share/android-sdk")
	default:
		if home != "" {
			usual = append(usual, home+"/Android/Sdk")
		}
		usual = append(usual, "/usr/lib/android-sdk", "/opt/android-sdk", "/opt/android-sdk-linux", "/usr/local/lib/android/sdk")
	}
	for _, dir := range usual {
		out = append(out, candidate{dir, ""})
	}
	return out
}

// same folds a folder's spelling.
func (p *prober) same(dir string) string {
	dir = strings.TrimRight(p.h.Real(p.ctx, dir), `/\`)
	if p.h.Windows() {
		dir = strings.ToLower(strings.ReplaceAll(dir, "/", `\`))
	}
	return dir
}

func (p *prober) sdks() []facts.Instance {
	var out []facts.Instance
	for _, c := range p.distinct(p.roots()) {
		dir := c.dir
		if len(out) == maxFolders {
			break
		}
		if _, err := p.h.Stat(p.ctx, dir); err != nil {
			p.problem("Android SDK", err)
			continue
		}
		i := facts.Instance{Path: dir, Attrs: map[string]string{}, Evidence: []facts.Evidence{{Kind: "file", Source: dir}}}
		if c.from != "" {
			i.Evidence[0] = facts.Evidence{Kind: "env", Source: c.from, Detail: dir}
			i.Via = []string{c.from}
		}
		platforms := p.platforms(dir)
		if len(platforms) > 0 {
			i.Attrs["platforms"] = strings.Join(platforms, ",")
			i.Version = strings.TrimPrefix(platforms[0], "android-")
			i.Has = append(i.Has, platforms...)
		}
		if list := p.versions(p.h.Join(dir, "build-tools")); len(list) > 0 {
			i.Attrs["build_tools"] = strings.Join(list, ",")
			i.Has = append(i.Has, "build-tools")
		}
		if list := p.versions(p.h.Join(dir, "cmake")); len(list) > 0 {
			i.Attrs["cmake"] = strings.Join(list, ",")
			i.Has = append(i.Has, "cmake")
		}
		if props, ok := p.properties(p.h.Join(dir, "platform-tools", "source.properties")); ok {
			i.Attrs["platform_tools"] = props["Pkg.Revision"]
			i.Has = append(i.Has, "platform-tools")
		}
		for _, sub := range []string{p.h.Join("cmdline-tools", "latest"), "tools"} {
			if props, ok := p.properties(p.h.Join(dir, sub, "source.properties")); ok {
				i.Attrs["cmdline_tools"] = props["Pkg.Revision"]
				i.Has = append(i.Has, "cmdline-tools")
				break
			}
		}
		if p.h.Exists(p.ctx, p.h.Join(dir, "licenses", "android-sdk-license")) {
			i.Has = append(i.Has, "license-accepted")
		}
		if len(i.Has) == 0 && c.from == "" {
			continue // an empty default folder is no SDK
		}
		if len(i.Has) == 0 {
			i.Attrs["state"] = c.from + " names it, but nothing of an Android SDK is in it"
		} else if !slices.ContainsFunc(out, func(i facts.Instance) bool { return i.Active }) {
			i.Active = true
		}
		out = append(out, i)
	}
	return out
}

var platformName = lazyregexp.New(`^android-(\d+)(\.\d+)?(-ext\d+)?$`)

// platforms lists android-34 and the like, newest first.
func (p *prober) platforms(sdk string) []string {
	entries, err := p.h.ReadDir(p.ctx, p.h.Join(sdk, "platforms"))
	p.problem("Android platforms", err)
	var out []string
	for _, e := range entries {
		m := platformName.FindStringSubmatch(e.Name)
		if m == nil {
			continue
		}
		// android-34-ext8 is a build of 34.
		look.AddNew(&out, 0, "android-"+m[1]+m[2])
	}
	sort.SliceStable(out, func(a, b int) bool {
		return look.Newer(strings.TrimPrefix(out[a], "android-"), strings.TrimPrefix(out[b], "android-"))
	})
	return out
}

// versions lists version-named folders, newest first.
func (p *prober) versions(dir string) []string {
	entries, err := p.h.ReadDir(p.ctx, dir)
	p.problem("list "+dir, err)
	var out []string
	for _, e := range entries {
		if look.Version(e.Name) != "" {
			out = append(out, e.Name)
		}
	}
	sort.SliceStable(out, func(a, b int) bool { return look.Newer(out[a], out[b]) })
	return out
}

func (p *prober) properties(file string) (map[string]string, bool) {
	text, err := p.h.Text(p.ctx, file)
	if err != nil {
		p.problem("Android package", err)
		return nil, false
	}
	return ParseProperties(text), true
}

// ParseProperties reads Java's property files as Android writes them: key =
// value, # comments, backslash escapes.
func ParseProperties(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.SplitSeq(strings.TrimPrefix(text, "\ufeff"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		at := strings.IndexAny(line, "=:")
		if at <= 0 {
			continue
		}
		v := strings.TrimSpace(line[at+1:])
		v = strings.NewReplacer(`\\`, `\`, `\:`, ":", `\=`, "=", `\ `, " ").Replace(v)
		out[strings.TrimSpace(line[:at])] = v
	}
	return out
}

// ndks looks at the variables that build systems read, then in the SDKs.
func (p *prober) ndks(sdks []facts.Instance) []facts.Instance {
	list := p.named("ANDROID_NDK_HOME", "ANDROID_NDK_ROOT", "ANDROID_NDK", "ANDROID_NDK_LATEST_HOME", "NDK_ROOT")
	for _, sdk := range sdks {
		base := p.h.Join(sdk.Path, "ndk")
		for _, v := range p.versions(base) {
			list = append(list, candidate{p.h.Join(base, v), ""})
		}
		list = append(list, candidate{p.h.Join(sdk.Path, "ndk-bundle"), ""})
	}
	parents := []string{p.home()}
	if !p.h.Windows() {
		parents = append(parents, "/opt", "/usr/lib")
	}
	for _, parent := range parents {
		if parent == "" {
			continue
		}
		for _, name := range []string{"android-ndk", "android-ndk-r*"} {
			for _, dir := range p.h.Glob(p.ctx, parent, name) {
				list = append(list, candidate{dir, ""})
			}
		}
	}
	var out []facts.Instance
	for _, c := range p.distinct(list) {
		if len(out) == maxFolders {
			break
		}
		if i, ok := p.ndk(c.dir, c.from); ok {
			out = append(out, i)
		}
	}
	for n := range out {
		if out[n].Attrs["state"] == "" {
			out[n].Active = true
			break
		}
	}
	return out
}

var oldRelease = lazyregexp.New(`^r(\d+)([a-z]?)`)

func (p *prober) ndk(dir, from string) (facts.Instance, bool) {
	i := facts.Instance{Path: dir, Attrs: map[string]string{}}
	if from != "" {
		i.Via = []string{from}
		i.Evidence = append(i.Evidence, facts.Evidence{Kind: "env", Source: from, Detail: dir})
	}
	file := p.h.Join(dir, "source.properties")
	if props, ok := p.properties(file); ok {
		i.Version = look.Version(props["Pkg.Revision"])
		i.Attrs["release"] = props["Pkg.ReleaseName"]
		i.Attrs["release"] = cmp.Or(i.Attrs["release"], Release(props["Pkg.Revision"]))
		i.Evidence = append(i.Evidence, facts.Evidence{Kind: "file", Source: file, Detail: props["Pkg.Revision"]})
	} else if text, err := p.h.Text(p.ctx, p.h.Join(dir, "RELEASE.TXT")); err == nil { // up to r10
		if m := oldRelease.FindStringSubmatch(strings.TrimSpace(text)); m != nil {
			minor := 0
			if m[2] != "" {
				minor = int(m[2][0] - 'a')
			}
			i.Version, i.Attrs["release"] = m[1]+"."+strconv.Itoa(minor), m[0]
		}
		i.Evidence = append(i.Evidence, facts.Evidence{Kind: "file", Source: p.h.Join(dir, "RELEASE.TXT")})
	}
	if i.Version == "" {
		if from == "" {
			return i, false
		}
		i.Attrs["state"] = from + " names it, but no NDK is there"
		return i, true
	}
	if p.h.Exists(p.ctx, p.h.Join(dir, "build", "cmake", "android.toolchain.cmake")) {
		i.Has = append(i.Has, "cmake-toolchain")
	}
	// The host's folder is linux-x86_64, darwin-x86_64 (on Apple silicon too) or windows-x86_64.
	for _, bin := range p.h.Glob(p.ctx, p.h.Join(dir, "toolchains", "llvm", "prebuilt"), "*") {
		if p.h.Exists(p.ctx, p.h.Join(bin, "bin", "clang"+p.exe)) {
			i.Has = append(i.Has, "clang")
			i.Attrs["prebuilt"] = p.h.Base(bin)
			break
		}
	}
	if !i.HasPart("clang") {
		i.Attrs["state"] = "no clang for this system in it"
	}
	if text, err := p.h.Text(p.ctx, p.h.Join(dir, "meta", "platforms.json")); err == nil {
		if lo, hi, ok := ParsePlatforms([]byte(text)); ok {
			i.Attrs["min_api"], i.Attrs["max_api"] = strconv.Itoa(lo), strconv.Itoa(hi)
		}
	}
	if i.Attrs["release"] == "" {
		delete(i.Attrs, "release")
	}
	return i, true
}

// Release names an NDK revision as people do: 26.1.10909125 is r26b.
func Release(revision string) string {
	parts := strings.Split(revision, ".")
	if len(parts) < 2 {
		return ""
	}
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1])
	if err1 != nil || err2 != nil || major < 1 || minor < 0 || minor > 25 {
		return ""
	}
	name := "r" + strconv.Itoa(major)
	if minor > 0 {
		name += string(rune('a' + minor))
	}
	return name
}

// ParsePlatforms reads an NDK's meta/platforms.json: the API levels it builds for.
func ParsePlatforms(data []byte) (lo, hi int, ok bool) {
	var v struct{ Min, Max int }
	if err := json.Unmarshal(data, &v); err != nil || v.Min < 1 || v.Max < v.Min {
		return 0, 0, false
	}
	return v.Min, v.Max, true
}

// adbs never asks for devices; see the package comment.
func (p *prober) adbs(sdks []facts.Instance) []facts.Instance {
	var out []facts.Instance
	seen := map[string]bool{}
	add := func(exe, ver string, via []string) {
		key := p.same(exe)
		if seen[key] {
			return
		}
		seen[key] = true
		out = append(out, facts.Instance{
			Version: look.Version(ver), Path: exe, Active: len(out) == 0, Via: via,
			Attrs:    map[string]string{"devices": "not asked: adb would start a server"},
			Evidence: []facts.Evidence{{Kind: "file", Source: exe}},
		})
	}
	revision := func(exe string) string {
		text, err := p.h.Text(p.ctx, p.h.Join(p.h.DirOf(p.h.Real(p.ctx, exe)), "source.properties"))
		if err != nil {
			return ""
		}
		return ParseProperties(text)["Pkg.Revision"]
	}
	for _, exe := range p.h.LookPath(p.ctx, "adb") {
		add(exe, revision(exe), []string{"PATH"})
	}
	for _, sdk := range sdks {
		if exe := p.h.Join(sdk.Path, "platform-tools", "adb"+p.exe); p.h.Exists(p.ctx, exe) {
			add(exe, revision(exe), nil)
		}
	}
	return out
}
