package judge

import (
	"slices"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
)

var cudaPackages = []recipes.Packages{{Manager: "winget", Packages: []string{"Nvidia.CUDA"}}, {Manager: "choco", Packages: []string{"cuda"}}}

// BringsCUDA reports whether one of a manager's packages is the CUDA Toolkit.
func BringsCUDA(manager string, packages []string) bool {
	return slices.ContainsFunc(cudaPackages, func(p recipes.Packages) bool {
		return p.Manager == manager && slices.Contains(packages, p.Packages[0])
	})
}

// CUDAPackage is the package of a CUDA toolkit in winget, or in Chocolatey, in the
// release that is known there of its series; false where neither is here or has
// one. Without its version the package is the newest CUDA of all.
func CUDAPackage(version string, f *facts.Facts) (recipes.Packages, bool) {
	series := recipes.Series(version)
	for _, p := range cudaPackages {
		if series == "" || len(f.Components[p.Manager]) == 0 {
			continue
		}
		if p = p.Pin("~> " + series + ".0"); len(p.Versions) > 0 {
			return p, true
		}
	}
	return recipes.Packages{}, false
}
