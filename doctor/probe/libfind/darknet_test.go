package libfind_test

import (
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
	"github.com/deployctl/deployctl/doctor/internal/probetest"
	"github.com/deployctl/deployctl/doctor/probe/internal/fatbin/fatbintest"
	"github.com/deployctl/deployctl/doctor/probe/libfind"
)

// TestDarknetCode: which GPUs a Darknet was compiled for stands in the program.
func TestDarknetCode(t *testing.T) {
	const ptx, code = 1, 2
	r, err := hosttest.Recording("-- env --\nPATH=/usr/local/bin\n-- exec /usr/local/bin/darknet --\nx\n")
	if err != nil {
		t.Fatal(err)
	}
	data := fatbintest.Program(".nv_fatbin", fatbintest.Container(fatbintest.Entry{Kind: code, SM: 61}, fatbintest.Entry{Kind: ptx, SM: 61}))
	r.Files["/usr/local/bin/darknet"] = host.File{Data: append(data, "\x00usage: %s <function>\x00libcudart.so.12\x00"...)}
	r.Complete()
	f, err := libfind.Probe(t.Context(), host.Replay(r))
	if err != nil || len(f.Components["darknet"]) != 1 {
		t.Fatalf("%v, %+v", err, f.Components["darknet"])
	}
	want := facts.Built{Backends: []string{"cpu", "cuda"}, CUDAArchs: []string{"6.1"}, PTX: []string{"6.1"}}
	probetest.Same(t, "", want, f.Components["darknet"][0].Built)
}
