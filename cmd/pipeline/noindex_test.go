package pipeline

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/doctor/host/hosttest"
)

// TestNoIndex: where no Python package index is known, neither doctor nor plan says that
// doctor --fix unpacks from one: both say what a person does.
func TestNoIndex(t *testing.T) {
	data, err := os.ReadFile("../../doctor/testdata/hosts/lot20w/cpp-server-no-winget.txtar")
	if err != nil {
		t.Fatal(err)
	}
	r, err := hosttest.Recording(string(data))
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := host.WriteSnapshot(&archive, r); err != nil {
		t.Fatal(err)
	}
	from := filepath.Join(t.TempDir(), "server.snapshot")
	if err := os.WriteFile(from, archive.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var doctor, plan bytes.Buffer
	recipe := Selection{Name: "opencv-cpp"}
	to := func(out io.Writer) *console.Console {
		return &console.Console{Out: out, Err: out, Now: time.Now}
	}
	// Both end with an error, by which the exit code says that something is missing.
	_ = Doctor(t.Context(), DoctorOptions{From: from, Recipe: recipe, Format: "text", Console: to(&doctor)})
	_ = Plan(t.Context(), PlanOptions{From: from, Recipe: recipe, Format: "text", Console: to(&plan)})
	for name, text := range map[string]string{"doctor": doctor.String(), "plan": plan.String()} {
		if !strings.Contains(text, "Install a newer CMake with the installer on its download page") || strings.Contains(text, "doctor --fix") {
			t.Errorf("%s says\n%s", name, text)
		}
	}
}
