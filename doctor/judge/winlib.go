package judge

import (
	"errors"
	"slices"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

// carriedCUDA compares the CUDA that a copy brings along with the card: the
// toolkit installed on the machine has no say in what such a program runs.
func carriedCUDA(e *evaluation, s subject) (map[string]string, bool) {
	cuda, sm := s.instance.Built.CUDA, BestGPU(e.facts)
	if cuda == "" || sm == "" || e.recipe.Setting("gpu") == "cpu" || e.recipe.Setting("gpu") == "opencl" {
		return nil, false
	}
	whole := cuda
	if !strings.Contains(cuda, ".") {
		whole += ".99" // one DLL serves a major version: the newest is assumed
	}
	var none *recipes.NoRowError
	if _, _, err := e.tables.Choose("cuda-sm", map[string]string{"sm": sm, "cuda": whole}, "generation"); !errors.As(err, &none) {
		return nil, false
	}
	for _, step := range []string{"8.0", "9.0", "10.0", "11.0", "11.1", "11.8", "12.8", "13.0"} {
		if _, _, err := e.tables.Choose("cuda-sm", map[string]string{"sm": sm, "cuda": step}, "generation"); err == nil {
			file := ""
			for _, ev := range s.instance.Evidence {
				if ev.Detail == "CUDA "+cuda {
					file = ev.Source
				}
			}
			if newer, err := check("> "+whole, step); err != nil || !newer {
				step = "" // the card is too old for it
			}
			return map[string]string{"sm": sm, "cuda": cuda, "least": step, "file": file}, true
		}
	}
	return nil, false // a card that the table does not have
}

// pythonModule finds what a Python module needs and Python does not search for.
func pythonModule(_ *evaluation, s subject) (map[string]string, bool) {
	var names, from []string
	by := ""
	for _, n := range s.instance.Needs {
		if n.Cause != facts.NotFound || !strings.HasSuffix(strings.ToLower(n.By), ".pyd") {
			continue
		}
		by, names = n.By, append(names, n.Name)
		if i := strings.LastIndexByte(n.Elsewhere, '\\'); i > 0 && !slices.Contains(from, n.Elsewhere[:i]) {
			from = append(from, n.Elsewhere[:i])
		}
	}
	if by == "" {
		return nil, false
	}
	var add []string
	for _, dir := range from {
		add = append(add, `os.add_dll_directory(r"`+dir+`")`)
	}
	return map[string]string{
		"module": by, "missing": strings.Join(names, ", "), "dir": by[:strings.LastIndexByte(by, '\\')], "from": strings.Join(from, " and "), "add": strings.Join(add, " and "),
	}, true
}
