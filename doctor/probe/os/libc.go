package osprobe

import (
	"cmp"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/doctor/probe/loader"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

// narrower tells a 32-bit system on a 64-bit kernel, as Raspberry Pi OS for the
// Pi 3 and 4 is: it has the loader of the narrower architecture only.
func (p *prober) narrower() {
	narrow := map[string]string{"arm64": "arm", "amd64": "386"}[p.h.Arch]
	has := func(arch string) bool {
		return slices.ContainsFunc(loader.Loaders(arch), func(file string) bool { return p.h.Exists(p.ctx, file) })
	}
	if narrow == "" || has(p.h.Arch) || !has(narrow) || len(p.h.Glob(p.ctx, "/lib", "ld-musl-*.so.1")) > 0 {
		return
	}
	p.os.Arch = narrow
	p.evidence("file", loader.Loaders(narrow)[0], "the only loader here")
}

// arch is that of the programs here.
func (p *prober) arch() string { return cmp.Or(p.os.Arch, p.h.Arch) }

func libDirs(arch string) []string {
	dirs := []string{"/usr/lib64", "/usr/lib", "/lib64", "/lib"}
	if t := loader.Triplet(arch); t != "" {
		dirs = append([]string{"/usr/lib/" + t, "/lib/" + t}, dirs...)
	}
	return dirs
}

// libc finds the C library. musl comes first on Alpine only: elsewhere a musl
// package may lie beside glibc, and on Alpine gcompat plays glibc's loader.
func (p *prober) libc() {
	p.narrower()
	first, second := p.glibc, p.musl
	if p.os.ID == "alpine" || p.h.Exists(p.ctx, "/etc/alpine-release") {
		first, second = p.musl, p.glibc
	}
	if !first() {
		second()
	}
	p.libstdcxx()
}

// The banner that glibc's loader (since 2.33) and libc.so.6 carry ("stable
// release version 2.36.").
const glibcMark = "release version "

var glibcBanner = lazyregexp.New(`^release version (\d+\.\d+(?:\.\d+)?)`)

var libcFile = lazyregexp.New(`(?:^|/)(?:libc|ld)-(\d+\.\d+(?:\.\d+)?)\.so$`)

func (p *prober) glibc() bool {
	candidates := slices.Clone(loader.Loaders(p.arch()))
	for _, dir := range libDirs(p.arch()) {
		candidates = append(candidates, dir+"/libc.so.6")
	}
	for _, name := range candidates {
		if !p.h.Exists(p.ctx, name) {
			continue
		}
		// Until 2.33 the file itself was named after the version.
		if real, err := p.h.Resolve(p.ctx, name); err == nil {
			if m := libcFile.FindStringSubmatch(real); m != nil {
				p.os.Libc.Kind, p.os.Libc.Version = "glibc", m[1]
				p.evidence("file", name, real)
				return true
			}
		}
		const banner = 48
		found, err := p.h.Search(p.ctx, name, glibcMark, host.MaxFile, banner)
		p.fail(err)
		if m := glibcBanner.Get().FindSubmatch(found); m != nil {
			p.os.Libc.Kind, p.os.Libc.Version = "glibc", string(m[1])
			p.evidence("file", name, string(m[0]))
			return true
		}
	}
	return false
}

// muslVersion is the version that musl's loader keeps as a text of its own.
var muslVersion = lazyregexp.New(`^\x00(1\.\d+\.\d+)(?:[-_][0-9a-z.-]+)?\x00`)

func (p *prober) musl() bool {
	loaders := p.h.Glob(p.ctx, "/lib", "ld-musl-*.so.1")
	if len(loaders) == 0 {
		return false
	}
	name := loaders[0]
	p.os.Libc.Kind = "musl"
	for _, mark := range []string{"\x001.2.", "\x001.1.", "\x001.3."} {
		const text = 32
		found, err := p.h.Search(p.ctx, name, mark, host.MaxFile, text)
		p.fail(err)
		if m := muslVersion.Get().FindSubmatch(found); m != nil {
			p.os.Libc.Version = string(m[1])
			break
		}
	}
	p.evidence("file", name, p.os.Libc.Version)
	return true
}

var stdcxxFile = lazyregexp.New(`libstdc\+\+\.so\.6\.0\.(\d+)$`)

// libstdcxx finds the newest symbol versions that a C++ program may ask for.
// The linker writes the names of the versions a library defines one after the
// other into its string table (.gnu.version_d points there), oldest first.
func (p *prober) libstdcxx() {
	for _, dir := range libDirs(p.arch()) {
		name := dir + "/libstdc++.so.6"
		if !p.h.Exists(p.ctx, name) {
			continue
		}
		const table = 4 << 10 // today's fills 800 bytes
		found, err := p.h.Search(p.ctx, name, "\x00GLIBCXX_3.4\x00", host.MaxFile, table)
		p.fail(err)
		names := strings.Split(string(found), "\x00")
		p.os.Libc.GLIBCXX, p.os.Libc.CXXABI = newest(names, "GLIBCXX_"), newest(names, "CXXABI_")
		if p.os.Libc.GLIBCXX == "" {
			// libstdc++.so.6.0.N defines up to GLIBCXX_3.4.N (GCC manual, ABI
			// policy and guidelines, "Version numbers").
			if real, err := p.h.Resolve(p.ctx, name); err == nil {
				if m := stdcxxFile.FindStringSubmatch(real); m != nil {
					p.os.Libc.GLIBCXX = "3.4." + m[1]
				}
			}
		}
		if p.os.Libc.GLIBCXX != "" {
			p.evidence("file", name, strings.TrimSpace("GLIBCXX_"+p.os.Libc.GLIBCXX+" "+p.cxxabi()))
			return
		}
	}
}

func (p *prober) cxxabi() string {
	if p.os.Libc.CXXABI == "" {
		return ""
	}
	return "CXXABI_" + p.os.Libc.CXXABI
}

// newest returns the highest dotted number that follows prefix.
func newest(names []string, prefix string) string {
	best := ""
	for _, name := range names {
		v, ok := strings.CutPrefix(name, prefix)
		if ok && strings.Trim(v, "0123456789.") == "" && look.Newer(v, best) {
			best = v
		}
	}
	return best
}
