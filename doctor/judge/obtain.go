package judge

import (
	"fmt"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// cudnnFile names the file of a cuDNN in NVIDIA's archive, and where it goes so that
// builds find it; "" for systems whose file is named otherwise.
//
// Sources: NVIDIA's cuDNN installation guide, its CUDA Installation Guides, and the
// names of the files on the archive's page.
func cudnnFile(version, cuda string, f *facts.Facts) string {
	series, home := fmt.Sprintf("cuda%d", major(cuda)), CUDAHome(cuda, f)
	switch {
	case home == "" || f.OS.Arch != "" && f.OS.Arch != "amd64" || major(version) < 8:
		return ""
	case f.OS.Family == "windows":
		return lang.F(`Download cudnn-windows-x86_64-%s*_%s-archive.zip from https://developer.nvidia.com/cudnn-archive and copy its folders bin, include and lib into %s.`, version, series, home)
	case f.OS.Family == "linux":
		return lang.F("Download cudnn-linux-x86_64-%s*_%s-archive.tar.xz from https://developer.nvidia.com/cudnn-archive and copy its include to %s/include and its lib to %[3]s/lib64.", version, series, home)
	}
	return ""
}

// CUDAHome is where a CUDA Toolkit is, or where its installer puts it; "" for no version.
func CUDAHome(version string, f *facts.Facts) string {
	for _, i := range f.Components["cuda"] {
		if i.Version == version && i.Path != "" {
			return strings.TrimRight(i.Path, `\/`)
		}
	}
	series := recipes.Series(version)
	switch {
	case series == "":
		return ""
	case f.OS.Family == "windows":
		return `C:\Program Files\NVIDIA GPU Computing Toolkit\CUDA\v` + series
	}
	return "/usr/local/cuda-" + series
}

// AskCard asks for the compute capability of an NVIDIA card where it is not known:
// it decides what can be installed. "" where it is known, or there is no such card.
func AskCard(f *facts.Facts) string {
	if BestGPU(f) != "" || f.OS.Board != "" {
		return ""
	}
	for _, g := range f.GPUs {
		if g.Vendor == "nvidia" {
			card := strings.TrimSpace(g.Name)
			if card == "" {
				return ""
			}
			return lang.F("The compute capability of %s is unknown, and it decides which CUDA Toolkit and cuDNN have code for it. Look it up (nvidia-smi --query-gpu=compute_cap --format=csv, or https://developer.nvidia.com/cuda-gpus), then name the toolkit: deployctl plan --target cuda=VERSION.", card)
		}
	}
	return ""
}
