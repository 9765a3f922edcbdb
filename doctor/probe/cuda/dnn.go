package cuda

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/probe/loader"
)

// cudnn finds cuDNN: headers and libraries, which may disagree.
func (p *probe) cudnn(ctx context.Context) {
	p.shared(ctx, CuDNN, "libcudnn", "cudnn64_")
	p.headers(ctx, CuDNN, "CUDNN_PATH", []string{"cudnn_version.h", "cudnn_version_v9.h", "cudnn_version_v8.h", "cudnn.h"}, cudnnVersion)
}

// cudnnParts are the libraries that cudnn64_8.dll and cudnn64_9.dll load by name
// for inference when they are first called (NVIDIA, cuDNN API reference of 8 and
// 9, "sub-libraries").
func cudnnParts(major string) []string {
	switch major {
	case "8":
		return []string{"cudnn_ops_infer64_8.dll", "cudnn_cnn_infer64_8.dll", "cudnn_adv_infer64_8.dll"}
	case "9":
		return []string{"cudnn_graph64_9.dll", "cudnn_ops64_9.dll", "cudnn_cnn64_9.dll", "cudnn_adv64_9.dll", "cudnn_heuristic64_9.dll", "cudnn_engines_precompiled64_9.dll", "cudnn_engines_runtime_compiled64_9.dll"}
	}
	return nil
}

// incompleteCuDNN says which of the libraries that the one in dir loads are
// neither beside it nor in the other folders that are searched.
func (p *probe) incompleteCuDNN(ctx context.Context, dir, name string, dirs []string) *facts.Unusable {
	major := strings.TrimSuffix(strings.TrimPrefix(name, "cudnn64_"), ".dll")
	parts := cudnnParts(major)
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
	return &facts.Unusable{Reason: facts.Incomplete,
		Detail: fmt.Sprintf("the cuDNN in %s is not complete: %s loads %s, which %s not on PATH", strings.TrimRight(dir, `\`), name, strings.Join(missing, ", "), isOrAre(len(missing))),
		Remedy: "Copy every DLL of the same cuDNN archive's bin folder to " + strings.TrimRight(dir, `\`) + ", not cudnn64 alone."}
}

func isOrAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// tensorrt finds TensorRT.
func (p *probe) tensorrt(ctx context.Context) {
	p.shared(ctx, TensorRT, "libnvinfer", "nvinfer_")
	p.headers(ctx, TensorRT, "TENSORRT_ROOT", []string{"NvInferVersion.h"}, tensorrtVersion)
}

// headers joins the headers of a library to the copy of the same version, or
// adds a copy that is headers alone.
func (p *probe) headers(ctx context.Context, component, env string, names []string, version func(string) string) {
	h := p.h
	var dirs []string
	for _, v := range []string{env, strings.TrimSuffix(strings.TrimSuffix(env, "_PATH"), "_ROOT") + "_INCLUDE_DIR", "CUDNN_INCLUDE"} {
		if component != CuDNN && v == "CUDNN_INCLUDE" {
			continue
		}
		if d := h.Env(v); d != "" {
			dirs = append(dirs, d, h.Join(d, "include"))
		}
	}
	for _, k := range p.kits {
		dirs = append(dirs, h.Join(k.root, "include"))
		if k.include != "" && k.include != h.Join(k.root, "include") {
			dirs = append(dirs, k.include)
		}
	}
	if h.Windows() {
		base := h.Env("ProgramFiles")
		if base == "" {
			base = `C:\Program Files`
		}
		// Since 9 the installer puts cuDNN beside CUDA, one folder of headers and
		// libraries for each CUDA (NVIDIA, cuDNN installation on Windows).
		for _, v := range h.Glob(ctx, h.Join(base, `NVIDIA\CUDNN`), "v*") {
			dirs = append(dirs, h.Join(v, "include"))
			dirs = append(dirs, h.Glob(ctx, h.Join(v, "include"), "*.*")...)
		}
		for _, d := range h.Glob(ctx, `C:\`, "TensorRT*") {
			dirs = append(dirs, h.Join(d, "include"))
		}
	} else {
		dirs = append(dirs, "/usr/include", "/usr/local/include", "/usr/local/cuda/include")
		if t := loader.Triplet(h.Arch); t != "" {
			dirs = append(dirs, "/usr/include/"+t)
		}
		for _, d := range h.Glob(ctx, "/opt", "[Tt]ensor[Rr][Tt]*") {
			dirs = append(dirs, d+"/include")
		}
	}
	seen := map[string]bool{}
	for _, dir := range dirs {
		for _, name := range names {
			file := h.Join(dir, name)
			text, err := h.Text(ctx, file)
			if err != nil {
				p.unreadable(err)
				continue
			}
			real, err := h.Resolve(ctx, file)
			if err != nil {
				real = file
			}
			v := version(text)
			// Since 8, cudnn.h only includes cudnn_version.h.
			if v == "" || seen[real] || len(seen) > 64 {
				continue
			}
			seen[real] = true
			p.join(ctx, component, dir, facts.Evidence{Kind: "header", Source: file, Detail: v}, v)
		}
	}
	p.headersAgainstLibraries(component)
}

// join adds a header's evidence to the library it belongs to.
func (p *probe) join(ctx context.Context, component, dir string, e facts.Evidence, v string) {
	list := p.f.Components[component]
	for i := range list {
		have := list[i].Version
		if !strings.HasPrefix(v+".", have+".") && !strings.HasPrefix(have+".", v+".") {
			continue
		}
		if strings.Count(v, ".") > strings.Count(have, ".") {
			list[i].Version = v
		}
		if !list[i].HasPart("headers") {
			list[i].Has = append(list[i].Has, "headers")
			if list[i].Attrs == nil {
				list[i].Attrs = map[string]string{}
			}
			list[i].Attrs["include"] = dir
			if component == CuDNN {
				list[i].Places.Include, list[i].Places.Lib = dir, p.importLibrary(ctx, dir)
			}
		}
		list[i].Evidence = append(list[i].Evidence, e)
		return
	}
	p.f.Add(component, facts.Instance{
		Version: v, Path: dir, Has: []string{"headers"}, Attrs: map[string]string{"include": dir}, Evidence: []facts.Evidence{e},
	})
}

// headersAgainstLibraries says when the active library is not the one whose
// headers are there, and makes headers alone active when there is no library.
func (p *probe) headersAgainstLibraries(component string) {
	list := p.f.Components[component]
	active := slices.IndexFunc(list, func(i facts.Instance) bool { return i.Active })
	headers := slices.IndexFunc(list, func(i facts.Instance) bool { return i.HasPart("headers") })
	switch {
	case active < 0 && len(list) == 1:
		list[0].Active = true
	case active < 0 && headers >= 0:
		list[headers].Active = true
	case active >= 0 && headers >= 0 && !list[active].HasPart("headers"):
		list[active].Conflict = fmt.Sprintf("the loader takes %s %s (%s), but the headers in %s are %s",
			component, list[active].Version, p.h.Base(list[active].Path), list[headers].Attrs["include"], list[headers].Version)
	}
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
