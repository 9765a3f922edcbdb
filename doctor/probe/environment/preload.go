package environment

import (
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/doctor/probe/loader"
)

// preloads lists the libraries that glibc's loader cannot preload. It then says
// so at the start of every program, and goes on. musl's passes over them without
// a word.
func (p *prober) preloads() {
	list := loader.Preloads(p.ctx, p.h)
	if len(list) == 0 {
		return
	}
	libs := loader.Open(p.ctx, p.h)
	if libs.Musl {
		return
	}
	right := map[string]bool{} // names of which a copy for this architecture is there
	var wrong []facts.Preload
	for _, l := range list {
		file, known := libs.File(p.ctx, l)
		switch {
		case known && file == "":
			p.e.Preloads = append(p.e.Preloads, facts.Preload{Library: l.Name, From: l.From, Cause: facts.NotFound})
		case file != "" && p.foreign(file):
			wrong = append(wrong, facts.Preload{Library: l.Name, From: l.From, Cause: facts.OtherArch})
		case file != "":
			right[path.Base(file)] = true
		}
	}
	// A copy for each architecture is how tools serve 32-bit programs, too.
	p.e.Preloads = append(p.e.Preloads, slices.DeleteFunc(wrong, func(w facts.Preload) bool { return right[path.Base(w.Library)] })...)
}

// libcVersion is where glibc says its own release, in every libc.so.6.
const libcVersion = "stable release version "

// otherLibc notes a folder in LD_LIBRARY_PATH with another release of glibc than the
// system's: the loader and the C library must be of one release, so that hardly any
// program starts (ld.so(8); glibc FAQ, "Multiple glibcs").
func (p *prober) otherLibc() {
	libs := []string{"/lib/" + loader.Triplet(p.h.Arch), "/lib64", "/usr/lib64", "/usr/lib"}
	i := slices.IndexFunc(libs, func(dir string) bool { return p.h.Exists(p.ctx, dir+"/libc.so.6") })
	if i < 0 {
		return
	}
	own := p.libcRelease(libs[i])
	for _, dir := range loader.SplitPath(p.h.Env("LD_LIBRARY_PATH")) {
		if other := p.libcRelease(dir); own != "" && other != "" && other != own {
			p.note("LD_LIBRARY_PATH", dir, facts.OtherLibc, other)
			return
		}
	}
}

// libcRelease is the release of the glibc in a folder; "" for none, and where it
// is not known.
func (p *prober) libcRelease(dir string) string {
	const enough = 16 << 20 // the largest is some 2 MiB, with debug information 12
	file := path.Join(dir, "libc.so.6")
	if !path.IsAbs(dir) || !p.h.Exists(p.ctx, file) {
		return ""
	}
	data, err := p.h.Search(p.ctx, file, libcVersion, enough, len(libcVersion)+8)
	if err != nil {
		return ""
	}
	text := strings.TrimPrefix(string(data), libcVersion)
	rest := strings.TrimLeft(text, ".0123456789")
	return strings.TrimRight(strings.TrimSuffix(text, rest), ".")
}

// foreign reports whether a library is certainly for another architecture.
func (p *prober) foreign(file string) bool {
	head, _ := look.ReadELF(p.ctx, p.h, file)
	return head.Foreign(p.h.Arch)
}

// inserts lists the libraries that macOS's loader cannot insert into programs;
// these then do not start (dyld(1)). Apple's own libraries are in no file.
func (p *prober) inserts() {
	for file := range strings.SplitSeq(p.h.Env("DYLD_INSERT_LIBRARIES"), ":") {
		if !path.IsAbs(file) || strings.HasPrefix(file, "/usr/lib/") || strings.HasPrefix(file, "/System/") {
			continue
		}
		if _, err := p.h.Stat(p.ctx, file); host.IsNotExist(err) {
			p.e.Preloads = append(p.e.Preloads, facts.Preload{Library: file, From: "DYLD_INSERT_LIBRARIES", Cause: facts.NotFound})
		}
	}
}
