package cuda

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/closure"
	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
	"github.com/deployctl/deployctl/doctor/probe/libfind"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// libraries finds the CUDA runtime, cuDNN and TensorRT: in the loader's folders
// and the toolkits', and what is wrong with a cuDNN's parts.
func (p *probe) libraries(ctx context.Context) {
	h := p.h
	var extra libfind.Extra
	for _, k := range p.kits {
		if h.Windows() {
			extra.Libs = append(extra.Libs, h.Join(k.root, "bin"), h.Join(k.root, `bin\x64`))
		} else if k.lib != "" {
			extra.Libs = append(extra.Libs, k.lib)
		}
		extra.Include = append(extra.Include, h.Join(k.root, "include"), k.include)
	}
	if h.Windows() {
		// Since 9 the installer puts cuDNN beside CUDA, one folder of headers and
		// libraries for each CUDA (NVIDIA, cuDNN installation on Windows).
		for _, v := range h.Glob(ctx, h.Join(look.ProgramFiles(h), `NVIDIA\CUDNN`), "v*") {
			extra.Include = append(extra.Include, h.Join(v, "include"))
			extra.Include = append(extra.Include, h.Glob(ctx, h.Join(v, "include"), "*.*")...)
			// In later releases the DLLs are in bin\12.9\x64. None of it is on PATH.
			extra.Libs = append(extra.Libs, h.Join(v, "bin"))
			for _, dir := range h.Glob(ctx, h.Join(v, "bin"), "*.*") {
				extra.Libs = append(extra.Libs, dir, h.Join(dir, "x64"))
			}
		}
	}
	for _, tree := range p.unpackedCuDNN(ctx) {
		extra.Include = append(extra.Include, h.Join(tree, "include"))
		extra.Libs = append(extra.Libs, h.Join(tree, "bin"), h.Join(tree, `bin\x64`))
	}
	found, err := libfind.Files(ctx, h, extra, Runtime, CuDNN, TensorRT)
	if err != nil && ctx.Err() == nil {
		p.problem(err, Runtime, CuDNN, TensorRT)
	}
	list := found.Components[CuDNN]
	for i := range list {
		in := &list[i]
		if in.HasPart("headers") && h.Windows() {
			in.Places.Include = p.headersBeside(ctx, in)
		}
		if in.HasPart("headers") {
			in.Places.Lib = cmp.Or(p.importLibrary(ctx, in.Places.Include), in.Places.Lib)
		}
		switch {
		case !in.HasPart("shared"):
		case h.Windows():
			in.Unusable = p.incompleteCuDNN(ctx, h.DirOf(in.Path), strings.ToLower(h.Base(in.Path)), append(h.PathDirs(), extra.Libs...))
		default:
			in.Unusable = p.mixedCuDNN(ctx, in)
		}
	}
	p.f.Merge(found)
}

