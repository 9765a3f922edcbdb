package pipeline

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/verify"
)

// TestProofRunsInTheHostsEnvironment: after an install the host has what a new
// shell would have, and the proof must run in that, not in this process's.
func TestProofRunsInTheHostsEnvironment(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("skipped: asks a Unix tool for its environment")
	}
	printenv, err := exec.LookPath("printenv")
	if err != nil {
		t.Fatal(err)
	}
	h := host.Overlay(host.Live(), map[string]string{"PKG_CONFIG_PATH": "/opt/new/lib/pkgconfig"})
	o, err := VerifyOptions{Engine: verify.ReferenceName, Target: "cpu"}.options(h, &judge.Judgement{Facts: &facts.Facts{}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := o.Process.Run(t.Context(), host.Command{Argv: []string{printenv, "PKG_CONFIG_PATH"}})
	if err != nil || strings.TrimSpace(string(out.Stdout)) != "/opt/new/lib/pkgconfig" {
		t.Errorf("%q, %v", out.Stdout, err)
	}
}
