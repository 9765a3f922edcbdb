package libfind

import (
	"context"
	"strings"

	"github.com/deployctl/deployctl/recipes/lazyregexp"
)

var (
	// officialBuild is how PyTorch names the builds of its releases: 2.4.0+cu121,
	// 2.4.0+cpu. A build of somebody's own is 2.4.0a0+git1a2b3c4.
	officialBuild = lazyregexp.New(`^\d+\.\d+\.\d+\+(cpu|cu\d{2,3})$`)
	torchVersion  = lazyregexp.New(`(?m)^__version__\s*=\s*'([^']+)'`)
	torchBackend  = lazyregexp.New(`(?m)^(cuda|hip|xpu)(?:\s*:[^=\n]*)?\s*=\s*(?:'([0-9][^']*)'|None)`)
)

// torchBuild notes which of PyTorch's own builds a copy is, by its whole version.
func (c *copyOf) torchBuild(version string) {
	m := officialBuild.FindStringSubmatch(strings.TrimSpace(version))
	if m == nil {
		if strings.Contains(version, "a0+") {
			c.built.Build = "own"
		}
		return
	}
	c.built.Build = m[1]
	if c.built.CUDA = cudaOfBuild(m[1]); c.built.CUDA == "" {
		c.built.Backends = []string{"cpu"}
	}
}

// torchCMake reads what LibTorch's CMake package stops without: releases up to 2.4
// ask for a library of CUDA that newer toolkits no longer have (cmake/public/cuda.cmake).
func (s *search) torchCMake(ctx context.Context, c *copyOf) {
	file := s.h.Join(c.prefix, "share/cmake/Caffe2/public/cuda.cmake")
	if s.h.Windows() {
		file = s.h.Join(c.prefix, `share\cmake\Caffe2\public\cuda.cmake`)
	}
	text, ok := s.text(ctx, file)
	if ok && strings.Contains(text, "Failed to find nvToolsExt") {
		c.built.CMakeNeeds = []string{"CUDA::nvToolsExt"}
	}
}

// torchModule reads torch/version.py, which PyTorch's build writes: the wheels of
// package indexes leave the build out of their names.
func (s *search) torchModule(ctx context.Context, c *copyOf) {
	text, ok := s.text(ctx, s.h.Join(c.prefix, "version.py"))
	if !ok {
		return
	}
	if m := torchVersion.FindStringSubmatch(text); m != nil {
		c.torchBuild(m[1])
	}
	backends, told := []string{"cpu"}, false
	for _, m := range torchBackend.FindAllStringSubmatch(text, -1) {
		told = told || m[1] == "cuda"
		if m[2] != "" {
			backends = append(backends, map[string]string{"hip": "rocm"}[m[1]])
			if m[1] != "hip" {
				backends[len(backends)-1] = m[1]
			}
		}
	}
	if told {
		c.built.Backends = backends
	}
}

const whyGiven = "no lookup leads to it, and it is the only one that CMake can be told of"

// given is the LibTorch that no lookup leads to, where it is the only one that programs can
// be built against: its archive is unpacked anywhere, builds are told where
// (-DCMAKE_PREFIX_PATH), and CMake writes its folder into the programs (PyTorch,
// "Installing C++ Distributions of PyTorch").
func (s *search) given() *copyOf {
	var only *copyOf
	for _, c := range s.copies {
		if s.spec.component != "libtorch" || c.kind != "" || !c.linkable() || c.include == "" || c.cmake == "" {
			continue
		}
		if only != nil {
			return nil
		}
		only = c
	}
	if only != nil {
		only.wins(viaGiven)
	}
	return only
}
