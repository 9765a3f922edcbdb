package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers"
	"github.com/deployctl/deployctl/installers/step"
)

// TestHistorySaysWhatIsThereAgain: an undo took a setting out, and an older profile
// brings it back, as an older registry does after a power cut. history names it and the
// command that takes it out, and after that command it says nothing.
func TestHistorySaysWhatIsThereAgain(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("writes a profile")
	}
	ctx, home, state := context.Background(), t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("SHELL", "/bin/sh")
	t.Setenv("ZDOTDIR", home)
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("DEPLOYCTL_STATE", state)
	h := host.Live()
	places, err := installers.PlacesOf(h, account(ctx, h), "")
	if err != nil {
		t.Fatal(err)
	}
	fix := installers.Step{ID: "x.env", Title: "Set PATH", Mechanism: "envedit", Action: step.Install, Effect: step.Write,
		With: step.Edits{{Name: "PATH", Value: filepath.Join(places.Opt, "x/bin"), Prepend: true, Scope: "user"}}}
	a := &installers.Applier{Host: h, Exec: installers.Live{}, State: state}
	done, err := a.Apply(ctx, &installers.Plan{Steps: []installers.Step{fix}})
	if err != nil {
		t.Fatal(err)
	}
	profile := filepath.Join(home, ".profile")
	older, err := os.ReadFile(profile)
	if err != nil {
		t.Fatal(err)
	}
	undo := func() {
		t.Helper()
		c := &console.Console{Out: new(bytes.Buffer), Err: new(bytes.Buffer), Now: time.Now}
		if err := Undo(ctx, UndoOptions{Console: c, Folders: Folders{Cache: t.TempDir()}, Undo: installers.Undo{Run: done.Run}, Yes: true}); err != nil {
			t.Fatal(err)
		}
	}
	said := func() string {
		t.Helper()
		var out, notes bytes.Buffer
		if err := History(ctx, Listing{Console: &console.Console{Out: &out, Err: &notes}, Format: "text"}); err != nil {
			t.Fatal(err)
		}
		return notes.String()
	}
	undo()
	if s := said(); strings.Contains(s, "there again") {
		t.Errorf("after undo: %s", s)
	}
	if err := os.WriteFile(profile, older, 0o644); err != nil {
		t.Fatal(err)
	}
	if s := said(); !strings.Contains(s, "there again; deployctl undo --run "+done.Run+" removes it") {
		t.Errorf("with an older profile: %q", s)
	}
	var out bytes.Buffer
	if err := History(ctx, Listing{Console: &console.Console{Out: &out, Err: new(bytes.Buffer), Now: time.Now}, Format: "json"}); err != nil {
		t.Fatal(err)
	}
	var document struct {
		Steps []struct{ Returned []installers.Package }
	}
	if err := json.Unmarshal(out.Bytes(), &document); err != nil || len(document.Steps) < 2 {
		t.Fatal(err, out.String())
	}
	if first, last := document.Steps[0], document.Steps[len(document.Steps)-1]; len(first.Returned) != 1 || len(last.Returned) != 0 {
		t.Errorf("the first step made it, the last undid it: %s", out.String())
	}
	undo()
	if s := said(); strings.Contains(s, "there again") {
		t.Errorf("after undo: %s", s)
	}
	if data, err := os.ReadFile(profile); err == nil && strings.Contains(string(data), "x/bin") {
		t.Errorf("the profile has %q", data)
	}
}
