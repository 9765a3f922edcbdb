package pipeline

import (
	"bytes"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/cmd/console"
	"github.com/deployctl/deployctl/doctor/images"
)

// TestPlanForImages: a Dockerfile for a clean image begins with that image and
// installs all that the recipe needs, whatever this machine has.
func TestPlanForImages(t *testing.T) {
	for _, name := range images.Names() {
		o := PlanOptions{For: name, Format: "dockerfile", Recipe: Selection{Name: "opencv-yolov3"}}
		want := []string{"ARG BASE=" + name, "It is the plan for a clean " + name, "golang-go", "libopencv-dev", "g++", "pkg-config"}
		if strings.HasPrefix(name, "windows") {
			o.Format, o.Recipe.Name = "ps1", "gocv-windows"
			want = []string{"cmake-3.31.6-windows-x86_64.msi", "Git-2.53.0-64-bit.exe", "winlibs", "MinGW Makefiles"}
		}
		var out bytes.Buffer
		o.Console = &console.Console{Out: &out, Err: &out}
		if err := Plan(t.Context(), o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, text := range want {
			if !strings.Contains(out.String(), text) {
				t.Errorf("%s: no %q in\n%s", name, text, out.String())
			}
		}
	}
	for _, o := range []PlanOptions{{For: "debian:11"}, {For: "debian:12", From: "x.tgz"}} {
		o.Format, o.Recipe.Name, o.Console = "text", "opencv-yolov3", &console.Console{Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}
		if err := Plan(t.Context(), o); err == nil || !strings.Contains(err.Error(), "--for") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
