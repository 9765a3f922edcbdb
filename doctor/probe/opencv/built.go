package opencv

import (
	"regexp"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
)

var (
	verForm  = regexp.MustCompile(`\(ver ([0-9]+(?:\.[0-9]+)*)`)
	archForm = regexp.MustCompile(`^([0-9]{1,2})\.?([0-9])[a-z]?$`)
)

// built fills in what the text says of CUDA.
func (b BuildInfo) built(out *facts.Built) {
	attrs := b.Attrs()
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
