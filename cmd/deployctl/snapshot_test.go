package main

import (
	"strings"
	"testing"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/judge"
	"github.com/deployctl/deployctl/recipes"
)

// TestSnapshotForEveryRecipe: a snapshot of this machine is judged by every recipe, with
// what --fix would do. A snapshot has no answer to many questions, and none of them may
// stop that. With -short a few recipes are enough.
func TestSnapshotForEveryRecipe(t *testing.T) {
	place(t)
	if exit, _, text := said(&console.Console{}, "snapshot", "--output", "here.tgz"); exit != 0 {
		t.Fatalf("snapshot: exit code %d: %s", exit, text)
	}
	names := []string{"onnxruntime", "opencv-tuned", "openvino"}
	if !testing.Short() {
		names = nil
		for _, r := range recipes.Names("") {
			names = append(names, r.Name)
		}
	}
	for _, name := range names {
		exit, _, text := said(&console.Console{}, "doctor", "--from", "here.tgz", "--recipe", name)
		if exit == judge.ExitError || exit == judge.ExitUsage || strings.Contains(text, "not in the snapshot") {
			t.Errorf("doctor --recipe %s: exit code %d: %s", name, exit, text)
		}
	}
	if len(names) < 3 {
		t.Errorf("only %d recipes", len(names))
	}
}
