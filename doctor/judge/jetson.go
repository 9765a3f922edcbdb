package judge

import (
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// JetPack is what NVIDIA ships for a release of Jetson Linux (L4T).
type JetPack struct{ L4T, Version, CUDA, CuDNN, most string }

// jetPacks is NVIDIA's JetPack archive; most is the newest CUDA that the release
// runs, with NVIDIA's cuda-compat package (CUDA for Tegra, "Upgradable Package").
// The first whose L4T the board's begins with counts.
var jetPacks = []JetPack{
	{"32.", "4.6", "10.2", "8.2", "10.2"},
	{"34.", "5.0", "11.4", "8.4", "12.2"},
	{"35.", "5.1", "11.4", "8.6", "12.2"},
	{"36.2", "6.0", "12.2", "8.9", "12.9"},
	{"36.3", "6.0", "12.2", "8.9", "12.9"},
	{"36.", "6.2", "12.6", "9.3", "12.9"},
	{"38.", "7.0", "13.0", "9.12", ""},
}

// JetPackOf is the JetPack of a Jetson; false elsewhere and where its release is
// not known.
func JetPackOf(f *facts.Facts) (JetPack, bool) {
	if f.OS.Board != "jetson" {
		return JetPack{}, false
	}
	for _, g := range f.GPUs {
		i := slices.IndexFunc(jetPacks, func(p JetPack) bool { return strings.HasPrefix(g.DriverVersion+".", p.L4T) })
		if g.Vendor == "nvidia" && i >= 0 {
			return jetPacks[i], true
		}
	}
	return JetPack{}, false
}

// OnJetson says how a Jetson gets what elsewhere comes from NVIDIA's installers;
// "" for another machine or component. Those installers are for desktop cards and
// break a Jetson.
func OnJetson(name string, f *facts.Facts) string {
	if f.OS.Board != "jetson" {
		return ""
	}
	container := f.OS.Container != "" && f.OS.Container != "chroot"
	sudo := ""
	if u := f.OS.User; !u.Admin && len(u.Elevate) > 0 {
		sudo = u.Elevate[0] + " "
	}
	switch name {
	case "nvidia-driver":
		if container {
			return lang.T("Start the container again with: docker run --runtime nvidia IMAGE")
		}
		return sudo + "apt-get install --reinstall nvidia-l4t-core nvidia-l4t-cuda"
	case "vulkan":
		if container {
			return lang.T("Start the container again with: docker run --runtime nvidia -e NVIDIA_DRIVER_CAPABILITIES=all IMAGE")
		}
		return lang.F("%sapt-get install --reinstall nvidia-l4t-3d-core, which brings and registers the Jetson's Vulkan driver", sudo)
	case "cuda", "cudnn", "tensorrt", "nvcc":
		if container {
			return lang.T("Use one of NVIDIA's images for this Jetson (l4t-jetpack), and start it with: docker run --runtime nvidia IMAGE")
		}
		source := ""
		if file := f.Environment.NoSources; file != "" {
			source = lang.F("apt does not know JetPack's packages: every line of %s is switched off. Remove the # before its lines that begin with deb. Then: ", file)
		}
		return source + sudo + "apt-get update && " + sudo + "apt-get install nvidia-jetpack"
	}
	return ""
}

// ofJetPack says where builds with CUDA for a Jetson come from: what PyTorch and ONNX
// Runtime publish is for servers with ARM and desktop cards (NVIDIA, Installing
// PyTorch for Jetson Platform; elinux.org, Jetson Zoo).
func ofJetPack(name string) string {
	return lang.F("Install NVIDIA's %s wheel for this JetPack (NVIDIA's Jetson pages list them), or build %s here with CUDA. Its makers' own builds have no code for a Jetson.", map[string]string{"libtorch": "PyTorch", "onnxruntime": "ONNX Runtime GPU"}[name], recipes.Display(name))
}

// jetsonCUDA finds a CUDA that this release of Jetson Linux does not run: one for
// desktop cards, or for another JetPack.
func jetsonCUDA(e *evaluation, s subject) (map[string]string, bool) {
	p, ok := JetPackOf(e.facts)
	have, err := recipes.Version(s.instance.Version)
	if !ok || err != nil || p.most == "" || !s.instance.Active {
		return nil, false
	}
	most, err := recipes.Version(p.most + ".999")
	if err != nil || !have.GreaterThan(most) {
		return nil, false
	}
	return map[string]string{"l4t": strings.TrimSuffix(p.L4T, "."), "jetpack": p.Version, "cuda": p.CUDA, "remedy": OnJetson("cuda", e.facts)}, true
}