// unpackedCuDNN are the folders that cuDNN's archive is unpacked into on Windows
// without being copied into a toolkit: beside the toolkits, on C:, and C:\tools.
// Up to 8.2 the archive has one folder, cuda; then one of its own name
// (microsoft/onnxruntime issue 11826; tensorflow.org, GPU support, Windows setup).
func (p *probe) unpackedCuDNN(ctx context.Context) (trees []string) {
	if !p.h.Windows() {
		return nil
	}
	places := []string{p.h.Join(look.ProgramFiles(p.h), `NVIDIA GPU Computing Toolkit\CUDA`), `C:\`, `C:\tools`}
	const most = 16
	for _, place := range places {
		dirs := p.h.Glob(ctx, place, "cudnn*")
		for _, dir := range append(dirs, p.h.Join(place, "cuda")) {
			trees = append(trees, dir)
			if p.h.Exists(ctx, p.h.Join(dir, `cuda\bin`)) {
				trees = append(trees, p.h.Join(dir, "cuda"))
			}
			// Unpacked into a folder of the archive's own name, it is there twice.
			trees = append(trees, p.h.Glob(ctx, dir, "cudnn-*")...)
		}
	}
	return trees[:min(len(trees), most)]
}

// mixedCuDNN says which of the libraries that a cuDNN loads are of another
// release. It takes those beside it first, and what is not there from wherever
// the loader finds it; then it fails at its first call with
// CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH (pytorch issue 185512, where one part
// was missing in a package and came from the system).
func (p *probe) mixedCuDNN(ctx context.Context, in *facts.Instance) *facts.Unusable {
	major, _, _ := strings.Cut(in.Version, ".")
	var other, missing []string
	// The last one came with 9.2x and not with the others, so none is incomplete without it.
	for _, dll := range append(closure.CuDNNParts(major), "cudnn_engines_tensor_ir64_"+major+".dll") {
		name := "lib" + strings.TrimSuffix(dll, "64_"+major+".dll") + ".so." + major
		file := path.Join(path.Dir(in.Path), name)
		if !p.h.Exists(ctx, file) && len(in.Via) > 0 {
			file, _ = p.libs.Find(ctx, name)
		}
		real, err := p.h.Resolve(ctx, file)
		if file == "" || err != nil {
			if slices.Contains(closure.CuDNNParts(major), dll) && (file == "" || host.IsNotExist(err)) {
				missing = append(missing, name)
			}
			continue
		}
		m := soFile.FindStringSubmatch(path.Base(real))
		// Only whole releases can be compared: 9.1.0 with 9.5.1.
		if m != nil && strings.Count(m[2], ".") >= 2 && strings.Count(in.Version, ".") >= 2 && m[2] != in.Version {
			other = append(other, real)
		}
	}
	// Where none is seen, only the name of the first was recorded.
	if parts := closure.CuDNNParts(major); len(other) == 0 && len(missing) > 0 && len(missing) < len(parts) {
		dir, file, lacks := path.Dir(in.Path), p.h.Base(in.Path), strings.Join(missing, ", ")
		detail := lang.F("the cuDNN in %s is not complete: %s loads %s, which is not here", dir, file, lacks)
		if len(missing) > 1 {
			detail = lang.F("the cuDNN in %s is not complete: %s loads %s, which are not here", dir, file, lacks)
		}
		return &facts.Unusable{Reason: facts.Incomplete, Detail: detail,
			Remedy: lang.F("Install all of cuDNN %s: its package, or every libcudnn* of the same archive's lib folder, into %s.", in.Version, path.Dir(in.Path))}
	}
	if len(other) == 0 {
		return nil
	}
	return &facts.Unusable{Reason: facts.Mismatch,
		Detail: lang.F("the parts of cuDNN are of different releases: %s is %s, but it loads %s", p.h.Base(in.Path), in.Version, strings.Join(other, ", ")),
		Remedy: lang.F("Install one cuDNN release whole: remove the files libcudnn* of the other release, and let its package or archive put all of them into %s.", path.Dir(in.Path))}
}

// incompleteCuDNN says which of the libraries that the one in dir loads are
// neither beside it nor in the other folders that are searched.
func (p *probe) incompleteCuDNN(ctx context.Context, dir, name string, dirs []string) *facts.Unusable {
	major := strings.TrimSuffix(strings.TrimPrefix(name, "cudnn64_"), ".dll")
	parts := closure.CuDNNParts(major)
	var missing []string
	for _, part := range parts {
		if !slices.ContainsFunc(append([]string{dir}, dirs...), func(d string) bool { return p.h.Exists(ctx, p.h.Join(d, part)) }) {
			missing = append(missing, part)
		}
	}
	// A cuDNN 9 without any of them is another layout than NVIDIA's archives.
	if len(missing) == 0 || major == "9" && len(missing) == len(parts) {
		return nil
	}
	folder, lacks := strings.TrimRight(dir, `\`), strings.Join(missing, ", ")
	detail := lang.F("the cuDNN in %s is not complete: %s loads %s, which is not on PATH", folder, name, lacks)
	if len(missing) > 1 {
		detail = lang.F("the cuDNN in %s is not complete: %s loads %s, which are not on PATH", folder, name, lacks)
	}
	return &facts.Unusable{Reason: facts.Incomplete, Detail: detail,
		Remedy: lang.F("Copy every DLL of the same cuDNN archive's bin folder to %s, not cudnn64 alone.", folder)}
}

// headersBeside is the folder of the headers that belong to the DLLs: where they
// lie in folders by CUDA version, that of the same one.
func (p *probe) headersBeside(ctx context.Context, in *facts.Instance) string {
	dir := p.h.DirOf(in.Path)
	if strings.EqualFold(p.h.Base(dir), "x64") {
		dir = p.h.DirOf(dir)
	}
	own := p.h.Join(p.h.DirOf(in.Places.Include), p.h.Base(dir))
	if strings.Contains(p.h.Base(dir), ".") && p.h.Exists(ctx, p.h.Join(own, "cudnn.h")) {
		return own
	}
	return in.Places.Include
}

// importLibrary is the folder of cudnn.lib that belongs to headers on Windows:
// lib\x64 beside them (cuDNN 9 puts the CUDA version in between), else lib.
func (p *probe) importLibrary(ctx context.Context, include string) string {
	if !p.h.Windows() {
		return ""
	}
	version := ""
	if p.h.Base(include) != "include" {
		version, include = p.h.Base(include), p.h.DirOf(include)
	}
	lib := p.h.Join(p.h.DirOf(include), "lib")
	dirs := []string{p.h.Join(lib, "x64"), lib}
	if version != "" {
		dirs = append([]string{p.h.Join(lib, version, "x64"), p.h.Join(lib, version)}, dirs...)
	}
	for _, dir := range dirs {
		if p.h.Exists(ctx, p.h.Join(dir, "cudnn.lib")) {
			return dir
		}
	}
	return ""
}
