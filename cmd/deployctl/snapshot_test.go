package main

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/judge"
)

// TestSnapshotIsJudged: a snapshot of this machine is judged, with what --fix would do, by
// recipes whose fixes ask for what no snapshot has: pip's settings, APT's sources.
func TestSnapshotIsJudged(t *testing.T) {
	place(t)
	if exit, _, text := said(&console.Console{}, "snapshot", "--output", "here.tgz"); exit != 0 {
		t.Fatalf("snapshot: exit code %d: %s", exit, text)
	}
	for _, name := range []string{"onnxruntime", "opencv-tuned", "opencv-cuda", "openvino", "tensorflow-c", "deployctl-dev"} {
		exit, _, text := said(&console.Console{}, "doctor", "--from", "here.tgz", "--recipe", name)
		if exit == judge.ExitError || exit == judge.ExitUsage || strings.Contains(text, "not in the snapshot") {
			t.Errorf("doctor --recipe %s: exit code %d: %s", name, exit, text)
		}
	}
}
