package opencv

import (
	"context"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/recipes/lazyregexp"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

var (
	verForm  = lazyregexp.New(`\(ver ([0-9]+(?:\.[0-9]+)*)`)
	archForm = lazyregexp.New(`^([0-9]{1,2})\.?([0-9])[a-z]?$`)
)

// Built fills in what the text says that a library for an architecture was
// built for.
func (b BuildInfo) Built(arch string, out *facts.Built) {
	attrs := b.Attrs()
	out.CPU = baseline(arch, attrs["build.cpu_baseline"])
	cuda, known := attrs["build.cuda"]
	if known && Yes(cuda) {
		if m := verForm.FindStringSubmatch(cuda); m != nil {
			out.CUDA = m[1]
		}
		out.CUDAArchs, out.PTX = archs(attrs["build.cuda_arch"]), archs(attrs["build.cuda_ptx"])
	}
	if v := attrs["build.cudnn"]; Yes(v) {
		if m := verForm.FindStringSubmatch(v); m != nil {
			out.CuDNN = m[1]
		}
	}
}

// archs reads "75 86 120" as compute capabilities; nil when one of them is not
// understood, because the list is then not known as a whole.
func archs(text string) []string {
	var out []string
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == ';' }) {
		m := archForm.FindStringSubmatch(word)
		if m == nil {
			return nil
		}
		out = append(out, m[1]+"."+m[2])
	}
	return out
}

// maxSearch bounds how much of one library is read for its build information;
// the largest known (a static build with CUDA kernels) keeps it within its first
// 200 MB.
const maxSearch = 512 << 20

// ReadBuildInfo reads the build information that a library of OpenCV carries as
// a string constant; false when it has none.
func ReadBuildInfo(ctx context.Context, h *host.Host, file string) (BuildInfo, bool, error) {
	data, err := h.Search(ctx, file, marker, maxSearch, maxInfo)
	if err != nil {
		return BuildInfo{}, false, lang.Errorf("read the build information in %s: %w", file, err)
	}
	info, ok := ParseBuildInfo(string(data))
	return info, ok, nil
}
