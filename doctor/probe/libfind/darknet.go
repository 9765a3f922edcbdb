package libfind

import (
	"cmp"
	"context"
	"strings"

	"github.com/deployctl/deployctl/doctor/probe/internal/fatbin"
	"github.com/deployctl/deployctl/doctor/probe/internal/look"
)

// The three Darknets: pjreddie's original, AlexeyAB's fork, hank-ai's successor
// of the fork. Attrs["flavour"] is one of these words.
const (
	pjreddie = "pjreddie"
	alexeyAB = "alexeyab"
	hankAI   = "hank-ai"
)

// darknetHeader tells the flavour by what only one of the headers declares:
// hank-ai generates darknet_version.h; AlexeyAB's darknet.h marks exports with
// LIB_API, pjreddie's does not.
func (s *search) darknetHeader(ctx context.Context, base string, c *copyOf) {
	switch {
	case s.entry(ctx, base, "darknet_version.h") != "":
		c.set("flavour", hankAI)
	case s.entry(ctx, base, "yolo_v2_class.hpp") != "":
		c.set("flavour", alexeyAB)
	case s.entry(ctx, base, "darknet.h") != "":
		if s.header(ctx, s.h.Join(base, "darknet.h")).macro["LIB_API"] != "" {
			c.set("flavour", alexeyAB)
		}
	}
}

// darknetFlavour tells the flavour by texts in the program or library. They come
// from the options that each understands: show_version_info is hank-ai's,
// -dont_show AlexeyAB's (and hank-ai's), the usage line is everybody's. Whether
// it computes with CUDA stands among the libraries it needs.
func (s *search) darknetFlavour(ctx context.Context, c *copyOf) {
	file := cmp.Or(c.program, c.lib)
	if file == "" {
		return
	}
	texts := []struct{ text, flavour string }{
		{"show_version_info", hankAI}, {"dont_show", alexeyAB}, {"usage: %s <function>", pjreddie}, {"load_network_custom", alexeyAB}, {"load_network", pjreddie},
	}
	if c.attrs["flavour"] != "" {
		texts = nil // a header told it
	}
	for _, m := range texts {
		data, err := s.h.Search(ctx, file, m.text, maxBinary, len(m.text))
		if err != nil {
			s.unreadable(err)
			return
		}
		if len(data) == 0 {
			continue
		}
		c.set("flavour", m.flavour)
		c.note("file", file, "contains "+m.text)
		break
	}
	// Visual Studio's project links the CUDA runtime statically, cuBLAS never.
	library := "libcudart"
	if s.h.Windows() {
		library = "cublas64_"
	}
	data, err := s.h.Search(ctx, file, library, maxBinary, len(library))
	s.unreadable(err)
	if len(data) > 0 {
		c.add("cuda")
		s.gpuCode(ctx, c)
	}
	// Newer forks keep the code in libdarknet; the program says nothing then.
	own, err := s.h.Search(ctx, file, "libdarknet", maxBinary, 10)
	s.unreadable(err)
	// A recording may have the program's name without its contents.
	usage, errUsage := s.h.Search(ctx, file, "%s <function>", maxBinary, 13)
	s.unreadable(errUsage)
	c.whole = err == nil && len(own) == 0 && errUsage == nil && len(usage) > 0 && s.program(ctx, file)
}

// program reports whether a file begins as programs and libraries do: of others, what they
// do not contain says nothing.
func (s *search) program(ctx context.Context, file string) bool {
	head, _, err := s.h.ReadFile(ctx, file, 4)
	return err == nil && (strings.HasPrefix(string(head), "\x7fELF") || strings.HasPrefix(string(head), "MZ") ||
		strings.HasPrefix(string(head), "\xcf\xfa\xed\xfe") || strings.HasPrefix(string(head), "\xca\xfe\xba\xbe"))
}

// gpuCode reads which GPUs a copy carries code for. Darknet and Caffe compile every
// source file for the same ones. A file that cannot be read so stays unsaid.
func (s *search) gpuCode(ctx context.Context, c *copyOf) {
	for _, file := range []string{c.program, c.lib} {
		if file == "" {
			continue
		}
		code, err := fatbin.Read(ctx, s.h, file)
		if err == nil && len(code.Archs)+len(code.PTX) > 0 {
			c.built.CUDAArchs, c.built.PTX = code.Archs, code.PTX
			c.note("file", file, "CUDA code for "+strings.Join(code.Archs, ", "))
			return
		}
	}
}

// darknetPackage notes the version of Debian's package, which is a date: the
// program itself has none.
func (s *search) darknetPackage(ctx context.Context) {
	for _, c := range s.copies {
		if c.program != "/usr/bin/darknet" || !s.h.Exists(ctx, look.DpkgStatus) {
			continue
		}
		found, err := look.Dpkg(ctx, s.h, "darknet")
		s.unreadable(err)
		if v := found["darknet"]; v != "" {
			c.set("package", "darknet")
			c.set("package_version", v)
			c.note("file", look.DpkgStatus, "darknet "+v)
			// 0.0.0+git20180914.… has no release; a fork's package has one.
			if u := look.Upstream(v); c.version == "" && strings.Trim(u, "0.") != "" {
				c.version = bare(u)
			}
		}
	}
}
