package judge

import (
	"path"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// cudaSeries finds a library that was built for another series of CUDA, or of
// cuDNN, than the one that is installed: it asks for libcudart.so.11.0 where only
// 12's is here.
func cudaSeries(e *evaluation, s subject) (map[string]string, bool) {
	for _, n := range s.instance.Needs {
		if n.Cause != facts.NotFound || n.Elsewhere != "" {
			continue
		}
		name, series := seriesOf(n.Name)
		here, ok := e.facts.Active(name)
		if name == "" || !ok || here.Version == "" {
			continue
		}
		have := strings.Split(here.Version, ".")[0]
		if strings.Contains(series, ".") {
			have = recipes.Series(here.Version)
		}
		if series == have {
			continue
		}
		return map[string]string{
			"by": n.By, "library": n.Name, "needs": recipes.Display(name), "series": series, "have": here.Version,
			"have-series": have, "of": name,
		}, true
	}
	return nil, false
}

// seriesOf is the component that a library belongs to, and the series that its
// SONAME stands for. Libraries whose numbers go their own way (libcufft.so.10 of
// CUDA 11) say nothing.
func seriesOf(soname string) (component, series string) {
	stem, number, ok := strings.Cut(soname, ".so.")
	if !ok {
		return "", ""
	}
	series, _, _ = strings.Cut(number, ".")
	// Up to 10.2 each release of CUDA has a runtime of its own (libcudart.so.10.0).
	if stem == "libcudart" && strings.Contains(number, ".") && major(number) <= 10 {
		return "cuda", recipes.Series(number)
	}
	switch {
	case slices.Contains([]string{"libcudart", "libcublas", "libcublasLt", "libcusparse", "libnppc", "libnppig", "libnppial"}, stem):
		return "cuda", series
	case stem == "libcudnn":
		return "cudnn", series
	}
	return "", ""
}

// cudnnForeign finds, in a CUDA toolkit, a cuDNN for another architecture than that of
// the programs here, beside the one that they load.
func cudnnForeign(e *evaluation, s subject) (map[string]string, bool) {
	i := s.instance
	if i.Active || i.Unusable == nil || i.Unusable.Reason != facts.WrongArch || !slices.ContainsFunc(e.facts.Components["cuda"], func(c facts.Instance) bool {
		return c.Path != "" && strings.HasPrefix(i.Path, strings.TrimRight(c.Path, "/")+"/")
	}) {
		return nil, false
	}
	own, ok := e.facts.Active("cudnn")
	return map[string]string{"detail": i.Unusable.Detail, "folder": path.Dir(i.Path), "own": path.Dir(own.Path)}, ok
}

// cudnnHeaders finds a cuDNN without its headers where a library is yet to be
// compiled with it.
func cudnnHeaders(e *evaluation, s subject) (map[string]string, bool) {
	if s.instance.HasPart("headers") || e.facts.OS.Family != "linux" || s.instance.Version == "" || e.facts.OS.Board == "jetson" {
		return nil, false
	}
	opencv, ok := e.facts.Active("opencv")
	if !slices.Contains(e.touched(), "opencv") || ok && opencv.Built.CuDNN != "" || e.recipe.Name != "opencv-cuda" && e.recipe.Setting("gpu") != "cuda" {
		return nil, false
	}
	branch := strings.Split(s.instance.Version, ".")[0]
	vars := map[string]string{"sudo": e.sudo(), "package": "libcudnn" + branch + "-dev", "devel": DevelImage(e.facts)}
	if cuda, ok := e.facts.Active("cuda"); ok && major(s.instance.Version) >= 9 {
		vars["package"] = "libcudnn" + branch + "-dev-cuda-" + strings.Split(cuda.Version, ".")[0]
	}
	return vars, true
}
