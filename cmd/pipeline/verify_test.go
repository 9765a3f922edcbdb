package pipeline

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

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

// TestHeedEndsWithItsContext: work that never comes back, as a system call on a
// dead file system does, is left behind; work that ends in order is waited for.
func TestHeedEndsWithItsContext(t *testing.T) {
	stuck := make(chan struct{})
	defer close(stuck)
	ctx, cancel := context.WithCancelCause(t.Context())
	begin := time.Now()
	cancel(errors.New("interrupt"))
	_, err := heed(ctx, func() (int, error) { <-stuck; return 1, nil })
	if took := time.Since(begin); err == nil || !strings.Contains(err.Error(), "interrupt") || took > 10*ending {
		t.Errorf("stuck: %v after %v", err, took)
	}
	got, err := heed(ctx, func() (int, error) { time.Sleep(ending / 20); return 7, nil })
	if got != 7 || err != nil {
		t.Errorf("in order: %d, %v", got, err)
	}
	if got, err := heed(t.Context(), func() (int, error) { return 8, nil }); got != 8 || err != nil {
		t.Errorf("not stopped: %d, %v", got, err)
	}
}
