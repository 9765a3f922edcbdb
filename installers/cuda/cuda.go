// Package cuda is NVIDIA's silent installer of the CUDA toolkit for Windows:
// argv, and what of it is installed. It must never change the machine, and never
// install a display driver. Run under Wine with a stand-in only.
//
// Sources: docs.nvidia.com/cuda/cuda-installation-guide-microsoft-windows
// (12.6: silent mode -s, -n against the restart, names of the parts), and the
// part lists that pytorch/pytorch, .circleci/scripts/windows_cuda_install.sh
// installs with.
package cuda

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
	"github.com/deployctl/deployctl/recipes"
)

// Manager returns the manager of CUDA's parts. Its target is the installer, a
// file that the recipe fetches: what the parts are is known without it.
func Manager() *pkgmgr.Manager {
	m := pkgmgr.Manager{
		Name: "cuda", Tool: "the CUDA installer", Path: "cuda.exe", Admin: true,
		Pick: func(f *facts.Facts) (string, error) {
			if f.OS.Family != "windows" {
				return "", pkgmgr.ErrAbsent
			}
			return "", nil
		},
		Of: func(f recipes.Fix) []string { return f.CUDA },
		// nvcc_12.6: only parts whose files are known, so that it can be seen
		// whether they are there.
		Valid: regexp.MustCompile(`^(` + strings.Join(slices.Sorted(maps.Keys(parts())), "|") + `)_[0-9]{1,2}\.[0-9]{1,2}$`),
		Limit: 3 * time.Hour,
		Note:  "no display driver is installed; Visual Studio should be there before and must be closed",
		// -n: the machine is not restarted, whatever the installer would like.
		Install:  func(names []string) []string { return append(append([]string{"-s"}, names...), "-n") },
		NoRemove: "Settings, Apps, the entries \"NVIDIA CUDA …\": NVIDIA documents no silent removal",
		Installed: func(ctx context.Context, h *host.Host) (map[string]pkgmgr.Installed, error) {
			return installed(ctx, h)
		},
		Reboot: []int{pkgmgr.RebootRequired, pkgmgr.RebootInitiated},
		Explain: pkgmgr.WindowsExplainer("the CUDA installer", nil, []pkgmgr.Rule{
			pkgmgr.Locked("another installation is in progress"),
		}),
	}
	m.On = func(_ *host.Host, setup string) *pkgmgr.Manager {
		on := m
		on.Target = setup
		if setup != "" {
			on.Path = setup
			on.Where = func(context.Context, *host.Host) string { return setup }
		}
		return &on
	}
	return &m
}

// parts are the parts of the installer and a file by which each is known,
// beneath the toolkit's folder; * stands for the version in a DLL's name. CUDA
// 13 moved the DLLs from bin to bin\x64: both are looked at.
func parts() map[string]string {
	list := map[string]string{
		"nvcc": `bin\nvcc.exe`, "cudart": `lib\x64\cudart.lib`, "cuobjdump": `bin\cuobjdump.exe`, "nvdisasm": `bin\nvdisasm.exe`,
		"nvprune": `bin\nvprune.exe`, "cuxxfilt": `bin\cu++filt.exe`, "nvrtc": `bin\nvrtc64_*.dll`, "nvrtc_dev": `lib\x64\nvrtc.lib`,
		"nvml_dev": `lib\x64\nvml.lib`, "nvjitlink": `bin\nvJitLink_*.dll`, "cuda_profiler_api": `include\cuda_profiler_api.h`,
		"thrust": `include\thrust\version.h`, "nvtx": `include\nvtx3\nvToolsExt.h`, "opencl": `lib\x64\OpenCL.lib`,
		"cupti": `extras\CUPTI\include\cupti.h`, "sanitizer": `compute-sanitizer\compute-sanitizer.exe`,
		"visual_studio_integration": `extras\visual_studio_integration\MSBuildExtensions\CUDA *.props`,
	}
	for part, lib := range map[string]string{"cublas": "cublas", "cufft": "cufft", "curand": "curand", "cusolver": "cusolver", "cusparse": "cusparse", "npp": "nppc", "nvjpeg": "nvjpeg"} {
		list[part] = `bin\` + lib + `64_*.dll`
		list[part+"_dev"] = `lib\x64\` + lib + `.lib`
	}
	return list
}

var series = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[vV]([0-9]{1,2}\.[0-9]{1,2})$`) })

// installed looks for the parts in the folder of every toolkit: where the
// registry says, and where the installer puts them by itself.
func installed(ctx context.Context, h *host.Host) (map[string]pkgmgr.Installed, error) {
	list := map[string]pkgmgr.Installed{}
	for version, dir := range toolkits(ctx, h) {
		full := release(ctx, h, dir, version)
		for part, file := range parts() {
			if there(ctx, h, dir, file) {
				list[part+"_"+version] = pkgmgr.Installed{Version: full, Ready: true}
			}
		}
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("look for CUDA's parts: %w", ctx.Err())
	}
	return list, nil
}

func toolkits(ctx context.Context, h *host.Host) map[string]string {
	found := map[string]string{}
	const key = `HKLM\SOFTWARE\NVIDIA Corporation\GPU Computing Toolkit\CUDA`
	if k, err := h.RegistryKey(ctx, key, "64"); err == nil {
		for _, sub := range k.Subkeys {
			m := series().FindStringSubmatch(sub)
			if m == nil {
				continue
			}
			if v, err := h.RegistryKey(ctx, key+`\`+sub, "64"); err == nil && v.Values["InstallDir"].String != "" {
				found[m[1]] = strings.TrimRight(v.Values["InstallDir"].String, `\`)
			}
		}
	}
	base := h.Env("ProgramFiles")
	if base == "" {
		base = `C:\Program Files`
	}
	for _, dir := range h.Glob(ctx, h.Join(base, `NVIDIA GPU Computing Toolkit\CUDA`), "v*") {
		if m := series().FindStringSubmatch(h.Base(dir)); m != nil && found[m[1]] == "" {
			found[m[1]] = dir
		}
	}
	return found
}

func there(ctx context.Context, h *host.Host, dir, file string) bool {
	at := []string{file}
	if rest, ok := strings.CutPrefix(file, `bin\`); ok && strings.HasSuffix(file, ".dll") {
		at = append(at, `bin\x64\`+rest)
	}
	for _, f := range at {
		full := h.Join(dir, f)
		if strings.Contains(f, "*") {
			if len(h.Glob(ctx, h.DirOf(full), h.Base(full))) > 0 {
				return true
			}
		} else if h.Exists(ctx, full) {
			return true
		}
	}
	return false
}

// release is the full version in version.json (CUDA 11.1 and newer), else the
// folder's.
func release(ctx context.Context, h *host.Host, dir, version string) string {
	data, _, err := h.ReadFile(ctx, h.Join(dir, "version.json"), 1<<20)
	if err != nil {
		return version
	}
	return ParseVersion(data, version)
}

// ParseVersion reads version.json; otherwise is the answer where it says nothing.
func ParseVersion(data []byte, otherwise string) string {
	var v map[string]struct {
		Version string `json:"version"`
	}
	if json.Unmarshal(data, &v) != nil {
		return otherwise
	}
	if full := step.Clean(v["cuda"].Version, 40); full != "" {
		return full
	}
	return otherwise
}
